// SPDX-License-Identifier: BSD-3-Clause
// The worker from frame to frame, on a ring port.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <time.h>

static struct bed bed;
static struct bed_device device; // of RFC 8613 appendix C.1
static struct bed_request request;
static struct bed_answer answer;

static void init(void)
{
	bed_make(&bed);
	bed_stop_clock(&bed);
	bed_device_make(&device, 0, AEAD_AES_CCM_16_64_128);
}

static void fini(void)
{
	bed_free(&bed);
}

TestSuite(dp_worker, .init = init, .fini = fini);

// Takes the one answer there must be, and opens it.
static void expect_answer(uint8_t code)
{
	cr_assert(bed_receive(&bed, &answer), "no answer");
	cr_assert(bed_open(&device, &request, &answer), "the answer does not verify");
	cr_expect_eq(answer.plaintext[0], code, "code %u.%02u", answer.plaintext[0] >> 5,
		answer.plaintext[0] & 31);
	cr_expect_eq(answer.msg.code, COAP_CHANGED, "the outer code tells nothing");
	cr_expect_eq(answer.msg.token_len, request.token_len);
	cr_expect_arr_eq(answer.msg.token, request.token, request.token_len);
}

static void no_event(void *arg, const struct dp_event *event)
{
}

static void expect_silence(void)
{
	cr_expect_not(bed_receive(&bed, &answer), "an answer where silence was due");
}

static void exchange(enum coap_type type, uint16_t mid, uint64_t piv, uint8_t code,
	const char *path, const char *payload)
{
	bed_seal_path(&device, &request, type, mid, piv, code, path, payload);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
}

Test(dp_worker, rfc8613_c4_in_and_c7_out)
{
	static const uint8_t plaintext[] = "\x45\xffHello World!";
	size_t c4_len, c7_len;
	uint8_t *c4 = hex_decode(
		"44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e", &c4_len);
	uint8_t *c7 = hex_decode(
		"64445d1f0000397490ffdbaad1e9a7e7b2a813d3c31524378303cdafae119106", &c7_len);
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	bed_send(&bed, &bed.flow, c4, c4_len);
	bed_turn(&bed);
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared);
	cr_expect_eq(shared->request.code, COAP_GET);
	cr_expect_eq(shared->request.piv, 20);
	cr_expect_eq(shared->request.fingerprint, 0x1122334455667788);
	expect_silence();
	bed_upstream_answer(&bed, handle, plaintext, sizeof(plaintext) - 1);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, c7_len);
	cr_expect_arr_eq(answer.coap, c7, c7_len);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	free(c4);
	free(c7);
}

Test(dp_worker, builtins_answer_by_method)
{
	uint16_t mid = 1;

	bed_device_add(&bed, &device, true);
	for (uint8_t code = COAP_GET; code <= COAP_IPATCH; code++, mid++) {
		bool reads = code == COAP_GET || code == COAP_FETCH;

		exchange(COAP_CON, 2 * mid, 2 * mid, code, "discard", "x");
		expect_answer(COAP_CHANGED);
		cr_expect_eq(answer.plaintext_len, 1);
		cr_expect_eq(answer.msg.type, COAP_ACK);
		cr_expect_eq(answer.msg.mid, 2 * mid);
		exchange(COAP_NON, 2 * mid + 1, 2 * mid + 1, code, "echo", "21.5");
		expect_answer(reads ? COAP_CONTENT : COAP_CHANGED);
		cr_expect_eq(answer.msg.type, COAP_NON, "NON to NON (RFC 7252 section 5.2.3)");
		cr_expect_eq(answer.plaintext_len, 6);
		cr_expect_arr_eq(answer.plaintext + 1,
			"\xff"
			"21.5",
			5);
	}
}

Test(dp_worker, every_algorithm_serves)
{
	for (unsigned alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		bed_device_make(&device, 0x40 + alg, alg);
		bed_device_add(&bed, &device, true);
		exchange(COAP_CON, alg + 1, 5, COAP_POST, "echo", "payload");
		expect_answer(COAP_CHANGED);
	}
}

