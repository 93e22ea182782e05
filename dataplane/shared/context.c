// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/context.h"

#include "dataplane/shared/exchange.h"
#include "dataplane/shared/memory.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

// Room for contexts that drain, and as many that retire, beside those of so many devices.
static uint32_t draining_room(uint32_t max_devices)
{
	return max_devices / 64 + 16;
}

const char *dp_context_state_name(enum dp_context_state state)
{
	static const char *const names[DP_CONTEXT_STATE_COUNT] = {
		[DP_CONTEXT_WINDOW_UNKNOWN] = "window-unknown",
		[DP_CONTEXT_ECHO_PENDING] = "echo-pending",
		[DP_CONTEXT_ACTIVE] = "active",
		[DP_CONTEXT_REPLAY_LOCKED] = "replay-locked",
		[DP_CONTEXT_REKEYING] = "rekeying",
		[DP_CONTEXT_DRAINING] = "draining",
	};

	return state < DP_CONTEXT_STATE_COUNT ? names[state] : "?";
}

static size_t context_bytes(const struct dp_context_table *table)
{
	return sizeof(struct dp_context) * ((size_t)table->entries + table->shares);
}

static size_t side_bytes(const struct dp_context_table *table)
{
	return sizeof(struct dp_side) * ((size_t)table->entries + table->shares);
}

static void shares_init(struct dp_context_table *table)
{
	for (uint32_t i = 0; i < table->shares; i++) {
		struct dp_context *ctx = &table->context[table->entries + i];

		ctx->owner = (uint8_t)(i / DP_PASS_SHARES);
		ctx->generation = DP_PASS_GENERATION;
		ctx->in_flight = DP_INDEX_NONE;
		ctx->state = DP_CONTEXT_ACTIVE;
	}
}

struct dp_context_table *dp_context_table_create(uint32_t max_devices)
{
	return dp_context_table_create_for(max_devices, 0);
}

struct dp_context_table *dp_context_table_create_for(uint32_t max_devices, unsigned workers)
{
	struct dp_context_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	keyed_hash_init(&table->id_context_hash);
	keyed_hash_init(&table->endpoint_hash);
	table->max = max_devices;
	table->clock.used = -1;
	table->clock.limit = -1;
	table->draining_max = draining_room(max_devices);
	table->entries = max_devices + 2 * table->draining_max;
	int rc = dp_names_init(&table->names, table->entries);

	// All workers read the first line of each, and its owner writes the second.
	table->shares = workers * DP_PASS_SHARES;
	table->context = dp_map(context_bytes(table), DP_MAP_ALL);
	table->long_keys =
		dp_map(sizeof(struct dp_long_keys) * (size_t)table->entries, DP_MAP_LAZY);
	table->side = dp_map(side_bytes(table), DP_MAP_LAZY);
	if (rc || !table->context || !table->long_keys || !table->side) {
		dp_context_table_free(table);
		errno = ENOMEM;
		return NULL;
	}
	table->locked = dp_map_lock(table->context, context_bytes(table)) &&
		dp_map_lock(table->long_keys, sizeof(struct dp_long_keys) * (size_t)table->entries);
	for (uint32_t i = 0; i < table->entries; i++)
		table->context[i].owner = DP_OWNER_NONE;
	shares_init(table);
	return table;
}

void dp_context_table_free(struct dp_context_table *table)
{
	if (!table)
		return;

	dp_names_fini(&table->names);
	if (table->context) {
		sodium_memzero(table->context, context_bytes(table));
		dp_unmap(table->context, context_bytes(table));
	}
	if (table->long_keys) {
		// Never touched pages are the zero page; to drop them is to wipe them.
		dp_unmap(table->long_keys, sizeof(struct dp_long_keys) * (size_t)table->entries);
	}
	dp_unmap(table->side, side_bytes(table));
	free(table);
}

size_t dp_context_key_bytes(const struct dp_context_table *table)
{
	return context_bytes(table) + sizeof(struct dp_long_keys) * (size_t)table->entries;
}

size_t dp_context_table_bytes(const struct dp_context_table *table)
{
	return dp_names_bytes(&table->names) + context_bytes(table);
}

