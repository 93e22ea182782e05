// SPDX-License-Identifier: BSD-3-Clause
// A postern-backend beside a benchmark, which ends with it.

#ifndef POSTERN_BENCH_UPSTREAM_BACKEND_H
#define POSTERN_BENCH_UPSTREAM_BACKEND_H

#include <stdbool.h>
#include <stddef.h>

// Starts the postern-backend that stands beside this program, with --discard if asked to, on
// a port of 127.0.0.1, and on that CPU if it is not negative. Writes its URL to url and waits until
// it listens. The program ends if it cannot.
void upstream_backend_start(int cpu, bool discard, char *url, size_t room);

#endif
