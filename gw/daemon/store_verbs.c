// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/store_verbs.h"

#include "base/container.h"
#include "gw/daemon/alarm.h"
#include "gw/os/log.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
		if (op->check.check.report.problems)
			alarm_raise(op->daemon, damage);
		else
			alarm_end(op->daemon, damage);
		ctl_reply_checked(op->req, &op->check.check.report);
	}
	free(op);
}

void verb_store_check(void *arg, struct ctl_request *req)
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

void verb_store_backup(void *arg, struct ctl_request *req, const char *path)
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

struct rekey_operation {
	struct store_rekey_job rekey;
	struct daemon *daemon;
	struct ctl_request *req;
	struct kek *kek;
};

static void rekey_done(struct store_job *job)
{
	struct rekey_operation *op = CONTAINER_OF(job, struct rekey_operation, rekey.job);

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
		kek_free(op->kek);
	} else {
		ctl_request_end(op->req);
		log_notice("the store is sealed under a new key-encryption key");
		kek_free(op->daemon->kek);
		op->daemon->kek = op->kek;
	}
	free(op);
}

void verb_key_rotate(void *arg, struct ctl_request *req, int fd)
{
	struct daemon *daemon = arg;
	struct rekey_operation *op = calloc(1, sizeof(*op));
	struct error error = {.text = "no memory"};
	int rc = op ? kek_load_fd(fd, &op->kek, &error) : -ENOMEM;

	close(fd);
	if (rc) {
		ctl_request_error(
			req, rc == -ENOMEM ? CTL_BUSY : CTL_BAD_REQUEST, "%s", error.text);
		free(op);
		return;
	}
	op->daemon = daemon;
	op->req = req;
	op->rekey.kek = op->kek;
	op->rekey.job.done = rekey_done;
	store_rekey_job_init(&op->rekey);
	store_thread_submit(daemon->store_thread, &op->rekey.job);
}
