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
#define ANSWERS_EACH     8           // least records of the ring to one bucket
#define ANSWERS_WAYS     12          // of a bucket: few buckets get more of 8 by chance
#define ANSWER_BYTES_MAX (32 * 1024) // of a record: struct answer_record says so

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
_Static_assert(2 * ANSWER_BYTES_MAX / RECORD - 2 < 1 << 11, "in its field");

// A cache line of the index. The byte of each way's hash spares a look at the record, which is a
// miss: a replay of a request without an answer costs this line alone.
struct answers_bucket {
	uint8_t hash[ANSWERS_WAYS];
	uint16_t beyond;               // bit i: offset[i] is of the ring RING_BEYOND
	uint16_t next;                 // way of the next record within shares: they take turns
	uint32_t offset[ANSWERS_WAYS]; // low bits, in units of the smallest record
};

_Static_assert(sizeof(struct answers_bucket) == 64, "a cache line");

// Offsets count all bytes ever written, so that they only rise; the place is offset & mask. What a
// bucket has of one after 128 GB more seems to be held again, and names a record that does not
// match.
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
	uint32_t share_cost; // of a byte, in time of a bucket
	struct answers_bucket *bucket;
	uint32_t bucket_mask;
};
_Static_assert(offsetof(struct dp_answer_index, hashes) == 0, "dp_answer_hashes() finds it");

static bool ring_create(struct answers_ring *ring, size_t bytes)
{
	ring->mask = bytes - 1;
	// Beyond all that a bucket has at first.
	ring->head = ring->tail = bytes;
	ring->bytes = dp_map(bytes, DP_MAP_HOT);
	return ring->bytes != NULL;
}

struct dp_answer_index *dp_answer_index_create(size_t bytes)
{
	struct dp_answer_index *answers = calloc(1, sizeof(*answers));

	if (!answers)
		return NULL;
	bytes = rte_align64pow2(bytes < ANSWERS_RING_MIN ? ANSWERS_RING_MIN : bytes);
	keyed_hash_init(&answers->hashes.request);
	keyed_hash_init(&answers->hashes.digest);
	keyed_hash_init(&answers->hashes.fold);
	size_t share = RTE_MAX(bytes / DP_ANSWER_SHARES, (size_t)DP_ANSWER_SHARE_MIN);

	answers->share_cost = share < SHARE_FILL ? SHARE_FILL / share : 1;
	answers->bucket_mask = bytes / RECORD / ANSWERS_EACH - 1;
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
		dp_unmap(answers->ring[i].bytes, answers->ring[i].mask + 1);
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

static uint8_t way_hash(uint64_t name)
{
	return name >> 56;
}

static struct answer_record *record_at(const struct answers_ring *ring, uint64_t offset)
{
	return (struct answer_record *)(ring->bytes + (offset & ring->mask));
}

static uint64_t record_size(const struct answer_record *record)
{
	return record->size * RECORD;
}

// Drops the oldest records until everything below `end` may be written.
static void make_room(struct answers_ring *ring, uint64_t end)
{
	while (ring->tail < ring->head && end - ring->tail > ring->mask + 1)
		ring->tail += record_size(record_at(ring, ring->tail));
}

// Where a record of this size may be written: at the head, which is moved to a place for it.
static struct answer_record *ring_head(struct answers_ring *ring, uint32_t size)
{
	uint64_t room = ring->mask + 1 - (ring->head & ring->mask);

	if (room < size) {
		// A record never wraps: the one before it is stretched over the rest of the ring.
		make_room(ring, ring->head + room);
		if (ring->tail < ring->head)
			record_at(ring, ring->last)->size += room / RECORD;
		else
			ring->tail += room;
		ring->head += room;
	}
	make_room(ring, ring->head + size);
	return record_at(ring, ring->head);
}

static const struct answers_ring *way_ring(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned way)
{
	return &answers->ring[bucket->beyond >> way & 1];
}

static struct answer_record *way_record(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned way)
{
	return record_at(way_ring(answers, bucket, way), bucket->offset[way] * RECORD);
}

// How far a way's record lies behind the head of its ring.
static uint32_t way_age(const struct answers_ring *ring, uint32_t offset)
{
	return (uint32_t)(ring->head / RECORD) - offset;
}

static bool way_held(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned way)
{
	const struct answers_ring *ring = way_ring(answers, bucket, way);

	return way_age(ring, bucket->offset[way]) - 1 < (ring->head - ring->tail) / RECORD;
}

// Whether the record of a way may be that of a request with this name, and is still held.
static bool way_matches(const struct dp_answer_index *answers, const struct answers_bucket *bucket,
	unsigned way, uint64_t name)
{
	return bucket->hash[way] == way_hash(name) && way_held(answers, bucket, way);
}

// The way for a new record: one whose record is gone, else the oldest of the second ring, else the
// oldest of the first one; but for a record of the second ring none of the first gives way, and
// ANSWERS_WAYS says that there is none.
static unsigned way_find(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned ring)
{
	uint64_t least = UINT64_MAX;
	unsigned way = ANSWERS_WAYS;

	if (likely(!bucket->beyond && ring == RING_SHARES))
		return bucket->next; // the oldest, gone or not, as long as nothing came between
	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		bool beyond = bucket->beyond >> i & 1;
		uint64_t worth = !way_held(answers, bucket, i) ? 0 : beyond ? 1 : 2;
		uint32_t age = way_age(way_ring(answers, bucket, i), bucket->offset[i]);
		uint64_t rank = worth << 32 | (uint32_t)~age;

		if (rank < least && (worth < 2 || ring == RING_SHARES)) {
			least = rank;
			way = i;
		}
	}
	return way;
}

