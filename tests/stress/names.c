// SPDX-License-Identifier: BSD-3-Clause
// The names of contexts with three readers and main at once: names come and go in a table that is
// nearly full, so that slots change hands all the time. A name that stays is always found, one that
// never was is never found, and one that comes and goes is found as whose it is or not at all.
// Under ThreadSanitizer a race makes the program fail, and one that is planted (main waits for no
// reader before it uses a slot again) is seen first. Speaks TAP.

#include "dataplane/shared/names.h"

#include "base/clock.h"

#include <rte_rcu_qsbr.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READERS 3
#define ENTRIES 64
#define STAYING 16 // the first of them with an ID Context, and then some without
#define COMING  96 // share their kids with those that stay, or with one another
#define KIDS    32
#define NEVER   64
#define WAITING 8  // of those that left, before main waits for the readers
#define LOOKS   64 // after which a reader says that it is outside of a look-up
#ifdef __SANITIZE_THREAD__
#define STEPS 30000
#else
#define STEPS 100000
#endif
#define MOST_MS  20000 // of one run: on a busy machine every wait for the readers is long
#define REPORTED 66    // exit status of a program with races

const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "history_size=7";
}

static struct dp_names names;
static struct rte_rcu_qsbr *qsbr;
static struct dp_context_key staying[STAYING], coming[COMING], never[NEVER];
static uint32_t staying_index[STAYING];
static bool stopping, planted;
static uint64_t wrong, found, missed; // atomic
static pthread_barrier_t begin;       // before it, main would not wait for a reader
static unsigned points, failures;

static void point(bool good, const char *hash, const char *what)
{
	printf("%sok %u - %s: %s\n", good ? "" : "not ", ++points, hash, what);
	fflush(stdout);
	failures += !good;
}

static struct dp_context_key name_of(uint32_t kid, uint64_t id_context)
{
	struct dp_context_key key = {.kid_len = 3, .id_context = id_context};

	memcpy(key.kid, &kid, 3);
	return key;
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*state >> 32) * n >> 32;
}

// --- readers ---------------------------------------------------------------------------------

// Whether the context has this name: its kin says so until it is released.
static bool is_of(uint32_t index, const struct dp_context_key *key)
{
	const struct dp_context_key *kin = &names.kin[index].key;

	return !memcmp(kin, key, offsetof(struct dp_context_key, id_context)) &&
		(!key->id_context || key->id_context == kin->id_context);
}

static bool look(uint64_t *state)
{
	uint32_t n = random_below(state, STAYING);

	if (dp_names_find(&names, &staying[n]) != staying_index[n])
		return false;
	n = random_below(state, COMING);
	uint32_t index = dp_names_find(&names, &coming[n]);

	__atomic_add_fetch(index == DP_INDEX_NONE ? &missed : &found, 1, __ATOMIC_RELAXED);
	if (index != DP_INDEX_NONE && !is_of(index, &coming[n]))
		return false;
	// A kid alone, which is a name at times.
	const struct dp_context_key kid = name_of(random_below(state, KIDS), 0);

	index = dp_names_find(&names, &kid);
	if (index != DP_INDEX_NONE && !is_of(index, &kid))
		return false;
	return dp_names_find(&names, &never[random_below(state, NEVER)]) == DP_INDEX_NONE;
}

static void *reader_run(void *arg)
{
	unsigned id = (uintptr_t)arg;
	uint64_t state = id + 1;

	rte_rcu_qsbr_thread_register(qsbr, id);
	rte_rcu_qsbr_thread_online(qsbr, id);
	pthread_barrier_wait(&begin);
	while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		for (unsigned i = 0; i < LOOKS; i++)
			if (!look(&state))
				__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		rte_rcu_qsbr_quiescent(qsbr, id);
		sched_yield();
	}
	rte_rcu_qsbr_thread_offline(qsbr, id);
	rte_rcu_qsbr_thread_unregister(qsbr, id);
	return NULL;
}

