// SPDX-License-Identifier: BSD-3-Clause
// A worker's loop: rings, rx, the stages, timers, tx, and sleep when there is nothing to do.

#ifndef POSTERN_DATAPLANE_WORKER_TURN_H
#define POSTERN_DATAPLANE_WORKER_TURN_H

#include "dataplane/worker/worker.h"

// Starts the clocks and counters of the loop; dp_worker_run() does it by itself.
void dp_worker_begin(struct dp_worker *w);
// Sets the clock of the loop to the kernel's again: the TSC alone would run away from it.
void dp_worker_set_clock(struct dp_worker *w);
// How long an idle worker naps, in nanoseconds, after a nap of that length (0: none yet) and so
// much time without work.
uint32_t dp_nap_ns(uint32_t last_ns, uint64_t silent_ms);
// One turn of the loop: everything from the rings to tx. Returns how much work it found.
unsigned dp_worker_turn(struct dp_worker *w);
// The loop, as an lcore function.
int dp_worker_run(void *worker);

#endif
