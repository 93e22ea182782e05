// SPDX-License-Identifier: BSD-3-Clause
// A worker's timer wheel over its exchanges: one deadline each, lists through the worker halves.

#ifndef POSTERN_DATAPLANE_WHEEL_H
#define POSTERN_DATAPLANE_WHEEL_H

#include "dataplane/exchange_pool.h"

#define DP_TICK_MS     16
#define DP_WHEEL_SLOTS 1024 // one turn is 16 s; later deadlines wait for another turn

struct dp_wheel {
	uint64_t tick; // next tick to look at
	uint32_t head[DP_WHEEL_SLOTS];
};

static inline void dp_wheel_init(struct dp_wheel *wheel, uint64_t now_ms)
{
	wheel->tick = now_ms / DP_TICK_MS;
	for (unsigned i = 0; i < DP_WHEEL_SLOTS; i++)
		wheel->head[i] = DP_INDEX_NONE;
}

static inline void dp_wheel_insert(
	struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index, uint64_t due_ms)
{
	struct dp_exchange *x = &pool->worker_half[index];

	// Never early: a deadline within a tick is met by the tick after it.
	x->due = due_ms / DP_TICK_MS + 1;
	if (x->due < wheel->tick)
		x->due = wheel->tick;
	x->wheel_slot = x->due % DP_WHEEL_SLOTS;
	x->wheel_prev = DP_INDEX_NONE;
	x->wheel_next = wheel->head[x->wheel_slot];
	if (x->wheel_next != DP_INDEX_NONE)
		pool->worker_half[x->wheel_next].wheel_prev = index;
	wheel->head[x->wheel_slot] = index;
}

static inline void dp_wheel_remove(
	struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index)
{
	struct dp_exchange *x = &pool->worker_half[index];

	if (x->wheel_slot == DP_INDEX_NONE)
		return;
	if (x->wheel_prev != DP_INDEX_NONE)
		pool->worker_half[x->wheel_prev].wheel_next = x->wheel_next;
	else
		wheel->head[x->wheel_slot] = x->wheel_next;
	if (x->wheel_next != DP_INDEX_NONE)
		pool->worker_half[x->wheel_next].wheel_prev = x->wheel_prev;
	x->wheel_slot = DP_INDEX_NONE;
}

// Takes one exchange whose deadline has passed off the wheel: its index, or DP_INDEX_NONE when
// there is none left up to now_ms.
uint32_t dp_wheel_expire(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint64_t now_ms);

#endif
