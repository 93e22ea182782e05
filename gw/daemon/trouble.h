// SPDX-License-Identifier: BSD-3-Clause
// What goes wrong around the daemon while it serves on: an alarm while it goes on, and for a time
// after it was seen last. What it is counted by is in the metrics as well.

#ifndef POSTERN_GW_DAEMON_TROUBLE_H
#define POSTERN_GW_DAEMON_TROUBLE_H

#include "gw/daemon/daemon.h"

#define TROUBLE_CLOCK_S 600 // for which a clock that was set is an alarm

// In each turn of main. Looks once a second.
void trouble_turn(struct daemon *daemon);

#endif
