// SPDX-License-Identifier: BSD-3-Clause
// CLOCK_MONOTONIC, in which all deadlines are counted: setting the time of day does not move it.
// For Partial IVs made from the time of day see dataplane/shared/piv_clock.h.

#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

// Now, in nanoseconds since an arbitrary start. The vDSO answers, so it is no system call.
static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

// The same in milliseconds.
static inline uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

#endif
