// SPDX-License-Identifier: BSD-3-Clause
// Main's loop: one turn after the other, each of which gives every part of the daemon its turn.

#ifndef POSTERN_GW_DAEMON_LOOP_H
#define POSTERN_GW_DAEMON_LOOP_H

#include "gw/daemon/daemon.h"

// Makes the epoll set that main sleeps on. Returns 0, or -errno after the reason was logged.
int loop_open(struct daemon *daemon) __attribute__((warn_unused_result));
// Returns when a signal or `posternctl shutdown` has requested the stop.
void daemon_run(struct daemon *daemon);

#endif
