// SPDX-License-Identifier: BSD-3-Clause
// What a worker reports to main, through its ring of events.

#ifndef POSTERN_DATAPLANE_WORKER_EVENT_H
#define POSTERN_DATAPLANE_WORKER_EVENT_H

#include "dataplane/worker/worker.h"

// Reports an event to main. false, counted: its ring is full.
bool dp_event_send(struct dp_worker *w, enum dp_event_type type, uint32_t context,
	uint32_t generation, uint64_t arg);
// Changes the visible state of a context, and reports the change.
void dp_context_state_set(
	struct dp_worker *w, uint32_t index, struct dp_context *ctx, enum dp_context_state state);

#endif
