// SPDX-License-Identifier: BSD-3-Clause
// A verb makes a job and submits it to the store thread. When the job is done, main changes the
// data plane accordingly and answers the request.

#include "gw/daemon/device_verbs.h"

#include "base/container.h"
#include "gw/daemon/alarm.h"
#include "gw/daemon/device_context.h"
#include "gw/daemon/device_search.h"
#include "gw/daemon/device_view.h"
#include "gw/daemon/disk.h"
#include "gw/daemon/doubts.h"
#include "gw/daemon/registry.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/served.h"

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct add_operation {
	struct store_add_job add;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void add_done(struct store_job *job)
{
	struct add_operation *op = CONTAINER_OF(job, struct add_operation, add.job);
	int rc = job->result;

	op->daemon->taking--;
	disk_result(op->daemon, rc);
	doubts_put(op->daemon, rc, op->add.device.name, NULL);
	if (!rc && op->add.outcome != DEVICE_UNCHANGED)
		rc = served_add(&op->daemon->registry, &op->add.device);
	if (!rc && op->add.outcome != DEVICE_UNCHANGED)
		reserve_device(op->daemon->reserve, &op->add.device);
	if (job->result)
		ctl_reply_failed(op->req, rc, &job->error);
	else if (rc)
		ctl_request_error(op->req, CTL_INTERNAL,
			"%s is stored, but the data plane did not take it: %s", op->add.device.name,
			strerror(-rc));
	else
		ctl_reply_added(op->req, op->add.outcome, op->add.device.name);
	sodium_memzero(op, sizeof(*op));
	free(op);
}

void verb_device_add(
	void *arg, struct ctl_request *req, const struct device_spec *spec, bool replace)
{
	struct daemon *daemon = arg;
	struct add_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	op->add.spec = *spec;
	op->add.replace = replace;
	op->add.job.done = add_done;
	store_add_job_init(&op->add);
	daemon->taking++;
	store_thread_submit(daemon->store_thread, &op->add.job);
}

// A page of all devices, or of those that are not live.
struct list_operation {
	struct store_list_job list;
	struct daemon *daemon;
	struct ctl_request *req;
	unsigned left; // to be told
	bool not_live;
	struct device_info page[];
};

static void list_done(struct store_job *job)
{
	struct list_operation *op = CONTAINER_OF(job, struct list_operation, list.job);
	struct ctl_device_info info;

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
		free(op);
		return;
	}
	for (size_t i = 0; i < op->list.count && op->left; i++) {
		device_view_make(op->daemon, &op->page[i], &info);
		if (op->not_live && info.live)
			continue;
		ctl_list_device(op->req, &info);
		op->left--;
	}
	if (op->left && op->list.count == op->list.room) {
		memcpy(op->list.after, op->page[op->list.count - 1].name, sizeof(op->list.after));
		store_thread_submit(op->daemon->store_thread, job);
		return;
	}
	ctl_request_end(op->req);
	free(op);
}

static void list_start(struct daemon *daemon, struct ctl_request *req, const char *after,
	unsigned limit, bool not_live)
{
	unsigned room = not_live ? CTL_LIST_MAX : limit;
	struct list_operation *op = calloc(1, sizeof(*op) + room * sizeof(op->page[0]));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	op->left = limit;
	op->not_live = not_live;
	snprintf(op->list.after, sizeof(op->list.after), "%s", after);
	op->list.page = op->page;
	op->list.room = room;
	op->list.job.done = list_done;
	store_list_job_init(&op->list);
	store_thread_submit(daemon->store_thread, &op->list.job);
}

struct search_operation {
	struct device_search search;
	struct daemon *daemon;
	struct ctl_request *req;
	struct device_info page[];
};

static void search_done(struct store_job *job)
{
	struct search_operation *op = CONTAINER_OF(job, struct search_operation, search.job);
	struct ctl_device_info info;

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		for (size_t i = 0; i < op->search.count; i++) {
			device_view_make(op->daemon, &op->page[i], &info);
			ctl_list_device(op->req, &info);
		}
		ctl_request_end(op->req);
	}
	free(op);
}

