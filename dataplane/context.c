// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/context.h"

#include "dataplane/exchange.h"
#include "dataplane/memory.h"

#include <rte_errno.h>
#include <rte_hash.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HASH_ENTRIES_MIN 8 // the smallest table that rte_hash makes

const char *dp_context_state_name(enum dp_context_state state)
{
	static const char *const names[DP_CONTEXT_STATE_COUNT] = {
		[DP_CONTEXT_WINDOW_UNKNOWN] = "window-unknown",
		[DP_CONTEXT_ECHO_PENDING] = "echo-pending",
		[DP_CONTEXT_ACTIVE] = "active",
		[DP_CONTEXT_REPLAY_LOCKED] = "replay-locked",
	};

	return state < DP_CONTEXT_STATE_COUNT ? names[state] : "?";
}

void dp_context_key_make(const struct dp_context_table *table, struct dp_context_key *key,
	const uint8_t *kid, uint8_t kid_len, bool has_id_context, const uint8_t *id_context,
	uint8_t id_context_len)
{
	memset(key, 0, sizeof(*key));
	key->kid_len = kid_len;
	if (kid_len)
		memcpy(key->kid, kid, kid_len);
	if (has_id_context) {
		uint64_t hash = keyed_hash(&table->id_context_hash, id_context, id_context_len);

		key->id_context = (hash | 1) << 8 | id_context_len;
	}
}

struct dp_context_table *dp_context_table_create(uint32_t max_devices)
{
	static unsigned serial; // names of rte_hash are unique in a process
	char name[RTE_HASH_NAMESIZE];
	struct dp_context_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	snprintf(name, sizeof(name), "contexts%u", serial++);
	keyed_hash_init(&table->key_hash);
	keyed_hash_init(&table->id_context_hash);
	table->max = max_devices;
	table->clock.used = -1;
	table->clock.limit = -1;
	table->entries = max_devices < HASH_ENTRIES_MIN ? HASH_ENTRIES_MIN : max_devices;
	const struct rte_hash_parameters params = {
		.name = name,
		.entries = table->entries,
		.key_len = sizeof(struct dp_context_key),
		.socket_id = SOCKET_ID_ANY,
		// No hash function: all callers bring a keyed hash. Lock-free readers; extendable
		// buckets, so that max_devices always fit.
		.extra_flag =
			RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	table->hash = rte_hash_create(&params);
	table->context = dp_map(sizeof(struct dp_context) * (size_t)table->entries, DP_MAP_HOT);
	table->long_keys =
		dp_map(sizeof(struct dp_long_keys) * (size_t)table->entries, DP_MAP_LAZY);
	table->side = dp_map(sizeof(struct dp_side) * (size_t)table->entries, DP_MAP_LAZY);
	if (!table->hash || !table->context || !table->long_keys || !table->side) {
		dp_context_table_free(table);
		errno = ENOMEM;
		return NULL;
	}
	for (uint32_t i = 0; i < table->entries; i++)
		table->context[i].owner = DP_OWNER_NONE;
	return table;
}

void dp_context_table_free(struct dp_context_table *table)
{
	if (!table)
		return;

	rte_hash_free(table->hash);
	if (table->context) {
		sodium_memzero(table->context, sizeof(struct dp_context) * (size_t)table->entries);
		dp_unmap(table->context, sizeof(struct dp_context) * (size_t)table->entries);
	}
	if (table->long_keys) {
		// Never touched pages are the zero page; to drop them is to wipe them.
		dp_unmap(table->long_keys, sizeof(struct dp_long_keys) * (size_t)table->entries);
	}
	dp_unmap(table->side, sizeof(struct dp_side) * (size_t)table->entries);
	free(table);
}

size_t dp_context_hash_bytes(uint32_t max_devices)
{
	size_t entries = max_devices < HASH_ENTRIES_MIN ? HASH_ENTRIES_MIN : max_devices;

	// Of rte_hash: a key with its data is 32 bytes, a bucket of 8 is 64 and there is as much
	// again for extension, and two rings of free slots.
	return entries * 32 + 2 * sizeof(uint32_t) * rte_align32pow2(entries + 1) +
		2 * 64 * (rte_align32pow2(entries) / 8);
}

size_t dp_context_table_bytes(const struct dp_context_table *table)
{
	return dp_context_hash_bytes(table->max) +
		sizeof(struct dp_context) * (size_t)table->entries;
}

// A device came (1) or goes (-1): workers refuse lengths of ids that nobody has.
static void lengths_count(
	struct dp_context_table *table, const struct dp_context_key *key, int change)
{
	uint8_t len = key->id_context;
	uint64_t bit = UINT64_C(1) << len % 64;
	uint64_t *word = &table->id_context_lens[len / 64];

