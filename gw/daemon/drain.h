// SPDX-License-Identifier: BSD-3-Clause
// Takes the gateway out of service: new requests get 5.03, /readyz says so, and what is under way
// is finished. A stop begins with a short one.

#ifndef POSTERN_GW_DAEMON_DRAIN_H
#define POSTERN_GW_DAEMON_DRAIN_H

#include "gw/daemon/daemon.h"

void verb_drain(void *arg, struct ctl_request *req, const struct ctl_drain *how);
void verb_undrain(void *arg, struct ctl_request *req);
// A signal or the verb shutdown wants the stop: drains for 5 s at most. A second one stops at once.
void drain_to_stop(struct daemon *daemon);
// In each turn of main. Returns whether to look again soon.
bool drain_turn(struct daemon *daemon);
// Ends a drain that is waited for, with what is left then.
void drain_end(struct daemon *daemon);

#endif
