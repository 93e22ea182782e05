// SPDX-License-Identifier: BSD-3-Clause
// What a thread of handshakes does as Responder of EDHOC.

#include "tests/unit/gw/handshake/side_bed.h"

#include <criterion/criterion.h>
#include <sched.h>
#include <sodium.h>
#include <stdlib.h>

TestSuite(edhoc_side, .init = side_begin, .fini = side_end);

Test(edhoc_side, a_device_that_proves_its_key_gets_a_session)
{
	run_to_3();
	expect_nothing_for_main();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	cr_expect_not(b->session->combined);
	cr_expect_not(answered(), "its context is not published yet");
	settle(b, true);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_CHANGED);
	cr_expect_null(said.body.payload);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_agreed), 1);
}

Test(edhoc_side, a_combined_request_is_given_to_main_without_message_3)
{
	struct coap_msg msg;

	run_to_3();
	send_combined(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	cr_expect(b->session->combined);
	cr_assert_eq(coap_msg_parse(&msg, b->coap, b->len), COAP_OK);
	cr_expect_eq(msg.mid, mid);
	cr_expect_not(msg.body.has_edhoc);
	cr_expect_eq(msg.body.oscore_count, 1);
	cr_assert_eq(msg.body.payload_len, 12);
	cr_expect_eq(msg.body.payload[0], 0xcc);
	settle(b, true);
	cr_expect_not(answered(), "the request is");

	// A copy, and another request with the same message_3.
	again(DP_SLOW_COMBINED);
	b = born(HANDSHAKE_AGAIN);
	cr_expect_null(b->session);
	cr_assert_eq(coap_msg_parse(&msg, b->coap, b->len), COAP_OK);
	cr_expect_eq(msg.body.payload_len, 12);
	handshake_born_free(b);
	send_combined(&run.message[3]);
	handshake_born_free(born(HANDSHAKE_AGAIN));
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_agreed), 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_again), 2);
}

Test(edhoc_side, a_copy_of_message_1_gets_the_same_bytes)
{
	uint8_t first[ROOM];

	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	cr_assert(answered());
	const size_t len = answer.len;

	memcpy(first, answer.bytes, len);
	now_ms += 90000;
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_assert_eq(answer.len, len);
	cr_expect_arr_eq(answer.bytes, first, len);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_copies), 1);
	// Of another address it is another handshake.
	flow.remote_port++;
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 2);
	cr_expect(answer.len != len || memcmp(answer.bytes, first, len));
}

// While a handshake waits for its device, the thread looks by itself whether it is too old: else
// its keys would stay until the next message.
Test(edhoc_side, the_thread_wakes_while_something_waits, .timeout = 30)
{
	struct dp_slow_head head = {.flow = flow, .kind = DP_SLOW_EDHOC};

	handshake_stop(h);
	handshake_free(h);
	h = handshake_start(&conf);
	cr_assert_not_null(h);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, NULL, 0);
	head.len = (uint16_t)request.len;
	cr_assert(dp_slow_put(rings.slow.lane->requests, &head, request.bytes));
	dp_doorbell_ring(&rings.slow.bell);
	while (!dp_slow_peek(rings.slow.lane->answers))
		sched_yield();
	const uint64_t before = handshake_progress(h);

	while (handshake_progress(h) < before + 6)
		sched_yield();
}

Test(edhoc_side, copies_of_one_burst_are_one_handshake)
{
	const struct dp_slow_head head = {.flow = flow, .kind = DP_SLOW_EDHOC};
	struct dp_slow_head one = head;

	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, NULL, 0);
	one.len = (uint16_t)request.len;
	for (unsigned i = 0; i < 3; i++)
		cr_assert(dp_slow_put(rings.slow.lane->requests, &one, request.bytes));
	cr_assert_eq(handshake_turn(h, now_ms), 3);
	take_2();
	cr_expect_not(answered());
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	send_3(&run.message[3]);
	for (unsigned i = 0; i < 2; i++) {
		one.len = (uint16_t)request.len;
		cr_assert(dp_slow_put(rings.slow.lane->requests, &one, request.bytes));
	}
	handshake_turn(h, now_ms);
	handshake_born_free(born(HANDSHAKE_AGREED));
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_agreed), 1);
}

