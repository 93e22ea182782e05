// SPDX-License-Identifier: BSD-3-Clause
// The jobs of the store thread, one a verb. A submitter sets job.done and the fields marked "in",
// calls the _init() of the job and submits job.job. The other fields are set when done() runs, as
// the function of store.h, check.h or backup.h sets them, and job.result is what that returned.

#ifndef POSTERN_GW_STORE_JOBS_H
#define POSTERN_GW_STORE_JOBS_H

#include "gw/store/backup.h"
#include "gw/store/check.h"
#include "gw/store/store.h"
#include "gw/store/thread.h"
#include "gw/store/tombstones.h"

struct store_add_job {
	struct store_job job;
	struct device_spec spec; // in; wiped when it was read
	bool replace;            // in
	enum device_outcome outcome;
	struct device_keyed device; // for the data plane; wipe it in done()
};
void store_add_job_init(struct store_add_job *add);

struct store_remove_job {
	struct store_job job;
	char name[DEVICE_NAME_MAX + 1]; // in
	struct device_info info;
};
void store_remove_job_init(struct store_remove_job *remove);

struct store_show_job {
	struct store_job job;
	char name[DEVICE_NAME_MAX + 1]; // in
	struct device_info info;
};
void store_show_job_init(struct store_show_job *show);

struct store_get_job {
	struct store_job job;
	char name[DEVICE_NAME_MAX + 1]; // in
	struct device_keyed device;     // for the data plane; wipe it in done()
};
void store_get_job_init(struct store_get_job *get);

struct store_list_job {
	struct store_job job;
	char after[DEVICE_NAME_MAX + 1]; // in
	struct device_info *page;        // in, with room for `room`
	size_t room;                     // in
	size_t count;
};
void store_list_job_init(struct store_list_job *list);

struct store_tombstones_job {
	struct store_job job;
	struct store_tombstones walk; // in: as its struct says
};
void store_tombstones_job_init(struct store_tombstones_job *tombstones);

struct store_grant_job {
	struct store_job job;
	uint32_t run;
};
void store_grant_job_init(struct store_grant_job *grant);

struct store_clock_job {
	struct store_job job;
	int64_t clock; // in
};
void store_clock_job_init(struct store_clock_job *clock);

struct store_raise_job {
	struct store_job job;
	bool is_mark;              // in: else a run_base
	struct store_raise *raise; // in
	size_t count;              // in
};
void store_raise_job_init(struct store_raise_job *raise);

struct store_rederive_job {
	struct store_job job;
	struct store_rederivation *rederivation; // in; wipe what it has in done()
	size_t count;                            // in
};
void store_rederive_job_init(struct store_rederive_job *rederive);

struct store_resync_job {
	struct store_job job;
	char name[DEVICE_NAME_MAX + 1]; // in
	bool has_from;                  // in
	uint64_t from;                  // in
	bool waited;                    // it could not be served before
	struct device_keyed device;     // for the data plane; wipe it in done()
};
void store_resync_job_init(struct store_resync_job *resync);

struct store_rotate_job {
	struct store_job job;
	char name[DEVICE_NAME_MAX + 1]; // in
	struct device_spec spec;        // in; wiped when it was read
	struct device_info before;      // what was retired
	struct device_keyed device;     // for the data plane; wipe it in done()
};
void store_rotate_job_init(struct store_rotate_job *rotate);

struct store_check_job {
	struct store_job job;
	struct store_check check; // in: all zero
};
void store_check_job_init(struct store_check_job *check);

struct store_backup_job {
	struct store_job job;
	char *path; // in: free it in done()

	// Written by jobs.c:
	struct store_backup *backup;
};
void store_backup_job_init(struct store_backup_job *backup);

struct store_rekey_job {
	struct store_job job;
	const struct kek *kek; // in
};
void store_rekey_job_init(struct store_rekey_job *rekey);

// Recovers the store if it is broken, else writes something to its disk. The result is 0 if the
// disk is sound.
struct store_probe_job {
	struct store_job job;
};
void store_probe_job_init(struct store_probe_job *probe);

// See store_look().
struct store_look_job {
	struct store_job job;
};
void store_look_job_init(struct store_look_job *look);

struct store_start_job {
	struct store_job job;
};
void store_start_job_init(struct store_start_job *start);

struct store_stop_job {
	struct store_job job;
	// in: as for store_stop(); next() runs on the store thread.
	bool (*next)(void *arg, struct store_window *window);
	void *arg;
	int64_t clock_used; // in: the same
};
void store_stop_job_init(struct store_stop_job *stop);

#endif
