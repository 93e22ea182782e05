// SPDX-License-Identifier: BSD-3-Clause
// The links of the ports.

#ifndef POSTERN_GW_DAEMON_LINK_H
#define POSTERN_GW_DAEMON_LINK_H

#include "gw/daemon/daemon.h"

// Whether a port's link is up, as far as its driver knows (gw/daemon/link.c).
bool link_is_up(const struct daemon_port *port);
// In each turn of main: logs changes of the links and carries them to the kernel TAPs.
void link_turn(struct daemon *daemon);

#endif