void verb_device_list(void *arg, struct ctl_request *req, const char *after, unsigned limit,
	const struct ctl_device_filter *filter)
{
	struct daemon *daemon = arg;
	struct search_operation *op;

	uint16_t permit = policies_find(&daemon->registry.policies, filter->policy);

	if (!filter->by_state && !filter->limited && !filter->idle_ms && !filter->policy[0]) {
		list_start(daemon, req, after, limit, filter->not_live);
		return;
	}
	// What is not live is neither idle nor at a limit, and no policy was looked up for it.
	if (filter->not_live || (filter->policy[0] && permit == DP_PERMIT_NOTHING)) {
		ctl_request_end(req);
		return;
	}
	op = calloc(1, sizeof(*op) + limit * sizeof(op->page[0]));
	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	op->search.daemon = daemon;
	op->search.filter = *filter;
	op->search.permit = permit;
	op->search.limits = (struct device_limits){
		.rate_cost = daemon->snapshot->routes.policy.rate_cost,
		.rate_fill = daemon->snapshot->routes.policy.rate_fill,
		.max_in_flight = daemon->snapshot->routes.policy.max_in_flight,
	};
	snprintf(op->search.after, sizeof(op->search.after), "%s", after);
	op->search.room = limit;
	op->search.page = op->page;
	op->search.job.done = search_done;
	device_search_init(&op->search);
	store_thread_submit(daemon->store_thread, &op->search.job);
}

struct show_operation {
	struct store_show_job show;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void show_done(struct store_job *job)
{
	struct show_operation *op = CONTAINER_OF(job, struct show_operation, show.job);
	struct ctl_device_info info;

	if (job->result && !device_of_authority(op->daemon, op->show.name, &op->show.info)) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		device_view_make(op->daemon, &op->show.info, &info);
		ctl_reply_device(op->req, &info);
	}
	free(op);
}

void verb_device_show(void *arg, struct ctl_request *req, const char *name)
{
	struct daemon *daemon = arg;
	struct show_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->show.name, sizeof(op->show.name), "%s", name);
	op->show.job.done = show_done;
	store_show_job_init(&op->show);
	store_thread_submit(daemon->store_thread, &op->show.job);
}

struct remove_operation {
	struct store_remove_job remove;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void remove_done(struct store_job *job)
{
	struct remove_operation *op = CONTAINER_OF(job, struct remove_operation, remove.job);

	disk_result(op->daemon, job->result);
	doubts_put(op->daemon, job->result, op->remove.name, &op->remove.info);
	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		if (op->remove.info.resync_needed)
			alarm_resync_done(op->daemon);
		int rc = served_remove(&op->daemon->registry, &op->remove.info);

		if (rc && rc != -ENOENT)
			ctl_request_error(op->req, CTL_INTERNAL,
				"%s is no longer stored, but the data plane keeps it until the "
				"next start: %s",
				op->remove.info.name, strerror(-rc));
		else
			ctl_request_end(op->req);
	}
	free(op);
}

void verb_device_remove(void *arg, struct ctl_request *req, const char *name)
{
	struct daemon *daemon = arg;
	struct remove_operation *op = calloc(1, sizeof(*op));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->remove.name, sizeof(op->remove.name), "%s", name);
	op->remove.job.done = remove_done;
	store_remove_job_init(&op->remove);
	store_thread_submit(daemon->store_thread, &op->remove.job);
}

struct resync_operation {
	struct store_resync_job resync;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void resync_done(struct store_job *job)
{
	struct resync_operation *op = CONTAINER_OF(job, struct resync_operation, resync.job);
	const struct device_keyed *device = &op->resync.device;
	int rc = job->result;

	if (rc || device->recovery == DEVICE_FLOOR) // which a failed one does not know
		disk_result(op->daemon, rc);
	if (!rc && op->resync.waited)
		alarm_resync_done(op->daemon);
	if (!rc)
		rc = served_resync(&op->daemon->registry, device, op->resync.from);
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
			op->req, device->name, device->recovery == DEVICE_FLOOR, device->mark);
	sodium_memzero(op, sizeof(*op));
	free(op);
}

void verb_device_resync(
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

static void rotate_done(struct store_job *job)
{
	struct rotate_operation *op = CONTAINER_OF(job, struct rotate_operation, rotate.job);
	int rc = job->result;

	op->daemon->taking--;
	disk_result(op->daemon, rc);
	doubts_put(op->daemon, rc, op->rotate.name, &op->rotate.before);
	if (!rc && op->rotate.before.resync_needed)
		alarm_resync_done(op->daemon);
	if (!rc)
		rc = served_rotate(&op->daemon->registry, &op->rotate.before, &op->rotate.device);
	if (!rc)
		reserve_device(op->daemon->reserve, &op->rotate.device);
	if (job->result)
		ctl_reply_failed(op->req, rc, &job->error);
	else if (rc)
		ctl_request_error(op->req, CTL_INTERNAL,
			"the keys of %s are stored, but the data plane did not take them: %s",
			op->rotate.device.name, strerror(-rc));
	else
		ctl_reply_added(op->req, DEVICE_REPLACED, op->rotate.device.name);
	sodium_memzero(op, sizeof(*op));
	free(op);
}

void verb_device_rotate(
	void *arg, struct ctl_request *req, const char *name, const struct device_spec *spec)
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
	daemon->taking++;
	store_thread_submit(daemon->store_thread, &op->rotate.job);
}
