// SPDX-License-Identifier: BSD-3-Clause

#include "base/error.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

// Writes to the text at `at`, and puts a "?" for control characters and bytes that are not UTF-8: a
// text may quote a file, and goes to terminals and into CBOR.
__attribute__((nonnull)) static void text_write(
	struct error *error, size_t at, const char *format, va_list args)
{
	uint8_t *p = (uint8_t *)error->text + at;

	vsnprintf(error->text + at, sizeof(error->text) - at, format, args);
	for (size_t left = strlen(error->text + at); left;) {
		unsigned len = utf8_len(p, left);
		bool control = *p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);

		if (!len || control) {
			len = len ? len : 1;
			memset(p, '?', len);
		}
		p += len;
		left -= len;
	}
}

int error_set(struct error *error, int code, const char *format, ...)
{
	va_list args;

	if (!error)
		return code;
	error->code = code;
	va_start(args, format);
	text_write(error, 0, format, args);
	va_end(args);
	return code;
}

void error_append(struct error *error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_write(error, strlen(error->text), format, args);
	va_end(args);
}
