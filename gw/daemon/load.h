// SPDX-License-Identifier: BSD-3-Clause
// Loading the devices of the store into the data plane, at start.

#ifndef POSTERN_GW_DAEMON_LOAD_H
#define POSTERN_GW_DAEMON_LOAD_H

#include "gw/daemon/daemon.h"

// Devices that are damaged in the store are left out, with an alarm. *needs_run: whether the run of
// this start must be granted before the first packet. Returns 0, -ECANCELED if a stop was
// requested, or -errno after the reason was logged.
int load_devices(struct daemon *daemon, bool *needs_run) __attribute__((warn_unused_result));

#endif
