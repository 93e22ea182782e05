// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/exchange.h"

#include "dataplane/shared/memory.h"
#include "dataplane/state/exchange_pool.h"

#include <rte_common.h>

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

static size_t pool_worker_bytes(const struct dp_exchange_pool *pool)
{
	return sizeof(struct dp_exchange) * pool->count;
}

static size_t pool_shared_bytes(const struct dp_exchange_pool *pool)
{
	return pool->shared_stride * pool->count;
}

struct dp_exchange_pool *dp_exchange_pool_create(uint32_t count, uint16_t data_room)
{
	struct dp_exchange_pool *pool = calloc(1, sizeof(*pool));

	if (!pool)
		return NULL;
	pool->count = count;
	pool->data_room = data_room;
	pool->shared_stride = RTE_ALIGN_CEIL(sizeof(struct dp_shared) + 2 * (size_t)data_room, 64);
	pool->worker_half = dp_map(pool_worker_bytes(pool), DP_MAP_HOT);
	pool->shared_half = dp_map(pool_shared_bytes(pool), DP_MAP_HOT);
	if (!pool->worker_half || !pool->shared_half) {
		dp_exchange_pool_free(pool);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < count; i++) {
		pool->worker_half[i].next = i + 1 < count ? i + 1 : DP_INDEX_NONE;
		dp_shared_at(pool, i)->index = i;
	}
	pool->free_head = count ? 0 : DP_INDEX_NONE;
	pool->free_count = count;
	return pool;
}

void dp_exchange_pool_free(struct dp_exchange_pool *pool)
{
	if (!pool)
		return;
	if (pool->worker_half)
		dp_unmap(pool->worker_half, pool_worker_bytes(pool));
	if (pool->shared_half)
		dp_unmap(pool->shared_half, pool_shared_bytes(pool));
	free(pool);
}

uint32_t dp_exchange_take(struct dp_exchange_pool *pool)
{
	uint32_t index = pool->free_head;

	if (index == DP_INDEX_NONE)
		return index;
	dp_exchange_to(&pool->worker_half[index], DP_EXCHANGE_TAKEN);
	pool->free_head = pool->worker_half[index].next;
	pool->free_count--;
	return index;
}

void dp_exchange_close(struct dp_shared *shared)
{
	__atomic_store_n(&shared->generation, shared->generation + 1, __ATOMIC_RELEASE);
}

void dp_shared_wipe_request(const struct dp_exchange_pool *pool, struct dp_shared *shared)
{
	sodium_memzero(dp_shared_request_buf(pool, shared) + shared->request.token_len,
		shared->request.body_len);
}

void dp_exchange_give(struct dp_exchange_pool *pool, uint32_t index)
{
	struct dp_shared *shared = dp_shared_at(pool, index);

	dp_exchange_to(&pool->worker_half[index], DP_EXCHANGE_FREE);
	dp_shared_wipe_request(pool, shared);
	// As long as the loop says, but for one that says what cannot be.
	sodium_memzero(
		dp_shared_response(pool, shared), RTE_MIN(shared->response.len, pool->data_room));
	dp_exchange_close(shared);
	pool->worker_half[index].next = pool->free_head;
	pool->free_head = index;
	pool->free_count++;
}

struct dp_shared *dp_shared_get(struct dp_exchange_pool *pool, dp_handle handle)
{
	uint32_t index = dp_handle_index(handle);

	if (index >= pool->count)
		return NULL;
	struct dp_shared *shared = dp_shared_at(pool, index);
	uint32_t generation = __atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE);

	return generation == dp_handle_generation(handle) ? shared : NULL;
}

const uint8_t *dp_shared_body(const struct dp_exchange_pool *pool, const struct dp_shared *shared)
{
	(void)pool;
	return (const uint8_t *)(shared + 1) + shared->request.token_len;
}

uint8_t *dp_shared_response(const struct dp_exchange_pool *pool, struct dp_shared *shared)
{
	return (uint8_t *)(shared + 1) + pool->data_room;
}
