// SPDX-License-Identifier: BSD-3-Clause
// An exchange: one request in flight between a worker and an upstream loop.
//
// Each worker has a pool of them. An exchange has a worker half (state/exchange_pool.h), which only
// the worker touches, and a shared half (struct dp_shared), which changes hands over the rings: the
// worker fills the request and pushes a handle to the upstream loop; the loop fills the response
// and pushes the handle back. Between the two pushes the shared half is the loop's, but for
// `abandoned`. A handle on a ring is an index and a generation, never a pointer.

#ifndef POSTERN_DATAPLANE_SHARED_EXCHANGE_H
#define POSTERN_DATAPLANE_SHARED_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DP_INDEX_NONE UINT32_MAX

// What crosses a ring: index in the low 32 bits, generation in the high ones.
typedef uint64_t dp_handle;

static inline dp_handle dp_handle_make(uint32_t index, uint32_t generation)
{
	return (uint64_t)generation << 32 | index;
}

static inline uint32_t dp_handle_index(dp_handle handle)
{
	return (uint32_t)handle;
}

static inline uint32_t dp_handle_generation(dp_handle handle)
{
	return handle >> 32;
}

#define DP_FAMILY_NONE 0 // no device sent it: the loop asks in the name of one

// The request as the worker verified it. Written by the worker before it pushes the handle.
struct dp_request {
	uint64_t piv;          // of the request; with fingerprint a name for it for the key's life
	uint64_t fingerprint;  // keyed hash over the context with its ID Context
	uint64_t received_ms;  // CLOCK_MONOTONIC
	uint64_t received_tsc; // the same in cycles of the time-stamp counter
	uint64_t deadline_ms;  // CLOCK_MONOTONIC; the worker answers 5.04 then by itself
	uint32_t context;      // index in the context table, for the registry of names
	uint32_t context_generation;
	uint16_t route;        // index in dp_policy.routes
	uint16_t route_slot;   // of dp_route_stats
	uint16_t snapshot;     // number of that policy
	uint16_t permit;       // of the device, see dp_permit_find()
	uint16_t response_max; // largest response plaintext in bytes that the device takes in one
			       // datagram
	uint16_t payload_max;  // largest payload in it
	uint16_t remote_port;  // host order
	uint16_t token_len;    // bytes of the token, in front of the plaintext
	uint16_t body_len;     // bytes of encoded options, marker and payload behind the inner code
	uint8_t code;          // inner code, a method
	uint8_t family;        // 4, 6, or DP_FAMILY_NONE
	uint8_t remote_addr[16]; // IPv4 in the first 4 bytes
	bool traced;             // the loop leaves a struct dp_trace_upstream, see look.h
	bool stale; // the route asks for freshness, which it has not shown: it may get what is
		    // there, and nothing is performed for it
	bool pass;  // not verified: code, options and payload are those of the protected message,
		    // and route is the number of a dp_pass, see passthrough.h
	uint32_t echo_age; // of the Echo that it brought, seconds + 1; 0: it brought none
};

// The answer, an OSCORE plaintext: code, class E options, payload; to a request with `pass` the
// code, options and payload of the message that is sent. Written by the upstream loop before it
// pushes the handle back. 4.01 with an empty Echo option stands for one with a value,
// which the worker puts in.
struct dp_response {
	uint16_t len; // bytes of the plaintext, at least 1, at most the request's response_max
	bool told;    // of a traced request: a struct dp_trace_upstream is where its body was
};

// The shared half. Two buffers stand behind it: one for the token and the request's body, one for
// the response's plaintext. A separate answer keeps its bytes, once they are sealed, in the second.
struct dp_shared {
	uint32_t index;      // of the exchange in its pool; constant
	uint32_t generation; // as in the handle; worker writes while it holds the exchange
	uint32_t abandoned;  // worker: sets; upstream: may read and give up early; atomic
	uint16_t data_room;  // bytes of each of the two buffers behind; constant
	struct dp_request request;
	struct dp_response response;
};

// The shared halves of one worker's exchanges. Constant once made.
struct dp_shared_pool {
	uint8_t *shared_half; // [count], stride bytes each
	size_t stride;
	uint32_t count;
	uint16_t data_room; // bytes of each buffer: datagrams of up to so many bytes of CoAP fit
};

// Makes count shared halves, each generation 0. Returns 0 or -ENOMEM.
int dp_shared_pool_init(struct dp_shared_pool *pool, uint32_t count, uint16_t data_room)
	__attribute__((warn_unused_result));
// One that is all zeros is allowed. Wipes nothing.
void dp_shared_pool_fini(struct dp_shared_pool *pool);

static inline struct dp_shared *dp_shared_at(const struct dp_shared_pool *pool, uint32_t index)
{
	return (struct dp_shared *)(pool->shared_half + (size_t)index * pool->stride);
}

// The shared half that a handle names, or NULL if the handle is stale.
struct dp_shared *dp_shared_get(const struct dp_shared_pool *pool, dp_handle handle);
// Worker: makes the handle that came back stale, so that no other copy of it is taken.
void dp_shared_close(struct dp_shared *shared);
// Worker: wipes the body of the request, but not its token.
void dp_shared_wipe_request(struct dp_shared *shared);

// Token and request body, data_room bytes.
static inline uint8_t *dp_shared_request_buf(struct dp_shared *shared)
{
	return (uint8_t *)(shared + 1);
}

// The request's encoded options and payload: request.body_len bytes, to parse with
// coap_body_parse().
static inline const uint8_t *dp_shared_body(const struct dp_shared *shared)
{
	return (const uint8_t *)(shared + 1) + shared->request.token_len;
}

// Where the response plaintext goes: request.response_max bytes.
static inline uint8_t *dp_shared_response(struct dp_shared *shared)
{
	return (uint8_t *)(shared + 1) + shared->data_room;
}

#endif
