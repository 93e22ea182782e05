// SPDX-License-Identifier: BSD-3-Clause
// Start-up: from the configuration file to workers that take packets.

#ifndef POSTERN_GW_DAEMON_START_H
#define POSTERN_GW_DAEMON_START_H

#include "gw/daemon/daemon.h"

// Reads the configuration, opens store, ports and sockets, loads the devices and starts all
// threads. Returns 0, -ECANCELED if a stop was requested meanwhile, or -errno after the reason was
// logged. daemon_stop() must follow in all cases.
int daemon_start(struct daemon *daemon, const char *conf_path) __attribute__((warn_unused_result));

#endif
