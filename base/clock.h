// SPDX-License-Identifier: BSD-3-Clause
// The time that deadlines are counted in: CLOCK_MONOTONIC, which nobody can set.

#ifndef POSTERN_BASE_CLOCK_H
#define POSTERN_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

// Nanoseconds. By the vDSO, so no system call.
static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

// Milliseconds.
static inline uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

#endif
