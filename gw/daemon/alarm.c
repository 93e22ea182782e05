// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/alarm.h"

#include "gw/os/log.h"

#include <string.h>

void alarm_raise(struct daemon *daemon, const char *sentence)
{
	for (size_t i = 0; i < daemon->alarm_count; i++)
		if (daemon->alarm[i] == sentence)
			return;
	if (daemon->alarm_count < DAEMON_ALARMS_MAX)
		daemon->alarm[daemon->alarm_count++] = sentence;
	log_error("%s", sentence);
	ctl_event_alarm(daemon->ctl, sentence, true);
}

void alarm_end(struct daemon *daemon, const char *sentence)
{
	for (size_t i = 0; i < daemon->alarm_count; i++) {
		if (daemon->alarm[i] != sentence)
			continue;
		memmove(&daemon->alarm[i], &daemon->alarm[i + 1],
			(--daemon->alarm_count - i) * sizeof(daemon->alarm[0]));
		log_notice("over: %s", sentence);
		ctl_event_alarm(daemon->ctl, sentence, false);
		return;
	}
}

static const char resync_waiting[] = "devices that recover by a floor wait for a resync";

void alarm_resync_waits(struct daemon *daemon, uint64_t devices)
{
	daemon->resync_waiting = devices;
	if (devices)
		alarm_raise(daemon, resync_waiting);
}

void alarm_resync_done(struct daemon *daemon)
{
	if (daemon->resync_waiting && !--daemon->resync_waiting)
		alarm_end(daemon, resync_waiting);
}
