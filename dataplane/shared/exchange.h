// SPDX-License-Identifier: BSD-3-Clause
// An exchange: one request in flight between a worker and an upstream loop.
//
// Each worker has a pool of them. An exchange has a worker half (struct dp_exchange), which only
// the worker touches, and a shared half (struct dp_shared), which changes hands over the rings:
// the worker fills the request and pushes a handle to the upstream loop; the loop fills the
// response and pushes the handle back. Between the two pushes the shared half is the loop's, but
// for `abandoned`. A handle on a ring is an index and a generation, never a pointer.

#ifndef POSTERN_DATAPLANE_SHARED_EXCHANGE_H
#define POSTERN_DATAPLANE_SHARED_EXCHANGE_H

#include <stdbool.h>
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

// The request as the worker verified it. Written by the worker before it pushes the handle.
struct dp_request {
	uint64_t piv;         // of the request; with fingerprint a name for it for the key's life
	uint64_t fingerprint; // keyed hash over the context with its ID Context
	uint64_t received_ms; // CLOCK_MONOTONIC
	uint64_t deadline_ms; // CLOCK_MONOTONIC; the worker answers 5.04 then by itself
	uint32_t context;     // index in the context table, for the registry of names
	uint32_t context_generation;
	uint16_t route;        // index in the configuration's routes
	uint16_t response_max; // largest response plaintext in bytes that the device takes in one
			       // datagram
	uint16_t payload_max;  // largest payload in it
	uint16_t remote_port;  // host order
	uint16_t token_len;    // bytes of the token, in front of the plaintext
	uint16_t body_len;     // bytes of encoded options, marker and payload behind the inner code
	uint8_t code;          // inner code, a method
	uint8_t family;        // 4 or 6
	uint8_t remote_addr[16]; // IPv4 in the first 4 bytes
};

// The answer, an OSCORE plaintext: code, class E options, payload. Written by the upstream loop
// before it pushes the handle back.
struct dp_response {
	uint16_t len; // bytes of the plaintext, at least 1, at most the request's response_max
};

// The shared half. Token, request body and response plaintext stand behind it. A separate answer
// keeps its bytes, once they are sealed, in the place of the plaintext.
struct dp_shared {
	uint32_t index;      // of the exchange in its pool; constant
	uint32_t generation; // as in the handle; worker writes while it holds the exchange
	uint32_t abandoned;  // worker: sets; upstream: may read and give up early; atomic
	struct dp_request request;
	struct dp_response response;
};

struct dp_exchange_pool;

// One pool a worker: count exchanges whose buffers take datagrams of up to data_room bytes of CoAP.
// NULL and errno on failure.
struct dp_exchange_pool *dp_exchange_pool_create(uint32_t count, uint16_t data_room);
void dp_exchange_pool_free(struct dp_exchange_pool *pool);

// For the upstream loop: the shared half that a handle names, or NULL if the handle is stale.
struct dp_shared *dp_shared_get(struct dp_exchange_pool *pool, dp_handle handle);
// The request's encoded options and payload: request.body_len bytes, to parse with
// coap_body_parse().
const uint8_t *dp_shared_body(const struct dp_exchange_pool *pool, const struct dp_shared *shared);
// Where the response plaintext goes: request.response_max bytes.
uint8_t *dp_shared_response(const struct dp_exchange_pool *pool, struct dp_shared *shared);

#endif
