// SPDX-License-Identifier: BSD-3-Clause
// Start-up.

#ifndef POSTERN_GW_DAEMON_START_H
#define POSTERN_GW_DAEMON_START_H

#include "gw/daemon/daemon.h"

// Reads the configuration, opens store, ports and sockets, loads the devices, starts all threads.
// Returns 0, -ECANCELED if it was told to stop meanwhile, or -errno after the reason was logged;
// daemon_stop() cleans up in all cases.
int daemon_start(struct daemon *daemon, const char *conf_path) __attribute__((warn_unused_result));

#endif
