// SPDX-License-Identifier: BSD-3-Clause
// A token bucket in 4 bytes: the time at which it will be full again, in units of which 64 are a
// millisecond and which wrap around after 18 hours. All zero: full, once it was aged.

#ifndef POSTERN_DATAPLANE_SHARED_BUCKET_H
#define POSTERN_DATAPLANE_SHARED_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define DP_BUCKET_PER_MS 64
// A bucket that takes longer to fill could be mistaken for one that has been full for long.
#define DP_BUCKET_FILL_MAX_MS UINT32_C(16777216)
// Clocks of workers are less than this apart: each reads its own at the start of a turn.
#define DP_BUCKET_AHEAD (1000 * DP_BUCKET_PER_MS)

#define DP_BUCKET_AGE_BITS 12 // of seconds: each 68 minutes

static inline uint32_t dp_bucket_now(uint64_t now_ms)
{
	return (uint32_t)(now_ms * DP_BUCKET_PER_MS);
}

// How long it takes until the bucket is full. `fill` is how long an empty one takes. A time a
// little beyond that is of an empty bucket too, which a worker used whose clock is ahead; farther
// away is one that lies behind, or is left of a bucket that was larger.
static inline uint32_t dp_bucket_missing(uint32_t full_at, uint32_t now, uint32_t fill)
{
	uint32_t missing = full_at - now;

	if (missing <= fill)
		return missing;
	return missing - fill <= DP_BUCKET_AHEAD ? fill : 0;
}

// Whether a bucket that was last used then, or little later, is to be aged before it is used now.
// By a clock that is ahead it was used later than now.
static inline bool dp_bucket_is_aged(uint32_t last_s, uint32_t now_s)
{
	return last_s >> DP_BUCKET_AGE_BITS < now_s >> DP_BUCKET_AGE_BITS;
}

// What a bucket is after that much time. One that is full long since becomes full now: once the
// time has wrapped around, it would seem to be empty.
static inline uint32_t dp_bucket_age(uint32_t full_at, uint32_t now, uint32_t idle_s)
{
	bool full = idle_s >= DP_BUCKET_FILL_MAX_MS / 1000 ||
		full_at - now > DP_BUCKET_FILL_MAX_MS * DP_BUCKET_PER_MS + DP_BUCKET_AHEAD;

	return full ? now : full_at;
}

// Takes what flows in within `cost`; false, and nothing is taken, if there is not that much.
static inline bool dp_bucket_take(uint32_t *full_at, uint32_t now, uint32_t fill, uint32_t cost)
{
	uint32_t missing = dp_bucket_missing(*full_at, now, fill);

	if (cost > fill - missing)
		return false;
	*full_at = now + missing + cost;
	return true;
}

#endif
