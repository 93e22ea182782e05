// SPDX-License-Identifier: BSD-3-Clause
// The messages of the control socket: nothing that is not bounded and well formed gets past the
// walker, and the writer writes what the walker takes.

#include "gw/ctl/cbor_walk.h"
#include "gw/ctl/cbor_write.h"
#include "tests/unit/guard.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct ctl_writer out;

// Reads everything inside an item, as a handler might.
static unsigned read_all(const struct ctl_cbor *item)
{
	unsigned items = 1;

	if (item->type == CTL_CBOR_ARRAY || item->type == CTL_CBOR_MAP) {
		struct ctl_cbor_iter iter = ctl_cbor_iter(item);
		struct ctl_cbor inner;

		while (ctl_cbor_next(&iter, &inner))
			items += read_all(&inner);
	} else if (item->type == CTL_CBOR_BYTES || item->type == CTL_CBOR_TEXT) {
		volatile uint8_t byte = 0;

		for (uint64_t i = 0; i < item->value; i++)
			byte ^= item->data[i];
	}
	return items;
}

// Walks a copy behind which nothing can be read, and reads it if it passes.
static enum ctl_cbor_verdict walk(const uint8_t *data, size_t len)
{
	struct guard guard = guard_create(len);
	uint8_t *copy = guard_take(&guard, len);
	enum ctl_cbor_verdict verdict;

	if (len)
		memcpy(copy, data, len);
	verdict = ctl_cbor_walk(copy, len);
	if (verdict == CTL_CBOR_OK) {
		struct ctl_cbor root = ctl_cbor_root(copy, len);

		read_all(&root);
	}
	guard_free(&guard);
	return verdict;
}

struct walk_case {
	const char *what;
	const char *hex;
	enum ctl_cbor_verdict verdict;
};

