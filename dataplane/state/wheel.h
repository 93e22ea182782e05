// SPDX-License-Identifier: BSD-3-Clause
// A worker's timer wheel over its exchanges: one deadline each, lists through the worker halves.
//
// Two wheels. The near one has a slot for each tick of this period and the next, so all that is in
// a slot is due at once. The far one has a slot for each period; what is in the slot of the next
// period moves to the near wheel during this one, a few in each turn of the worker. No list is ever
// walked for what is due later.

#ifndef POSTERN_DATAPLANE_STATE_WHEEL_H
#define POSTERN_DATAPLANE_STATE_WHEEL_H

#include "dataplane/state/exchange_pool.h"

#define DP_TICK_MS          16
#define DP_PERIOD_TICKS     1024 // 16 s
#define DP_WHEEL_NEAR_SLOTS (2 * DP_PERIOD_TICKS)
#define DP_WHEEL_FAR_SLOTS  256 // 70 minutes; a later deadline waits in the last of them
#define DP_WHEEL_MOVES      32  // exchanges that move to the near wheel in a turn of the worker

struct dp_wheel {
	uint64_t tick; // next tick to look at
	uint32_t head[DP_WHEEL_NEAR_SLOTS + DP_WHEEL_FAR_SLOTS];
};

void dp_wheel_init(struct dp_wheel *wheel, uint64_t now_ms);
// Puts an exchange that is not on the wheel there, for a time that may have passed already.
void dp_wheel_insert(
	struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index, uint64_t due_ms);
// Takes an exchange off the wheel, if it is there.
void dp_wheel_remove(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index);
// Once a turn of the worker, before it asks what expired: moves at most DP_WHEEL_MOVES exchanges of
// the next period to the near wheel. Returns how many moved.
unsigned dp_wheel_move(struct dp_wheel *wheel, struct dp_exchange_pool *pool);
// Takes one exchange whose deadline has passed off the wheel: its index, or DP_INDEX_NONE when
// there is none left up to now_ms. After a stop of many seconds the wheel may need some turns to
// come up to now_ms; DP_INDEX_NONE is returned in between, too.
uint32_t dp_wheel_expire(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint64_t now_ms);

#endif
