// SPDX-License-Identifier: BSD-3-Clause
// What an error says can be shown on a terminal and put into a message, whatever it quotes.

#include "base/error.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(error, code_and_text_are_kept)
{
	struct error error;

	cr_expect_eq(error_set(&error, -ENOENT, "%s: %d", "here", 7), -ENOENT);
	cr_expect_eq(error.code, -ENOENT);
	cr_expect_str_eq(error.text, "here: 7");
	error_append(&error, " (%s)", "why");
	cr_expect_str_eq(error.text, "here: 7 (why)");
	cr_expect_eq(error_set(NULL, -EINVAL, "nobody reads it"), -EINVAL);
}

Test(error, controls_and_broken_utf8_are_shown_as_question_marks)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"a\nb\x1b[2Jc\x7f", "a?b?[2Jc?"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		{"\xe2\x82\xac \xf0\x9f\x9a\xaa", "\xe2\x82\xac \xf0\x9f\x9a\xaa"},
		{"c1 \xc2\x9b[2J", "c1 ??[2J"},
		{"\xc3", "?"},
		{"\xc0\xaf \xed\xa0\x80 \xff", "?? ??? ?"},
	};
	struct error error;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		error_set(&error, -EINVAL, "%s", cases[i].text);
		cr_expect_str_eq(error.text, cases[i].shown, "%zu: %s", i, error.text);
	}
}

Test(error, what_is_too_long_is_cut_between_characters)
{
	char text[2 * ERROR_TEXT_MAX];
	struct error error;

	for (size_t i = 0; i + 1 < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	text[sizeof(text) - 1] = 0;
	error_set(&error, -EINVAL, "%s", text);
	cr_expect_eq(strlen(error.text), ERROR_TEXT_MAX - 1);
	cr_expect_eq(error.text[ERROR_TEXT_MAX - 2], '?');
}
