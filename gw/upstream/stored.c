// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/stored.h"

#include "gw/upstream/cache.h"

#include <string.h>

#define SLOTS_A_TURN 4096

void up_loop_stored(struct up_loop *loop, struct up_stored_ask *ask)
{
	ask->count = 0;
	ask->over = ask->done = false;
	ask->next = ask->from;
	__atomic_store_n(&loop->stored, ask, __ATOMIC_RELEASE);
	dp_doorbell_ring(&loop->config.upstream->bell);
}

bool up_stored_pending(const struct up_loop *loop)
{
	return __atomic_load_n(&loop->stored, __ATOMIC_RELAXED);
}

static void query_add(struct up_stored *to, const struct coap_option *option)
{
	size_t more = option->len + (to->query_len ? 1u : 0u);

	if (more > sizeof(to->query) - to->query_len)
		return;
	if (to->query_len)
		to->query[to->query_len++] = '&';
	memcpy(to->query + to->query_len, option->value, option->len);
	to->query_len += option->len;
}

// The options of the request that an entry answers; false: none can be made of its key.
static bool request_of(
	const struct dp_representation *rep, uint8_t buf[DP_REP_KEY_MAX], struct coap_body *body)
{
	uint16_t len = dp_rep_key_request(rep->bytes, rep->key_len, buf, DP_REP_KEY_MAX);

	return len && coap_body_parse(body, buf, len) == COAP_OK;
}

static void tell(const struct up_loop *loop, const struct up_cache_entry *entry,
	const struct dp_representation *rep, const struct coap_body *body, struct up_stored *to)
{
	const struct up_cache *cache = loop->cache;
	struct coap_option_iter iter;
	struct coap_option option;
	uint32_t accept;

	*to = (struct up_stored){
		.route = entry->route,
		.context = entry->owner,
		.generation = entry->generation,
		.age_ms = loop->now_ms - rep->stored_ms,
		.bytes = rep->payload_len,
		.observers = dp_rep_pins(cache->table, entry->slot),
		.content_format = rep->content_format,
		.code = rep->code,
		.private = !entry->shared,
		.pushed = entry->given,
		.fetch = dp_rep_key_code(rep->bytes) == COAP_FETCH,
	};
	if (dp_rep_is_fresh(cache->reps, rep, loop->now_ms))
		to->fresh_ms =
			rep->fresh_ms == UINT64_MAX ? UINT64_MAX : rep->fresh_ms - loop->now_ms;
	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		if (option.number == COAP_OPT_URI_QUERY)
			query_add(to, &option);
		if (option.number != COAP_OPT_ACCEPT || !coap_option_uint(&option, &accept))
			continue;
		to->has_accept = true;
		to->accept = (uint16_t)accept;
	}
}

static void look(struct up_loop *loop, struct up_stored_ask *ask, uint32_t slot)
{
	const struct up_cache *cache = loop->cache;
	const struct up_cache_entry *entry = cache->entry[slot];
	const struct dp_representation *rep = entry ? dp_rep_at(cache->table, slot) : NULL;
	uint8_t buf[DP_REP_KEY_MAX];
	struct coap_body body;

	if (!rep || rep->epoch_index != dp_rep_epoch_index(ask->path) ||
		!request_of(rep, buf, &body) ||
		dp_rep_path_hash(&cache->reps->paths, &body) != ask->path)
		return;
	tell(loop, entry, rep, &body, &ask->found[ask->count++]);
}

void up_stored_turn(struct up_loop *loop)
{
	struct up_stored_ask *ask = __atomic_load_n(&loop->stored, __ATOMIC_ACQUIRE);
	uint32_t slots = loop->cache ? loop->cache->table->slots : 0;

	if (!ask)
		return;
	for (unsigned i = 0; i < SLOTS_A_TURN && ask->next < slots && ask->count < UP_STORED_MAX;
		i++)
		look(loop, ask, ask->next++);
	ask->over = ask->next >= slots;
	if (!ask->over && ask->count < UP_STORED_MAX)
		return;
	__atomic_store_n(&loop->stored, NULL, __ATOMIC_RELAXED);
	__atomic_store_n(&ask->done, true, __ATOMIC_RELEASE);
}
