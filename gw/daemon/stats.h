// SPDX-License-Identifier: BSD-3-Clause
// The verb "stats": all counters.

#ifndef POSTERN_GW_DAEMON_STATS_H
#define POSTERN_GW_DAEMON_STATS_H

#include "gw/daemon/daemon.h"

// `daemon` is a struct daemon; answers its request as struct ctl_ops says.
void verb_stats(void *daemon, struct ctl_request *req);

#endif