	table->kid_len_count[key->kid_len] += change;
	__atomic_store_n(&table->kid_lens,
		table->kid_len_count[key->kid_len] ? table->kid_lens | 1 << key->kid_len
						   : table->kid_lens & ~(1 << key->kid_len),
		__ATOMIC_RELEASE);
	if (!key->id_context)
		return;
	table->id_context_len_count[len] += change;
	__atomic_store_n(word, table->id_context_len_count[len] ? *word | bit : *word & ~bit,
		__ATOMIC_RELEASE);
}

int dp_context_place(struct dp_context_table *table, const struct dp_context_key *key,
	uint32_t *index, uint32_t *generation)
{
	if (table->count >= table->max)
		return -ENOSPC;
	uint32_t hash = dp_context_hash(table, key);

	if (rte_hash_lookup_with_hash(table->hash, key, hash) >= 0)
		return -EEXIST;
	int32_t position = rte_hash_add_key_with_hash(table->hash, key, hash);

	if (position < 0)
		return position;
	// A worker may find the index now; the even generation tells it that nobody is there.
	table->count++;
	lengths_count(table, key, 1);
	*index = position;
	*generation = table->context[position].generation + 1;
	return 0;
}

// Writes only where something stands: a page that nobody used stays unmapped.
static void side_wipe(struct dp_side *side)
{
	if (!sodium_is_zero((const uint8_t *)side, sizeof(*side)))
		sodium_memzero(side, sizeof(*side));
}

void dp_context_publish(
	struct dp_context_table *table, uint32_t index, const struct dp_context_params *params)
{
	struct dp_context *ctx = &table->context[index];
	const struct aead_alg_info *alg = &aead_algs[params->alg];

	ctx->flags = params->flags & ~DP_CONTEXT_LONG_KEYS;
	if (alg->key_len > DP_KEY_INLINE) {
		struct dp_long_keys *keys = &table->long_keys[index];

		ctx->flags |= DP_CONTEXT_LONG_KEYS;
		memcpy(keys->recipient_key, params->keys->recipient_key, alg->key_len);
		memcpy(keys->sender_key, params->keys->sender_key, alg->key_len);
	} else {
		memcpy(ctx->recipient_key, params->keys->recipient_key, alg->key_len);
		memcpy(ctx->sender_key, params->keys->sender_key, alg->key_len);
	}
	memcpy(ctx->common_iv, params->keys->common_iv, alg->nonce_len);
	ctx->sender_id_len = params->sender_id_len;
	memcpy(ctx->sender_id, params->sender_id, sizeof(ctx->sender_id));
	ctx->alg = params->alg;
	ctx->max_message = params->max_message ? params->max_message : DP_MESSAGE_DEFAULT;
	ctx->window = params->window;
	ctx->state = params->window_known ? DP_CONTEXT_ACTIVE : DP_CONTEXT_WINDOW_UNKNOWN;
	ctx->mark = 0;
	side_wipe(&table->side[index]);
	if (params->flags & DP_CONTEXT_FLOOR) {
		// Everything below the mark may have been accepted before; nothing above it was.
		if (!params->window_known && params->mark)
			osc_window_open_at(&ctx->window, params->mark - 1);
		ctx->state = DP_CONTEXT_ACTIVE;
		ctx->mark = params->mark;
	}
	ctx->fingerprint = params->fingerprint;
	if (params->flags & DP_CONTEXT_OWN_PIV_CLOCK) {
		// Windows of these devices are never kept, so a known one is that of new keys.
		ctx->own_next = (uint64_t)dp_clock_begin(&table->clock, params->window_known)
			<< DP_CLOCK_BITS;
	} else {
		ctx->run_base = params->run_base;
		ctx->own_counter = 0;
	}
	ctx->in_flight = DP_INDEX_NONE;
	ctx->in_flight_count = 0;
	ctx->max_in_flight = params->max_in_flight;
	ctx->rate_at = 0;
	ctx->share_at = 0;
	ctx->accepted = 0;
	ctx->last_seen_s = 0;
	__atomic_store_n(&ctx->owner, DP_OWNER_NONE, __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
}

void dp_context_resync(struct dp_context_table *table, uint32_t index, uint64_t from)
{
	struct dp_context *ctx = &table->context[index];
	struct dp_side *side = &table->side[index];

	if (ctx->flags & DP_CONTEXT_FLOOR) {
		if (from > ctx->window.next)
			osc_window_open_at(&ctx->window, from - 1);
		if (from > ctx->mark)
			ctx->mark = from;
		__atomic_store_n(&ctx->state, DP_CONTEXT_ACTIVE, __ATOMIC_RELAXED);
		return;
	}
	side->unknown_phases++;
	side->challenged = 0;
	__atomic_store_n(&ctx->state, DP_CONTEXT_WINDOW_UNKNOWN, __ATOMIC_RELAXED);
}

int64_t dp_context_find(const struct dp_context_table *table, const struct dp_context_key *key)
{
	int32_t position = rte_hash_lookup_with_hash(table->hash, key, dp_context_hash(table, key));

	return position < 0 ? -ENOENT : position;
}

void dp_context_unlink(struct dp_context_table *table, const struct dp_context_key *key)
{
	// With lock-free readers the position is not free before dp_context_release().
	if (rte_hash_del_key_with_hash(table->hash, key, dp_context_hash(table, key)) < 0)
		return;
	table->count--;
	lengths_count(table, key, -1);
}

void dp_context_release(struct dp_context_table *table, uint32_t index)
{
	struct dp_context *ctx = &table->context[index];
	uint32_t generation = ctx->generation;

	if (ctx->flags & DP_CONTEXT_LONG_KEYS)
		sodium_memzero(&table->long_keys[index], sizeof(struct dp_long_keys));
	sodium_memzero(ctx, sizeof(*ctx));
	ctx->generation = generation;
	ctx->owner = DP_OWNER_NONE;
	side_wipe(&table->side[index]);
	rte_hash_free_key_with_position(table->hash, index);
}
