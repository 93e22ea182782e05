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

// What is stored of a route, and what became of its requests by that. NULL: it never had a cache.
static const char *cache_read(const struct daemon *daemon, unsigned slot, size_t row,
	const struct up_route_stats *stats, struct counter *counter)
{
	static const struct {
		const char *name, *help;
		bool is_gauge;
	} rows[COUNTERS_ROUTE_CACHE] = {
		[UP_CACHE_STAT_hits] = {"cache_hits", "requests answered from what is stored"},
		[UP_CACHE_STAT_misses] = {"cache_misses",
			"requests for which nothing fresh was stored, and a server was asked"},
		[UP_CACHE_STAT_collapsed] = {"cache_collapsed",
			"requests that waited for an answer that another one had asked for"},
		[UP_CACHE_STAT_validated] = {"cache_validated",
			"times that a server said that what is stored is valid (304)"},
		[UP_CACHE_STAT_stale] = {"cache_stale",
			"times that what is stale was served since the servers failed"},
		[UP_CACHE_STAT_evicted] = {"cache_evicted", "entries that gave way to others"},
		[UP_CACHE_STAT_entries] = {"cache_entries", "answers that are stored now", true},
		[UP_CACHE_STAT_bytes] = {"cache_bytes", "bytes of these", true},
	};
	uint64_t hits = workers_sum(daemon, slot, offsetof(struct dp_route_stats, cache_hits));
	uint64_t some = hits;

	for (unsigned i = 0; i < UP_CACHE_STATS; i++)
		some |= stats->cache[i];
	if (!some && daemon->loop[0])
		return NULL;
	counter->help = rows[row].help;
	counter->is_gauge = rows[row].is_gauge;
	counter->unit = row == UP_CACHE_STAT_bytes ? UNIT_BYTES : UNIT_COUNT;
	counter->value = stats->cache[row] + (row == UP_CACHE_STAT_hits ? hits : 0);
	return rows[row].name;
}

// The streams of a route. NULL: it never had any.
static const char *stream_read(const struct daemon *daemon, size_t row,
	const struct up_route_stats *stats, struct counter *counter)
{
	static const struct {
		const char *name, *help;
		bool is_gauge;
	} rows[COUNTERS_ROUTE_STREAM] = {
		[UP_STREAM_STAT_wanted] = {"streams_wanted",
			"things that are observed and have a stream of events or wait for it now",
			true},
		[UP_STREAM_STAT_open] = {"streams_open", "streams of these that stand now", true},
		[UP_STREAM_STAT_failing] = {"streams_failing",
			"streams that were asked for three times or more and do not come now",
			true},
		[UP_STREAM_STAT_events] = {"stream_events",
			"events of streams that were taken over"},
		[UP_STREAM_STAT_left_out] = {"stream_left_out",
			"events of streams that could not be taken over"},
		[UP_STREAM_STAT_failed] = {"stream_failed",
			"times that a stream was asked for and did not come, or ended at once"},
	};
	uint64_t some = 0;

	for (unsigned i = 0; i < UP_STREAM_STATS; i++)
		some |= stats->stream[i];
	if (!some && daemon->loop[0])
		return NULL;
	counter->help = rows[row].help;
	counter->is_gauge = rows[row].is_gauge;
	counter->unit = UNIT_COUNT;
	counter->value = stats->stream[row];
	return rows[row].name;
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
	row -= DP_ANSWER_CLASSES;
	if (row < COUNTERS_ROUTE_CACHE)
		return cache_read(daemon, slot, row, &stats, counter);
	row -= COUNTERS_ROUTE_CACHE;
	if (row < COUNTERS_ROUTE_STREAM)
		return stream_read(daemon, row, &stats, counter);
	// Answers of builtins take no time to speak of.
	if (!at->grouped || (daemon->loop[0] && !stats.us))
		return NULL;
	return took_read(&stats, counter);
}
