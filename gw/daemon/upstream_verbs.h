// SPDX-License-Identifier: BSD-3-Clause
// The verbs about upstreams and their servers.

#ifndef POSTERN_GW_DAEMON_UPSTREAM_VERBS_H
#define POSTERN_GW_DAEMON_UPSTREAM_VERBS_H

#include "gw/daemon/daemon.h"

// arg: the daemon, as for all of struct ctl_ops.
void verb_upstream_show(void *arg, struct ctl_request *req, const char *upstream);
void verb_server_order(void *arg, struct ctl_request *req, const char *upstream, const char *name,
	enum ctl_server_order order);

#endif
