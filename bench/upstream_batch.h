// SPDX-License-Identifier: BSD-3-Clause
// How many readings a second an upstream loop sends in batches.

#ifndef POSTERN_BENCH_UPSTREAM_BATCH_H
#define POSTERN_BENCH_UPSTREAM_BATCH_H

#include <stdbool.h>

struct upstream_batch {
	const char *url, *format;
	const char *more;       // keys of the upstream, or ""
	unsigned long readings; // of a round
	unsigned long rounds;
	unsigned loop_cpu; // of the loop's thread
	bool json;
};

// EAL runs. Sends readings of 64 bytes in bodies of 64 KB, from 2^17 exchanges in turn, and prints
// what came of it. The program ends if it cannot.
void upstream_batch(const struct upstream_batch *options);

#endif
