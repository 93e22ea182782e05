// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/names.h"

#include "dataplane/shared/memory.h"

#include <errno.h>
#include <string.h>

#define NAMES_MAX      3  // of a context
#define IN_USE_OF_WAYS 4  // slots of a bucket, of DP_NAME_WAYS, if each context has as many
#define BUCKETS_MIN    11 // a prime number

// The buckets in which a name may be: its home, and a step further each time. The step follows
// from the home, so that all its names take one way; and as the number of buckets is a prime, that
// way passes each of them once.
struct way {
	uint32_t bucket;
	uint32_t step;
};

static struct way way_at(const struct dp_names *names, uint32_t home)
{
	uint32_t spread = home * UINT32_C(0x9e3779b1);

	return (struct way){home, 1 + ((uint64_t)spread * (names->buckets - 1) >> 32)};
}

static void way_on(const struct dp_names *names, struct way *way)
{
	uint64_t next = (uint64_t)way->bucket + way->step;

	way->bucket = next < names->buckets ? next : next - names->buckets;
}

static unsigned reach_of(const struct dp_names *names, uint32_t home)
{
	return __atomic_load_n(&names->bucket[home].reach, __ATOMIC_RELAXED);
}

static bool is_prime(uint32_t n)
{
	for (uint32_t d = 2; (uint64_t)d * d <= n; d++)
		if (n % d == 0)
			return false;
	return true;
}

static uint32_t bucket_count(uint32_t entries)
{
	uint32_t n = (uint64_t)NAMES_MAX * entries / IN_USE_OF_WAYS + 1;

	if (n < BUCKETS_MIN)
		return BUCKETS_MIN;
	while (!is_prime(n))
		n++;
	return n;
}

static size_t bucket_bytes(const struct dp_names *names)
{
	return sizeof(*names->bucket) * (size_t)names->buckets;
}

static size_t kin_bytes(const struct dp_names *names)
{
	return sizeof(*names->kin) * (size_t)names->entries;
}

static size_t second_bytes(const struct dp_names *names)
{
	return sizeof(*names->second) * (size_t)names->entries;
}

int dp_names_init(struct dp_names *names, uint32_t entries)
{
	*names = (struct dp_names){.entries = entries, .free = DP_INDEX_NONE};
	if (entries > DP_NAME_INDEX)
		return -EINVAL;
	names->buckets = bucket_count(entries);
	keyed_hash_init(&names->hash);
	names->bucket = dp_map(bucket_bytes(names), DP_MAP_ALL);
	names->kin = dp_map(kin_bytes(names), DP_MAP_LAZY);
	names->second = dp_map(second_bytes(names), DP_MAP_LAZY);
	return names->bucket && names->kin && names->second ? 0 : -ENOMEM;
}

void dp_names_fini(struct dp_names *names)
{
	dp_unmap(names->bucket, bucket_bytes(names));
	dp_unmap(names->kin, kin_bytes(names));
	dp_unmap(names->second, second_bytes(names));
	names->bucket = NULL;
	names->kin = NULL;
	names->second = NULL;
}

size_t dp_names_bytes(const struct dp_names *names)
{
	return bucket_bytes(names) + kin_bytes(names);
}

// --- slots -----------------------------------------------------------------------------------

struct slot {
	uint32_t bucket;
	uint8_t way;    // of the bucket
	uint8_t beyond; // the home, in buckets of its way
};

static uint64_t *slot_hash(const struct dp_names *names, const struct slot *slot)
{
	return &names->bucket[slot->bucket].hash[slot->way];
}

static uint32_t *slot_named(const struct dp_names *names, const struct slot *slot)
{
	return &names->bucket[slot->bucket].named[slot->way];
}

static uint32_t slot_number(const struct slot *slot)
{
	return slot->bucket * DP_NAME_WAYS + slot->way;
}

// Whether what stands in a slot is the name; else another one has its hash.
static bool slot_is(const struct dp_names *names, uint32_t named, const struct dp_context_key *key)
{
	const struct dp_context_key *kin = &names->kin[named & DP_NAME_INDEX].key;

	if (memcmp(kin, key, offsetof(struct dp_context_key, id_context)))
		return false;
	if (named & DP_NAME_SECOND)
		return key->id_context == names->second[named & DP_NAME_INDEX].id_context;
	return key->id_context == (named & DP_NAME_SHARED ? 0 : kin->id_context);
}

