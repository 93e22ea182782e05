// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/answer_index.h"

#include "dataplane/shared/bucket.h"
#include "dataplane/shared/memory.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_RING_MIN (64 * 1024)
#define ANSWERS_EACH     8    // least records of the ring to one bucket
#define ANSWERS_WAYS     15   // of a bucket: one in sixty gets more of 8 by chance, ...
#define ANSWERS_BUCKETS  4    // ... and then uses the others of as many side by side
#define WAY_OFFSET_MAX   30   // bits of an offset in a way
#define RECORD_MAX       1024 // units of the smallest: struct answer_record says so

// A share is there again in EXCHANGE_LIFETIME (RFC 7252 section 4.8.2): longer, nothing is copied.
#define SHARE_FILL (247 * 1000 * DP_BUCKET_PER_MS)

// The bits of the name's hash that a record has. The low ones choose the bucket.
#define NAME_BITS  46
#define NAME_SHIFT (64 - NAME_BITS)

enum record_kind {
	RECORD_SILENT,
	RECORD_BYTES,  // the CoAP bytes stand behind it
	RECORD_DIGEST, // the answer can be made again
};

// In the ring at multiples of its size, so that it lies in one cache line. A record never wraps. It
// is small because each answer writes one through the cache. All times are low bits.
struct answer_record {
	uint64_t request;          // hash of endpoint, message id, token and tag
	uint64_t value;            // RECORD_DIGEST: that; RECORD_BYTES: how many
	uint64_t name : NAME_BITS; // hash of context, generation and Partial IV
	uint64_t last : 18;        // when it was sent last, in milliseconds after first_ms
	uint64_t first_ms : 32;    // when it was sent first
	uint64_t tag : 16;         // dp_answer_tag()
	uint64_t size : 11;        // of the whole record, in units of this header
	uint64_t copies : 3;       // sent
	uint64_t kind : 2;         // enum record_kind
};

#define RECORD sizeof(struct answer_record)
_Static_assert(RECORD == 32, "half a cache line");
_Static_assert(DP_ANSWER_KEPT_MS < 1 << 18 && DP_ANSWER_RESENDS_MAX < 1 << 3, "in their fields");
// With the rest of the ring, where that is less than another one.
_Static_assert(2 * RECORD_MAX - 2 < 1 << 11, "in its field");

// A cache line of the index: its ways say where records are, the newest first, as each record comes
// first and pushes one out. A way has, from the top, bits of the name's hash, which spare a look at
// the record, for that is a miss: a replay of a request without an answer costs this line alone;
// one bit for the ring; and the low bits of the record's offset, in units of the smallest record.
//
// Where all 15 are held, a record goes to a bucket beside its own: a few together are never full
// while one of them is by chance.
struct answers_bucket {
	uint32_t way[ANSWERS_WAYS];
	uint32_t spilled; // the first ring's head when a record went to another one last
};

// Offsets count all that was ever written, in units of the smallest record, so that they only rise;
// the place is offset & mask. What a way has of one seems to be held again once so much more was
// written as its bits can say. So no byte of a ring is left as it was while the ring turns: what
// the way names then is of another record, which does not match.
struct answers_ring {
	uint8_t *bytes;
	uint64_t mask;
	uint64_t head; // where the next record goes
	uint64_t tail; // oldest record held
	uint64_t last; // newest record, if tail < head
};

enum { RING_SHARES, RING_BEYOND, RINGS };

struct dp_answer_index {
	struct dp_answer_hashes hashes; // the first, see dp_answer_hashes()
	struct answers_ring ring[RINGS];
	uint64_t oldest_ms;  // when the oldest record was written that was asked for; 0: none was
	uint32_t share_cost; // of the smallest record, in time of a bucket
	struct answers_bucket *bucket;
	uint32_t bucket_mask;
	uint32_t offset_mask; // of a way; its ring is the bit above
	// A way whose own bucket was full, if that is not NULL. It takes its place when the next
	// one waits: by then the line of the bucket beside is here.
	uint32_t waits;
	struct answers_bucket *waits_own;
};
_Static_assert(offsetof(struct dp_answer_index, hashes) == 0, "dp_answer_hashes() finds it");

