// SPDX-License-Identifier: BSD-3-Clause
// Which bytes are well-formed UTF-8.

#ifndef POSTERN_BASE_UTF8_H
#define POSTERN_BASE_UTF8_H

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

#endif
