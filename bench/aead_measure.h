// SPDX-License-Identifier: BSD-3-Clause
// Time, clock rate and memory for bench/aead.

#ifndef POSTERN_BENCH_AEAD_MEASURE_H
#define POSTERN_BENCH_AEAD_MEASURE_H

#include "bench/core_clock.h"

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

// Core cycles a ns. The time-stamp counter is not the core's clock.
static inline double core_ghz(void)
{
	const uint64_t steps = 1 << 20;
	double start = cpu_ns();

	core_clock_spend(steps);
	return steps / (cpu_ns() - start);
}

// AES instructions that the core issues in a cycle: twelve chains, so that none waits for another.
// bits is 128, 256 or 512; the caller knows that the CPU has them.
static inline double aes_per_cycle(unsigned bits)
{
	const uint64_t steps = 1 << 18;
	uint64_t left = steps / 12;
	double start;

#define WIDE(reg, n) "vaesenc %%" reg "12, %%" reg #n ", %%" reg #n "\n\t"
#define NARROW(n)    "aesenc %%xmm12, %%xmm" #n "\n\t"
#define YMM(n)       WIDE("ymm", n)
#define ZMM(n)       WIDE("zmm", n)
#define TWELVE(one) \
	one(0) one(1) one(2) one(3) one(4) one(5) one(6) one(7) one(8) one(9) one(10) one(11)
#define LOOP(one, end)                                                                           \
	__asm__ volatile("1:\n\t" TWELVE(one) "dec %0\n\tjnz 1b\n\t" end                         \
			 : "+r"(left)                                                            \
			 :                                                                       \
			 : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", \
			 "xmm8", "xmm9", "xmm10", "xmm11", "xmm12")
	start = cpu_ns();
	if (bits == 512)
		LOOP(ZMM, "vzeroupper");
	else if (bits == 256)
		LOOP(YMM, "vzeroupper");
	else
		LOOP(NARROW, "");
	return steps / ((cpu_ns() - start) * core_ghz());
#undef LOOP
#undef TWELVE
#undef ZMM
#undef YMM
#undef NARROW
#undef WIDE
}

static inline int double_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

#define MEDIAN_TRIES 9
static inline double median_of(double (*measure)(unsigned), unsigned argument)
{
	double tries[MEDIAN_TRIES];

	for (unsigned i = 0; i < MEDIAN_TRIES; i++)
		tries[i] = measure(argument);
	qsort(tries, MEDIAN_TRIES, sizeof(*tries), double_compare);
	return tries[MEDIAN_TRIES / 2];
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

// The contexts of messages, as often each, in an order that no prefetcher guesses.
static inline uint32_t *order_create(unsigned count, size_t messages, uint64_t *seed)
{
	uint32_t *order = malloc(messages * sizeof(*order));

	if (!order)
		abort();
	for (size_t i = 0; i < messages; i++)
		order[i] = i % count;
	for (size_t i = messages - 1; i > 0; i--) {
		size_t k = random_next(seed) % (i + 1);
		uint32_t swapped = order[i];

		order[i] = order[k];
		order[k] = swapped;
	}
	return order;
}

#endif
