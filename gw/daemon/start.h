// SPDX-License-Identifier: BSD-3-Clause
// Start-up: from the configuration file to workers that take packets.

#ifndef POSTERN_GW_DAEMON_START_H
#define POSTERN_GW_DAEMON_START_H

#include "gw/daemon/daemon.h"

// Reads the configuration, opens store, ports and sockets, loads the devices and starts all
// threads. Returns 0, -ECANCELED if a stop was requested meanwhile, or -errno after the reason was
// logged. daemon_stop() must follow in all cases.
int daemon_start(struct daemon *daemon, const char *conf_path) __attribute__((warn_unused_result));

// Steps of it that need neither ports nor sockets, for daemon_start() and the simulator of
// tests/sim; in this order, each 0 or -errno after the reason was logged. What follows of
// daemon->conf alone:
int start_configured(struct daemon *daemon) __attribute__((warn_unused_result));
// After the devices were loaded: the threads but the workers.
int start_threads(struct daemon *daemon) __attribute__((warn_unused_result));
// Marks the store as started, which uses up what the last clean stop left for this start. So it is
// the last step that can fail for a reason outside of this process. Grants a run if it needs one.
int start_store(struct daemon *daemon, bool needs_run) __attribute__((warn_unused_result));

#endif
