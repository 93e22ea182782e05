// SPDX-License-Identifier: BSD-3-Clause
// Messages whose keys the gateway does not have (RFC 8613 section 11.2). The test is in the place
// of the upstream loop, and of who can open them.

#include "tests/unit/dataplane/worker/outer.h"
#include "tests/unit/dataplane/worker/pass_bed.h"

#include <criterion/criterion.h>

TestSuite(dp_pass, .init = pass_bed_init, .fini = pass_bed_fini);

Test(dp_pass, nothing_passes_before_the_sender_has_shown_its_address)
{
	uint8_t echo[DP_ECHO_LEN];
	struct dp_flow other = bed.flow;

	ask(COAP_CON);
	const uint8_t *value = expect_unprotected(COAP_UNAUTHORIZED);

	cr_assert_not_null(value);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_leq(answer.len, 3 * request.len, "no more than three times what came");
	memcpy(echo, value, sizeof(echo));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_pass_challenges), 1);
	expect_nothing_passed();

	other.remote_port = rte_cpu_to_be_16(4711);
	ask_from(&other, COAP_NON, echo, "x");
	cr_expect_not_null(expect_unprotected(COAP_UNAUTHORIZED), "it is another's");
	expect_nothing_passed();
	echo[DP_ECHO_LEN - 1] ^= 1;
	ask_from(&bed.flow, COAP_NON, echo, "x");
	cr_expect_not_null(expect_unprotected(COAP_UNAUTHORIZED), "it is made up");
	expect_nothing_passed();

	echo[DP_ECHO_LEN - 1] ^= 1;
	ask_from(&bed.flow, COAP_CON, echo, "x");
	serve(protected, sizeof(protected));
	expect_protected(COAP_ACK, protected, sizeof(protected));
	ask(COAP_CON);
	serve(protected, sizeof(protected));
	expect_protected(COAP_ACK, protected, sizeof(protected));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_passed), 2);

	bed_later(&bed, 301000);
	ask(COAP_CON);
	cr_expect_not_null(expect_unprotected(COAP_UNAUTHORIZED), "it is to show itself again");
	expect_nothing_passed();
}

Test(dp_pass, a_challenge_is_of_no_use_when_it_is_old)
{
	uint8_t echo[DP_ECHO_LEN];

	ask(COAP_NON);
	const uint8_t *value = expect_unprotected(COAP_UNAUTHORIZED);

	cr_assert_not_null(value);
	memcpy(echo, value, sizeof(echo));
	bed_later(&bed, DP_ECHO_AGE_MS + 1000);
	ask_from(&bed.flow, COAP_NON, echo, "x");
	cr_expect_not_null(expect_unprotected(COAP_UNAUTHORIZED));
	expect_nothing_passed();
}

Test(dp_pass, a_message_goes_as_it_came)
{
	struct coap_msg msg;
	dp_handle handle;

	show(&bed.flow);
	ask(COAP_CON);
	struct dp_shared *shared = taken(&handle);

	cr_assert_eq(coap_msg_parse(&msg, request.coap, request.len), COAP_OK);
	cr_expect(shared->request.pass);
	cr_expect_eq(shared->request.route, 0);
	cr_expect_eq(shared->request.route_slot, SLOT);
	cr_expect_eq(shared->request.code, COAP_POST);
	cr_expect_eq(shared->request.fingerprint, 0, "nothing names its context");
	cr_expect_eq(shared->request.piv, 0);
	const size_t head = 4u + request.token_len;

	cr_assert_eq(shared->request.body_len, request.len - head);
	cr_expect_arr_eq(dp_shared_body(shared), request.coap + head, shared->request.body_len);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 0, "nothing was opened");
	bed_upstream_answer(&bed, handle, protected, sizeof(protected));
	bed_turn(&bed);
	expect_protected(COAP_ACK, protected, sizeof(protected));
	cr_expect_eq(bed_count(&bed, DP_STAT_answers), 0, "nothing was sealed");
	cr_expect_eq(bed_count(&bed, DP_STAT_pass_answers), 2);
}

Test(dp_pass, copies_are_passed_through_once)
{
	struct bed_request first;
	struct dp_flow other = bed.flow;
	dp_handle handle;

	show(&bed.flow);
	ask(COAP_CON);
	first = request;
	(void)taken(&handle);
	// At the service: an empty ACK, once.
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_eq(answer.msg.code, COAP_EMPTY);
	bed_upstream_answer(&bed, handle, protected, sizeof(protected));
	bed_turn(&bed);
	expect_protected(COAP_CON, protected, sizeof(protected));
	bed_send_empty(&bed, &bed.flow, COAP_ACK, answer.msg.mid);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 1);
	bed_later(&bed, 1000);
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer), "the same empty ACK again");
	cr_expect_eq(answer.msg.code, COAP_EMPTY);
	// Answered in its ACK: the same bytes.
	ask(COAP_CON);
	first = request;
	serve(protected, sizeof(protected));
	expect_protected(COAP_ACK, protected, sizeof(protected));
	bed_later(&bed, 1000);
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	expect_protected(COAP_ACK, protected, sizeof(protected));
	// NON: silence.
	ask(COAP_NON);
	first = request;
	serve(protected, sizeof(protected));
	expect_protected(COAP_NON, protected, sizeof(protected));
	bed_send_request(&bed, &first);
	bed_turn(&bed);
	expect_silence();
	expect_nothing_passed();

	// From another endpoint it is another message.
	other.remote_port = rte_cpu_to_be_16(4711);
	show(&other);
	bed_send(&bed, &other, first.coap, first.len);
	bed_turn(&bed);
	serve(protected, sizeof(protected));
}

