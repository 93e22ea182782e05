// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/observation.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <rte_common.h>
#include <rte_prefetch.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#define NONE DP_OBSERVATION_NONE

// Timers: a list for each tick of a round, which begins again each 65 s; what is due in a later
// round goes back into the list that it was in. The list of the present tick is taken as a whole,
// into the one behind the others, so that what goes back is not met again.
#define TICKS   4096
#define PRESENT TICKS
#define FIRST   UINT32_C(0x80000000) // of timer_prev: it is the first of the list in the low bits

struct dp_observations {
	struct dp_observation *at; // [most + 1]; 0 is none
	uint32_t most;
	uint32_t count;       // worker writes, others may read
	uint32_t used;        // indexes up to here were given out at least once
	uint32_t free;        // a list through context_next
	uint32_t slots;       // in the table of representations
	uint32_t *of_slot;    // [slots]
	uint32_t *of_context; // [context_mask + 1]
	uint32_t *of_mid; // [mid_mask + 1], nodes: 2 * index + n for mid[n]; others read, atomic
	uint32_t context_mask;
	uint32_t mid_mask;
	struct keyed_hash hash;
	uint32_t walk; // next of the walk
	uint32_t tick; // whose list is PRESENT
	uint32_t timers[TICKS + 1];
};

static void *words(uint32_t count)
{
	return dp_map(sizeof(uint32_t) * (size_t)count, DP_MAP_LAZY);
}

struct dp_observations *dp_observations_create(uint32_t count, uint32_t slots, uint64_t now_ms)
{
	struct dp_observations *all = calloc(1, sizeof(*all));

	assert(count <= DP_OBSERVATION_COUNT_MAX);
	if (!all)
		return NULL;
	all->most = count;
	all->slots = slots;
	all->context_mask = rte_align32pow2(RTE_MAX(count, 16u)) - 1;
	all->mid_mask = 2 * all->context_mask + 1;
	all->tick = now_ms / DP_OBSERVATION_TICK_MS;
	keyed_hash_init(&all->hash);
	all->at = dp_map(sizeof(*all->at) * (count + (size_t)1), DP_MAP_LAZY);
	all->of_slot = words(slots + 1);
	all->of_context = words(all->context_mask + 1);
	all->of_mid = words(all->mid_mask + 1);
	if (!all->at || !all->of_slot || !all->of_context || !all->of_mid) {
		dp_observations_free(all);
		errno = ENOMEM;
		return NULL;
	}
	return all;
}

void dp_observations_free(struct dp_observations *all)
{
	if (!all)
		return;
	dp_unmap(all->at, sizeof(*all->at) * (all->most + (size_t)1));
	dp_unmap(all->of_slot, sizeof(uint32_t) * (all->slots + (size_t)1));
	dp_unmap(all->of_context, sizeof(uint32_t) * (all->context_mask + (size_t)1));
	dp_unmap(all->of_mid, sizeof(uint32_t) * (all->mid_mask + (size_t)1));
	free(all);
}

struct dp_observation *dp_observation_at(const struct dp_observations *all, uint32_t index)
{
	assert(index && index <= all->most);
	return &all->at[index];
}

uint32_t dp_observation_count(const struct dp_observations *all)
{
	return __atomic_load_n(&all->count, __ATOMIC_RELAXED);
}

uint32_t dp_observation_most(const struct dp_observations *all)
{
	return all->most;
}

static void count_set(struct dp_observations *all, uint32_t count)
{
	__atomic_store_n(&all->count, count, __ATOMIC_RELAXED);
}

// By context.

static uint32_t *context_chain(const struct dp_observations *all, uint32_t context)
{
	return &all->of_context[keyed_hash_words(&all->hash, context, 0) & all->context_mask];
}

// The first from here on that is of the context.
static uint32_t context_skip(
	const struct dp_observations *all, uint32_t index, uint32_t context, uint32_t generation)
{
	while (index != NONE &&
		(all->at[index].context != context || all->at[index].generation != generation))
		index = all->at[index].context_next;
	return index;
}

uint32_t dp_observation_of_context(
	const struct dp_observations *all, uint32_t context, uint32_t generation)
{
	return context_skip(all, *context_chain(all, context), context, generation);
}

uint32_t dp_observation_next_of_context(const struct dp_observations *all, uint32_t index)
{
	const struct dp_observation *o = dp_observation_at(all, index);

	return context_skip(all, o->context_next, o->context, o->generation);
}

