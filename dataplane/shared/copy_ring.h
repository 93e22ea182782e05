// SPDX-License-Identifier: BSD-3-Clause
// Copies of what a worker handles, of any length, on their way to main: a ring of bytes with one
// producer and one consumer. Main maps it and touches its pages before a worker sees it. What finds
// no room is counted and lost, and what was read is wiped.

#ifndef POSTERN_DATAPLANE_SHARED_COPY_RING_H
#define POSTERN_DATAPLANE_SHARED_COPY_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dp_copy_ring;

// Makes a ring of so many bytes, a power of two of at least 4096. NULL and errno on failure.
struct dp_copy_ring *dp_copy_ring_create(size_t bytes);
// Wipes all of it. NULL is allowed.
void dp_copy_ring_free(struct dp_copy_ring *ring);

// Producer: the place of a record of `len` bytes, aligned to 8, to be filled; or NULL, and it is
// counted as lost. The consumer sees it when it is published.
void *dp_copy_ring_put(struct dp_copy_ring *ring, uint32_t len);
// Producer: publishes all records that were put.
void dp_copy_ring_publish(struct dp_copy_ring *ring);
// Producer: where the next record goes, and how to forget those put since then. They must not have
// been published.
uint64_t dp_copy_ring_mark(const struct dp_copy_ring *ring);
void dp_copy_ring_forget(struct dp_copy_ring *ring, uint64_t mark);

// Consumer: the oldest record, or NULL. It stays in place until dp_copy_ring_pop(), which wipes it.
const void *dp_copy_ring_peek(struct dp_copy_ring *ring, uint32_t *len);
void dp_copy_ring_pop(struct dp_copy_ring *ring);
// Any thread: whether there is none. To its consumer an empty ring may have one since.
bool dp_copy_ring_empty(const struct dp_copy_ring *ring);
// Anyone: records that found no room.
uint64_t dp_copy_ring_lost(const struct dp_copy_ring *ring);

#endif
