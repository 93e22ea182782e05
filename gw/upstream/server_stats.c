// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/server_stats.h"

static const struct {
	const char *name, *help;
	enum unit unit;
} rows[UP_SERVER_STAT_COUNT] = {
#define UP_SERVER_STAT(name, unit, help) [UP_SERVER_STAT_##name] = {#name, help, UNIT_##unit},
#include "gw/upstream/server_stats.def"
#undef UP_SERVER_STAT
};

const char *up_server_stat_name(enum up_server_stat stat)
{
	return rows[stat].name;
}

const char *up_server_stat_help(enum up_server_stat stat)
{
	return rows[stat].help;
}

enum unit up_server_stat_unit(enum up_server_stat stat)
{
	return rows[stat].unit;
}

unsigned up_latency_bucket(uint64_t us)
{
	unsigned bits = us > 1 ? 64 - (unsigned)__builtin_clzll(us - 1) : 0; // log2, rounded up

	if (bits <= UP_LATENCY_LEAST)
		return 0;
	return bits - UP_LATENCY_LEAST < UP_LATENCY_BUCKETS ? bits - UP_LATENCY_LEAST
							    : UP_LATENCY_BUCKETS - 1;
}

uint64_t up_latency_bound(unsigned bucket)
{
	return bucket < UP_LATENCY_BUCKETS - 1 ? UINT64_C(1) << (UP_LATENCY_LEAST + bucket)
					       : UINT64_MAX;
}

void up_server_stats_answer(struct up_server_stats *stats, uint64_t us)
{
	uint64_t *count = &stats->latency[up_latency_bucket(us)];

	up_server_stat_add(stats, UP_SERVER_STAT_answers, 1);
	up_server_stat_add(stats, UP_SERVER_STAT_latency_us, us);
	__atomic_store_n(count, *count + 1, __ATOMIC_RELAXED);
}

void up_server_stats_sum(struct up_server_stats *sum, const struct up_server_stats *stats)
{
	for (unsigned i = 0; i < UP_SERVER_STAT_COUNT; i++)
		sum->stat[i] += __atomic_load_n(&stats->stat[i], __ATOMIC_RELAXED);
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		sum->latency[i] += __atomic_load_n(&stats->latency[i], __ATOMIC_RELAXED);
}

uint64_t up_latency_quantile(const struct up_server_stats *stats, unsigned permille)
{
	uint64_t all = 0, below = 0;
	unsigned i = 0;

	for (unsigned k = 0; k < UP_LATENCY_BUCKETS; k++)
		all += stats->latency[k];
	if (!all)
		return 0;
	for (; i < UP_LATENCY_BUCKETS - 1; i++) {
		below += stats->latency[i];
		if (below * 1000 >= all * permille)
			break;
	}
	return up_latency_bound(i);
}