// Finds the slot of a name and what it holds. `in_full` is main's: it takes no hash for a name.
static bool slot_find(const struct dp_names *names, const struct dp_context_key *key, uint64_t hash,
	bool in_full, struct slot *slot, uint32_t *named)
{
	struct way way = way_at(names, dp_names_home(names, hash));
	unsigned reach = reach_of(names, way.bucket);

	for (unsigned beyond = 0; beyond <= reach; beyond++, way_on(names, &way)) {
		for (unsigned i = 0; i < DP_NAME_WAYS; i++) {
			*slot = (struct slot){way.bucket, i, beyond};
			if (__atomic_load_n(slot_hash(names, slot), __ATOMIC_ACQUIRE) !=
				dp_name_mark(hash))
				continue;
			*named = __atomic_load_n(slot_named(names, slot), __ATOMIC_ACQUIRE);
			if ((!in_full && !(*named & DP_NAME_TWIN)) || slot_is(names, *named, key))
				return true;
		}
	}
	return false;
}

// Keeps the first free slot for a name that workers do not find yet.
static bool slot_keep(const struct dp_names *names, uint64_t hash, struct slot *slot)
{
	struct way way = way_at(names, dp_names_home(names, hash));

	for (unsigned beyond = 0; beyond <= DP_NAMES_REACH_MAX; beyond++, way_on(names, &way)) {
		for (unsigned i = 0; i < DP_NAME_WAYS; i++) {
			*slot = (struct slot){way.bucket, i, beyond};
			if (*slot_hash(names, slot) != DP_NAME_FREE)
				continue;
			__atomic_store_n(slot_hash(names, slot), DP_NAME_KEPT, __ATOMIC_RELAXED);
			return true;
		}
	}
	return false;
}

// Marks all names with this hash. Returns whether there are any.
static bool twins_mark(const struct dp_names *names, uint64_t hash)
{
	struct way way = way_at(names, dp_names_home(names, hash));
	unsigned reach = reach_of(names, way.bucket);
	bool any = false;

	for (unsigned beyond = 0; beyond <= reach; beyond++, way_on(names, &way)) {
		for (unsigned i = 0; i < DP_NAME_WAYS; i++) {
			struct slot slot = {way.bucket, i, beyond};
			uint32_t *named = slot_named(names, &slot);

			if (*slot_hash(names, &slot) != dp_name_mark(hash))
				continue;
			__atomic_store_n(named, *named | DP_NAME_TWIN, __ATOMIC_RELEASE);
			any = true;
		}
	}
	return any;
}

// Lets workers find a name in the slot that was kept for it.
static void slot_publish(
	const struct dp_names *names, uint64_t hash, const struct slot *slot, uint32_t named)
{
	uint32_t *reach = &names->bucket[dp_names_home(names, hash)].reach;

	if (twins_mark(names, hash))
		named |= DP_NAME_TWIN;
	if (*reach < slot->beyond)
		__atomic_store_n(reach, slot->beyond, __ATOMIC_RELAXED);
	__atomic_store_n(slot_named(names, slot), named, __ATOMIC_RELEASE);
	__atomic_store_n(slot_hash(names, slot), dp_name_mark(hash), __ATOMIC_RELEASE);
}

static void slot_free(const struct dp_names *names, uint32_t number)
{
	const struct slot slot = {number / DP_NAME_WAYS, number % DP_NAME_WAYS, 0};

	if (number != DP_INDEX_NONE)
		__atomic_store_n(slot_hash(names, &slot), DP_NAME_FREE, __ATOMIC_RELAXED);
}

// How far the names go that have their home here, when the furthest of them may have gone.
static void reach_settle(const struct dp_names *names, uint32_t home)
{
	struct way way = way_at(names, home);
	unsigned reach = reach_of(names, home), most = 0;

	for (unsigned beyond = 0; beyond <= reach; beyond++, way_on(names, &way)) {
		for (unsigned i = 0; i < DP_NAME_WAYS; i++) {
			uint64_t hash = names->bucket[way.bucket].hash[i];

			if (hash > DP_NAME_KEPT && dp_names_home(names, hash) == home)
				most = beyond;
		}
	}
	__atomic_store_n(&names->bucket[home].reach, most, __ATOMIC_RELAXED);
}

