// SPDX-License-Identifier: BSD-3-Clause
// What a worker counts of a route: each request once, and each answer that the worker makes.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

enum { SLOT_UP = 2, SLOT_DISCARD, SLOT_ECHO, SLOT_GET };

static void set_up(void)
{
	one_device_init();
	bed_device_add(&bed, &device, true);
}

TestSuite(dp_route_stats, .init = set_up, .fini = one_device_fini);

static void expect_counted(
	unsigned slot, uint64_t requests, uint64_t of_2xx, uint64_t of_4xx, uint64_t of_5xx)
{
	const struct dp_route_stats *stats = &dp_worker_route_stats(bed.dp, 0)[slot];

	cr_expect_eq(stats->requests, requests, "slot %u: %lu", slot, stats->requests);
	cr_expect_eq(stats->answers[DP_ANSWER_2XX], of_2xx, "slot %u", slot);
	cr_expect_eq(stats->answers[DP_ANSWER_4XX], of_4xx, "slot %u", slot);
	cr_expect_eq(stats->answers[DP_ANSWER_5XX], of_5xx, "slot %u", slot);
}

Test(dp_route_stats, builtins_are_counted_with_their_answers)
{
	exchange(COAP_CON, 1, 1, COAP_POST, "discard", "x");
	expect_answer(COAP_CHANGED);
	exchange(COAP_NON, 2, 2, COAP_GET, "echo", "x");
	expect_answer(COAP_CONTENT);
	exchange(COAP_CON, 3, 3, COAP_GET, "nowhere", "");
	expect_answer(COAP_NOT_FOUND);
	exchange(COAP_CON, 4, 4, COAP_POST, "get", "");
	expect_answer(COAP_METHOD_NOT_ALLOWED);
	expect_counted(SLOT_DISCARD, 1, 1, 0, 0);
	expect_counted(SLOT_ECHO, 1, 1, 0, 0);
	expect_counted(SLOT_GET, 0, 0, 0, 0);
	expect_counted(DP_ROUTE_SLOT_OTHER, 0, 0, 0, 0);
}

// A copy gets the same bytes, which are sealed again, and counts nothing.
Test(dp_route_stats, copies_are_not_counted)
{
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "x");
	expect_answer(COAP_CHANGED);
	for (unsigned i = 0; i < 2; i++) {
		bed_later(&bed, DP_ANSWER_RESEND_MS);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(COAP_CHANGED);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), 2);
	expect_counted(SLOT_ECHO, 1, 1, 0, 0);
}

// Answers of an upstream are counted by its loop; the worker counts those that it gives instead.
Test(dp_route_stats, requests_to_upstreams_are_counted_without_their_answers)
{
	static const uint8_t created[] = {COAP_CREATED};
	struct dp_shared *shared;
	dp_handle handle, late;

	exchange(COAP_CON, 1, 1, COAP_POST, "up/a", "x");
	shared = bed_upstream_take(&bed, &handle);
	cr_assert_not_null(shared);
	cr_expect_eq(shared->request.route_slot, SLOT_UP);
	cr_expect_neq(shared->request.received_tsc, 0);
	expect_counted(SLOT_UP, 1, 0, 0, 0);
	bed_upstream_answer(&bed, handle, created, sizeof(created));
	bed_turn(&bed);
	expect_answer(COAP_CREATED);
	expect_counted(SLOT_UP, 1, 0, 0, 0);

	exchange(COAP_NON, 2, 2, COAP_POST, "up/a", "x");
	cr_assert_not_null(bed_upstream_take(&bed, &late));
	bed_later(&bed, BED_TIMEOUT_MS + 2 * DP_TICK_MS);
	bed_turn(&bed);
	expect_answer(COAP_GATEWAY_TIMEOUT);
	expect_counted(SLOT_UP, 2, 0, 0, 1);
	bed_upstream_answer(&bed, late, created, sizeof(created));
	bed_turn(&bed);
	expect_silence();
	expect_counted(SLOT_UP, 2, 0, 0, 1);
}

Test(dp_route_stats, refusals_are_counted_by_class)
{
	bed.policy.max_in_flight = 1;
	dp_handle handle;

	exchange(COAP_NON, 1, 1, COAP_POST, "up/a", "x");
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	exchange(COAP_NON, 2, 2, COAP_POST, "up/a", "x");
	expect_answer(COAP_TOO_MANY_REQUESTS);
	expect_counted(SLOT_UP, 2, 0, 1, 0);
	bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_CHANGED}, 1);
	bed_turn(&bed);
	cr_expect(bed_receive(&bed, &answer));
}
