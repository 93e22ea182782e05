// SPDX-License-Identifier: BSD-3-Clause
// What main does about the events of the data plane.

#ifndef POSTERN_GW_DAEMON_EVENTS_H
#define POSTERN_GW_DAEMON_EVENTS_H

#include "gw/daemon/daemon.h"

// The callback of dp_poll(); `daemon` is a struct daemon.
void events_take(void *daemon, const struct dp_event *event);

#endif