// Takes a name out. Returns its slot, which stays kept, for readers take no lock.
static uint32_t slot_retire(const struct dp_names *names, const struct dp_context_key *key)
{
	uint64_t hash = dp_names_hash(names, key);
	struct slot slot;
	uint32_t named;

	if (!slot_find(names, key, hash, true, &slot, &named))
		return DP_INDEX_NONE;
	__atomic_store_n(slot_hash(names, &slot), DP_NAME_KEPT, __ATOMIC_RELEASE);
	if (slot.beyond)
		reach_settle(names, dp_names_home(names, hash));
	return slot_number(&slot);
}

uint32_t dp_names_far(const struct dp_names *names, const struct dp_context_key *key, uint64_t hash)
{
	struct slot slot;
	uint32_t named;

	if (!slot_find(names, key, hash, false, &slot, &named) || named & DP_NAME_NOBODY)
		return DP_INDEX_NONE;
	return named & DP_NAME_INDEX;
}

void dp_names_prefetch_far(const struct dp_names *names, uint64_t hash)
{
	struct way way = way_at(names, dp_names_home(names, hash));

	way_on(names, &way);
	rte_prefetch0(&names->bucket[way.bucket]);
}

// --- contexts --------------------------------------------------------------------------------

static struct dp_context_key shared_name(const struct dp_context_key *key)
{
	struct dp_context_key shared = *key;

	shared.id_context = 0;
	return shared;
}

static uint32_t index_take(struct dp_names *names)
{
	uint32_t index = names->free;

	if (index != DP_INDEX_NONE)
		names->free = names->kin[index].next_free;
	else if (names->unused < names->entries)
		index = names->unused++;
	return index;
}

static void index_give(struct dp_names *names, uint32_t index)
{
	names->kin[index] = (struct dp_kin){.next_free = names->free};
	names->free = index;
}

// What (kid, none) says: the context without ID Context, else the only one with this kid, else
// nobody. `member` is one of the ring, the one without ID Context if there is one.
static uint32_t shared_value(const struct dp_names *names, uint32_t member)
{
	const struct dp_kin *kin = &names->kin[member];
	bool is_named = !kin->key.id_context || kin->next == member;

	return member | DP_NAME_SHARED | (is_named ? 0 : DP_NAME_NOBODY);
}

// Changes in one store what (kid, none) says.
static void shared_write(const struct dp_names *names, const struct slot *slot, uint32_t member)
{
	uint32_t *named = slot_named(names, slot);

	__atomic_store_n(
		named, shared_value(names, member) | (*named & DP_NAME_TWIN), __ATOMIC_RELEASE);
}

// What a context that joins will stand in.
struct joining {
	struct slot own, second, shared;
	bool has_own, has_second, has_shared; // kept, or to be kept
};

static void joining_end(const struct dp_names *names, const struct joining *joining)
{
	if (joining->has_own)
		slot_free(names, slot_number(&joining->own));
	if (joining->has_second)
		slot_free(names, slot_number(&joining->second));
	if (joining->has_shared)
		slot_free(names, slot_number(&joining->shared));
}

// Keeps all slots that a context needs, or none and returns false.
static bool joining_keep(const struct dp_names *names, const struct dp_context_key *key,
	const struct dp_context_key *second, const struct dp_context_key *shared,
	struct joining *joining)
{
	struct joining kept = {0};
	bool good = true;

	if (key->id_context)
		good = kept.has_own = slot_keep(names, dp_names_hash(names, key), &kept.own);
	if (good && second)
		good = kept.has_second =
			slot_keep(names, dp_names_hash(names, second), &kept.second);
	if (good && shared)
		good = kept.has_shared =
			slot_keep(names, dp_names_hash(names, shared), &kept.shared);
	if (!good)
		joining_end(names, &kept);
	*joining = kept;
	return good;
}

