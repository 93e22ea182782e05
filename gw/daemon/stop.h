// SPDX-License-Identifier: BSD-3-Clause
// The stop: whether it was asked for, and the clean one.

#ifndef POSTERN_GW_DAEMON_STOP_H
#define POSTERN_GW_DAEMON_STOP_H

#include "gw/daemon/daemon.h"

// Takes the signals that came. Returns whether the daemon is to stop: what waits or works for long
// while it starts asks this now and then.
bool daemon_told_to_stop(struct daemon *daemon);
// The clean stop: workers first, so that the windows that are stored are exact and final. Returns
// 0 or -errno after the reason was logged.
int daemon_stop(struct daemon *daemon);

#endif
