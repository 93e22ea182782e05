// SPDX-License-Identifier: BSD-3-Clause
// As many workers as there may be: packets and ACKs come through between each two of them.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>

#define WORKERS  DP_WORKERS_MAX
#define POOLS_MB 1536

static struct bed bed;
static struct bed_device device[WORKERS];
static struct bed_request request;
static struct bed_answer answer;

static void send(unsigned to, unsigned from, uint64_t piv)
{
	bed.queue = to;
	bed_seal_path(&device[from], &request, COAP_CON, piv, piv, COAP_POST, "echo", "x");
	bed_send_request(&bed, &request);
}

// Each device belongs to the worker of its number, and sends to all of them.
static void packets_cross_between_each_two(void)
{
	uint64_t answers = 0;

	for (unsigned round = 0; round < WORKERS; round++) {
		for (unsigned i = 0; i < WORKERS; i++) {
			send((i + round) % WORKERS, i, round);
			if (i % 32 != 31)
				continue;
			bed_turn(&bed);
			while (bed_receive(&bed, &answer)) {
				cr_assert_eq(answer.msg.type, COAP_ACK);
				answers++;
			}
		}
		if (!round)
			for (unsigned i = 0; i < WORKERS; i++)
				cr_assert_eq(
					dp_contexts(bed.dp)->context[device[i].context].owner, i);
	}
	cr_expect_eq(answers, WORKERS * WORKERS);
	cr_expect_eq(bed_count(&bed, DP_STAT_handed_over), WORKERS * (WORKERS - 1));
	cr_expect_eq(bed_count(&bed, DP_STAT_taken_over), WORKERS * (WORKERS - 1));
	for (unsigned i = 0; i < WORKERS; i++)
		cr_assert_eq(dp_stat_read(dp_worker_stats(bed.dp, i), DP_STAT_rx_requests), WORKERS,
			"worker %u", i);
}

// More than a worker takes of another one at once, of several at once. Devices whose number is a
// multiple of this one are the first worker's then.
static void what_is_left_in_a_ring_is_taken_later(void)
{
	enum { EACH = 70, STEP = 9 };
	unsigned sent = 0;

	for (unsigned from = STEP; from < WORKERS; from += STEP) {
		struct dp_context_key key;

		bed_device_key(&device[from], &key);
		cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
		bed_turn(&bed);
		bed_device_add(&bed, &device[from], true);
		send(0, from, 0);
	}
	bed_turn(&bed);
	const uint64_t before = bed_count(&bed, DP_STAT_rx_requests);

	for (unsigned from = STEP; from < WORKERS; from += STEP) {
		for (unsigned n = 1; n <= EACH; n++, sent++) {
			send(from, from, n);
			bed_turn_one(&bed, from);
		}
	}
	const uint64_t taken = dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_taken_over);

	for (unsigned turn = 0; turn < 2; turn++) {
		bed_turn_one(&bed, 0);
		while (bed_receive(&bed, &answer))
			;
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests) - before, sent,
		"in two turns, and no call since");
	cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, 0), DP_STAT_taken_over) - taken, sent);
}

// An ACK finds its way from any worker to each.
static void message_ids_name_all_workers(void)
{
	static const uint8_t late[] = {COAP_CONTENT, 0xff, 'l'};
	uint16_t mid[WORKERS];
	dp_handle handle;

	for (unsigned i = 0; i < WORKERS; i++) {
		struct dp_loop_port *up = &dp_loop(bed.dp, 0)->port[i];

		bed.queue = i;
		bed_seal_path(&device[i], &request, COAP_CON, 1, 5000, COAP_GET, "up/slow", NULL);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		bed_later(&bed, DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) + 2 * DP_TICK_MS);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_assert_eq(dp_loop_receive(up, &handle, 1), 1);
		struct dp_shared *shared = dp_shared_get(up->pool, handle);

		memcpy(dp_shared_response(shared), late, sizeof(late));
		shared->response.len = sizeof(late);
		dp_loop_respond(up, handle);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_assert_eq(answer.msg.type, COAP_CON);
		mid[i] = answer.msg.mid;
		bed.queue = (i * 37 + 11) % WORKERS;
		bed_send_empty(&bed, &bed.flow, COAP_ACK, mid[i]);
		bed_turn(&bed);
		cr_expect_eq(dp_stat_read(dp_worker_stats(bed.dp, i), DP_STAT_rx_acks), 1,
			"worker %u", i);
	}
}

// One bed for all: its pools are large.
Test(dp_many_workers, sixty_four_of_them)
{
	bed_eal_init_mb(POOLS_MB);
	bed_make_many(&bed, WORKERS, false);
	bed_stop_clock(&bed);
	for (unsigned i = 0; i < WORKERS; i++) {
		bed_device_make(&device[i], 2 + i, AEAD_AES_CCM_16_64_128);
		bed_device_add(&bed, &device[i], true);
	}
	packets_cross_between_each_two();
	message_ids_name_all_workers();
	what_is_left_in_a_ring_is_taken_later();
	bed_free(&bed);
}
