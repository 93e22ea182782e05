// SPDX-License-Identifier: BSD-3-Clause
// How a line of the log looks. Pure functions.

#ifndef POSTERN_GW_OS_LOG_FORM_H
#define POSTERN_GW_OS_LOG_FORM_H

#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MAX 2048 // bytes, with the end

// Writes a whole line with its end; what is too long is cut, but the line stays well-formed. who:
// whose it is, NULL: the text says it. priority: "<4>" in front, for the journal. Returns its
// length.
size_t log_form_text(char line[LOG_LINE_MAX], bool priority, enum conf_log_level level,
	const char *who, const char *text, size_t len);
// The same as a JSON object: time, level, source, message.
size_t log_form_json(char line[LOG_LINE_MAX], bool priority, enum conf_log_level level,
	const char *who, const char *text, size_t len, uint64_t unix_ms);

// The fields of a line for systemd's journal (its native protocol), from a line of log_form_text()
// with a priority and without its end: MESSAGE, PRIORITY, SYSLOG_IDENTIFIER, and, where the line
// begins with what it is about, POSTERN_UPSTREAM, POSTERN_DEVICE or POSTERN_PORT. Returns their
// length, 0 if there is no room.
size_t log_form_fields(char *fields, size_t room, const char *line, size_t len);

#endif
