// SPDX-License-Identifier: BSD-3-Clause
// JSON that is written: commas, numbers, any text, and what does not fit.

#include "gw/web/json.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void expect(struct web_json *json, const char *want)
{
	cr_expect_not(json->full);
	cr_expect_eq(json->len, strlen(want));
	cr_expect(!memcmp(json->buf, want, json->len < strlen(want) ? json->len : strlen(want)),
		"%.*s", (int)json->len, json->buf);
	free(json->buf);
}

Test(web_json, members_and_elements)
{
	struct web_json json = {.max = 1000};

	web_json_open(&json, NULL, '{');
	web_json_number(&json, "a", 0);
	web_json_open(&json, "b", '[');
	web_json_close(&json, ']');
	web_json_open(&json, "c", '[');
	web_json_number(&json, NULL, UINT64_MAX);
	web_json_open(&json, NULL, '{');
	web_json_close(&json, '}');
	web_json_bool(&json, NULL, true);
	web_json_close(&json, ']');
	web_json_bool(&json, "d", false);
	web_json_close(&json, '}');
	expect(&json, "{\"a\":0,\"b\":[],\"c\":[18446744073709551615,{},true],\"d\":false}");
}

Test(web_json, any_text)
{
	struct web_json json = {.max = 1000};

	web_json_open(&json, NULL, '[');
	web_json_text(&json, NULL, "");
	web_json_text(&json, NULL, "a\"b\\c\nd\x7f</script>&");
	web_json_text(&json, NULL, "\xc3\xa4\xff\xe2\x80");
	web_json_close(&json, ']');
	expect(&json,
		"[\"\",\"a\\u0022b\\u005cc\\u000ad\\u007f\\u003c/script\\u003e\\u0026\","
		"\"\xc3\xa4\\ufffd\\ufffd\\ufffd\"]");
}

Test(web_json, it_grows_up_to_a_limit)
{
	struct web_json json = {.max = 100000};

	for (unsigned i = 0; i < 20000; i++)
		web_json_number(&json, NULL, 1000);
	cr_expect(!json.full);
	cr_expect_eq(json.len, 20000 * 5 - 1);
	for (unsigned i = 0; i < 10; i++)
		web_json_number(&json, NULL, 1000);
	cr_expect(json.full);
	cr_expect_leq(json.len, json.max);
	free(json.buf);
}
