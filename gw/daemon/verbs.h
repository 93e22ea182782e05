// SPDX-License-Identifier: BSD-3-Clause
// The table of verbs: which function of the daemon does what a client requests.

#ifndef POSTERN_GW_DAEMON_VERBS_H
#define POSTERN_GW_DAEMON_VERBS_H

#include "gw/daemon/daemon.h"

// Fills daemon->ops.
void verbs_init(struct daemon *daemon);

#endif
