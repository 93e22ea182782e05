// SPDX-License-Identifier: BSD-3-Clause
// Counts what a thread asks of memory management: the C library's, DPDK's, and the kernel's. Linked
// into a program, or loaded before a daemon (LD_PRELOAD), it stands in front of all of them,
// whichever library calls.
//
// Loaded with ALLOCATIONS_LOG=FILE in the environment, each call of a worker's thread is a line of
// that file. With ALLOCATIONS_PLANTED set, workers allocate on purpose.

#ifndef POSTERN_TESTS_STRESS_ALLOCATIONS_H
#define POSTERN_TESTS_STRESS_ALLOCATIONS_H

#include <stdbool.h>
#include <stdint.h>

// Calls of this thread up to now.
uint64_t allocations(void);
// From now on every sodium_memzero(), which a worker calls for each plaintext, allocates.
void allocations_plant(bool planted);

#endif
