// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/printable.h"

#include "base/utf8.h"

#include <stdbool.h>

// The code points are those of Unicode's Bidi_Control, and its separators of lines and paragraphs.
static bool turns_text(const uint8_t *c, unsigned len)
{
	if (len == 2)
		return c[0] == 0xd8 && c[1] == 0x9c; // U+061C
	if (len != 3 || c[0] != 0xe2)
		return false;
	if (c[1] == 0x80) // U+200E, U+200F, U+2028 to U+202E
		return c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae);
	return c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9; // U+2066 to U+2069
}

unsigned printable_len(const uint8_t *bytes, size_t left)
{
	unsigned len = utf8_len(bytes, left);

	if (*bytes < ' ' || *bytes == 0x7f || (len == 2 && bytes[0] == 0xc2 && bytes[1] < 0xa0))
		return 0;
	return turns_text(bytes, len) ? 0 : len;
}

void printable_write(FILE *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned n = printable_len(bytes + i, len - i);

		if (!n && (bytes[i] == '\n' || bytes[i] == '\t'))
			n = 1;
		if (n)
			fwrite(bytes + i, 1, n, out);
		else
			fprintf(out, "\\x%02x", bytes[i]);
		i += n ? n : 1;
	}
}
