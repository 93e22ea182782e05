// SPDX-License-Identifier: BSD-3-Clause
// The jobs of the store thread: what each of them does there.

#include "base/clock.h"
#include "gw/store/backup.h"
#include "gw/store/thread.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define NOTE_MS 100 // between two notes of an import

#define JOB_OF(type, pointer) ((struct type *)((char *)(pointer)-offsetof(struct type, job)))

static enum store_turn run_add(struct store_job *job, struct store *store)
{
	struct store_add_job *add = JOB_OF(store_add_job, job);

	if (store_importing(store))
		return STORE_TURN_AGAIN;
	job->result = store_add(
		store, &add->spec, add->replace, &add->device, &add->outcome, &job->error);
	sodium_memzero(&add->spec, sizeof(add->spec));
	return STORE_TURN_DONE;
}

void store_add_job_init(struct store_add_job *add)
{
	add->job.run = run_add;
}

static enum store_turn run_remove(struct store_job *job, struct store *store)
{
	struct store_remove_job *remove = JOB_OF(store_remove_job, job);

	if (store_importing(store))
		return STORE_TURN_AGAIN;
	job->result = store_remove(store, remove->name, &remove->info, &job->error);
	return STORE_TURN_DONE;
}

void store_remove_job_init(struct store_remove_job *remove)
{
	remove->job.run = run_remove;
}

static enum store_turn run_show(struct store_job *job, struct store *store)
{
	struct store_show_job *show = JOB_OF(store_show_job, job);

	job->result = store_show(store, show->name, &show->info, &job->error);
	return STORE_TURN_DONE;
}

void store_show_job_init(struct store_show_job *show)
{
	show->job.run = run_show;
}

static enum store_turn run_list(struct store_job *job, struct store *store)
{
	struct store_list_job *list = JOB_OF(store_list_job, job);

	job->result =
		store_list(store, list->after, list->page, list->room, &list->count, &job->error);
	return STORE_TURN_DONE;
}

void store_list_job_init(struct store_list_job *list)
{
	list->job.run = run_list;
}

static enum store_turn run_grant(struct store_job *job, struct store *store)
{
	struct store_grant_job *grant = JOB_OF(store_grant_job, job);

	job->result = store_run_grant(store, &grant->run, &job->error);
	return STORE_TURN_DONE;
}

void store_grant_job_init(struct store_grant_job *grant)
{
	grant->job.run = run_grant;
}

static enum store_turn run_clock(struct store_job *job, struct store *store)
{
	struct store_clock_job *clock = JOB_OF(store_clock_job, job);

	job->result = store_clock_raise(store, clock->clock, &job->error);
	return STORE_TURN_DONE;
}

void store_clock_job_init(struct store_clock_job *clock)
{
	clock->job.run = run_clock;
}

static enum store_turn run_raise(struct store_job *job, struct store *store)
{
	struct store_raise_job *raise = JOB_OF(store_raise_job, job);

	job->result = raise->is_mark
		? store_marks_raise(store, raise->raise, raise->count, &job->error)
		: store_bases_raise(store, raise->raise, raise->count, &job->error);
	return STORE_TURN_DONE;
}

void store_raise_job_init(struct store_raise_job *raise)
{
	raise->job.run = run_raise;
}

static enum store_turn run_resync(struct store_job *job, struct store *store)
{
	struct store_resync_job *resync = JOB_OF(store_resync_job, job);

	job->result = store_resync(store, resync->name, resync->has_from, resync->from,
		&resync->waited, &resync->device, &job->error);
	return STORE_TURN_DONE;
}

void store_resync_job_init(struct store_resync_job *resync)
{
	resync->job.run = run_resync;
}

static enum store_turn run_rotate(struct store_job *job, struct store *store)
{
	struct store_rotate_job *rotate = JOB_OF(store_rotate_job, job);

	if (store_importing(store))
		return STORE_TURN_AGAIN;
	job->result = store_rotate(
		store, rotate->name, &rotate->spec, &rotate->before, &rotate->device, &job->error);
	sodium_memzero(&rotate->spec, sizeof(rotate->spec));
	return STORE_TURN_DONE;
}

void store_rotate_job_init(struct store_rotate_job *rotate)
{
	rotate->job.run = run_rotate;
}

static enum store_turn run_check(struct store_job *job, struct store *store)
{
	struct store_check_job *check = JOB_OF(store_check_job, job);
	bool done;

	if (store_thread_cancelled(job->thread)) {
		job->result = store_fail(&job->error, -ECANCELED, "the check was cancelled");
		return STORE_TURN_DONE;
	}
	job->result = store_check_step(store, &check->check, &done, &job->error);
	return job->result != 0 || done ? STORE_TURN_DONE : STORE_TURN_AGAIN;
}

void store_check_job_init(struct store_check_job *check)
{
	check->job.run = run_check;
}

static enum store_turn backup_over(struct store_backup_job *backup, int result)
{
	store_backup_free(backup->backup);
	backup->backup = NULL;
	backup->job.result = result;
	return STORE_TURN_DONE;
}

static enum store_turn run_backup(struct store_job *job, struct store *store)
{
	struct store_backup_job *backup = JOB_OF(store_backup_job, job);
	bool done = false;
	int code = 0;

