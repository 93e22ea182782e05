// SPDX-License-Identifier: BSD-3-Clause
// While the disk of the store takes no writes there is an alarm, and a probe every PROBE_MS finds
// out when it takes them again, even if nothing else is written. While it takes them, a look every
// LOOK_MS finds files that were removed. A disk that is slow is an alarm, too, and never a reason
// to end the daemon: all windows would be unknown.

#include "gw/daemon/disk.h"

#include "base/clock.h"
#include "base/container.h"
#include "gw/daemon/alarm.h"
#include "gw/os/log.h"

#include <errno.h>
#include <stddef.h>

#define PROBE_MS 5000
#define LOOK_MS  1000 // between looks whether the files of the store are there
#define SLOW_MS  5000 // for one turn of a job: jobs are cut so that each takes milliseconds

static const char full[] = "the store has no room left: what needs new state is refused";
static const char failed[] = "the store cannot be written: what needs new state is refused";
static const char slow[] = "the disk of the store is slow: a write has taken more than 5 s";
static const char lost[] = "the disk lost what the store had written: restore a backup";

void disk_result(struct daemon *daemon, int result)
{
	const char *sentence = NULL;

	switch (result) {
	case 0:
		alarm_end(daemon, full);
		alarm_end(daemon, failed);
		alarm_end(daemon, lost); // it is there after all
		daemon->disk.recoveries += daemon->disk.failing;
		daemon->disk.failing = false;
		return;
	case -ENOSPC:
		sentence = full;
		break;
	case -EROFS:
	case -EACCES:
	case -EIO:
		sentence = failed;
		break;
	case -ESTALE:
		sentence = lost;
		break;
	default: // says nothing of the disk
		return;
	}
	alarm_raise(daemon, sentence);
	if (!daemon->disk.failing)
		daemon->disk.probe_ms = clock_ms() + PROBE_MS;
	daemon->disk.failing = true;
}

static void probe_done(struct store_job *job)
{
	struct daemon *daemon = CONTAINER_OF(job, struct daemon, disk.probe.job);

	daemon->disk.busy = false;
	daemon->disk.probe_ms = clock_ms() + PROBE_MS;
	disk_result(daemon, job->result);
}

static void look_done(struct store_job *job)
{
	struct daemon *daemon = CONTAINER_OF(job, struct daemon, disk.look.job);

	daemon->disk.looking = false;
	daemon->disk.look_ms = clock_ms() + LOOK_MS;
	if (!job->result || daemon->disk.failing)
		return; // a look writes nothing, and ends no alarm
	log_error("the store: %s", job->error.text);
	disk_result(daemon, job->result);
}

static void look(struct daemon *daemon)
{
	struct daemon_disk *disk = &daemon->disk;

	if (disk->failing || disk->looking || clock_ms() < disk->look_ms)
		return;
	disk->looking = true;
	disk->look = (struct store_look_job){.job.done = look_done};
	store_look_job_init(&disk->look);
	store_thread_submit(daemon->store_thread, &disk->look.job);
}

void disk_turn(struct daemon *daemon)
{
	struct daemon_disk *disk = &daemon->disk;

	if (store_thread_turn_ms(daemon->store_thread) >= SLOW_MS)
		alarm_raise(daemon, slow);
	else
		alarm_end(daemon, slow);
	look(daemon);
	if (!disk->failing && store_thread_broken(daemon->store_thread))
		disk_result(daemon, -EIO); // what was asked for succeeded, and nobody else tells
	if (!disk->failing || disk->busy || clock_ms() < disk->probe_ms)
		return;
	disk->busy = true;
	disk->probe = (struct store_probe_job){.job.done = probe_done};
	store_probe_job_init(&disk->probe);
	store_thread_submit(daemon->store_thread, &disk->probe.job);
}
