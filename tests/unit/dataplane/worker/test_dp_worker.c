// SPDX-License-Identifier: BSD-3-Clause
// The worker from frame to frame, on a ring port.

#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/one_device.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <time.h>

TestSuite(dp_worker, .init = one_device_init, .fini = one_device_fini);

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
	cr_assert_eq(dp_context_place(dp_contexts(bed.dp), &key, NULL, &index, &generation), 0);
	exchange(COAP_CON, 1, 1, COAP_POST, "echo", "early");
	expect_silence();
	cr_expect_eq(bed_count(&bed, DP_STAT_drop_unknown_context), 1);
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

// An unknown window costs a use for each challenge, as none of them answers an accepted request.
Test(dp_worker, challenges_count_as_uses_of_a_key)
{
	dp_run_grant(bed.dp, 1);
	bed_device_add(&bed, &device, false);
	struct dp_side *side = &dp_contexts(bed.dp)->side[device.context];

	exchange(COAP_CON, 1, 1, COAP_GET, "echo", NULL);
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect_eq(side->own_sealed, 1);
	side->own_sealed = DP_LIMIT_USES - 1;
	exchange(COAP_CON, 2, 2, COAP_GET, "echo", NULL);
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect_eq(bed_events_take(&bed, 0, DP_EVENT_LIMIT), 1);
	cr_expect_eq(side->own_sealed, DP_LIMIT_USES);
	exchange(COAP_CON, 3, 3, COAP_GET, "echo", NULL);
	expect_answer(COAP_UNAUTHORIZED);
	cr_expect_eq(bed_events_take(&bed, 0, DP_EVENT_LIMIT), 0, "told once");
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
