// SPDX-License-Identifier: BSD-3-Clause
// A histogram of latencies as HdrHistogram has them: buckets whose width grows with the value, so
// that every percentile from a nanosecond to minutes is right to within 1/128, in constant space.

#ifndef POSTERN_BENCH_LOAD_HISTOGRAM_H
#define POSTERN_BENCH_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS    7  // a bucket is at most 1/2^7 of its values wide
#define HISTOGRAM_DOUBLES 32 // times that the width doubles: up to 2^(7 + 32) ns, nine minutes
#define HISTOGRAM_BUCKETS ((HISTOGRAM_DOUBLES + 1) << HISTOGRAM_BITS)

// All zero at the start.
struct histogram {
	uint64_t count;
	uint64_t min, max; // exact, meaningful if count is not 0
	double sum, squares;
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
	if (value >> HISTOGRAM_BITS == 0)
		return (unsigned)value;
	unsigned shift = 63 - HISTOGRAM_BITS - (unsigned)__builtin_clzll(value);
	unsigned bucket = ((shift + 1) << HISTOGRAM_BITS) +
		(unsigned)(value >> shift & ((1u << HISTOGRAM_BITS) - 1));
	return bucket < HISTOGRAM_BUCKETS ? bucket : HISTOGRAM_BUCKETS - 1;
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
	if (!h->count || value < h->min)
		h->min = value;
	if (value > h->max)
		h->max = value;
	h->count++;
	h->sum += (double)value;
	h->squares += (double)value * (double)value;
	h->bucket[histogram_bucket(value)]++;
}

// The least value that percent of all values do not exceed: the upper end of its bucket, at most
// max. 0 if there are none.
uint64_t histogram_percentile(const struct histogram *h, double percent);
double histogram_mean(const struct histogram *h);
double histogram_deviation(const struct histogram *h);
void histogram_merge(struct histogram *to, const struct histogram *from);

#endif
