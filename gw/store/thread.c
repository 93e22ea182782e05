// SPDX-License-Identifier: BSD-3-Clause
// The queue of the store thread, and the list by which its jobs come back to main. Each has an
// eventfd, and one lock guards both.

#include "gw/store/thread.h"

#include "base/clock.h"
#include "base/fault_signals.h"
#include "gw/store/store.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define WATCHED_MAX  64   // files that are waited for at once
#define UNWATCHED_MS 1000 // between two looks at those beyond
#define RECOVER_MS   1000 // between two looks at a disk that failed

struct list {
	struct store_job *first, **last;
};

struct store_thread {
	struct store *store;
	pthread_t thread;
	int work_fd;  // rung for the thread
	int reply_fd; // rung for main
	atomic_bool cancelled;
	atomic_bool look;    // a job that waits is to look
	uint64_t recover_ms; // CLOCK_MONOTONIC; not before this
	bool broken;         // atomic; the same: the store, after the turn before
	uint64_t turn_ms;    // atomic; the same: when the turn of now began; 0: none

	pthread_mutex_t lock; // of all below; never held over a disk access or a callback
	struct list queued, done;
	struct store_job *noted; // stack by next_note
	bool stopping;
};

static void list_init(struct list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void list_put(struct list *list, struct store_job *job)
{
	job->next = NULL;
	*list->last = job;
	list->last = &job->next;
}

static struct store_job *list_take(struct list *list)
{
	struct store_job *job = list->first;

	if (job != NULL) {
		list->first = job->next;
		if (list->first == NULL)
			list->last = &list->first;
	}
	return job;
}

static void ring(int fd)
{
	uint64_t one = 1;

	// Fails only if the counter is full, and then it is rung.
	ssize_t written __attribute__((unused)) = write(fd, &one, sizeof(one));
}

static void unring(int fd)
{
	uint64_t count;

	ssize_t got __attribute__((unused)) = read(fd, &count, sizeof(count));
}

static struct store_job *take_job(struct store_thread *thread, bool *stopping)
{
	pthread_mutex_lock(&thread->lock);
	struct store_job *job = list_take(&thread->queued);
	*stopping = thread->stopping;
	pthread_mutex_unlock(&thread->lock);
	return job;
}

static void post(struct store_thread *thread, struct list *list, struct store_job *job, int fd)
{
	pthread_mutex_lock(&thread->lock);
	job->over = list == &thread->done;
	list_put(list, job);
	pthread_mutex_unlock(&thread->lock);
	ring(fd);
}

// Jobs that wait for their file are kept aside; those whose file is readable are queued again.
static void look_after(struct store_thread *thread, struct list *waiting, bool all)
{
	struct list still;
	struct store_job *job;

	list_init(&still);
	while ((job = list_take(waiting)) != NULL) {
		struct pollfd ready = {.fd = job->wait_fd, .events = POLLIN};
		if (all || poll(&ready, 1, 0) != 0)
			post(thread, &thread->queued, job, thread->work_fd);
		else
			list_put(&still, job);
	}
	list_init(waiting);
	while ((job = list_take(&still)) != NULL)
		list_put(waiting, job);
}

// Waits for a job, or for the file of one that waits.
static void sleep_until(struct store_thread *thread, const struct list *waiting)
{
	struct pollfd ready[1 + WATCHED_MAX] = {{.fd = thread->work_fd, .events = POLLIN}};
	const struct store_job *job = waiting->first;
	nfds_t n = 1;

	for (; job != NULL && n <= WATCHED_MAX; job = job->next)
		ready[n++] = (struct pollfd){.fd = job->wait_fd, .events = POLLIN};
	poll(ready, n, job != NULL ? UNWATCHED_MS : -1);
	if (ready[0].revents != 0)
		unring(thread->work_fd);
}

// Before a job, so that none of them begins before and ends behind it.
static void recover(struct store_thread *thread)
{
	uint64_t now_ms = clock_ms();

	if (now_ms < thread->recover_ms)
		return;
	thread->recover_ms = now_ms + RECOVER_MS;
	// If it fails, the job says so itself, if it has to do with what failed.
	(void)!store_recover(thread->store, NULL);
}

static void run_job(struct store_thread *thread, struct list *waiting, struct store_job *job)
{
	__atomic_store_n(&thread->turn_ms, clock_ms(), __ATOMIC_RELAXED);
	if (store_broken(thread->store))
		recover(thread);
	const enum store_turn turn = job->run(job, thread->store);

	__atomic_store_n(&thread->broken, store_broken(thread->store), __ATOMIC_RELAXED);
	__atomic_store_n(&thread->turn_ms, 0, __ATOMIC_RELAXED);
	switch (turn) {
	case STORE_TURN_DONE:
		post(thread, &thread->done, job, thread->reply_fd);
		break;
	case STORE_TURN_AGAIN:
		post(thread, &thread->queued, job, thread->work_fd);
		break;
	case STORE_TURN_WAIT:
		assert(job->wait_fd >= 0);
		list_put(waiting, job);
		break;
	}
}

static void *store_thread_main(void *arg)
{
	struct store_thread *thread = arg;
	struct list waiting;
	bool stopping;

	pthread_setname_np(pthread_self(), "store");
	list_init(&waiting);
	for (;;) {
		const bool look = atomic_exchange(&thread->look, false);

		look_after(thread, &waiting, look || atomic_load(&thread->cancelled));
		struct store_job *job = take_job(thread, &stopping);
		if (job != NULL)
			run_job(thread, &waiting, job);
		else if (stopping && waiting.first == NULL)
			return NULL;
		else
			sleep_until(thread, &waiting);
	}
}

static int thread_create(struct store_thread *thread)
{
	sigset_t all, before;

	// Signals are for main, but those of faults.
	sigfillset(&all);
	fault_signals_keep(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&thread->thread, NULL, store_thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return code;
}

uint64_t store_thread_turn_ms(const struct store_thread *thread)
{
	const uint64_t since_ms = __atomic_load_n(&thread->turn_ms, __ATOMIC_RELAXED);
	const uint64_t now_ms = clock_ms();

	return since_ms && now_ms > since_ms ? now_ms - since_ms : 0;
}

bool store_thread_broken(const struct store_thread *thread)
{
	return __atomic_load_n(&thread->broken, __ATOMIC_RELAXED);
}

struct store_thread *store_thread_start(struct store *store)
{
	struct store_thread *thread = calloc(1, sizeof(*thread));

	if (thread == NULL)
		return NULL;
	thread->store = store;
	list_init(&thread->queued);
	list_init(&thread->done);
	pthread_mutex_init(&thread->lock, NULL);
	thread->work_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	thread->reply_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	int code = thread->work_fd < 0 || thread->reply_fd < 0 ? errno : thread_create(thread);
	if (code != 0) {
		if (thread->work_fd >= 0)
			close(thread->work_fd);
		if (thread->reply_fd >= 0)
			close(thread->reply_fd);
		free(thread);
		errno = code;
		return NULL;
	}
	return thread;
}

int store_thread_fd(const struct store_thread *thread)
{
	return thread->reply_fd;
}

static struct store_job *take_noted(struct store_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	struct store_job *job = thread->noted;
	if (job != NULL) {
		thread->noted = job->next_note;
		job->noted = false;
	}
	pthread_mutex_unlock(&thread->lock);
	return job;
}

// Takes all that are done: those that are submitted again from their done() are for the next time.
// A note that main did not hear yet is void: done() may free the job.
static struct store_job *take_done(struct store_thread *thread)
{
	pthread_mutex_lock(&thread->lock);
	struct store_job *first = thread->done.first;
	list_init(&thread->done);
	struct store_job **at = &thread->noted;
	while (*at != NULL) {
		if ((*at)->over)
			*at = (*at)->next_note;
		else
			at = &(*at)->next_note;
	}
	for (struct store_job *job = first; job != NULL; job = job->next)
		job->noted = job->over = false;
	pthread_mutex_unlock(&thread->lock);
	return first;
}

void store_thread_poll(struct store_thread *thread)
{
	struct store_job *job;

	unring(thread->reply_fd);
	while ((job = take_noted(thread)) != NULL)
		job->note(job);
	for (struct store_job *next = take_done(thread); (job = next) != NULL;) {
		next = job->next;
		job->done(job);
	}
}

void store_thread_wait(struct store_thread *thread)
{
	struct pollfd ready = {.fd = thread->reply_fd, .events = POLLIN};

	// An interruption is a call with nothing to do.
	(void)!poll(&ready, 1, -1);
	store_thread_poll(thread);
}

void store_thread_submit(struct store_thread *thread, struct store_job *job)
{
	assert(job->run != NULL && job->done != NULL);
	job->thread = thread;
	job->wait_fd = -1;
	job->result = 0;
	job->error.text[0] = 0;
	job->noted = job->over = false;
	post(thread, &thread->queued, job, thread->work_fd);
}

void store_thread_cancel(struct store_thread *thread)
{
	atomic_store(&thread->cancelled, true);
	ring(thread->work_fd);
}

void store_thread_look(struct store_thread *thread)
{
	atomic_store(&thread->look, true);
	ring(thread->work_fd);
}

bool store_thread_cancelled(const struct store_thread *thread)
{
	return atomic_load(&thread->cancelled);
}

void store_job_note(struct store_job *job)
{
	struct store_thread *thread = job->thread;

	assert(!job->over); // only from run()
	if (job->note == NULL)
		return;
	pthread_mutex_lock(&thread->lock);
	if (!job->noted) {
		job->noted = true;
		job->next_note = thread->noted;
		thread->noted = job;
	}
	pthread_mutex_unlock(&thread->lock);
	ring(thread->reply_fd);
}

void store_thread_stop(struct store_thread *thread)
{
	if (thread == NULL)
		return;
	store_thread_cancel(thread);
	pthread_mutex_lock(&thread->lock);
	thread->stopping = true;
	pthread_mutex_unlock(&thread->lock);
	ring(thread->work_fd);
	pthread_join(thread->thread, NULL);
	store_thread_poll(thread);
	store_close(thread->store);
	pthread_mutex_destroy(&thread->lock);
	close(thread->work_fd);
	close(thread->reply_fd);
	free(thread);
}
