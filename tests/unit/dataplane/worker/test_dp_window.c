// SPDX-License-Identifier: BSD-3-Clause
// The replay window: what moves it, what opens one that is unknown, and devices without Echo.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"

#include <criterion/criterion.h>

TestSuite(dp_window, .init = one_device_init, .fini = one_device_fini);

Test(dp_window, window_moves_only_after_the_tag)
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

Test(dp_window, unknown_window_is_opened_by_echo_only)
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

Test(dp_window, a_foreign_echo_opens_nothing)
{
	uint8_t plaintext[64];
	uint8_t value[DP_ECHO_LEN];
	struct coap_writer writer;

	bed_device_add(&bed, &device, false);
	const uint64_t phase = dp_contexts(bed.dp)->side[device.context].unknown_phases;

	dp_run_grant(bed.dp, 0);
	// The same context in another phase, another generation, another context; then too old.
	for (unsigned i = 0; i < 4; i++) {
		uint64_t then = bed_now_ms(&bed) - (i == 3 ? DP_ECHO_AGE_MS + 1000 : 0);

		bed_echo_make(&bed, device.context + (i == 2), device.generation + (i == 1),
			phase + (i == 0), then, value);
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

Test(dp_window, floor_device_is_accepted_below_its_durable_mark_only)
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

Test(dp_window, resync_forgets_the_window_whoever_owns_it)
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
