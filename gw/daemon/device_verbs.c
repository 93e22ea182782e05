// SPDX-License-Identifier: BSD-3-Clause
// What the verbs of the control socket do. All of it runs on main; what needs the disk is a job of
// the store thread, and the request is answered when the job is done.

#include "base/clock.h"
#include "base/container.h"
#include "gw/daemon/daemon.h"
#include "gw/os/log.h"

#include <errno.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

// Beyond a limit of its keys a device is served on: whoever can send packets could shut it out.
static bool beyond_limit(const struct dp_context *ctx, const struct dp_side *side)
{
	return ctx->window.next >= DP_LIMIT_USES ||
		__atomic_load_n(&side->failed, __ATOMIC_RELAXED) >= dp_limit_forgeries(ctx->alg);
}

enum ctl_device_state operations_state(const struct dp_context_table *table, uint32_t index)
{
	const struct dp_context *ctx = &table->context[index];

	switch ((enum dp_context_state)ctx->state) {
	case DP_CONTEXT_WINDOW_UNKNOWN:
		return CTL_DEVICE_WINDOW_UNKNOWN;
	case DP_CONTEXT_ECHO_PENDING:
		return CTL_DEVICE_ECHO_PENDING;
	case DP_CONTEXT_REPLAY_LOCKED:
		return CTL_DEVICE_REPLAY_LOCKED;
	case DP_CONTEXT_ACTIVE:
	case DP_CONTEXT_STATE_COUNT:
		break;
	}
	return beyond_limit(ctx, &table->side[index]) ? CTL_DEVICE_LIMIT_REACHED
						      : CTL_DEVICE_ACTIVE;
}

// It was challenged for an old number, and nothing was accepted of it since.
static bool suspected(const struct dp_context *ctx, const struct dp_side *side)
{
	return __atomic_load_n(&side->suspect_s, __ATOMIC_RELAXED) &&
		__atomic_load_n(&side->suspect_accepted, __ATOMIC_RELAXED) ==
		__atomic_load_n(&ctx->accepted, __ATOMIC_RELAXED);
}

// The owner's line is read while its owner writes it: each value is right by itself.
static void device_info(
	const struct daemon *daemon, const struct store_info *stored, struct ctl_device_info *info)
{
	uint32_t index;
	const struct dp_context *ctx = registry_find(&daemon->registry, stored, &index);

	*info = (struct ctl_device_info){.stored = stored, .live = ctx != NULL, .worker = -1};
	if (!ctx) {
		if (stored->resync_needed) {
			info->reason = "it recovers by a floor, and the store is a copy: what the "
				       "original accepted since is not known";
			info->remedy = "device resync NAME --from M, its next sequence number";
		} else if (stored->damaged) {
			info->reason = "its keys do not open: its row was changed or damaged";
			info->remedy = "new keys: device rotate NAME FILE";
		} else if (registry_waits(&daemon->registry, stored->id)) {
			info->reason = "a worker has yet to let go of the same keys, or of the "
				       "place, of a device that was removed just now";
			info->remedy = "none: it is served within moments";
		}
		return;
	}
	uint64_t now_s = clock_ms() / 1000;
	const struct dp_side *side = &dp_contexts(daemon->dp)->side[index];
	uint64_t seen_s = RTE_MAX(__atomic_load_n(&ctx->last_accepted_s, __ATOMIC_RELAXED),
		__atomic_load_n(&side->last_refused_s, __ATOMIC_RELAXED));
	uint8_t owner = __atomic_load_n(&ctx->owner, __ATOMIC_RELAXED);

	info->state = operations_state(dp_contexts(daemon->dp), index);
	info->uses = ctx->window.next;
	info->uses_limit = DP_LIMIT_USES;
	info->forgeries = __atomic_load_n(&side->failed, __ATOMIC_RELAXED);
	info->forgeries_limit = dp_limit_forgeries(ctx->alg);
	if (info->state == CTL_DEVICE_LIMIT_REACHED && info->forgeries >= info->forgeries_limit)
		info->reason = "more messages with a wrong tag came than its keys stand";
	if (info->state == CTL_DEVICE_ACTIVE && suspected(ctx, side)) {
		info->reason = "old numbers are being received; the device did not answer a "
			       "challenge";
		info->remedy = "none by this alone: whoever recorded its packets can send them. If "
			       "it is not served, look whether it lost its counter";
	}
	if (ctx->flags & DP_CONTEXT_FLOOR) {
		info->has_mark = true;
		info->mark = ctx->mark;
	}
	info->has_highest_piv = ctx->window.next != 0;
	info->highest_piv = ctx->window.next - 1;
	info->seen = seen_s != 0;
	info->last_seen_ms = seen_s < now_s ? (now_s - seen_s) * 1000 : 0;
	info->requests = ctx->accepted;
	info->in_flight = ctx->in_flight_count;
	if (owner < dp_worker_count(daemon->dp))
		info->worker = owner;
	uint32_t run;

	if (ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) {
		info->has_own_piv = ctx->own_next & ((1 << DP_CLOCK_BITS) - 1);
		info->own_piv = ctx->own_next - 1;
	} else if (ctx->own_counter && dp_run(daemon->dp, &run)) {
		info->has_own_piv = true;
		info->own_piv =
			((uint64_t)(run + ctx->run_base) << DP_COUNTER_BITS) + ctx->own_counter - 1;
	}
}

struct add_operation {
	struct store_add_job add;
	struct daemon *daemon;
	struct ctl_request *req;
};

