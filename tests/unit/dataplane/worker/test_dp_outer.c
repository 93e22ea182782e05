// SPDX-License-Identifier: BSD-3-Clause
// The outer message of a request: what of it counts, and what is discarded (RFC 8613 section 8.2
// step 1, and figure 5).

#include "dataplane/worker/worker.h"
#include "tests/unit/dataplane/worker/outer.h"

#include <criterion/criterion.h>

TestSuite(dp_outer, .init = one_device_init, .fini = one_device_fini);

// Opens the answer to a request that kept its token, whatever its outer code.
static void expect_plaintext(uint8_t code, const char *why)
{
	cr_assert(bed_receive(&bed, &answer), "no answer: %s", why);
	cr_assert(bed_open(&device, &request, &answer), "does not verify: %s", why);
	cr_expect_eq(answer.plaintext[0], code, "%u.%02u: %s", answer.plaintext[0] >> 5,
		answer.plaintext[0] & 31, why);
	cr_expect_eq(answer.msg.code, COAP_CHANGED, "the outer code tells nothing: %s", why);
}

// RFC 8613 section 4.2.
Test(dp_outer, its_code_is_discarded_and_that_of_answers_is_always_the_same)
{
	static const struct {
		uint8_t code;
		const char *path;
		uint8_t answer;
	} inner[] = {
		{COAP_GET, "echo", COAP_CONTENT},
		{COAP_PUT, "echo", COAP_CHANGED},
		{COAP_FETCH, "echo", COAP_CONTENT},
		{COAP_GET, "nowhere", COAP_NOT_FOUND},
		{COAP_POST, "get", COAP_METHOD_NOT_ALLOWED},
		{COAP_GET, "up/..", COAP_BAD_REQUEST},
		{COAP_CONTENT, "echo", COAP_BAD_REQUEST},
	};
	unsigned piv = 0;

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(inner); i++) {
		for (uint8_t code = COAP_GET; code < COAP_CODE(1, 0); code++, piv++) {
			const struct outer outer = {.code = code};

			bed_seal_path(&device, &request, COAP_CON, piv, piv, inner[i].code,
				inner[i].path, NULL);
			outer_send(&outer);
			expect_plaintext(inner[i].answer, inner[i].path);
		}
	}
}

static const struct outer_option class_e[] = {
	{COAP_OPT_IF_MATCH, 2, "xy"}, {COAP_OPT_ETAG, 1, "e"}, {COAP_OPT_IF_NONE_MATCH, 0, ""},
	{COAP_OPT_OBSERVE, 0, ""}, {COAP_OPT_LOCATION_PATH, 1, "l"}, {COAP_OPT_URI_PATH, 3, "get"},
	{COAP_OPT_CONTENT_FORMAT, 1, "\x3c"}, {COAP_OPT_MAX_AGE, 1, "\x01"},
	{COAP_OPT_URI_QUERY, 3, "a=b"}, {COAP_OPT_ACCEPT, 2, "\xff\xff"},
	{COAP_OPT_SIZE2, 1, "\x01"}, {COAP_OPT_SIZE1, 4, "\xff\xff\xff\xff"},
	{COAP_OPT_ECHO, 8, "12345678"}, {COAP_OPT_NO_RESPONSE, 1, "\x1a"},
	{COAP_OPT_REQUEST_TAG, 1, "t"}, {2049, 1, "c"}, // unknown, critical
	{2052, 1, "e"},                                 // unknown, elective
};

Test(dp_outer, class_e_and_unknown_options_are_discarded)
{
	uint64_t piv = 1;

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(class_e); i++, piv++) {
		bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "echo", "21.5");
		outer_send_options(&class_e[i], 1);
		expect_plaintext(COAP_CHANGED, "one option");
		cr_expect_eq(answer.plaintext_len, 6, "%u", class_e[i].number);
	}
	bed_seal_path(&device, &request, COAP_CON, piv, piv, COAP_POST, "echo", "21.5");
	outer_send_options(class_e, DP_OUTER_OPTIONS_MAX - 1);
	expect_plaintext(COAP_CHANGED, "all at once");
}

