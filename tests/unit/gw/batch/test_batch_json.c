// SPDX-License-Identifier: BSD-3-Clause
// What may be embedded in the JSON of others, and what a strict reader refuses.

#include "gw/batch/json.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// In memory of its own, so that a reader that goes too far is seen.
static bool embeds(const char *text)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, text, len);
	bool yes = json_embeds(copy, len);
	free(copy);
	return yes;
}

Test(batch_json, what_is_embedded)
{
	static const char *const rows[] = {"{}", "[]", "0", "-0", "\"\"", "null", "true", "false",
		" {\"v\" : 23.1 , \"u\":\"Cel\"} ", "[1,2,[3,{\"a\":[]}]]", "\r\n\t[1]\n", "1e240",
		"-1.5E-240", "123456789012345678", "\"\\u00e9\\ud83d\\ude00\\n\\/\"",
		"\"\xc3\xa9\"", "\"\xf0\x9f\x98\x80\"", "\"a string of more than sixteen bytes\"",
		"\"\x7f\"", "[{\"a\":1},{\"a\":2}]", "{\"a\":{\"a\":{\"a\":1}},\"b\":1}",
		"[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]", "{\"\":1}"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect(embeds(rows[i]), "%s", rows[i]);
}

Test(batch_json, what_is_not)
{
	static const char *const rows[] = {"", " ", "{", "}", "[", "[1", "[1,]", "[,1]", "{\"a\"}",
		"{\"a\":}", "{\"a\":1,}", "{a:1}", "{\"a\":1 \"b\":2}", "1 2", "{}{}", "[]]", "nul",
		"nulll", "True", "NaN", "Infinity", "-", "+1", "01", "-01", "1.", ".5", "1e", "1e+",
		"0x1", "1e241", "1e400", "1234567890123456789", "'a'", "\"", "\"\\\"", "\"\\x\"",
		"\"\\u12\"", "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"",
		"\"\\uffff\"", "\"\\ud83f\\udfff\"", "\"\xff\"", "\"\xc0\x80\"", "\"\xed\xa0\x80\"",
		"\"\xef\xbf\xbf\"", "\"\xf0\x9f\xbf\xbf\"", "\"\xef\xb7\x90\"", "\"\n\"",
		"\"\x1f\"", "\xef\xbb\xbf{}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"\\u0061\":1}",
		"[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]", "/**/1", "[1]x", "{\"a\":1]", "[1}",
		"\"a\":1", ",", ":", "\"a string of more than sixteen bytes"};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		cr_expect_not(embeds(rows[i]), "%s", rows[i]);
	cr_expect_not(json_embeds((const uint8_t *)"\"\0\"", 3));
}

// The work for one payload is bounded: at most 64 names are compared.
Test(batch_json, names_are_bounded)
{
	char text[2048] = "{", name[16];

	for (unsigned n = 0; n < 65; n++) {
		snprintf(name, sizeof(name), "%s\"n%u\":0", n ? "," : "", n);
		strcat(text, name);
		size_t len = strlen(text);
		strcpy(text + len, "}");
		cr_expect_eq(embeds(text), n < 64, "%u names", n + 1);
		text[len] = 0;
	}
}

static void expect_text(const char *text, size_t len, const char *want)
{
	uint8_t buf[128];
	size_t size = 0;
	bool fits = json_text_fits((const uint8_t *)text, len, &size);

	cr_expect_eq(fits, want != NULL, "%s", text);
	if (!want || !fits)
		return;
	size_t written = (size_t)(json_text_put(buf, (const uint8_t *)text, len) - buf);
	cr_expect_eq(written, size, "%s", text);
	cr_expect_eq(written, strlen(want), "%s", text);
	cr_expect_eq(memcmp(buf, want, written), 0, "%s", text);
}

Test(batch_json, text)
{
	expect_text("", 0, "\"\"");
	expect_text("plain text of more than sixteen bytes", 37,
		"\"plain text of more than sixteen bytes\"");
	expect_text("a\"b\\c\n\x1f\x7f", 8, "\"a\\\"b\\\\c\\u000a\\u001f\x7f\"");
	expect_text("\xc3\xa9", 2, "\"\xc3\xa9\"");
	expect_text("a\0b", 3, NULL);
	expect_text("\xff", 1, NULL);
	expect_text("\xef\xbf\xbe", 3, NULL);
}

Test(batch_json, unescape)
{
	static const char text[] = "\"a\\u00e9\\ud83d\\ude00\\n\\\\\"";
	static const char want[] = "a\xc3\xa9\xf0\x9f\x98\x80\n\\";
	uint8_t buf[32];
	struct json json;

	json_init(&json, (const uint8_t *)text, sizeof(text) - 1, 1);
	cr_assert_eq(json_next(&json), TOKEN_STRING);
	cr_expect_eq(json_unescape(&json, buf, sizeof(buf)), sizeof(want) - 1);
	cr_expect_eq(memcmp(buf, want, sizeof(want) - 1), 0);
	cr_expect_eq(json_unescape(&json, buf, 3), SIZE_MAX);
	cr_expect_eq(json_next(&json), TOKEN_END);
}