// Counts a device that has an ID Context like this one more (1) or less (-1), 0 for none.
static void context_length_count(struct dp_context_table *table, uint64_t id_context, int change)
{
	uint8_t len = id_context;
	uint64_t bit = UINT64_C(1) << len % 64;
	uint64_t *word = &table->id_context_lens[len / 64];

	if (!id_context)
		return;
	table->id_context_len_count[len] += change;
	__atomic_store_n(word, table->id_context_len_count[len] ? *word | bit : *word & ~bit,
		__ATOMIC_RELEASE);
}

// Counts a device that comes (1) or goes (-1): workers refuse ids of a length that no device has.
// In the names it is there in either case.
static void lengths_count(struct dp_context_table *table, uint32_t index, int change)
{
	const struct dp_context_key *key = &table->names.kin[index].key;

	table->kid_len_count[key->kid_len] += change;
	__atomic_store_n(&table->kid_lens,
		table->kid_len_count[key->kid_len] ? table->kid_lens | 1 << key->kid_len
						   : table->kid_lens & ~(1 << key->kid_len),
		__ATOMIC_RELEASE);
	context_length_count(table, key->id_context, change);
	context_length_count(table, table->names.second[index].id_context, change);
}

int dp_context_place(struct dp_context_table *table, const struct dp_context_key *key,
	const struct dp_context_key *second, uint32_t *index, uint32_t *generation)
{
	assert(!second || (second->id_context && second->id_context != key->id_context));
	if (table->count >= table->max)
		return -ENOSPC;
	if (dp_context_find(table, key) >= 0 || (second && dp_context_find(table, second) >= 0))
		return -EEXIST;
	// A worker may find the index from here on; an even generation says that no context is
	// there.
	int rc = dp_names_join(&table->names, key, second, index);

	if (rc)
		return rc;
	table->count++;
	lengths_count(table, *index, 1);
	*generation = table->context[*index].generation + 1;
	return 0;
}

// Writes only where something stands: a page that was never used stays unmapped.
static void side_wipe(struct dp_side *side)
{
	if (!sodium_is_zero((const uint8_t *)side, sizeof(*side)))
		sodium_memzero(side, sizeof(*side));
}

// Each is a number of its own, so a worker may see them in any order.
static void limits_write(struct dp_context *ctx, const struct dp_context_limits *limits)
{
	__atomic_store_n(&ctx->max_message, limits->max_message, __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->max_in_flight, limits->max_in_flight, __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->permit, limits->permit, __ATOMIC_RELAXED);
}

// Where the own Partial IVs of a context begin.
static void own_begin(struct dp_context_table *table, struct dp_context *ctx,
	const struct dp_context_params *params)
{
	uint64_t first = params->own_first;

	if (params->flags & DP_CONTEXT_OWN_PIV_CLOCK) {
		// Windows of these devices are never kept, so a known one is that of new keys.
		uint64_t clock = (uint64_t)dp_clock_begin(&table->clock, params->window_known)
			<< DP_CLOCK_BITS;

		ctx->own_next = clock > first ? clock : first;
		return;
	}
	if (params->flags & DP_CONTEXT_OWN_PIV_PLAIN) {
		ctx->own_next = 0;
		return;
	}
	assert(first <= DP_COUNTER_MAX + 1);
	ctx->run_base = params->run_base;
	// Of a device that derives its contexts 0 may have been used already: the first answer of a
	// run of appendix B.2 has it, and a client can choose to come back to that context.
	ctx->own_counter = params->flags & DP_CONTEXT_REDERIVE && !first ? 1 : first;
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
	limits_write(ctx, &params->limits);
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
	own_begin(table, ctx, params);
	ctx->in_flight = DP_INDEX_NONE;
	ctx->in_flight_count = 0;
	ctx->rate_at = 0;
	ctx->share_at = 0;
	ctx->accepted = 0;
	ctx->last_accepted_s = 0;
	__atomic_store_n(&ctx->owner, DP_OWNER_NONE, __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
}

int dp_context_limit(struct dp_context_table *table, uint32_t index, uint32_t generation,
	const struct dp_context_limits *limits)
{
	struct dp_context *ctx = &table->context[index];

	if (dp_context_live(ctx) != generation)
		return -ENOENT;
	limits_write(ctx, limits);
	return 0;
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
	return dp_names_own(&table->names, key);
}

void dp_context_unlink(struct dp_context_table *table, const struct dp_context_key *key)
{
	int64_t index = dp_context_find(table, key);

	if (index < 0)
		return;
	dp_names_leave(&table->names, index);
	table->count--;
	lengths_count(table, index, -1);
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
	dp_names_release(&table->names, index);
}
