// SPDX-License-Identifier: BSD-3-Clause
// The separate answers of a worker that wait for their ACK: found by message id and endpoint. When
// room is needed, the context that holds most of them gives its oldest one: each context has its
// own in order of age, and contexts are listed by how many they have. Links are in the worker
// halves of the exchanges and in the side table, so that nothing is allocated.

#ifndef POSTERN_DATAPLANE_STATE_UNACKED_H
#define POSTERN_DATAPLANE_STATE_UNACKED_H

#include "dataplane/shared/context.h"
#include "dataplane/state/exchange_pool.h"

#define DP_UNACKED_MOST 256 // more than any limit of a device

struct dp_unacked;

// For the exchanges of a pool, of contexts of a table that this worker owns, which both must
// outlive it. NULL and errno on failure.
struct dp_unacked *dp_unacked_create(
	struct dp_exchange_pool *pool, struct dp_context_table *contexts);
void dp_unacked_free(struct dp_unacked *unacked);

// By its flow and own_mid, as the newest of its context.
void dp_unacked_add(struct dp_unacked *unacked, uint32_t index);
void dp_unacked_remove(struct dp_unacked *unacked, uint32_t index);
// The one that was sent with this message id to this very endpoint, or DP_INDEX_NONE.
uint32_t dp_unacked_find(
	const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid);
// Whether there may be one that dp_unacked_find() finds: false is certain of what was added before
// the caller heard of it. Any thread may ask.
bool dp_unacked_possible(
	const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid);
// Which one gives way: the oldest of a context that holds most, or DP_INDEX_NONE if there is none.
// Contexts with DP_UNACKED_MOST and more count as equal.
uint32_t dp_unacked_victim(const struct dp_unacked *unacked);
// How many. Any thread may ask.
uint32_t dp_unacked_count(const struct dp_unacked *unacked);

#endif
