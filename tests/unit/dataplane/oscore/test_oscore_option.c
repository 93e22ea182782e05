// SPDX-License-Identifier: BSD-3-Clause
// The OSCORE option: RFC 8613 sections 2, 6.1 and 6.3.

#include "dataplane/oscore/option.h"
#include "tests/unit/guard.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>

static enum osc_option_verdict parse_hex(struct osc_option *option, const char *hex)
{
	static uint8_t *data; // stays for the pointers in option
	size_t len;

	free(data);
	data = hex_decode(hex, &len);
	return osc_option_parse(option, data, len);
}

static void expect_verdict(const char *hex, enum osc_option_verdict want)
{
	struct osc_option option;

	cr_expect_eq(parse_hex(&option, hex), want, "%s", hex);
}

static bool same_when_written(const struct osc_option *option, const uint8_t *data, size_t len)
{
	uint8_t copy[OSC_OPTION_LEN_MAX + 256];
	int n = osc_option_encode(option, copy, sizeof(copy));

	return n == (int)len && (!len || !memcmp(copy, data, len));
}

Test(oscore_option, examples_of_section_6_3)
{
	static const struct {
		const char *hex, *kid, *kid_context; // NULL: none
		uint64_t piv;
		uint8_t piv_len;
	} examples[] = {
		{"090525", "25", NULL, 5, 1},
		{"0900", "", NULL, 0, 1},
		{"19050544616c656b", "", "44616c656b", 5, 1},
		{"", NULL, NULL, 0, 0},
		{"0107", NULL, NULL, 7, 1},
	};
	struct osc_option option;

	for (unsigned i = 0; i < sizeof(examples) / sizeof(examples[0]); i++) {
		size_t len, id_len;
		uint8_t *data = hex_decode(examples[i].hex, &len);

		cr_assert_eq(osc_option_parse(&option, data, len), OSC_OPTION_OK);
		cr_expect_eq(option.piv, examples[i].piv);
		cr_expect_eq(option.piv_len, examples[i].piv_len);
		cr_assert_eq(option.has_kid, examples[i].kid != NULL);
		if (option.has_kid) {
			uint8_t *id = hex_decode(examples[i].kid, &id_len);

			cr_assert_eq(option.kid_len, id_len);
			cr_expect(!id_len || !memcmp(option.kid, id, id_len));
			free(id);
		}
		cr_assert_eq(option.has_kid_context, examples[i].kid_context != NULL);
		if (option.has_kid_context) {
			uint8_t *id = hex_decode(examples[i].kid_context, &id_len);

			cr_assert_eq(option.kid_context_len, id_len);
			cr_expect_arr_eq(option.kid_context, id, id_len);
			free(id);
		}
		cr_expect(same_when_written(&option, data, len));
		free(data);
	}
}

Test(oscore_option, reserved_flags_are_malformed)
{
	expect_verdict("80", OSC_OPTION_RESERVED);
	expect_verdict("40", OSC_OPTION_RESERVED);
	expect_verdict("20", OSC_OPTION_RESERVED); // also the group flag of Group OSCORE
	expect_verdict("a90525", OSC_OPTION_RESERVED);
}

Test(oscore_option, partial_iv_lengths_6_and_7_are_reserved)
{
	expect_verdict("06010203040506", OSC_OPTION_RESERVED);
	expect_verdict("0701020304050607", OSC_OPTION_RESERVED);
	expect_verdict("0e010203040506", OSC_OPTION_RESERVED);
}

Test(oscore_option, every_field_that_runs_past_the_end_is_malformed)
{
	expect_verdict("09", OSC_OPTION_TRUNCATED);
	expect_verdict("0d01020304", OSC_OPTION_TRUNCATED);
	expect_verdict("1901", OSC_OPTION_TRUNCATED);     // no length of the kid context
	expect_verdict("19010500", OSC_OPTION_TRUNCATED); // four of its five bytes missing
	expect_verdict("10", OSC_OPTION_TRUNCATED);
	expect_verdict("10ff00", OSC_OPTION_TRUNCATED);
}

// Without the kid flag nothing may stand behind the kid context; a flag byte of 0 is written as no
// value at all (section 2).
Test(oscore_option, bytes_that_belong_to_nothing_are_malformed)
{
	expect_verdict("010500", OSC_OPTION_TRAILING);
	expect_verdict("1100014400", OSC_OPTION_TRAILING);
	expect_verdict("00", OSC_OPTION_TRAILING);
	expect_verdict("0000", OSC_OPTION_TRAILING);
}

// Section 5: the Partial IV is encoded in as few bytes as possible, or one PIV had two AADs.
Test(oscore_option, partial_iv_with_leading_zeros_is_refused)
{
	expect_verdict("090025", OSC_OPTION_OK);
	expect_verdict("0a000525", OSC_OPTION_PIV_PADDED);
	expect_verdict("0a000025", OSC_OPTION_PIV_PADDED);
	expect_verdict("0d0000000001", OSC_OPTION_PIV_PADDED);
	expect_verdict("0d00ffffffff", OSC_OPTION_PIV_PADDED);
	expect_verdict("0a010025", OSC_OPTION_OK);
}

