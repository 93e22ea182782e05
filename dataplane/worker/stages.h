// SPDX-License-Identifier: BSD-3-Clause
// The stages of a burst behind rx and classify, as one table (see docs/pipeline.md). A new stage is
// a function over a struct pkt_vec and a row there.

#ifndef POSTERN_DATAPLANE_WORKER_STAGES_H
#define POSTERN_DATAPLANE_WORKER_STAGES_H

#include "dataplane/worker/worker.h"

// Passes a burst through the stages, until one keeps no packet: from an outer message to an answer
// in the batch or an exchange with an upstream loop. handed: another worker has received and opened
// the packets, so the stages that it did are left out.
void dp_stages_run(struct dp_worker *w, struct pkt_vec *vec, bool handed);

#endif
