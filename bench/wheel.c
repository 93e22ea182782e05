// SPDX-License-Identifier: BSD-3-Clause
// What the timer wheel of a worker costs with so many exchanges whose deadlines are from a second
// to an hour away, and how long its longest turn takes. See bench/README.md.
//
// Time is virtual: a turn is a millisecond. An exchange that expires gets a new deadline.

#include "dataplane/state/wheel.h"

#include <rte_cycles.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LEAST_MS  1000
#define MOST_MS   (3600 * 1000)
#define TURNS     MOST_MS // of a millisecond
#define BURST     64      // what a worker handles in a turn
#define ROUNDS    3
#define HISTOGRAM 4096 // microseconds

static uint64_t state = 88172645463325252;

static double random_part(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / (double)(UINT64_C(1) << 53);
}

// As many from one to two seconds as from half an hour to an hour.
static uint64_t some_timeout_ms(void)
{
	return (uint64_t)(LEAST_MS * pow((double)MOST_MS / LEAST_MS, random_part()));
}

static double tsc_per_us;

static void tsc_measure(void)
{
	struct timespec begin, now;
	uint64_t start = rte_rdtsc();
	double us;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
		us = (double)(now.tv_sec - begin.tv_sec) * 1e6 +
			(double)(now.tv_nsec - begin.tv_nsec) / 1e3;
	} while (us < 50000);
	tsc_per_us = (double)(rte_rdtsc() - start) / us;
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct result {
	double turn_ns; // mean
	uint64_t expired;
	unsigned turn_us[HISTOGRAM];
	uint64_t late_ms; // most
	uint64_t most_us; // of a turn
};

static void round_run(struct dp_exchange_pool *pool, struct result *result, bool same_slot)
{
	static struct dp_wheel wheel;
	uint64_t now = 1000000, *due = calloc(pool->shared.count, sizeof(*due));

	*result = (struct result){0};
	if (!due)
		exit(EXIT_FAILURE);
	dp_wheel_init(&wheel, now);
	for (uint32_t i = 0; i < pool->shared.count; i++) {
		due[i] = now + (same_slot ? MOST_MS / 2 : some_timeout_ms());
		dp_wheel_insert(&wheel, pool, i, due[i]);
	}
	uint64_t begin = cpu_ns();

	for (unsigned turn = 0; turn < TURNS; turn++, now++) {
		uint64_t start = rte_rdtsc();
		uint32_t index;
		unsigned n = 0;

		dp_wheel_move(&wheel, pool);
		while (n++ < BURST &&
			(index = dp_wheel_expire(&wheel, pool, now)) != DP_INDEX_NONE) {
			uint64_t late = now - due[index];

			result->late_ms = late > result->late_ms ? late : result->late_ms;
			result->expired++;
			due[index] = now + (same_slot ? MOST_MS : some_timeout_ms());
			dp_wheel_insert(&wheel, pool, index, due[index]);
		}
		uint64_t us = (uint64_t)((double)(rte_rdtsc() - start) / tsc_per_us);

		result->most_us = us > result->most_us ? us : result->most_us;
		result->turn_us[us < HISTOGRAM ? us : HISTOGRAM - 1]++;
	}
	result->turn_ns = (double)(cpu_ns() - begin) / TURNS;
	free(due);
}

static unsigned quantile(const struct result *result, double part)
{
	uint64_t seen = 0;

	for (unsigned us = 0; us < HISTOGRAM; us++) {
		seen += result->turn_us[us];
		if ((double)seen >= part * TURNS)
			return us + 1;
	}
	return HISTOGRAM; // or more
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 100000;
	struct dp_exchange_pool *pool = count ? dp_exchange_pool_create(count, 64) : NULL;
	static struct result result, best;

	if (!pool) {
		fputs("Usage: bench_wheel [EXCHANGES]\n", stderr);
		return 2;
	}
	tsc_measure();
	for (unsigned same = 0; same < 2; same++) {
		for (unsigned i = 0; i < ROUNDS; i++) {
			round_run(pool, &result, same);
			// Other work of the machine only adds to the slow ones.
			if (!i || result.most_us < best.most_us)
				best = result;
		}
		printf("%u exchanges, %s: %.0f ns a turn, 99.99 %% below %u us, slowest %llu us, "
		       "%llu expired, at most %llu ms late\n",
			count, same ? "one deadline" : "1 s to 1 h", best.turn_ns,
			quantile(&best, 0.9999), (unsigned long long)best.most_us,
			(unsigned long long)best.expired, (unsigned long long)best.late_ms);
	}
	dp_exchange_pool_free(pool);
	return 0;
}
