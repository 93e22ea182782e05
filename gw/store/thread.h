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

#include "gw/device/error.h"

#include <stdbool.h>

struct store;
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

#endif
