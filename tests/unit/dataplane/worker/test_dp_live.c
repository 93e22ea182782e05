// SPDX-License-Identifier: BSD-3-Clause
// Main and a worker that runs on a thread of its own: devices come and go while their packets are
// on the way.

#include "tests/unit/dataplane/worker/bed_inside.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <sodium.h>
#include <time.h>

#define ROUNDS 400

static struct bed bed;

static void on_event(void *arg, const struct dp_event *event)
{
	if (event->type == DP_EVENT_RUN_WANTED)
		dp_run_grant(bed.dp, 7);
}

// Waits for an event of the worker: true as soon as cond(arg), false after a long time.
static bool wait_for(bool (*cond)(void *arg), void *arg)
{
	time_t end = time(NULL) + 60;

	while (!cond(arg)) {
		dp_poll(bed.dp, on_event, NULL);
		if (time(NULL) > end)
			return false;
		sched_yield();
	}
	return true;
}

static bool answered(void *answer)
{
	return bed_receive(&bed, answer);
}

static bool handed_on(void *handle)
{
	return bed_upstream_take(&bed, handle) != NULL;
}

static bool all_retired(void *arg)
{
	return !dp_devices_retiring(bed.dp);
}

static bool exchanges_back(void *arg)
{
	return dp_worker_exchanges_free(bed.dp, 0) == BED_EXCHANGES;
}

static bool all_received(void *sent)
{
	return bed_count(&bed, DP_STAT_rx_packets) == *(uint64_t *)sent &&
		bed_ends(&bed) == *(uint64_t *)sent;
}

Test(dp_live, devices_come_and_go_under_a_running_worker)
{
	static const uint8_t secret_answer[] = {COAP_CONTENT, 0xff, 's'};
	static struct bed_device device;
	static struct bed_request request;
	static struct bed_answer answer;
	struct dp_context_key key;
	uint64_t sent = 0;

	bed_make(&bed);
	bed_set_nap(&bed);
	cr_assert_eq(dp_start(bed.dp), 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		bool in_flight = round % 2;
		dp_handle handle;

		bed_device_make(&device, 2 + round % 16, round % AEAD_ALG_COUNT);
		device.params.secret[0] = round;
		device.params.secret[1] = round >> 8;
		cr_assert_eq(osc_derive(&device.keys, &device.params), 0);
		bed_device_key(&device, &key);
		// Every other one of those that answer at once is challenged first.
		bed_device_add(&bed, &device, round % 4);
		bed_seal_path(&device, &request, COAP_CON, round, 0, COAP_POST,
			in_flight ? "up/x" : "echo", "y");
		sent++;
		bed_send_request(&bed, &request);
		if (in_flight) {
			cr_assert(wait_for(handed_on, &handle), "round %u", round);
		} else if (round % 4) {
			cr_assert(wait_for(answered, &answer), "round %u", round);
			cr_assert(bed_open(&device, &request, &answer));
			cr_assert_eq(answer.plaintext[0], COAP_CHANGED);
		}
		// Packets of a device that goes, before and after.
		for (uint64_t piv = 1; piv < 4; piv++, sent++) {
			if (piv == 2)
				cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
			bed_seal_path(
				&device, &request, COAP_NON, piv, piv, COAP_POST, "discard", NULL);
			bed_send_request(&bed, &request);
		}
		cr_assert(wait_for(all_retired, NULL), "round %u", round);
		const struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];

		cr_assert(sodium_is_zero(ctx->recipient_key, sizeof(ctx->recipient_key)));
		cr_assert(sodium_is_zero(ctx->sender_key, sizeof(ctx->sender_key)));
		if (in_flight) {
			bed_upstream_answer(&bed, handle, secret_answer, sizeof(secret_answer));
			cr_assert(wait_for(exchanges_back, NULL), "round %u", round);
		}
		cr_assert(wait_for(all_received, &sent), "round %u: %lu of %lu", round,
			bed_ends(&bed), sent);
		while (bed_receive(&bed, &answer))
			;
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), ROUNDS / 2);
	dp_stop(bed.dp);
	bed_free(&bed);
}

// The first packet after a silence waits for a nap at most.
Test(dp_live, naps_grow_in_a_silence_up_to_a_millisecond)
{
	uint32_t nap = 0;

	for (uint64_t silent_ms = 0; silent_ms < 1000; silent_ms++) {
		nap = dp_nap_ns(nap, silent_ms);
		cr_assert_eq(nap, 50 * 1000);
	}
	for (unsigned i = 0; i < 100; i++) {
		uint32_t next = dp_nap_ns(nap, 1000 + i);

		cr_assert(next == RTE_MIN(2 * nap, 1000u * 1000));
		nap = next;
	}
	cr_expect_eq(nap, 1000 * 1000);
	cr_expect_eq(dp_nap_ns(0, 5000), 50 * 1000, "there was work in this very millisecond");
	cr_expect_eq(dp_nap_ns(nap, 3), 50 * 1000);
}
