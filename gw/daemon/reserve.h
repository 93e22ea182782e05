// SPDX-License-Identifier: BSD-3-Clause
// What must be on the disk before a worker may use it: the run of this start, higher run bases,
// higher marks, seconds of the clock. A worker requests each by one event; main writes it to the
// store and grants it to the worker.

#ifndef POSTERN_GW_DAEMON_RESERVE_H
#define POSTERN_GW_DAEMON_RESERVE_H

#include "gw/daemon/daemon.h"

// Seconds of the clock that are on the disk ahead of their use. A crash loses up to as many.
#define RESERVE_CLOCK_S 10

// NULL without memory.
struct reserve *reserve_new(struct daemon *daemon);
// Only after the store thread stopped. NULL is allowed.
void reserve_free(struct reserve *reserve);
// Takes a worker's request: DP_EVENT_RUN_WANTED, DP_EVENT_RUN_BASE_WANTED or DP_EVENT_MARK_WANTED.
void reserve_event(struct reserve *reserve, const struct dp_event *event);
// Whether the gateway needs the run of this start for the first request of a device: to send an
// Echo challenge, or because each answer has an own Partial IV.
bool reserve_needs_run(const struct device_keyed *device);
// Requests the run if a device that was added, or has lost its window, needs it, so that it is
// granted before the first request.
void reserve_device(struct reserve *reserve, const struct device_keyed *device);
// Before the workers run: requests the run, if it is needed, and seconds of the clock, and waits
// until each is granted or refused. What was refused is an alarm and is requested again later.
void reserve_start(struct reserve *reserve, bool needs_run);
// In each turn of main: submits what was requested to the store thread. Returns whether a worker
// had no room for a grant, so that the next turn must come soon.
bool reserve_turn(struct reserve *reserve);

#endif
