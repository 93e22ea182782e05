// SPDX-License-Identifier: BSD-3-Clause
// The alarms that `posternctl status` shows: one sentence each. Raising and ending one is logged
// and sent to those who get events.

#ifndef POSTERN_GW_DAEMON_ALARM_H
#define POSTERN_GW_DAEMON_ALARM_H

#include "gw/daemon/daemon.h"

// Adds an alarm unless it is there. `sentence` must live as long as the daemon: its address is its
// identity.
void alarm_raise(struct daemon *daemon, const char *sentence);
// Ends an alarm if it is there.
void alarm_end(struct daemon *daemon, const char *sentence);

// At start: so many devices wait for a resync, which is an alarm unless there are none.
void alarm_resync_waits(struct daemon *daemon, uint64_t devices);
// One of them was resynced, rotated or removed. The last one ends the alarm.
void alarm_resync_done(struct daemon *daemon);

// In each turn of main: looks whether devices name policies that the configuration lacks.
void alarm_policies_turn(struct daemon *daemon);

#endif