	if (store_thread_cancelled(job->thread))
		return backup_over(
			backup, store_fail(&job->error, -ECANCELED, "the backup was cancelled"));
	if (backup->backup == NULL)
		code = store_backup_open(store, backup->path, &backup->backup, &job->error);
	if (code == 0)
		code = store_backup_step(backup->backup, &done, &job->error);
	return code != 0 || done ? backup_over(backup, code) : STORE_TURN_AGAIN;
}

void store_backup_job_init(struct store_backup_job *backup)
{
	backup->job.run = run_backup;
}

static enum store_turn run_probe(struct store_job *job, struct store *store)
{
	job->result = store_broken(store) ? store_recover(store, &job->error)
					  : store_probe(store, &job->error);
	return STORE_TURN_DONE;
}

void store_probe_job_init(struct store_probe_job *probe)
{
	probe->job.run = run_probe;
}

static enum store_turn run_start(struct store_job *job, struct store *store)
{
	job->result = store_start(store, &job->error);
	return STORE_TURN_DONE;
}

void store_start_job_init(struct store_start_job *start)
{
	start->job.run = run_start;
}

static enum store_turn run_stop(struct store_job *job, struct store *store)
{
	struct store_stop_job *stop = JOB_OF(store_stop_job, job);

	job->result = store_stop(store, stop->clock_used, stop->next, stop->arg, &job->error);
	return STORE_TURN_DONE;
}

void store_stop_job_init(struct store_stop_job *stop)
{
	stop->job.run = run_stop;
}

static void publish_progress(struct store_import_job *job)
{
	struct import_progress progress;

	import_progress(job->import, &progress);
	job->progress.bytes = progress.bytes;
	job->progress.bytes_total = progress.bytes_total;
	job->progress.rows = progress.rows;
	job->progress.applied = progress.applied;
	uint64_t now = clock_ms();
	if (now - job->noted_ms < NOTE_MS)
		return;
	job->noted_ms = now;
	store_job_note(&job->job);
}

static enum store_turn import_over(struct store_import_job *job, int result)
{
	if (job->import != NULL)
		import_report(job->import, &job->report);
	import_free(job->import);
	job->import = NULL;
	job->job.result = result;
	// It may have been a million rows.
	malloc_trim(0);
	return STORE_TURN_DONE;
}

static int import_begin(struct store_import_job *job, struct store *store)
{
	int fd = job->fd;

	job->fd = -1;
	job->devices = sodium_allocarray(STORE_IMPORT_CHUNK, sizeof(job->devices[0]));
	if (job->devices == NULL) {
		if (fd >= 0)
			close(fd);
		return store_fail(&job->job.error, -ENOMEM, "no memory for an import");
	}
	return job->path != NULL
		? import_open_path(store, job->path, &job->options, &job->import, &job->job.error)
		: import_open_fd(store, fd, &job->options, &job->import, &job->job.error);
}

static enum store_turn import_read(struct store_import_job *job)
{
	enum import_state state;

	int code = import_step(job->import, &state, &job->job.error);
	if (code != 0)
		return import_over(job, code);
	publish_progress(job);
	if (state == IMPORT_WAIT) {
		job->job.wait_fd = import_fd(job->import);
		return STORE_TURN_WAIT;
	}
	if (state == IMPORT_READ)
		job->phase = STORE_IMPORT_WRITING;
	return STORE_TURN_AGAIN;
}

static enum store_turn import_hand_out(struct store_import_job *job)
{
	sodium_memzero(job->devices, STORE_IMPORT_CHUNK * sizeof(job->devices[0]));
	job->count = 0;
	if (store_thread_cancelled(job->job.thread))
		return import_over(job, 0);
	int code = import_next(
		job->import, job->devices, STORE_IMPORT_CHUNK, &job->count, &job->job.error);
	if (code != 0 || job->count == 0) {
		job->count = 0;
		return import_over(job, code);
	}
	return STORE_TURN_DONE;
}

static enum store_turn import_write_rows(struct store_import_job *job)
{
	bool done;

	int code = import_write(job->import, &done, &job->job.error);
	publish_progress(job);
	if (code != 0)
		return import_over(job, code);
	if (!done)
		return STORE_TURN_AGAIN;
	import_report(job->import, &job->report);
	job->phase = STORE_IMPORT_HANDING_OUT;
	return import_hand_out(job);
}

static enum store_turn run_import(struct store_job *base, struct store *store)
{
	struct store_import_job *job = JOB_OF(store_import_job, base);

	if (job->phase == STORE_IMPORT_HANDING_OUT)
		return import_hand_out(job);
	if (store_thread_cancelled(base->thread))
		return import_over(
			job, store_fail(&base->error, -ECANCELED, "the import was cancelled"));
	if (job->import == NULL) {
		int code = import_begin(job, store);
		if (code != 0)
			return import_over(job, code);
	}
	return job->phase == STORE_IMPORT_READING ? import_read(job) : import_write_rows(job);
}

struct store_import_job *store_import_job_new(void)
{
	struct store_import_job *job = calloc(1, sizeof(*job));

	if (job == NULL)
		return NULL;
	job->job.run = run_import;
	job->fd = -1;
	return job;
}

void store_import_job_free(struct store_import_job *job)
{
	if (job == NULL)
		return;
	import_free(job->import);
	sodium_free(job->devices);
	if (job->fd >= 0)
		close(job->fd);
	free(job->path);
	free(job);
}
