// SPDX-License-Identifier: BSD-3-Clause
// The verb "capture": copies of frames, or of opened messages, go from the workers' rings to the
// client, which writes the file. One at a time.

#ifndef POSTERN_GW_DAEMON_CAPTURE_H
#define POSTERN_GW_DAEMON_CAPTURE_H

#include "gw/daemon/daemon.h"

void verb_capture(void *arg, struct ctl_request *req, const struct ctl_capture *asked);
// In each turn of main: hands on what was copied, as far as the client takes it, and ends a capture
// that is complete. Returns whether the next turn should come soon.
bool capture_turn(struct daemon *daemon);
// Ends a capture, for the stop.
void capture_stop(struct daemon *daemon);

#endif
