// SPDX-License-Identifier: BSD-3-Clause
// CBOR to JSON: the table of docs/http.md, row by row.

#include "tests/unit/gw/translate/bed.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct tr_bed bed;

struct row {
	const char *cbor, *json; // or "what @ place"
};

static void check_form(enum tr_form form, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *json = tr_bed_json(&bed, form, rows[i].cbor, TR_BED_ROOM);

		cr_expect_str_eq(
			json, rows[i].json, "%s: %s, not %s", rows[i].cbor, json, rows[i].json);
	}
}

#define CHECK(form, rows) check_form(form, rows, sizeof(rows) / sizeof(rows[0]))

// Many are of RFC 8949 appendix A.
Test(translate_json, numbers)
{
	static const struct row rows[] = {
		{"00", "0"},
		{"17", "23"},
		{"1818", "24"},
		{"1903e8", "1000"},
		{"1a000f4240", "1000000"},
		{"1b000000e8d4a51000", "1000000000000"},
		{"1b0000000000000005", "5"}, // not the shortest form
		{"20", "-1"},
		{"3903e7", "-1000"},
		{"1b0020000000000000", "9007199254740992"},
		{"3b001fffffffffffff", "-9007199254740992"},
		{"1b0020000000000001", "an integer beyond 2^53 @ byte 0"},
		{"3b0020000000000000", "an integer beyond 2^53 @ byte 0"},
		{"1bffffffffffffffff", "an integer beyond 2^53 @ byte 0"},
		{"3bffffffffffffffff", "an integer beyond 2^53 @ byte 0"},
		{"f90000", "0.0"},
		{"f98000", "-0.0"},
		{"f93c00", "1.0"},
		{"fb3ff199999999999a", "1.1"},
		{"f93e00", "1.5"},
		{"f97bff", "65504.0"},
		{"fa47c35000", "100000.0"},
		{"fa7f7fffff", "3.4028234663852886e+38"},
		{"fb7e37e43c8800759c", "1e+300"},
		{"f90001", "5.9604644775390625e-08"},
		{"f90400", "6.103515625e-05"},
		{"f9c400", "-4.0"},
		{"fbc010666666666666", "-4.1"},
		{"fb0000000000000001", "4.94065645841247e-324"},
		{"fa41aa6666", "21.299999237060547"},
		{"fb42d6bcc41e900000", "100000000000000.0"},
		{"fb430c6bf526340000", "1e+15"},
		{"fb4341c37937e08000", "1e+16"},
		{"f97c00", "an infinity @ byte 0"},
		{"faff800000", "an infinity @ byte 0"},
		{"f97e00", "NaN @ byte 0"},
		{"fb7ff8000000000000", "NaN @ byte 0"},
	};

	CHECK(TR_PLAIN, rows);
}

Test(translate_json, tags)
{
	static const struct row rows[] = {
		{"c240", "0"},
		{"c2420100", "256"},
		{"c247 00000000000001", "1"},
		{"c25f 4101 4100 ff", "256"},
		{"c340", "-1"},
		{"c3420100", "-257"},
		{"c247 20000000000000", "9007199254740992"},
		{"c347 1fffffffffffff", "-9007199254740992"},
		{"c247 20000000000001", "an integer beyond 2^53 @ byte 1"},
		{"c347 20000000000000", "an integer beyond 2^53 @ byte 1"},
		{"c249 010000000000000000", "an integer beyond 2^53 @ byte 1"},
		{"c349 ffffffffffffffffff", "an integer beyond 2^53 @ byte 1"},
		{"c482 21 196ab3", "273.15"},
		{"c482 21 396ab2", "-273.15"},
		{"c482 23 05", "0.0005"},
		{"c482 20 24", "-0.5"},
		{"c482 00 1864", "100"},
		{"c482 02 05", "5e2"},
		{"c482 33 05", "0.00000000000000000005"},
		{"c482 34 05", "5e-21"},
		{"c482 3903e7 00", "0"},
		{"c482 190134 01", "1e308"},
		{"c482 190134 02", "a decimal fraction beyond a double @ byte 5"},
		{"c482 390142 05", "5e-323"},
		{"c482 390144 01", "a decimal fraction beyond a double @ byte 5"},
		{"c482 3903e7 01", "a decimal fraction beyond a double @ byte 5"},
		{"c482 1b0020000000000000 01", "a decimal fraction beyond a double @ byte 11"},
		{"c482 1bffffffffffffffff 01", "an integer beyond 2^53 @ byte 2"},
		{"c482 21 c24101", "0.01"},
		{"c49f 21 196ab3 ff", "273.15"},
		{"c49f 21 196ab3 01ff", "a tag that has no JSON @ byte 6"},
		{"c481 21", "a tag that has no JSON @ byte 1"},
		{"c483 21 01 01", "a tag that has no JSON @ byte 1"},
		{"c482 f93c00 01", "a tag that has no JSON @ byte 2"},
		{"c482 c24101 01", "a tag that has no JSON @ byte 2"},
		{"c482 21 f93c00", "a tag that has no JSON @ byte 3"},
		{"c201", "a tag that has no JSON @ byte 1"},
		{"c26161", "a tag that has no JSON @ byte 1"},
		{"c401", "a tag that has no JSON @ byte 1"},
		{"c074323031332d30332d32315432303a30343a30305a", "a tag that has no JSON @ byte 0"},
		{"c11a514b67b0", "a tag that has no JSON @ byte 0"},
		{"c5822003", "a tag that has no JSON @ byte 0"},
		{"d74401020304", "a tag that has no JSON @ byte 0"},
		{"d9d9f700", "a tag that has no JSON @ byte 0"},
		{"db000000000000000200", "a tag that has no JSON @ byte 9"},
		{"db000000000000001000", "a tag that has no JSON @ byte 0"},
	};

	CHECK(TR_PLAIN, rows);
}

