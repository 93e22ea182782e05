// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/context.h"

#include "dataplane/shared/exchange.h"
#include "dataplane/shared/memory.h"

#include <rte_errno.h>
#include <rte_hash.h>

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HASH_ENTRIES_MIN 8 // the smallest table that rte_hash makes

// Contexts for so many devices, and room for those that retire.
static uint32_t context_entries(uint32_t max_devices)
{
	return max_devices + max_devices / 64 + 16;
}

// Each may have an alias.
static uint32_t hash_entries(uint32_t max_devices)
{
	return RTE_MAX(2 * context_entries(max_devices), (uint32_t)HASH_ENTRIES_MIN);
}

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
	table->entries = context_entries(max_devices);
	table->free = DP_INDEX_NONE;
	const struct rte_hash_parameters params = {
		.name = name,
		.entries = hash_entries(max_devices),
		.key_len = sizeof(struct dp_context_key),
		.socket_id = SOCKET_ID_ANY,
		// No hash function: all callers bring a keyed hash. Lock-free readers; extendable
		// buckets, so that all names always fit.
		.extra_flag =
			RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF | RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	table->hash = rte_hash_create(&params);
	// All workers read the first line of each, and its owner writes the second.
	table->context = dp_map(sizeof(struct dp_context) * (size_t)table->entries, DP_MAP_ALL);
	table->long_keys =
		dp_map(sizeof(struct dp_long_keys) * (size_t)table->entries, DP_MAP_LAZY);
	table->side = dp_map(sizeof(struct dp_side) * (size_t)table->entries, DP_MAP_LAZY);
	table->kin = dp_map(sizeof(struct dp_kin) * (size_t)table->entries, DP_MAP_LAZY);
	if (!table->hash || !table->context || !table->long_keys || !table->side || !table->kin) {
		dp_context_table_free(table);
		errno = ENOMEM;
		return NULL;
	}
	table->locked =
		dp_map_lock(table->context, sizeof(struct dp_context) * (size_t)table->entries) &&
		dp_map_lock(table->long_keys, sizeof(struct dp_long_keys) * (size_t)table->entries);
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
	dp_unmap(table->kin, sizeof(struct dp_kin) * (size_t)table->entries);
	free(table);
}

size_t dp_context_key_bytes(const struct dp_context_table *table)
{
	return (sizeof(struct dp_context) + sizeof(struct dp_long_keys)) * (size_t)table->entries;
}

