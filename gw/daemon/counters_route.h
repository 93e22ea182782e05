// SPDX-License-Identifier: BSD-3-Clause
// The counters of routes, one of the sources of counters.c. Any thread.

#ifndef POSTERN_GW_DAEMON_COUNTERS_ROUTE_H
#define POSTERN_GW_DAEMON_COUNTERS_ROUTE_H

#include "gw/daemon/counters.h"
#include "gw/upstream/route_stats.h"

// Requests, answers by class, what is stored of it (of routes that ever stored something, or tried
// to), and (grouped only) the time from receipt to answer. DP_ROUTE_SLOT_OTHER is left out while
// nothing is counted in it.
#define COUNTERS_ROUTE_CACHE  UP_CACHE_STATS
#define COUNTERS_ROUTE_STREAM UP_STREAM_STATS
#define COUNTERS_ROUTE_ROWS \
	(1 + DP_ANSWER_CLASSES + COUNTERS_ROUTE_CACHE + COUNTERS_ROUTE_STREAM + 1)

size_t counters_route_rows(const struct counters *at);
const char *counters_route_read(const struct counters *at, size_t row, struct counter *counter);

#endif
