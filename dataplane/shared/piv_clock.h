// SPDX-License-Identifier: BSD-3-Clause
// The clock that own Partial IVs of some devices come from (own_piv: clock), and which of its
// seconds may be used.
//
// A clock can be set back. So no context begins at or below a second that any context of this
// process used, or that an earlier process may have used; and no second is used before it is
// durable that it may be. All seconds here count from DP_CLOCK_EPOCH_S.

#ifndef POSTERN_DATAPLANE_SHARED_PIV_CLOCK_H
#define POSTERN_DATAPLANE_SHARED_PIV_CLOCK_H

#include "dataplane/oscore/own_piv.h"

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#define DP_CLOCK_EPOCH_S OSC_CLOCK_EPOCH_S
#define DP_CLOCK_BITS    OSC_CLOCK_BITS
#define DP_CLOCK_MAX     ((INT64_C(1) << OSC_CLOCK_S_BITS) - 1)

struct dp_clock {
	int64_t (*read)(void); // Unix time in seconds; constant. NULL: CLOCK_REALTIME
	int64_t least;         // earlier processes used no second from here on; constant
	int64_t used;          // highest second that was used, -1: none; workers raise it, atomic
	int64_t limit;         // highest second that may be used; main raises it, atomic
};

// The present second; negative before the epoch.
static inline int64_t dp_clock_now(const struct dp_clock *clock)
{
	struct timespec now;

	if (clock->read)
		return clock->read() - DP_CLOCK_EPOCH_S;
	// By the vDSO, so no system call. Not time(), which is some milliseconds late.
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec - DP_CLOCK_EPOCH_S;
}

// Whether the second is one that an own Partial IV can be made of, and is durable.
static inline bool dp_clock_usable(const struct dp_clock *clock, int64_t second)
{
	return second >= 0 && second <= DP_CLOCK_MAX &&
		second <= __atomic_load_n(&clock->limit, __ATOMIC_ACQUIRE);
}

// A worker is about to use a second. It writes once a second at most, and else only reads.
static inline void dp_clock_use(struct dp_clock *clock, int64_t second)
{
	int64_t used = __atomic_load_n(&clock->used, __ATOMIC_RELAXED);

	while (used < second &&
		!__atomic_compare_exchange_n(
			&clock->used, &used, second, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
		;
}

// For main: seconds from now on that are durable; 0 or less: none.
static inline int64_t dp_clock_left(const struct dp_clock *clock)
{
	return __atomic_load_n(&clock->limit, __ATOMIC_RELAXED) - dp_clock_now(clock);
}

// For main: seconds by which the clock is behind one that was used; 0 or less: it is not.
static inline int64_t dp_clock_behind(const struct dp_clock *clock)
{
	int64_t used = __atomic_load_n(&clock->used, __ATOMIC_RELAXED);

	return (used > clock->least ? used : clock->least) - dp_clock_now(clock);
}

// The second in which a context begins that is made now. Keys that were never used begin at once.
// Others may have been used in this very second, or in any that this process or an earlier one
// used.
static inline int64_t dp_clock_begin(const struct dp_clock *clock, bool never_used)
{
	int64_t begin = dp_clock_now(clock);

	if (!never_used) {
		int64_t used = __atomic_load_n(&clock->used, __ATOMIC_RELAXED);

		begin = (begin > used ? begin : used) + 1;
		if (begin < clock->least)
			begin = clock->least;
	}
	return begin < 0 ? 0 : begin;
}

#endif