uint32_t dp_observation_find(const struct dp_observations *all, const struct dp_observer *who)
{
	uint32_t index = dp_observation_of_context(all, who->context, who->generation);

	for (; index != NONE; index = dp_observation_next_of_context(all, index)) {
		const struct dp_observation *o = &all->at[index];

		if (o->token_len == who->token_len &&
			!memcmp(o->token, who->token, who->token_len) &&
			dp_flow_same_endpoint(&o->flow, who->flow))
			break;
	}
	return index;
}

// By slot.

uint32_t dp_observation_of_slot(const struct dp_observations *all, uint32_t slot)
{
	assert(slot < all->slots);
	return all->of_slot[slot];
}

static void slot_enter(struct dp_observations *all, uint32_t index)
{
	struct dp_observation *o = &all->at[index];
	uint32_t *head = &all->of_slot[o->slot];

	o->slot_prev = NONE;
	o->slot_next = *head;
	if (*head != NONE)
		all->at[*head].slot_prev = index;
	*head = index;
}

static void slot_leave(struct dp_observations *all, uint32_t index)
{
	const struct dp_observation *o = &all->at[index];

	if (all->walk == index)
		all->walk = o->slot_next;
	if (o->slot_prev != NONE)
		all->at[o->slot_prev].slot_next = o->slot_next;
	else
		all->of_slot[o->slot] = o->slot_next;
	if (o->slot_next != NONE)
		all->at[o->slot_next].slot_prev = o->slot_prev;
}

void dp_observation_walk(struct dp_observations *all, uint32_t slot)
{
	all->walk = dp_observation_of_slot(all, slot);
}

uint32_t dp_observation_walk_next(struct dp_observations *all)
{
	uint32_t index = all->walk;

	if (index == NONE)
		return NONE;
	all->walk = all->at[index].slot_next;
	// The one behind it is of use in the next call.
	rte_prefetch0(&all->at[all->walk]);
	rte_prefetch0((const uint8_t *)&all->at[all->walk] + 64);
	rte_prefetch0((const uint8_t *)&all->at[all->walk] + 128);
	return index;
}

// All of them.

uint32_t dp_observation_add(
	struct dp_observations *all, const struct dp_observer *who, uint32_t slot, unsigned most)
{
	uint32_t index = dp_observation_of_context(all, who->context, who->generation);
	unsigned held = 0;

	assert(slot < all->slots);
	for (; index != NONE && held < most; held++)
		index = dp_observation_next_of_context(all, index);
	if (held >= most || who->token_len > DP_OBSERVATION_TOKEN)
		return NONE;
	if (all->free != NONE) {
		index = all->free;
		all->free = all->at[index].context_next;
	} else if (all->used < all->most) {
		index = ++all->used;
	} else {
		return NONE;
	}
	struct dp_observation *o = &all->at[index];
	uint32_t *chain = context_chain(all, who->context);

	*o = (struct dp_observation){
		.flow = *who->flow,
		.token_len = who->token_len,
		.context = who->context,
		.generation = who->generation,
		.slot = slot,
		.format = DP_OBSERVATION_NO_FORMAT,
		.szx = DP_OBSERVATION_NO_SZX,
		.context_next = *chain,
	};
	memcpy(o->token, who->token, who->token_len);
	*chain = index;
	slot_enter(all, index);
	count_set(all, all->count + 1);
	return index;
}

void dp_observation_remove(struct dp_observations *all, uint32_t index)
{
	struct dp_observation *o = dp_observation_at(all, index);
	uint32_t *link = context_chain(all, o->context);

	dp_observation_sleep(all, index);
	dp_observation_forget(all, index);
	slot_leave(all, index);
	while (*link != index)
		link = &all->at[*link].context_next;
	*link = o->context_next;
	*o = (struct dp_observation){.context_next = all->free};
	all->free = index;
	count_set(all, all->count - 1);
}

uint32_t dp_observation_sweep(const struct dp_observations *all, uint32_t *cursor)
{
	uint32_t index = *cursor;

	*cursor = index < all->used ? index + 1 : NONE;
	if (index > all->used)
		return NONE;
	// A generation is odd.
	return all->at[index].generation ? index : NONE;
}

// By message id.

static uint32_t *mid_chain(
	const struct dp_observations *all, const struct dp_flow *flow, uint16_t mid)
{
	struct {
		uint8_t endpoint[DP_ENDPOINT_LEN];
		uint64_t mid;
	} name = {.mid = mid};

	memcpy(name.endpoint, flow, DP_ENDPOINT_LEN);
	return &all->of_mid[keyed_hash(&all->hash, &name, sizeof(name)) & all->mid_mask];
}

static uint32_t *mid_link(const struct dp_observations *all, uint32_t node)
{
	return &all->at[node / 2].mid_next[node % 2];
}

