// SPDX-License-Identifier: BSD-3-Clause
#include "gw/device/error.h"

#include <stdarg.h>
#include <stdio.h>

int store_fail(struct store_error *error, int code, const char *format, ...)
{
	if (error == NULL)
		return code;
	va_list args;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	// The text can quote a file's contents, and goes to terminals.
	for (char *c = error->text; *c != 0; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return code;
}
