// SPDX-License-Identifier: BSD-3-Clause
// The HTTP loops together: starting them, and what they know of each upstream.

#ifndef POSTERN_GW_DAEMON_UPSTREAMS_H
#define POSTERN_GW_DAEMON_UPSTREAMS_H

#include "gw/daemon/daemon.h"

// Opens the access log, makes the loops and starts them. Returns 0 or -errno after the reason was
// logged.
int upstreams_start(struct daemon *daemon) __attribute__((warn_unused_result));
// A statistic of an upstream, the sum over all loops. The index behind the last upstream is for
// requests that came to none.
uint64_t upstreams_stat(const struct daemon *daemon, size_t upstream, enum up_stat stat);
// How many servers of an upstream are up. Loops may disagree: it is the least that one of them
// sees.
size_t upstreams_servers_up(const struct daemon *daemon, size_t upstream);
// In each turn of main: sends an event for each upstream whose number of servers up has changed.
void upstreams_turn(struct daemon *daemon);

#endif