Test(dp_worker, errors_after_decryption_are_protected)
{
	static const struct {
		const char *path;
		uint8_t method, code;
	} cases[] = {
		{"nowhere", COAP_GET, COAP_NOT_FOUND},
		{"get", COAP_POST, COAP_METHOD_NOT_ALLOWED},
		{"get", COAP_CODE(0, 8), COAP_METHOD_NOT_ALLOWED},
		{"up/..", COAP_GET, COAP_BAD_REQUEST},
		{"..;x", COAP_GET, COAP_BAD_REQUEST},
		{"a\\b", COAP_GET, COAP_BAD_REQUEST},
		{"get", COAP_CONTENT, COAP_BAD_REQUEST},
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		exchange(COAP_CON, i + 1, i, cases[i].method, cases[i].path, NULL);
		expect_answer(cases[i].code);
		cr_expect_not(answer.has_piv, "the one answer under the request's nonce");
	}
}

Test(dp_worker, retransmitted_con_gets_the_same_bytes)
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

Test(dp_worker, duplicate_non_gets_silence)
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
Test(dp_worker, replay_of_a_non_is_told_if_wanted)
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
Test(dp_worker, a_non_left_behind_in_its_burst_is_too_old)
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
Test(dp_worker, same_piv_otherwise_is_a_replay)
{
	struct dp_flow elsewhere = bed.flow;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 7, 0, COAP_POST, "echo", "once");
	expect_answer(COAP_CHANGED);
	bed_later(&bed, DP_ANSWER_RESEND_MS);
	elsewhere.remote_addr[3] = 9;
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

Test(dp_worker, two_copies_in_one_burst_are_one_request)
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

Test(dp_worker, window_moves_only_after_the_tag)
{
	bed_device_add(&bed, &device, true);
	const struct dp_context *ctx = &dp_contexts(bed.dp)->context[device.context];

	// A forged packet far ahead must not shut the device out.
	bed_seal_path(&device, &request, COAP_CON, 1, 1000000, COAP_POST, "echo", "forged");
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 1);
	cr_expect_eq(ctx->window.next, 0);
	cr_expect_eq(ctx->owner, DP_OWNER_NONE, "nothing unverified claims a context");
	exchange(COAP_CON, 2, 5, COAP_POST, "echo", "good");
	expect_answer(COAP_CHANGED);
	cr_expect_eq(ctx->window.next, 6);
}

Test(dp_worker, unknown_window_is_opened_by_echo_only)
{
	uint8_t plaintext[64];
	struct bed_request old;
	struct coap_writer writer;
	struct coap_body body;
	struct coap_option echo;
	struct dp_event event;

	bed_device_add(&bed, &device, false);
	exchange(COAP_CON, 1, 100, COAP_POST, "echo", "early");
	old = request;
	// No run is granted yet: no own Partial IV may leave, and main hears of it.
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_run), 1);
	cr_assert(bed_event_take(&bed, 0, &event));
	cr_expect_eq(event.type, DP_EVENT_RUN_WANTED);
	dp_run_grant(bed.dp, 3);

	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect(answer.has_piv, "a challenge has an own Partial IV (RFC 8613 B.1.2)");
	cr_expect_eq(answer.piv, UINT64_C(3) << DP_COUNTER_BITS);
	cr_assert_eq(
		coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), COAP_OK);
	cr_expect_eq(body.option_count, 1);
	cr_expect_null(body.payload);
	cr_assert(coap_option_find(&body, COAP_OPT_ECHO, &echo));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);

	// Again and again: two a second, each under another Partial IV.
	for (unsigned i = 0; i < 5; i++)
		bed_send_request(&bed, &request);
	bed_turn(&bed);
	uint64_t last = answer.piv;
	uint8_t value[DP_ECHO_LEN];

	memcpy(value, echo.value, echo.len);
	for (unsigned i = 0; i < 2; i++) {
		expect_answer(COAP_UNAUTHORIZED);
		cr_expect_gt(answer.piv, last);
		last = answer.piv;
	}
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_challenge_limit), 3);

	// The answer to the challenge.
	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, COAP_POST);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "echo", 4);
	coap_write_option(&writer, COAP_OPT_ECHO, value, sizeof(value));
	bed_seal(&device, &request, COAP_CON, 2, 101, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);

	// Everything from before is old now.
	bed_send_request(&bed, &old);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 1);
}

