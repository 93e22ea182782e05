// SPDX-License-Identifier: BSD-3-Clause
// How many messages of a context that are opened came from elsewhere than its device.
//
// Who knows the kid of a session can send forged messages in its name, and each costs an AEAD. The
// device itself mostly stays at one endpoint, that of its last request that verified and was new.
// All other endpoints together have DP_STRANGERS_PER_S messages a second and context; what is
// beyond that is dropped before it is opened. A device that got another address is one of them
// until its first request is accepted.
//
// struct dp_context.strangers: the hash of that endpoint (32 bits, 0: none yet), the low bits of a
// second (16), and how many came in it (16). Any worker may write it, for a packet is verified
// where it arrives.

#ifndef POSTERN_DATAPLANE_SHARED_STRANGER_H
#define POSTERN_DATAPLANE_SHARED_STRANGER_H

#include "dataplane/shared/context.h"
#include "dataplane/shared/flow.h"

#define DP_STRANGERS_PER_S 64

// The hash of an endpoint; never 0.
static inline uint32_t dp_stranger_endpoint(
	const struct dp_context_table *table, const struct dp_flow *flow)
{
	return (uint32_t)keyed_hash(&table->endpoint_hash, flow, DP_ENDPOINT_LEN) | 1;
}

static inline bool dp_stranger_knows(const struct dp_context *ctx, uint32_t endpoint)
{
	return __atomic_load_n(&ctx->strangers, __ATOMIC_RELAXED) >> 32 == endpoint;
}

// Whether a message from there may be opened now. One from elsewhere than before is counted.
static inline bool dp_stranger_may(struct dp_context *ctx, uint32_t endpoint, uint16_t second)
{
	uint64_t seen = __atomic_load_n(&ctx->strangers, __ATOMIC_RELAXED), next;

	// Each time round another worker counted one, so that is DP_STRANGERS_PER_S times at most.
	do {
		// The clock of this worker may be behind that of the one which counted last.
		const uint16_t last = (uint16_t)(seen >> 16);
		const bool goes_on = (uint16_t)(last - second) <= 1;
		const uint16_t count = goes_on ? (uint16_t)seen : 0;

		if (seen >> 32 == endpoint)
			return true;
		if (count >= DP_STRANGERS_PER_S)
			return false;
		next = seen >> 32 << 32 | (uint32_t)(goes_on ? last : second) << 16 | (count + 1u);
	} while (!__atomic_compare_exchange_n(
		&ctx->strangers, &seen, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

// The owner: a request from there was accepted. Main: keys were agreed on with who is there.
static inline void dp_stranger_known(struct dp_context *ctx, uint32_t endpoint)
{
	uint64_t seen = __atomic_load_n(&ctx->strangers, __ATOMIC_RELAXED);

	while (seen >> 32 != endpoint &&
		!__atomic_compare_exchange_n(&ctx->strangers, &seen,
			(uint64_t)endpoint << 32 | (uint32_t)seen, false, __ATOMIC_RELAXED,
			__ATOMIC_RELAXED))
		;
}

#endif
