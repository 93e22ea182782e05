// SPDX-License-Identifier: BSD-3-Clause
// How many cycles of the core a tick of the time-stamp counter is. The core's clock changes while
// a benchmark runs, so it is measured between what is timed, again and again.

#ifndef POSTERN_BENCH_CORE_CLOCK_H
#define POSTERN_BENCH_CORE_CLOCK_H

#include <stdint.h>
#include <stdlib.h>
#include <x86intrin.h>

#define CORE_CLOCK_SAMPLES 64

// Instructions that take one cycle each: each needs what the one before it made. Additions of a
// constant do not do, as some cores fold several into one.
#define CORE_CLOCK_TWO     "rol $7, %%rax\n\txor %%rdx, %%rax\n\t"
#define CORE_CLOCK_EIGHT   CORE_CLOCK_TWO CORE_CLOCK_TWO CORE_CLOCK_TWO CORE_CLOCK_TWO
#define CORE_CLOCK_SIXTEEN CORE_CLOCK_EIGHT CORE_CLOCK_EIGHT

// Takes so many cycles, a multiple of 16.
static inline void core_clock_spend(uint64_t cycles)
{
	uint64_t left = cycles / 16;

	__asm__ volatile("1:\n\t" CORE_CLOCK_SIXTEEN "dec %0\n\tjnz 1b"
			 : "+r"(left)
			 :
			 : "rax", "rdx", "cc");
}

struct core_clock {
	double sample[CORE_CLOCK_SAMPLES]; // cycles a tick
	unsigned count;
};

// Adds a sample of 8 us.
static inline void core_clock_sample(struct core_clock *clock)
{
	const uint64_t steps = 1 << 15;

	if (clock->count == CORE_CLOCK_SAMPLES)
		return;
	_mm_lfence();
	uint64_t start = __rdtsc();

	_mm_lfence();
	core_clock_spend(steps);
	_mm_lfence();
	clock->sample[clock->count++] = (double)steps / (__rdtsc() - start);
}

static inline int core_clock_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

// The median: what was interrupted does not count. At least one sample.
static inline double core_clock_cycles_per_tick(struct core_clock *clock)
{
	qsort(clock->sample, clock->count, sizeof(double), core_clock_compare);
	return clock->sample[clock->count / 2];
}

#endif
