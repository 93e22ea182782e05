// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/wheel.h"

uint32_t dp_wheel_expire(struct dp_wheel *wheel, struct dp_exchange_pool *pool, uint64_t now_ms)
{
	uint64_t now = now_ms / DP_TICK_MS;

	// After a long stop one turn of the wheel sees everything.
	if (now > wheel->tick + DP_WHEEL_SLOTS)
		wheel->tick = now - DP_WHEEL_SLOTS;
	for (; wheel->tick <= now; wheel->tick++) {
		uint32_t index = wheel->head[wheel->tick % DP_WHEEL_SLOTS];

		while (index != DP_INDEX_NONE) {
			if (pool->worker_half[index].due <= now) {
				dp_wheel_remove(wheel, pool, index);
				return index;
			}
			index = pool->worker_half[index].wheel_next;
		}
	}
	return DP_INDEX_NONE;
}
