// SPDX-License-Identifier: BSD-3-Clause
// What a loop counts of a route, in the slots of dp_route_stats: written by the loop's thread
// alone, readable by any without locks.

#ifndef POSTERN_GW_UPSTREAM_ROUTE_STATS_H
#define POSTERN_GW_UPSTREAM_ROUTE_STATS_H

#include "dataplane/shared/exchange.h"
#include "dataplane/shared/route_stats.h"
#include "gw/upstream/server_stats.h"

// What becomes of requests whose answers may be stored, and of what is stored.
enum up_cache_stat {
	UP_CACHE_STAT_hits,      // answered from what was stored by then
	UP_CACHE_STAT_misses,    // asked for, or sent on
	UP_CACHE_STAT_collapsed, // waited for an answer that was asked for already
	UP_CACHE_STAT_validated, // of what was stored: answers 304
	UP_CACHE_STAT_stale,     // answered from what was stale, as the backend failed
	UP_CACHE_STAT_evicted,   // entries that gave way to others
	UP_CACHE_STAT_entries,   // now
	UP_CACHE_STAT_bytes,     // of these
	UP_CACHE_STATS,
};

// Of the streams by which a service tells what is observed.
enum up_stream_stat {
	UP_STREAM_STAT_wanted,   // things whose observers have one, or wait for it, now
	UP_STREAM_STAT_open,     // of these, now
	UP_STREAM_STAT_failing,  // of those wanted, that do not come though asked for again, now
	UP_STREAM_STAT_events,   // that were published
	UP_STREAM_STAT_left_out, // events that could not be
	UP_STREAM_STAT_failed,   // tries that came to nothing
	UP_STREAM_STATS,
};

struct up_route_stats {
	uint64_t answers[DP_ANSWER_CLASSES]; // handed to workers that still wait
	uint64_t us;                         // from receipt to then, in all
	uint64_t took[UP_LATENCY_BUCKETS];   // the same, by up_latency_bucket()
	uint64_t cache[UP_CACHE_STATS];
	uint64_t stream[UP_STREAM_STATS];
};

// Adds the answer that is in an exchange, which is still the loop's. stats: [DP_ROUTE_SLOTS];
// tsc_per_ms: of the time-stamp counter.
void up_route_answered(
	struct up_route_stats *stats, const struct dp_shared *shared, uint64_t tsc_per_ms);
// Any thread: adds what one loop has to a sum.
void up_route_stats_sum(struct up_route_stats *sum, const struct up_route_stats *stats);

#endif
