// SPDX-License-Identifier: BSD-3-Clause
// Own Partial IVs and message ids: none comes twice.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

TestSuite(dp_own_piv, .init = one_device_init, .fini = one_device_fini);

Test(dp_own_piv, own_piv_always_never_uses_the_requests_nonce)
{
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_ALWAYS, 0);
	dp_run_grant(bed.dp, 0);
	for (uint64_t i = 0; i < 3; i++) {
		exchange(COAP_CON, i, i, COAP_GET, "echo", NULL);
		expect_answer(COAP_CONTENT);
		cr_expect(answer.has_piv);
		cr_expect_eq(answer.piv, i, "run 0, counter from 0");
	}
}

// Else its effect would be had and its answer be lost, and every copy be a replay.
Test(dp_own_piv, what_cannot_be_answered_yet_is_not_accepted)
{
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_ALWAYS, 0);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "x");
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_run), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
	dp_run_grant(bed.dp, 0);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
}

Test(dp_own_piv, own_pivs_end_before_they_repeat)
{
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_ALWAYS, 0);
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];

	ctx->own_counter = DP_COUNTER_MAX;
	dp_run_grant(bed.dp, 0);
	exchange(COAP_CON, 1, 1, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	cr_expect_eq(answer.piv, DP_COUNTER_MAX);
	exchange(COAP_CON, 2, 2, COAP_GET, "echo", NULL);
	expect_silence();
	// A raised base goes on in the next run.
	cr_assert_eq(dp_run_base_raise(bed.dp, device.context, device.generation, 1), 0);
	exchange(COAP_CON, 3, 3, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	cr_expect_eq(answer.piv, UINT64_C(1) << DP_COUNTER_BITS);
	ctx->run_base = DP_RUN_MAX + 1;
	exchange(COAP_CON, 4, 4, COAP_GET, "echo", NULL);
	expect_silence();
}

// What was accepted has a number left, be its answer made in this burst or behind a backend.
Test(dp_own_piv, none_is_accepted_beside_those_that_take_the_last_ones)
{
	bed_device_add_with(&bed, &device, true, DP_CONTEXT_OWN_PIV_ALWAYS, 0);
	struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];
	struct bed_request first;
	dp_handle handle;

	dp_run_grant(bed.dp, 0);
	ctx->own_counter = DP_COUNTER_MAX;
	bed_seal_path(&device, &first, COAP_CON, 1, 1, COAP_GET, "echo", NULL);
	bed_send_request(&bed, &first);
	exchange(COAP_CON, 2, 2, COAP_GET, "echo", NULL);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_own_piv_spent), 1);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &first, &answer));
	expect_silence();
	cr_assert_eq(dp_run_base_raise(bed.dp, device.context, device.generation, 1), 0);
	exchange(COAP_CON, 3, 3, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	ctx->own_counter = DP_COUNTER_MAX;
	bed_seal_path(&device, &first, COAP_NON, 4, 4, COAP_GET, "tv1", NULL);
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	(void)bed_events_take(&bed, 0, DP_EVENT_RUN_BASE_WANTED);
	bed_later(&bed, 1000);
	exchange(COAP_CON, 5, 5, COAP_GET, "echo", NULL);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_own_piv_spent), 2);
	// It may wait long for that answer: a higher base is asked for now, once a second.
	cr_expect_eq(bed_events_take(&bed, 0, DP_EVENT_RUN_BASE_WANTED), 1);
	exchange(COAP_CON, 6, 6, COAP_GET, "echo", NULL);
	expect_silence();
	cr_expect_eq(bed_events_take(&bed, 0, DP_EVENT_RUN_BASE_WANTED), 0);
	cr_assert(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, (const uint8_t[]){COAP_CONTENT}, 1);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(bed_open(&device, &first, &answer));
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_no_piv), 0);
}

// RFC 7252 section 4.4 counts message ids per endpoint: two devices behind one address and port, as
// a proxy is, see no id twice, whatever nonces the answers have and whatever else is sent there.
Test(dp_own_piv, devices_behind_one_endpoint_see_no_message_id_twice)
{
	static const uint8_t flags[] = {0, DP_CONTEXT_OWN_PIV_ALWAYS, DP_CONTEXT_OWN_PIV_CLOCK};
	static uint8_t seen[1 << 16];
	struct bed_device two[RTE_DIM(flags)];

	memset(seen, 0, sizeof(seen));
	dp_run_grant(bed.dp, 0);
	bed.policy.verbose_errors = true;
	for (unsigned k = 0; k < RTE_DIM(flags); k++) {
		bed_device_make(&two[k], 2 + k, AEAD_AES_CCM_16_64_128);
		bed_device_add_with(&bed, &two[k], true, flags[k], 0);
		dp_contexts(bed.dp)->context[two[k].context].own_next = 0; // made long ago
	}
	for (unsigned i = 0; i < 3000; i++) {
		device = two[i % RTE_DIM(two)];
		// All use the same Partial IVs.
		uint64_t piv = i / RTE_DIM(two);

		exchange(COAP_NON, piv, piv, COAP_GET, "echo", NULL);
		expect_answer(COAP_CONTENT);
		cr_assert_eq(answer.msg.type, COAP_NON);
		cr_assert_eq(answer.msg.mid & ~DP_MID_NON, 0, "apart from those of CON messages");
		cr_assert_eq(seen[answer.msg.mid]++, 0, "the id %u again", answer.msg.mid);
		// An unprotected error to the same endpoint.
		if (i % 100)
			continue;
		bed_seal_path(&device, &request, COAP_NON, 7, 1000000 + i, COAP_GET, "echo", NULL);
		request.coap[request.len - 1] ^= 1;
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_assert_eq(answer.msg.code, COAP_BAD_REQUEST);
		cr_assert_eq(seen[answer.msg.mid]++, 0, "the id %u again", answer.msg.mid);
	}
}
