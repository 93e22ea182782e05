// SPDX-License-Identifier: BSD-3-Clause
// What strangers without keys can cost a worker, and what the look-up of a route costs.

#ifndef POSTERN_BENCH_PIPELINE_JUNK_H
#define POSTERN_BENCH_PIPELINE_JUNK_H

#include <stdbool.h>

// The worst junk of each kind, compared to good requests.
void junk_measure(bool json, unsigned rounds);
// The look-up among 1, 100 and 4 096 routes.
void routes_measure(bool json);

#endif
