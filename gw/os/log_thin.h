// SPDX-License-Identifier: BSD-3-Clause
// Which lines of the log are written: a line that repeats the one before is counted instead, and of
// a kind of line only so many come in a time. What was kept back is said in a line of its own.
// Pure; the caller locks.

#ifndef POSTERN_GW_OS_LOG_THIN_H
#define POSTERN_GW_OS_LOG_THIN_H

#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_TEXT_MAX   1900  // bytes of a line without what stands around it
#define LOG_THIN_MS    10000 // after so long it is said what was kept back
#define LOG_KINDS      64    // that are told apart; others share
#define LOG_KIND_LINES 50    // most lines of a kind in LOG_THIN_MS
#define LOG_SAMPLE_MAX 80    // bytes of a line that stands for its kind

struct log_kind {
	const void *kind; // NULL: free
	uint64_t since_ms;
	uint64_t lines;
	uint64_t left_out;
	enum conf_log_level level;
	char sample[LOG_SAMPLE_MAX];
};

// All zeros at first.
struct log_thin {
	bool some; // there is a last line
	enum conf_log_level level;
	uint64_t repeated; // how often it came again
	uint64_t since_ms; // when it came again first
	size_t len;
	char text[LOG_TEXT_MAX];
	struct log_kind kinds[LOG_KINDS];
};

// Writes a line about others.
typedef void log_thin_write(enum conf_log_level level, const char *text, size_t len);

// Whether a line is to be written; before that it writes what is to be said of others. kind: what
// its lines have in common, their format; NULL: any number of them comes.
bool log_thin_take(struct log_thin *thin, const void *kind, enum conf_log_level level,
	const char *text, size_t len, uint64_t now_ms, log_thin_write *write);
// Says what has been kept back for LOG_THIN_MS; if `all`, whatever was.
void log_thin_turn(struct log_thin *thin, uint64_t now_ms, bool all, log_thin_write *write);
// When that is to be done next; UINT64_MAX: nothing was kept back.
uint64_t log_thin_next_ms(const struct log_thin *thin);

#endif
