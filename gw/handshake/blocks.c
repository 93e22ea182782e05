// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/blocks.h"

#include "dataplane/shared/memory.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct place {
	struct blocks_key key;
	uint64_t since_ms; // its first block
	uint64_t at_ms;    // its last one
	uint64_t at;       // the same, in the order of all
	uint16_t len;      // bytes that are there
	bool used, whole;
};

struct blocks {
	struct place place[BLOCKS_PLACES];
	unsigned count;                 // in use
	uint64_t at;                    // of the block that came last
	uint8_t (*bytes)[BLOCKS_BYTES]; // of each, mapped lazily by the kernel
};

_Static_assert(BLOCKS_BYTES <= UINT16_MAX, "a length has two bytes");

struct blocks *blocks_create(void)
{
	struct blocks *blocks = calloc(1, sizeof(*blocks));

	if (!blocks)
		return NULL;
	blocks->bytes = dp_map(BLOCKS_PLACES * sizeof(*blocks->bytes), DP_MAP_LAZY);
	if (blocks->bytes)
		return blocks;
	free(blocks);
	errno = ENOMEM;
	return NULL;
}

void blocks_free(struct blocks *blocks)
{
	if (!blocks)
		return;
	dp_unmap(blocks->bytes, BLOCKS_PLACES * sizeof(*blocks->bytes));
	free(blocks);
}

unsigned blocks_count(const struct blocks *blocks)
{
	return blocks->count;
}

static bool same_endpoint(const struct place *place, const struct blocks_key *key)
{
	return !memcmp(place->key.endpoint, key->endpoint, sizeof(key->endpoint));
}

static const struct place *place_look(const struct blocks *blocks, const struct blocks_key *key)
{
	for (unsigned i = 0; blocks->count && i < BLOCKS_PLACES; i++) {
		const struct place *place = &blocks->place[i];

		if (place->used && same_endpoint(place, key) &&
			!memcmp(place->key.tag, key->tag, sizeof(key->tag)))
			return place;
	}
	return NULL;
}

static struct place *place_find(struct blocks *blocks, const struct blocks_key *key)
{
	return (struct place *)place_look(blocks, key);
}

static void place_end(struct blocks *blocks, struct place *place)
{
	place->used = false;
	blocks->count--;
}

// Whether a place may be given to somebody else.
static bool gives_way(const struct place *place, uint64_t now_ms)
{
	return place->whole || now_ms - place->at_ms >= BLOCKS_LATE_MS ||
		now_ms - place->since_ms >= BLOCKS_WAIT_MS;
}

// What there is of places, as somebody who wants one sees it.
struct places {
	unsigned own, network;
	struct place *free;
	struct place *oldest_own;          // whether it gives way or not
	struct place *of_network, *of_all; // the oldest that give way
};

static void older(struct place **oldest, struct place *place)
{
	if (!*oldest || place->at < (*oldest)->at)
		*oldest = place;
}

static struct places places_look(
	struct blocks *blocks, const struct blocks_key *key, uint64_t now_ms)
{
	struct places found = {0};

	for (unsigned i = 0; i < BLOCKS_PLACES; i++) {
		struct place *place = &blocks->place[i];

		if (!place->used) {
			found.free = place;
			continue;
		}
		const bool near = place->key.network == key->network;

		if (same_endpoint(place, key)) {
			found.own++;
			older(&found.oldest_own, place);
		}
		found.network += near;
		if (!gives_way(place, now_ms))
			continue;
		older(&found.of_all, place);
		if (near)
			older(&found.of_network, place);
	}
	return found;
}

// A place for a new message. NULL: there is none.
static struct place *place_make(
	struct blocks *blocks, const struct blocks_key *key, uint64_t now_ms, bool *gave_way)
{
	const struct places found = places_look(blocks, key, now_ms);
	struct place *place = found.free;

	if (found.own >= BLOCKS_OWN)
		place = found.oldest_own;
	else if (found.network >= BLOCKS_SHARE)
		place = found.of_network;
	else if (!place)
		place = found.of_all;
	if (!place)
		return NULL;
	*gave_way = place->used && !place->whole;
	blocks->count += !place->used;
	*place = (struct place){.key = *key, .since_ms = now_ms, .at_ms = now_ms, .used = true};
	return place;
}

// A block of which there are bytes already: it is a copy, or something else.
static enum blocks_verdict take_again(const struct place *place, const uint8_t *there,
	const struct coap_block *block, struct edhoc_bytes bytes, size_t at)
{
	const bool last = place->whole && at + bytes.len == place->len;

	if (at + bytes.len > place->len || memcmp(there + at, bytes.data, bytes.len) ||
		block->more == last)
		return BLOCKS_INCOMPLETE;
	return last ? BLOCKS_WHOLE : BLOCKS_NEXT;
}

