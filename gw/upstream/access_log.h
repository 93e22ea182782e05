// SPDX-License-Identifier: BSD-3-Clause
// Where the lines of the access log go. Each upstream loop has a ring, and main has one, as if it
// were one loop more; a thread writes them to a file or stderr. A loop never waits: what finds no
// room, or exceeds the rate, is dropped and counted, and a disk that is full or slow costs lines
// only.

#ifndef POSTERN_GW_UPSTREAM_ACCESS_LOG_H
#define POSTERN_GW_UPSTREAM_ACCESS_LOG_H

#include "base/error.h"
#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_ACCESS_LINE_MAX 4096 // bytes with the line end

struct up_access_log;

// conf->access says where to, and is not NULL; loops: of the upstream. Starts the thread. Returns 0
// or -errno with a line in *error.
int up_access_log_create(const struct conf_log *conf, unsigned loops, struct up_access_log **log,
	struct error *error) __attribute__((warn_unused_result));
// Main: from now on these `sample` and `rate` count.
void up_access_log_set(struct up_access_log *log, const struct conf_log *conf);
// After the loops have ended: writes what is left, for a few seconds at most. NULL is allowed.
void up_access_log_free(struct up_access_log *log);

// Loop: whether sample and rate allow a line for a request; random: fresh bits.
bool up_access_log_wants(
	struct up_access_log *log, unsigned loop, uint32_t random, uint64_t now_ms);
// Loop: hands over a line, with its end, of at most UP_ACCESS_LINE_MAX bytes; 0: none could be
// made.
void up_access_log_put(struct up_access_log *log, unsigned loop, const char *line, size_t len);

// Any thread: lines written; kept back by the rate or for want of room; that could not be written.
uint64_t up_access_log_written(const struct up_access_log *log);
uint64_t up_access_log_dropped(const struct up_access_log *log);
uint64_t up_access_log_failed(const struct up_access_log *log);

#endif
