// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/frame_ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CACHE_LINE 64
#define SLOTS_MAX  (1u << 20)

struct slot {
	uint16_t port_id;
	uint16_t len;
	uint8_t frame[];
};

// Positions count up for ever; a slot is a position modulo the size. Each side keeps a copy of the
// other's position and reads the true one only when the copy says full or empty, so that the two
// seldom share a cache line.
struct dp_frame_ring {
	uint32_t mask;
	uint16_t frame_max;
	size_t slot_size; // bytes
	uint8_t *slots;

	_Alignas(CACHE_LINE) uint32_t head; // producer: writes
	uint32_t tail_seen;                 // producer's copy of tail

	_Alignas(CACHE_LINE) uint32_t tail; // consumer: writes
	uint32_t head_seen;                 // consumer's copy of head
};

static struct slot *slot_at(const struct dp_frame_ring *ring, uint32_t position)
{
	return (struct slot *)(ring->slots + (position & ring->mask) * ring->slot_size);
}

static size_t round_up(size_t n, size_t unit)
{
	return (n + unit - 1) / unit * unit;
}

struct dp_frame_ring *dp_frame_ring_create(unsigned slots, uint16_t frame_max)
{
	struct dp_frame_ring *ring;
	uint32_t count = 1;

	if (!slots || slots > SLOTS_MAX || !frame_max) {
		errno = EINVAL;
		return NULL;
	}
	while (count < slots)
		count *= 2;
	ring = aligned_alloc(CACHE_LINE, sizeof(*ring));
	if (!ring)
		return NULL;
	*ring = (struct dp_frame_ring){
		.mask = count - 1,
		.frame_max = frame_max,
		.slot_size = round_up(sizeof(struct slot) + frame_max, CACHE_LINE),
	};
	ring->slots = aligned_alloc(CACHE_LINE, count * ring->slot_size);
	if (!ring->slots) {
		free(ring);
		return NULL;
	}
	// Touched now, so that no page fault waits on the data path.
	memset(ring->slots, 0, count * ring->slot_size);
	return ring;
}

void dp_frame_ring_free(struct dp_frame_ring *ring)
{
	if (!ring)
		return;
	free(ring->slots);
	free(ring);
}

bool dp_frame_ring_push(
	struct dp_frame_ring *ring, uint16_t port_id, const void *frame, uint16_t len)
{
	return dp_frame_ring_push_below(ring, 0, port_id, frame, len);
}

bool dp_frame_ring_push_below(struct dp_frame_ring *ring, uint32_t kept_free, uint16_t port_id,
	const void *frame, uint16_t len)
{
	const uint32_t head = ring->head;
	struct slot *slot = slot_at(ring, head);

	if (len > ring->frame_max)
		return false;
	if (head - ring->tail_seen + kept_free > ring->mask) {
		ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);
		if (head - ring->tail_seen + kept_free > ring->mask)
			return false;
	}
	slot->port_id = port_id;
	slot->len = len;
	memcpy(slot->frame, frame, len);
	__atomic_store_n(&ring->head, head + 1, __ATOMIC_RELEASE);
	return true;
}

const uint8_t *dp_frame_ring_peek(struct dp_frame_ring *ring, uint16_t *port_id, uint16_t *len)
{
	const uint32_t tail = ring->tail;
	const struct slot *slot = slot_at(ring, tail);

	if (tail == ring->head_seen) {
		ring->head_seen = __atomic_load_n(&ring->head, __ATOMIC_ACQUIRE);
		if (tail == ring->head_seen)
			return NULL;
	}
	*port_id = slot->port_id;
	*len = slot->len;
	return slot->frame;
}

void dp_frame_ring_pop(struct dp_frame_ring *ring)
{
	__atomic_store_n(&ring->tail, ring->tail + 1, __ATOMIC_RELEASE);
}
