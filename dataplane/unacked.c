// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/unacked.h"

#include "crypto/keyed_hash.h"
#include "dataplane/memory.h"

#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>

struct dp_unacked {
	struct dp_exchange_pool *pool;
	uint32_t *bucket; // [mask + 1] first exchange of a chain
	uint32_t mask;
	uint32_t oldest;
	uint32_t newest;
	uint32_t count; // worker writes, others may read
	struct keyed_hash hash;
};

struct dp_unacked *dp_unacked_create(struct dp_exchange_pool *pool)
{
	struct dp_unacked *unacked = calloc(1, sizeof(*unacked));

	if (!unacked)
		return NULL;
	unacked->pool = pool;
	unacked->mask = rte_align32pow2(pool->count) - 1;
	unacked->oldest = DP_INDEX_NONE;
	unacked->newest = DP_INDEX_NONE;
	keyed_hash_init(&unacked->hash);
	unacked->bucket =
		dp_map(sizeof(*unacked->bucket) * (unacked->mask + (size_t)1), DP_MAP_HOT);
	if (!unacked->bucket) {
		free(unacked);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i <= unacked->mask; i++)
		unacked->bucket[i] = DP_INDEX_NONE;
	return unacked;
}

void dp_unacked_free(struct dp_unacked *unacked)
{
	if (!unacked)
		return;
	dp_unmap(unacked->bucket, sizeof(*unacked->bucket) * (unacked->mask + (size_t)1));
	free(unacked);
}

static uint32_t *chain(const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid)
{
	struct {
		uint8_t endpoint[DP_ENDPOINT_LEN];
		uint64_t mid;
	} name = {.mid = mid};

	memcpy(name.endpoint, flow, DP_ENDPOINT_LEN);
	return &unacked->bucket[keyed_hash(&unacked->hash, &name, sizeof(name)) & unacked->mask];
}

static void count_set(struct dp_unacked *unacked, uint32_t count)
{
	__atomic_store_n(&unacked->count, count, __ATOMIC_RELAXED);
}

void dp_unacked_add(struct dp_unacked *unacked, uint32_t index)
{
	struct dp_exchange *all = unacked->pool->worker_half;
	struct dp_exchange *x = &all[index];
	uint32_t *head = chain(unacked, &x->flow, x->own_mid);

	x->mid_next = *head;
	*head = index;
	x->newer = DP_INDEX_NONE;
	x->older = unacked->newest;
	if (x->older != DP_INDEX_NONE)
		all[x->older].newer = index;
	else
		unacked->oldest = index;
	unacked->newest = index;
	count_set(unacked, unacked->count + 1);
}

void dp_unacked_remove(struct dp_unacked *unacked, uint32_t index)
{
	struct dp_exchange *all = unacked->pool->worker_half;
	const struct dp_exchange *x = &all[index];
	uint32_t *link = chain(unacked, &x->flow, x->own_mid);

	while (*link != index)
		link = &all[*link].mid_next;
	*link = x->mid_next;
	*(x->older != DP_INDEX_NONE ? &all[x->older].newer : &unacked->oldest) = x->newer;
	*(x->newer != DP_INDEX_NONE ? &all[x->newer].older : &unacked->newest) = x->older;
	count_set(unacked, unacked->count - 1);
}

uint32_t dp_unacked_find(const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid)
{
	const struct dp_exchange *all = unacked->pool->worker_half;
	uint32_t index = *chain(unacked, flow, mid);

	// One that waits for its first try holds an id that may be another's by now.
	while (index != DP_INDEX_NONE &&
		(all[index].own_mid != mid || !all[index].coap_len ||
			!dp_flow_same_endpoint(&all[index].flow, flow)))
		index = all[index].mid_next;
	return index;
}

uint32_t dp_unacked_oldest(const struct dp_unacked *unacked)
{
	return unacked->oldest;
}

uint32_t dp_unacked_count(const struct dp_unacked *unacked)
{
	return __atomic_load_n(&unacked->count, __ATOMIC_RELAXED);
}
