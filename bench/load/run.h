// SPDX-License-Identifier: BSD-3-Clause
// The load itself: requests go out at a rate or as answers come in, answers are matched, a sample
// of them is opened, and all of it is counted. One thread.

#ifndef POSTERN_BENCH_LOAD_RUN_H
#define POSTERN_BENCH_LOAD_RUN_H

#include "bench/load/state.h"

// Allocates. The caller has set what state.h says.
int load_run_prepare(struct load_run *run, struct error *f) __attribute__((warn_unused_result));
// Runs to the end.
void load_run_go(struct load_run *run);
void load_run_free(struct load_run *run);

#endif