static void add_done(struct store_job *job)
{
	struct add_operation *op = CONTAINER_OF(job, struct add_operation, add.job);
	int rc = job->result;

	daemon_store_result(op->daemon, rc);
	if (!rc && op->add.outcome != STORE_UNCHANGED)
		rc = registry_add(&op->daemon->registry, &op->add.device);
	if (!rc && op->add.outcome != STORE_UNCHANGED)
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

static void operation_add(
	void *arg, struct ctl_request *req, const struct store_spec *spec, bool replace)
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
	store_thread_submit(daemon->store_thread, &op->add.job);
}

struct import_operation {
	struct daemon *daemon;
	struct ctl_request *req;
	uint64_t refused; // rows that are stored but not in the data plane
};

static void import_note(struct store_job *job)
{
	struct store_import_job *import = CONTAINER_OF(job, struct store_import_job, job);

	const struct import_progress progress = {
		.bytes = import->progress.bytes,
		.bytes_total = import->progress.bytes_total,
		.rows = import->progress.rows,
		.applied = import->progress.applied,
	};

	ctl_import_progress(((struct import_operation *)import->arg)->req, &progress);
}

static void import_done(struct store_job *job)
{
	struct store_import_job *import = CONTAINER_OF(job, struct store_import_job, job);
	struct import_operation *op = import->arg;

	if (import->count) {
		for (size_t i = 0; i < import->count; i++) {
			int rc = registry_add(&op->daemon->registry, &import->devices[i]);

			if (!rc)
				reserve_device(op->daemon->reserve, &import->devices[i]);
			if (rc && !op->refused++)
				log_error("%s is stored, but the data plane did not take it: %s",
					import->devices[i].name, strerror(-rc));
		}
		store_thread_submit(op->daemon->store_thread, job);
		return;
	}
	daemon_store_result(op->daemon, job->result);
	if (job->result && job->result != -EBADMSG)
		ctl_reply_failed(op->req, job->result, &job->error);
	else if (job->result && !import->report.bad)
		ctl_reply_failed(op->req, job->result, &job->error);
	else
		ctl_reply_imported(op->req, &import->report);
	if (!job->result)
		log_notice("import: %lu rows, %lu added, %lu replaced, %lu changed, %lu unchanged",
			import->report.rows, import->report.added, import->report.replaced,
			import->report.changed, import->report.unchanged);
	store_import_job_free(import);
	op->daemon->importing = false;
	free(op);
}

static void operation_import(
	void *arg, struct ctl_request *req, int fd, const struct import_options *options)
{
	struct daemon *daemon = arg;
	struct import_operation *op = NULL;
	struct store_import_job *import = NULL;

	if (daemon->importing) {
		close(fd);
		ctl_request_error(req, CTL_BUSY, "another import is running");
		return;
	}
	op = calloc(1, sizeof(*op));
	import = store_import_job_new();
	if (!op || !import) {
		close(fd);
		store_import_job_free(import);
		free(op);
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	*op = (struct import_operation){.daemon = daemon, .req = req};
	import->fd = fd;
	import->options = *options;
	import->job.note = import_note;
	import->job.done = import_done;
	import->arg = op;
	daemon->importing = true;
	store_thread_submit(daemon->store_thread, &import->job);
}

struct list_operation {
	struct store_list_job list;
	struct daemon *daemon;
	struct ctl_request *req;
	struct store_info page[];
};

static void list_done(struct store_job *job)
{
	struct list_operation *op = CONTAINER_OF(job, struct list_operation, list.job);

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		for (size_t i = 0; i < op->list.count; i++) {
			struct ctl_device_info info;

			device_info(op->daemon, &op->page[i], &info);
			ctl_list_device(op->req, &info);
		}
		ctl_request_end(op->req);
	}
	free(op);
}

static void operation_list(void *arg, struct ctl_request *req, const char *after, unsigned limit)
{
	struct daemon *daemon = arg;
	struct list_operation *op = calloc(1, sizeof(*op) + limit * sizeof(op->page[0]));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->daemon = daemon;
	op->req = req;
	snprintf(op->list.after, sizeof(op->list.after), "%s", after);
	op->list.page = op->page;
	op->list.room = limit;
	op->list.job.done = list_done;
	store_list_job_init(&op->list);
	store_thread_submit(daemon->store_thread, &op->list.job);
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

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		device_info(op->daemon, &op->show.info, &info);
		ctl_reply_device(op->req, &info);
	}
	free(op);
}

static void operation_show(void *arg, struct ctl_request *req, const char *name)
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

	daemon_store_result(op->daemon, job->result);
	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		if (op->remove.info.resync_needed)
			daemon_resynced(op->daemon);
		int rc = registry_remove(&op->daemon->registry, &op->remove.info);

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

static void operation_remove(void *arg, struct ctl_request *req, const char *name)
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

static void operation_shutdown(void *arg, struct ctl_request *req)
{
	struct daemon *daemon = arg;

	ctl_request_end(req);
	log_notice("shutdown asked for at the control socket");
	daemon->stopping = true;
}

void operations_init(struct daemon *daemon)
{
	daemon->ops = (struct ctl_ops){
		.status = operation_status,
		.stats = operation_stats,
		.device_add = operation_add,
		.device_import = operation_import,
		.device_list = operation_list,
		.device_show = operation_show,
		.device_remove = operation_remove,
		.device_resync = operation_resync,
		.device_rotate = operation_rotate,
		.store_check = operation_store_check,
		.store_backup = operation_store_backup,
		.shutdown = operation_shutdown,
		.arg = daemon,
	};
}
