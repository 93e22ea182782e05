// SPDX-License-Identifier: BSD-3-Clause
// Events of the data plane.

#ifndef POSTERN_GW_DAEMON_EVENTS_H
#define POSTERN_GW_DAEMON_EVENTS_H

#include "gw/daemon/daemon.h"

// For dp_poll(): `daemon` is a struct daemon.
void on_event(void *daemon, const struct dp_event *event);

#endif
