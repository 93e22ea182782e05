// SPDX-License-Identifier: BSD-3-Clause

#include "gw/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static enum conf_log_level log_level = CONF_LOG_INFO;

void log_level_set(enum conf_log_level level)
{
	log_level = level;
}

void log_line(enum conf_log_level level, const char *format, ...)
{
	char line[LOG_LINE_MAX];
	va_list args;
	int n = 0;

	if (level > log_level)
		return;
	if (getenv("JOURNAL_STREAM"))
		n = snprintf(line, sizeof(line), "<%d>", level);
	n += snprintf(line + n, sizeof(line) - n, "postern: ");
	va_start(args, format);
	n += vsnprintf(line + n, sizeof(line) - n, format, args);
	va_end(args);
	if (n > (int)sizeof(line) - 2)
		n = sizeof(line) - 2;
	line[n++] = '\n';
	// In one write, so that lines of two threads do not mix.
	if (write(STDERR_FILENO, line, n) < 0)
		return; // there is nowhere to say so
}