// A backend gets the inner message, and nothing of the outer one.
Test(dp_outer, nothing_of_it_reaches_a_backend)
{
	static const struct outer_option added[] = {
		{COAP_OPT_URI_HOST, 5, "other"},
		{COAP_OPT_URI_PORT, 1, "\x50"},
		{COAP_OPT_URI_PATH, 5, "admin"},
		{COAP_OPT_URI_QUERY, 4, "a=b?"},
		{COAP_OPT_HOP_LIMIT, 1, "\x10"},
	};
	static const uint8_t inner[] = {0xb2, 'u', 'p', 0x01, 'x', 0xff, 'y'};
	static const uint8_t done[] = {COAP_CHANGED};
	dp_handle handle;

	bed_device_add(&bed, &device, true);
	bed_seal_path(&device, &request, COAP_CON, 1, 1, COAP_POST, "up/x", "y");
	outer_send_options(added, RTE_DIM(added));
	struct dp_shared *shared = bed_upstream_take(&bed, &handle);

	cr_assert_not_null(shared);
	cr_expect_eq(shared->request.code, COAP_POST);
	cr_assert_eq(shared->request.body_len, sizeof(inner));
	cr_expect_arr_eq(dp_shared_body(shared), inner, sizeof(inner));
	bed_upstream_answer(&bed, handle, done, sizeof(done));
	bed_turn(&bed);
	expect_plaintext(COAP_CHANGED, "a backend");
}

// RFC 8613 section 4.1.3.3, RFC 7252 section 5.7.2.
Test(dp_outer, a_forward_proxy_is_refused_protected)
{
	static const struct outer_option proxy[] = {
		{COAP_OPT_PROXY_URI, 18, "coap://other/path/"}, {COAP_OPT_PROXY_SCHEME, 4, "coap"}};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(proxy); i++) {
		bed_seal_path(&device, &request, COAP_CON, i, i, COAP_POST, "up/x", "y");
		outer_send_options(&proxy[i], 1);
		expect_plaintext(COAP_PROXYING_NOT_SUPPORTED, "outside");
	}
}

// RFC 8768 section 3.
Test(dp_outer, hop_limit_ends)
{
	static const struct {
		struct outer_option option;
		uint8_t code;
	} cases[] = {
		{{COAP_OPT_HOP_LIMIT, 1, "\x00"}, COAP_BAD_REQUEST},
		{{COAP_OPT_HOP_LIMIT, 0, ""}, COAP_BAD_REQUEST},
		{{COAP_OPT_HOP_LIMIT, 2, "\x00\x10"}, COAP_BAD_REQUEST},
		{{COAP_OPT_HOP_LIMIT, 1, "\x01"}, COAP_HOP_LIMIT_REACHED},
		{{COAP_OPT_HOP_LIMIT, 1, "\x02"}, COAP_CHANGED},
		{{COAP_OPT_HOP_LIMIT, 1, "\xff"}, COAP_CHANGED},
	};

	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		bed_seal_path(&device, &request, COAP_CON, i, i, COAP_POST, "discard", NULL);
		outer_send_options(&cases[i].option, 1);
		expect_plaintext(cases[i].code, "Hop-Limit");
	}
}

// RFC 7252 section 5.3.1, RFC 8974 section 2.1: a token comes back unchanged, whatever its length.
Test(dp_outer, tokens_of_every_length_come_back)
{
	static const uint16_t lens[] = {0, 1, 8, 9, 12, 13, 14, 268, 269, 270, 600};
	static const uint8_t content[] = {COAP_CONTENT, 0xff, 'x'};
	static const char *const paths[] = {"echo", "nowhere", "up/x", "up/slow"};
	uint8_t token[OUTER_TOKEN_MAX];
	uint64_t piv = 0;

	for (unsigned i = 0; i < sizeof(token); i++)
		token[i] = i * 37 + 1;
	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(lens); i++) {
		const struct outer outer = {
			.has_token = true, .token = token, .token_len = lens[i]};

		for (unsigned k = 0; k < RTE_DIM(paths); k++, piv++) {
			dp_handle handle;

			bed_seal_path(
				&device, &request, COAP_CON, piv, piv, COAP_GET, paths[k], NULL);
			outer_send(&outer);
			if (k >= 2)
				cr_assert_not_null(bed_upstream_take(&bed, &handle));
			if (k == 3) {
				bed_later(&bed, DP_ACK_AFTER(2000) + 2 * DP_TICK_MS);
				bed_turn(&bed);
				cr_assert(bed_receive(&bed, &answer));
				cr_expect_eq(answer.len, COAP_EMPTY_LEN, "an empty ACK has none");
			}
			if (k >= 2)
				bed_upstream_answer(&bed, handle, content, sizeof(content));
			bed_turn(&bed);
			expect_plaintext(k == 1 ? COAP_NOT_FOUND : COAP_CONTENT, paths[k]);
			cr_expect(outer_token_is(token, lens[i]), "%u bytes", lens[i]);
			if (k == 3) {
				bed_send_empty(&bed, &bed.flow, COAP_ACK, answer.msg.mid);
				bed_turn(&bed);
			}
		}
	}
}