static bool ring_create(struct answers_ring *ring, size_t bytes)
{
	ring->mask = bytes / RECORD - 1;
	// What a bucket has at first is not held.
	ring->head = ring->tail = bytes / RECORD;
	ring->bytes = dp_map(bytes, DP_MAP_HOT);
	return ring->bytes != NULL;
}

struct dp_answer_index *dp_answer_index_create(size_t bytes)
{
	struct dp_answer_index *answers = calloc(1, sizeof(*answers));

	if (!answers)
		return NULL;
	bytes = rte_align64pow2(bytes < ANSWERS_RING_MIN ? ANSWERS_RING_MIN : bytes);
	if (bytes > DP_ANSWERS_BYTES_MAX) {
		free(answers);
		errno = EINVAL;
		return NULL;
	}
	keyed_hash_init(&answers->hashes.request);
	keyed_hash_init(&answers->hashes.digest);
	keyed_hash_init(&answers->hashes.fold);
	size_t share = RTE_MAX(bytes / DP_ANSWER_SHARES, (size_t)DP_ANSWER_SHARE_MIN);

	answers->share_cost = RECORD * (share < SHARE_FILL ? SHARE_FILL / share : 1);
	answers->bucket_mask = bytes / RECORD / ANSWERS_EACH - 1;
	// Four times the ring: what is gone rarely stays in a way for so long that it seems held.
	answers->offset_mask = RTE_MIN(4 * (bytes / RECORD), (uint64_t)1 << WAY_OFFSET_MAX) - 1;
	answers->bucket =
		dp_map(sizeof(*answers->bucket) * (answers->bucket_mask + (size_t)1), DP_MAP_HOT);
	if (!ring_create(&answers->ring[RING_SHARES], bytes) ||
		!ring_create(&answers->ring[RING_BEYOND], bytes / DP_ANSWER_BEYOND) ||
		!answers->bucket) {
		dp_answer_index_free(answers);
		errno = ENOMEM;
		return NULL;
	}
	return answers;
}

void dp_answer_index_free(struct dp_answer_index *answers)
{
	if (!answers)
		return;
	for (unsigned i = 0; i < RINGS; i++)
		dp_unmap(answers->ring[i].bytes, (answers->ring[i].mask + 1) * RECORD);
	dp_unmap(answers->bucket, sizeof(*answers->bucket) * (answers->bucket_mask + (size_t)1));
	free(answers);
}

uint64_t dp_answer_endpoint(const struct dp_answer_index *answers, const struct dp_flow *flow)
{
	const struct keyed_hash *key = &answers->hashes.request;
	uint32_t ports = flow->remote_port | (uint32_t)flow->local_port << 16;
	const uint8_t *remote = flow->remote_addr, *local = flow->local_addr;

	if (flow->family == 4)
		return dp_answer_endpoint4(answers,
			keyed_hash_read4(remote) | (uint64_t)keyed_hash_read4(local) << 32, ports,
			flow->port_id);
	return keyed_hash_finish(key,
		keyed_hash_pair(key, DP_ANSWER_WORDS_ENDPOINT6, keyed_hash_read8(remote),
			keyed_hash_read8(remote + 8)) +
			keyed_hash_pair(key, DP_ANSWER_WORDS_ENDPOINT6 + 2, keyed_hash_read8(local),
				keyed_hash_read8(local + 8)) +
			keyed_hash_pair(key, DP_ANSWER_WORDS_ENDPOINT6 + 4, ports, flow->port_id));
}

