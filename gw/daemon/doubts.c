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

#define DOUBTS_MAX  1024 // each needed a verb of its own on a disk that failed
#define IMPORTS_MAX 8    // of them; each has a file open
#define TRIES_MAX   32   // to hand out what there is of an import

// A device, or all those of an import.
struct doubt {
	struct doubt *next;
	struct daemon *daemon;
	struct store_import_job *import; // NULL: a device
	unsigned tries;
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

// Behind all others; so many may be of its kind. NULL: there is no room, which is an alarm.
static struct doubt *doubt_add(struct daemon *daemon, bool is_import, unsigned most)
{
	struct doubt **at = &daemon->doubts;
	unsigned count = 0;

	for (; *at; at = &(*at)->next)
		count += ((*at)->import != NULL) == is_import;
	struct doubt *doubt = count < most ? calloc(1, sizeof(*doubt)) : NULL;

	if (!doubt) {
		alarm_raise(daemon, lost);
		return NULL;
	}
	doubt->daemon = daemon;
	*at = doubt;
	return doubt;
}

void doubts_put(
	struct daemon *daemon, int result, const char *name, const struct device_info *before)
{
	if (!is_of_the_disk(result) || !name[0])
		return;
	struct doubt *doubt = doubt_add(daemon, false, DOUBTS_MAX);

	if (!doubt)
		return;
	memcpy(doubt->get.name, name, strnlen(name, DEVICE_NAME_MAX));
	doubt->has_before = before && before->id;
	if (doubt->has_before)
		doubt->before = *before;
}

void doubts_put_import(struct daemon *daemon, struct store_import_job *import)
{
	struct doubt *doubt = import->in_doubt ? doubt_add(daemon, true, IMPORTS_MAX) : NULL;

	if (!doubt) {
		store_import_job_free(import);
		return;
	}
	doubt->import = import;
	import->arg = doubt;
	import->job.note = NULL;
}

static void doubt_drop(struct daemon *daemon)
{
	struct doubt *doubt = daemon->doubts;

	daemon->doubts = doubt->next;
	store_import_job_free(doubt->import);
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
static int agree(struct daemon *daemon, struct device_keyed *device)
{
	struct registry *registry = &daemon->registry;

	device->changed = registry_has(registry, device);
	const int rc = served_add(registry, device);

	if (!rc && !device->changed)
		reserve_device(daemon->reserve, device);
	return rc;
}

static void log_refused(const char *name, int rc)
{
	log_error("device %s: the data plane does not have what the store has: %s", name,
		strerror(-rc));
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
	const bool is_there = !rc;

	if (rc == -ENOENT)
		rc = 0;
	if (!rc && doubt->has_before && (!is_there || doubt->before.id != doubt->get.device.id))
		rc = retire(&daemon->registry, &doubt->before);
	if (!rc && is_there)
		rc = agree(daemon, &doubt->get.device);
	if (rc)
		log_refused(doubt->get.name, rc);
	doubt_drop(daemon);
}

static void import_done(struct store_job *job)
{
	struct store_import_job *import = CONTAINER_OF(job, struct store_import_job, job);
	struct doubt *doubt = import->arg;
	struct daemon *daemon = doubt->daemon;

	for (size_t i = 0; i < import->count; i++) {
		const int rc = agree(daemon, &import->devices[i]);

		if (rc)
			log_refused(import->devices[i].name, rc);
	}
	if (import->count) {
		store_thread_submit(daemon->store_thread, job);
		return;
	}
	daemon->doubts_busy = false;
	disk_result(daemon, job->result);
	if (is_of_the_disk(job->result) && ++doubt->tries < TRIES_MAX)
		return;
	if (job->result)
		alarm_raise(daemon, lost);
	doubt_drop(daemon);
}

void doubts_turn(struct daemon *daemon)
{
	struct doubt *doubt = daemon->doubts;

	if (!doubt || daemon->doubts_busy || daemon->disk.failing)
		return;
	daemon->doubts_busy = true;
	if (doubt->import) {
		doubt->import->job.done = import_done;
		store_thread_submit(daemon->store_thread, &doubt->import->job);
		return;
	}
	doubt->get.job = (struct store_job){.done = doubt_done};
	store_get_job_init(&doubt->get);
	store_thread_submit(daemon->store_thread, &doubt->get.job);
}

void doubts_free(struct daemon *daemon)
{
	while (daemon->doubts)
		doubt_drop(daemon);
}
