// SPDX-License-Identifier: BSD-3-Clause
// The access log's lines of requests that workers answered by themselves.

#ifndef POSTERN_GW_DAEMON_ACCESS_H
#define POSTERN_GW_DAEMON_ACCESS_H

#include "gw/daemon/daemon.h"

// In each turn of main, and once after the workers stopped: takes the records of all workers and
// writes a line for each. Does nothing without an access log.
void access_turn(struct daemon *daemon);
// The same of all records that wait now.
void access_drain(struct daemon *daemon);

#endif
