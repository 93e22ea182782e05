// SPDX-License-Identifier: BSD-3-Clause
// Entries: who they count for, who gives way, when they go.

#include "dataplane/shared/memory.h"
#include "gw/upstream/cache.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/observed.h"
#include "gw/upstream/snapshot.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SHARE     10   // part of the room that entries of one device may take
#define SERVICE   2    // the same of what services publish by themselves
#define STEPS_MAX 4096 // of the clock, for one entry
#define RETIRED   4    // part of the room that objects may take that workers still read

int up_cache_create(struct up_loop *loop)
{
	const struct conf_store_limits *limits = &loop->config.conf->cache;
	struct dp_reps *reps = loop->config.reps;
	struct up_cache *cache;

	if (!reps)
		return 0;
	loop->cache = cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	cache->reps = reps;
	cache->table = &reps->table[loop->config.loop];
	for (cache->owner_count = 1; cache->owner_count < loop->config.conf->devices.max;)
		cache->owner_count *= 2;
	cache->bytes_max = limits->memory / loop->config.loops;
	cache->bytes_max -= cache->bytes_max / RETIRED;
	cache->count_max = limits->entries / loop->config.loops;
	if (cache->count_max > cache->table->slots)
		cache->count_max = cache->table->slots;
	// Half of what is beside the entries; the other half is for what waits for workers.
	cache->table->older_max = limits->memory / loop->config.loops / RETIRED / 2;
	TAILQ_INIT(&cache->watched);
	TAILQ_INIT(&cache->streams);
	cache->streams_ms = UINT64_MAX;
	TAILQ_INIT(&cache->service.entries);
	for (unsigned i = 0; i < UP_CACHE_CHAINS; i++)
		TAILQ_INIT(&cache->fetches[i]);
	cache->entry = dp_map(cache->table->slots * sizeof(cache->entry[0]), DP_MAP_LAZY);
	cache->owner = dp_map(cache->owner_count * sizeof(cache->owner[0]), DP_MAP_LAZY);
	return cache->entry && cache->owner ? 0 : -ENOMEM;
}

// The objects of the table are freed with it.
void up_cache_free(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;

	if (!cache)
		return;
	for (uint32_t i = 0; cache->count && i < cache->table->slots; i++)
		if (cache->entry[i])
			up_cache_drop(loop, cache->entry[i]);
	dp_unmap(cache->owner, cache->owner_count * sizeof(cache->owner[0]));
	dp_unmap(cache->entry, cache->table->slots * sizeof(cache->entry[0]));
	free(cache);
	loop->cache = NULL;
}

// ---- whose they are

static struct up_cache_owner *owner_of(struct up_cache *cache, uint32_t context)
{
	if (context == DP_INDEX_NONE)
		return &cache->service;
	return &cache->owner[context & (cache->owner_count - 1)];
}

static void owner_add(
	struct up_cache *cache, struct up_cache_entry *entry, const struct up_cache_whose *whose)
{
	struct up_cache_owner *owner = owner_of(cache, whose->context);

	entry->owner = whose->context;
	entry->generation = whose->generation;
	entry->fingerprint = whose->fingerprint;
	if (!owner->count)
		TAILQ_INIT(&owner->entries);
	TAILQ_INSERT_TAIL(&owner->entries, entry, of_owner);
	owner->count++;
	owner->bytes += entry->bytes;
}

static void owner_remove(struct up_cache *cache, struct up_cache_entry *entry)
{
	struct up_cache_owner *owner = owner_of(cache, entry->owner);

	TAILQ_REMOVE(&owner->entries, entry, of_owner);
	owner->count--;
	owner->bytes -= entry->bytes;
}

// What an owner may have of `all`.
static size_t share_of(uint32_t context, size_t all)
{
	return all / (context == DP_INDEX_NONE ? SERVICE : SHARE);
}

