// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/copy_ring.h"

#include "dataplane/shared/memory.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdlib.h>

#define CACHE_LINE 64
#define BYTES_MIN  4096
#define UNIT       8 // records begin at a multiple

// In front of each record. What is left at the end of the ring and too short for a record is one
// to be skipped.
struct head {
	uint32_t len; // bytes of the record
	uint32_t skip;
};
_Static_assert(sizeof(struct head) == UNIT, "fits wherever a record may begin");

// Positions count bytes up for ever; a place is a position modulo the size.
struct dp_copy_ring {
	size_t bytes;
	uint8_t *memory;

	_Alignas(CACHE_LINE) uint64_t head; // producer: writes
	uint64_t next;                      // producer: end of what was put
	uint64_t tail_seen;                 // producer's copy of tail
	uint64_t lost;                      // producer: writes

	_Alignas(CACHE_LINE) uint64_t tail; // consumer: writes
};

static size_t taken_by(uint32_t len)
{
	return sizeof(struct head) + ((size_t)len + UNIT - 1) / UNIT * UNIT;
}

static struct head *head_at(const struct dp_copy_ring *ring, uint64_t position)
{
	return (struct head *)(ring->memory + (position & (ring->bytes - 1)));
}

struct dp_copy_ring *dp_copy_ring_create(size_t bytes)
{
	struct dp_copy_ring *ring;

	if (bytes < BYTES_MIN || bytes & (bytes - 1)) {
		errno = EINVAL;
		return NULL;
	}
	ring = aligned_alloc(CACHE_LINE, sizeof(*ring));
	if (!ring)
		return NULL;
	*ring = (struct dp_copy_ring){.bytes = bytes, .memory = dp_map(bytes, DP_MAP_HOT)};
	if (ring->memory)
		return ring;
	free(ring);
	errno = ENOMEM;
	return NULL;
}

void dp_copy_ring_free(struct dp_copy_ring *ring)
{
	if (!ring)
		return;
	sodium_memzero(ring->memory, ring->bytes);
	dp_unmap(ring->memory, ring->bytes);
	free(ring);
}

// Whether so many bytes behind `next` are free.
static bool has_room(struct dp_copy_ring *ring, size_t len)
{
	if (ring->next + len - ring->tail_seen <= ring->bytes)
		return true;
	ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
	return ring->next + len - ring->tail_seen <= ring->bytes;
}

void *dp_copy_ring_put(struct dp_copy_ring *ring, uint32_t len)
{
	const size_t taken = taken_by(len);
	const size_t to_end = ring->bytes - (ring->next & (ring->bytes - 1));
	const size_t skipped = taken > to_end ? to_end : 0;

	if (!has_room(ring, skipped + taken)) {
		__atomic_store_n(&ring->lost, ring->lost + 1, __ATOMIC_RELAXED);
		return NULL;
	}
	if (skipped)
		*head_at(ring, ring->next) = (struct head){.len = to_end - UNIT, .skip = 1};
	ring->next += skipped;
	struct head *head = head_at(ring, ring->next);

	*head = (struct head){.len = len};
	ring->next += taken;
	return head + 1;
}

void dp_copy_ring_publish(struct dp_copy_ring *ring)
{
	__atomic_store_n(&ring->head, ring->next, __ATOMIC_RELEASE);
}

uint64_t dp_copy_ring_mark(const struct dp_copy_ring *ring)
{
	return ring->next;
}

void dp_copy_ring_forget(struct dp_copy_ring *ring, uint64_t mark)
{
	assert(mark >= ring->head && mark <= ring->next);
	ring->next = mark;
}

const void *dp_copy_ring_peek(struct dp_copy_ring *ring, uint32_t *len)
{
	const uint64_t published = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);

	while (ring->tail != published) {
		const struct head *head = head_at(ring, ring->tail);

		assert(taken_by(head->len) <= published - ring->tail);
		if (!head->skip) {
			*len = head->len;
			return head + 1;
		}
		dp_copy_ring_pop(ring);
	}
	return NULL;
}

void dp_copy_ring_pop(struct dp_copy_ring *ring)
{
	struct head *head = head_at(ring, ring->tail);
	const size_t taken = taken_by(head->len);

	sodium_memzero(head, head->skip ? sizeof(*head) : taken);
	__atomic_store_n(&ring->tail, ring->tail + taken, __ATOMIC_RELEASE);
}

bool dp_copy_ring_empty(const struct dp_copy_ring *ring)
{
	return __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE) ==
		__atomic_load_n(&ring->tail, __ATOMIC_RELAXED);
}

uint64_t dp_copy_ring_lost(const struct dp_copy_ring *ring)
{
	return __atomic_load_n(&ring->lost, __ATOMIC_RELAXED);
}
