// SPDX-License-Identifier: BSD-3-Clause
// What each job does on the store thread. A job that adds or removes devices waits while an import
// is being written.

#include "gw/store/jobs.h"

#include "base/container.h"
#include "gw/store/import.h"

#include <errno.h>
#include <sodium.h>

static enum store_turn run_add(struct store_job *job, struct store *store)
{
	struct store_add_job *add = CONTAINER_OF(job, struct store_add_job, job);

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
	struct store_remove_job *remove = CONTAINER_OF(job, struct store_remove_job, job);

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
	struct store_show_job *show = CONTAINER_OF(job, struct store_show_job, job);

	job->result = store_show(store, show->name, &show->info, &job->error);
	return STORE_TURN_DONE;
}

void store_show_job_init(struct store_show_job *show)
{
	show->job.run = run_show;
}

// What an import changed it hands out itself.
static enum store_turn run_get(struct store_job *job, struct store *store)
{
	struct store_get_job *get = CONTAINER_OF(job, struct store_get_job, job);

	if (store_importing(store))
		return STORE_TURN_AGAIN;
	// Nothing is known before it can be written again.
	job->result = store_broken(store) ? store_recover(store, &job->error) : 0;
	if (job->result == 0)
		job->result = store_get(store, get->name, &get->device, &job->error);
	return STORE_TURN_DONE;
}

void store_get_job_init(struct store_get_job *get)
{
	get->job.run = run_get;
}

static enum store_turn run_list(struct store_job *job, struct store *store)
{
	struct store_list_job *list = CONTAINER_OF(job, struct store_list_job, job);

	job->result =
		store_list(store, list->after, list->page, list->room, &list->count, &job->error);
	return STORE_TURN_DONE;
}

void store_list_job_init(struct store_list_job *list)
{
	list->job.run = run_list;
}

static enum store_turn run_tombstones(struct store_job *job, struct store *store)
{
	struct store_tombstones_job *of = CONTAINER_OF(job, struct store_tombstones_job, job);
	bool done;

	if (store_thread_cancelled(job->thread)) {
		job->result = error_set(&job->error, -ECANCELED, "the list was cancelled");
		return STORE_TURN_DONE;
	}
	job->result = store_tombstones_step(store, &of->walk, &done, &job->error);
	return job->result != 0 || done ? STORE_TURN_DONE : STORE_TURN_AGAIN;
}

void store_tombstones_job_init(struct store_tombstones_job *tombstones)
{
	tombstones->job.run = run_tombstones;
}

static enum store_turn run_grant(struct store_job *job, struct store *store)
{
	struct store_grant_job *grant = CONTAINER_OF(job, struct store_grant_job, job);

	job->result = store_run_grant(store, &grant->run, &job->error);
	return STORE_TURN_DONE;
}

void store_grant_job_init(struct store_grant_job *grant)
{
	grant->job.run = run_grant;
}

static enum store_turn run_clock(struct store_job *job, struct store *store)
{
	struct store_clock_job *clock = CONTAINER_OF(job, struct store_clock_job, job);

	job->result = store_clock_raise(store, clock->clock, &job->error);
	return STORE_TURN_DONE;
}

void store_clock_job_init(struct store_clock_job *clock)
{
	clock->job.run = run_clock;
}

static enum store_turn run_raise(struct store_job *job, struct store *store)
{
	struct store_raise_job *raise = CONTAINER_OF(job, struct store_raise_job, job);

	job->result = raise->is_mark
		? store_marks_raise(store, raise->raise, raise->count, &job->error)
		: store_bases_raise(store, raise->raise, raise->count, &job->error);
	return STORE_TURN_DONE;
}

void store_raise_job_init(struct store_raise_job *raise)
{
	raise->job.run = run_raise;
}

static enum store_turn run_rederive(struct store_job *job, struct store *store)
{
	struct store_rederive_job *rederive = CONTAINER_OF(job, struct store_rederive_job, job);

	job->result = store_rederive(store, rederive->rederivation, rederive->count, &job->error);
	return STORE_TURN_DONE;
}

void store_rederive_job_init(struct store_rederive_job *rederive)
{
	rederive->job.run = run_rederive;
}

static enum store_turn run_resync(struct store_job *job, struct store *store)
{
	struct store_resync_job *resync = CONTAINER_OF(job, struct store_resync_job, job);

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
	struct store_rotate_job *rotate = CONTAINER_OF(job, struct store_rotate_job, job);

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
	struct store_check_job *check = CONTAINER_OF(job, struct store_check_job, job);
	bool done;

	if (store_thread_cancelled(job->thread)) {
		job->result = error_set(&job->error, -ECANCELED, "the check was cancelled");
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
	struct store_backup_job *backup = CONTAINER_OF(job, struct store_backup_job, job);
	bool done = false;
	int code = 0;

	if (store_thread_cancelled(job->thread))
		return backup_over(
			backup, error_set(&job->error, -ECANCELED, "the backup was cancelled"));
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

// An import would rename a copy with the former key over the database.
static enum store_turn run_rekey(struct store_job *job, struct store *store)
{
	struct store_rekey_job *rekey = CONTAINER_OF(job, struct store_rekey_job, job);

	if (store_importing(store))
		return STORE_TURN_AGAIN;
	job->result = store_rekey(store, rekey->kek, &job->error);
	return STORE_TURN_DONE;
}

void store_rekey_job_init(struct store_rekey_job *rekey)
{
	rekey->job.run = run_rekey;
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

static enum store_turn run_look(struct store_job *job, struct store *store)
{
	job->result = store_look(store, &job->error);
	return STORE_TURN_DONE;
}

void store_look_job_init(struct store_look_job *look)
{
	look->job.run = run_look;
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
	struct store_stop_job *stop = CONTAINER_OF(job, struct store_stop_job, job);

	job->result = store_stop(store, stop->clock_used, stop->next, stop->arg, &job->error);
	return STORE_TURN_DONE;
}

void store_stop_job_init(struct store_stop_job *stop)
{
	stop->job.run = run_stop;
}
