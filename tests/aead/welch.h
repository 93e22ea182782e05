// SPDX-License-Identifier: BSD-3-Clause
// Whether the times of two classes differ, by Welch's t-test. The slowest measurements are left
// out, since a loaded machine makes outliers.

#ifndef POSTERN_TESTS_AEAD_WELCH_H
#define POSTERN_TESTS_AEAD_WELCH_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#define WELCH_KEPT    0.9 // of the measurements, the fastest
#define WELCH_T_LIMIT 10.0
#define WELCH_TRIES   3 // what really differs does so each time

struct sample {
	uint64_t ticks;
	int class;
};

static inline int sample_compare(const void *a, const void *b)
{
	const struct sample *x = a, *y = b;

	return (x->ticks > y->ticks) - (x->ticks < y->ticks);
}

// Returns |t|.
static inline double welch(struct sample *samples, unsigned count)
{
	double n[2] = {0}, mean[2] = {0}, sum[2] = {0};

	qsort(samples, count, sizeof(*samples), sample_compare);
	for (unsigned i = 0; i < count * WELCH_KEPT; i++) {
		const int c = samples[i].class;
		const double delta = samples[i].ticks - mean[c];

		n[c]++;
		mean[c] += delta / n[c];
		sum[c] += delta * (samples[i].ticks - mean[c]);
	}
	return fabs(mean[0] - mean[1]) /
		sqrt(sum[0] / (n[0] - 1) / n[0] + sum[1] / (n[1] - 1) / n[1]);
}

#endif
