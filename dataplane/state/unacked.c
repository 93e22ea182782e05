// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/unacked.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>

// Contexts that hold the same number of answers, in the order in which they came to that.
struct unacked_level {
	uint32_t first; // DP_INDEX_NONE: there is none
	uint32_t last;
};

struct dp_unacked {
	struct dp_exchange_pool *pool;
	struct dp_side *side; // [contexts]
	uint32_t *bucket;     // [mask + 1] first exchange of a chain; others may read, atomic
	uint32_t mask;
	uint32_t count; // worker writes, others may read
	struct keyed_hash hash;
	uint64_t levels[DP_UNACKED_MOST / 64]; // bit i % 64 of [i / 64]: somebody is in level[i]
	struct unacked_level
		level[DP_UNACKED_MOST]; // [i]: of those who hold i + 1, in the last or more
};
_Static_assert(DP_UNACKED_MOST % 64 == 0, "a bit for each level");

struct dp_unacked *dp_unacked_create(
	struct dp_exchange_pool *pool, struct dp_context_table *contexts)
{
	struct dp_unacked *unacked = calloc(1, sizeof(*unacked));

	if (!unacked)
		return NULL;
	unacked->pool = pool;
	unacked->side = contexts->side;
	// Mostly empty, so that dp_unacked_possible() says no to strangers.
	unacked->mask = rte_align32pow2(4 * pool->shared.count) - 1;
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

static unsigned level_of(uint32_t count)
{
	return RTE_MIN(count, (uint32_t)DP_UNACKED_MOST) - 1;
}

static uint64_t level_bit(unsigned at)
{
	return UINT64_C(1) << at % 64;
}

static void level_leave(struct dp_unacked *unacked, uint32_t context, unsigned at)
{
	const struct dp_side *side = &unacked->side[context];
	struct unacked_level *level = &unacked->level[at];
	uint32_t next = side->unacked_next, prev = side->unacked_prev;

	*(prev != DP_INDEX_NONE ? &unacked->side[prev].unacked_next : &level->first) = next;
	*(next != DP_INDEX_NONE ? &unacked->side[next].unacked_prev : &level->last) = prev;
	if (level->first == DP_INDEX_NONE)
		unacked->levels[at / 64] &= ~level_bit(at);
}

static void level_enter(struct dp_unacked *unacked, uint32_t context, unsigned at)
{
	struct dp_side *side = &unacked->side[context];
	struct unacked_level *level = &unacked->level[at];
	bool empty = !(unacked->levels[at / 64] & level_bit(at));

	side->unacked_next = DP_INDEX_NONE;
	side->unacked_prev = empty ? DP_INDEX_NONE : level->last;
	*(empty ? &level->first : &unacked->side[level->last].unacked_next) = context;
	level->last = context;
	unacked->levels[at / 64] |= level_bit(at);
}

// A context holds another number of answers now.
static void holds(struct dp_unacked *unacked, uint32_t context, uint32_t count)
{
	struct dp_side *side = &unacked->side[context];
	uint32_t before = side->unacked_count;

	side->unacked_count = count;
	// Who goes on taking more among those who count as equal does not become the last of them.
	if (before && count && level_of(before) == level_of(count))
		return;
	if (before)
		level_leave(unacked, context, level_of(before));
	if (count)
		level_enter(unacked, context, level_of(count));
}

void dp_unacked_add(struct dp_unacked *unacked, uint32_t index)
{
	struct dp_exchange *all = unacked->pool->worker_half;
	struct dp_exchange *x = &all[index];
	struct dp_side *side = &unacked->side[x->context];
	uint32_t *head = chain(unacked, &x->flow, x->own_mid);

	x->mid_next = *head;
	__atomic_store_n(head, index, __ATOMIC_RELAXED);
	x->newer = DP_INDEX_NONE;
	x->older = side->unacked_count ? side->unacked_newest : DP_INDEX_NONE;
	*(side->unacked_count ? &all[x->older].newer : &side->unacked_oldest) = index;
	side->unacked_newest = index;
	holds(unacked, x->context, side->unacked_count + 1);
	count_set(unacked, unacked->count + 1);
}

void dp_unacked_remove(struct dp_unacked *unacked, uint32_t index)
{
	struct dp_exchange *all = unacked->pool->worker_half;
	const struct dp_exchange *x = &all[index];
	struct dp_side *side = &unacked->side[x->context];
	uint32_t *link = chain(unacked, &x->flow, x->own_mid);

	while (*link != index)
		link = &all[*link].mid_next;
	__atomic_store_n(link, x->mid_next, __ATOMIC_RELAXED);
	*(x->older != DP_INDEX_NONE ? &all[x->older].newer : &side->unacked_oldest) = x->newer;
	*(x->newer != DP_INDEX_NONE ? &all[x->newer].older : &side->unacked_newest) = x->older;
	holds(unacked, x->context, side->unacked_count - 1);
	count_set(unacked, unacked->count - 1);
}

uint32_t dp_unacked_find(const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid)
{
	const struct dp_exchange *all = unacked->pool->worker_half;
	uint32_t index = *chain(unacked, flow, mid);

	// One that waits for its first try holds an id that may be another's by now.
	while (index != DP_INDEX_NONE &&
		(all[index].own_mid != mid || all[index].state != DP_EXCHANGE_UNACKED ||
			!dp_flow_same_endpoint(&all[index].flow, flow)))
		index = all[index].mid_next;
	return index;
}

bool dp_unacked_possible(const struct dp_unacked *unacked, const struct dp_flow *flow, uint16_t mid)
{
	return __atomic_load_n(chain(unacked, flow, mid), __ATOMIC_RELAXED) != DP_INDEX_NONE;
}

uint32_t dp_unacked_victim(const struct dp_unacked *unacked)
{
	for (unsigned i = RTE_DIM(unacked->levels); i--;) {
		if (!unacked->levels[i])
			continue;
		unsigned most = 64 * i + 63 - __builtin_clzll(unacked->levels[i]);

		return unacked->side[unacked->level[most].first].unacked_oldest;
	}
	return DP_INDEX_NONE;
}

uint32_t dp_unacked_count(const struct dp_unacked *unacked)
{
	return __atomic_load_n(&unacked->count, __ATOMIC_RELAXED);
}
