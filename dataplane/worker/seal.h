// SPDX-License-Identifier: BSD-3-Clause
// Stages 15 to 17: the answers of a batch are sealed, encoded, recorded for duplicates, and queued
// for tx.

#ifndef POSTERN_DATAPLANE_WORKER_SEAL_H
#define POSTERN_DATAPLANE_WORKER_SEAL_H

#include "dataplane/worker/worker.h"

// Seals, encodes and queues all answers of the batch, which is empty then.
void dp_answers_flush(struct dp_worker *w);

#endif
