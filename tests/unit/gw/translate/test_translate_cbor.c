// SPDX-License-Identifier: BSD-3-Clause
// JSON to CBOR: the table of docs/http.md, row by row.

#include "tests/unit/gw/translate/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct tr_bed bed;

struct row {
	const char *json, *cbor; // or "what @ place"
};

static void check_form(enum tr_form form, const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const char *json = rows[i].json;
		const char *cbor = tr_bed_cbor(&bed, form, json, strlen(json), TR_BED_ROOM);

		cr_expect_str_eq(cbor, rows[i].cbor, "%s: %s, not %s", json, cbor, rows[i].cbor);
	}
}

#define CHECK(form, rows) check_form(form, rows, sizeof(rows) / sizeof(rows[0]))

Test(translate_cbor, numbers)
{
	static const struct row rows[] = {
		{"0", "00"},
		{"-0", "00"},
		{"23", "17"},
		{"24", "1818"},
		{"255", "18ff"},
		{"256", "190100"},
		{"65535", "19ffff"},
		{"65536", "1a00010000"},
		{"4294967295", "1affffffff"},
		{"4294967296", "1b0000000100000000"},
		{"-1", "20"},
		{"-24", "37"},
		{"-25", "3818"},
		{"-256", "38ff"},
		{"-257", "390100"},
		{"9007199254740992", "1b0020000000000000"},
		{"-9007199254740992", "3b001fffffffffffff"},
		{"9007199254740993", "an integer beyond 2^53 @ byte 0"},
		{"[0,9007199254740993]", "an integer beyond 2^53 @ /1"},
		{"{\"a\":-9007199254740993}", "an integer beyond 2^53 @ /a"},
		{"18446744073709551616", "a number beyond a double @ byte 20"},
		{"1e309", "a number beyond a double @ byte 5"},
		{"-1e309", "a number beyond a double @ byte 6"},
		{"0.0", "f90000"},
		{"-0.0", "f98000"},
		{"1.0", "f93c00"},
		{"1e0", "f93c00"},
		{"1.5", "f93e00"},
		{"65504.0", "f97bff"},
		{"65505.0", "fa477fe100"},
		{"5.960464477539063e-08", "f90001"},
		{"6.097555160522461e-05", "f903ff"},
		{"6.103515625e-05", "f90400"},
		{"2.9802322387695312e-08", "fa33000000"},
		{"100000.0", "fa47c35000"},
		{"3.4028234663852886e+38", "fa7f7fffff"},
		{"3.402823466385289e+38", "fb47efffffe0000001"},
		{"1.401298464324817e-45", "fa00000001"},
		{"1e-400", "f90000"},
		{"1.1", "fb3ff199999999999a"},
		{"1e300", "fb7e37e43c8800759c"},
		{"5e-324", "fb0000000000000001"},
	};

	CHECK(TR_PLAIN, rows);
}

Test(translate_cbor, values)
{
	static const struct row rows[] = {
		{" [ false , true , null ] ", "83f4f5f6"},
		{"\"\"", "60"},
		{"\"IETF\"", "6449455446"},
		{"\"\\\"\\\\\\/\\b\\t\\u00fc\"", "67225c2f0809c3bc"},
		{"\"\\ud800\\udd51\"", "64f0908591"},
		{"\"a\\u0000b\"", "63610062"},
		{"[1,[2,3],[4,5]]", "8301820203820405"},
		{"{\"b\":1,\"a\":{}}", "a26162016161a0"}, // in the order of the text
		{"{\"\":0}", "a16000"},
		{"{\"vd\":\"AQ\"}", "a1627664624151"}, // of SenML alone
		{"{\"v\":1}", "a1617601"},
	};

	CHECK(TR_PLAIN, rows);
}

