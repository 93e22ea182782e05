// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/load.h"

#include "gw/daemon/alarm.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/served.h"
#include "gw/daemon/stop.h"
#include "gw/os/log.h"
#include "gw/os/notify.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LOAD_PROGRESS 100000 // devices between two lines of progress
#define LOAD_LOOK     1024   // devices between two looks whether to stop

struct load_state {
	struct daemon *daemon;
	uint64_t loaded;
	uint64_t waiting; // for a resync
	bool needs_run;   // the first request of some device needs an own Partial IV
};

static void load_progress(const struct load_state *state)
{
	char text[80];

	snprintf(text, sizeof(text), "STATUS=%lu of %lu devices loaded", state->loaded,
		store_count(state->daemon->store));
	log_info("%s", text + strlen("STATUS="));
	notify_systemd(text);
}

static int load_device(void *arg, const struct device_keyed *device)
{
	struct load_state *state = arg;
	const struct device_ids ids = {
		.kid = device->device_id,
		.kid_len = device->device_id_len,
		.has_id_context = device->has_id_context,
		.id_context = device->id_context,
		.id_context_len = device->id_context_len,
		.derives = device->rederive == DEVICE_REDERIVE_B2,
	};

	if (!device->credential_len && device_reserved_has(state->daemon->reserved, &ids)) {
		log_error(
			"device %s has a name that is passed through: take it out of passthrough, "
			"or start without that and remove the device",
			device->name);
		return -EEXIST;
	}
	int rc = served_add(&state->daemon->registry, device);

	if (rc) {
		log_error("device %s: %s", device->name, strerror(-rc));
		return rc;
	}
	state->waiting += device->resync_needed;
	if (state->loaded % LOAD_LOOK == 0 && stop_requested(state->daemon))
		return -ECANCELED;
	state->needs_run |= reserve_needs_run(device);
	if (++state->loaded % LOAD_PROGRESS == 0)
		load_progress(state);
	return 0;
}

int load_devices(struct daemon *daemon, bool *needs_run)
{
	struct load_state state = {.daemon = daemon};
	struct store_load_result result = {0};
	struct error error = {0};
	int rc = store_load(daemon->store, load_device, &state, &result, &error);

	if (rc == -ECANCELED)
		return rc;
	if (rc) {
		log_error("%s", error.text[0] ? error.text : "devices cannot be loaded");
		return rc;
	}
	if (result.unreadable) {
		log_error("%lu devices are damaged in the store and left out, one of them %s",
			result.unreadable, result.first_unreadable);
		alarm_raise(daemon, "devices are damaged in the store and were left out");
	}
	alarm_resync_waits(daemon, state.waiting);
	*needs_run = state.needs_run;
	return 0;
}
