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

static const char policies_missing[] =
	"devices name policies that the configuration lacks: all their requests are refused";

#define POLICIES_NAMED 8 // in the log at once

void alarm_policies_turn(struct daemon *daemon)
{
	struct policies *policies = &daemon->registry.policies;
	unsigned named = 0;

	if (policies->told)
		return;
	policies->told = true;
	if (!policies->missing) {
		alarm_end(daemon, policies_missing);
		return;
	}
	alarm_raise(daemon, policies_missing);
	for (unsigned i = 1; i < policies->count && named < POLICIES_NAMED; i++) {
		const struct policy_name *policy = &policies->named[i];

		if (policy->configured || !policy->devices)
			continue;
		log_warning("there is no policy %s: device list --policy %s shows its devices",
			policy->name, policy->name);
		named++;
	}
}
