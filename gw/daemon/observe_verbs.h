// SPDX-License-Identifier: BSD-3-Clause
// The verbs "observe list" and "observe cancel". The workers answer, one after another; one request
// at a time.

#ifndef POSTERN_GW_DAEMON_OBSERVE_VERBS_H
#define POSTERN_GW_DAEMON_OBSERVE_VERBS_H

#include "gw/daemon/daemon.h"

void verb_observe_list(void *arg, struct ctl_request *req, const struct ctl_observed *asked);
void verb_observe_cancel(void *arg, struct ctl_request *req, const char *device, const char *path);
// In each turn of main: hands on what workers told. Returns whether the next turn should come soon.
bool observe_turn(struct daemon *daemon);
// Ends a request, for the stop.
void observe_stop(struct daemon *daemon);

#endif