// Into the ring of those with its kid, of which one is a member.
static void ring_join(struct dp_names *names, uint32_t member, uint32_t index)
{
	struct dp_kin *kin = &names->kin[index];

	kin->next = names->kin[member].next;
	kin->prev = member;
	names->kin[kin->next].prev = index;
	names->kin[member].next = index;
}

int dp_names_join(struct dp_names *names, const struct dp_context_key *key,
	const struct dp_context_key *second, uint32_t *index)
{
	const struct dp_context_key shared_key = shared_name(key);
	uint64_t shared_hash = dp_names_hash(names, &shared_key);
	struct joining joining;
	struct slot shared;
	uint32_t named, taken = index_take(names);

	if (taken == DP_INDEX_NONE)
		return -EAGAIN;
	bool others = slot_find(names, &shared_key, shared_hash, true, &shared, &named);

	// All that can fail comes before anything is found.
	if (!joining_keep(names, key, second, others ? NULL : &shared_key, &joining)) {
		index_give(names, taken);
		return -EAGAIN;
	}
	names->kin[taken] = (struct dp_kin){.key = *key, .next = taken, .prev = taken};
	if (second)
		names->second[taken].id_context = second->id_context;
	if (joining.has_own)
		slot_publish(names, dp_names_hash(names, key), &joining.own, taken);
	if (joining.has_second)
		slot_publish(names, dp_names_hash(names, second), &joining.second,
			taken | DP_NAME_SECOND);
	if (others) {
		uint32_t member = named & DP_NAME_INDEX;

		ring_join(names, member, taken);
		shared_write(names, &shared, key->id_context ? member : taken);
	} else {
		slot_publish(names, shared_hash, &joining.shared, shared_value(names, taken));
	}
	*index = taken;
	return 0;
}

int64_t dp_names_own(const struct dp_names *names, const struct dp_context_key *key)
{
	struct slot slot;
	uint32_t named;

	if (!slot_find(names, key, dp_names_hash(names, key), true, &slot, &named))
		return -ENOENT;
	uint32_t index = named & DP_NAME_INDEX;

	// An alias is no name that a device was added under.
	return named & DP_NAME_SECOND || key->id_context == names->kin[index].key.id_context
		? (int64_t)index
		: -ENOENT;
}

// (kid, none) is there if it is a context's own name, an alias, or nobody's since several have it.
bool dp_names_has_kid(const struct dp_names *names, const struct dp_context_key *key)
{
	const struct dp_context_key shared = shared_name(key);
	struct slot slot;
	uint32_t named;

	return slot_find(names, &shared, dp_names_hash(names, &shared), true, &slot, &named);
}

void dp_names_leave(struct dp_names *names, uint32_t index)
{
	struct dp_kin *kin = &names->kin[index];
	const struct dp_context_key shared_key = shared_name(&kin->key);
	uint32_t other = kin->next, own_slot = DP_INDEX_NONE, shared_slot = DP_INDEX_NONE, named;
	struct slot slot;

	if (kin->key.id_context)
		own_slot = slot_retire(names, &kin->key);
	if (names->second[index].id_context) {
		struct dp_context_key second = kin->key;

		second.id_context = names->second[index].id_context;
		names->second[index].slot = slot_retire(names, &second);
	}
	if (other == index) {
		shared_slot = slot_retire(names, &shared_key);
	} else {
		names->kin[kin->prev].next = kin->next;
		names->kin[kin->next].prev = kin->prev;
		// The one that stands there, if it stays: it may be the one without ID Context.
		if (slot_find(names, &shared_key, dp_names_hash(names, &shared_key), true, &slot,
			    &named)) {
			uint32_t member = named & DP_NAME_INDEX;

			shared_write(names, &slot, member != index ? member : other);
		}
	}
	kin->own_slot = own_slot;
	kin->shared_slot = shared_slot;
}

void dp_names_release(struct dp_names *names, uint32_t index)
{
	slot_free(names, names->kin[index].own_slot);
	slot_free(names, names->kin[index].shared_slot);
	if (names->second[index].id_context) {
		slot_free(names, names->second[index].slot);
		names->second[index] = (struct dp_second){0};
	}
	index_give(names, index);
}
