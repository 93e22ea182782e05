// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/ring.h"

#include "dataplane/shared/memory.h"

#include <assert.h>

size_t dp_ring_bytes(size_t elem, unsigned slots)
{
	ssize_t bytes = rte_ring_get_memsize_elem(elem, slots);

	assert(bytes > 0);
	return bytes;
}

struct rte_ring *dp_ring_init(void *memory, unsigned slots)
{
	// A name is for rte_ring's own list, in which these are not.
	int rc = rte_ring_init(memory, "dp", slots, RING_F_SP_ENQ | RING_F_SC_DEQ);

	assert(!rc);
	(void)rc;
	return memory;
}

struct rte_ring *dp_ring_create(size_t elem, unsigned slots)
{
	void *memory = dp_map(dp_ring_bytes(elem, slots), DP_MAP_HOT);

	return memory ? dp_ring_init(memory, slots) : NULL;
}

void dp_ring_free(struct rte_ring *r, size_t elem)
{
	if (r)
		dp_unmap(r, dp_ring_bytes(elem, r->size));
}
