// SPDX-License-Identifier: BSD-3-Clause
// Location becomes Location-Path and Location-Query.

#include "tests/unit/gw/map/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// RFC 7252 section 5.10.7.
Test(map_location, location)
{
	static const struct map_bed_row rows[] = {
		{"POST path=a |q", "201|Location: /a/17", "2.01 lpath=a lpath=17"},
		{"POST path=a |q", "201|Location: http://b:8080/a/17", "2.01 lpath=a lpath=17"},
		{"POST path=a |q", "201|Location: //B:8080/a", "2.01 lpath=a"},
		{"POST path=a |q", "201|Location: http://c/a/17", "2.01"},
		{"POST path=a |q", "201|Location: https://b:8080/a/17", "2.01"},
		{"POST path=a |q", "201|Location: http://x@b:8080/a/17", "2.01"},
		{"POST path=a |q", "201|Location: ftp://b:8080/a", "2.01"},
		{"POST path=a |q", "201|Location: mailto:a@b", "2.01"},
		{"POST path=a path=b |q", "201|Location: c", "2.01 lpath=a lpath=c"},
		{"POST path=a path= |q", "201|Location: c", "2.01 lpath=a lpath=c"},
		{"POST path=a path=b |q", "201|Location: ../c", "2.01 lpath=c"},
		{"POST path=a path=b |q", "201|Location: ./", "2.01 lpath=a lpath="},
		{"POST path=a |q", "201|Location: ?x=1&y", "2.01 lpath=a lquery=x=1 lquery=y"},
		{"POST path=a |q", "201|Location: /a?b=%26\1fragment", "2.01 lpath=a lquery=b=&"},
		{"POST path=a |q", "201|Location: /%C3%A9/a%20b", "2.01 lpath=\xc3\xa9 lpath=a b"},
		{"POST path=a |q", "201|Location: /a/./b/../c", "2.01 lpath=a lpath=c"},
		{"POST path=a |q", "201|Location: /a/%2e%2E/c", "2.01 lpath=c"},
		{"POST path=a |q", "201|Location: /../../c", "2.01 lpath=c"},
		{"POST path=a |q", "201|Location: /a%2fb", "2.01"},
		{"POST path=a |q", "201|Location: /a//b", "2.01"},
		{"POST path=a |q", "201|Location: /a%0d%0ab", "2.01"},
		{"POST path=a |q", "201|Location: /a%4", "2.01"},
		{"POST path=a |q", "201|Location: /a%zz", "2.01"},
		{"POST path=a |q", "201|Location: /a?%00", "2.01"},
		{"POST path=a |q", "201|Location:", "2.01 lpath=a"},
		{"POST path=a |q", "200|Location: /a/17", "2.04"},
		{"PUT path=a |q", "201|Location: /a/17", "2.01"},
		{"POST path=a |q", "201|Location: /a|Content-Type: application/json|ETag: \"01\"#x",
			"2.01 etag=01 lpath=a cf=50 |x"},
	};
	struct map_bed bed = map_bed_create();
	static const struct conf_route moved = {.prefix = "/v1", .strip = 1, .host = "api.example"};
	static const struct conf_server based = {
		.scheme = CONF_HTTPS, .authority = "b", .origin = "https://b", .base = "/base"};
	static const struct map_bed_row other[] = {
		{"POST path=t path=a |q", "201|Location: /base/v1/a/17",
			"2.01 lpath=t lpath=a lpath=17"},
		{"POST path=t path=a |q", "201|Location: 17", "2.01 lpath=t lpath=17"},
		{"POST path=t path=a |q", "201|Location: https://api.example:443/base/v1/a",
			"2.01 lpath=t lpath=a"},
		{"POST path=t path=a |q", "201|Location: https://b/base/v1/a",
			"2.01 lpath=t lpath=a"},
		{"POST path=t path=a |q", "201|Location: /v1/a", "2.01"},
		{"POST path=t path=a |q", "201|Location: /base/v1x/a", "2.01"},
		{"POST path=t path=a |q", "201|Location: ../../../x", "2.01"},
	};

	CHECK(rows);
	map_etags_free(bed.etags);
	bed = map_bed_create();
	bed.route = &moved;
	bed.server = &based;
	map_bed_check(bed, other, sizeof(other) / sizeof(other[0]));
}
