// SPDX-License-Identifier: BSD-3-Clause
// A token bucket in 8 bytes, in nanoseconds: the time at which it will be full again. All zero is
// full. For what is rare, and where bucket.h's 4 bytes would have to be aged.

#ifndef POSTERN_DATAPLANE_SHARED_RATE_H
#define POSTERN_DATAPLANE_SHARED_RATE_H

#include <stdbool.h>
#include <stdint.h>

#define DP_RATE_SECOND UINT64_C(1000000000)

// So many a second, of which so many may come at once.
struct dp_rate {
	uint64_t cost; // ns
	uint64_t fill; // ns that an empty bucket takes
};

static inline struct dp_rate dp_rate_make(uint32_t per_second, uint32_t burst)
{
	const uint64_t cost = DP_RATE_SECOND / (per_second ? per_second : 1);

	return (struct dp_rate){.cost = cost, .fill = cost * burst};
}

// Takes one; false, and nothing is taken, if there is none.
static inline bool dp_rate_take(uint64_t *full_at, uint64_t now, const struct dp_rate *rate)
{
	const uint64_t from = *full_at > now ? *full_at : now;

	if (from + rate->cost > now + rate->fill)
		return false;
	*full_at = from + rate->cost;
	return true;
}

#endif
