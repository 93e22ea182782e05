// SPDX-License-Identifier: BSD-3-Clause
// The store thread: all work on the store, by a queue of jobs, so that neither main nor a worker
// ever waits for a disk.
//
// A job belongs to its submitter again when its done() runs, on the thread that calls
// store_thread_poll() (main). Jobs are embedded in the submitter's own structs. They run one at a
// time and in order; a job that takes turns (an import) goes behind those that wait. A store that
// is broken is recovered before the next turn of a job, as soon as its disk is sound.

#ifndef POSTERN_GW_STORE_THREAD_H
#define POSTERN_GW_STORE_THREAD_H

#include "gw/store/check.h"
#include "gw/store/import.h"
#include "gw/store/store.h"

struct store_thread;

enum store_turn {
	STORE_TURN_DONE,
	STORE_TURN_AGAIN, // more to do, others first
	STORE_TURN_WAIT,  // again when wait_fd is readable
};

struct store_job {
	// On the store thread. NULL is not allowed.
	enum store_turn (*run)(struct store_job *job, struct store *store);
	// On main, from store_thread_poll(); may submit the job again.
	void (*done)(struct store_job *job);
	// On main, after store_job_note(); may be NULL.
	void (*note)(struct store_job *job);
	int result; // set by run(): 0 or -errno
	struct store_error error;

	// Of the store thread:
	struct store_thread *thread;
	struct store_job *next, *next_note;
	int wait_fd;
	bool noted, over;
};

// Takes over an opened store, on success. NULL and errno on failure.
struct store_thread *store_thread_start(struct store *store);
// Readable when store_thread_poll() has something to do.
int store_thread_fd(const struct store_thread *thread);
// Waits until the thread posted something, and runs note() and done() of it. For when main has
// nothing else to do: before its loop.
void store_thread_wait(struct store_thread *thread);
// Runs note() and done() of what the thread posted. Never waits.
void store_thread_poll(struct store_thread *thread);
// Queues a job. Never waits, cannot fail.
void store_thread_submit(struct store_thread *thread, struct store_job *job);
// Before the end: imports, checks and backups that run or wait, and later ones, end with
// -ECANCELED. Never waits.
void store_thread_cancel(struct store_thread *thread);
// Runs what is queued to its end, joins the thread, runs the last done()s, closes the store. Waits.
// For after the workers ended. NULL is allowed.
void store_thread_stop(struct store_thread *thread);

// In run(): whether store_thread_cancel() was called.
bool store_thread_cancelled(const struct store_thread *thread);
// In run(): has note() called on main soon; several may become one.
void store_job_note(struct store_job *job);

// The jobs. Set the fields marked "in" and done(), call the _init(), submit.

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

struct store_list_job {
	struct store_job job;
	char after[DEVICE_NAME_MAX + 1]; // in
	struct device_info *page;        // in, with room for `room`
	size_t room;                     // in
	size_t count;
};
void store_list_job_init(struct store_list_job *list);

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

	// Of the store thread:
	struct store_backup *backup;
};
void store_backup_job_init(struct store_backup_job *backup);

// Whether the disk takes something, or does again: result 0. A store that failed is recovered.
struct store_probe_job {
	struct store_job job;
};
void store_probe_job_init(struct store_probe_job *probe);

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

#define STORE_IMPORT_CHUNK 256 // devices handed over at once

enum store_import_phase { STORE_IMPORT_READING, STORE_IMPORT_WRITING, STORE_IMPORT_HANDING_OUT };

// The import ends in several done()s: while `count` is not 0, devices[0..count) are rows that are
// durable and now go to the data plane. When they have, submit the job again for the next ones
// (devices[] is wiped then); until then nothing more is read, so there is no hurry. count 0: the
// import is over, with the report and the result of this done(). Free it with
// store_import_job_free(), then or at any time when it is not submitted.
//
// A result other than 0 after a chunk was handed over means that rows are in the store which the
// data plane has not: it gets them at the next start.
struct store_import_job {
	struct store_job job;
	char *path;                    // in: malloc()ed, freed with the job; NULL: fd
	int fd;                        // in: if path is NULL; taken over
	struct import_options options; // in
	void *arg;                     // the submitter's own
	struct {
		_Atomic uint64_t bytes, bytes_total, rows, applied; // as in struct import_progress
	} progress; // may be read at any time, e.g. in note()
	struct import_report report;
	struct device_keyed *devices;
	size_t count;

	// Of the store thread:
	struct import *import;
	enum store_import_phase phase;
	uint64_t noted_ms;
};
// NULL without memory. Sets fd to -1.
struct store_import_job *store_import_job_new(void);
void store_import_job_free(struct store_import_job *job);

#endif
