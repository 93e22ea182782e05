// SPDX-License-Identifier: BSD-3-Clause
// Copies of a request, which get its answer again or silence, and replays, which get nothing.

#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

TestSuite(dp_copies, .init = one_device_init, .fini = one_device_fini);

Test(dp_copies, retransmitted_con_gets_the_same_bytes)
{
	struct bed_answer again;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 7, 0, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	// Too soon: an attacker who repeats a packet makes no flood of ours.
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	for (unsigned copy = 0; copy < DP_ANSWER_RESENDS_MAX; copy++) {
		bed_later(&bed, DP_ANSWER_RESEND_MS);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &again));
		cr_expect_eq(again.len, answer.len);
		cr_expect_arr_eq(again.coap, answer.coap, answer.len);
	}
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_duplicates_answered), DP_ANSWER_RESENDS_MAX);
}

Test(dp_copies, duplicate_non_gets_silence)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_NON, 7, 0, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_seen_non), 1);
}

// Then a copy is told from a replay.
Test(dp_copies, replay_of_a_non_is_told_if_wanted)
{
	bed.policy.verbose_replay = true;
	bed_device_add(&bed, &device, true);
	exchange(COAP_NON, 7, 0, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 1);
	request.coap[3]++; // MID
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_UNAUTHORIZED);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_seen_non), 0);
}

// A NON that one before it in its burst left behind the window was not seen, and is no copy.
Test(dp_copies, a_non_left_behind_in_its_burst_is_too_old)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_NON, 1, 1, COAP_POST, "echo", "first"); // it has an owner
	expect_answer(COAP_CHANGED);
	bed_seal_path(
		&device, &request, COAP_NON, 3, 3 + OSC_WINDOW_SIZE, COAP_POST, "echo", "ahead");
	bed_send_request(&bed, &request);
	bed_seal_path(&device, &request, COAP_NON, 2, 2, COAP_POST, "echo", "behind");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect(bed_receive(&bed, &answer));
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_seen_non), 0);
}

// Whoever repeats a request from elsewhere, or with another MID or token, gets nothing.
Test(dp_copies, same_piv_otherwise_is_a_replay)
{
	struct dp_flow elsewhere = bed.flow;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 7, 0, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	elsewhere.remote_addr[3] = 10;
	bed_send(&bed, &elsewhere, request.coap, request.len);
	elsewhere = bed.flow;
	elsewhere.remote_port++;
	bed_send(&bed, &elsewhere, request.coap, request.len);
	request.coap[3]++; // MID
	bed_send_request(&bed, &request);
	request.coap[3]--;
	request.coap[4]++; // token
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 4);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
}

Test(dp_copies, two_copies_in_one_burst_are_one_request)
{
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	bed_seal_path(&device, &request, COAP_CON, 9, 3, COAP_POST, "up/x", "reading");
	bed_send_request(&bed, &request);
	bed_send_request(&bed, &request);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_not_null(bed_upstream_take(&bed, &handle));
	cr_expect_null(bed_upstream_take(&bed, &handle));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 2);
}

// A NON is never acknowledged (RFC 7252 section 4.3), whoever changed the type on the way.
Test(dp_copies, a_copy_as_non_gets_no_ack)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 7, 0, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	request.coap[0] |= COAP_NON << 4;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_seen_non), 1);
}

// In one burst as at any other time, a copy from elsewhere is a replay.
Test(dp_copies, copies_in_one_burst_from_elsewhere_are_replays)
{
	struct dp_flow elsewhere = bed.flow;

	bed_device_add(&bed, &device, true);
	bed_seal_path(&device, &request, COAP_CON, 9, 3, COAP_POST, "echo", "reading");
	bed_send_request(&bed, &request);
	elsewhere.remote_addr[3] = 10;
	bed_send(&bed, &elsewhere, request.coap, request.len);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 1);
}

// What was answered before a window was lost may be asked for again after it.
Test(dp_copies, a_copy_is_known_after_a_resync)
{
	struct bed_answer again;

	bed_device_add(&bed, &device, true);
	dp_run_grant(bed.dp, 0);
	exchange(COAP_CON, 7, 5, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	cr_assert_eq(dp_resync(bed.dp, device.context, device.generation, 0), 0);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &again));
	cr_expect_eq(again.len, answer.len);
	cr_expect_arr_eq(again.coap, answer.coap, answer.len);
	exchange(COAP_CON, 8, 6, COAP_POST, "echo", "new");
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
}
