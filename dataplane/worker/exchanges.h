// SPDX-License-Identifier: BSD-3-Clause
// Exchanges of a worker: where a new request gets one, and how each ends. For their states see
// dataplane/state/exchange_state.h.

#ifndef POSTERN_DATAPLANE_WORKER_EXCHANGES_H
#define POSTERN_DATAPLANE_WORKER_EXCHANGES_H

#include "dataplane/worker/worker.h"

// Takes an exchange for a new request: its index, DP_INDEX_NONE if there is none. When none is
// free, the device with most answers that wait for their ACK loses its oldest one.
uint32_t dp_exchange_obtain(struct dp_worker *w);
// Takes an exchange off all lists, and gives it back. The only place where a worker does that.
void dp_exchange_end(struct dp_worker *w, uint32_t index);
// The same for a separate answer that is not acknowledged, counted.
void dp_exchange_give_up(struct dp_worker *w, uint32_t index);
// Leaves an exchange to the upstream loop that holds it, and flags it, so that the loop may give up
// early. state: DP_EXCHANGE_ABANDONED or DP_EXCHANGE_ABANDONED_ACKED.
void dp_exchange_abandon(struct dp_worker *w, uint32_t index, enum dp_exchange_state state);
// Accepts nothing of a context any more; see DP_CONTEXT_DRAINING. Main hears when the last of its
// exchanges has ended.
void dp_context_drain_begin(struct dp_worker *w, uint32_t context);
// Takes away the exchanges of a context that is removed, and still live. Those that a loop holds
// come back with their handles.
void dp_context_abandon(struct dp_worker *w, uint32_t context);

#endif
