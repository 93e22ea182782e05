// SPDX-License-Identifier: BSD-3-Clause
// Whether the disk of the store takes what is written.

#ifndef POSTERN_GW_DAEMON_DISK_H
#define POSTERN_GW_DAEMON_DISK_H

#include "gw/daemon/daemon.h"

// What a job that writes to the store returned: an alarm while the disk takes nothing
// (gw/daemon/disk.c).
void daemon_store_result(struct daemon *daemon, int result);
// In each turn of main.
void disk_turn(struct daemon *daemon);

#endif