static const struct walk_case cases[] = {
	{"no byte", "", CTL_CBOR_TRUNCATED},
	{"a number", "00", CTL_CBOR_OK},
	{"the largest number", "1b ffffffffffffffff", CTL_CBOR_OK},
	{"a negative number", "39 01f3", CTL_CBOR_OK},
	{"true, false, null", "83 f5 f4 f6", CTL_CBOR_OK},
	{"a number in a long form", "1a 00000001", CTL_CBOR_OK},
	{"empty containers", "82 80 a0", CTL_CBOR_OK},

	{"an array of 2^30", "9a 3fffffff", CTL_CBOR_TRUNCATED},
	{"an array of 2^64-1", "9b ffffffffffffffff", CTL_CBOR_TRUNCATED},
	{"an array of 2^64-1 inside", "81 9b ffffffffffffffff", CTL_CBOR_TRUNCATED},
	{"a map of 2^64-1", "bb ffffffffffffffff", CTL_CBOR_TRUNCATED},
	{"a map of 2^63, whose items wrap", "bb 8000000000000000", CTL_CBOR_TRUNCATED},
	{"a map with one byte for its pair", "a1 60", CTL_CBOR_TRUNCATED},
	{"bytes of 2^64-1", "5b ffffffffffffffff 00", CTL_CBOR_TRUNCATED},
	{"bytes whose end wraps", "5b fffffffffffffff7 0000", CTL_CBOR_TRUNCATED},
	{"text of 2^64-1", "7b ffffffffffffffff 61", CTL_CBOR_TRUNCATED},
	{"text of 2^31", "7a 80000000 61", CTL_CBOR_TRUNCATED},
	{"a head without its length", "19 01", CTL_CBOR_TRUNCATED},
	{"an array that lacks an item", "82 00", CTL_CBOR_TRUNCATED},

	{"two items", "00 00", CTL_CBOR_TRAILING},
	{"a byte behind an array", "81 00 00", CTL_CBOR_TRAILING},

	{"an array without an end", "9f ff", CTL_CBOR_REFUSED},
	{"a map without an end", "bf ff", CTL_CBOR_REFUSED},
	{"bytes in pieces", "5f 41 00 ff", CTL_CBOR_REFUSED},
	{"text in pieces", "7f 61 61 ff", CTL_CBOR_REFUSED},
	{"an end of nothing", "ff", CTL_CBOR_REFUSED},
	{"a tag", "c0 60", CTL_CBOR_REFUSED},
	{"a tag inside", "81 d8 18 40", CTL_CBOR_REFUSED},
	{"a half float", "f9 3c00", CTL_CBOR_REFUSED},
	{"a float", "fa 3f800000", CTL_CBOR_REFUSED},
	{"a double", "fb 3ff0000000000000", CTL_CBOR_REFUSED},
	{"undefined", "f7", CTL_CBOR_REFUSED},
	{"a simple value", "e0", CTL_CBOR_MALFORMED},
	{"a simple value in a byte", "f8 ff", CTL_CBOR_MALFORMED},
	{"a reserved head", "1c", CTL_CBOR_MALFORMED},
	{"a number without an end", "1f", CTL_CBOR_MALFORMED},

	{"8 levels", "81 81 81 81 81 81 81 80", CTL_CBOR_OK},
	{"9 levels", "81 81 81 81 81 81 81 81 80", CTL_CBOR_TOO_DEEP},
	{"9 levels of maps", "a160 a160 a160 a160 a160 a160 a160 a160 a160 00", CTL_CBOR_TOO_DEEP},

	{"a key that is a number", "a1 00 00", CTL_CBOR_BAD_KEY},
	{"a key that is bytes", "a1 41 61 00", CTL_CBOR_BAD_KEY},
	{"a key that is an array", "a1 80 00", CTL_CBOR_BAD_KEY},
	{"a key twice", "a2 6161 00 6161 01", CTL_CBOR_BAD_KEY},
	{"a key twice, in two forms", "a2 6161 00 780161 01", CTL_CBOR_BAD_KEY},
	{"an empty key twice", "a2 60 00 60 01", CTL_CBOR_BAD_KEY},
	{"a key twice, with others between", "a3 6161 80 6162 a0 6161 00", CTL_CBOR_BAD_KEY},
	{"a key in two maps", "82 a1 6161 00 a1 6161 00", CTL_CBOR_OK},
	{"a key in a map and in one inside", "a1 6161 a1 6161 00", CTL_CBOR_OK},

	{"UTF-8 of every length", "6a 61 c3a4 e282ac f09f9880", CTL_CBOR_OK},
	{"a lone continuation byte", "61 80", CTL_CBOR_BAD_TEXT},
	{"a sequence cut off", "62 e282", CTL_CBOR_BAD_TEXT},
	{"a slash that is too long", "62 c0af", CTL_CBOR_BAD_TEXT},
	{"a three-byte form that is too long", "63 e08080", CTL_CBOR_BAD_TEXT},
	{"a surrogate", "63 eda080", CTL_CBOR_BAD_TEXT},
	{"beyond U+10FFFF", "64 f4908080", CTL_CBOR_BAD_TEXT},
	{"a four-byte form that is too long", "64 f0808080", CTL_CBOR_BAD_TEXT},
	{"a key that is no UTF-8", "a1 61 ff 00", CTL_CBOR_BAD_TEXT},
};

Test(ctl_cbor, walker_verdicts)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len;
		uint8_t *data = hex_decode(cases[i].hex, &len);
		enum ctl_cbor_verdict verdict = walk(data, len);

		cr_expect(verdict == cases[i].verdict, "%s: %s", cases[i].what,
			ctl_cbor_verdict_text(verdict));
		free(data);
	}
}

