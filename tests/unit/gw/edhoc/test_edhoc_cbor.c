// SPDX-License-Identifier: BSD-3-Clause
// Deterministic CBOR only.

#include "gw/edhoc/cbor.h"
#include "tests/unit/hex.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

// Whether hex is one item, in a copy of exactly its length.
static bool whole(const char *hex)
{
	const uint8_t *item;
	size_t len;
	uint8_t *bytes = hex_decode(hex, &len), *copy = malloc(len ?: 1);

	memcpy(copy, bytes, len);
	struct edhoc_reader reader = edhoc_reader(copy, len);
	const bool good = edhoc_read_whole(&reader, &item) && !edhoc_reader_left(&reader);

	free(copy);
	free(bytes);
	return good;
}

Test(edhoc_cbor, good_items)
{
	static const char *const good[] = {"00", "17", "1818", "18ff", "190100", "1a00010000",
		"1b0000000100000000", "20", "37", "3818", "40", "4100", "60", "6161", "63e282ac",
		"64f0908080", "80", "820102", "a0", "a10102", "a201022003",
		"a2012002"
		"4100",
		"f4", "f5", "f6",
		"8181818181"
		"00",
		"a26161016162"
		"02"};

	for (unsigned i = 0; i < sizeof(good) / sizeof(*good); i++)
		cr_assert(whole(good[i]), "%s", good[i]);
}

Test(edhoc_cbor, bad_items)
{
	static const char *const bad[] = {
		"", "18", "1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "19", "1901", "1c",
		"1d", "1e", "1f",                                                     // heads
		"41", "420a", "5801aa", "5f4100ff", "7f6161ff", "5bffffffffffffffff", // strings
		"61ff", "62c080", "62c1bf", "63e08080", "63eda080", "64f0808080", "64f4908080",
		"64f5808080", "6180", "61c2", // no UTF-8
		"81", "9f00ff", "bf0102ff", "a1", "a101", "9bffffffffffffffff",
		"bbffffffffffffffff", // arrays and maps
		"a201020103", "a202010102", "a220010102", "a2616201616101",
		"a2"
		"f501"
		"0102",
		"a2180101"
		"0202",                                                   // order of keys
		"f7", "e0", "f0", "f800", "f8ff", "f93c00", "fa00000000", // simple values
		"fb0000000000000000", "ff", "c000", "d81840",
		"8181818181818100", // too deep
		"0000",             // two items
	};

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		cr_assert_not(whole(bad[i]), "%s", bad[i]);
}

Test(edhoc_cbor, what_is_written_is_read)
{
	static const int64_t values[] = {0, 23, 24, 255, 256, 65535, 65536, 0xffffffff, 0x100000000,
		INT64_MAX, -1, -24, -25, -256, -257, -65536, -65537, INT64_MIN};

	for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++) {
		uint8_t room[9];
		struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
		struct edhoc_reader reader;
		int64_t value;

		edhoc_write_int(&writer, values[i]);
		cr_assert(!writer.failed);
		reader = edhoc_reader(room, edhoc_writer_len(&writer));
		cr_assert(edhoc_read_int(&reader, &value) && value == values[i]);
		cr_assert_not(edhoc_reader_left(&reader));
	}
}

Test(edhoc_cbor, integers_beyond_64_bits_with_sign_are_refused)
{
	static const uint8_t big[] = {0x1b, 0x80, 0, 0, 0, 0, 0, 0, 0};
	struct edhoc_reader reader = edhoc_reader(big, sizeof(big));
	int64_t value;

	cr_assert_not(edhoc_read_int(&reader, &value));
}

Test(edhoc_cbor, a_writer_never_writes_behind_its_room)
{
	for (size_t len = 0; len < 40; len++) {
		uint8_t *room = malloc(len ?: 1);
		struct edhoc_writer writer = edhoc_writer(room, len);

		edhoc_write_bytes(&writer, (const uint8_t *)"0123456789012345678901234567", 28);
		cr_assert_eq(writer.failed, len < 30);
		cr_assert_leq(edhoc_writer_len(&writer), len);
		edhoc_write_int(&writer, 1); // not behind a failure
		cr_assert(!writer.failed || edhoc_writer_len(&writer) <= len);
		free(room);
	}
}
