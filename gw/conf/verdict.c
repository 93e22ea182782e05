// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/verdict.h"

#include <stdarg.h>
#include <stdio.h>

enum conf_verdict conf_why(char why[CONF_WHY_MAX], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, CONF_WHY_MAX, format, args);
	va_end(args);
	return CONF_BAD;
}