Test(edhoc_side, a_message_3_that_does_not_verify_ends_nothing)
{
	struct bed_bytes forged;

	run_to_3();
	for (size_t i = 1; i < run.message[3].len; i++) {
		forged = run.message[3];
		forged.data[i] ^= 1;
		send_3(&forged);
		expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
		send_combined(&forged);
		expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	}
	cr_expect_eq(found, 0, "nothing behind the tag is looked at");
	expect_nothing_for_main();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	handshake_born_free(b);
}

Test(edhoc_side, an_error_message_gets_no_error_message_and_ends_nothing)
{
	// ERR_CODE 1 with a text, 2 with SUITES_R, and one that breaks off.
	static const struct bed_bytes errors[] = {
		{.data = {0x01, 0x61, 'x'}, .len = 3},
		{.data = {0x02, 0x02}, .len = 2},
		{.data = {0x01}, .len = 1},
	};

	run_to_3();
	for (unsigned stray = 0; stray < 2; stray++) {
		run.initiator_done.c_r.bytes[0] ^= (uint8_t)stray; // that nobody has
		for (unsigned i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			send_3(&errors[i]);
			cr_assert(answered());
			cr_expect_eq(said.code, COAP_CHANGED);
			cr_expect_null(said.body.payload);
		}
	}
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_malformed), 6);
	run.initiator_done.c_r.bytes[0] ^= 1;
	send_3(&run.message[3]);
	handshake_born_free(born(HANDSHAKE_AGREED));
}

Test(edhoc_side, two_edhoc_options_are_one_too_many)
{
	run_to_3();
	send_combined_as(&run.message[3], 2);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_BAD_OPTION);
	cr_expect_null(said.body.payload);
	expect_nothing_for_main();
	send_combined(&run.message[3]);
	handshake_born_free(born(HANDSHAKE_AGREED));
}

Test(edhoc_side, who_has_the_session_and_not_the_key_gets_none)
{
	static const uint8_t secret[ECC_LEN] = {9};
	struct bed_end thief;

	// It knows the kid of the device, and has a key of its own.
	bed_end_make(&thief, &engine, bed_curve(METHOD, SUITE, EDHOC_INITIATOR), BED_CCS_KID,
		secret, 0x11);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	take_2();
	cr_assert_eq(bed_message_3(&run, &engine, &thief, &responder), EDHOC_OK);
	send_combined(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	expect_nothing_for_main();
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_forged), 1);
	bed_end_free(&thief);
}

Test(edhoc_side, a_session_is_made_once_of_a_message_3)
{
	run_to_3();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	again(DP_SLOW_EDHOC);
	cr_expect_not(answered(), "main has it");
	expect_nothing_for_main();
	settle(b, true);
	cr_assert(answered());
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_CHANGED);
	now_ms += 200000;
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	expect_nothing_for_main();
	// Another one for the same session.
	run.message[3].data[5] ^= 1;
	send_3(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	send_combined(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	expect_nothing_for_main();
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_agreed), 1);
}

Test(edhoc_side, a_session_that_main_refuses_is_5_03_and_its_c_r_comes_back)
{
	run_to_3();
	const uint32_t left = connections_count(connections);

	send_3(&run.message[3]);
	settle(born(HANDSHAKE_AGREED), false);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE);
	cr_expect_eq(connections_count(connections), left + 1);
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE);
	expect_nothing_for_main();
}

Test(edhoc_side, a_handshake_ends_after_its_time_and_gives_its_c_r_back)
{
	const uint32_t left = connections_count(connections);

	run_to_3();
	cr_expect_eq(connections_count(connections), left - 1);
	now_ms += 99999;
	handshake_turn(h, now_ms);
	cr_expect_eq(connections_count(connections), left - 1);
	now_ms++;
	handshake_turn(h, now_ms);
	cr_expect_eq(connections_count(connections), left);
	send_3(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	expect_nothing_for_main();
}

Test(edhoc_side, c_r_is_not_c_i_and_none_is_given_twice)
{
	// The first one that is ready is the C_I of the device.
	struct edhoc_connection c_r, c_i = {1, {1}};
	bool low;

	for (unsigned i = 0; i < 40; i++)
		cr_assert(connections_take(connections, &c_i, &c_r, &low));
	connections_put(connections, &c_i);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE, "there is no other one");
	connections_put(connections, &c_r);
	again(DP_SLOW_EDHOC);
	take_2();
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	cr_expect(edhoc_connection_equal(&run.initiator_done.c_r, &c_r));
	// It is in use now.
	flow.remote_port++;
	again(DP_SLOW_EDHOC);
	cr_assert(!answered() || said.code == COAP_SERVICE_UNAVAILABLE);
}

