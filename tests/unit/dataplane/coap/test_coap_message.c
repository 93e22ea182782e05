// SPDX-License-Identifier: BSD-3-Clause
// Parsing of CoAP messages: RFC 7252 section 3 and RFC 8974 section 2.1.

#include "dataplane/coap/message.h"
#include "tests/unit/guard.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>

static enum coap_verdict parse_hex(struct coap_msg *msg, const char *hex)
{
	static uint8_t *data; // stays for the pointers in msg
	size_t len;

	free(data);
	data = hex_decode(hex, &len);
	return coap_msg_parse(msg, data, len);
}

static void expect_verdict(const char *hex, enum coap_verdict want)
{
	struct coap_msg msg;
	enum coap_verdict got = parse_hex(&msg, hex);

	cr_expect_eq(
		got, want, "%s: %s, not %s", hex, coap_verdict_name(got), coap_verdict_name(want));
}

Test(coap_message, version_other_than_1_is_told_apart_to_be_ignored)
{
	expect_verdict("00017d34", COAP_BAD_VERSION);
	expect_verdict("80017d34", COAP_BAD_VERSION);
	expect_verdict("c0017d34", COAP_BAD_VERSION);
	expect_verdict("8f017d34", COAP_BAD_VERSION);
}

Test(coap_message, header_fields)
{
	struct coap_msg msg;

	cr_assert_eq(parse_hex(&msg, "64455d1f00003974ff48656c6c6f20576f726c6421"), COAP_OK);
	cr_expect_eq(msg.type, COAP_ACK);
	cr_expect_eq(msg.code, COAP_CONTENT);
	cr_expect_eq(msg.mid, 0x5d1f);
	cr_expect_eq(msg.token_len, 4);
	cr_expect_arr_eq(msg.token, "\x00\x00\x39\x74", 4);
	cr_expect_eq(msg.body.option_count, 0);
	cr_expect_eq(msg.body.options_len, 0);
	cr_expect_eq(msg.body.payload_len, 12);
	cr_expect_arr_eq(msg.body.payload, "Hello World!", 12);
}

Test(coap_message, shorter_than_a_header_is_truncated)
{
	expect_verdict("", COAP_TRUNCATED);
	expect_verdict("40", COAP_TRUNCATED);
	expect_verdict("40017d", COAP_TRUNCATED);
}

Test(coap_message, token_length_15_is_a_format_error)
{
	expect_verdict("4f017d34000102030405060708090a0b0c0d0e", COAP_BAD_TKL);
}

Test(coap_message, a_longer_token_than_the_datagram_is_truncated)
{
	expect_verdict("44017d34000102", COAP_TRUNCATED);
	expect_verdict("4c017d340001020304050607 08090a", COAP_TRUNCATED);
	expect_verdict("4d017d34", COAP_TRUNCATED);
	expect_verdict("4d017d3400 000102030405060708090a0b", COAP_TRUNCATED);
	expect_verdict("4e017d34", COAP_TRUNCATED);
	expect_verdict("4e017d3400", COAP_TRUNCATED);
	expect_verdict("4e017d34ffff 00", COAP_TRUNCATED);
}

// RFC 8974: 0 to 12 in the nibble, 13 to 268 with one byte more, 269 and up with two.
Test(coap_message, tokens_of_every_form_come_back_byte_by_byte)
{
	static const size_t lens[] = {0, 1, 8, 9, 12, 13, 14, 268, 269, 270, 65000, 65529};
	static uint8_t token[COAP_TOKEN_MAX], data[COAP_TOKEN_MAX + 16];
	struct coap_writer w;
	struct coap_msg msg;

	for (size_t i = 0; i < sizeof(token); i++)
		token[i] = (uint8_t)(i * 7 + i / 256);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		size_t ext = lens[i] < 13 ? 0 : lens[i] < 269 ? 1 : 2;

		coap_writer_init(&w, data, sizeof(data));
		coap_write_header(&w, COAP_CON, COAP_GET, 0x1234, token, lens[i]);
		cr_assert_eq(coap_writer_len(&w), 4 + ext + lens[i]);
		cr_assert_eq(coap_msg_parse(&msg, data, 4 + ext + lens[i]), COAP_OK);
		cr_assert_eq(msg.token_len, lens[i]);
		cr_assert_arr_eq(msg.token, token, lens[i]);
	}
}