Test(oscore_option, empty_kid_is_a_kid)
{
	struct osc_option option;

	cr_assert_eq(parse_hex(&option, "0914"), OSC_OPTION_OK);
	cr_expect(option.has_kid);
	cr_expect_eq(option.kid_len, 0);
	cr_assert_eq(parse_hex(&option, "0114"), OSC_OPTION_OK);
	cr_expect_not(option.has_kid);
	cr_assert_eq(parse_hex(&option, "08"), OSC_OPTION_OK);
	cr_expect(option.has_kid);
	cr_expect_eq(option.piv_len, 0);
}

Test(oscore_option, empty_kid_context_is_a_kid_context)
{
	struct osc_option option;

	cr_assert_eq(parse_hex(&option, "19140001"), OSC_OPTION_OK);
	cr_expect(option.has_kid_context);
	cr_expect_eq(option.kid_context_len, 0);
	cr_expect_eq(option.kid_len, 1);
}

Test(oscore_option, kid_longer_than_any_sender_id_is_handed_out_with_its_length)
{
	struct osc_option option;

	cr_assert_eq(parse_hex(&option, "0914 0001020304050607"), OSC_OPTION_OK);
	cr_expect_eq(option.kid_len, 8);
}

// Peers have kept one byte, 31 bits or 32 bits of it.
Test(oscore_option, partial_iv_of_every_length)
{
	static const struct {
		uint64_t piv;
		const char *hex;
	} cases[] = {
		{0, "0100"},
		{1, "0101"},
		{255, "01ff"},
		{256, "020100"},
		{65535, "02ffff"},
		{65536, "03010000"},
		{UINT64_C(1) << 24, "0401000000"},
		{UINT64_C(1) << 31, "0480000000"},
		{UINT32_MAX, "04ffffffff"},
		{UINT64_C(1) << 32, "050100000000"},
		{OSC_PIV_MAX, "05ffffffffff"},
	};
	struct osc_option option;

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		uint8_t *data = hex_decode(cases[i].hex, &len);

		cr_assert_eq(osc_option_parse(&option, data, len), OSC_OPTION_OK);
		cr_expect_eq(option.piv, cases[i].piv);
		cr_expect(same_when_written(&option, data, len));
		free(data);
	}
}

Test(oscore_option, a_sequence_number_of_2_to_the_40_is_not_encoded)
{
	struct osc_option option = {.piv = OSC_PIV_MAX + 1, .piv_len = 1};
	uint8_t buf[16];

	cr_expect_eq(osc_option_encode(&option, buf, sizeof(buf)), -1);
}

Test(oscore_option, encoding_stays_inside_its_room)
{
	struct osc_option option = {
		.piv = 256,
		.piv_len = 1, // any length but 0: the shortest is written
		.has_kid_context = true,
		.kid_context = (const uint8_t *)"context",
		.kid_context_len = 7,
		.has_kid = true,
		.kid = (const uint8_t *)"kid",
		.kid_len = 3,
	};
	const int whole = 1 + 2 + 1 + 7 + 3;
	struct guard guard = guard_create(whole);

	for (int room = 0; room <= whole; room++) {
		uint8_t *buf = guard_take(&guard, room);

		cr_assert_eq(osc_option_encode(&option, buf, room), room == whole ? whole : -1);
		cr_assert(guard_intact(&guard));
	}
	guard_free(&guard);
}

// All values of up to two bytes, and a sample of longer ones: what is accepted has one form only,
// and nothing behind the end is read.
Test(oscore_option, what_parses_is_written_again_as_the_same_bytes)
{
	enum { LEN_MAX = 24 };
	struct guard guard = guard_create(LEN_MAX);
	struct osc_option option;
	uint64_t state = 1;
	unsigned accepted = 0;

	for (uint32_t i = 0; i < 65536 + 256 + 400000; i++) {
		unsigned len = i < 256 ? 1 : i < 65536 + 256 ? 2 : 3 + i % (LEN_MAX - 2);
		uint8_t *data = guard_take(&guard, len);

		for (unsigned j = 0; j < len; j++) {
			state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
			data[j] = (uint8_t)(state >> 56);
		}
		data[0] = len < 3 ? (uint8_t)i : data[0] & 0x3f;
		if (len == 2)
			data[1] = (uint8_t)((i - 256) >> 8);
		if (osc_option_parse(&option, data, len) != OSC_OPTION_OK)
			continue;
		accepted++;
		cr_assert(same_when_written(&option, data, len));
	}
	cr_expect_gt(accepted, 1000);
	guard_free(&guard);
}