Test(dp_worker, a_foreign_echo_opens_nothing)
{
	uint8_t plaintext[64];
	uint8_t value[DP_ECHO_LEN];
	struct coap_writer writer;

	bed_device_add(&bed, &device, false);
	dp_run_grant(bed.dp, 0);
	// The same context in another phase, another generation, another context; then too old.
	for (unsigned i = 0; i < 4; i++) {
		uint64_t then = bed_now_ms(&bed) - (i == 3 ? DP_ECHO_AGE_MS + 1000 : 0);

		bed_echo_make(&bed, device.context + (i == 2), device.generation + (i == 1),
			1 + (i == 0), then, value);
		coap_writer_init(&writer, plaintext, sizeof(plaintext));
		coap_write_code(&writer, COAP_POST);
		coap_write_option(&writer, COAP_OPT_URI_PATH, "echo", 4);
		coap_write_option(&writer, COAP_OPT_ECHO, value, sizeof(value));
		bed_seal(&device, &request, COAP_CON, i, 200 + i, plaintext,
			coap_writer_len(&writer));
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(COAP_UNAUTHORIZED);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
}

Test(dp_worker, timeout_is_answered_once_and_the_late_answer_dropped)
{
	static const uint8_t late[] = {COAP_CONTENT};
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_GET, "up/slow", NULL);
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared);
	bed_later(&bed, BED_TIMEOUT_MS + 2 * DP_TICK_MS);
	bed_turn(&bed);
	expect_answer(COAP_GATEWAY_TIMEOUT);
	cr_expect(shared->abandoned);
	bed_upstream_answer(&bed, handle, late, sizeof(late));
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), 1);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
}

Test(dp_worker, no_exchange_free_is_a_protected_503)
{
	dp_handle handle[BED_EXCHANGES];
	static const uint8_t done[] = {COAP_CHANGED};

	bed_device_add(&bed, &device, true);
	// In one burst, faster than the overload ladder.
	for (unsigned i = 0; i < BED_EXCHANGES; i++) {
		bed_seal_path(&device, &request, COAP_NON, i, i, COAP_POST, "up/x", "y");
		bed_send_request(&bed, &request);
	}
	exchange(COAP_CON, 99, 99, COAP_POST, "up/x", "y");
	expect_answer(COAP_SERVICE_UNAVAILABLE);
	for (unsigned i = 0; i < BED_EXCHANGES; i++) {
		cr_assert_not_null(bed_upstream_take(&bed, &handle[i]));
		bed_upstream_answer(&bed, handle[i], done, sizeof(done));
	}
	bed_turn(&bed);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	exchange(COAP_CON, 100, 100, COAP_POST, "up/x", "y");
	cr_assert_not_null(bed_upstream_take(&bed, &handle[0]));
	bed_upstream_answer(&bed, handle[0], done, sizeof(done));
	bed_turn(&bed);
}

