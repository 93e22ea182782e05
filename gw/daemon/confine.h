// SPDX-License-Identifier: BSD-3-Clause
// Gives up what only the start needs, before the first packet is read.

#ifndef POSTERN_GW_DAEMON_CONFINE_H
#define POSTERN_GW_DAEMON_CONFINE_H

#include "gw/daemon/daemon.h"

// Takes the capabilities from all threads, which have all been started, and loads their filters of
// system calls. Says in the log what is kept. Returns 0 or -errno after the reason was logged.
int confine(struct daemon *daemon) __attribute__((warn_unused_result));

#endif
