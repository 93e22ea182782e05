// SPDX-License-Identifier: BSD-3-Clause
// The links of the ports, whether their network devices are there, and the carrier and MAC of the
// kernel TAPs beside them.

#ifndef POSTERN_GW_DAEMON_LINK_H
#define POSTERN_GW_DAEMON_LINK_H

#include "gw/daemon/daemon.h"

// Whether the link of a port is up. A driver without link state counts as up.
bool link_is_up(const struct daemon_port *port);
// In each turn of main, effective every 500 ms: logs links that changed and gives their kernel TAPs
// the same carrier, and the port's MAC if something else changed it. A network
// device that was removed is an alarm until the end.
void link_turn(struct daemon *daemon);

#endif
