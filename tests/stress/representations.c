// SPDX-License-Identifier: BSD-3-Clause
// Representations with readers and their loop at once, in a table so small that slots change hands
// all the time: what a reader finds is of the key that it asked for, whole, and not older than what
// it found before; what it has pinned stays. Under ThreadSanitizer a race makes the program fail,
// and under AddressSanitizer an object that is freed too early; one of each that is planted (the
// loop waits for no reader) is seen first. Speaks TAP.

#include "dataplane/shared/representation.h"

#include <rte_rcu_qsbr.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define READERS 3
#define KEYS    40
#define SLOTS   16
#define PAYLOAD 40   // bytes at least
#define LOOKS   64   // after which a reader says that it holds nothing
#define KEPT    50   // publications for which a version is kept behind the next
#define OLDER   8000 // bytes that may be kept so
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define STEPS 30000
#else
#define STEPS 200000
#endif

const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
	return "history_size=7";
}

static struct dp_reps *reps;
static struct dp_rep_table *table;
static struct rte_rcu_qsbr *qsbr;
static struct dp_rep_key keys[KEYS];
static bool stopping, planted;
static uint64_t wrong, found, missed, pinned, older; // atomic
static uint64_t published, evicted;
static pthread_barrier_t begin;
static unsigned points, failures;

static void point(bool good, const char *what)
{
	printf("%sok %u - %s\n", good ? "" : "not ", ++points, what);
	fflush(stdout);
	failures += !good;
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*state >> 32) * n >> 32;
}

// A payload is the key's number and the same byte again and again, which follows from the version.
static bool is_whole(const struct dp_representation *rep, unsigned n)
{
	const uint8_t *payload = dp_rep_payload(rep);

	if (rep->hash != keys[n].hash || rep->payload_len < PAYLOAD || payload[0] != n)
		return false;
	for (unsigned i = 2; i < rep->payload_len; i++)
		if (payload[i] != payload[1])
			return false;
	return rep->etag[0] == payload[1];
}

static bool look(uint64_t *state, uint64_t last[KEYS])
{
	unsigned n = random_below(state, KEYS);
	uint32_t slot;
	const struct dp_representation *rep = dp_rep_find(table, &keys[n], &slot);

	__atomic_add_fetch(rep ? &found : &missed, 1, __ATOMIC_RELAXED);
	if (!rep)
		return true;
	if (!is_whole(rep, n) || rep->version < last[n])
		return false;
	// What it found before is kept behind that, or is not there any more.
	const struct dp_representation *begun = dp_rep_version(rep, last[n]);

	if (begun && (begun->version != last[n] || !is_whole(begun, n)))
		return false;
	__atomic_add_fetch(&older, begun && begun != rep, __ATOMIC_RELAXED);
	// Not that of each look, so that there is something to be found.
	if (!random_below(state, 4))
		last[n] = rep->version;
	dp_rep_begin(table, slot);
	dp_rep_use(table, slot);
	if (random_below(state, 4) || !dp_rep_pin(table, slot, keys[n].hash))
		return true;
	// It is pinned: what is there is of this key.
	bool good = true;

	__atomic_add_fetch(&pinned, 1, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 50; i++) {
		rep = dp_rep_at(table, slot);
		good &= !rep ||
			is_whole(rep, n); // the loop looks whether it may take it, for a moment
	}
	dp_rep_unpin(table, slot);
	return good;
}

static void *reader_run(void *arg)
{
	unsigned id = (uintptr_t)arg;
	uint64_t state = id + 1, last[KEYS] = {0};

	rte_rcu_qsbr_thread_register(qsbr, id);
	rte_rcu_qsbr_thread_online(qsbr, id);
	pthread_barrier_wait(&begin);
	while (!__atomic_load_n(&stopping, __ATOMIC_ACQUIRE)) {
		for (unsigned i = 0; i < LOOKS; i++)
			if (!look(&state, last))
				__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
		rte_rcu_qsbr_quiescent(qsbr, id);
		sched_yield();
	}
	rte_rcu_qsbr_thread_offline(qsbr, id);
	rte_rcu_qsbr_thread_unregister(qsbr, id);
	return NULL;
}

