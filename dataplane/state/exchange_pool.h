// SPDX-License-Identifier: BSD-3-Clause
// The worker's side of the exchange pool: the half that only the worker touches.

#ifndef POSTERN_DATAPLANE_STATE_EXCHANGE_POOL_H
#define POSTERN_DATAPLANE_STATE_EXCHANGE_POOL_H

#include "crypto/aead.h"
#include "dataplane/oscore/option.h"
#include "dataplane/oscore/protect.h"
#include "dataplane/shared/exchange.h"
#include "dataplane/shared/flow.h"
#include "dataplane/state/exchange_state.h"

#include <assert.h>

#define DP_TAG_KEPT AEAD_TAG_MAX // bytes of a request's tag kept to recognise its duplicates

// Worker half. Written by the worker only.
struct dp_exchange {
	struct dp_flow flow;
	uint64_t piv; // of the request
	uint64_t due; // tick of the deadline on the wheel
	uint32_t context;
	uint32_t context_generation;
	uint32_t next;       // in the free list, or in the context's list of requests in flight
	uint32_t prev;       // in the context's list
	uint32_t chain_next; // in a chain of struct dp_in_flight
	uint32_t wheel_next;
	uint32_t wheel_prev;
	uint32_t wheel_slot; // DP_INDEX_NONE: not on the wheel
	uint16_t mid;
	uint8_t type; // COAP_CON or COAP_NON
	uint8_t kid_len;
	uint8_t kid[OSC_KID_LEN_MAX];
	uint8_t tag_len;
	uint8_t tag[DP_TAG_KEPT];
	struct osc_opened opened; // of the request, if it was opened here
	uint8_t no_response;      // value of the No-Response option (RFC 7967)
	uint8_t state;            // enum dp_exchange_state; by dp_exchange_to()
	bool observe;             // the request is to register an observer
	bool observed;            // it did: the answer is a notification
	bool away;                // another worker received the request
	// Only where dp_exchange_is_acked():
	uint8_t copies;    // of the request that got the empty ACK again
	uint16_t own_mid;  // message id of the separate answer
	uint64_t mid_ms;   // when it was taken
	uint64_t acked_ms; // when the last empty ACK was sent
	// Only where dp_exchange_is_delivering():
	uint8_t tries;       // to send it
	uint16_t coap_len;   // UNACKED: bytes of the message, in the buffer of the response
	uint32_t timeout_ms; // from the last try to the next
	uint32_t mid_next;   // in a bucket of struct dp_unacked
	uint32_t older;      // of the context's that wait for their ACK
	uint32_t newer;
};

struct dp_exchange_pool {
	struct dp_shared_pool shared;
	struct dp_exchange *worker_half; // [shared.count]
	uint32_t free_head;              // worker
	uint32_t free_count;             // worker; others may read
};

// Makes a pool: one for each worker. count exchanges whose buffers take datagrams of up to
// data_room bytes of CoAP. NULL and errno on failure.
struct dp_exchange_pool *dp_exchange_pool_create(uint32_t count, uint16_t data_room);
// NULL is allowed. Wipes nothing: dp_exchange_give() does.
void dp_exchange_pool_free(struct dp_exchange_pool *pool);

// The worker half of an exchange.
static inline struct dp_exchange *dp_exchange_at(
	const struct dp_exchange_pool *pool, uint32_t index)
{
	return &pool->worker_half[index];
}

// The shared half of an exchange.
static inline struct dp_shared *dp_exchange_shared(
	const struct dp_exchange_pool *pool, uint32_t index)
{
	return dp_shared_at(&pool->shared, index);
}

// The only way from one state to the next.
static inline void dp_exchange_to(struct dp_exchange *x, enum dp_exchange_state state)
{
	assert(dp_exchange_may(x->state, state));
	x->state = state;
}

// Takes an exchange from the free list, to be filled: its index, or DP_INDEX_NONE.
uint32_t dp_exchange_take(struct dp_exchange_pool *pool);
// Gives it back, as its state allows: its generation rises, so that no earlier handle is valid, and
// both of its buffers are wiped.
void dp_exchange_give(struct dp_exchange_pool *pool, uint32_t index);

#endif
