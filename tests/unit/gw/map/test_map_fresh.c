// SPDX-License-Identifier: BSD-3-Clause
// Freshness and Retry-After of an HTTP answer become Max-Age.

#include "tests/unit/gw/map/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// Max-Age is never longer than freshness, and explicit where HTTP says nothing.
Test(map_fresh, max_age)
{
	static const struct map_bed_row rows[] = {
		{"GET", "200|Cache-Control: max-age=60", "2.05"},
		{"GET", "200|Cache-Control: max-age=61", "2.05 max-age=61"},
		{"GET", "200|cache-control:max-age=5 , private", "2.05 max-age=5"},
		{"GET", "200|Cache-Control: MAX-AGE=\"5\"", "2.05 max-age=5"},
		{"GET", "200|Cache-Control: max-age=90, s-maxage=30", "2.05 max-age=30"},
		{"GET", "200|Cache-Control: max-age=90|Cache-Control: s-maxage=30",
			"2.05 max-age=30"},
		{"GET", "200|Cache-Control: max-age=60|Age: 50", "2.05 max-age=10"},
		{"GET", "200|Cache-Control: max-age=60|Age: 60", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=60|Age: 99999999999999", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=60|Age: x", "2.05"},
		{"GET", "200|Cache-Control: max-age=60, no-cache", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: no-store, max-age=60", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: x=\"max-age=9, no-store\", max-age=7",
			"2.05 max-age=7"},
		{"GET", "200|Cache-Control: max-age=-5", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=86400", "2.05 max-age=86400"},
		{"GET", "200|Cache-Control: max-age=86401", "2.05 max-age=86400"},
		{"GET", "200|Cache-Control: max-age=99999999999", "2.05 max-age=86400"},
		{"GET", "200|Expires: Sun, 06 Nov 2994 08:49:47 GMT", "2.05 max-age=86400"},
		{"GET etag=2b", "304|ETag: \"2b\"|Cache-Control: max-age=99999999999",
			"2.03 etag=2b max-age=86400"},
		{"GET", "404|Cache-Control: max-age=99999999999", "4.04 max-age=86400"},
		{"GET", "503|Retry-After: 99999999999", "5.03 max-age=86400"},
		{"GET", "503|Retry-After: Sun, 06 Nov 2994 08:49:47 GMT", "5.03 max-age=86400"},
		{"POST |q", "429|Retry-After: 86401", "4.29 max-age=86400"},
		{"GET",
			"200|Date: Sun, 06 Nov 1994 08:49:37 GMT|Expires: Sun, 06 Nov 1994 "
			"08:50:07 GMT",
			"2.05 max-age=30"},
		{"GET", "200|Expires: Sun, 06 Nov 1994 08:49:47 GMT", "2.05 max-age=10"},
		{"GET", "200|Expires: Sun Nov  6 08:49:47 1994", "2.05 max-age=10"},
		{"GET", "200|Expires: 0", "2.05 max-age=0"},
		{"GET", "200|Cache-Control: max-age=5|Expires: Sun, 06 Nov 1994 08:49:40 GMT",
			"2.05 max-age=3"},
		{"GET", "404|Cache-Control: max-age=9", "4.04 max-age=9"},
		{"GET", "404|Cache-Control: max-age=60", "4.04"},
		{"GET", "404", "4.04 max-age=0"},
		{"PUT |q", "412|Cache-Control: max-age=60", "4.12"},
		{"GET", "500", "5.00 max-age=0"},
		{"GET", "503|Retry-After: 7", "5.03 max-age=7"},
		{"GET", "503|Retry-After: 60", "5.03"},
		{"GET", "503|Retry-After: Sun, 06 Nov 1994 08:51:17 GMT", "5.03 max-age=100"},
		{"GET", "503|Retry-After: Sun, 06 Nov 1994 08:00:00 GMT", "5.03 max-age=0"},
		{"GET", "503|Retry-After: soon", "5.03 max-age=8"},
		{"GET", "503", "5.03 max-age=8"},
		{"GET", "429|Retry-After: 3", "4.29 max-age=3"},
		{"POST |q", "429", "4.29 max-age=8"},
		{"GET", "500|Retry-After: 3", "5.00 max-age=0"},
	};

	CHECK(rows);
}

// The longest Max-Age is the configuration's.
Test(map_fresh, max_age_is_configured)
{
	struct map_bed bed = map_bed_create();

	bed.max_age_max = 30;
	EXPECT("GET", "200|Cache-Control: max-age=31", "2.05 max-age=30");
	EXPECT("GET", "503|Retry-After: 31", "5.03 max-age=30");
	EXPECT("GET", "503|Retry-After: 29", "5.03 max-age=29");
	map_etags_free(bed.etags);
}
