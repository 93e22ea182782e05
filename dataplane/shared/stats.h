// SPDX-License-Identifier: BSD-3-Clause
// Counters of a worker: one writer, the worker; anyone may read without telling it.

#ifndef POSTERN_DATAPLANE_SHARED_STATS_H
#define POSTERN_DATAPLANE_SHARED_STATS_H

#include "base/unit.h"

#include <stdint.h>

enum dp_stat {
#define STAT(name, unit, help) DP_STAT_##name,
#include "dataplane/shared/stats.def"
	DP_STAT_COUNT,
};

enum dp_stage {
#define STAGE(name, help) DP_STAGE_##name,
#include "dataplane/shared/stages.def"
	DP_STAGE_COUNT,
};

struct dp_stats {
	uint64_t count[DP_STAT_COUNT];
	uint64_t cycles[DP_STAGE_COUNT];  // of the time-stamp counter
	uint64_t packets[DP_STAGE_COUNT]; // that entered the stage
};

struct dp_stat_info {
	const char *name;
	const char *help;
	enum unit unit;
};

extern const struct dp_stat_info dp_stat_infos[DP_STAT_COUNT];
// Names and help of the stages; each has cycles and packets.
extern const struct dp_stat_info dp_stage_infos[DP_STAGE_COUNT];

static inline void dp_stat_add(struct dp_stats *stats, enum dp_stat stat, uint64_t n)
{
	// One writer: a plain add, stored whole so that a reader never sees half of it.
	__atomic_store_n(&stats->count[stat], stats->count[stat] + n, __ATOMIC_RELAXED);
}

// The same for a stage.
static inline void dp_stage_add(
	struct dp_stats *stats, enum dp_stage stage, uint64_t cycles, uint64_t packets)
{
	__atomic_store_n(&stats->cycles[stage], stats->cycles[stage] + cycles, __ATOMIC_RELAXED);
	__atomic_store_n(&stats->packets[stage], stats->packets[stage] + packets, __ATOMIC_RELAXED);
}

static inline uint64_t dp_stat_read(const struct dp_stats *stats, enum dp_stat stat)
{
	return __atomic_load_n(&stats->count[stat], __ATOMIC_RELAXED);
}

#endif
