// SPDX-License-Identifier: BSD-3-Clause
// What a push is of: targets and Cache-Control, read right or refused with the reason.

#include "gw/web/resource.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

Test(web_resource, targets)
{
	static const struct {
		const char *target;
		unsigned status; // 0: it is read
		const char *path, *device;
	} rows[] = {
		{"/v1/resources/a", 0, "/a", ""},
		{"/v1/resources/a/b%20c/%C3%A4", 0, "/a/b%20c/%C3%A4", ""},
		{"/v1/resources/", 0, "/", ""},
		{"/v1/resources/a//b/", 0, "/a//b/", ""},
		{"/v1/resources/a;b=c,d:@!$&'()*+", 0, "/a;b=c,d:@!$&'()*+", ""},
		{"/v1/resources/a?device=pump-7", 0, "/a", "pump-7"},
		{"/v1/resources/a?device=pump%2D7%3A1", 0, "/a", "pump-7:1"},
		{"/v1/resources", 404, NULL, NULL},
		{"/v1/resources?device=a", 404, NULL, NULL},
		{"/v1/resourcesa", 404, NULL, NULL},
		{"/v1//resources/a", 404, NULL, NULL},
		{"/V1/resources/a", 404, NULL, NULL},
		{"/", 404, NULL, NULL},
		{"", 404, NULL, NULL},
		{"*", 404, NULL, NULL},
		{"http://localhost/v1/resources/a", 404, NULL, NULL},
		{"/v1/resources/a%", 400, NULL, NULL},
		{"/v1/resources/a%2", 400, NULL, NULL},
		{"/v1/resources/a%2g", 400, NULL, NULL},
		{"/v1/resources/a b", 400, NULL, NULL},
		{"/v1/resources/a#b", 400, NULL, NULL},
		{"/v1/resources/a\\b", 400, NULL, NULL},
		{"/v1/resources/\xc3\xa4", 400, NULL, NULL},
		{"/v1/resources/a?", 400, NULL, NULL},
		{"/v1/resources/a?x", 400, NULL, NULL},
		{"/v1/resources/a?device", 400, NULL, NULL},
		{"/v1/resources/a?device=", 400, NULL, NULL},
		{"/v1/resources/a?Device=a", 400, NULL, NULL},
		{"/v1/resources/a?device=a&x", 400, NULL, NULL},
		{"/v1/resources/a?device=a&device=b", 400, NULL, NULL},
		{"/v1/resources/a?x=1&device=a", 400, NULL, NULL},
		{"/v1/resources/a?device=a%00b", 400, NULL, NULL},
		{"/v1/resources/a?device=%", 400, NULL, NULL},
	};
	struct web_resource resource;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned status = 0;
		const char *wrong = web_resource_read(rows[i].target, &resource, &status);

		cr_expect_eq(wrong != NULL, rows[i].status != 0, "%s: %s", rows[i].target, wrong);
		if (wrong) {
			cr_expect_eq(status, rows[i].status, "%s: %u", rows[i].target, status);
			continue;
		}
		cr_expect_str_eq(resource.path, rows[i].path, "%s", rows[i].target);
		cr_expect_str_eq(resource.device, rows[i].device, "%s", rows[i].target);
	}
}

// What stands in a target of this form with so many characters; NULL: it is refused.
static const char *of_length(const char *before, const char *part, size_t count, const char *behind)
{
	static char target[8192];
	static struct web_resource resource;
	unsigned status;
	char *to = target + sprintf(target, "%s", before);

	for (size_t i = 0; i < count; i++)
		to += sprintf(to, "%s", part);
	sprintf(to, "%s", behind);
	return web_resource_read(target, &resource, &status) ? NULL : resource.path;
}

Test(web_resource, what_is_too_long)
{
	cr_expect_not_null(of_length("/v1/resources/", "a", 255, ""));
	cr_expect_null(of_length("/v1/resources/", "a", 256, ""));
	cr_expect_not_null(of_length("/v1/resources/", "%41", 255, ""));
	cr_expect_null(of_length("/v1/resources/", "%41", 256, ""));
	cr_expect_not_null(of_length("/v1/resources", "/a", 64, ""));
	cr_expect_null(of_length("/v1/resources", "/a", 65, ""));
	cr_expect_not_null(of_length("/v1/resources/a?device=", "d", 255, ""));
	cr_expect_null(of_length("/v1/resources/a?device=", "d", 256, ""));
	cr_expect_null(
		of_length("/v1/resources", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 60, ""));
}

Test(web_resource, max_age)
{
	static const struct {
		const char *value;
		bool good;
		uint32_t seconds;
	} rows[] = {
		{NULL, true, 0},
		{"", true, 0},
		{"no-cache", true, 0},
		{"max-age=1", true, 1},
		{"MAX-AGE=\"60\"", true, 60},
		{"no-store, max-age=60", true, 60},
		{"max-age=99999999999", true, UINT32_MAX},
		{"max-age=0", false, 0},
		{"max-age", false, 0},
		{"max-age=", false, 0},
		{"max-age=-1", false, 0},
		{"max-age=1.5", false, 0},
		{"max-age=1, max-age=1", false, 0},
		{"max-age=1 x", false, 0},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t seconds = 7;
		const char *wrong = web_max_age_read(rows[i].value, &seconds);

		cr_expect_eq(!wrong, rows[i].good, "%s: %s", rows[i].value, wrong);
		if (!wrong)
			cr_expect_eq(seconds, rows[i].seconds, "%s: %u", rows[i].value, seconds);
	}
}
