// SPDX-License-Identifier: BSD-3-Clause
// Answers in the buffers of their requests are those that would be made elsewhere, byte for byte.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

TestSuite(dp_in_place, .init = one_device_init, .fini = one_device_fini);

#define PAYLOAD "a reading, 21.5 degrees"

// Sends the last request as if it was the first one ever. Returns whether its answer went back in
// its buffer, and not in one of the worker's.
static bool answer_fresh(bool fast)
{
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];

	bed_fast_paths(&bed, fast);
	osc_window_open_at(&ctx->window, 0);
	bed_answers_forget(&bed);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
	return answer.mbuf == bed.sent;
}

static void expect_the_same_both_ways(const char *what)
{
	cr_expect_not(answer_fresh(false), "%s", what);
	const struct bed_answer slow = answer;

	cr_expect(answer_fresh(true), "%s", what);
	if (request.type == COAP_NON)
		memcpy(answer.coap + 2, slow.coap + 2, 2); // each has a message id of its own
	cr_assert_eq(answer.len, slow.len, "%s", what);
	cr_expect_arr_eq(answer.coap, slow.coap, slow.len, "%s", what);
	cr_expect(dp_flow_same_endpoint(&answer.flow, &slow.flow), "%s", what);
}

// Every algorithm, whatever a device is called and counts, and each way to ask.
Test(dp_in_place, the_bytes_are_the_same)
{
	static const uint64_t pivs[] = {1, 0xff, 0x100, 0x12345, 0x1000000, OSC_PIV_MAX};
	char what[64];

	for (enum aead_alg alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		bed_device_make(&device, 7 + alg, alg);
		bed_device_add(&bed, &device, true);
		for (unsigned row = 0; row < 4 * RTE_DIM(pivs); row++) {
			enum coap_type type = row & 1 ? COAP_NON : COAP_CON;
			const char *path = row & 2 ? "echo" : "discard";

			bed_seal_path(&device, &request, type, 0x1234 + row, pivs[row / 4],
				COAP_POST, path, PAYLOAD);
			snprintf(what, sizeof(what), "algorithm %d, row %u", alg, row);
			expect_the_same_both_ways(what);
		}
		bed_seal_path(&device, &request, COAP_CON, 9, 9, COAP_PUT, "echo", "");
		expect_the_same_both_ways("no payload");
	}
}

// What an in-place answer has no room or no way for is made elsewhere.
Test(dp_in_place, only_the_usual_answer_goes_back)
{
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_CLOCK, 0);
	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_POST, "discard", PAYLOAD);
	cr_expect_not(answer_fresh(true), "a Partial IV of its own");
	cr_expect(answer.has_piv);
}

// The driver takes what it has sent into this lcore's cache of the buffer's pool.
Test(dp_in_place, a_buffer_of_another_pool_is_not_sent)
{
	bed_device_add(&bed, &device, true);
	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_POST, "echo", PAYLOAD);
	cr_expect(answer_fresh(true));
	bed.strange_frames = true;
	cr_expect_not(answer_fresh(true));
	cr_expect_eq(answer.mbuf->pool, bed_worker_pool(&bed, 0));
}

// The record is written before the answer takes the place of the request's tag.
Test(dp_in_place, a_copy_gets_the_same_bytes)
{
	static const char *const paths[] = {"discard", "echo"};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		bed_seal_path(&device, &request, COAP_CON, i, 2 + i, COAP_POST, paths[i], PAYLOAD);
		cr_expect(answer_fresh(true));
		const struct bed_answer first = answer;

		bed_later(&bed, DP_ANSWER_RESEND_MS);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(COAP_CHANGED);
		cr_assert_eq(answer.len, first.len);
		cr_expect_arr_eq(answer.coap, first.coap, first.len, "%s", paths[i]);
		cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), i + 1);
	}
}

// Sends a burst of NONs, of which every other one is answered elsewhere, and notes the
// message ids of what comes back, in order.
static void mids_of_burst(bool fast, uint64_t piv, uint16_t mids[5])
{
	static const char *const paths[] = {"nowhere", "discard", "nowhere", "echo", "nowhere"};

	bed_fast_paths(&bed, fast);
	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		bed_seal_path(&device, &request, COAP_NON, i, piv + i, COAP_POST, paths[i], "x");
		bed_send_request(&bed, &request);
	}
	bed_turn(&bed);
	for (unsigned i = 0; i < RTE_DIM(paths); i++) {
		cr_assert(bed_receive(&bed, &answer));
		mids[i] = answer.msg.mid;
	}
}

// A peer sees ids in the order of the messages, wherever those are made.
Test(dp_in_place, message_ids_are_taken_in_the_order_of_the_batch)
{
	uint16_t slow[5], fast[5];

	bed_device_add(&bed, &device, true);
	mids_of_burst(false, 10, slow);
	mids_of_burst(true, 20, fast);
	for (unsigned i = 1; i < RTE_DIM(slow); i++) {
		cr_expect_eq((uint16_t)(slow[i] - slow[0]), i, "slow, %u", i);
		cr_expect_eq((uint16_t)(fast[i] - fast[0]), i, "fast, %u", i);
	}
}
