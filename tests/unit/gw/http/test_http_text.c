// SPDX-License-Identifier: BSD-3-Clause
// UTF-8 is looked at in words: whatever stands where, it is judged as byte by byte.

#include "base/utf8.h"
#include "gw/http/text.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#define ROOM 40

static bool valid_one_by_one(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		unsigned n = utf8_len(bytes + at, len - at);

		if (!n)
			return false;
		at += n;
	}
	return true;
}

Test(http_text, a_character_or_what_is_none_at_each_place_between_ascii)
{
	static const char *const pieces[] = {"a", "\x80", "\xc3\xa4", "\xc3", "\xe2\x82\xac",
		"\xe2\x82", "\xf0\x9f\x98\x80", "\xf0\x9f\x98", "\xc0\x80", "\xed\xa0\x80", "\xff",
		"\xc3\xa4\xc3\xa4\xe2\x82\xac", "\x7f"};
	unsigned good = 0, bad = 0;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
		for (size_t len = strlen(pieces[i]); len <= ROOM; len++)
			for (size_t at = 0; at + strlen(pieces[i]) <= len; at++)
				for (size_t cut = 0; cut < 4 && cut <= len; cut++) {
					uint8_t *text = malloc(len - cut + 1); // nothing behind it

					for (size_t k = 0; k < len - cut; k++)
						text[k] = k < at || k >= at + strlen(pieces[i])
							? 'x'
							: (uint8_t)pieces[i][k - at];
					bool valid = valid_one_by_one(text, len - cut);

					cr_assert(eq(int, http_utf8_valid(text, len - cut), valid));
					good += valid;
					bad += !valid;
					free(text);
				}
	cr_assert(good > 10000 && bad > 10000);
}

Test(http_text, nothing_is_valid)
{
	cr_assert(http_utf8_valid(NULL, 0));
}
