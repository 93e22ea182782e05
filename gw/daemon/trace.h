// SPDX-License-Identifier: BSD-3-Clause
// The verb "trace": what happens to the next packets of a device or of an address, stage by stage.
// One at a time.

#ifndef POSTERN_GW_DAEMON_TRACE_H
#define POSTERN_GW_DAEMON_TRACE_H

#include "gw/daemon/daemon.h"

void verb_trace(void *arg, struct ctl_request *req, const struct ctl_trace *asked);
// In each turn of main: hands on what workers told, and ends a trace that is complete. Returns
// whether the next turn should come soon.
bool trace_turn(struct daemon *daemon);
// Ends a trace, for the stop.
void trace_stop(struct daemon *daemon);

#endif