// Hashes blocks, and then their hashes under another key: those of 8 KB at a time.
uint64_t dp_answer_digest_long(
	const struct dp_answer_index *answers, const uint8_t *bytes, size_t len)
{
	uint64_t hash[KEYED_HASH_MAX / 8];
	unsigned n = 0;

	for (size_t part; len; bytes += part, len -= part) {
		part = RTE_MIN(len, (size_t)KEYED_HASH_MAX);
		if (n == RTE_DIM(hash)) {
			hash[0] = keyed_hash(&answers->hashes.fold, hash, sizeof(hash));
			n = 1;
		}
		hash[n++] = keyed_hash(&answers->hashes.digest, bytes, part);
	}
	return keyed_hash(&answers->hashes.fold, hash, n * sizeof(hash[0]));
}

static struct answers_bucket *answers_bucket(const struct dp_answer_index *answers, uint64_t name)
{
	return &answers->bucket[name & answers->bucket_mask];
}

// What a way has of a name, and what of it is that.
static uint32_t way_hash_mask(const struct dp_answer_index *answers)
{
	return ~(2 * answers->offset_mask + 1);
}

static uint32_t way_hash(const struct dp_answer_index *answers, uint64_t name)
{
	return (uint32_t)(name >> 32) & way_hash_mask(answers);
}

static struct answer_record *record_at(const struct answers_ring *ring, uint64_t offset)
{
	return (struct answer_record *)(ring->bytes + (offset & ring->mask) * RECORD);
}

// Drops the oldest records until everything below `end` may be written.
static void make_room(struct answers_ring *ring, uint64_t end)
{
	while (ring->tail < ring->head && end - ring->tail > ring->mask + 1)
		ring->tail += record_at(ring, ring->tail)->size;
}

// Where a record of this size may be written: at the head, which is moved to a place for it.
static struct answer_record *ring_head(struct answers_ring *ring, uint32_t size)
{
	uint64_t room = ring->mask + 1 - (ring->head & ring->mask);

	if (room < size) {
		// A record never wraps: the one before it is stretched over the rest of the ring.
		make_room(ring, ring->head + room);
		memset(record_at(ring, ring->head), 0, room * RECORD);
		if (ring->tail < ring->head)
			record_at(ring, ring->last)->size += room;
		else
			ring->tail += room;
		ring->head += room;
	}
	make_room(ring, ring->head + size);
	return record_at(ring, ring->head);
}

static unsigned way_ring(const struct dp_answer_index *answers, uint32_t way)
{
	return (way & (answers->offset_mask + 1)) != 0;
}

static struct answer_record *way_record(const struct dp_answer_index *answers, uint32_t way)
{
	return record_at(&answers->ring[way_ring(answers, way)], way & answers->offset_mask);
}

// How far an offset lies behind the head of a ring, in units of the smallest record.
static uint32_t offset_age(
	const struct dp_answer_index *answers, const struct answers_ring *ring, uint32_t offset)
{
	return ((uint32_t)ring->head - offset) & answers->offset_mask;
}

static uint32_t ring_held(const struct answers_ring *ring)
{
	return ring->head - ring->tail;
}

static bool way_held(const struct dp_answer_index *answers, uint32_t way)
{
	const struct answers_ring *ring = &answers->ring[way_ring(answers, way)];

	return offset_age(answers, ring, way) - 1 < ring_held(ring);
}

// Whether the record of a way may be that of a request with this name, and is still held.
static bool way_matches(const struct dp_answer_index *answers, uint32_t way, uint64_t name)
{
	return !((way ^ way_hash(answers, name)) & way_hash_mask(answers)) &&
		way_held(answers, way);
}

// Bucket i of those side by side with this one, which is number 0.
static struct answers_bucket *bucket_beside(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned i)
{
	return &answers->bucket[(bucket - answers->bucket) ^ i];
}

// Whether records that the first ring may hold went to a bucket beside.
static bool bucket_spilled(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket)
{
	const struct answers_ring *ring = &answers->ring[RING_SHARES];

	return (uint32_t)ring->head - bucket->spilled <= ring_held(ring);
}

