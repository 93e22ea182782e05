// SPDX-License-Identifier: BSD-3-Clause
// The rings between workers, without the workers: threads pass a few tokens on to one another, each
// by one element and one call. A call that is lost is a token that lies in a ring for ever, as
// nobody sends there again before it comes out. Then other threads fill the rings, so that
// consumers leave something. Speaks TAP; in a build with ThreadSanitizer a race is a failure, too.

#include "dataplane/worker/lanes.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define WORKERS  3
#define TOKENS   2
#define ENOUGH_S 4  // of each kind, whatever came of it
#define STILL_S  20 // without any progress: nothing will come any more

#ifdef __SANITIZE_THREAD__
#define HOPS     300000
#define ELEMENTS 100000
#else
#define HOPS     2000000
#define ELEMENTS 2000000
#endif

// What the tests of the ring want to see of a packet.
struct element {
	uint64_t number;
	uint64_t from;
};

static struct dp_worker *workers[WORKERS];
static uint64_t hops, pairs, taken; // atomic
static bool stopping;
static unsigned points, failures;

static void point(bool good, const char *what)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++points, what);
	fflush(stdout);
	failures += !good;
}

static bool stopped(void)
{
	return __atomic_load_n(&stopping, __ATOMIC_RELAXED);
}

static bool send(struct dp_worker *w, unsigned to, uint64_t number)
{
	struct element element = {.number = number, .from = w->id};

	if (rte_ring_sp_enqueue_elem(w->to[to]->packets, &element, sizeof(element)))
		return false;
	dp_lane_note(w, to);
	return true;
}

// Takes up to `most` elements of each who called.
static unsigned take(struct dp_worker *w, struct element *elements, unsigned most, uint64_t *called)
{
	unsigned n = 0;

	*called = dp_lanes_called(w);
	for (uint64_t from = *called; from; from &= from - 1) {
		unsigned left, at = __builtin_ctzll(from);

		n += rte_ring_sc_dequeue_burst_elem(
			w->from[at]->packets, &elements[n], sizeof(elements[0]), most, &left);
		if (left)
			dp_lane_unfinished(w, at);
	}
	return n;
}

static void *pass_tokens(void *worker)
{
	struct dp_worker *w = worker;
	struct element elements[WORKERS * TOKENS];
	uint64_t called;

	while (!stopped()) {
		unsigned n = take(w, elements, TOKENS, &called);

		for (unsigned i = 0; i < n; i++) {
			unsigned to = (w->id + 1 + elements[i].number % (WORKERS - 1)) % WORKERS;

			if (!send(w, to, elements[i].number * 5 / 3 + 1))
				abort();
			dp_lanes_call(w);
		}
		__atomic_fetch_add(&hops, n, __ATOMIC_RELAXED);
		if (!n)
			sched_yield();
	}
	return NULL;
}

// Sends two elements shortly one after the other, and no more before the first worker has both: the
// second call comes when that worker has just seen the first one.
static void *send_pairs(void *worker)
{
	struct dp_worker *w = worker;
	struct element elements[2 * WORKERS];
	uint64_t called, sent = 0;

	if (w->id > 1)
		return NULL;
	while (!stopped()) {
		if (!w->id) {
			unsigned n = take(w, elements, 2, &called);

			if (n)
				__atomic_fetch_add(&pairs, n, __ATOMIC_RELEASE);
			else if (!(++sent % 4096))
				sched_yield();
			continue;
		}
		for (unsigned i = 0; i < 2; i++, sent++) {
			for (unsigned pause = i ? sent / 2 % 128 : 0; pause--;)
				rte_pause();
			if (!send(w, 0, sent))
				abort();
			dp_lanes_call(w);
		}
		for (unsigned looks = 1;
			__atomic_load_n(&pairs, __ATOMIC_ACQUIRE) < sent && !stopped(); looks++)
			if (looks % 4096 == 0)
				sched_yield();
	}
	return NULL;
}

// All send to the first one, as much as there is room for; it takes no more than four at once.
static void *fill(void *worker)
{
	struct dp_worker *w = worker;
	struct element elements[4 * WORKERS];
	uint64_t next[WORKERS] = {0};
	uint64_t called;

	for (uint64_t number = 0; !stopped();) {
		if (w->id) {
			while (number < ELEMENTS && send(w, 0, number))
				number++;
			dp_lanes_call(w);
			sched_yield();
			continue;
		}
		unsigned n = take(w, elements, 4, &called);

		for (unsigned i = 0; i < n; i++)
			if (elements[i].number != next[elements[i].from]++)
				abort();
		__atomic_fetch_add(&taken, n, __ATOMIC_RELAXED);
		if (!n)
			sched_yield();
	}
	return NULL;
}

// Runs the threads until a count is reached, or for some seconds on a busy machine. false if it
// stands still.
static bool run(void *(*thread)(void *worker), const uint64_t *count, uint64_t wanted)
{
	pthread_t threads[WORKERS];
	const time_t start = time(NULL);
	time_t moved = start;
	uint64_t last = 0, now;

	stopping = false;
	for (unsigned i = 0; i < WORKERS; i++)
		if (pthread_create(&threads[i], NULL, thread, workers[i]))
			abort();
	do {
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
		now = __atomic_load_n(count, __ATOMIC_RELAXED);
		if (now != last)
			moved = time(NULL);
		last = now;
	} while (now < wanted && time(NULL) - moved < STILL_S &&
		(time(NULL) - start < ENOUGH_S || time(NULL) != moved));
	__atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	return time(NULL) - moved < STILL_S;
}

// Takes all that lies in the rings when no thread runs. Returns how many were called for.
static unsigned drain(void)
{
	struct element elements[2 * WORKERS * TOKENS];
	unsigned sum = 0, n;
	uint64_t called;

	for (unsigned i = 0; i < WORKERS; i++)
		while ((n = take(workers[i], elements, TOKENS, &called)))
			sum += n;
	return sum;
}

int main(void)
{
	for (unsigned i = 0; i < WORKERS; i++) {
		workers[i] = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(struct dp_worker), 64));
		if (!workers[i])
			abort();
		memset(workers[i], 0, sizeof(struct dp_worker));
		workers[i]->id = i;
	}
	for (unsigned to = 0; to < WORKERS; to++)
		if (dp_lanes_connect(
			    workers, WORKERS, to, sizeof(struct element), sizeof(struct element)))
			abort();
	for (unsigned i = 0; i < TOKENS; i++)
		if (!send(workers[0], 1 + i, i))
			abort();
	dp_lanes_call(workers[0]);
	point(run(pass_tokens, &hops, HOPS), "tokens go on and on");
	point(drain() == TOKENS, "each call that was left is there, and no token was lost");
	point(run(send_pairs, &pairs, HOPS), "no second call is lost in the first one");
	drain();
	point(run(fill, &taken, (WORKERS - 1) * (uint64_t)ELEMENTS),
		"what a consumer leaves is not forgotten, and all comes in order");
	for (unsigned i = 0; i < WORKERS; i++) {
		dp_lanes_free(workers[i]);
		free(workers[i]);
	}
	printf("1..%u\n", points);
	return failures != 0;
}
