// SPDX-License-Identifier: BSD-3-Clause
// What main sees of the workers.

#ifndef POSTERN_GW_DAEMON_WORKERS_H
#define POSTERN_GW_DAEMON_WORKERS_H

#include "gw/daemon/daemon.h"

// A worker's requests in flight, without answers that wait for their ACK.
uint32_t counters_in_flight(const struct dp *dp, unsigned worker);
// In each turn of main: the alarm of overload.
void overload_watch(struct daemon *daemon);

#endif