// What a way that gives way to a new record is worth: nothing if its record is gone, else that of
// the second ring is worth less than that of the first one, and the older of two is.
#define WORTH_BEYOND (UINT64_C(1) << 32)
#define WORTH_SHARES (UINT64_C(2) << 32)

// The way of a bucket that gives way, and its worth. For a record of the second ring none of the
// first does: without another one the worth is UINT64_MAX.
static uint64_t bucket_least(const struct dp_answer_index *answers, struct answers_bucket *bucket,
	unsigned ring, uint32_t **least)
{
	uint32_t older[RINGS] = {0};
	uint64_t worth_least = UINT64_MAX;

	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		unsigned of = way_ring(answers, bucket->way[i]);
		uint32_t age = offset_age(answers, &answers->ring[of], bucket->way[i]);
		// What seems younger than what came later has been gone for long.
		bool held = way_held(answers, bucket->way[i]) && age > older[of];
		uint64_t worth = held ? (of ? WORTH_BEYOND : WORTH_SHARES) + UINT32_MAX - age : 0;

		older[of] = RTE_MAX(older[of], age);
		if (worth < worth_least && (worth < WORTH_SHARES || ring == RING_SHARES)) {
			worth_least = worth;
			*least = &bucket->way[i];
		}
	}
	return worth_least;
}

// Puts the way that waits in a bucket, behind those that came while it did; the others up to `last`
// move on by one, and that is gone.
static void way_place(
	const struct dp_answer_index *answers, struct answers_bucket *bucket, uint32_t *last)
{
	const uint32_t placed = answers->waits;
	const unsigned of = way_ring(answers, placed);
	const struct answers_ring *ring = &answers->ring[of];
	uint32_t *way = bucket->way;

	while (way < last && way_ring(answers, *way) == of &&
		offset_age(answers, ring, *way) < offset_age(answers, ring, placed))
		way++;
	memmove(way + 1, way, (last - way) * sizeof(*way));
	*way = placed;
}

// Gives the way that waits its place, unless none gives way to it.
static void way_settle(const struct dp_answer_index *answers)
{
	struct answers_bucket *own = answers->waits_own, *to = NULL;
	uint64_t worth = UINT64_MAX;
	uint32_t *last = NULL;

	if (!way_held(answers, answers->waits))
		return; // it waited for long
	for (unsigned i = 1; i < ANSWERS_BUCKETS && worth; i++) {
		to = bucket_beside(answers, own, i);
		last = &to->way[ANSWERS_WAYS - 1];
		worth = way_held(answers, *last) ? UINT64_MAX : 0;
	}
	for (unsigned i = 0; i < ANSWERS_BUCKETS && worth; i++) {
		struct answers_bucket *bucket = bucket_beside(answers, own, i);
		uint32_t *of_bucket = NULL;
		uint64_t least = bucket_least(
			answers, bucket, way_ring(answers, answers->waits), &of_bucket);

		if (least >= worth)
			continue;
		worth = least;
		to = bucket;
		last = of_bucket;
	}
	if (worth == UINT64_MAX)
		return;
	if (to != own)
		own->spilled = answers->ring[RING_SHARES].head;
	way_place(answers, to, last);
}

static __attribute__((noinline)) void way_wait(
	struct dp_answer_index *answers, struct answers_bucket *own, uint32_t way)
{
	if (answers->waits_own)
		way_settle(answers);
	answers->waits = way;
	answers->waits_own = own;
	__builtin_prefetch(bucket_beside(answers, own, 1), 1);
}

// Puts a way first in its own bucket, or lets it wait.
static inline void way_add(
	struct dp_answer_index *answers, struct answers_bucket *own, uint32_t added)
{
	typedef uint32_t four __attribute__((vector_size(16), aligned(4)));
	uint32_t *way = own->way;

