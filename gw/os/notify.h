// SPDX-License-Identifier: BSD-3-Clause
// Reports the state of the service to systemd by the protocol of sd_notify(3).

#ifndef POSTERN_GW_OS_NOTIFY_H
#define POSTERN_GW_OS_NOTIFY_H

// Sends an assignment a line, e.g. "READY=1\nSTATUS=serving". Does nothing without $NOTIFY_SOCKET,
// and ignores errors.
void notify_systemd(const char *state);

#endif