Test(dp_pass, a_large_answer_is_withheld_from_who_has_not_shown_its_address)
{
	uint8_t large[400] = {COAP_CHANGED, 0x90, COAP_PAYLOAD_MARK};
	uint8_t echo[DP_ECHO_LEN];

	bed_device_make(&device, KID_LARGE, AEAD_AES_CCM_16_64_128);
	ask(COAP_CON);
	serve(protected, sizeof(protected));
	expect_protected(COAP_ACK, protected, sizeof(protected));
	ask(COAP_CON);
	serve(large, sizeof(large));
	const uint8_t *value = expect_unprotected(COAP_UNAUTHORIZED);

	cr_assert_not_null(value);
	memcpy(echo, value, sizeof(echo));
	cr_expect_eq(bed_count(&bed, DP_STAT_pass_withheld), 1);
	ask_from(&bed.flow, COAP_CON, echo, "x");
	serve(large, sizeof(large));
	expect_protected(COAP_ACK, large, sizeof(large));
}

Test(dp_pass, no_answer_to_who_has_not_shown_its_address_is_more_than_three_times_its_message)
{
	uint8_t bytes[200] = {COAP_CHANGED, 0x90, COAP_PAYLOAD_MARK};

	bed_device_make(&device, KID_LARGE, AEAD_AES_CCM_16_64_128);
	for (size_t len = 20; len < sizeof(bytes); len++) {
		ask(len % 2 ? COAP_CON : COAP_NON);
		serve(bytes, len);
		cr_assert(bed_receive(&bed, &answer));
		cr_assert_leq(answer.len, 3 * request.len);
		cr_assert_eq(answer.protected, 4u + request.token_len + len - 1 <= 3u * request.len,
			"%zu bytes to %u", len, request.len);
		bed_later(&bed, 100);
	}
}

// A confirmable answer would be sent four times more.
Test(dp_pass, who_has_not_shown_its_address_gets_a_separate_answer_once)
{
	dp_handle handle;

	bed_device_make(&device, KID_LARGE, AEAD_AES_CCM_16_64_128);
	ask(COAP_CON);
	(void)taken(&handle);
	bed_later(&bed, 600);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_EMPTY);
	bed_upstream_answer(&bed, handle, protected, sizeof(protected));
	bed_turn(&bed);
	expect_protected(COAP_NON, protected, sizeof(protected));
	bed_later(&bed, 10000);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_exchanges(&bed, 0)->free_count, EXCHANGES);
}

Test(dp_pass, a_separate_answer_is_sent_until_it_is_acknowledged)
{
	dp_handle handle;

	show(&bed.flow);
	ask(COAP_CON);
	(void)taken(&handle);
	bed_later(&bed, 600);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_EMPTY);
	bed_upstream_answer(&bed, handle, protected, sizeof(protected));
	bed_turn(&bed);
	expect_protected(COAP_CON, protected, sizeof(protected));
	bed_later(&bed, 4000);
	bed_turn(&bed);
	expect_protected(COAP_CON, protected, sizeof(protected));
	cr_expect_eq(bed_count(&bed, DP_STAT_tx_retransmits), 1);
	bed_send_empty(&bed, &bed.flow, COAP_ACK, answer.msg.mid);
	bed_turn(&bed);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_acks), 1);
	cr_expect_eq(bed_exchanges(&bed, 0)->free_count, EXCHANGES);
}

Test(dp_pass, a_deadline_is_5_04_and_what_comes_later_is_dropped)
{
	dp_handle handle;

	show(&bed.flow);
	for (unsigned i = 0; i < 2; i++) {
		ask(i ? COAP_CON : COAP_NON);
		(void)taken(&handle);
		if (i) {
			bed_later(&bed, 600);
			bed_turn(&bed);
			cr_assert(bed_receive(&bed, &answer));
			cr_expect_eq(answer.msg.code, COAP_EMPTY);
		}
		bed_later(&bed, BED_TIMEOUT_MS + 100);
		bed_turn(&bed);
		cr_expect_null(expect_unprotected(COAP_GATEWAY_TIMEOUT));
		cr_expect_eq(answer.msg.type, COAP_NON);
		bed_upstream_answer(&bed, handle, protected, sizeof(protected));
		bed_turn(&bed);
		expect_silence();
		cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), i + 1);
	}
	cr_expect_eq(bed_exchanges(&bed, 0)->free_count, EXCHANGES);
}

