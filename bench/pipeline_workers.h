// SPDX-License-Identifier: BSD-3-Clause
// Two workers of one data plane: at once on two CPUs, and one that hands packets to the other.

#ifndef POSTERN_BENCH_PIPELINE_WORKERS_H
#define POSTERN_BENCH_PIPELINE_WORKERS_H

#include <stdbool.h>

// Each worker has half of the devices: both at once on their CPUs, and each alone. After
// bed_start(true).
void workers_measure(unsigned device_count, unsigned rounds, bool json);
// Packets of contexts that the second worker owns, which arrive there ("local") or at the first one
// ("handed"): what both workers together spend on each. They take turns on one CPU.
void handed_measure(unsigned device_count, unsigned rounds, bool json);

#endif
