// SPDX-License-Identifier: BSD-3-Clause
// What ends observations, and what they have to do with the rest of a worker. Sends nothing.

#ifndef POSTERN_DATAPLANE_WORKER_OBSERVERS_H
#define POSTERN_DATAPLANE_WORKER_OBSERVERS_H

#include "dataplane/shared/representation.h"
#include "dataplane/worker/worker.h"

// The slot of an observation: which of the loops' tables, and which slot there.
static inline struct dp_rep_table *dp_observed_table(const struct dp_worker *w, uint32_t slot)
{
	return &w->reps->table[slot / w->reps->table[0].slots];
}

static inline uint32_t dp_observed_slot(const struct dp_worker *w, uint32_t slot)
{
	return slot % w->reps->table[0].slots;
}

// Removes an observation, and lets go of the slot.
void dp_observer_remove(struct dp_worker *w, uint32_t index);
// Removes all of a context.
void dp_observers_end(struct dp_worker *w, uint32_t context, uint32_t generation);
// Whether a context has any, so that it may not go to another worker.
bool dp_observers_has(const struct dp_worker *w, uint32_t context, uint32_t generation);
// A device asks for a later block of what is in a slot: the version of which it has the first block
// as an observer, if that is kept. NULL: it gets what is there now, if that may be an answer.
const struct dp_representation *dp_observer_begun(const struct dp_worker *w, uint32_t context,
	uint32_t generation, uint32_t slot, const struct dp_representation *rep);
// An ACK or RST of a notification came, perhaps (RFC 7641 sections 3.6 and 4.5). Returns the
// counter in which it ends.
enum dp_stat dp_observer_heard(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid);
// The device rejects an answer to a registration that was sent separately.
void dp_observer_rejected(struct dp_worker *w, uint32_t exchange);

#endif
