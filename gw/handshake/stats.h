// SPDX-License-Identifier: BSD-3-Clause
// Counters of a thread of handshakes: written by it alone, readable by any without locks.

#ifndef POSTERN_GW_HANDSHAKE_STATS_H
#define POSTERN_GW_HANDSHAKE_STATS_H

#include <stdint.h>

enum handshake_stat {
#define HANDSHAKE_STAT(name, help) HANDSHAKE_STAT_##name,
#include "gw/handshake/stats.def"
#undef HANDSHAKE_STAT
	HANDSHAKE_STAT_COUNT,
};

struct handshake_stats {
	uint64_t count[HANDSHAKE_STAT_COUNT]; // atomic
};

const char *handshake_stat_name(enum handshake_stat stat);
const char *handshake_stat_help(enum handshake_stat stat);

static inline void handshake_count(struct handshake_stats *stats, enum handshake_stat stat)
{
	__atomic_store_n(&stats->count[stat], stats->count[stat] + 1, __ATOMIC_RELAXED);
}

static inline uint64_t handshake_stat_read(
	const struct handshake_stats *stats, enum handshake_stat stat)
{
	return __atomic_load_n(&stats->count[stat], __ATOMIC_RELAXED);
}

#endif
