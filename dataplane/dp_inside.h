// SPDX-License-Identifier: BSD-3-Clause
// What the data plane is to main. Internal to dataplane/.

#ifndef POSTERN_DATAPLANE_DP_INSIDE_H
#define POSTERN_DATAPLANE_DP_INSIDE_H

#include "dataplane/dp.h"
#include "dataplane/worker/worker.h"

#include <sodium.h>

#define DP_MOVES_MAX 64 // contexts that are on their way to another worker, at once

// The longest that a request can be under way: the longest timeout of a route and MAX_TRANSMIT_WAIT
// (RFC 7252 section 4.8.2) for its answer, as far as they can be configured.
#define DP_DRAIN_MS (UINT64_C(1000) * (3600 + 2790))
_Static_assert(DP_DRAIN_MS == UINT64_C(6390000), "");

// A context on its way out.
struct retired {
	uint32_t index;
	uint32_t generation;
	uint64_t key_hash; // of its sender key
	enum {
		RETIRED_TO_DRAIN, // the owner's command ring was full, or is_moving()
		RETIRED_DRAINS,   // the owner accepts nothing; what is in flight is answered
		RETIRED_DRAINED,  // nothing can be in flight: it had no owner
		RETIRED_TO_TELL,  // the owner's command ring was full, or is_moving()
		RETIRED_TOLD,     // the owner has yet to answer
		RETIRED_GRACE,    // no look-up finds it any more; workers may still hold it
	} phase;
	bool named;      // it drains, or has, and DP_EVENT_DRAINED is yet to be handed out
	uint64_t end_ms; // while it drains: CLOCK_MONOTONIC
	uint64_t token;  // of the grace period
};

struct dp {
	struct dp_context_table *contexts;
	unsigned loop_count;
	struct dp_loop *upstream[DP_LOOPS_MAX];
	unsigned slow_count;
	struct dp_slow *slow[DP_SLOW_THREADS_MAX];
	struct rte_rcu_qsbr *qsbr;
	struct dp_reps *reps;                            // NULL: nothing is stored
	const struct dp_policy *policy;                  // atomic: workers read
	uint64_t policy_token;                           // of the grace period of the one before
	struct dp_look *look[DP_LOOK_COUNT];             // atomic: workers read
	struct dp_look *looks_ending;                    // until no worker holds them
	struct dp_copy_ring *look_oldest[DP_LOOK_COUNT]; // of dp_look_peek()
	uint32_t run;                                    // atomic: workers read
	struct dp_doorbell bell;
	bool running;
	uint16_t mtu;
	uint32_t exchanges;
	uint8_t retired_hash_key[crypto_shorthash_KEYBYTES];
	struct retired *retired;
	unsigned retired_count;
	unsigned retired_room;
	unsigned draining_count;       // of these, in the phases of draining
	unsigned draining_at;          // where retired_poll() looks next at those that drain
	uint64_t drain_ms;             // DP_DRAIN_MS; tests have another one
	uint32_t moving[DP_MOVES_MAX]; // contexts, see is_moving()
	unsigned moving_count;
	unsigned port_count;
	uint16_t port_ids[DP_PORTS_MAX];
	unsigned worker_count;
	struct dp_worker *worker[DP_WORKERS_MAX];
};

#endif
