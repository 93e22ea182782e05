// SPDX-License-Identifier: BSD-3-Clause
// How long the workers remember what they answered, by how much they write to their rings now. What
// a copy of a request would need, a busy worker may have overwritten already.

#ifndef POSTERN_GW_DAEMON_ANSWERS_H
#define POSTERN_GW_DAEMON_ANSWERS_H

#include "dataplane/dp.h"

#define ANSWERS_LOOK_MS   1000        // between two looks: the rate is that of this time
#define ANSWERS_SHORT_MS  (10 * 1000) // less than this is an alarm: most devices ask again later
#define ANSWERS_ENOUGH_MS (12 * 1000) // at least this, ...
#define ANSWERS_CALM_MS   (30 * 1000) // ... for so long, ends it

// After so long no copy is answered, and what is not overwritten yet is of no use.
#define ANSWERS_KEPT_MAX_MS 262143

struct answers_watch {
	uint64_t looked_ms;               // CLOCK_MONOTONIC; 0: not yet
	uint64_t short_ms;                // when a worker last kept less than ANSWERS_ENOUGH_MS
	uint64_t written[DP_WORKERS_MAX]; // bytes, at that look
	uint32_t kept_ms[DP_WORKERS_MAX]; // at the rate of before it
	bool alarm;
};

// Takes in how many bytes each worker has written to a ring of so many. Returns whether one of them
// keeps answers for less than ANSWERS_SHORT_MS, or did lately.
bool answers_look(struct answers_watch *watch, uint64_t now_ms, uint64_t ring_bytes,
	const uint64_t *written, unsigned workers);

#endif
