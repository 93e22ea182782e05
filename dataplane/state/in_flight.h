// SPDX-License-Identifier: BSD-3-Clause
// The requests of a worker that have an exchange: at their backend, or with a separate answer that
// waits for its ACK. A copy of one is looked for before anything is verified, so it is found by a
// keyed hash of context and Partial IV, however many requests a device has under way. Each context
// has them in a list, too, which only a removal walks.
//
// Links are in the worker halves of the exchanges, so that nothing is allocated.

#ifndef POSTERN_DATAPLANE_STATE_IN_FLIGHT_H
#define POSTERN_DATAPLANE_STATE_IN_FLIGHT_H

#include "dataplane/shared/context.h"
#include "dataplane/state/answer_index.h"
#include "dataplane/state/exchange_pool.h"

struct dp_in_flight;

// For the exchanges of a pool, of contexts of a table, which both must outlive it. NULL and errno
// on failure.
struct dp_in_flight *dp_in_flight_create(
	struct dp_exchange_pool *pool, struct dp_context_table *contexts);
void dp_in_flight_free(struct dp_in_flight *in_flight);

// By the exchange's context and Partial IV. The worker owns the context, which is live.
void dp_in_flight_add(struct dp_in_flight *in_flight, uint32_t index);
// Does nothing if the context was removed: dp_in_flight_take() took its exchanges out then.
void dp_in_flight_remove(struct dp_in_flight *in_flight, uint32_t index);
// Takes out the exchange that was added last to a live context, for one that is removed:
// DP_INDEX_NONE if there is none.
uint32_t dp_in_flight_take(struct dp_in_flight *in_flight, uint32_t context);
// The exchange of the very request that a key describes, or DP_INDEX_NONE. Looks at a bounded
// number of others, which neither a device nor a stranger can choose.
uint32_t dp_in_flight_find(const struct dp_in_flight *in_flight, const struct dp_answer_key *key);
// The tag of a request with this Partial IV, as long as its algorithm makes them, or NULL if none
// is found. Looks at no more than dp_in_flight_find().
const uint8_t *dp_in_flight_tag(
	const struct dp_in_flight *in_flight, uint32_t context, uint32_t generation, uint64_t piv);

#endif
