// SPDX-License-Identifier: BSD-3-Clause
// Exchanges of a worker: where a new request gets one, and how those of a removed device end.

#ifndef POSTERN_DATAPLANE_WORKER_EXCHANGES_H
#define POSTERN_DATAPLANE_WORKER_EXCHANGES_H

#include "dataplane/worker/worker.h"

// Takes an exchange for a new request: its index, DP_INDEX_NONE if there is none. When none is
// free, the device with most answers that wait for their ACK loses its oldest one.
uint32_t dp_exchange_obtain(struct dp_worker *w);
// Ends the delivery of a separate answer that is not acknowledged.
void dp_exchange_give_up(struct dp_worker *w, uint32_t index);
// Ends the delivery of a separate answer, and gives its exchange back.
void dp_separate_end(struct dp_worker *w, uint32_t index);
// Takes away the exchanges of a context that is removed.
void dp_context_abandon(struct dp_worker *w, uint32_t context);

#endif
