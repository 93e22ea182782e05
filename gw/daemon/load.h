// SPDX-License-Identifier: BSD-3-Clause
// The devices of the store, at start.

#ifndef POSTERN_GW_DAEMON_LOAD_H
#define POSTERN_GW_DAEMON_LOAD_H

#include "gw/daemon/daemon.h"

// *needs_run: whether a run must be there before the first packet. Returns 0, -ECANCELED if a stop
// was asked for, or -errno after the reason was logged.
int load_devices(struct daemon *daemon, bool *needs_run) __attribute__((warn_unused_result));

#endif
