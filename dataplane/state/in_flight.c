// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/in_flight.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>

// There are as many chains as exchanges, so that one of this length is all but impossible.
#define CHAIN_MAX 16

struct dp_in_flight {
	struct dp_exchange_pool *pool;
	struct dp_context_table *contexts;
	uint32_t *bucket; // [mask + 1] first exchange of a chain
	uint32_t mask;
	struct keyed_hash hash;
};

struct dp_in_flight *dp_in_flight_create(
	struct dp_exchange_pool *pool, struct dp_context_table *contexts)
{
	struct dp_in_flight *in_flight = calloc(1, sizeof(*in_flight));

	if (!in_flight)
		return NULL;
	in_flight->pool = pool;
	in_flight->contexts = contexts;
	in_flight->mask = rte_align32pow2(pool->shared.count) - 1;
	keyed_hash_init(&in_flight->hash);
	in_flight->bucket =
		dp_map(sizeof(*in_flight->bucket) * (in_flight->mask + (size_t)1), DP_MAP_HOT);
	if (!in_flight->bucket) {
		free(in_flight);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i <= in_flight->mask; i++)
		in_flight->bucket[i] = DP_INDEX_NONE;
	return in_flight;
}

void dp_in_flight_free(struct dp_in_flight *in_flight)
{
	if (!in_flight)
		return;
	dp_unmap(in_flight->bucket, sizeof(*in_flight->bucket) * (in_flight->mask + (size_t)1));
	free(in_flight);
}

static uint32_t *chain(const struct dp_in_flight *in_flight, uint32_t context, uint64_t piv)
{
	uint64_t hash = keyed_hash_words(&in_flight->hash, context, piv);

	return &in_flight->bucket[hash & in_flight->mask];
}

void dp_in_flight_add(struct dp_in_flight *in_flight, uint32_t index)
{
	struct dp_exchange *all = in_flight->pool->worker_half;
	struct dp_exchange *x = &all[index];
	struct dp_context *ctx = &in_flight->contexts->context[x->context];
	uint32_t *head = chain(in_flight, x->context, x->piv);

	x->chain_next = *head;
	*head = index;
	x->prev = DP_INDEX_NONE;
	x->next = ctx->in_flight;
	if (x->next != DP_INDEX_NONE)
		all[x->next].prev = index;
	ctx->in_flight = index;
	__atomic_store_n(&ctx->in_flight_count, ctx->in_flight_count + 1, __ATOMIC_RELAXED);
}

static void take_out(struct dp_in_flight *in_flight, uint32_t index)
{
	struct dp_exchange *all = in_flight->pool->worker_half;
	const struct dp_exchange *x = &all[index];
	struct dp_context *ctx = &in_flight->contexts->context[x->context];
	uint32_t *link = chain(in_flight, x->context, x->piv);

	while (*link != index)
		link = &all[*link].chain_next;
	*link = x->chain_next;
	*(x->prev != DP_INDEX_NONE ? &all[x->prev].next : &ctx->in_flight) = x->next;
	if (x->next != DP_INDEX_NONE)
		all[x->next].prev = x->prev;
	__atomic_store_n(&ctx->in_flight_count, ctx->in_flight_count - 1, __ATOMIC_RELAXED);
}

void dp_in_flight_remove(struct dp_in_flight *in_flight, uint32_t index)
{
	const struct dp_exchange *x = &in_flight->pool->worker_half[index];

	if (dp_context_live(&in_flight->contexts->context[x->context]) == x->context_generation)
		take_out(in_flight, index);
}

uint32_t dp_in_flight_take(struct dp_in_flight *in_flight, uint32_t context)
{
	uint32_t index = in_flight->contexts->context[context].in_flight;

	if (index != DP_INDEX_NONE)
		take_out(in_flight, index);
	return index;
}

static bool matches(
	const struct dp_exchange_pool *pool, uint32_t index, const struct dp_answer_key *key)
{
	const struct dp_exchange *x = &pool->worker_half[index];

	if (x->piv != key->piv || x->context != key->context ||
		x->context_generation != key->generation || x->mid != key->mid ||
		x->tag_len != key->tag_len || memcmp(x->tag, key->tag, key->tag_len) ||
		!dp_flow_same_endpoint(&x->flow, key->flow))
		return false;
	struct dp_shared *shared = dp_exchange_shared(pool, index);

	return shared->request.token_len == key->token_len &&
		!memcmp(dp_shared_request_buf(shared), key->token, key->token_len);
}

uint32_t dp_in_flight_find(const struct dp_in_flight *in_flight, const struct dp_answer_key *key)
{
	uint32_t index = *chain(in_flight, key->context, key->piv);

	for (unsigned i = 0; i < CHAIN_MAX && index != DP_INDEX_NONE; i++) {
		if (matches(in_flight->pool, index, key))
			return index;
		index = in_flight->pool->worker_half[index].chain_next;
	}
	return DP_INDEX_NONE;
}

const uint8_t *dp_in_flight_tag(
	const struct dp_in_flight *in_flight, uint32_t context, uint32_t generation, uint64_t piv)
{
	uint32_t index = *chain(in_flight, context, piv);

	for (unsigned i = 0; i < CHAIN_MAX && index != DP_INDEX_NONE; i++) {
		const struct dp_exchange *x = &in_flight->pool->worker_half[index];

		if (x->piv == piv && x->context == context && x->context_generation == generation)
			return x->tag;
		index = x->chain_next;
	}
	return NULL;
}