static void mid_enter(struct dp_observations *all, uint32_t index, unsigned n, uint16_t mid)
{
	struct dp_observation *o = &all->at[index];
	uint32_t *chain = mid_chain(all, &o->flow, mid);

	o->mid[n] = mid;
	o->has_mid |= 1 << n;
	o->mid_next[n] = *chain;
	__atomic_store_n(chain, 2 * index + n, __ATOMIC_RELAXED);
}

static void mid_leave(struct dp_observations *all, uint32_t index, unsigned n)
{
	struct dp_observation *o = &all->at[index];

	if (!(o->has_mid >> n & 1))
		return;
	uint32_t *link = mid_chain(all, &o->flow, o->mid[n]);

	while (*link != 2 * index + n)
		link = mid_link(all, *link);
	__atomic_store_n(link, o->mid_next[n], __ATOMIC_RELAXED);
	o->has_mid &= ~(1 << n);
}

void dp_observation_sent(struct dp_observations *all, uint32_t index, uint16_t mid)
{
	const struct dp_observation *o = dp_observation_at(all, index);
	uint16_t before = o->mid[0];
	bool had = o->has_mid & 1;

	dp_observation_forget(all, index);
	if (had)
		mid_enter(all, index, 1, before);
	mid_enter(all, index, 0, mid);
}

void dp_observation_forget(struct dp_observations *all, uint32_t index)
{
	mid_leave(all, index, 0);
	mid_leave(all, index, 1);
}

uint32_t dp_observation_by_mid(
	const struct dp_observations *all, const struct dp_flow *flow, uint16_t mid)
{
	uint32_t node = *mid_chain(all, flow, mid);

	while (node != NONE &&
		(all->at[node / 2].mid[node % 2] != mid ||
			!dp_flow_same_endpoint(&all->at[node / 2].flow, flow)))
		node = *mid_link(all, node);
	return node / 2;
}

bool dp_observation_possible(
	const struct dp_observations *all, const struct dp_flow *flow, uint16_t mid)
{
	return __atomic_load_n(mid_chain(all, flow, mid), __ATOMIC_RELAXED) != NONE;
}

// Timers.

static void timer_enter(struct dp_observations *all, uint32_t index)
{
	struct dp_observation *o = &all->at[index];
	uint32_t list = o->due % TICKS;

	o->timer_prev = FIRST | list;
	o->timer_next = all->timers[list];
	if (o->timer_next != NONE)
		all->at[o->timer_next].timer_prev = index;
	all->timers[list] = index;
	o->on_timer = true;
}

void dp_observation_sleep(struct dp_observations *all, uint32_t index)
{
	struct dp_observation *o = dp_observation_at(all, index);

	if (!o->on_timer)
		return;
	if (o->timer_prev & FIRST)
		all->timers[o->timer_prev & ~FIRST] = o->timer_next;
	else
		all->at[o->timer_prev].timer_next = o->timer_next;
	if (o->timer_next != NONE)
		all->at[o->timer_next].timer_prev = o->timer_prev;
	o->on_timer = false;
}

void dp_observation_wake(struct dp_observations *all, uint32_t index, uint64_t due_ms)
{
	struct dp_observation *o = dp_observation_at(all, index);
	uint32_t due = due_ms / DP_OBSERVATION_TICK_MS + 1; // never early

	dp_observation_sleep(all, index);
	// The list of the present tick was taken already.
	o->due = (int32_t)(due - all->tick) <= 0 ? all->tick + 1 : due;
	timer_enter(all, index);
}

// Takes the list of the next tick.
static void tick_next(struct dp_observations *all)
{
	uint32_t list = ++all->tick % TICKS, first = all->timers[list];

	all->timers[list] = NONE;
	all->timers[PRESENT] = first;
	if (first != NONE)
		all->at[first].timer_prev = FIRST | PRESENT;
}

uint32_t dp_observation_expire(struct dp_observations *all, uint64_t now_ms, unsigned *budget)
{
	uint32_t now = now_ms / DP_OBSERVATION_TICK_MS;

	while (*budget) {
		uint32_t index = all->timers[PRESENT];

		if (index == NONE) {
			if ((int32_t)(all->tick - now) >= 0)
				return NONE;
			tick_next(all);
			// Empty ticks are cheap, but a long stop has many.
			if (all->timers[PRESENT] == NONE && !(all->tick % 64))
				--*budget;
			continue;
		}
		--*budget;
		dp_observation_sleep(all, index);
		if ((int32_t)(all->at[index].due - all->tick) <= 0)
			return index;
		timer_enter(all, index);
	}
	return NONE;
}
