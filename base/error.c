// SPDX-License-Identifier: BSD-3-Clause

#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// A text can quote a file's contents, and goes to terminals.
static void text_write(struct error *error, size_t at, const char *format, va_list args)
{
	vsnprintf(error->text + at, sizeof(error->text) - at, format, args);
	for (char *c = error->text + at; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
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
