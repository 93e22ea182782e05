// SPDX-License-Identifier: BSD-3-Clause
// How full a ring is, while other threads work at its ends. DPDK's own functions read the ring's
// indexes plainly, which is a data race by the letter of C.

#ifndef POSTERN_DATAPLANE_SHARED_RING_H
#define POSTERN_DATAPLANE_SHARED_RING_H

#include <rte_ring.h>

#include <stdbool.h>
#include <stdint.h>

// Elements in the ring. To its consumer there are at least so many, to its producer at most.
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