// Entries of a route, and their bytes: what is there now.
static void gauge_add(struct up_loop *loop, uint16_t route_slot, int64_t entries, int64_t bytes)
{
	uint64_t *stat = loop->routes[route_slot].cache;

	__atomic_store_n(&stat[UP_CACHE_STAT_entries],
		stat[UP_CACHE_STAT_entries] + (uint64_t)entries, __ATOMIC_RELAXED);
	__atomic_store_n(&stat[UP_CACHE_STAT_bytes], stat[UP_CACHE_STAT_bytes] + (uint64_t)bytes,
		__ATOMIC_RELAXED);
}

static void entry_forget(struct up_loop *loop, struct up_cache_entry *entry)
{
	struct up_cache *cache = loop->cache;

	up_observed_forget(loop, entry);
	owner_remove(cache, entry);
	cache->count--;
	cache->bytes -= entry->bytes;
	cache->entry[entry->slot] = NULL;
	gauge_add(loop, entry->route_slot, -1, -(int64_t)entry->bytes);
	sodium_memzero(entry, sizeof(*entry));
	free(entry);
}

void up_cache_drop(struct up_loop *loop, struct up_cache_entry *entry)
{
	dp_rep_drop(loop->cache->table, entry->slot);
	entry_forget(loop, entry);
}

// false: it is observed.
static bool entry_evict(struct up_loop *loop, struct up_cache_entry *entry)
{
	if (!dp_rep_evict(loop->cache->table, entry->slot))
		return false;
	dp_route_count(&loop->routes[entry->route_slot].cache[UP_CACHE_STAT_evicted]);
	entry_forget(loop, entry);
	return true;
}

struct up_cache_entry *up_cache_find(
	struct up_cache *cache, const struct dp_rep_key *key, const struct dp_representation **rep)
{
	uint32_t slot;

	*rep = dp_rep_find(cache->table, key, &slot);
	return *rep ? cache->entry[slot] : NULL;
}

// ---- room

// The oldest of the owner's own give way to so much more of it, until it is within its share.
// false: they are observed, or it is larger than the share.
static bool share_make(struct up_loop *loop, uint32_t context, size_t bytes, unsigned entries)
{
	struct up_cache *cache = loop->cache;
	const struct up_cache_owner *owner = owner_of(cache, context);
	const size_t bytes_max = share_of(context, cache->bytes_max);
	const size_t count_max = share_of(context, cache->count_max);
	struct up_cache_entry *entry, *next;

	if (bytes > bytes_max)
		return false;
	for (entry = TAILQ_FIRST(&owner->entries);
		entry && (owner->bytes + bytes > bytes_max || owner->count + entries > count_max);
		entry = next) {
		next = TAILQ_NEXT(entry, of_owner);
		entry_evict(loop, entry);
	}
	return owner->bytes + bytes <= bytes_max && owner->count + entries <= count_max;
}

// Has entries that were not used since the hand passed them give way, until there is room.
static bool room_make(struct up_loop *loop, size_t bytes, unsigned entries)
{
	struct up_cache *cache = loop->cache;
	struct dp_rep_table *table = cache->table;

	for (unsigned i = 0; i < STEPS_MAX &&
		(cache->bytes + bytes > cache->bytes_max ||
			cache->count + entries > cache->count_max);
		i++) {
		struct up_cache_entry *entry = cache->entry[cache->hand];
		struct dp_rep_slot *slot = &table->slot[cache->hand];

		cache->hand = (cache->hand + 1) & (table->slots - 1);
		if (!entry)
			continue;
		if (__atomic_load_n(&slot->used, __ATOMIC_RELAXED))
			__atomic_store_n(&slot->used, false, __ATOMIC_RELAXED);
		else
			entry_evict(loop, entry);
	}
	return cache->bytes + bytes <= cache->bytes_max &&
		cache->count + entries <= cache->count_max;
}

// Who asks for a slot, and when.
struct asking {
	const struct up_cache *cache;
	uint32_t owner;
	uint64_t now_ms;
};