Test(edhoc_side, refusals_are_told)
{
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, 0), EDHOC_OK);
	send_1();
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_SUITE);
	cr_assert_eq(bed_message_1(&run, &engine, 0, SUITE), EDHOC_OK);
	send_1();
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_refused), 2);
	cr_expect_eq(connections_count(connections), 40);
}

Test(edhoc_side, an_address_must_be_shown_if_that_is_wanted)
{
	struct coap_option echo;
	uint8_t value[16];

	handshake_free(h);
	side.echo = EDHOC_ECHO_ALWAYS;
	h = handshake_make(&conf);
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	send_1();
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_UNAUTHORIZED);
	cr_expect_leq(answer.len, 3 * request.len);
	cr_assert(coap_option_find(&said.body, COAP_OPT_ECHO, &echo));
	const size_t len = echo.len;

	cr_assert_leq(len, sizeof(value));
	memcpy(value, echo.value, len);
	cr_expect_eq(connections_count(connections), 40, "nothing was begun");
	// Of another address it shows nothing, and neither does a changed one.
	for (unsigned i = 0; i < 2; i++) {
		flow.remote_port ^= i == 0;
		value[5] ^= i;
		request_make((const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len,
			value, len);
		again(DP_SLOW_EDHOC);
		cr_assert(answered());
		cr_expect_eq(said.code, COAP_UNAUTHORIZED);
		flow.remote_port ^= i == 0;
		value[5] ^= i;
	}
	request_make(
		(const uint8_t *)"\xf5", 1, run.message[1].data, run.message[1].len, value, len);
	again(DP_SLOW_EDHOC);
	take_2();
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_echo), 3);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 1);
}

// Whether the last answer has a message_4 of this handshake, and nothing in it.
static bool has_message_4(void)
{
	uint8_t room[ROOM];
	struct edhoc_bytes ead;

	return said.code == COAP_CHANGED &&
		edhoc_message_4_open(&engine, &run.initiator_done, said.body.payload,
			said.body.payload_len, room, &ead) == EDHOC_OK &&
		!ead.len;
}

Test(edhoc_side, message_4_answers_a_message_3_that_comes_by_itself)
{
	uint8_t first[ROOM];

	side.message_4 = true;
	handshake_free(h);
	h = handshake_make(&conf);
	run_to_3();
	send_combined(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_combined), 1);
	expect_nothing_for_main();
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	cr_expect_not(answered(), "its context is not published yet");
	settle(b, true);
	cr_assert(answered());
	cr_expect(has_message_4());
	const size_t len = answer.len;

	memcpy(first, answer.bytes, len);
	again(DP_SLOW_EDHOC);
	cr_assert(answered());
	cr_assert_eq(answer.len, len);
	cr_expect_arr_eq(answer.bytes, first, len);
	send_combined(&run.message[3]);
	expect_error(COAP_BAD_REQUEST, EDHOC_ERROR_UNSPECIFIED);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_combined), 2);
	expect_nothing_for_main();
}

Test(edhoc_side, without_a_context_there_is_no_message_4)
{
	side.message_4 = true;
	handshake_free(h);
	h = handshake_make(&conf);
	run_to_3();
	send_3(&run.message[3]);
	settle(born(HANDSHAKE_AGREED), false);
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(answered());
		cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE);
		cr_expect_null(said.body.payload);
		again(DP_SLOW_EDHOC);
	}
}

Test(edhoc_side, a_c_r_that_a_device_has_as_kid_does_not_come_back)
{
	run_to_3();
	const uint32_t left = connections_count(connections);

	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	b->session->c_r_lost = true;
	settle(b, false);
	cr_assert(answered());
	cr_expect_eq(said.code, COAP_SERVICE_UNAVAILABLE);
	cr_expect_eq(connections_count(connections), left);
}