// These five bytes make a tree builder ask for gigabytes.
Test(ctl_cbor, huge_array_takes_no_memory)
{
	static const uint8_t bomb[] = {0x9a, 0x3f, 0xff, 0xff, 0xff};
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_eq(ctl_cbor_walk(bomb, sizeof(bomb)), CTL_CBOR_TRUNCATED);
	getrusage(RUSAGE_SELF, &after);
	cr_expect_leq(after.ru_maxrss - before.ru_maxrss, 1024, "1 MB would be too much");
}

Test(ctl_cbor, bounds_of_items_and_keys)
{
	uint8_t *data = malloc(CTL_MESSAGE_MAX);

	memset(data, 0x81, CTL_MESSAGE_MAX);
	cr_expect_eq(walk(data, CTL_MESSAGE_MAX), CTL_CBOR_TOO_DEEP);

	// As many items as may be, the array itself counted, and one more.
	memset(data, 0, CTL_MESSAGE_MAX);
	data[0] = 0x99;
	data[1] = (CTL_CBOR_ITEMS_MAX - 1) >> 8;
	data[2] = (CTL_CBOR_ITEMS_MAX - 1) & 0xff;
	cr_expect_eq(walk(data, 3 + CTL_CBOR_ITEMS_MAX - 1), CTL_CBOR_OK);
	data[1] = CTL_CBOR_ITEMS_MAX >> 8;
	data[2] = CTL_CBOR_ITEMS_MAX & 0xff;
	cr_expect_eq(walk(data, 3 + CTL_CBOR_ITEMS_MAX), CTL_CBOR_TOO_MANY);

	for (unsigned keys = CTL_CBOR_KEYS_MAX; keys <= CTL_CBOR_KEYS_MAX + 1; keys++) {
		ctl_writer_init(&out);
		ctl_write_map(&out);
		for (unsigned i = 0; i < keys; i++) {
			char key[8];

			snprintf(key, sizeof(key), "%u", i);
			ctl_put_uint(&out, key, i);
		}
		ctl_write_close(&out);
		cr_assert(ctl_writer_done(&out));
		cr_expect_eq(walk(out.data, out.len),
			keys > CTL_CBOR_KEYS_MAX ? CTL_CBOR_TOO_MANY : CTL_CBOR_OK);
	}
	free(data);
}

// A request with every kind of item.
static void write_sample(void)
{
	ctl_writer_init(&out);
	ctl_write_array(&out);
	ctl_write_uint(&out, 70000);
	ctl_write_text(&out, "device add");
	ctl_write_map(&out);
	ctl_put_text(&out, "name", "käfer");
	ctl_put_bytes(&out, "master_secret", "0123456789abcdef0123456789abcdef", 32);
	ctl_put_bool(&out, "never_used", true);
	ctl_write_text(&out, "more");
	ctl_write_array(&out);
	for (unsigned i = 0; i < 30; i++)
		ctl_write_uint(&out, i * i * i);
	ctl_write_map(&out);
	ctl_write_close(&out);
	ctl_write_close(&out);
	ctl_put_uint(&out, "last", UINT64_MAX);
	ctl_write_close(&out);
	ctl_write_close(&out);
	cr_assert(ctl_writer_done(&out));
}

Test(ctl_cbor, truncation_at_every_byte)
{
	write_sample();
	for (size_t len = 0; len < out.len; len++)
		cr_expect_eq(walk(out.data, len), CTL_CBOR_TRUNCATED, "%zu bytes", len);
	cr_expect_eq(walk(out.data, out.len), CTL_CBOR_OK);
}

Test(ctl_cbor, every_bit_flipped_is_read_within_bounds)
{
	write_sample();
	for (size_t bit = 0; bit < out.len * 8; bit++) {
		out.data[bit / 8] ^= 1 << bit % 8;
		(void)!walk(out.data, out.len);
		out.data[bit / 8] ^= 1 << bit % 8;
	}
}