// What is fresh gives way to its own owner only.
static bool may_give_way(void *arg, uint32_t slot)
{
	const struct asking *asking = arg;
	const struct up_cache_entry *entry = asking->cache->entry[slot];
	const struct dp_representation *rep = dp_rep_at(asking->cache->table, slot);

	return !entry || entry->owner == asking->owner ||
		!dp_rep_is_fresh(asking->cache->reps, rep, asking->now_ms);
}

// Others give way to an entry that grows. It is held meanwhile, so that it is none of them.
static void growth_make(struct up_loop *loop, const struct up_cache_entry *entry, size_t more)
{
	struct dp_rep_table *table = loop->cache->table;
	uint32_t slot = entry->slot;

	if (!dp_rep_pin(table, slot, table->hash[slot]))
		return;
	if (share_make(loop, entry->owner, more, 0))
		(void)room_make(loop, more, 0);
	dp_rep_unpin(table, slot);
}

void up_cache_replace(
	struct up_loop *loop, struct up_cache_entry *entry, struct dp_representation *rep)
{
	struct up_cache *cache = loop->cache;
	size_t bytes = dp_rep_bytes(rep) + sizeof(*entry);

	owner_of(cache, entry->owner)->bytes += bytes - entry->bytes;
	cache->bytes += bytes - entry->bytes;
	gauge_add(loop, entry->route_slot, 0, (int64_t)bytes - (int64_t)entry->bytes);
	entry->bytes = bytes;
	uint64_t before = dp_rep_at(cache->table, entry->slot)->version;

	dp_rep_publish(cache->table, entry->slot, rep);
	up_observed_published(loop, entry, rep->version != before);
}

// Publishes in the slot of the same key: what it costs may change, and what a device had stored is
// the service's from when that publishes it.
static struct up_cache_entry *replace(struct up_loop *loop, struct up_cache_entry *entry,
	const struct up_cache_whose *whose, struct dp_representation *rep, size_t bytes)
{
	struct up_cache *cache = loop->cache;

	if (whose->given && entry->owner != whose->context) {
		owner_remove(cache, entry);
		owner_add(cache, entry, whose);
	}
	if (bytes > entry->bytes)
		growth_make(loop, entry, bytes - entry->bytes);
	if (cache->bytes - entry->bytes + bytes > cache->bytes_max ||
		owner_of(cache, entry->owner)->bytes - entry->bytes + bytes >
			share_of(entry->owner, cache->bytes_max)) {
		dp_rep_discard(rep);
		up_cache_drop(loop, entry); // what it was is no longer so
		return NULL;
	}
	entry->given = whose->given;
	up_cache_replace(loop, entry, rep);
	return entry;
}

// An entry for a slot that is free now.
static struct up_cache_entry *entry_make(
	struct up_loop *loop, const struct up_cache_whose *whose, uint32_t slot, size_t bytes)
{
	struct up_cache *cache = loop->cache;
	struct up_cache_entry *entry = calloc(1, sizeof(*entry));

	if (!entry)
		return NULL;
	*entry = (struct up_cache_entry){
		.slot = slot,
		.route_slot = whose->route_slot,
		.shared = whose->route->cache.scope == CONF_CACHE_SHARED,
		.given = whose->given,
		.route = whose->route->cache.id,
		.bytes = bytes,
	};
	owner_add(cache, entry, whose);
	cache->count++;
	cache->bytes += bytes;
	cache->entry[slot] = entry;
	gauge_add(loop, whose->route_slot, 1, (int64_t)bytes);
	return entry;
}

size_t up_cache_largest(
	const struct up_cache *cache, uint32_t context, const struct dp_rep_key *key)
{
	size_t share = share_of(context, cache->bytes_max);
	size_t over = dp_rep_bytes_of(key->len, 0) + sizeof(struct up_cache_entry);

	return share > over ? share - over : 0;
}

