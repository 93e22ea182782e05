// SPDX-License-Identifier: BSD-3-Clause
// Rings of one producer and one consumer, in memory of our own: EAL has room for 2560 memory zones,
// and the rings between 64 workers are 12 096. And how full a ring is, while other threads work at
// its ends: DPDK's own functions read the ring's indexes plainly, which is a data race by the
// letter of C.

#ifndef POSTERN_DATAPLANE_SHARED_RING_H
#define POSTERN_DATAPLANE_SHARED_RING_H

#include <rte_ring.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Elements in the ring. To its consumer there are at least so many, to its producer at most.
// Bytes of a ring with so many slots, a power of two, of which one is never used. An element is of
// a multiple of 4 bytes.
size_t dp_ring_bytes(size_t elem, unsigned slots);
// Makes a ring in zeroed memory of that many bytes, aligned to a cache line.
struct rte_ring *dp_ring_init(void *memory, unsigned slots);
// Makes one in a mapping of its own: NULL and errno on failure.
struct rte_ring *dp_ring_create(size_t elem, unsigned slots);
// Of the latter kind. NULL is allowed.
void dp_ring_free(struct rte_ring *r, size_t elem);

static inline uint32_t dp_ring_count(const struct rte_ring *r)
{
	uint32_t consumed = __atomic_load_n(&r->cons.tail, __ATOMIC_ACQUIRE);
	uint32_t produced = __atomic_load_n(&r->prod.tail, __ATOMIC_ACQUIRE);
	uint32_t count = (produced - consumed) & r->mask;

	return count > r->capacity ? r->capacity : count;
}

static inline uint32_t dp_ring_free_count(const struct rte_ring *r)
{
	return r->capacity - dp_ring_count(r);
}

static inline bool dp_ring_empty(const struct rte_ring *r)
{
	return dp_ring_count(r) == 0;
}

#endif