Test(dp_worker, device_removed_in_flight_and_added_again)
{
	static const uint8_t secret_answer[] = {COAP_CONTENT, 0xff, 's'};
	struct dp_context_key key;
	uint32_t old_context;
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	old_context = device.context;
	bed_device_key(&device, &key);
	exchange(COAP_CON, 1, 1, COAP_GET, "up/x", NULL);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	bed_turn(&bed);
	dp_poll(bed.dp, no_event, NULL);
	cr_expect_eq(dp_devices_retiring(bed.dp), 0);
	cr_expect_eq(dp_contexts(bed.dp)->context[old_context].recipient_key[0], 0, "wiped");
	exchange(COAP_CON, 2, 2, COAP_GET, "echo", NULL);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
	bed_device_add(&bed, &device, true);
	bed_upstream_answer(&bed, handle, secret_answer, sizeof(secret_answer));
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_late), 1);
	cr_expect_eq(dp_worker_exchanges_free(bed.dp, 0), BED_EXCHANGES);
	exchange(COAP_CON, 3, 3, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
}

Test(dp_worker, own_piv_always_never_uses_the_requests_nonce)
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
Test(dp_worker, what_cannot_be_answered_yet_is_not_accepted)
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

Test(dp_worker, own_pivs_end_before_they_repeat)
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

Test(dp_worker, no_response_is_honoured_and_con_still_acked)
{
	static const uint8_t plaintext[] = {COAP_POST, 0xb4, 'e', 'c', 'h', 'o', 0xd1, 0xea, 2};

	bed_device_add(&bed, &device, true);
	bed_seal(&device, &request, COAP_CON, 5, 1, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	cr_expect_eq(answer.msg.type, COAP_ACK);
	cr_expect_eq(answer.msg.mid, 5);
	bed_seal(&device, &request, COAP_NON, 6, 2, plaintext, sizeof(plaintext));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
}

// Also when the answer is an error and stands in front of the option (RFC 7967 section 2).
Test(dp_worker, no_response_holds_for_refusals)
{
	size_t len;
	uint8_t *plaintext =
		hex_decode("02 b4 6563686f d1 03 06 d1 da 08", &len); // Block1 in front

	bed_device_add(&bed, &device, true);
	bed_seal(&device, &request, COAP_CON, 5, 1, plaintext, len);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.len, COAP_EMPTY_LEN);
	free(plaintext);
}

// RFC 8768 section 3, inside as well as outside: an unknown option would be class E.
Test(dp_worker, hop_limit_ends_inside_too)
{
	static const struct {
		const char *plaintext;
		uint8_t code;
	} cases[] = {
		{"02 b4 6563686f 51 00", COAP_BAD_REQUEST},
		{"02 b4 6563686f 50", COAP_BAD_REQUEST},
		{"02 b4 6563686f 52 0010", COAP_BAD_REQUEST},
		{"02 b4 6563686f 51 01", COAP_HOP_LIMIT_REACHED},
		{"02 b4 6563686f 51 10", COAP_CHANGED},
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		size_t len;
		uint8_t *plaintext = hex_decode(cases[i].plaintext, &len);

		bed_seal(&device, &request, COAP_CON, i, i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(cases[i].code);
		free(plaintext);
	}
}

// A NON is never acknowledged (RFC 7252 section 4.3), whoever changed the type on the way.
Test(dp_worker, a_copy_as_non_gets_no_ack)
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
Test(dp_worker, copies_in_one_burst_from_elsewhere_are_replays)
{
	struct dp_flow elsewhere = bed.flow;

	bed_device_add(&bed, &device, true);
	bed_seal_path(&device, &request, COAP_CON, 9, 3, COAP_POST, "echo", "reading");
	bed_send_request(&bed, &request);
	elsewhere.remote_addr[3] = 9;
	bed_send(&bed, &elsewhere, request.coap, request.len);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_replay), 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_duplicate_silent), 1);
}

// What was answered before a window was lost may be asked for again after it.
Test(dp_worker, a_copy_is_known_after_a_resync)
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

// A tag over nothing verifies, but there is no code in it.
Test(dp_worker, a_plaintext_without_a_code_is_not_opened)
{
	bed_device_add(&bed, &device, true);
	bed_seal(&device, &request, COAP_CON, 1, 1, (const uint8_t *)"", 0);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_ciphertext), 1);
	cr_expect_eq(dp_contexts(bed.dp)->context[device.context].window.next, 0);
}

