// SPDX-License-Identifier: BSD-3-Clause
// Tells systemd what the service does (the protocol of sd_notify(3)); nothing without systemd.

#ifndef POSTERN_GW_OS_NOTIFY_H
#define POSTERN_GW_OS_NOTIFY_H

// For example "READY=1\nSTATUS=serving".
void notify_systemd(const char *state);

#endif