Test(translate_cbor, refused)
{
	static const struct row rows[] = {
		{"", "the body ends inside a value @ byte 0"},
		{"[1,", "the body ends inside a value @ byte 3"},
		{"[1]x", "bytes behind the value @ byte 4"},
		{"[1] [2]", "bytes behind the value @ byte 5"},
		{"{\"a\":1,\"a\":1}", "a key that is there twice @ byte 10"},
		{"{\"a\":1,\"\\u0061\":1}", "a key that is there twice @ byte 15"},
		{"{\"\\u0000\":1}", "a key with a NUL @ byte 9"},
		{"[01]", "not JSON @ byte 2"},
		{"[+1]", "not JSON @ byte 2"},
		{"[1,]", "not JSON @ byte 4"},
		{"[NaN]", "not JSON @ byte 4"},
		{"['a']", "not JSON @ byte 2"},
		{"\"\\ud800\"", "not JSON @ byte 8"},
		{"\"\xff\"", "not JSON @ byte 1"},
		{"\xef\xbb\xbf[]", "not JSON @ byte 3"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *said = tr_bed_cbor(
			&bed, TR_PLAIN, rows[i].json, strlen(rows[i].json), TR_BED_ROOM);

		cr_expect_eq(bed.verdict, TR_REFUSED, "%s", rows[i].json);
		cr_expect_str_eq(said, rows[i].cbor, "%s: %s", rows[i].json, said);
	}
}

Test(translate_cbor, depth)
{
	char json[64];

	for (int depth = 1; depth <= 20; depth++) {
		// Brackets in strings count for nothing.
		int len = snprintf(json, sizeof(json), "%.*s\"[[[\\\"[{{{\"%.*s", depth,
			"[[[[[[[[[[[[[[[[[[[[", depth, "]]]]]]]]]]]]]]]]]]]]");
		const char *said = tr_bed_cbor(&bed, TR_PLAIN, json, (size_t)len, TR_BED_ROOM);

		if (depth <= TR_DEPTH_MAX)
			cr_expect_eq(bed.verdict, TR_OK, "%s: %s", json, said);
		else
			cr_expect_str_eq(
				said, "more than 16 arrays and maps inside each other @ byte 16");
	}
}

Test(translate_cbor, senml)
{
	static const struct row rows[] = {
		{"[{\"bn\":\"urn:dev:ow:10e2073a0108006:\",\"bt\":1.276020076001e+09,"
		 "\"bu\":\"A\",\"bver\":5,\"n\":\"voltage\",\"u\":\"V\",\"v\":120.1},"
		 "{\"n\":\"current\",\"t\":-5,\"v\":1.2},{\"n\":\"current\",\"t\":-4,\"v\":1.3},"
		 "{\"n\":\"current\",\"t\":-3,\"v\":1.4},{\"n\":\"current\",\"t\":-2,\"v\":1.5},"
		 "{\"n\":\"current\",\"t\":-1,\"v\":1.6},{\"n\":\"current\",\"v\":1.7}]",
			"87a721781b75726e3a6465763a6f773a3130653230373361303130383030363a22fb41d303"
			"a15b00106223614120050067766f6c7461676501615602fb405e066666666666a300676375"
			"7272656e74062402fb3ff3333333333333a3006763757272656e74062302fb3ff4cccccccc"
			"cccda3006763757272656e74062202fb3ff6666666666666a3006763757272656e74062102"
			"f93e00a3006763757272656e74062002fb3ff999999999999aa2006763757272656e7402fb"
			"3ffb333333333333"},
		{"[{\"bver\":0,\"bn\":0,\"bt\":0,\"bu\":0,\"bv\":0,\"bs\":0,\"n\":0,\"u\":0,"
		 "\"v\":0,\"vs\":0,\"vb\":0,\"s\":0,\"t\":0,\"ut\":0,\"vd\":0}]",
			"81af200021002200230024002500000001000200030004000500060007000800"},
		{"[{\"vd\":\"\"}]", "81a10840"},
		{"[{\"vd\":\"AQ\"}]", "81a1084101"},
		{"[{\"vd\":\"AQI\"}]", "81a108420102"},
		{"[{\"vd\":\"AQID\"}]", "81a10843010203"},
		{"[{\"vd\":\"_-8\"}]", "81a10842ffef"},
		{"[{\"n\":\"a\",\"vd\":\"A\"}]", "no base64url @ /0/vd"},
		{"[{\"vd\":\"AR\"}]", "no base64url @ /0/vd"}, // bits left over
		{"[{\"vd\":\"AQJ\"}]", "no base64url @ /0/vd"},
		{"[{\"vd\":\"AQ==\"}]", "no base64url @ /0/vd"},
		{"[{\"vd\":\"/w\"}]", "no base64url @ /0/vd"},
		{"[{\"vd\":\"A\\u0000\"}]", "no base64url @ /0/vd"},
		{"[{\"x\":{\"v\":1,\"vd\":\"/\"}}]", "81a16178a2617601627664612f"},
		{"{\"v\":1}", "a1617601"},
		{"[[{\"v\":1}]]", "8181a1617601"},
		{"{\"a\":{\"v\":1}}", "a16161a1617601"},
	};

	CHECK(TR_SENML, rows);
}

Test(translate_cbor, every_room)
{
	static const char json[] =
		"[{\"n\":\"abc\",\"v\":1.1,\"vd\":\"AQIDBA\"},{\"x\":[1,300,70000,"
		"null,true,{}]},1.5,100000.5]";
	const char *cbor = tr_bed_cbor(&bed, TR_SENML, json, strlen(json), TR_BED_ROOM);
	size_t len = strlen(cbor) / 2;

	cr_assert(bed.verdict == TR_OK && len > 20);
	for (size_t room = 0; room < len; room++)
		cr_expect_str_eq(tr_bed_cbor(&bed, TR_SENML, json, strlen(json), room), "too long");
	cr_expect_eq(strlen(tr_bed_cbor(&bed, TR_SENML, json, strlen(json), len)), 2 * len);
}
