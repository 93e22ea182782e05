// SPDX-License-Identifier: BSD-3-Clause
// An upstream that answers at once: what an upstream loop does on the rings, outside the clock.

#ifndef POSTERN_BENCH_PIPELINE_UPSTREAM_H
#define POSTERN_BENCH_PIPELINE_UPSTREAM_H

#include "bench/pipeline_bed.h"

// Answers each request that the first worker has pushed: code, and so many bytes of payload.
void upstream_answer(struct bed *bed, uint8_t code, uint8_t payload_len);
// Exchanges that the first worker has not taken back yet.
unsigned upstream_under_way(const struct bed *bed);

#endif
