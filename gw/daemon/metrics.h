// SPDX-License-Identifier: BSD-3-Clause
// The pages of the web server: /, /metrics, /healthz and /readyz. They are answered by its thread,
// which reads what workers and loops count where they count it, and what only main may read from a
// copy that main makes each second.

#ifndef POSTERN_GW_DAEMON_METRICS_H
#define POSTERN_GW_DAEMON_METRICS_H

#include "gw/daemon/daemon.h"

// Listens, unless metrics.listen is off. Returns 0 or -errno after the reason was logged.
int metrics_open(struct daemon *daemon) __attribute__((warn_unused_result));
// Starts the thread. Returns 0 or -errno after the reason was logged.
int metrics_start(struct daemon *daemon) __attribute__((warn_unused_result));
// In each turn of main.
void metrics_turn(struct daemon *daemon);
// /readyz is 503 from now on, or not any more for this reason.
void metrics_drain(struct daemon *daemon, bool draining);
// Ends the thread. Workers and loops may be freed after this, not before.
void metrics_close(struct daemon *daemon);

// For tests and benchmarks: main makes the copy now, and makes what the pages need but the server.
// Returns NULL without memory.
struct metrics *metrics_new(struct daemon *daemon);
void metrics_free(struct metrics *metrics);
// The pages, for struct web_conf; `arg` is the struct metrics.
extern const struct web_page metrics_pages[];
extern const size_t metrics_page_count;

#endif