Test(ctl_cbor, reading_finds_what_was_written)
{
	struct ctl_cbor root, item, map;
	struct ctl_cbor_iter iter;

	write_sample();
	root = ctl_cbor_root(out.data, out.len);
	cr_assert(root.type == CTL_CBOR_ARRAY && root.value == 3);
	iter = ctl_cbor_iter(&root);
	cr_assert(ctl_cbor_next(&iter, &item) && item.type == CTL_CBOR_UINT);
	cr_expect_eq(item.value, 70000);
	cr_assert(ctl_cbor_next(&iter, &item));
	cr_expect(ctl_cbor_is_text(&item, "device add"));
	cr_expect_not(ctl_cbor_is_text(&item, "device"));
	cr_expect_not(ctl_cbor_is_text(&item, "device adds"));
	cr_assert(ctl_cbor_next(&iter, &map) && map.type == CTL_CBOR_MAP);
	cr_expect_not(ctl_cbor_next(&iter, &item), "the array ends");
	cr_expect(ctl_cbor_find(&map, "last", &item) && item.value == UINT64_MAX);
	cr_expect(ctl_cbor_find(&map, "never_used", &item) && item.type == CTL_CBOR_BOOL);
	cr_expect(ctl_cbor_find(&map, "master_secret", &item) && item.value == 32);
	cr_expect_not(ctl_cbor_find(&map, "lost", &item));
	cr_expect_eq(read_all(&root), 1 + 3 + 5 * 2 + 31);
}

// RFC 8949 section 4.1: the shortest form of every head.
Test(ctl_cbor, writer_uses_the_shortest_form)
{
	static const struct {
		unsigned items;
		const char *head;
	} arrays[] = {{0, "80"}, {23, "97"}, {24, "9818"}, {255, "98ff"}, {256, "990100"}};

	for (size_t i = 0; i < sizeof(arrays) / sizeof(arrays[0]); i++) {
		size_t len;
		uint8_t *head = hex_decode(arrays[i].head, &len);

		ctl_writer_init(&out);
		ctl_write_array(&out);
		for (unsigned n = 0; n < arrays[i].items; n++)
			ctl_write_bool(&out, true);
		ctl_write_close(&out);
		cr_assert(ctl_writer_done(&out));
		cr_expect_eq(out.len, len + arrays[i].items);
		cr_expect_arr_eq(out.data, head, len);
		free(head);
	}
}

Test(ctl_cbor, writer_tells_what_does_not_fit)
{
	static uint8_t big[CTL_MESSAGE_MAX];

	ctl_writer_init(&out);
	ctl_write_bytes(&out, big, sizeof(big) - 3);
	cr_expect(ctl_writer_done(&out), "exactly full");
	ctl_writer_init(&out);
	ctl_write_bytes(&out, big, sizeof(big) - 2);
	cr_expect_not(ctl_writer_done(&out), "one byte too many");
	ctl_writer_init(&out);
	ctl_write_array(&out);
	ctl_write_bytes(&out, big, sizeof(big) - 3);
	ctl_write_close(&out);
	cr_expect_not(ctl_writer_done(&out), "no room for the array's head");
	ctl_writer_init(&out);
	ctl_write_map(&out);
	cr_expect_not(ctl_writer_done(&out), "left open");
	ctl_writer_init(&out);
	ctl_write_close(&out);
	cr_expect_not(ctl_writer_done(&out), "nothing to close");
	ctl_writer_init(&out);
	for (unsigned i = 0; i <= CTL_CBOR_DEPTH_MAX; i++)
		ctl_write_array(&out);
	cr_expect_not(ctl_writer_done(&out), "too deep");
}

Test(ctl_cbor, writer_repairs_text_that_is_no_utf8)
{
	ctl_writer_init(&out);
	ctl_write_text(&out, "a\xff\xc3\xa4\xe2\x82");
	cr_expect_eq(walk(out.data, out.len), CTL_CBOR_OK);
	cr_expect_arr_eq(out.data,
		"\x66"
		"a?\xc3\xa4??",
		7);
}