static void publish(unsigned n, uint64_t *state)
{
	uint32_t slot = dp_rep_place(table, keys[n].hash, keys[n].bytes, keys[n].len, NULL, NULL);
	const struct dp_representation *before;

	if (slot == DP_INDEX_NONE)
		return;
	before = dp_rep_at(table, slot);
	if (before && before->hash != keys[n].hash && !dp_rep_evict(table, slot))
		return;
	uint32_t len = PAYLOAD + random_below(state, 100);
	struct dp_representation *rep = dp_rep_make(&keys[n], len);

	if (!rep)
		abort();
	memset(rep->bytes + rep->key_len, (uint8_t)random_below(state, 256), len);
	rep->etag[0] = rep->bytes[rep->key_len + 1];
	rep->bytes[rep->key_len] = n;
	rep->code = COAP_CONTENT;
	rep->stored_ms = published;
	dp_rep_publish(table, slot, rep);
	published++;
}

// On a machine with few cores the loop waits for the readers.
static bool readers_did(unsigned steps)
{
	if (planted || __atomic_load_n(&found, __ATOMIC_RELAXED) > steps / 2)
		return true;
	sched_yield();
	return false;
}

static void loop_run(unsigned steps)
{
	uint64_t state = 7;

	for (unsigned step = 0; step < steps || !readers_did(steps); step++) {
		if (random_below(&state, 8))
			publish(random_below(&state, KEYS), &state);
		else
			evicted += dp_rep_evict(table, random_below(&state, table->slots));
		dp_rep_older_turn(table, published + DP_REP_OLDER_MS - KEPT);
		dp_rep_reclaim(table);
	}
}

static void keys_make(void)
{
	static const struct dp_rep_asker asker = {.route = 1, .code = COAP_GET, .shared = true};

	for (unsigned i = 0; i < KEYS; i++) {
		const uint8_t option[] = {0xb1, (uint8_t)i};
		struct coap_body body;

		if (coap_body_parse(&body, option, sizeof(option)) != COAP_OK ||
			!dp_rep_key_make(&keys[i], &reps->keys, &asker, &body))
			abort();
	}
}

static void run(unsigned steps)
{
	pthread_t reader[READERS];

	reps = dp_reps_create(1, SLOTS, planted ? NULL : qsbr);
	if (!reps || rte_rcu_qsbr_init(qsbr, READERS) ||
		pthread_barrier_init(&begin, NULL, READERS + 1))
		abort();
	table = &reps->table[0];
	table->older_max = OLDER;
	keys_make();
	for (uintptr_t i = 0; i < READERS; i++)
		if (pthread_create(&reader[i], NULL, reader_run, (void *)i))
			abort();
	pthread_barrier_wait(&begin);
	loop_run(steps);
	__atomic_store_n(&stopping, true, __ATOMIC_RELEASE);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(reader[i], NULL);
	pthread_barrier_destroy(&begin);
	point(!wrong, "every look-up found what was published, whole");
	printf("# %lu found, %lu missed, %lu older, %lu pinned, %lu published, %lu evicted\n",
		found, missed, older, pinned, published, evicted);
	point(planted || (found && missed && older && pinned && published > steps / 4),
		"entries came and went meanwhile");
	dp_rep_older_turn(table, UINT64_MAX);
	dp_rep_reclaim(table);
	size_t bytes = 0;

	for (uint32_t i = 0; i < table->slots; i++)
		bytes += dp_rep_at(table, i) ? dp_rep_bytes(dp_rep_at(table, i)) : 0;
	point(!table->retired && !table->older_bytes && table->bytes == bytes,
		"all that was taken out is freed");
	dp_reps_free(reps);
}

// Whether the sanitizer sees that the loop waits for no reader: in a process of its own, and in
// others, if no reader ran while the loop did.
#define PROCESSES 20
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
static bool planted_seen_once(void)
{
	int status;
	pid_t child = fork();

	if (!child) {
		setenv("TSAN_OPTIONS", "exitcode=66 log_path=/dev/null", 1);
		setenv("ASAN_OPTIONS", "exitcode=66 log_path=/dev/null", 1);
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		execl("/proc/self/exe", "representations", "--planted", NULL);
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
		WEXITSTATUS(status) == 66;
}

static bool planted_seen(void)
{
	for (unsigned i = 0; i < PROCESSES; i++)
		if (planted_seen_once())
			return true;
	return false;
}
#endif

int main(int argc, char **argv)
{
	planted = argc > 1 && !strcmp(argv[1], "--planted");
	qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(READERS));
	if (!qsbr)
		abort();
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
	if (!planted)
		point(planted_seen(), "an object that is freed at once is seen");
#endif
	run(STEPS);
	free(qsbr);
	printf("1..%u\n", points);
	return failures != 0;
}
