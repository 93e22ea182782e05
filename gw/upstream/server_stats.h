// SPDX-License-Identifier: BSD-3-Clause
// Statistics of a server in a loop: written by the loop's thread alone, readable by any without
// locks.
//
// Latencies, from the start of a request to its whole answer, are counted in buckets whose bounds
// double: up to 64 us, up to 128 us, .. up to 33.6 s, and above.

#ifndef POSTERN_GW_UPSTREAM_SERVER_STATS_H
#define POSTERN_GW_UPSTREAM_SERVER_STATS_H

#include "base/unit.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_LATENCY_LEAST   6  // log2 of the first bound in microseconds
#define UP_LATENCY_BUCKETS 21 // the last one is for all above the bound before

enum up_server_stat {
#define UP_SERVER_STAT(name, unit, help) UP_SERVER_STAT_##name,
#include "gw/upstream/server_stats.def"
#undef UP_SERVER_STAT
	UP_SERVER_STAT_COUNT,
};

struct up_server_stats {
	uint64_t stat[UP_SERVER_STAT_COUNT];
	uint64_t latency[UP_LATENCY_BUCKETS];
};

const char *up_server_stat_name(enum up_server_stat stat);
const char *up_server_stat_help(enum up_server_stat stat);
enum unit up_server_stat_unit(enum up_server_stat stat);

// The bucket of a latency.
unsigned up_latency_bucket(uint64_t us);
// The bound of a bucket, in microseconds; UINT64_MAX for the last.
uint64_t up_latency_bound(unsigned bucket);

static inline void up_server_stat_add(
	struct up_server_stats *stats, enum up_server_stat stat, uint64_t n)
{
	__atomic_store_n(&stats->stat[stat], stats->stat[stat] + n, __ATOMIC_RELAXED);
}

// A whole answer came after so long.
void up_server_stats_answer(struct up_server_stats *stats, uint64_t us);
// Any thread: adds what one loop has to a sum.
void up_server_stats_sum(struct up_server_stats *sum, const struct up_server_stats *stats);
// The bound below which this share of the answers came (permille of them), in microseconds; 0
// without answers, UINT64_MAX above the last bound.
uint64_t up_latency_quantile(const struct up_server_stats *stats, unsigned permille);

#endif