// --- main ------------------------------------------------------------------------------------

static void join(const struct dp_context_key *key, uint32_t *index)
{
	if (dp_names_join(&names, key, NULL, index))
		abort();
}

static void release_all(const uint32_t *waiting, unsigned count)
{
	uint64_t token = rte_rcu_qsbr_start(qsbr);

	while (!planted && !rte_rcu_qsbr_check(qsbr, token, false))
		sched_yield();
	for (unsigned i = 0; i < count; i++)
		dp_names_release(&names, waiting[i]);
}

static void come_and_go(unsigned steps)
{
	uint32_t index[COMING], waiting[WAITING];
	bool there[COMING] = {false};
	unsigned count = STAYING, leaving = 0;
	const uint64_t until_ms = clock_ms() + MOST_MS;
	uint64_t state = 7;

	for (unsigned step = 0; step < steps && clock_ms() < until_ms; step++) {
		unsigned n = random_below(&state, COMING);

		if (there[n]) {
			dp_names_leave(&names, index[n]);
			waiting[leaving++] = index[n];
			count--;
			there[n] = false;
		} else if (count + leaving < ENTRIES) {
			join(&coming[n], &index[n]);
			count++;
			there[n] = true;
		}
		if (leaving == WAITING || count + leaving == ENTRIES) {
			release_all(waiting, leaving);
			leaving = 0;
		}
	}
}

static void names_make(const struct keyed_hash *hash)
{
	if (dp_names_init(&names, ENTRIES))
		abort();
	if (hash)
		names.hash = *hash;
	for (unsigned i = 0; i < STAYING; i++) {
		staying[i] = name_of(i, i < STAYING / 2 ? 1000 + i : 0);
		join(&staying[i], &staying_index[i]);
	}
	for (unsigned i = 0; i < COMING; i++)
		coming[i] = name_of(i % KIDS, 1 + i / KIDS);
	for (unsigned i = 0; i < NEVER; i++)
		never[i] = name_of(i % 2 ? i % KIDS : KIDS + i, i % 2 ? 2000 : i % 3);
}

static void run(const char *what, const struct keyed_hash *hash, unsigned steps)
{
	pthread_t reader[READERS];

	wrong = found = missed = 0;
	stopping = false;
	names_make(hash);
	if (rte_rcu_qsbr_init(qsbr, READERS) || pthread_barrier_init(&begin, NULL, READERS + 1))
		abort();
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&reader[i], NULL, reader_run, (void *)i))
			abort();
	pthread_barrier_wait(&begin);
	come_and_go(steps);
	__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	pthread_barrier_destroy(&begin);
	point(!wrong, what, "every look-up said what is");
	point(planted || (found && missed), what, "names came and went meanwhile");
	dp_names_fini(&names);
}

// Whether the sanitizer sees a race that was planted: in a process of its own.
#ifdef __SANITIZE_THREAD__
static bool planted_seen(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv("TSAN_OPTIONS", "exitcode=66 log_path=/dev/null", 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		execl("/proc/self/exe", "names", "--planted", NULL);
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == REPORTED;
}
#endif

int main(int argc, char **argv)
{
	// All names in one bucket and those after it, and all with one hash.
	static struct keyed_hash one_home = {.word = {[1] = 1}, .last = {[1] = 1}}, one_hash;

	planted = argc > 1 && !strcmp(argv[1], "--planted");
	qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(READERS));
	if (!qsbr)
		abort();
#ifdef __SANITIZE_THREAD__
	if (!planted)
		point(planted_seen(), "planted", "a slot that is used again at once is seen");
#endif
	run("a random key", NULL, STEPS);
	run("one home", &one_home, STEPS);
	run("one hash", &one_hash, STEPS / 20); // each look-up is a long way
	free(qsbr);
	printf("1..%u\n", points);
	return failures != 0;
}
