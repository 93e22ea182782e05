// SPDX-License-Identifier: BSD-3-Clause
// The counters of upstreams and of their servers, two of the sources of counters.c. Any thread.

#ifndef POSTERN_GW_DAEMON_COUNTERS_UPSTREAM_H
#define POSTERN_GW_DAEMON_COUNTERS_UPSTREAM_H

#include "gw/daemon/counters.h"

// Begins an iteration: upstreams that come later are not in it.
void counters_upstream_begin(struct counters *at);

// Of each upstream stats.def, how many servers it has, and (grouped only) the histograms of its
// queue and its batches. The last two are for requests that came to no upstream, and for those that
// the configuration has no more.
#define COUNTERS_UPSTREAM_ROWS (UP_STAT_COUNT + 2 + 2)

size_t counters_upstream_rows(const struct counters *at);
const char *counters_upstream_read(const struct counters *at, size_t row, struct counter *counter);

// Of each server server_stats.def, the requests under way, whether it is up, whether an operator
// took it out, and the histogram of latencies, whose buckets include those below, as Prometheus has
// it. A server that is up and was asked nothing is left out; before there are loops all are there.
// The last is for those that are gone.
#define COUNTERS_SERVER_ROWS (UP_SERVER_STAT_COUNT + 3 + UP_LATENCY_BUCKETS)

size_t counters_server_rows(const struct counters *at);
const char *counters_server_read(const struct counters *at, size_t row, struct counter *counter);

#endif
