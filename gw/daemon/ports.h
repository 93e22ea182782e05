// SPDX-License-Identifier: BSD-3-Clause
// Ports of the configuration become ports of the data plane, with the kernel TAPs beside them.

#ifndef POSTERN_GW_DAEMON_PORTS_H
#define POSTERN_GW_DAEMON_PORTS_H

#include "gw/daemon/daemon.h"

enum dp_port_kind port_kind(enum conf_port_kind kind);
// Returns 0 or -errno after the reason was logged.
int start_ports(struct daemon *daemon) __attribute__((warn_unused_result));

#endif
