// SPDX-License-Identifier: BSD-3-Clause
// The verbs about stored answers.

#ifndef POSTERN_GW_DAEMON_CACHE_VERBS_H
#define POSTERN_GW_DAEMON_CACHE_VERBS_H

#include "gw/daemon/daemon.h"

// Of struct ctl_ops.
void verb_cache_show(void *arg, struct ctl_request *req);
void verb_cache_purge(void *arg, struct ctl_request *req, const char *path);

#endif
