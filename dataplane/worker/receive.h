// SPDX-License-Identifier: BSD-3-Clause
// Stages 3 to 10 of a burst: from outer messages to committed plaintexts.

#ifndef POSTERN_DATAPLANE_WORKER_RECEIVE_H
#define POSTERN_DATAPLANE_WORKER_RECEIVE_H

#include "dataplane/worker/worker.h"

// Stages 3 to 10 for classified packets.
void dp_receive(struct dp_worker *w, struct pkt_vec *vec);
// Stages 8 and 10 for packets that another worker opened.
void dp_receive_handed(struct dp_worker *w, struct pkt_vec *vec);

#endif
