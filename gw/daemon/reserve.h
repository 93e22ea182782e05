// SPDX-License-Identifier: BSD-3-Clause
// What the workers go on with only when it is on the disk: the run of this start, higher run bases,
// higher marks, seconds of the clock.

#ifndef POSTERN_GW_DAEMON_RESERVE_H
#define POSTERN_GW_DAEMON_RESERVE_H

#include "gw/daemon/daemon.h"

// Seconds of the clock that are durable ahead of their use. As many may be lost by a crash.
#define RESERVE_CLOCK_S 10

// What the workers go on with only when it is on the disk: runs, run bases, marks and seconds of
// the clock (gw/daemon/reserve.c). NULL without memory.
struct reserve *reserve_new(struct daemon *daemon);
// After the store thread stopped. NULL is allowed.
void reserve_free(struct reserve *reserve);
// Takes up DP_EVENT_RUN_WANTED, DP_EVENT_RUN_BASE_WANTED or DP_EVENT_MARK_WANTED.
void reserve_event(struct reserve *reserve, const struct dp_event *event);
// Whether the first request of a device needs the run of this start: to challenge it, or to answer.
bool reserve_needs_run(const struct device_keyed *device);
// Asks for the run if a device that was added or lost its window needs it, so that it is there
// before the first request.
void reserve_device(struct reserve *reserve, const struct device_keyed *device);
// Before the workers run: asks for the run, if it is needed, and for seconds of the clock, and
// waits until each is granted or refused. A refusal is an alarm, and it is asked for again later.
void reserve_start(struct reserve *reserve, bool needs_run);
// In each turn of main. Returns whether it waits for room at a worker and must come again soon.
bool reserve_turn(struct reserve *reserve);

#endif
