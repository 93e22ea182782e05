// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/wheel.h"

#include <rte_common.h>

#define TICKS_MAX 8192 // that one call looks at

void dp_wheel_init(struct dp_wheel *wheel, uint64_t now_ms)
{
	wheel->tick = now_ms / DP_TICK_MS;
	for (unsigned i = 0; i < RTE_DIM(wheel->head); i++)
		wheel->head[i] = DP_INDEX_NONE;
}

static uint32_t far_slot(uint64_t period)
{
	return DP_WHEEL_NEAR_SLOTS + period % DP_WHEEL_FAR_SLOTS;
}

// The slot of an exchange by its deadline, which is not before the wheel's tick.
static uint32_t slot_of(const struct dp_wheel *wheel, uint64_t due)
{
	uint64_t now = wheel->tick / DP_PERIOD_TICKS, period = due / DP_PERIOD_TICKS;

	if (period <= now + 1)
		return due % DP_WHEEL_NEAR_SLOTS;
	// Those of this period and of the next are empty, or become so.
	return far_slot(RTE_MIN(period, now + DP_WHEEL_FAR_SLOTS - 1));
}

static void link_in(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index)
{
	struct dp_exchange *x = &pool->worker_half[index];

	x->wheel_slot = slot_of(wheel, x->due);
	x->wheel_prev = DP_INDEX_NONE;
	x->wheel_next = wheel->head[x->wheel_slot];
	if (x->wheel_next != DP_INDEX_NONE)
		pool->worker_half[x->wheel_next].wheel_prev = index;
	wheel->head[x->wheel_slot] = index;
}

void dp_wheel_insert(
	struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index, uint64_t due_ms)
{
	struct dp_exchange *x = &pool->worker_half[index];

	// Never early: a deadline within a tick is met by the tick after it.
	x->due = RTE_MAX(due_ms / DP_TICK_MS + 1, wheel->tick);
	link_in(wheel, pool, index);
}

void dp_wheel_remove(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint32_t index)
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

unsigned dp_wheel_move(struct dp_wheel *wheel, struct dp_exchange_pool *pool)
{
	const uint32_t *head = &wheel->head[far_slot(wheel->tick / DP_PERIOD_TICKS + 1)];
	unsigned n = 0;

	while (n < DP_WHEEL_MOVES && *head != DP_INDEX_NONE) {
		uint32_t index = *head;

		dp_wheel_remove(wheel, pool, index);
		link_in(wheel, pool, index);
		n++;
	}
	return n;
}

uint32_t dp_wheel_expire(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint64_t now_ms)
{
	uint64_t now = now_ms / DP_TICK_MS;

	for (unsigned n = 0; n < TICKS_MAX && wheel->tick <= now; n++) {
		uint32_t index = wheel->head[wheel->tick % DP_WHEEL_NEAR_SLOTS];
		uint64_t period = wheel->tick / DP_PERIOD_TICKS;

		if (index != DP_INDEX_NONE) {
			dp_wheel_remove(wheel, pool, index);
			return index;
		}
		// The next period begins when all that is due in it is on the near wheel.
		if (wheel->tick % DP_PERIOD_TICKS == DP_PERIOD_TICKS - 1 &&
			wheel->head[far_slot(period + 1)] != DP_INDEX_NONE)
			break;
		wheel->tick++;
	}
	return DP_INDEX_NONE;
}
