// SPDX-License-Identifier: BSD-3-Clause

#include "bench/load/histogram.h"

#include <math.h>

static uint64_t bucket_end(unsigned bucket)
{
	if (bucket >> HISTOGRAM_BITS == 0)
		return bucket;
	unsigned shift = (bucket >> HISTOGRAM_BITS) - 1;
	uint64_t first = (uint64_t)(bucket & ((1u << HISTOGRAM_BITS) - 1)) | 1u << HISTOGRAM_BITS;

	return (first << shift) + (UINT64_C(1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
	uint64_t wanted = (uint64_t)ceil((double)h->count * percent / 100), seen = 0;

	if (!h->count)
		return 0;
	if (!wanted)
		wanted = 1;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen >= wanted)
			return bucket_end(i) < h->max ? bucket_end(i) : h->max;
	}
	return h->max;
}

double histogram_mean(const struct histogram *h)
{
	return h->count ? h->sum / (double)h->count : 0;
}

double histogram_deviation(const struct histogram *h)
{
	double mean = histogram_mean(h);
	double variance = h->count ? h->squares / (double)h->count - mean * mean : 0;

	return variance > 0 ? sqrt(variance) : 0;
}

void histogram_merge(struct histogram *to, const struct histogram *from)
{
	if (!from->count)
		return;
	if (!to->count || from->min < to->min)
		to->min = from->min;
	if (from->max > to->max)
		to->max = from->max;
	to->count += from->count;
	to->sum += from->sum;
	to->squares += from->squares;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		to->bucket[i] += from->bucket[i];
}
