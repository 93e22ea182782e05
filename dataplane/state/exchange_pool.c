// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/exchange_pool.h"

#include "dataplane/shared/memory.h"

#include <rte_common.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

static size_t worker_half_bytes(uint32_t count)
{
	return sizeof(struct dp_exchange) * count;
}

struct dp_exchange_pool *dp_exchange_pool_create(uint32_t count, uint16_t data_room)
{
	struct dp_exchange_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->worker_half = dp_map(worker_half_bytes(count), DP_MAP_HOT);
	if (!pool->worker_half || dp_shared_pool_init(&pool->shared, count, data_room)) {
		dp_unmap(pool->worker_half, worker_half_bytes(count));
		free(pool);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++)
		pool->worker_half[i].next = i + 1 < count ? i + 1 : DP_INDEX_NONE;
	pool->free_head = count ? 0 : DP_INDEX_NONE;
	pool->free_count = count;
	return pool;
}

void dp_exchange_pool_free(struct dp_exchange_pool *pool)
{
	if (!pool)
		return;
	dp_unmap(pool->worker_half, worker_half_bytes(pool->shared.count));
	dp_shared_pool_fini(&pool->shared);
	free(pool);
}

static void free_count_set(struct dp_exchange_pool *pool, uint32_t count)
{
	__atomic_store_n(&pool->free_count, count, __ATOMIC_RELAXED);
}

uint32_t dp_exchange_take(struct dp_exchange_pool *pool)
{
	uint32_t index = pool->free_head;

	if (index == DP_INDEX_NONE)
		return index;
	dp_exchange_to(&pool->worker_half[index], DP_EXCHANGE_TAKEN);
	pool->free_head = pool->worker_half[index].next;
	free_count_set(pool, pool->free_count - 1);
	return index;
}

void dp_exchange_give(struct dp_exchange_pool *pool, uint32_t index)
{
	struct dp_shared *shared = dp_exchange_shared(pool, index);

	dp_exchange_to(&pool->worker_half[index], DP_EXCHANGE_FREE);
	dp_shared_wipe_request(shared);
	// As long as the loop says, but for one that says what cannot be.
	sodium_memzero(
		dp_shared_response(shared), RTE_MIN(shared->response.len, pool->shared.data_room));
	dp_shared_close(shared);
	pool->worker_half[index].next = pool->free_head;
	pool->free_head = index;
	free_count_set(pool, pool->free_count + 1);
}