void dp_answer_index_prefetch(const struct dp_answer_index *answers, uint64_t name)
{
	__builtin_prefetch(answers_bucket(answers, name), 1);
}

void dp_answer_index_prefetch_record(const struct dp_answer_index *answers, uint64_t name)
{
	const struct answers_bucket *bucket = answers_bucket(answers, name);

	for (unsigned i = 0; i < ANSWERS_WAYS; i++)
		if (way_matches(answers, bucket, i, name))
			__builtin_prefetch(way_record(answers, bucket, i));
}

// Writes a record, and returns it: NULL if it is not kept. value: of its kind; len: bytes behind
// it.
static inline struct answer_record *record_add(struct dp_answer_index *answers,
	const struct dp_answer_note *note, uint64_t now_ms, uint32_t *share_at,
	enum record_kind kind, uint64_t value, uint16_t len)
{
	uint32_t size = RTE_ALIGN_CEIL(RECORD + len, RECORD);
	bool within = dp_bucket_take(
		share_at, dp_bucket_now(now_ms), SHARE_FILL, size * answers->share_cost);
	unsigned which = within ? RING_SHARES : RING_BEYOND;
	struct answers_ring *ring = &answers->ring[which];
	struct answers_bucket *bucket = answers_bucket(answers, note->name);
	unsigned way = way_find(answers, bucket, which);

	if (size > RTE_MIN((ring->mask + 1) / 2, (uint64_t)ANSWER_BYTES_MAX) || way == ANSWERS_WAYS)
		return NULL; // it would be the only one, or not be found
	struct answer_record *record = ring_head(ring, size);

	*record = (struct answer_record){
		.request = note->request,
		.value = value,
		.name = note->name >> NAME_SHIFT,
		.first_ms = now_ms & UINT32_MAX,
		.tag = note->tag,
		.size = size / RECORD,
		.kind = kind,
	};
	if (way == bucket->next)
		bucket->next = way + 1 < ANSWERS_WAYS ? way + 1 : 0;
	bucket->hash[way] = way_hash(note->name);
	bucket->beyond = (bucket->beyond & ~(1u << way)) | which << way;
	bucket->offset[way] = ring->head / RECORD;
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

void dp_answer_index_put(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len)
{
	struct dp_answer_note note;

	dp_answer_note_make(answers, key, 0, &note);
	struct answer_record *record = record_add(
		answers, &note, now_ms, share_at, len ? RECORD_BYTES : RECORD_SILENT, len, len);

	if (record)
		memcpy(record + 1, coap, len);
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

enum dp_answer_verdict dp_answer_index_find(struct dp_answer_index *answers,
	const struct dp_answer_key *key, uint64_t now_ms, struct dp_answer_found *found)
{
	uint64_t name = key->name;
	const struct answers_bucket *bucket = answers_bucket(answers, name);
	uint64_t request = dp_answer_request(answers, key);

	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		if (!way_matches(answers, bucket, i, name))
			continue;
		struct answer_record *record = way_record(answers, bucket, i);

		if (record->name != name >> NAME_SHIFT || record->request != request)
			continue;
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
	return DP_ANSWER_NONE;
}

bool dp_answer_index_tag(const struct dp_answer_index *answers, uint32_t context,
	uint32_t generation, uint64_t piv, uint16_t *tag)
{
	uint64_t name = dp_answer_name(answers, context, generation, piv);
	const struct answers_bucket *bucket = answers_bucket(answers, name);

	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		if (!way_matches(answers, bucket, i, name))
			continue;
		const struct answer_record *record = way_record(answers, bucket, i);

		if (record->name == name >> NAME_SHIFT) {
			*tag = record->tag;
			return true;
		}
	}
	return false;
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
	return answers->ring[RING_SHARES].mask + 1;
}

uint64_t dp_answer_index_written(const struct dp_answer_index *answers)
{
	return answers->ring[RING_SHARES].head - dp_answer_index_bytes(answers);
}
