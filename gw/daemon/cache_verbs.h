// SPDX-License-Identifier: BSD-3-Clause
// The verbs about stored answers.

#ifndef POSTERN_GW_DAEMON_CACHE_VERBS_H
#define POSTERN_GW_DAEMON_CACHE_VERBS_H

#include "gw/daemon/daemon.h"

// Of struct ctl_ops.
void verb_cache_show(void *arg, struct ctl_request *req, const char *path);
void verb_cache_purge(void *arg, struct ctl_request *req, const char *path);
// In each turn of main: hands on what loops told. Returns whether the next turn should come soon.
bool cache_turn(struct daemon *daemon);
// The loops have ended: ends a request.
void cache_stop(struct daemon *daemon);

#endif