// A block of a message that has a place.
static enum blocks_verdict take(struct blocks *blocks, struct place *place,
	const struct coap_block *block, struct edhoc_bytes bytes)
{
	uint8_t *there = blocks->bytes[place - blocks->place];
	const size_t at = (size_t)coap_block_offset(block);
	enum blocks_verdict verdict = BLOCKS_INCOMPLETE;

	if (at < place->len)
		verdict = take_again(place, there, block, bytes, at);
	if (verdict != BLOCKS_INCOMPLETE)
		return verdict;
	if (!block->num) // which begins anew (RFC 7959 section 2.5)
		place->len = place->whole = 0;
	if (at != place->len || place->whole)
		return BLOCKS_INCOMPLETE;
	memcpy(there + at, bytes.data, bytes.len);
	place->len = (uint16_t)(at + bytes.len);
	place->whole = !block->more;
	return place->whole ? BLOCKS_WHOLE : BLOCKS_NEXT;
}

static bool is_bad(const struct coap_block *block, size_t len)
{
	const uint32_t size = coap_block_size(block->szx);

	return !len || len > size || (block->more && len != size);
}

struct blocks_taken blocks_take(struct blocks *blocks, const struct blocks_key *key,
	const struct coap_block *block, struct edhoc_bytes bytes, uint32_t size, uint64_t now_ms)
{
	struct blocks_taken taken = {.verdict = BLOCKS_BAD};
	struct place *place = place_find(blocks, key);

	if (is_bad(block, bytes.len))
		return taken;
	if (size > BLOCKS_BYTES ||
		coap_block_offset(block) + bytes.len + block->more > BLOCKS_BYTES) {
		taken.verdict = BLOCKS_TOO_LARGE;
		return taken;
	}
	if (!place && block->num) {
		taken.verdict = BLOCKS_INCOMPLETE;
		return taken;
	}
	if (!place)
		place = place_make(blocks, key, now_ms, &taken.gave_way);
	if (!place) {
		taken.verdict = BLOCKS_FULL;
		return taken;
	}
	taken.verdict = take(blocks, place, block, bytes);
	if (taken.verdict != BLOCKS_INCOMPLETE) {
		place->at_ms = now_ms;
		place->at = ++blocks->at;
	}
	if (taken.verdict == BLOCKS_WHOLE)
		taken.whole =
			(struct edhoc_bytes){blocks->bytes[place - blocks->place], place->len};
	return taken;
}

bool blocks_keep(struct blocks *blocks, const struct blocks_key *key, struct edhoc_bytes bytes,
	uint64_t now_ms)
{
	struct place *place = place_find(blocks, key);
	bool gave_way;

	assert(bytes.len <= BLOCKS_BYTES);
	if (!place)
		place = place_make(blocks, key, now_ms, &gave_way);
	if (!place)
		return false;
	memcpy(blocks->bytes[place - blocks->place], bytes.data, bytes.len);
	place->len = (uint16_t)bytes.len;
	place->whole = true;
	place->at_ms = now_ms;
	place->at = ++blocks->at;
	return true;
}

static struct edhoc_bytes bytes_of(const struct blocks *blocks, const struct place *place)
{
	return place && place->whole
		? (struct edhoc_bytes){blocks->bytes[place - blocks->place], place->len}
		: (struct edhoc_bytes){0};
}

struct edhoc_bytes blocks_kept(const struct blocks *blocks, const struct blocks_key *key)
{
	return bytes_of(blocks, place_look(blocks, key));
}

struct edhoc_bytes blocks_newest(
	const struct blocks *blocks, const uint8_t endpoint[DP_ENDPOINT_LEN])
{
	const struct place *newest = NULL;

	for (unsigned i = 0; blocks->count && i < BLOCKS_PLACES; i++) {
		const struct place *place = &blocks->place[i];

		if (place->used && !memcmp(place->key.endpoint, endpoint, DP_ENDPOINT_LEN) &&
			(!newest || place->at > newest->at))
			newest = place;
	}
	return bytes_of(blocks, newest);
}

unsigned blocks_turn(struct blocks *blocks, uint64_t now_ms)
{
	unsigned n = 0;

	for (unsigned i = 0; blocks->count && i < BLOCKS_PLACES; i++) {
		struct place *place = &blocks->place[i];

		if (!place->used || now_ms - place->at_ms < BLOCKS_WAIT_MS)
			continue;
		n += !place->whole;
		place_end(blocks, place);
	}
	return n;
}
