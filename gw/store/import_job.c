// SPDX-License-Identifier: BSD-3-Clause
// The turns of an import on the store thread: reading, writing, and handing its devices out.

#include "gw/store/import_job.h"

#include "base/clock.h"
#include "base/container.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>
#include <unistd.h>

#define NOTE_MS 100 // between two notes of an import

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
	job->job.result = result;
	job->in_doubt = job->phase == STORE_IMPORT_WRITING && import_in_doubt(job->import);
	if (job->in_doubt) {
		job->phase = STORE_IMPORT_IN_DOUBT;
		return STORE_TURN_DONE;
	}
	import_free(job->import);
	job->import = NULL;
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
		return error_set(&job->job.error, -ENOMEM, "no memory for an import");
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
	if (code != 0)
		job->count = 0;
	job->job.result = code;
	// What is in doubt is, until all of it has been handed out.
	if ((code != 0 && !job->in_doubt) || (code == 0 && job->count == 0))
		return import_over(job, code);
	return STORE_TURN_DONE;
}

// Nothing is known before the store can be written again.
static enum store_turn import_look(struct store_import_job *job, struct store *store)
{
	if (store_importing(store))
		return STORE_TURN_AGAIN;
	job->count = 0;
	job->job.result = store_broken(store) ? store_recover(store, &job->job.error) : 0;
	return job->job.result == 0 ? import_hand_out(job) : STORE_TURN_DONE;
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
	struct store_import_job *job = CONTAINER_OF(base, struct store_import_job, job);

	if (job->phase == STORE_IMPORT_HANDING_OUT)
		return import_hand_out(job);
	if (job->phase == STORE_IMPORT_IN_DOUBT)
		return import_look(job, store);
	if (store_thread_cancelled(base->thread))
		return import_over(
			job, error_set(&base->error, -ECANCELED, "the import was cancelled"));
	if (job->phase == STORE_IMPORT_READING && atomic_load(&job->abandoned))
		return import_over(job,
			error_set(&base->error, -ECANCELED, "who asked for the import is gone"));
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