Test(dp_worker, a_context_is_unknown_until_it_is_published)
{
	struct dp_context_key key;
	uint32_t index, generation;

	bed_device_key(&device, &key);
	cr_assert_eq(dp_context_place(dp_contexts(bed.dp), &key, &index, &generation), 0);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "early");
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
}

#define MARKER "what a device said in confidence"

static void expect_no_marker(struct rte_mempool *pool, void *arg, void *obj, unsigned index)
{
	struct rte_mbuf *m = obj;

	cr_expect_null(memmem(m->buf_addr, m->buf_len, MARKER, strlen(MARKER)), "buffer %u of %s",
		index, pool->name);
}

// Protocol rule T4: no plaintext stays behind, accepted or not.
Test(dp_worker, plaintexts_are_wiped_from_packet_buffers)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "discard", MARKER);
	expect_answer(COAP_CHANGED);
	exchange(COAP_CON, 2, 2, COAP_POST, "echo", MARKER);
	expect_answer(COAP_CHANGED);
	exchange(COAP_NON, 3, 3, COAP_POST, "nowhere", MARKER);
	expect_answer(COAP_NOT_FOUND);
	// Two in one burst: the second is opened too, and refused.
	bed_seal_path(&device, &request, COAP_NON, 4, 4, COAP_POST, "discard", MARKER);
	bed_send_request(&bed, &request);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	expect_answer(COAP_CHANGED);
	rte_mempool_obj_iter(bed.pool, expect_no_marker, NULL);
	rte_mempool_obj_iter(bed_worker_pool(&bed), expect_no_marker, NULL);
}

static void expect_no_marker_in_exchanges(const char *when)
{
	const struct dp_exchange_pool *pool = bed_exchanges(&bed, 0);

	cr_expect_eq(pool->free_count, BED_EXCHANGES);
	cr_expect_null(memmem(pool->shared.shared_half, pool->shared.count * pool->shared.stride,
			       MARKER, strlen(MARKER)),
		"%s", when);
}

// Nor in an exchange that is given back, whichever way its request ended.
Test(dp_worker, plaintexts_are_wiped_from_exchanges)
{
	static const uint8_t marked[] = "\x45\xff" MARKER;
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_POST, "up/x", MARKER);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_upstream_answer(&bed, handle, marked, sizeof(marked) - 1);
	bed_turn(&bed);
	expect_answer(COAP_CONTENT);
	expect_no_marker_in_exchanges("answered");
	exchange(COAP_NON, 2, 2, COAP_POST, "up/x", MARKER);
	cr_assert_not_null(bed_upstream_take(&bed, &handle));
	bed_later(&bed, BED_TIMEOUT_MS + 2 * DP_TICK_MS);
	bed_turn(&bed);
	expect_answer(COAP_GATEWAY_TIMEOUT);
	bed_upstream_answer(&bed, handle, marked, sizeof(marked) - 1);
	bed_turn(&bed);
	expect_no_marker_in_exchanges("too late");
	// The length of an answer is the loop's word: one that is too long is not believed.
	exchange(COAP_NON, 3, 3, COAP_POST, "up/x", MARKER);
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared);
	bed_upstream_answer(&bed, handle, marked, sizeof(marked) - 1);
	shared->response.len = UINT16_MAX;
	bed_turn(&bed);
	expect_answer(COAP_INTERNAL_SERVER_ERROR);
	expect_no_marker_in_exchanges("too long");
}

