// SPDX-License-Identifier: BSD-3-Clause
// The store thread and its queue of jobs. It does all work on the store while packets are taken, so
// that neither main nor a worker waits for a disk.
//
// A submitter embeds a job in a struct of its own and must not touch it from store_thread_submit()
// until done() runs, on the thread that calls store_thread_poll() (main). Jobs run one at a time
// and in order; a job that takes several turns (an import) goes to the end of the queue after each.
// If the store is broken, the thread tries to recover it before a turn, at most once a second.

#ifndef POSTERN_GW_STORE_THREAD_H
#define POSTERN_GW_STORE_THREAD_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct store;
struct store_thread;

enum store_turn {
	STORE_TURN_DONE,
	STORE_TURN_AGAIN, // run() again, after the jobs that wait
	STORE_TURN_WAIT,  // run() again when wait_fd is readable
};

struct store_job {
	// Called on the store thread.
	enum store_turn (*run)(struct store_job *job, struct store *store);
	// Called on main, from store_thread_poll(); may submit the job again, or free it.
	void (*done)(struct store_job *job);
	// Called on main after run() called store_job_note(); NULL if that is not of interest.
	void (*note)(struct store_job *job);
	int result;         // run() sets it: 0 or -errno
	struct error error; // run() sets it, if the result is -errno

	// Written by thread.c; run() may set wait_fd.
	struct store_thread *thread;
	struct store_job *next, *next_note;
	int wait_fd;
	bool noted, over;
};

// Takes over an opened store, on success. NULL and errno on failure.
struct store_thread *store_thread_start(struct store *store);
// Readable when store_thread_poll() has something to do.
int store_thread_fd(const struct store_thread *thread);
// Waits until the thread posted something, and runs note() and done() of it. Main uses it before
// its loop runs.
void store_thread_wait(struct store_thread *thread);
// Runs note() and done() of what the thread posted. Never waits.
void store_thread_poll(struct store_thread *thread);
// Queues a job. Never waits, cannot fail.
void store_thread_submit(struct store_thread *thread, struct store_job *job);
// For how long the turn lasts that a job takes now, in ms; 0 if none does. Any thread.
uint64_t store_thread_turn_ms(const struct store_thread *thread);
// Whether the store was broken (store.h) after the last turn, also by one whose job succeeded: its
// transaction is there, but not in the marks. Any thread.
bool store_thread_broken(const struct store_thread *thread);
// Makes all imports, checks and backups, also later ones, end with -ECANCELED. Never waits.
void store_thread_cancel(struct store_thread *thread);
// Gives a turn to all jobs that wait for their files. Never waits.
void store_thread_look(struct store_thread *thread);
// Waits for the jobs that are queued, joins the thread, runs the last done()s and closes the store.
// Main calls it after the workers ended. NULL is allowed.
void store_thread_stop(struct store_thread *thread);

// In run(): whether store_thread_cancel() was called.
bool store_thread_cancelled(const struct store_thread *thread);
// In run(): has note() called on main soon. Several calls may become one.
void store_job_note(struct store_job *job);

#endif
