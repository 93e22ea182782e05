// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/import_verb.h"

#include "base/container.h"
#include "gw/daemon/disk.h"
#include "gw/daemon/doubts.h"
#include "gw/daemon/reserve.h"
#include "gw/daemon/served.h"
#include "gw/os/log.h"
#include "gw/store/import_job.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct import_operation {
	struct daemon *daemon;
	struct ctl_request *req;
	struct store_import_job *job;
	uint64_t refused; // rows that are stored but not in the data plane
};

// Its rows may come from a pipe that never ends, and meanwhile there is no other import and no
// rotation of the key.
static void import_gone(void *arg)
{
	struct import_operation *op = arg;

	atomic_store(&op->job->abandoned, true);
	store_thread_look(op->daemon->store_thread);
}

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
			int rc = served_add(&op->daemon->registry, &import->devices[i]);

			if (!rc)
				reserve_device(op->daemon->reserve, &import->devices[i]);
			if (rc && !op->refused++)
				log_error("%s is stored, but the data plane did not take it: %s",
					import->devices[i].name, strerror(-rc));
		}
		store_thread_submit(op->daemon->store_thread, job);
		return;
	}
	disk_result(op->daemon, job->result);
	if (job->result && job->result != -EBADMSG)
		ctl_reply_failed(op->req, job->result, &job->error);
	else if (job->result && !import->report.bad)
		ctl_reply_failed(op->req, job->result, &job->error);
	else
		ctl_reply_imported(op->req, &import->report);
	if (job->result == -ECANCELED)
		log_notice("an import ended before it was read: nothing of it is stored");
	if (!job->result)
		log_notice("import: %lu rows, %lu added, %lu replaced, %lu changed, %lu unchanged",
			import->report.rows, import->report.added, import->report.replaced,
			import->report.changed, import->report.unchanged);
	doubts_put_import(op->daemon, import);
	op->daemon->importing = false;
	op->daemon->taking--;
	free(op);
}

void verb_device_import(
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
	*op = (struct import_operation){.daemon = daemon, .req = req, .job = import};
	import->fd = fd;
	import->options = *options;
	import->job.note = import_note;
	import->job.done = import_done;
	import->arg = op;
	daemon->importing = true;
	daemon->taking++;
	store_thread_submit(daemon->store_thread, &import->job);
	ctl_request_on_gone(req, import_gone, op);
}