struct up_cache_entry *up_cache_publish(struct up_loop *loop, const struct up_cache_whose *whose,
	const struct dp_rep_key *key, struct dp_representation *rep)
{
	struct up_cache *cache = loop->cache;
	const struct dp_representation *before;
	struct up_cache_entry *entry = up_cache_find(cache, key, &before);
	size_t bytes = dp_rep_bytes(rep) + sizeof(*entry);
	struct asking asking = {cache, whose->context, loop->now_ms};

	dp_rep_reclaim(cache->table);
	if (entry)
		return replace(loop, entry, whose, rep, bytes);
	bool room = share_make(loop, whose->context, bytes, 1) && room_make(loop, bytes, 1) &&
		cache->table->bytes < cache->bytes + cache->bytes_max / (RETIRED - 1);
	uint32_t slot = room
		? dp_rep_place(cache->table, key->hash, key->bytes, key->len, may_give_way, &asking)
		: DP_INDEX_NONE;

	if (slot != DP_INDEX_NONE && cache->entry[slot] && !entry_evict(loop, cache->entry[slot]))
		slot = DP_INDEX_NONE;
	if (slot != DP_INDEX_NONE)
		entry = entry_make(loop, whose, slot, bytes);
	if (!entry) {
		dp_rep_discard(rep);
		return NULL;
	}
	dp_rep_publish(cache->table, slot, rep);
	up_observed_published(loop, entry, true);
	return entry;
}

// ---- what is gone

bool up_cache_has_route(const struct up_loop *loop, uint64_t id)
{
	const struct conf *conf = loop->snapshot->conf;

	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].cache.id == id && conf->routes[i].home == loop->config.loop + 1)
			return true;
	return false;
}

void up_cache_routes_gone(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;

	for (uint32_t i = 0; cache && cache->count && i < cache->table->slots; i++)
		if (cache->entry[i] && !up_cache_has_route(loop, cache->entry[i]->route))
			up_cache_drop(loop, cache->entry[i]);
}

void up_cache_device_gone(struct up_loop *loop, uint32_t context, uint32_t generation)
{
	struct up_cache_owner *owner = loop->cache ? owner_of(loop->cache, context) : NULL;
	struct up_cache_entry *entry, *next;

	for (entry = owner ? TAILQ_FIRST(&owner->entries) : NULL; entry; entry = next) {
		next = TAILQ_NEXT(entry, of_owner);
		if (!entry->shared && entry->owner == context &&
			(int32_t)(generation - entry->generation) >= 0)
			up_cache_drop(loop, entry);
	}
}

// Main said of more devices that they are gone than there was room for.
void up_cache_devices_lost(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;

	for (uint32_t i = 0; cache && cache->count && i < cache->table->slots; i++) {
		struct up_cache_entry *entry = cache->entry[i];

		if (entry && !entry->shared &&
			!up_device_is_there(loop, entry->owner, entry->generation))
			up_cache_drop(loop, entry);
	}
}

void up_loop_purge(struct up_loop *loop)
{
	__atomic_fetch_add(&loop->cache_purges, 1, __ATOMIC_RELEASE);
	dp_doorbell_ring(&loop->config.upstream->bell);
}

bool up_cache_pending(const struct up_loop *loop)
{
	return loop->cache &&
		__atomic_load_n(&loop->cache_purges, __ATOMIC_ACQUIRE) != loop->cache->purges;
}

void up_cache_turn(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;
	uint32_t purges;

	if (!cache)
		return;
	dp_rep_older_turn(cache->table, loop->now_ms);
	dp_rep_reclaim(cache->table);
	purges = __atomic_load_n(&loop->cache_purges, __ATOMIC_ACQUIRE);
	if (purges == cache->purges)
		return;
	cache->purges = purges;
	for (uint32_t i = 0; cache->count && i < cache->table->slots; i++)
		if (cache->entry[i])
			up_cache_drop(loop, cache->entry[i]);
	memset(cache->pass, 0, sizeof(cache->pass));
}

#define RECLAIM_MS 10 // between looks for objects that workers have left

uint64_t up_cache_next_ms(const struct up_loop *loop)
{
	if (!loop->cache)
		return UINT64_MAX;
	return loop->cache->table->retired ? loop->now_ms + RECLAIM_MS
					   : dp_rep_older_due_ms(loop->cache->table);
}
