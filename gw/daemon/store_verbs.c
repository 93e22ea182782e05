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

struct tombstones_operation {
	struct store_tombstones_job list;
	struct ctl_request *req;
	struct store_tombstone page[];
};

static void tombstone_reply(struct ctl_request *req, const struct store_tombstone *tombstone)
{
	static const char *const words[] = {
		[STORE_USED_RUNS] = "runs", [STORE_USED_CLOCK] = "clock", [STORE_USED_ALL] = "all"};
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_bytes(&body, "key", tombstone->key, sizeof(tombstone->key));
	ctl_put_text(&body, "used", words[tombstone->used]);
	if (tombstone->used == STORE_USED_RUNS)
		ctl_put_uint(&body, "run", tombstone->run);
	if (tombstone->mark)
		ctl_put_uint(&body, "mark", tombstone->mark);
	ctl_put_bool(&body, "damaged", tombstone->damaged);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, false);
}

static void tombstones_done(struct store_job *job)
{
	struct tombstones_operation *op = CONTAINER_OF(job, struct tombstones_operation, list.job);

	if (job->result) {
		ctl_reply_failed(op->req, job->result, &job->error);
	} else {
		for (size_t i = 0; i < op->list.walk.count; i++)
			tombstone_reply(op->req, &op->page[i]);
		ctl_request_end(op->req);
	}
	free(op);
}

void verb_tombstone_list(void *arg, struct ctl_request *req, const uint8_t *after, unsigned limit)
{
	struct daemon *daemon = arg;
	struct tombstones_operation *op = calloc(1, sizeof(*op) + limit * sizeof(op->page[0]));

	if (!op) {
		ctl_request_error(req, CTL_BUSY, "no memory");
		return;
	}
	op->req = req;
	op->list.walk.page = op->page;
	op->list.walk.room = limit;
	op->list.walk.has_after = after != NULL;
	if (after)
		memcpy(op->list.walk.after, after, sizeof(op->list.walk.after));
	op->list.job.done = tombstones_done;
	store_tombstones_job_init(&op->list);
	store_thread_submit(daemon->store_thread, &op->list.job);
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
