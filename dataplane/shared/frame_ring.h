// SPDX-License-Identifier: BSD-3-Clause
// Packets between a worker and main, which owns the kernel TAPs. They are copied into slots of a
// ring of their own: main is preemptible and must never hold an mbuf of a worker's pool.

#ifndef POSTERN_DATAPLANE_SHARED_FRAME_RING_H
#define POSTERN_DATAPLANE_SHARED_FRAME_RING_H

#include <stdbool.h>
#include <stdint.h>

struct dp_frame_ring;

// A ring of slots (rounded up to a power of two), each for a frame of up to frame_max bytes. One
// producer and one consumer. NULL and errno on failure.
struct dp_frame_ring *dp_frame_ring_create(unsigned slots, uint16_t frame_max);
void dp_frame_ring_free(struct dp_frame_ring *ring);

// Producer: copies a frame in. false if the ring is full or the frame too long.
bool dp_frame_ring_push(
	struct dp_frame_ring *ring, uint16_t port_id, const void *frame, uint16_t len);

// The same, but leaves so many slots free.
bool dp_frame_ring_push_below(struct dp_frame_ring *ring, uint32_t kept_free, uint16_t port_id,
	const void *frame, uint16_t len);

// Consumer: the oldest frame, or NULL. It stays in place until dp_frame_ring_pop().
const uint8_t *dp_frame_ring_peek(struct dp_frame_ring *ring, uint16_t *port_id, uint16_t *len);
void dp_frame_ring_pop(struct dp_frame_ring *ring);

#endif