	if (unlikely(way_held(answers, way[ANSWERS_WAYS - 1]))) {
		way_wait(answers, own, added);
		return;
	}
	// In registers, for that is most of what a record costs the index.
	four a = *(four *)way, b = *(four *)(way + 4), c = *(four *)(way + 8);
	uint32_t twelfth = way[12], thirteenth = way[13];

	_Static_assert(ANSWERS_WAYS == 15, "so many are moved");
	way[0] = added;
	*(four *)(way + 1) = a;
	*(four *)(way + 5) = b;
	*(four *)(way + 9) = c;
	way[13] = twelfth;
	way[14] = thirteenth;
}

void dp_answer_index_prefetch(const struct dp_answer_index *answers, uint64_t name)
{
	__builtin_prefetch(answers_bucket(answers, name), 1);
}

static void bucket_prefetch_records(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, uint64_t name)
{
	for (unsigned i = 0; i < ANSWERS_WAYS; i++)
		if (way_matches(answers, bucket->way[i], name))
			__builtin_prefetch(way_record(answers, bucket->way[i]));
}

void dp_answer_index_prefetch_record(const struct dp_answer_index *answers, uint64_t name)
{
	const struct answers_bucket *bucket = answers_bucket(answers, name);

	bucket_prefetch_records(answers, bucket, name);
	for (unsigned i = 1; i < ANSWERS_BUCKETS && bucket_spilled(answers, bucket); i++)
		__builtin_prefetch(bucket_beside(answers, bucket, i));
}

// Writes a record, and returns it: NULL if it is not kept. value: of its kind; len: bytes behind
// it.
static inline __attribute__((always_inline)) struct answer_record *record_add(
	struct dp_answer_index *answers, const struct dp_answer_note *note, uint64_t now_ms,
	uint32_t *share_at, enum record_kind kind, uint64_t value, uint16_t len)
{
	uint32_t size = 1 + (len + RECORD - 1) / RECORD;
	bool within = dp_bucket_take(
		share_at, dp_bucket_now(now_ms), SHARE_FILL, size * answers->share_cost);
	unsigned which = within ? RING_SHARES : RING_BEYOND;
	struct answers_ring *ring = &answers->ring[which];

	if (len && size > RTE_MIN((ring->mask + 1) / 2, (uint64_t)RECORD_MAX))
		return NULL; // it would be the only one
	struct answer_record *record = ring_head(ring, size);

	*record = (struct answer_record){
		.request = note->request,
		.value = value,
		.name = note->name >> NAME_SHIFT,
		.first_ms = now_ms & UINT32_MAX,
		.tag = note->tag,
		.size = size,
		.kind = kind,
	};
	way_add(answers, answers_bucket(answers, note->name),
		way_hash(answers, note->name) | (which ? answers->offset_mask + 1 : 0) |
			(ring->head & answers->offset_mask));
	ring->last = ring->head;
	ring->head += size;
	return record;
}

void dp_answer_index_note(struct dp_answer_index *answers, const struct dp_answer_note *note,
	uint64_t now_ms, uint32_t *share_at)
{
	record_add(answers, note, now_ms, share_at, note->digest ? RECORD_DIGEST : RECORD_SILENT,
		note->digest, 0);
}

void dp_answer_index_keep(struct dp_answer_index *answers, const struct dp_answer_note *note,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len)
{
	struct answer_record *record = record_add(
		answers, note, now_ms, share_at, len ? RECORD_BYTES : RECORD_SILENT, len, len);

	if (record) {
		uint8_t *bytes = (uint8_t *)(record + 1);

		memcpy(bytes, coap, len);
		memset(bytes + len, 0, (record->size - 1) * RECORD - len);
	}
}

void dp_answer_index_put(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len)
{
	struct dp_answer_note note;

	dp_answer_note_make(answers, key, 0, &note);
	dp_answer_index_keep(answers, &note, now_ms, share_at, coap, len);
}