Test(coap_message, the_longest_token_is_written_and_one_more_byte_is_refused)
{
	static uint8_t token[COAP_TOKEN_MAX + 1], data[COAP_TOKEN_MAX + 16];
	struct coap_writer w;

	coap_writer_init(&w, data, sizeof(data));
	coap_write_header(&w, COAP_NON, COAP_GET, 1, token, COAP_TOKEN_MAX);
	cr_assert_eq(coap_writer_len(&w), 6 + COAP_TOKEN_MAX);
	cr_expect_arr_eq(data, "\x5e\x01\x00\x01\xff\xff", 6);

	coap_writer_init(&w, data, sizeof(data));
	coap_write_header(&w, COAP_NON, COAP_GET, 1, token, COAP_TOKEN_MAX + 1);
	cr_expect_eq(coap_writer_len(&w), 0);
}

Test(coap_message, more_than_a_datagram_is_refused_and_not_cut)
{
	static uint8_t data[UINT16_MAX + 2] = {0x40, 0x01, 0, 0, 0xff};
	struct coap_msg msg;
	struct coap_body body;

	cr_expect_eq(coap_msg_parse(&msg, data, UINT16_MAX), COAP_OK);
	cr_expect_eq(msg.body.payload_len, UINT16_MAX - 5);
	cr_expect_eq(coap_msg_parse(&msg, data, UINT16_MAX + 1), COAP_TOO_LONG);
	cr_expect_eq(coap_body_parse(&body, data + 4, UINT16_MAX + 1), COAP_TOO_LONG);
}

Test(coap_message, empty_message_is_four_bytes_and_nothing_else)
{
	expect_verdict("40000001", COAP_OK);
	expect_verdict("70000001", COAP_OK);
	expect_verdict("41000001aa", COAP_BAD_EMPTY);
	expect_verdict("41000001", COAP_BAD_EMPTY);
	expect_verdict("4f000001", COAP_BAD_EMPTY);
	expect_verdict("40000001b161", COAP_BAD_EMPTY);
	expect_verdict("40000001ff61", COAP_BAD_EMPTY);
	expect_verdict("4000000100", COAP_BAD_EMPTY);
}

Test(coap_message, payload_marker_without_payload_is_a_format_error)
{
	expect_verdict("40017d34ff", COAP_EMPTY_PAYLOAD);
	expect_verdict("40017d34b174ff", COAP_EMPTY_PAYLOAD);
	expect_verdict("40017d34ffff", COAP_OK);
}

Test(coap_message, option_nibble_15_is_a_format_error_unless_the_byte_is_the_marker)
{
	expect_verdict("40017d34f0", COAP_BAD_OPTION_NIBBLE);
	expect_verdict("40017d34f100", COAP_BAD_OPTION_NIBBLE);
	expect_verdict("40017d340f", COAP_BAD_OPTION_NIBBLE);
	expect_verdict("40017d34bf000000", COAP_BAD_OPTION_NIBBLE);
	expect_verdict("40017d34fe0000", COAP_BAD_OPTION_NIBBLE);
}

Test(coap_message, option_that_runs_past_the_end_is_a_format_error)
{
	expect_verdict("40017d34b1", COAP_TRUNCATED);
	expect_verdict("40017d34d0", COAP_TRUNCATED);
	expect_verdict("40017d34e000", COAP_TRUNCATED);
	expect_verdict("40017d340d", COAP_TRUNCATED);
	expect_verdict("40017d340e00", COAP_TRUNCATED);
	expect_verdict("40017d340effff61", COAP_TRUNCATED);
	expect_verdict("40017d34ddff", COAP_TRUNCATED);
	expect_verdict("40017d34eeffffff", COAP_TRUNCATED);
}

