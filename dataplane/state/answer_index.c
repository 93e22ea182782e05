// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/state/answer_index.h"

#include "base/bytes.h"
#include "crypto/keyed_hash.h"
#include "dataplane/shared/bucket.h"
#include "dataplane/shared/memory.h"

#include <rte_branch_prediction.h>
#include <rte_common.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ANSWERS_RING_MIN   (64 * 1024)
#define ANSWERS_BYTES_EACH 64 // of ring to one way of the index; most records take about twice that
#define ANSWERS_WAYS       7  // of a bucket

// A share is there again in EXCHANGE_LIFETIME (RFC 7252 section 4.8.2): longer, nothing is copied.
#define SHARE_FILL (247 * 1000 * DP_BUCKET_PER_MS)

// In the ring: this, then the request's tag, its token, and the CoAP bytes, padded to 8. A record
// never wraps. It is small because each answer writes one through the cache.
struct answer_record {
	uint64_t piv;
	uint64_t sent_ms;                  // last time
	uint8_t endpoint[DP_ENDPOINT_LEN]; // of the struct dp_flow
	uint32_t context;
	uint32_t generation;
	uint32_t size;     // of the whole record
	uint32_t first_ms; // low bits of the time of the first one
	uint16_t mid;
	uint16_t token_len;
	uint16_t len;
	uint8_t tag_len;
	uint8_t resent;
};

_Static_assert(sizeof(struct answer_record) == 80, "a cache line and a quarter");

// A cache line of the index. The byte of each way's hash spares a look at the record, which is a
// miss: a replay of a request without an answer costs this line alone.
struct answers_bucket {
	uint8_t hash[ANSWERS_WAYS];
	uint8_t beyond;                // bit i: offset[i] is of the ring RING_BEYOND
	uint64_t offset[ANSWERS_WAYS]; // + 1, 0: none
};

_Static_assert(sizeof(struct answers_bucket) == 64, "a cache line");

// Offsets count all bytes ever written, so that they only rise; the place is offset & mask.
struct answers_ring {
	uint8_t *bytes;
	uint64_t mask;
	uint64_t head; // where the next record goes
	uint64_t tail; // oldest record held
	uint64_t last; // newest record, if tail < head
};

enum { RING_SHARES, RING_BEYOND, RINGS };

struct dp_answer_index {
	struct answers_ring ring[RINGS];
	uint32_t share_cost; // of a byte, in time of a bucket
	struct answers_bucket *bucket;
	uint32_t bucket_mask;
	struct keyed_hash hash; // of context and Partial IV
};

static bool ring_create(struct answers_ring *ring, size_t bytes)
{
	ring->mask = bytes - 1;
	ring->bytes = dp_map(bytes, DP_MAP_HOT);
	return ring->bytes != NULL;
}

struct dp_answer_index *dp_answer_index_create(size_t bytes)
{
	struct dp_answer_index *answers = calloc(1, sizeof(*answers));

	if (!answers)
		return NULL;
	bytes = rte_align64pow2(bytes < ANSWERS_RING_MIN ? ANSWERS_RING_MIN : bytes);
	keyed_hash_init(&answers->hash);
	size_t share = RTE_MAX(bytes / DP_ANSWER_SHARES, (size_t)DP_ANSWER_SHARE_MIN);

	answers->share_cost = share < SHARE_FILL ? SHARE_FILL / share : 1;
	answers->bucket_mask = bytes / ANSWERS_BYTES_EACH / (ANSWERS_WAYS + 1) - 1;
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

static uint32_t answers_hash(const struct dp_answer_index *answers, uint32_t context, uint64_t piv)
{
	return keyed_hash_words(&answers->hash, context, piv);
}

static struct answers_bucket *answers_bucket(const struct dp_answer_index *answers, uint32_t hash)
{
	return &answers->bucket[hash & answers->bucket_mask];
}

// The bits that a bucket's place does not tell.
static uint8_t way_hash(uint32_t hash)
{
	return hash >> 24;
}

static struct answer_record *record_at(const struct answers_ring *ring, uint64_t offset)
{
	return (struct answer_record *)(ring->bytes + (offset & ring->mask));
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
		if (ring->tail < ring->head)
			record_at(ring, ring->last)->size += room;
		else
			ring->tail += room;
		ring->head += room;
	}
	make_room(ring, ring->head + size);
	return record_at(ring, ring->head);
}

static uint8_t *put(uint8_t *at, const uint8_t *bytes, uint16_t len)
{
	bytes_copy(at, bytes, len);
	return at + len;
}

static const struct answers_ring *way_ring(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned way)
{
	return &answers->ring[bucket->beyond >> way & 1];
}

static struct answer_record *way_record(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned way)
{
	return record_at(way_ring(answers, bucket, way), bucket->offset[way] - 1);
}

static bool way_held(
	const struct dp_answer_index *answers, const struct answers_bucket *bucket, unsigned way)
{
	return bucket->offset[way] > way_ring(answers, bucket, way)->tail;
}

// Whether the record of a way may be that of a request with this hash, and is still held.
static bool way_matches(const struct dp_answer_index *answers, const struct answers_bucket *bucket,
	unsigned way, uint32_t hash)
{
	return bucket->hash[way] == way_hash(hash) && way_held(answers, bucket, way);
}

