// SPDX-License-Identifier: BSD-3-Clause
// Alarms of the status.

#ifndef POSTERN_GW_DAEMON_ALARM_H
#define POSTERN_GW_DAEMON_ALARM_H

#include "gw/daemon/daemon.h"

// Adds a sentence, which must be constant, to the alarms of the status; once.
void daemon_alarm(struct daemon *daemon, const char *sentence);
// Takes one back, if it is there.
void daemon_alarm_end(struct daemon *daemon, const char *sentence);

// Devices wait for a resync: an alarm.
void daemon_resync_waits(struct daemon *daemon, uint64_t devices);
// A device that waited for a resync does so no more.
void daemon_resynced(struct daemon *daemon);

#endif