size_t dp_context_hash_bytes(uint32_t max_devices)
{
	size_t entries = hash_entries(max_devices);

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

// Counts a device that comes (1) or goes (-1): workers refuse ids of a length that no device has.
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

// Main: what the hash has under a name: false if it is not there.
static bool name_get(
	const struct dp_context_table *table, const struct dp_context_key *key, uint64_t *value)
{
	void *data;

	if (rte_hash_lookup_with_hash_data(table->hash, key, dp_context_hash(table, key), &data) <
		0)
		return false;
	*value = (uintptr_t)data;
	return true;
}

// Adds a name, or changes in one store what it names.
static int name_put(
	struct dp_context_table *table, const struct dp_context_key *key, uint64_t value)
{
	return rte_hash_add_key_with_hash_data(
		table->hash, key, dp_context_hash(table, key), (void *)(uintptr_t)value);
}

// The position is not free before name_free(), for readers take no lock.
static uint32_t name_delete(struct dp_context_table *table, const struct dp_context_key *key)
{
	int32_t position =
		rte_hash_del_key_with_hash(table->hash, key, dp_context_hash(table, key));

	return position < 0 ? DP_POSITION_NONE : (uint32_t)position;
}

static void name_free(struct dp_context_table *table, uint32_t position)
{
	if (position != DP_POSITION_NONE)
		rte_hash_free_key_with_position(table->hash, position);
}

static struct dp_context_key shared_name(const struct dp_context_key *key)
{
	struct dp_context_key shared = *key;

	shared.id_context = 0;
	return shared;
}

static uint32_t index_take(struct dp_context_table *table)
{
	uint32_t index = table->free;

	if (index != DP_INDEX_NONE)
		table->free = table->kin[index].next;
	else if (table->unused < table->entries)
		index = table->unused++;
	return index;
}

static void index_give(struct dp_context_table *table, uint32_t index)
{
	table->kin[index] = (struct dp_kin){.next = table->free};
	table->free = index;
}

// Lets (kid, none) name the context without ID Context, else the only one with this kid, else none.
// `member` is one of the ring, the plain one if there is one.
static int shared_write(
	struct dp_context_table *table, const struct dp_context_key *shared, uint32_t member)
{
	const struct dp_kin *kin = &table->kin[member];
	uint32_t named = kin->plain || kin->next == member ? member : DP_INDEX_NONE;

	return name_put(table, shared, (uint64_t)member << 32 | named);
}

// Puts a context into the ring of those with its kid, and its names into the hash.
static int kin_join(
	struct dp_context_table *table, const struct dp_context_key *key, uint32_t index)
{
	const struct dp_context_key shared = shared_name(key);
	struct dp_kin *kin = &table->kin[index];
	uint64_t value;
	bool others = name_get(table, &shared, &value);
	uint32_t member = others ? value >> 32 : index;
	int rc;

	*kin = (struct dp_kin){.next = index,
		.prev = index,
		.position = DP_POSITION_NONE,
		.shared_position = DP_POSITION_NONE,
		.plain = !key->id_context};
	if (key->id_context) {
		rc = name_put(table, key, index);
		if (rc < 0)
			return rc;
	}
	if (others) {
		kin->next = table->kin[member].next;
		kin->prev = member;
		table->kin[kin->next].prev = index;
		table->kin[member].next = index;
	}
	rc = shared_write(table, &shared, kin->plain ? index : member);
	if (rc < 0 && key->id_context)
		name_free(table, name_delete(table, key));
	return rc;
}

// Takes a context out of the ring, and its names out of the hash.
static void kin_leave(
	struct dp_context_table *table, const struct dp_context_key *key, uint32_t index)
{
	const struct dp_context_key shared = shared_name(key);
	struct dp_kin *kin = &table->kin[index];
	uint32_t other = kin->next;
	uint64_t value;

	if (key->id_context)
		kin->position = name_delete(table, key);
	if (other == index) {
		kin->shared_position = name_delete(table, &shared);
		return;
	}
	table->kin[kin->prev].next = kin->next;
	table->kin[kin->next].prev = kin->prev;
	// The one that stands there, if it stays: it may be the one without ID Context.
	if (name_get(table, &shared, &value) && value >> 32 != index)
		other = value >> 32;
	int rc = shared_write(table, &shared, other);

	(void)rc; // the name is there, so it needs no room
}

int dp_context_place(struct dp_context_table *table, const struct dp_context_key *key,
	uint32_t *index, uint32_t *generation)
{
	if (table->count >= table->max)
		return -ENOSPC;
	if (dp_context_find(table, key) >= 0)
		return -EEXIST;
	uint32_t taken = index_take(table);

	if (taken == DP_INDEX_NONE)
		return -EAGAIN;
	// A worker may find the index from here on; an even generation says that no context is
	// there.
	int rc = kin_join(table, key, taken);

	if (rc < 0) {
		index_give(table, taken);
		return rc == -ENOSPC ? -EAGAIN : rc;
	}
	table->count++;
	lengths_count(table, key, 1);
	*index = taken;
	*generation = table->context[taken].generation + 1;
	return 0;
}

// Writes only where something stands: a page that was never used stays unmapped.
static void side_wipe(struct dp_side *side)
{
	if (!sodium_is_zero((const uint8_t *)side, sizeof(*side)))
		sodium_memzero(side, sizeof(*side));
}

// Each is a number of its own, so a worker may see them in any order.
static void limits_write(struct dp_context *ctx, uint16_t max_message, uint8_t max_in_flight)
{
	__atomic_store_n(&ctx->max_message, max_message ? max_message : DP_MESSAGE_DEFAULT,
		__ATOMIC_RELAXED);
	__atomic_store_n(&ctx->max_in_flight, max_in_flight, __ATOMIC_RELAXED);
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
	limits_write(ctx, params->max_message, params->max_in_flight);
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
	ctx->rate_at = 0;
	ctx->share_at = 0;
	ctx->accepted = 0;
	ctx->last_accepted_s = 0;
	__atomic_store_n(&ctx->owner, DP_OWNER_NONE, __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->generation, ctx->generation + 1, __ATOMIC_RELEASE);
}

int dp_context_limits(struct dp_context_table *table, uint32_t index, uint32_t generation,
	uint16_t max_message, uint8_t max_in_flight)
{
	struct dp_context *ctx = &table->context[index];

	if (dp_context_live(ctx) != generation)
		return -ENOENT;
	limits_write(ctx, max_message, max_in_flight);
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
	uint64_t value;

	if (!name_get(table, key, &value))
		return -ENOENT;
	uint32_t index = value;

	// An alias is no name that a device was added under.
	if (!key->id_context && (index == DP_INDEX_NONE || !table->kin[index].plain))
		return -ENOENT;
	return index;
}

void dp_context_unlink(struct dp_context_table *table, const struct dp_context_key *key)
{
	int64_t index = dp_context_find(table, key);

	if (index < 0)
		return;
	kin_leave(table, key, index);
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
	name_free(table, table->kin[index].position);
	name_free(table, table->kin[index].shared_position);
	index_give(table, index);
}
