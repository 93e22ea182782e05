// SPDX-License-Identifier: BSD-3-Clause
// What one device, or a stranger who knows its kid, can take from others.

#include "tests/unit/dp_bed.h"

#include <criterion/criterion.h>

#define MANY      4000
#define EXCHANGES 5000
#define ROUNDS    9

static struct bed bed;
static struct bed_device device, other;
static struct bed_request request;
static struct bed_answer answer;
static dp_handle handle;

static void init(void)
{
	bed_make_exchanges(&bed, 1, 1, EXCHANGES);
	bed_stop_clock(&bed);
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_add(&bed, &other, true);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_fair, .init = init, .fini = fini);

static void send_one(const struct bed_device *from, enum coap_type type, uint16_t mid, uint64_t piv,
	const char *path)
{
	bed_seal_path(from, &request, type, mid, piv, COAP_GET, path, NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

// Requests that stay at the backend, with message ids and Partial IVs from 0.
static void pending(const struct bed_device *from, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		send_one(from, COAP_CON, i, i, "up/slow");
	cr_assert_eq(bed_count(&bed, DP_STAT_exchanges_started), n);
}

// Cycles that the window stage takes for a burst of forged requests with a Partial IV that was
// seen.
static uint64_t forged_cycles(const struct bed_device *as, uint64_t piv)
{
	uint64_t least = UINT64_MAX;

	bed_seal_path(as, &request, COAP_CON, 0x7777, piv, COAP_GET, "up/slow", NULL);
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t before = bed.w->stats.cycles[DP_STAGE_window];

		for (unsigned i = 0; i < DP_BURST; i++)
			bed_send_request(&bed, &request);
		bed_turn(&bed);
		least = RTE_MIN(least, bed.w->stats.cycles[DP_STAGE_window] - before);
	}
	return least;
}

Test(dp_fair, a_copy_is_found_among_any_number_of_requests)
{
	pending(&device, MANY);
	bed_later(&bed, DP_ACK_AFTER(DP_ACK_TIMEOUT_MS) - 10 * DP_TICK_MS);
	for (unsigned i = MANY - OSC_WINDOW_SIZE; i < MANY; i++) {
		send_one(&device, COAP_CON, i, i, "up/slow");
		cr_assert(bed_receive(&bed, &answer), "copy of %u", i);
		cr_expect_eq(answer.len, COAP_EMPTY_LEN);
		cr_expect_eq(answer.msg.mid, i);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_acked), OSC_WINDOW_SIZE);
	// Another's request with the same numbers is no copy.
	send_one(&other, COAP_CON, MANY - 1, MANY - 1, "up/slow");
	cr_expect_eq(bed_count(&bed, DP_STAT_exchanges_started), MANY + 1);
}

Test(dp_fair, a_forged_copy_costs_the_same_whatever_the_device_has_under_way)
{
	send_one(&other, COAP_CON, 1, MANY - 1, "echo");
	cr_assert(bed_receive(&bed, &answer));
	pending(&device, MANY);
	uint64_t few = forged_cycles(&other, MANY - 1);
	uint64_t many = forged_cycles(&device, MANY - 1);

	cr_expect_lt(many, 8 * few, "%lu cycles a burst, %lu without any under way", many, few);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 2 * ROUNDS * DP_BURST);
	// A removed device's are in no chain any more.
	struct dp_context_key key;

	bed_device_key(&device, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	while (bed_upstream_take(&bed, &handle)) {
		bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_CONTENT}, 1);
		bed_turn(&bed);
	}
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), EXCHANGES);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), MANY);
}
