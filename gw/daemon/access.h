// SPDX-License-Identifier: BSD-3-Clause
// Lines of the access log for the requests that workers answered by themselves.

#ifndef POSTERN_GW_DAEMON_ACCESS_H
#define POSTERN_GW_DAEMON_ACCESS_H

#include "gw/daemon/daemon.h"

// Writes the lines of what workers answered by themselves; see gw/daemon/access.c.
void access_turn(struct daemon *daemon);

#endif
