// SPDX-License-Identifier: BSD-3-Clause
// Main's loop.

#ifndef POSTERN_GW_DAEMON_LOOP_H
#define POSTERN_GW_DAEMON_LOOP_H

#include "gw/daemon/daemon.h"

// What main sleeps on. Returns 0 or -errno after the reason was logged.
int start_loop(struct daemon *daemon) __attribute__((warn_unused_result));
// Turns until a signal or `posternctl shutdown` ends it.
void daemon_run(struct daemon *daemon);

#endif