// Counts a copy that is to be sent now, if it may be.
static bool copy_take(struct answer_record *record, uint64_t now_ms)
{
	uint32_t age_ms = (uint32_t)now_ms - (uint32_t)record->first_ms;

	if (record->kind == RECORD_SILENT || record->copies >= DP_ANSWER_RESENDS_MAX ||
		age_ms > DP_ANSWER_KEPT_MS || age_ms - record->last < DP_ANSWER_RESEND_MS)
		return false;
	record->copies++;
	record->last = age_ms;
	return true;
}

// The record of this name, and of this request unless `any`, among some ways: NULL if it is not
// there.
static struct answer_record *record_among(const struct dp_answer_index *answers,
	const uint32_t *way, unsigned n, uint64_t name, uint64_t request, bool any)
{
	for (unsigned i = 0; i < n; i++) {
		if (!way_matches(answers, way[i], name))
			continue;
		struct answer_record *record = way_record(answers, way[i]);

		if (record->name == name >> NAME_SHIFT && (any || record->request == request))
			return record;
	}
	return NULL;
}

static struct answer_record *record_find(
	const struct dp_answer_index *answers, uint64_t name, uint64_t request, bool any)
{
	const struct answers_bucket *own = answers_bucket(answers, name);
	struct answer_record *record =
		record_among(answers, own->way, ANSWERS_WAYS, name, request, any);

	for (unsigned i = 1; i < ANSWERS_BUCKETS && !record && bucket_spilled(answers, own); i++)
		record = record_among(answers, bucket_beside(answers, own, i)->way, ANSWERS_WAYS,
			name, request, any);
	if (!record && answers->waits_own == own)
		record = record_among(answers, &answers->waits, 1, name, request, any);
	return record;
}

enum dp_answer_verdict dp_answer_index_find(struct dp_answer_index *answers,
	const struct dp_answer_key *key, uint64_t now_ms, struct dp_answer_found *found)
{
	struct answer_record *record =
		record_find(answers, key->name, dp_answer_request(answers, key), false);

	if (!record)
		return DP_ANSWER_NONE;
	if (!copy_take(record, now_ms))
		return DP_ANSWER_SILENT;
	if (record->kind == RECORD_DIGEST) {
		found->digest = record->value;
		return DP_ANSWER_AGAIN;
	}
	found->bytes = (const uint8_t *)(record + 1);
	found->len = record->value;
	return DP_ANSWER_RESEND;
}

bool dp_answer_index_tag(const struct dp_answer_index *answers, uint32_t context,
	uint32_t generation, uint64_t piv, uint16_t *tag)
{
	const struct answer_record *record =
		record_find(answers, dp_answer_name(answers, context, generation, piv), 0, true);

	if (record)
		*tag = record->tag;
	return record != NULL;
}

// A record has the low bits of its time. It is younger than the one that was the oldest before it,
// and the first one that is asked for is younger than they go round.
uint64_t dp_answer_index_oldest_ms(struct dp_answer_index *answers, uint64_t now_ms)
{
	const struct answers_ring *ring = &answers->ring[RING_SHARES];

	if (ring->tail == ring->head)
		return 0;
	uint32_t first_ms = record_at(ring, ring->tail)->first_ms;

	if (!answers->oldest_ms)
		answers->oldest_ms = now_ms - (uint32_t)((uint32_t)now_ms - first_ms);
	answers->oldest_ms += (uint32_t)(first_ms - (uint32_t)answers->oldest_ms);
	return now_ms - RTE_MIN(answers->oldest_ms, now_ms);
}

uint64_t dp_answer_index_bytes(const struct dp_answer_index *answers)
{
	return (answers->ring[RING_SHARES].mask + 1) * RECORD;
}

uint64_t dp_answer_index_written(const struct dp_answer_index *answers)
{
	const struct answers_ring *ring = &answers->ring[RING_SHARES];

	return (ring->head - (ring->mask + 1)) * RECORD;
}
