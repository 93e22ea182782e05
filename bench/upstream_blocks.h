// SPDX-License-Identifier: BSD-3-Clause
// How many blocks a second an upstream loop serves from kept bodies, and puts together.

#ifndef POSTERN_BENCH_UPSTREAM_BLOCKS_H
#define POSTERN_BENCH_UPSTREAM_BLOCKS_H

#include <stdbool.h>

struct upstream_blocks {
	const char *url;        // of a postern-backend
	const char *more;       // keys of the upstream, or ""
	unsigned long requests; // of a round: blocks
	unsigned long rounds;
	unsigned loop_cpu; // of the loop's thread
	bool json;
};

// EAL runs. 1 000 devices ask for blocks of 1 KB of bodies of 128 KB, and send such, in turn;
// prints what came of it, a row for each way. The program ends if it cannot.
void upstream_blocks(const struct upstream_blocks *options);

#endif