Test(translate_json, strings)
{
	static const struct row rows[] = {
		{"60", "\"\""},
		{"6449455446", "\"IETF\""},
		{"62225c", "\"\\\"\\\\\""},
		{"62c3bc", "\"\u00fc\""},
		{"64f0908591", "\"\U00010151\""},
		{"68 08090a0c0d2f7f1f", "\"\\b\\t\\n\\f\\r/\x7f\\u001f\""},
		{"6100", "\"\\u0000\""},
		{"7f 657374726561 646d696e67 ff", "\"streaming\""},
		{"7fff", "\"\""},
		{"62c3", "the payload ends inside an item @ byte 2"},
		{"61c3", "text that is not UTF-8 @ byte 0"},
		{"63eda080", "text that is not UTF-8 @ byte 0"},
		{"62c080", "text that is not UTF-8 @ byte 0"},
		// RFC 8949 section 3.2.3: no character goes over two parts.
		{"7f 61c3 61bc ff", "text that is not UTF-8 @ byte 1"},
		{"7f 4161 ff", "not CBOR @ byte 1"},
		{"7f 7f 6161 ff ff", "not CBOR @ byte 1"},
		{"7f 6161", "the payload ends inside an item @ byte 3"},
		{"40", "\"\""},
		{"4101", "\"AQ\""},
		{"420102", "\"AQI\""},
		{"43010203", "\"AQID\""},
		{"4401020304", "\"AQIDBA\""},
		{"43ffefbe", "\"_---\""},
		{"5f 41ff 42efbe ff", "\"_---\""},
		{"5f 41ff 40 41ef ff", "\"_-8\""},
		{"5f 6161 ff", "not CBOR @ byte 1"},
	};

	CHECK(TR_PLAIN, rows);
}