Test(dp_pass, what_no_loop_may_say_is_5_02)
{
	dp_handle handle;

	show(&bed.flow);
	ask(COAP_CON);
	struct dp_shared *shared = taken(&handle);
	const uint16_t most = shared->request.response_max;

	shared->response.len = most + 1;
	dp_loop_respond(&dp_loop(bed.dp, 0)->port[0], handle);
	bed_turn(&bed);
	cr_expect_null(expect_unprotected(COAP_BAD_GATEWAY));
	// The largest that may be fits.
	ask(COAP_CON);
	shared = taken(&handle);
	dp_shared_response(shared)[0] = COAP_CHANGED;
	dp_shared_response(shared)[1] = 0x90;
	dp_shared_response(shared)[2] = COAP_PAYLOAD_MARK;
	shared->response.len = most;
	dp_loop_respond(&dp_loop(bed.dp, 0)->port[0], handle);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect(answer.protected);
	cr_expect_leq(answer.len, DP_MESSAGE_DEFAULT);
}

Test(dp_pass, what_a_proxy_must_understand_is_dropped)
{
	static const struct outer_option bad[] = {
		{COAP_OPT_PROXY_URI, 8, "coap://a"},
		{COAP_OPT_PROXY_SCHEME, 4, "coap"},
		{2051, 1, "x"}, // critical
		{2050, 1, "x"}, // unsafe to forward
		{COAP_OPT_HOP_LIMIT, 1, "\1"},
		{COAP_OPT_HOP_LIMIT, 1, "\0"},
		{COAP_OPT_HOP_LIMIT, 0, ""},
		{COAP_OPT_HOP_LIMIT, 2, "\2\2"},
	};
	static const struct outer_option good[] = {
		{COAP_OPT_URI_HOST, 1, "a"},
		{COAP_OPT_OBSERVE, 0, ""},
		{COAP_OPT_URI_PATH, 1, "p"},
		{COAP_OPT_HOP_LIMIT, 1, "\2"},
		{2048, 1, "x"},
	};

	show(&bed.flow);
	for (unsigned i = 0; i < RTE_DIM(bad); i++) {
		bed_seal_path(&device, &request, COAP_CON, mid++, piv++, COAP_GET, "up", "");
		outer_send_options(&bad[i], 1);
		expect_silence();
		expect_nothing_passed();
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_pass_option), RTE_DIM(bad));
	bed_seal_path(&device, &request, COAP_CON, mid++, piv++, COAP_GET, "up", "");
	outer_send_options(good, RTE_DIM(good));
	serve(protected, sizeof(protected));
}

// RFC 8768 section 3: here is the last proxy, for HTTP has no such option.
Test(dp_pass, a_hop_limit_ends_here)
{
	static const struct {
		struct outer_option option;
		uint8_t code;
		const char *says;
	} cases[] = {
		{{COAP_OPT_HOP_LIMIT, 1, "\1"}, COAP_HOP_LIMIT_REACHED, "postern"},
		{{COAP_OPT_HOP_LIMIT, 1, "\0"}, COAP_BAD_REQUEST, "Bad Hop-Limit"},
		{{COAP_OPT_HOP_LIMIT, 0, ""}, COAP_BAD_REQUEST, "Bad Hop-Limit"},
		{{COAP_OPT_HOP_LIMIT, 2, "\2\2"}, COAP_BAD_REQUEST, "Bad Hop-Limit"},
	};

	show(&bed.flow);
	bed.policy.verbose_errors = true;
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		bed_seal_path(&device, &request, COAP_CON, mid++, piv++, COAP_GET, "up", "");
		outer_send_options(&cases[i].option, 1);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.msg.code, cases[i].code);
		cr_assert_eq(answer.msg.body.payload_len, strlen(cases[i].says));
		cr_expect_arr_eq(answer.msg.body.payload, cases[i].says, strlen(cases[i].says));
		expect_nothing_passed();
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_pass_option), RTE_DIM(cases));
}

Test(dp_pass, devices_and_other_kids_are_not_passed_through)
{
	struct bed_device other;

	bed_device_make(&other, KID + 2, AEAD_AES_CCM_16_64_128);
	bed_seal_path(&other, &request, COAP_CON, 1, 1, COAP_GET, "up", "");
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	// Where a device has the name, it is the device's.
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 2, 2, COAP_GET, "get", "");
	expect_answer(COAP_CHANGED);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_passed), 0);
}

Test(dp_pass, a_drain_refuses_them)
{
	show(&bed.flow);
	dp_drain(bed.dp, 7);
	ask(COAP_CON);
	cr_expect_null(expect_unprotected(COAP_SERVICE_UNAVAILABLE));
	expect_nothing_passed();
}
