// SPDX-License-Identifier: BSD-3-Clause
// Which bytes are well-formed UTF-8.

#ifndef POSTERN_BASE_UTF8_H
#define POSTERN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Returns the length in bytes, 1 to 4, of the character that s begins with, or 0 if s does not
// begin with a well-formed one (RFC 3629 section 4). At most `left` bytes are read, which is 1 or
// more.
static inline unsigned utf8_len(const uint8_t *s, size_t left)
{
	if (s[0] < 0x80)
		return 1;
	unsigned len = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;

	// No character starts with 0x80-0xbf; 0xc0 and 0xc1 would be overlong, 0xf5-0xff above
	// U+10FFFF.
	if (s[0] < 0xc2 || s[0] > 0xf4 || left < len)
		return 0;
	for (unsigned i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	// Overlong forms, surrogates, above U+10FFFF.
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
		(s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

// Whether a well-formed character changes the direction of text or ends its line: Unicode's
// Bidi_Control, and its separators of lines and paragraphs.
static inline bool utf8_turns_text(const uint8_t *c, unsigned len)
{
	if (len == 2)
		return c[0] == 0xd8 && c[1] == 0x9c; // U+061C
	if (len != 3 || c[0] != 0xe2)
		return false;
	if (c[1] == 0x80) // U+200E, U+200F, U+2028 to U+202E
		return c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae);
	return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9; // U+2066 to U+2069
}

// Length of the character that s begins with if a terminal may see it as it is; 0 if it may not:
// controls (C0, DEL, and C1, of which some terminals take commands), what turns text, and what is
// no UTF-8. `left` as above.
static inline unsigned utf8_shown_len(const uint8_t *s, size_t left)
{
	unsigned len = utf8_len(s, left);

	if (s[0] < ' ' || s[0] == 0x7f || (len == 2 && s[0] == 0xc2 && s[1] < 0xa0))
		return 0;
	return utf8_turns_text(s, len) ? 0 : len;
}

#endif
