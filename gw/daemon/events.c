// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/events.h"

#include "gw/daemon/alarm.h"
#include "gw/daemon/handshakes.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/reserve.h"
#include "gw/os/log.h"

// Warns, and the device is still served: or whoever can send packets could shut it out.
static void on_limit(struct daemon *daemon, const struct dp_event *event)
{
	static const char *const texts[] = {
		[DP_LIMIT_USE_HALF] = "has used half of the messages that its keys are good for",
		[DP_LIMIT_USE] = "has used its keys for more messages than they are good for",
		[DP_LIMIT_FORGERY_HALF] = "is attacked: half of the forgeries its keys stand",
		[DP_LIMIT_FORGERY] = "is attacked: more forgeries than its keys stand",
	};
	static const char *const words[] = {
		[DP_LIMIT_USE_HALF] = "use-half",
		[DP_LIMIT_USE] = "use",
		[DP_LIMIT_FORGERY_HALF] = "forgery-half",
		[DP_LIMIT_FORGERY] = "forgery",
	};
	const struct registry_entry *entry =
		registry_get(&daemon->registry, event->context, event->generation);

	// A session that has used its keys up ends. It may have used half of them.
	if (entry && entry->id & REGISTRY_SESSION &&
		(event->arg == DP_LIMIT_USE_HALF ||
			(event->arg == DP_LIMIT_USE &&
				handshakes_used_up(
					daemon->handshakes, event->context, event->generation))))
		return;
	if (entry) {
		const bool session = entry->id & REGISTRY_SESSION;

		log_warning("device %s %s: %s%s", entry->name, texts[event->arg],
			session ? "it agrees on others after posternctl edhoc end "
				: "give it new keys",
			session ? entry->name : "");
		ctl_event_limit(daemon->ctl, entry->name, words[event->arg]);
	}
	if (event->arg == DP_LIMIT_USE || event->arg == DP_LIMIT_FORGERY)
		alarm_raise(daemon, "keys of devices are beyond their limits: see the log");
}

static void on_state(struct daemon *daemon, const struct dp_event *event)
{
	const struct registry_entry *entry =
		registry_get(&daemon->registry, event->context, event->generation);

	if (!entry)
		return;
	if (event->arg == DP_CONTEXT_REPLAY_LOCKED)
		log_warning("device %s is replay-locked: it has proved that it uses sequence "
			    "numbers again",
			entry->name);
	else
		log_debug("device %s is %s", entry->name, dp_context_state_name(event->arg));
	ctl_event_device_state(daemon->ctl, entry->name, dp_context_state_name(event->arg));
}

void events_take(void *arg, const struct dp_event *event)
{
	struct daemon *daemon = arg;

	switch ((enum dp_event_type)event->type) {
	case DP_EVENT_STATE:
		on_state(daemon, event);
		break;
	case DP_EVENT_RUN_WANTED:
	case DP_EVENT_RUN_BASE_WANTED:
	case DP_EVENT_MARK_WANTED:
		reserve_event(daemon->reserve, event);
		break;
	case DP_EVENT_LIMIT:
		on_limit(daemon, event);
		break;
	case DP_EVENT_DRAINED:
		registry_drained(&daemon->registry, event->context, event->generation);
		break;
	case DP_EVENT_RETIRED: // these are dp_poll()'s
	case DP_EVENT_MOVE_WANTED:
	case DP_EVENT_MOVED:
		break;
	}
}