Test(coap_message, option_numbers_beyond_65535_are_a_format_error)
{
	expect_verdict("40017d34e0fef2", COAP_OK); // 65535
	expect_verdict("40017d34e0fef3", COAP_BAD_OPTION_NUMBER);
	expect_verdict("40017d34e0ffff", COAP_BAD_OPTION_NUMBER);
	expect_verdict("40017d34e0fef2 00", COAP_OK);
	expect_verdict("40017d34e0fef2 10", COAP_BAD_OPTION_NUMBER);
	expect_verdict("40017d34e07fff e07fff", COAP_BAD_OPTION_NUMBER);
}

// A confirmable message with a format error is answered by a Reset with its message id.
Test(coap_message, type_code_and_mid_are_known_after_a_format_error)
{
	static const char *const bad[] = {
		"40017d34ff", "4f017d34", "44017d34", "40017d34f0", "40017d34e0ffff"};
	struct coap_msg msg;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		msg = (struct coap_msg){.type = COAP_RST};
		cr_assert_neq(parse_hex(&msg, bad[i]), COAP_OK);
		cr_expect_eq(msg.type, COAP_CON);
		cr_expect_eq(msg.code, COAP_GET);
		cr_expect_eq(msg.mid, 0x7d34);
	}
}

Test(coap_message, options_are_iterated_with_their_numbers_and_values)
{
	// Uri-Host "a", Uri-Path "b", Uri-Path "", 268 of 13 bytes, 269 + 268 of 269 bytes.
	char hex[1024] = "40017d34 3161 8162 00 dd f4 00 000102030405060708090a0b0c ee 0000 0000";
	static const uint16_t numbers[] = {3, 11, 11, 268, 537};
	static const uint16_t lens[] = {1, 1, 0, 13, 269};
	struct coap_option option;
	struct coap_option_iter iter;
	struct coap_msg msg;
	unsigned n = 0;

	for (unsigned i = 0; i < 269; i++)
		strcat(hex, "55");
	strcat(hex, "ff70");
	cr_assert_eq(parse_hex(&msg, hex), COAP_OK);
	cr_assert_eq(msg.body.option_count, 5);
	coap_option_iter_init(&iter, &msg.body);
	while (coap_option_next(&iter, &option)) {
		cr_assert_lt(n, 5);
		cr_expect_eq(option.number, numbers[n]);
		cr_expect_eq(option.len, lens[n]);
		n++;
	}
	cr_expect_eq(n, 5);
	cr_expect_not(coap_option_next(&iter, &option), "the end stays the end");
	cr_assert(coap_option_find(&msg.body, 11, &option));
	cr_expect_arr_eq(option.value, "b", 1, "the first of two");
	cr_assert(coap_option_find(&msg.body, 537, &option));
	cr_expect_not(coap_option_find(&msg.body, 12, &option));
	cr_expect_not(coap_option_find(&msg.body, 65535, &option));
	cr_expect_eq(msg.body.payload_len, 1);
}

Test(coap_message, oscore_options_are_found_and_counted_in_the_one_walk)
{
	struct coap_msg msg;

	cr_assert_eq(parse_hex(&msg,
			     "44025d1f00003974396c6f63616c686f737462"
			     "0914ff612f1092f1776f1c1668b3825e"),
		COAP_OK);
	cr_expect_eq(msg.body.oscore_count, 1);
	cr_expect_eq(msg.body.oscore_len, 2);
	cr_expect_arr_eq(msg.body.oscore, "\x09\x14", 2);

	cr_assert_eq(parse_hex(&msg, "40025d1f 920914 0101"), COAP_OK);
	cr_expect_eq(msg.body.oscore_count, 2);
	cr_expect_arr_eq(msg.body.oscore, "\x09\x14", 2);

	cr_assert_eq(parse_hex(&msg, "40455d1f90ff00"), COAP_OK);
	cr_expect_eq(msg.body.oscore_count, 1);
	cr_expect_eq(msg.body.oscore_len, 0);
	cr_expect_not_null(msg.body.oscore, "an empty option is not an absent one");

	cr_assert_eq(parse_hex(&msg, "40455d1f80ff00"), COAP_OK);
	cr_expect_eq(msg.body.oscore_count, 0);
	cr_expect_null(msg.body.oscore);
}

