// SPDX-License-Identifier: BSD-3-Clause
// What one device, or a stranger with its kid, takes from others.

#ifndef POSTERN_BENCH_PIPELINE_SHARES_H
#define POSTERN_BENCH_PIPELINE_SHARES_H

#include <stdbool.h>

// A stranger's forged copies for a device that has thousands of unacknowledged answers.
void copies_measure(bool json, unsigned rounds);
// A device that misbehaves beside 1 000 others.
void neighbour_measure(bool json);

#endif
