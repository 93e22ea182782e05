// SPDX-License-Identifier: BSD-3-Clause
// Answers that upstream loops hand back, and deadlines of those that come too late.

#ifndef POSTERN_DATAPLANE_WORKER_RETURNED_H
#define POSTERN_DATAPLANE_WORKER_RETURNED_H

#include "dataplane/worker/worker.h"

// Takes exchanges that came back from the upstream loops, and adds their answers to the batch: how
// many came.
unsigned dp_loop_answers(struct dp_worker *w);
// Acts on deadlines that passed: empty ACKs, retransmissions, 5.04. How many there were.
unsigned dp_deadlines(struct dp_worker *w);

#endif