Test(coap_message, a_plaintext_without_options_and_payload_is_legal)
{
	struct coap_body body;

	cr_assert_eq(coap_body_parse(&body, NULL, 0), COAP_OK);
	cr_expect_eq(body.option_count, 0);
	cr_expect_null(body.payload);
}

// What parses is written again as the same bytes: no encoding has a second form.
static bool same_when_written(const struct coap_msg *msg, const uint8_t *data, size_t len)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer w;
	uint8_t *copy = malloc(len);

	coap_writer_init(&w, copy, len);
	coap_write_header(&w, msg->type, msg->code, msg->mid, msg->token, msg->token_len);
	coap_option_iter_init(&iter, &msg->body);
	while (coap_option_next(&iter, &option))
		coap_write_option(&w, option.number, option.value, option.len);
	coap_write_payload(&w, msg->body.payload, msg->body.payload_len);
	bool same = coap_writer_len(&w) == len && !memcmp(copy, data, len);
	free(copy);
	return same;
}

// Each prefix is put in front of a page that faults, so that reading one byte too many ends the
// test.
Test(coap_message, truncation_at_every_byte_reads_nothing_behind_the_end)
{
	static const char *const corpus[] = {
		"44015d1f00003974396c6f63616c686f737483747631",
		"44025d1f00003974396c6f63616c686f7374620914ff612f1092f1776f1c1668b3825e",
		"44022f8eef9bbf7a396c6f63616c686f73746b19140837cbf3210017a2d3ff72cd7273fd331ac4",
		"64455d1f00003974920100ff4d4c13669384b67354b2b6175ff4b8658c666a6cf88e",
		"4d017d3400 000102030405060708090a0b0c b161 dd0204 "
		"000102030405060708090a0b0c0d0e0f10",
		"4c447d34000102030405060708090a0b 6105 62aabb e0 0001 d1 0101 ff 00",
		"40017d34 0d00 00000000000000000000000000 0101 ed 00 ff 01 "
		"0000000000000000000000000000 ffff",
	};
	struct coap_msg msg;

	for (unsigned i = 0; i < sizeof(corpus) / sizeof(corpus[0]); i++) {
		size_t len;
		uint8_t *whole = hex_decode(corpus[i], &len);
		struct guard guard = guard_create(len);

		cr_assert_eq(coap_msg_parse(&msg, whole, len), COAP_OK, "corpus %u", i);
		for (size_t cut = 0; cut <= len; cut++) {
			uint8_t *data = guard_take(&guard, cut);

			memcpy(data, whole, cut);
			if (coap_msg_parse(&msg, data, cut) == COAP_OK)
				cr_expect(same_when_written(&msg, data, cut),
					"corpus %u, %zu bytes", i, cut);
		}
		guard_free(&guard);
		free(whole);
	}
}

Test(coap_message, uint_values)
{
	static const struct {
		const char *bytes;
		uint16_t len;
		uint32_t value;
	} cases[] = {
		{"", 0, 0},
		{"\x00", 1, 0},
		{"\xff", 1, 255},
		{"\x00\x01", 2, 1}, // leading zeros are accepted (RFC 7252 section 3.2)
		{"\x01\x00", 2, 256},
		{"\x01\x00\x00", 3, 65536},
		{"\xff\xff\xff\xff", 4, UINT32_MAX},
	};
	uint32_t value;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct coap_option option = {
			.value = (const uint8_t *)cases[i].bytes, .len = cases[i].len};
		cr_assert(coap_option_uint(&option, &value));
		cr_expect_eq(value, cases[i].value);
	}
	struct coap_option option = {.value = (const uint8_t *)"\0\0\0\0\1", .len = 5};
	cr_expect_not(coap_option_uint(&option, &value));
}