// RFC 7252 section 8: no answer and no RST to what was sent to a group, be it good or bad.
Test(dp_outer, a_group_is_never_answered)
{
	static const struct {
		uint8_t family;
		uint8_t address[16];
		uint8_t mac[6];
	} groups[] = {
		{4, {224, 0, 1, 187}, {0x01, 0x00, 0x5e, 0x00, 0x01, 0xbb}},
		{4, {224, 0, 1, 187}, {2, 0, 0, 0, 0, 1}}, // in a frame for us alone
		{4, {255, 255, 255, 255}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{4, {192, 0, 2, 255}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{4, {192, 0, 2, 1}, {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}, // ours in a broadcast
		{6, {0xff, 0x02, [15] = 0xfd}, {0x33, 0x33, 0, 0, 0, 0xfd}},
		{6, {0xff, 0x05, [15] = 0xfd}, {2, 0, 0, 0, 0, 1}},
		{6, {0xff, 0x02, [15] = 0x01}, {0x33, 0x33, 0, 0, 0, 0x01}},
	};
	static const uint8_t ping[] = {0x40, 0, 0x12, 0x34};
	static const uint8_t plain[] = {0x40, COAP_GET, 0x12, 0x35, 0xb4, 'e', 'c', 'h', 'o'};
	static const uint8_t bad[] = {0x40, COAP_GET, 0x12, 0x36, 0xff};
	unsigned n = 0;

	bed.policy.verbose_errors = true;
	bed.policy.verbose_replay = true;
	bed_device_add(&bed, &device, true);
	for (unsigned i = 0; i < RTE_DIM(groups); i++) {
		struct dp_flow flow = bed.flow;

		flow.family = groups[i].family;
		if (flow.family == 6)
			memcpy(flow.remote_addr, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02", 16);
		memcpy(flow.local_addr, groups[i].address, 16);
		memcpy(flow.local_mac, groups[i].mac, 6);
		bed_seal_path(&device, &request, COAP_CON, i, i, COAP_POST, "echo", "x");
		bed_send(&bed, &flow, request.coap, request.len);
		bed_send(&bed, &flow, ping, sizeof(ping));
		bed_send(&bed, &flow, plain, sizeof(plain));
		bed_send(&bed, &flow, bad, sizeof(bad));
		n += 4;
		bed_turn(&bed);
		expect_silence();
		cr_expect_eq(bed_count(&bed, DP_STAT_drop_multicast), n, "group %u", i);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_rx_requests), 0);
}

// RFC 7252 section 5.3.2: from the address and port that were asked, also when it comes later.
Test(dp_outer, answers_come_from_the_address_that_was_asked)
{
	static const uint8_t second[4] = {192, 0, 2, 9}, content[] = {COAP_CONTENT, 0xff, 'x'};
	static const char *const paths[] = {"echo", "nowhere", "up/x", "up/slow"};
	struct dp_flow flow = bed.flow;

	memcpy(flow.local_addr, second, sizeof(second));
	bed_device_add(&bed, &device, true);
	for (unsigned k = 0; k < RTE_DIM(paths); k++) {
		dp_handle handle;

		bed_seal_path(&device, &request, COAP_CON, k, k, COAP_GET, paths[k], NULL);
		bed_send(&bed, &flow, request.coap, request.len);
		bed_turn(&bed);
		if (k >= 2)
			cr_assert_not_null(bed_upstream_take(&bed, &handle));
		if (k == 3) {
			bed_later(&bed, DP_ACK_AFTER(2000) + 2 * DP_TICK_MS);
			bed_turn(&bed);
			cr_assert(bed_receive(&bed, &answer));
			cr_expect_arr_eq(
				answer.flow.remote_addr, second, sizeof(second), "the ACK");
		}
		if (k >= 2)
			bed_upstream_answer(&bed, handle, content, sizeof(content));
		bed_turn(&bed);
		expect_plaintext(k == 1 ? COAP_NOT_FOUND : COAP_CONTENT, paths[k]);
		cr_expect_arr_eq(answer.flow.remote_addr, second, sizeof(second), "%s", paths[k]);
		cr_expect_eq(answer.flow.remote_port, rte_cpu_to_be_16(COAP_PORT));
		cr_expect_eq(answer.flow.local_port, flow.remote_port);
	}
	// And so does a RST.
	bed_send_empty(&bed, &flow, COAP_CON, 0x1234);
	bed_turn(&bed);
	cr_assert(bed_receive(&bed, &answer));
	cr_expect_arr_eq(answer.flow.remote_addr, second, sizeof(second));
	bed_send_empty(&bed, &flow, COAP_ACK, 0);
	bed_turn(&bed);
}
