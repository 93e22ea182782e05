// SPDX-License-Identifier: BSD-3-Clause
// Whether the disk of the store takes writes.

#ifndef POSTERN_GW_DAEMON_DISK_H
#define POSTERN_GW_DAEMON_DISK_H

#include "gw/daemon/daemon.h"

// Takes the result of each job that writes to the store, 0 or -errno. A failure of the disk raises
// an alarm, and the next success ends it and adds one to daemon->disk.recoveries.
void disk_result(struct daemon *daemon, int result);
// In each turn of main: submits a probe every 5 s while the disk fails, and else a look whether the
// files of the store are there each second.
void disk_turn(struct daemon *daemon);

#endif
