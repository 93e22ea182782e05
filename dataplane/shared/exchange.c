// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/exchange.h"

#include "dataplane/shared/memory.h"

#include <rte_common.h>

#include <errno.h>
#include <sodium.h>

static size_t pool_bytes(const struct dp_shared_pool *pool)
{
	return pool->stride * pool->count;
}

int dp_shared_pool_init(struct dp_shared_pool *pool, uint32_t count, uint16_t data_room)
{
	*pool = (struct dp_shared_pool){
		.stride = RTE_ALIGN_CEIL(sizeof(struct dp_shared) + 2 * (size_t)data_room, 64),
		.count = count,
		.data_room = data_room,
	};
	pool->shared_half = dp_map(pool_bytes(pool), DP_MAP_HOT);
	if (!pool->shared_half)
		return -ENOMEM;
	for (uint32_t i = 0; i < count; i++) {
		dp_shared_at(pool, i)->index = i;
		dp_shared_at(pool, i)->data_room = data_room;
	}
	return 0;
}

void dp_shared_pool_fini(struct dp_shared_pool *pool)
{
	dp_unmap(pool->shared_half, pool_bytes(pool));
	pool->shared_half = NULL;
}

struct dp_shared *dp_shared_get(const struct dp_shared_pool *pool, dp_handle handle)
{
	uint32_t index = dp_handle_index(handle);

	if (index >= pool->count)
		return NULL;
	struct dp_shared *shared = dp_shared_at(pool, index);
	uint32_t generation = __atomic_load_n(&shared->generation, __ATOMIC_ACQUIRE);

	return generation == dp_handle_generation(handle) ? shared : NULL;
}

void dp_shared_close(struct dp_shared *shared)
{
	__atomic_store_n(&shared->generation, shared->generation + 1, __ATOMIC_RELEASE);
}

void dp_shared_wipe_request(struct dp_shared *shared)
{
	sodium_memzero(dp_shared_request_buf(shared) + shared->request.token_len,
		shared->request.body_len);
}
