// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/doubts.h"

#include "base/container.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/disk.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/served.h"
#include "gw/os/log.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DOUBTS_MAX 1024 // devices; each needed a verb of its own on a disk that failed

struct doubt {
	struct doubt *next;
	struct daemon *daemon;
	struct store_get_job get;
	bool has_before;
	struct device_info before;
};

static const char lost[] = "the disk failed under more changes of devices than are remembered: "
			   "restart, so that the data "
			   "plane has what the store has";

static bool is_of_the_disk(int result)
{
	return result == -EIO || result == -ENOSPC || result == -EROFS || result == -EACCES;
}

void doubts_put(
	struct daemon *daemon, int result, const char *name, const struct device_info *before)
{
	struct doubt **at = &daemon->doubts;
	unsigned count = 0;

	if (!is_of_the_disk(result) || !name[0])
		return;
	for (; *at; at = &(*at)->next)
		count++;
	struct doubt *doubt = count < DOUBTS_MAX ? calloc(1, sizeof(*doubt)) : NULL;

	if (!doubt) {
		alarm_raise(daemon, lost);
		return;
	}
	doubt->daemon = daemon;
	memcpy(doubt->get.name, name, strnlen(name, DEVICE_NAME_MAX));
	doubt->has_before = before && before->id;
	if (doubt->has_before)
		doubt->before = *before;
	*at = doubt;
}

static void doubt_drop(struct daemon *daemon)
{
	struct doubt *doubt = daemon->doubts;

	daemon->doubts = doubt->next;
	sodium_memzero(doubt, sizeof(*doubt));
	free(doubt);
}

// The device that a verb was to retire is not in the store, and no longer served.
static int retire(struct registry *registry, const struct device_info *before)
{
	uint32_t index;

	if (!before->credential[0] && !registry_find(registry, before, &index) &&
		!registry_waits(registry, before->id))
		return 0;
	return served_remove(registry, before);
}

// The store has this device. It is served, with these keys and settings.
static int agree(struct daemon *daemon, const struct doubt *doubt, struct device_keyed *device)
{
	struct registry *registry = &daemon->registry;
	int rc = 0;

	if (doubt->has_before && doubt->before.id != device->id)
		rc = retire(registry, &doubt->before);
	if (rc)
		return rc;
	device->changed = registry_has(registry, device);
	rc = served_add(registry, device);
	if (!rc && !device->changed)
		reserve_device(daemon->reserve, device);
	return rc;
}

static void doubt_done(struct store_job *job)
{
	struct doubt *doubt = CONTAINER_OF(job, struct doubt, get.job);
	struct daemon *daemon = doubt->daemon;
	int rc = job->result;

	daemon->doubts_busy = false;
	disk_result(daemon, rc == -ENOENT ? 0 : rc);
	if (is_of_the_disk(rc))
		return;
	if (!rc)
		rc = agree(daemon, doubt, &doubt->get.device);
	else if (rc == -ENOENT)
		rc = doubt->has_before ? retire(&daemon->registry, &doubt->before) : 0;
	if (rc)
		log_error("device %s: the data plane does not have what the store has: %s",
			doubt->get.name, strerror(-rc));
	doubt_drop(daemon);
}

void doubts_turn(struct daemon *daemon)
{
	struct doubt *doubt = daemon->doubts;

	if (!doubt || daemon->doubts_busy || daemon->disk.failing)
		return;
	daemon->doubts_busy = true;
	doubt->get.job = (struct store_job){.done = doubt_done};
	store_get_job_init(&doubt->get);
	store_thread_submit(daemon->store_thread, &doubt->get.job);
}

void doubts_free(struct daemon *daemon)
{
	while (daemon->doubts)
		doubt_drop(daemon);
}
