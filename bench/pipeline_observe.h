// SPDX-License-Identifier: BSD-3-Clause
// What a change costs a worker whose devices observe it.

#ifndef POSTERN_BENCH_PIPELINE_OBSERVE_H
#define POSTERN_BENCH_PIPELINE_OBSERVE_H

#include <stdbool.h>

// One change of a representation of 32 bytes, told to 10^5 and to 10^6 observers, one a device; the
// time that the worker takes for all of them, and the longest turns.
void observe_measure(bool json, unsigned rounds, bool quick);

#endif
