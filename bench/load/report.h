// SPDX-License-Identifier: BSD-3-Clause
// What a run has shown, for people and for programs.

#ifndef POSTERN_BENCH_LOAD_REPORT_H
#define POSTERN_BENCH_LOAD_REPORT_H

#include "bench/load/args.h"
#include "bench/load/state.h"

#include <stdio.h>

void report_text(FILE *out, const struct load_args *args, const struct load_run *run);
// One JSON object and a newline. Returns 0 or -EIO.
int report_json(FILE *out, const struct load_args *args, const struct load_run *run)
	__attribute__((warn_unused_result));

// A line while it runs: since the last call, which was `seconds` ago.
struct progress {
	uint64_t sent, answered;
	bool shown; // the line is to be ended
};
void report_progress(FILE *out, struct progress *progress, const struct load_run *run,
	double seconds, double elapsed);
void report_progress_end(FILE *out, const struct progress *progress);

#endif
