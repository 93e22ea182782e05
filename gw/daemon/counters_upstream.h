// SPDX-License-Identifier: BSD-3-Clause
// The counters of upstreams and of their servers, two of the sources of counters.c. Any thread.

#ifndef POSTERN_GW_DAEMON_COUNTERS_UPSTREAM_H
#define POSTERN_GW_DAEMON_COUNTERS_UPSTREAM_H

#include "gw/daemon/counters.h"

// Of each upstream stats.def, how many servers it has, and (grouped only) the histograms of its
// queue and its batches. The last one is for requests that came to no upstream.
#define COUNTERS_UPSTREAM_ROWS (UP_STAT_COUNT + 2 + 2)

size_t counters_upstream_rows(const struct counters *at);
const char *counters_upstream_read(const struct counters *at, size_t row, struct counter *counter);

// Of each server server_stats.def, the requests under way, whether it is up, whether an operator
// took it out, and the histogram of latencies, whose buckets include those below, as Prometheus has
// it. A server that is up and was asked nothing is left out; before there are loops all are there.
#define COUNTERS_SERVER_ROWS (UP_SERVER_STAT_COUNT + 3 + UP_LATENCY_BUCKETS)

// Most servers that an upstream has, at least 1: rows are made as if all had so many.
size_t counters_servers_most(const struct conf *conf);
size_t counters_server_rows(const struct counters *at);
const char *counters_server_read(const struct counters *at, size_t row, struct counter *counter);

#endif
