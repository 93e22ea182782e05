// SPDX-License-Identifier: BSD-3-Clause
// Blocks that come, and the requests that whole bodies become. Private to the loop.
//
// A body that is complete is fetched: a call without an exchange carries it through queue, servers
// and retries as any other. The exchanges of its last block, and of the same block again, wait for
// it: it lives while one of them does, and each keeps its own deadline.

#ifndef POSTERN_GW_UPSTREAM_BODIES_H
#define POSTERN_GW_UPSTREAM_BODIES_H

#include "gw/upstream/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// A body that is complete, on its way to a backend.
struct up_fetch {
	struct up_call call; // without exchange and port
	TAILQ_ENTRY(up_fetch) link;
	struct up_call_list waiters;
	bool unwanted;           // in that list
	bool batched;            // a record of a batch
	struct dp_shared shared; // of the call: a copy, options only; its two buffers are behind
};

_Static_assert(offsetof(struct up_fetch, call) == 0, "a call is cast to its fetch");

static inline struct up_fetch *up_fetch_of(struct dp_shared *shared)
{
	return (struct up_fetch *)((uint8_t *)shared - offsetof(struct up_fetch, shared));
}

// Makes the table of a loop. -ENOMEM.
int up_bodies_create(struct up_loop *loop) __attribute__((warn_unused_result));
void up_bodies_free(struct up_loop *loop);
// Takes a call that has to do with blocks. false: it goes to a server by itself.
bool up_bodies_take(struct up_call *call);
// Hands back the waiting calls that workers gave up, and gives up fetches for which nobody waits.
void up_bodies_sweep(struct up_loop *loop);
// Drops what is too old, and sets the counters.
void up_bodies_turn(struct up_loop *loop);
// When there is something to drop; UINT64_MAX: never.
uint64_t up_bodies_next_ms(const struct up_loop *loop);

#endif