// RFC 9175 section 2.4: an address that was not verified gets no more than three times the bytes.
Test(dp_worker, no_error_is_longer_than_three_requests)
{
	uint8_t coap[64] = {0x40, COAP_GET, 0x12, 0x34, 0xbd, 0};

	bed.policy.verbose_errors = true;
	for (size_t len = 4; len < 30; len++) {
		// One option of len - 6 bytes.
		coap[4] = len < 6 + 13 ? 0xb0 | (len - 5) : 0xbd;
		coap[5] = len < 6 + 13 ? 'x' : len - 6 - 13;
		bed_send(&bed, &bed.flow, coap, len < 5 ? 4 : len);
		bed_turn(&bed);
		if (bed_receive(&bed, &answer))
			cr_expect_leq(answer.len, 3 * len);
	}
	cr_expect_gt(bed_count(&bed, DP_STAT_rx_errors_sent), 0);
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_no_oscore),
		bed_count(&bed, DP_STAT_rx_errors_sent),
		"without text any is short enough, and the reason is counted");
}

// RFC 7252 section 4.4 counts message ids per endpoint: two devices behind one address and port, as
// a proxy is, see no id twice, whatever nonces the answers have and whatever else is sent there.
Test(dp_worker, devices_behind_one_endpoint_see_no_message_id_twice)
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

// TSC ticks a millisecond are an estimate; a deadline is told to others by the kernel's clock.
Test(dp_worker, the_clock_follows_the_kernels)
{
	struct timespec now;

	bed_run_clock(&bed);
	const uint64_t start = bed_now_ms(&bed);

	bed_fast_clock(&bed, 4);
	while (bed_now_ms(&bed) < start + 200)
		bed_turn(&bed);
	bed_run_clock(&bed);
	uint64_t before = bed_now_ms(&bed);

	bed_clock_set(&bed);
	bed_turn(&bed);
	cr_expect_geq(bed_now_ms(&bed), before, "it never goes back");
	while (bed_now_ms(&bed) == before)
		bed_turn(&bed);
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ahead = bed_now_ms(&bed) - (now.tv_sec * 1000 + now.tv_nsec / 1000000);

	cr_expect_leq(ahead, 5, "%ld", ahead);
}

Test(dp_worker, options_that_cannot_be_processed)
{
	static const struct {
		const char *plaintext;
		uint8_t code;
	} cases[] = {
		{"02 b4 6563686f c1 06", COAP_BAD_OPTION},    // Block2
		{"02 b4 6563686f d1 03 06", COAP_BAD_OPTION}, // Block1 (27 = 11 + 3 + 13)
		{"02 90 24 6563686f", COAP_BAD_OPTION},       // OSCORE inside
		{"02 b4 6563686f d1 0b 61", COAP_PROXYING_NOT_SUPPORTED}, // Proxy-Uri, 35
		{"02 b4 6563686f e1 04e3 00", COAP_BAD_OPTION},           // unknown, critical
		{"02 b4 6563686f e1 04e4 00", COAP_CHANGED},              // unknown, elective
		{"02 60 54 6563686f", COAP_CHANGED},                      // Observe is ignored
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		size_t len;
		uint8_t *plaintext = hex_decode(cases[i].plaintext, &len);

		bed_seal(&device, &request, COAP_CON, i, i, plaintext, len);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		expect_answer(cases[i].code);
		free(plaintext);
	}
}

