// SPDX-License-Identifier: BSD-3-Clause
// The loops that speak HTTP, and what they know of the upstreams.

#ifndef POSTERN_GW_DAEMON_UPSTREAMS_H
#define POSTERN_GW_DAEMON_UPSTREAMS_H

#include "gw/daemon/daemon.h"

// Makes and starts the loops. Returns 0 or -errno after the reason was logged.
int start_loops(struct daemon *daemon) __attribute__((warn_unused_result));
// A statistic of an upstream, of all loops together.
uint64_t counters_upstream(const struct daemon *daemon, size_t upstream, enum up_stat stat);
// Servers of an upstream that are up for all loops.
size_t status_servers_up(const struct daemon *daemon, size_t upstream);
// In each turn of main: events of upstreams with another number of servers up.
void upstreams_watch(struct daemon *daemon);

#endif
