// SPDX-License-Identifier: BSD-3-Clause
// The separate answers of a worker that wait for their ACK: found by message id and endpoint, and
// listed by age. Links are in the worker halves of the exchanges, so that nothing is allocated.

#ifndef POSTERN_DATAPLANE_UNACKED_H
#define POSTERN_DATAPLANE_UNACKED_H

#include "dataplane/exchange_pool.h"

struct dp_unacked;

// For the exchanges of a pool, which must outlive it. NULL and errno on failure.
struct dp_unacked *dp_unacked_create(struct dp_exchange_pool *pool);
void dp_unacked_free(struct dp_unacked *unacked);

// By its flow and own_mid, as the newest.
void dp_unacked_add(struct dp_unacked *unacked, uint32_t index);
void dp_unacked_remove(struct dp_unacked *unacked, uint32_t index);
// The one that was sent with this message id to this very endpoint, or DP_INDEX_NONE.
uint32_t dp_unacked_find(
	const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid);
// DP_INDEX_NONE if there is none.
uint32_t dp_unacked_oldest(const struct dp_unacked *unacked);
// How many. Any thread may ask.
uint32_t dp_unacked_count(const struct dp_unacked *unacked);

#endif