Test(translate_json, arrays_and_maps)
{
	static const struct row rows[] = {
		{"80", "[]"},
		{"83010203", "[1,2,3]"},
		{"8301820203820405", "[1,[2,3],[4,5]]"},
		{"a0", "{}"},
		{"a26161016162820203", "{\"a\":1,\"b\":[2,3]}"},
		{"826161a161626163", "[\"a\",{\"b\":\"c\"}]"},
		{"9fff", "[]"},
		{"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
		{"bfff", "{}"},
		{"bf6346756ef563416d7421ff", "{\"Fun\":true,\"Amt\":-2}"},
		{"83f4f5f6", "[false,true,null]"},
		{"a1 7f616161 62ff 01", "{\"ab\":1}"},
		{"a1 60 01", "{\"\":1}"},
		{"a1 6122 01", "{\"\\\"\":1}"},
		{"82 01", "the payload ends inside an item @ byte 2"},
		{"a2 6161 01", "the payload ends inside an item @ byte 4"},
		{"9bffffffffffffffff", "the payload ends inside an item @ byte 9"},
		{"bbffffffffffffffff", "the payload ends inside an item @ byte 9"},
		{"bb8000000000000001", "the payload ends inside an item @ byte 9"},
		{"9f", "the payload ends inside an item @ byte 1"},
		{"ff", "not CBOR @ byte 0"},
		{"81ff", "not CBOR @ byte 1"},
		{"bf6161ff", "not CBOR @ byte 3"},
		{"a1ff00", "not CBOR @ byte 1"},
		{"0000", "bytes behind the item @ byte 1"},
		{"8000", "bytes behind the item @ byte 1"},
		{"", "the payload ends inside an item @ byte 0"},
		{"1c", "not CBOR @ byte 0"},
		{"fc", "not CBOR @ byte 0"},
	};

	CHECK(TR_PLAIN, rows);
}

// What is refused is named by the keys and indices that lead there.
Test(translate_json, places)
{
	static const struct row rows[] = {
		{"82 01 a1 6176 f97e00", "NaN @ /1/v"},
		{"82 01 a1 6176 82 00 f7", "undefined @ /1/v/1"},
		{"81 f7", "undefined @ /0"},
		{"81 e0", "a simple value @ /0"},
		{"81 f3", "a simple value @ /0"},
		{"81 f8ff", "a simple value @ /0"},
		{"81 f800", "not CBOR @ byte 1"},
		{"81 f8", "the payload ends inside an item @ byte 2"},
		{"a1 6161 c100", "a tag that has no JSON @ /a"},
		{"a2 6161 00 6162 c100", "a tag that has no JSON @ /b"},
		{"a2 6161 a1 6162 00 6163 1bffffffffffffffff", "an integer beyond 2^53 @ /c"},
		{"a1 01 00", "a key that is no text @ byte 1"},
		{"81 a1 01 00", "a key that is no text @ /0"},
		{"81 a1 4161 00", "a key that is no text @ /0"},
		{"81 a1 c100 00", "a key that is no text @ /0"},
		{"81 a1 80 00", "a key that is no text @ /0"},
		{"81 a1 f97e00 00", "a key that is no text @ /0"},
		{"81 a1 61ff 00", "text that is not UTF-8 @ /0"},
		{"a2 6161 00 6161 00", "a key that is there twice @ /a"},
		{"81 a3 6161 00 6162 00 6161 00", "a key that is there twice @ /0/a"},
		{"bf 6161 00 7f 6161 ff 00 ff", "a key that is there twice @ /a"},
		{"a2 6161 a1 6161 00 6162 a1 6161 00", "{\"a\":{\"a\":0},\"b\":{\"a\":0}}"},
		{"a2 6161 a1 6162 00 6162 00", "{\"a\":{\"b\":0},\"b\":0}"},
		{"a1 632f7e61 f7", "undefined @ /~1~0a"},
		{"a1 78226161616161616161616161616161616161616161616161616161616161616161c3bc a1 6a"
		 "62626262626262626262 f7",
			"undefined @ /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\u00fc/bbbbbbbb..."},
	};

	CHECK(TR_PLAIN, rows);
}

Test(translate_json, depth)
{
	char hex[2 * 20 + 1] = "";

	for (unsigned depth = 1; depth <= 17; depth++) {
		memset(hex, 0, sizeof(hex));
		for (unsigned i = 0; i < depth; i++)
			strcat(hex, i + 1 < depth ? "81" : "80");
		const char *json = tr_bed_json(&bed, TR_PLAIN, hex, TR_BED_ROOM);

		if (depth <= 16)
			cr_expect_eq(strlen(json), 2 * depth, "%s", json);
		else
			cr_expect_str_eq(json,
				"more than 16 arrays and maps inside each other @ "
				"/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0/0");
	}
}

// RFC 8428 sections 5.1.2 and 6: the same pack in both.
Test(translate_json, senml)
{
	static const struct row rows[] = {
		{"87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303a15b001"
		 "0"
		 "6223614120050067766f6c7461676501615602fb405e066666666666a3006763757272656e7406240"
		 "2"
		 "fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccccccda3006763757272656e7"
		 "4"
		 "062202fb3ff6666666666666a3006763757272656e74062102f93e00a3006763757272656e7406200"
		 "2"
		 "fb3ff999999999999aa2006763757272656e7402fb3ffb333333333333",
			"[{\"bn\":\"urn:dev:ow:10e2073a0108006:\",\"bt\":1276020076.001,"
			"\"bu\":\"A\",\"bver\":5,\"n\":\"voltage\",\"u\":\"V\",\"v\":120.1},"
			"{\"n\":\"current\",\"t\":-5,\"v\":1.2},{\"n\":\"current\",\"t\":-4,"
			"\"v\":1.3},{\"n\":\"current\",\"t\":-3,\"v\":1.4},{\"n\":\"current\","
			"\"t\":-2,\"v\":1.5},{\"n\":\"current\",\"t\":-1,\"v\":1.6},"
			"{\"n\":\"current\",\"v\":1.7}]"},
		{"81 af 2000 2160 2200 2360 2400 2500 0060 0160 0200 0360 04f4 0500 0600 0700 "
		 "084101",
			"[{\"bver\":0,\"bn\":\"\",\"bt\":0,\"bu\":\"\",\"bv\":0,\"bs\":0,\"n\":"
			"\"\","
			"\"u\":\"\",\"v\":0,\"vs\":\"\",\"vb\":false,\"s\":0,\"t\":0,\"ut\":0,"
			"\"vd\":\"AQ\"}]"},
		{"9f a1 02 01 a1 02 c4822005 ff", "[{\"v\":1},{\"v\":0.5}]"},
		{"81 a1 6161 a1 6162 00", "[{\"a\":{\"b\":0}}]"},
		{"81 a2 02 01 6161 5f 4101 ff", "[{\"v\":1,\"a\":\"AQ\"}]"},
		{"82 a1 02 01 a1 02 f97e00", "NaN @ /1/v"},
		{"81 a2 02 01 6176 01", "a key that is there twice @ /0/v"},
		{"81 a1 09 00", "a key that is no text @ /0"},
		{"81 a1 26 00", "a key that is no text @ /0"},
		{"81 a1 3bffffffffffffffff 00", "a key that is no text @ /0"},
		// Labels are those of records.
		{"a1 02 00", "a key that is no text @ byte 1"},
		{"81 81 a1 02 00", "a key that is no text @ /0/0"},
		{"81 a1 6161 a1 02 00", "a key that is no text @ /0/a"},
		{"a1 6161 a1 02 00", "a key that is no text @ /a"},
	};

	CHECK(TR_SENML, rows);
	cr_expect_str_eq(
		tr_bed_json(&bed, TR_PLAIN, "81a10200", TR_BED_ROOM), "a key that is no text @ /0");
}

// Whatever the room, nothing is written behind it, and what does not fit is told.
Test(translate_json, every_room)
{
	static const char *const rows[] = {
		"82 a2 6161 f5 6162 83 f4 f6 fb3ff199999999999a 7f 6161 6162 ff",
		"84 a1 6161 f5 c48221196ab3 63c3bc0a 4401020304",
		"81a2006163020a",
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *json = tr_bed_json(&bed, TR_SENML, rows[i], TR_BED_ROOM);

		cr_assert_eq(bed.verdict, TR_OK);
		size_t len = strlen(json);
		for (size_t room = 0; room < len; room++)
			cr_expect_str_eq(tr_bed_json(&bed, TR_SENML, rows[i], room), "too long",
				"%zu", room);
		cr_expect_eq(strlen(tr_bed_json(&bed, TR_SENML, rows[i], len)), len);
	}
}

// Each half, by the formula of RFC 8949 appendix D; what is written reads as the same double.
Test(translate_json, every_half)
{
	char hex[8];

	for (unsigned half = 0; half <= UINT16_MAX; half++) {
		int exponent = half >> 10 & 31;
		double fraction = half & 0x3ff;
		double value =
			exponent ? ldexp(fraction + 1024, exponent - 25) : ldexp(fraction, -24);

		snprintf(hex, sizeof(hex), "f9%04x", half);
		const char *json = tr_bed_json(&bed, TR_PLAIN, hex, TR_BED_ROOM);
		if (exponent == 31) {
			cr_assert_neq(bed.verdict, TR_OK);
			continue;
		}
		if (half & 0x8000)
			value = -value;
		cr_assert_eq(bed.verdict, TR_OK);
		double read = strtod(json, NULL);
		cr_assert(read == value && !signbit(read) == !signbit(value), "%s: %s", hex, json);
		cr_assert(strpbrk(json, ".e"), "%s", json);
	}
}

// A map has as many keys as there is room for, however they are sorted; one that is there twice is
// found wherever it stands.
Test(translate_json, many_keys)
{
	static char hex[TR_KEYS_MAX * 14 + 64];

	for (unsigned count = 3; count <= TR_KEYS_MAX + 1; count += count < 40 ? 1 : 1352) {
		for (unsigned twin = 0; twin < 2; twin++) {
			char *at = hex + sprintf(hex, "b9%04x", count);

			for (unsigned i = 0; i < count; i++) {
				unsigned key =
					twin && i == count - 1 ? count / 2 : i * 7919 % 65536;

				if (twin && i == count - 1)
					key = key * 7919 % 65536;
				at += sprintf(at, "64%02x%02x%02x%02x00", 'a' + (key >> 12),
					'a' + (key >> 8 & 15), 'a' + (key >> 4 & 15),
					'a' + (key & 15));
			}
			const char *json = tr_bed_json(&bed, TR_PLAIN, hex, TR_BED_ROOM);
			if (count > TR_KEYS_MAX)
				cr_expect_eq(strncmp(json, "too many keys", 13), 0, "%s", json);
			else if (twin)
				cr_expect_eq(strncmp(json, "a key that is there twice", 25), 0);
			else
				cr_expect_eq(*json, '{', "%u: %s", count, json);
		}
	}
}
