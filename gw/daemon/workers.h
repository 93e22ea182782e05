// SPDX-License-Identifier: BSD-3-Clause
// The workers together, as main sees them.

#ifndef POSTERN_GW_DAEMON_WORKERS_H
#define POSTERN_GW_DAEMON_WORKERS_H

#include "gw/daemon/daemon.h"

// Requests in flight of one worker: exchanges in use, less those whose answer only waits for its
// ACK.
uint32_t workers_in_flight(const struct dp *dp, unsigned worker);
// In each turn of main: raises the alarm of overload, and ends it when no worker was overloaded for
// 5 s; and the alarm of answers that are not kept long enough, see answers.h.
void workers_turn(struct daemon *daemon);

// Microseconds that a worker spent on packets up to now. Any thread.
uint64_t workers_busy_us(const struct daemon *daemon, unsigned worker);

#endif
