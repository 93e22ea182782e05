// SPDX-License-Identifier: BSD-3-Clause
// The verb "status": the state of the daemon at a glance.

#ifndef POSTERN_GW_DAEMON_STATUS_H
#define POSTERN_GW_DAEMON_STATUS_H

#include "gw/daemon/daemon.h"

// `daemon` is a struct daemon; each answers its request as struct ctl_ops says.
void verb_status(void *daemon, struct ctl_request *req);

#endif
