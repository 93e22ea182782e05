// SPDX-License-Identifier: BSD-3-Clause
// The gateway's threads but main and the workers: the store's, the HTTP loop's, and whatever else
// it makes. Each runs on a stack of its own until it waits for a descriptor, and goes on when the
// schedule says so. What main waits for, it waits for while these run.

#ifndef POSTERN_TESTS_SIM_THREADS_H
#define POSTERN_TESTS_SIM_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_THREADS_MAX 8

// So many places there are; one of them may have no thread.
bool sim_thread_ready(unsigned thread);
// Lets a thread that is ready run until it waits.
void sim_thread_run(unsigned thread);
const char *sim_thread_name(unsigned thread);
// When a thread that waits goes on without a descriptor, CLOCK_MONOTONIC; UINT64_MAX: never.
uint64_t sim_threads_next_ms(void);
// Threads that have not ended.
unsigned sim_threads_count(void);
// What happens while main waits: something that brings it on.
extern void (*sim_threads_idle)(void);

#endif