Test(dp_worker, ping_is_answered_and_rubbish_is_not)
{
	static const char *const rubbish[] = {
		"", "40", "400000", "80010001", "00010001",         // short, versions
		"4f010001", "41010001", "40010001ff", "40010001f0", // TKL, token, marker, nibble
		"41000001aa", "40000001ff61", "50000001",           // Empty with more, NON Empty
		"40410001", "60410001", "70000001", "60000001",     // responses, RST, ACK
		"400100011101", "4001000190",                       // no OSCORE, OSCORE w/o payload
		"40020001 92 e000 ff 00112233445566778899",         // reserved flags
		"40020001 91 0e ff 00112233445566778899",           // n = 6
		"40020001 92 0900 ff 0011223344556677",             // no plaintext
		"40020001 92 0900 92 0900 ff 00112233445566778899", // OSCORE twice (delta 9)
		"40020001 93 0b0000 ff 00112233445566778899",       // PIV not minimal
	};
	unsigned before = 0;

	bed_device_add(&bed, &device, true);
	bed_send(&bed, &bed.flow, (const uint8_t *)"\x40\x00\x12\x34", 4);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_arr_eq(answer.coap, "\x70\x00\x12\x34", 4);
	for (unsigned i = 0; i < RTE_DIM(rubbish); i++) {
		size_t len;
		uint8_t *coap = hex_decode(rubbish[i], &len);

		bed_send(&bed, &bed.flow, coap, len);
		bed_turn(&bed);
		expect_silence();
		cr_expect_eq(bed_ends(&bed), bed_count(&bed, DP_STAT_rx_packets), "%s", rubbish[i]);
		before++;
		free(coap);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_packets), before + 1);
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
}

Test(dp_worker, verbose_errors_are_unprotected_and_small)
{
	bed.policy.verbose_errors = true;
	bed.policy.verbose_replay = true;
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, 1, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	request.coap[3]++;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_UNAUTHORIZED);
	cr_expect_not(answer.protected);
	bed_seal_path(&device, &request, COAP_CON, 3, 3, COAP_GET, "echo", NULL);
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_BAD_REQUEST);
	cr_expect_leq(answer.len, 3 * request.len);
	bed_device_make(&device, 0x77, AEAD_AES_CCM_16_64_128);
	exchange(COAP_CON, 4, 4, COAP_GET, "echo", NULL);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_eq(answer.msg.code, COAP_UNAUTHORIZED);
}

// Takes the one event there must be.
static struct dp_event expect_event(enum dp_event_type type)
{
	struct dp_event event = {.type = UINT32_MAX};

	cr_assert(bed_event_take(&bed, 0, &event));
	cr_expect_eq(event.type, type);
	cr_expect_eq(event.context, device.context);
	return event;
}

Test(dp_worker, floor_device_is_accepted_below_its_durable_mark_only)
{
	struct bed_request old;

	bed_device_add_with(&bed, &device, false, DP_CONTEXT_FLOOR, 100);
	// What came before the crash is refused, without a challenge.
	exchange(COAP_CON, 1, 99, COAP_GET, "echo", NULL);
	expect_silence();
	// The first one above is dropped until the mark is beyond it.
	exchange(COAP_CON, 2, 100, COAP_GET, "echo", NULL);
	old = request;
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_above_mark), 1);
	struct dp_event event = expect_event(DP_EVENT_MARK_WANTED);

	cr_expect_eq(event.arg, 101 + DP_MARK_AHEAD);
	bed_send_request(&bed, &old);
	bed_turn(&bed);
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
	cr_assert_eq(dp_mark_raise(bed.dp, device.context, device.generation, event.arg), 0);
	bed_send_request(&bed, &old);
	bed_turn(&bed);
	expect_answer(COAP_CONTENT);

	// From there on it is raised in time, so that nothing more is lost.
	for (uint64_t piv = 101; piv < 300; piv++) {
		exchange(COAP_CON, piv, piv, COAP_GET, "echo", NULL);
		expect_answer(COAP_CONTENT);
		struct dp_event more;

		if (bed_event_take(&bed, 0, &more) && more.type == DP_EVENT_MARK_WANTED)
			cr_assert_eq(
				dp_mark_raise(bed.dp, more.context, more.generation, more.arg), 0);
		bed_turn(&bed);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_above_mark), 2);
}

