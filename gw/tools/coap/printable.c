// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/printable.h"

#include "base/utf8.h"

void printable_write(FILE *out, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len;) {
		unsigned n = utf8_shown_len(bytes + i, len - i);

		if (!n && (bytes[i] == '\n' || bytes[i] == '\t'))
			n = 1;
		if (n)
			fwrite(bytes + i, 1, n, out);
		else
			fprintf(out, "\\x%02x", bytes[i]);
		i += n ? n : 1;
	}
}
