// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/route_stats.h"

#include <rte_cycles.h>

// The clocks of two CPUs may differ by a little: no time is below 0.
static uint64_t us_since(uint64_t then, uint64_t tsc_per_ms)
{
	uint64_t now = rte_rdtsc();

	return then && now > then ? (now - then) * 1000 / tsc_per_ms : 0;
}

void up_route_answered(
	struct up_route_stats *stats, const struct dp_shared *shared, uint64_t tsc_per_ms)
{
	const struct dp_request *request = &shared->request;
	struct up_route_stats *route = &stats[request->route_slot];
	const uint8_t *plaintext = (const uint8_t *)(shared + 1) + shared->data_room;
	uint64_t us = us_since(request->received_tsc, tsc_per_ms);

	if (!shared->response.len)
		return;
	dp_route_count(&route->answers[dp_answer_class(*plaintext)]);
	__atomic_store_n(&route->us, route->us + us, __ATOMIC_RELAXED);
	dp_route_count(&route->took[up_latency_bucket(us)]);
}

void up_route_stats_sum(struct up_route_stats *sum, const struct up_route_stats *stats)
{
	for (unsigned i = 0; i < DP_ANSWER_CLASSES; i++)
		sum->answers[i] += __atomic_load_n(&stats->answers[i], __ATOMIC_RELAXED);
	sum->us += __atomic_load_n(&stats->us, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		sum->took[i] += __atomic_load_n(&stats->took[i], __ATOMIC_RELAXED);
	for (unsigned i = 0; i < UP_CACHE_STATS; i++)
		sum->cache[i] += __atomic_load_n(&stats->cache[i], __ATOMIC_RELAXED);
	for (unsigned i = 0; i < UP_STREAM_STATS; i++)
		sum->stream[i] += __atomic_load_n(&stats->stream[i], __ATOMIC_RELAXED);
}
