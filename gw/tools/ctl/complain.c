// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/ctl/complain.h"

#include <stdarg.h>
#include <stdio.h>

void cli_complain(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("posternctl: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	putc('\n', stderr);
}
