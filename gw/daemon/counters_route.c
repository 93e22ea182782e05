// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/counters_route.h"

#include "gw/upstream/route_stats.h"

#include <stddef.h>

size_t counters_route_rows(const struct counters *at)
{
	return route_slots_count(&at->daemon->route_slots) * COUNTERS_ROUTE_ROWS;
}

static void loops_sum(const struct daemon *daemon, unsigned slot, struct up_route_stats *sum)
{
	*sum = (struct up_route_stats){.us = 0};
	for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
		up_route_stats_sum(sum, up_loop_route_stats(daemon->loop[i], slot));
}

// What all workers count in a slot, `offset` bytes into it.
static uint64_t workers_sum(const struct daemon *daemon, unsigned slot, size_t offset)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++) {
		const char *stats = (const char *)&dp_worker_route_stats(daemon->dp, i)[slot];

		sum += __atomic_load_n((const uint64_t *)(stats + offset), __ATOMIC_RELAXED);
	}
	return sum;
}

static const char *took_read(const struct up_route_stats *stats, struct counter *counter)
{
	counter->help = "times from the receipt of requests to the answers of an upstream";
	counter->unit = UNIT_US;
	counter->value = stats->us;
	counter->bucket_count = UP_LATENCY_BUCKETS;
	counter->bucket_first = UP_LATENCY_LEAST;
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		counter->buckets[i] = stats->took[i];
	return "answer";
}

const char *counters_route_read(const struct counters *at, size_t row, struct counter *counter)
{
	static const char *const answers[DP_ANSWER_CLASSES] = {
		"answers_2xx", "answers_4xx", "answers_5xx"};
	static const char *const help[DP_ANSWER_CLASSES] = {
		"answers with a code 2.xx", "answers with a code 4.xx", "answers with a code 5.xx"};
	const struct daemon *daemon = at->daemon;
	const unsigned slot = (unsigned)(row / COUNTERS_ROUTE_ROWS);
	struct up_route_stats stats;
	uint64_t requests = workers_sum(daemon, slot, offsetof(struct dp_route_stats, requests));

	row %= COUNTERS_ROUTE_ROWS;
	if (slot == DP_ROUTE_SLOT_OTHER && !requests)
		return NULL;
	counter->label_value = daemon->route_slots.label[slot];
	if (!row) {
		counter->help = "verified requests to the route, copies not counted";
		counter->value = requests;
		return "requests";
	}
	loops_sum(daemon, slot, &stats);
	if (--row < DP_ANSWER_CLASSES) {
		counter->help = help[row];
		counter->value = stats.answers[row] +
			workers_sum(daemon, slot,
				offsetof(struct dp_route_stats, answers) + row * sizeof(uint64_t));
		return answers[row];
	}
	// Answers of builtins take no time to speak of.
	if (!at->grouped || (daemon->loop[0] && !stats.us))
		return NULL;
	return took_read(&stats, counter);
}
