// SPDX-License-Identifier: BSD-3-Clause
// Time, clock rate and memory for bench/aead.

#ifndef POSTERN_BENCH_AEAD_MEASURE_H
#define POSTERN_BENCH_AEAD_MEASURE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE (2ul << 20)

// CPU time of this process in ns: what other processes take does not count.
static inline double cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

// Core cycles a ns, by a chain of additions that takes one cycle each. The time-stamp counter is
// not the core's clock.
static inline double core_ghz(void)
{
	const uint64_t steps = 1 << 20;
	uint64_t left = steps / 16;
	double start = cpu_ns();

#define ONE  "lea 1(%%rax), %%rax\n\t"
#define FOUR ONE ONE ONE ONE
	__asm__ volatile("1:\n\t" FOUR FOUR FOUR FOUR "dec %0\n\tjnz 1b"
			 : "+r"(left)
			 :
			 : "rax", "cc");
#undef ONE
#undef FOUR
	return steps / (cpu_ns() - start);
}

// Zeroed memory on 2 MB pages where the kernel gives them. Never freed but by huge_free().
static inline void *huge_alloc(size_t len)
{
	size_t room = (len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
	uint8_t *map = mmap(
		NULL, room + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *start;

	if (map == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	// Give back what is before and behind the aligned part.
	start = (uint8_t *)(((uintptr_t)map + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	if (start > map)
		munmap(map, start - map);
	if (start < map + HUGE_PAGE)
		munmap(start + room, map + HUGE_PAGE - start);
	madvise(start, room, MADV_HUGEPAGE);
	for (size_t i = 0; i < room; i += 4096)
		start[i] = 0;
	return start;
}

static inline void huge_free(void *start, size_t len)
{
	munmap(start, (len + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
}

// Test data that is the same in every run.
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline void random_fill(uint64_t *state, void *data, size_t len)
{
	uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		bytes[i] = random_next(state) >> 32;
}

#endif
