// SPDX-License-Identifier: BSD-3-Clause
// Entity tags become ETags and come back as they were.

#include "gw/map/etag.h"
#include "tests/unit/gw/map/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// RFC 7252 sections 5.9.1.3 and 10.1.1.
Test(map_etag, etags)
{
	static const struct map_bed_row rows[] = {
		{"GET", "200|ETag: \"2b\"#x", "2.05 etag=2b max-age=0 |x"},
		{"GET", "200|ETag: \"0123456789abcdef\"#x",
			"2.05 etag=0123456789abcdef max-age=0 |x"},
		{"GET", "200|ETag: W/\"2b\"#x", "2.05 max-age=0 |x"},
		{"GET", "200|ETag: 2b#x", "2.05 max-age=0 |x"},
		{"GET", "200|ETag: \"\"#x", "2.05 max-age=0 |x"},
		{"GET", "200|ETag: \"a\"b\"#x", "2.05 max-age=0 |x"},
		{"PUT |q", "204|ETag: \"2b\"", "2.04 etag=2b"},
		{"POST |q", "201|ETag: \"2b\"", "2.01 etag=2b"},
		{"POST |q", "200|ETag: \"2b\"", "2.04"},
		{"DELETE", "200|ETag: \"2b\"", "2.02"},
		{"GET", "404|ETag: \"2b\"", "4.04 max-age=0"},
		// 2.03 carries the ETag and no payload.
		{"GET etag=2b", "304|ETag: \"2b\"|Cache-Control: max-age=9",
			"2.03 etag=2b max-age=9"},
		{"GET etag=2b", "304|ETag: W/\"2b\"", "2.03 etag=2b max-age=0"},
		{"GET etag=2b", "304", "2.03 etag=2b max-age=0"},
		{"GET etag=01 etag=2b", "304|ETag: \"2b\"", "2.03 etag=2b max-age=0"},
		{"GET etag=01 etag=2b", "304", "5.02 max-age=0 |backend answer not expected"},
		{"GET etag=01", "304|ETag: \"2b\"", "5.02 max-age=0 |backend answer not expected"},
		{"GET", "304|ETag: \"2b\"", "5.02 max-age=0 |backend answer not expected"},
		{"FETCH etag=2b |q", "304|ETag: \"2b\"", "2.03 etag=2b max-age=0"},
		{"PUT etag=2b |q", "304|ETag: \"2b\"",
			"5.02 max-age=0 |backend answer not expected"},
		{"GET if-none-match=", "304|ETag: \"2b\"", "4.12 max-age=0"},
		// A backend that does not validate: the gateway does.
		{"GET etag=2b", "200|ETag: \"2b\"#x", "2.03 etag=2b max-age=0"},
		{"FETCH etag=2b |q", "200|ETag: \"2b\"#x", "2.03 etag=2b max-age=0"},
		{"GET etag=2c", "200|ETag: \"2b\"#x", "2.05 etag=2b max-age=0 |x"},
	};

	CHECK(rows);
}

// An entity tag that is no short hex goes to the device as 8 bytes and comes back as it was.
Test(map_etag, etag_round_trip)
{
	static const char *const tags[] = {"\"v1\"", "\"5f3a1234-1a2b\"", "\"ABCD\"", "\"abc\"",
		"\"0123456789abcdef01\"", "\"a,b c\"", "\"\xc3\xa9\""};
	struct map_etags *etags = map_etags_create(map_bed_etag_key);
	struct map_etag etag, again;
	char buf[256], *start = buf;
	struct http_text text;

	for (size_t i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
		bool legal = !strchr(tags[i], ' ');

		cr_expect_eq(
			map_etag_from_http(etags, tags[i], false, &etag), legal, "%s", tags[i]);
		if (!legal)
			continue;
		cr_expect_eq(etag.len, 8);
		start = buf;
		http_text_init(&text, buf, sizeof(buf));
		map_etag_to_http(etags, &text, etag.bytes, etag.len);
		cr_expect_str_eq(http_text_end(&text, &start), tags[i]);
	}

	// Ten times as many as the table holds: the newest are there, memory is what it was.
	for (unsigned i = 0; i < 10 * MAP_ETAG_ENTRIES; i++) {
		sprintf(buf, "\"version %u\"", i);
		buf[8] = '-';
		cr_assert(map_etag_from_http(etags, buf, false, &etag));
		cr_assert(map_etag_from_http(etags, buf, false, &again));
		cr_assert_arr_eq(etag.bytes, again.bytes, 8);
		char back[64];
		start = back;
		http_text_init(&text, back, sizeof(back));
		map_etag_to_http(etags, &text, etag.bytes, etag.len);
		cr_assert_str_eq(http_text_end(&text, &start), buf);
	}
	memset(buf, 'x', MAP_ETAG_TEXT_MAX + 1);
	buf[0] = '"';
	strcpy(buf + MAP_ETAG_TEXT_MAX + 1, "\"");
	cr_expect(map_etag_from_http(etags, buf, false, &etag));
	strcpy(buf + MAP_ETAG_TEXT_MAX + 1, "x\"");
	cr_expect_not(map_etag_from_http(etags, buf, false, &etag), "longer than an entry");
	map_etags_free(etags);
}