// The oldest way, where all are of the first ring: those whose record is gone are the oldest.
static unsigned way_oldest(const struct answers_bucket *bucket)
{
	unsigned oldest = 0;

	for (unsigned i = 1; i < ANSWERS_WAYS; i++)
		if (bucket->offset[i] < bucket->offset[oldest])
			oldest = i;
	return oldest;
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
		return way_oldest(bucket);
	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		bool beyond = bucket->beyond >> i & 1;
		uint64_t worth = !way_held(answers, bucket, i) ? 0 : beyond ? 1 : 2;
		uint64_t rank = worth << 62 | bucket->offset[i];

		if (rank < least && (worth < 2 || ring == RING_SHARES)) {
			least = rank;
			way = i;
		}
	}
	return way;
}

void dp_answer_index_prefetch(const struct dp_answer_index *answers, uint32_t context, uint64_t piv)
{
	__builtin_prefetch(answers_bucket(answers, answers_hash(answers, context, piv)), 1);
}

void dp_answer_index_prefetch_record(
	const struct dp_answer_index *answers, uint32_t context, uint64_t piv)
{
	uint32_t hash = answers_hash(answers, context, piv);
	const struct answers_bucket *bucket = answers_bucket(answers, hash);

	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		if (!way_matches(answers, bucket, i, hash))
			continue;
		const struct answer_record *record = way_record(answers, bucket, i);

		__builtin_prefetch(record);
		__builtin_prefetch((const uint8_t *)record + 64); // the tag and the token
	}
}

void dp_answer_index_put(struct dp_answer_index *answers, const struct dp_answer_key *key,
	uint64_t now_ms, uint32_t *share_at, const uint8_t *coap, uint16_t len)
{
	uint32_t size = RTE_ALIGN_CEIL(
		sizeof(struct answer_record) + key->tag_len + key->token_len + len, 8);
	bool within = dp_bucket_take(
		share_at, dp_bucket_now(now_ms), SHARE_FILL, size * answers->share_cost);
	unsigned which = within ? RING_SHARES : RING_BEYOND;
	struct answers_ring *ring = &answers->ring[which];
	uint32_t hash = answers_hash(answers, key->context, key->piv);
	struct answers_bucket *bucket = answers_bucket(answers, hash);
	unsigned way = way_find(answers, bucket, which);

	if (size > (ring->mask + 1) / 2 || way == ANSWERS_WAYS)
		return; // it would be the only one, or not be found
	struct answer_record *record = ring_head(ring, size);
	uint8_t *bytes = (uint8_t *)(record + 1);

	*record = (struct answer_record){
		.piv = key->piv,
		.sent_ms = now_ms,
		.first_ms = now_ms,
		.context = key->context,
		.generation = key->generation,
		.size = size,
		.mid = key->mid,
		.token_len = key->token_len,
		.len = len,
		.tag_len = key->tag_len,
	};
	memcpy(record->endpoint, key->flow, DP_ENDPOINT_LEN);
	bytes = put(bytes, key->tag, key->tag_len);
	bytes = put(bytes, key->token, key->token_len);
	put(bytes, coap, len);

	bucket->hash[way] = way_hash(hash);
	bucket->beyond = (bucket->beyond & ~(1u << way)) | which << way;
	bucket->offset[way] = ring->head + 1;
	ring->last = ring->head;
	ring->head += size;
}

static bool answer_matches(const struct answer_record *record, const struct dp_answer_key *key)
{
	return record->piv == key->piv && record->context == key->context &&
		record->generation == key->generation && record->mid == key->mid &&
		record->token_len == key->token_len && record->tag_len == key->tag_len &&
		!memcmp(record->endpoint, key->flow, DP_ENDPOINT_LEN) &&
		!memcmp(record + 1, key->tag, key->tag_len) &&
		!memcmp((const uint8_t *)(record + 1) + key->tag_len, key->token, key->token_len);
}

enum dp_answer_verdict dp_answer_index_find(struct dp_answer_index *answers,
	const struct dp_answer_key *key, uint64_t now_ms, const uint8_t **bytes, uint16_t *len)
{
	uint32_t hash = answers_hash(answers, key->context, key->piv);
	const struct answers_bucket *bucket = answers_bucket(answers, hash);

	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		if (!way_matches(answers, bucket, i, hash))
			continue;
		struct answer_record *record = way_record(answers, bucket, i);

		if (!answer_matches(record, key))
			continue;
		if (!record->len || record->resent >= DP_ANSWER_RESENDS_MAX ||
			now_ms - record->sent_ms < DP_ANSWER_RESEND_MS)
			return DP_ANSWER_SILENT;
		record->resent++;
		record->sent_ms = now_ms;
		*bytes = (const uint8_t *)(record + 1) + record->tag_len + record->token_len;
		*len = record->len;
		return DP_ANSWER_RESEND;
	}
	return DP_ANSWER_NONE;
}

const uint8_t *dp_answer_index_tag(
	const struct dp_answer_index *answers, uint32_t context, uint32_t generation, uint64_t piv)
{
	uint32_t hash = answers_hash(answers, context, piv);
	const struct answers_bucket *bucket = answers_bucket(answers, hash);

	for (unsigned i = 0; i < ANSWERS_WAYS; i++) {
		if (!way_matches(answers, bucket, i, hash))
			continue;
		const struct answer_record *record = way_record(answers, bucket, i);

		if (record->piv == piv && record->context == context &&
			record->generation == generation)
			return (const uint8_t *)(record + 1);
	}
	return NULL;
}

uint64_t dp_answer_index_oldest_ms(const struct dp_answer_index *answers, uint64_t now_ms)
{
	const struct answers_ring *ring = &answers->ring[RING_SHARES];

	if (ring->tail == ring->head)
		return 0;
	return (uint32_t)((uint32_t)now_ms - record_at(ring, ring->tail)->first_ms);
}
