// SPDX-License-Identifier: BSD-3-Clause
// Log lines to stderr: one line a change of state, with the priority prefix that systemd reads when
// it is the one who listens. Never a key, never a payload. From any thread but the workers.

#ifndef POSTERN_GW_LOG_H
#define POSTERN_GW_LOG_H

#include "gw/conf.h"

// Lines above this level are not written. Before any other thread runs.
void log_level_set(enum conf_log_level level);

void log_line(enum conf_log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(CONF_LOG_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(CONF_LOG_WARNING, __VA_ARGS__)
#define log_notice(...)  log_line(CONF_LOG_NOTICE, __VA_ARGS__)
#define log_info(...)    log_line(CONF_LOG_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(CONF_LOG_DEBUG, __VA_ARGS__)

#endif