Test(dp_worker, limits_of_a_key_are_told_once)
{
	bed_device_add(&bed, &device, true);
	exchange(COAP_CON, 1, DP_LIMIT_USES / 2 - 1, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	exchange(COAP_CON, 2, DP_LIMIT_USES / 2, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	cr_expect_eq(expect_event(DP_EVENT_LIMIT).arg, DP_LIMIT_USE_HALF);
	exchange(COAP_CON, 3, DP_LIMIT_USES + 7, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	cr_expect_eq(expect_event(DP_EVENT_LIMIT).arg, DP_LIMIT_USE);
	exchange(COAP_CON, 4, DP_LIMIT_USES + 8, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
	cr_expect_eq(bed_events_count(&bed, 0), 0);
	dp_contexts(bed.dp)->side[device.context].failed = (1 << 14) - 1;
	bed_seal_path(&device, &request, COAP_CON, 5, DP_LIMIT_USES + 9, COAP_GET, "echo", NULL);
	request.coap[request.len - 1] ^= 1;
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	cr_expect_eq(expect_event(DP_EVENT_LIMIT).arg, DP_LIMIT_FORGERY);
	// Evidence that anybody can make shuts no device out.
	exchange(COAP_CON, 6, DP_LIMIT_USES + 9, COAP_GET, "echo", NULL);
	expect_answer(COAP_CONTENT);
}

Test(dp_worker, resync_forgets_the_window_whoever_owns_it)
{
	const struct dp_context *ctx;

	bed_device_add(&bed, &device, true);
	dp_run_grant(bed.dp, 0);
	ctx = &dp_contexts(bed.dp)->context[device.context];
	cr_assert_eq(dp_resync(bed.dp, device.context, device.generation, 0), 0);
	cr_expect_eq(ctx->state, DP_CONTEXT_WINDOW_UNKNOWN);
	cr_expect_eq(ctx->owner, DP_OWNER_NONE);
	exchange(COAP_CON, 1, 1, COAP_GET, "echo", NULL);
	expect_answer(COAP_UNAUTHORIZED);
	cr_assert_eq(dp_resync(bed.dp, device.context, device.generation, 0), 0);
	bed_turn(&bed);
	cr_expect_eq(ctx->state, DP_CONTEXT_WINDOW_UNKNOWN);
	cr_expect_eq(dp_contexts(bed.dp)->side[device.context].unknown_phases, 2);
	cr_expect_eq(dp_resync(bed.dp, device.context, device.generation + 2, 0), -ENOENT);
}

static void contextual(struct bed_device *made, uint8_t kid, uint8_t id_context)
{
	bed_device_make(made, kid, AEAD_AES_CCM_16_64_128);
	made->params.has_id_context = true;
	made->params.id_context_len = 1;
	made->params.id_context[0] = id_context;
	cr_assert_eq(osc_derive(&made->keys, &made->params), 0);
}

static bool served(struct bed_device *by, uint64_t piv, bool with_context)
{
	by->sends_id_context = with_context;
	bed_seal_path(by, &request, COAP_CON, piv, piv, COAP_GET, "echo", NULL);
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	return bed_receive(&bed, &answer) && bed_open(by, &request, &answer);
}

// Not every device sends its ID Context. Whatever it is called, it has one window.
Test(dp_worker, a_kid_that_is_unique_needs_no_kid_context)
{
	struct bed_device a, b;
	struct dp_context_key key;

	contextual(&a, 5, 1);
	contextual(&b, 5, 2);
	bed_device_add(&bed, &a, true);
	cr_expect(served(&a, 1, false));
	cr_expect(served(&a, 2, true));
	cr_expect_not(served(&a, 2, false));
	cr_expect_not(served(&a, 1, true));
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 2);
	bed_device_add(&bed, &b, true);
	cr_expect_not(served(&a, 3, false), "it is one of two now");
	cr_expect_not(served(&b, 3, false));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 2);
	cr_expect(served(&a, 3, true));
	cr_expect(served(&b, 3, true));
	bed_device_name(&bed, &a, &key);
	cr_assert_eq(dp_device_remove(bed.dp, &key), 0);
	cr_expect_not(served(&a, 4, false));
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_tag), 1, "another's keys");
	cr_expect(served(&b, 4, false), "alone again");
	cr_expect_not(served(&b, 4, true));
}
