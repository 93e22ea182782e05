// SPDX-License-Identifier: BSD-3-Clause
// What the worker answers from the cache.

#ifndef POSTERN_BENCH_PIPELINE_CACHED_H
#define POSTERN_BENCH_PIPELINE_CACHED_H

#include <stdbool.h>

// GET of one representation of 32 bytes by 1 000 devices, beside POST of as many to builtin:echo.
void cached_measure(bool json, unsigned rounds);

#endif
