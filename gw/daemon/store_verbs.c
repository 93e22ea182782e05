// SPDX-License-Identifier: BSD-3-Clause
// Verbs that put right what the store knows: of a device (resync, rotate) and of itself (check,
// backup). As in operations.c, all runs on main but the jobs.

#include "base/container.h"
#include "gw/daemon/daemon.h"
#include "gw/os/log.h"

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct resync_operation {
	struct store_resync_job resync;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void resync_done(struct store_job *job)
{
	struct resync_operation *op = CONTAINER_OF(job, struct resync_operation, resync.job);
	const struct store_device *device = &op->resync.device;
	int rc = job->result;

	if (rc || device->recovery == STORE_FLOOR) // which a failed one does not know
		daemon_store_result(op->daemon, rc);
	if (!rc && op->resync.waited)
		daemon_resynced(op->daemon);
	if (!rc)
		rc = registry_resync(&op->daemon->registry, device, op->resync.from);
	if (!rc)
		reserve_device(op->daemon->reserve, device);
	if (job->result)
		ctl_reply_failed(op->req, rc, &job->error);
	else if (rc == -EAGAIN)
		ctl_request_error(
			op->req, CTL_BUSY, "the worker of %s is busy: try again", device->name);
	else if (rc)
		ctl_request_error(op->req, CTL_INTERNAL, "the data plane did not take %s: %s",
			device->name, strerror(-rc));
	else
		ctl_reply_resynced(
			op->req, device->name, device->recovery == STORE_FLOOR, device->mark);
	sodium_memzero(op, sizeof(*op));
	free(op);
}

void operation_resync(
	void *arg, struct ctl_request *req, const char *name, bool has_from, uint64_t from)
{
	struct daemon *daemon = arg;
	struct resync_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->resync.name, sizeof(op->resync.name), "%s", name);
	op->resync.has_from = has_from;
	op->resync.from = from;
	op->resync.job.done = resync_done;
	store_resync_job_init(&op->resync);
	store_thread_submit(daemon->store_thread, &op->resync.job);
}

struct rotate_operation {
	struct store_rotate_job rotate;
	struct daemon *daemon;
	struct ctl_request *req;
};

// The old context goes first: its requests in flight are abandoned, and from then on only the new
// keys count.
static int rotate_live(struct registry *registry, struct store_rotate_job *rotate)
{
	int rc = registry_remove(registry, &rotate->before);

	if (rc && rc != -ENOENT)
		return rc;
	rotate->device.replaces = 0;
	return registry_add(registry, &rotate->device);
}

static void rotate_done(struct store_job *job)
{
	struct rotate_operation *op = CONTAINER_OF(job, struct rotate_operation, rotate.job);
	int rc = job->result;

	daemon_store_result(op->daemon, rc);
	if (!rc && op->rotate.before.resync_needed)
		daemon_resynced(op->daemon);
	if (!rc)
		rc = rotate_live(&op->daemon->registry, &op->rotate);
	if (!rc)
		reserve_device(op->daemon->reserve, &op->rotate.device);
	if (job->result)
		ctl_reply_failed(op->req, rc, &job->error);
	else if (rc)
		ctl_request_error(op->req, CTL_INTERNAL,
			"the keys of %s are stored, but the data plane did not take them: %s",
			op->rotate.device.name, strerror(-rc));
	else
		ctl_reply_added(op->req, STORE_REPLACED, op->rotate.device.name);
	sodium_memzero(op, sizeof(*op));
	free(op);
}

void operation_rotate(
	void *arg, struct ctl_request *req, const char *name, const struct store_spec *spec)
{
	struct daemon *daemon = arg;
	struct rotate_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->rotate.name, sizeof(op->rotate.name), "%s", name);
	op->rotate.spec = *spec;
	op->rotate.job.done = rotate_done;
	store_rotate_job_init(&op->rotate);
	store_thread_submit(daemon->store_thread, &op->rotate.job);
}

struct check_operation {
	struct store_check_job check;
	struct daemon *daemon;
	struct ctl_request *req;
};

static const char damage[] = "the store has damage: posternctl store check";

static void check_done(struct store_job *job)
{
	struct check_operation *op = CONTAINER_OF(job, struct check_operation, check.job);

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		if (op->check.check.problems)
			daemon_alarm(op->daemon, damage);
		else
			daemon_alarm_end(op->daemon, damage);
		ctl_reply_checked(op->req, &op->check.check);
	}
	free(op);
}

void operation_store_check(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;
	struct check_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	op->check.job.done = check_done;
	store_check_job_init(&op->check);
	store_thread_submit(daemon->store_thread, &op->check.job);
}

struct backup_operation {
	struct store_backup_job backup;
	struct ctl_request *req;
};

static void backup_done(struct store_job *job)
{
	struct backup_operation *op = CONTAINER_OF(job, struct backup_operation, backup.job);

	if (job->result == -EEXIST)
		ctl_request_error(op->req, CTL_EXISTS, "%s", job->error.text);
	else if (job->result == -ENOENT) // a folder, no device
		ctl_request_error(op->req, CTL_STORE_FAILED, "%s", job->error.text);
	else if (job->result)
		ctl_reply_failed(op->req, job->result, &job->error);
	else
		ctl_request_end(op->req);
	if (!job->result)
		log_notice("the store was copied to %s", op->backup.path);
	free(op->backup.path);
	free(op);
}

void operation_store_backup(void *arg, struct ctl_request *req, const char *path)
{
	struct daemon *daemon = arg;
	struct backup_operation *op = calloc(1, sizeof(*op));

	if (op)
		op->backup.path = strdup(path);
	if (!op || !op->backup.path) {
		free(op);
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->req = req;
	op->backup.job.done = backup_done;
	store_backup_job_init(&op->backup);
	store_thread_submit(daemon->store_thread, &op->backup.job);
}
