// SPDX-License-Identifier: BSD-3-Clause
// The table of verbs.

#ifndef POSTERN_GW_DAEMON_VERBS_H
#define POSTERN_GW_DAEMON_VERBS_H

#include "gw/daemon/daemon.h"

// Fills daemon->ops.
void operations_init(struct daemon *daemon);

#endif
