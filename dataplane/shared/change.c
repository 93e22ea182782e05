// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/change.h"

#include "dataplane/shared/context.h"

#include <assert.h>

_Static_assert(DP_WORKERS_MAX <= 64, "a bit for each worker");

void dp_change_tell(struct dp_rep_table *table, uint32_t slot, struct dp_loop *loop)
{
	// A worker pins before it reads the slot, and the loop has published before it looks here.
	if (!__atomic_load_n(&table->slot[slot].pins, __ATOMIC_SEQ_CST))
		return;
	for (unsigned i = 0; i < loop->count; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if (!loop->port[i].changes ||
			__atomic_fetch_or(&table->slot[slot].dirty, bit, __ATOMIC_SEQ_CST) & bit)
			continue;
		int rc = rte_ring_sp_enqueue_elem(loop->port[i].changes, &slot, sizeof(slot));

		assert(!rc); // it holds every slot
		(void)rc;
	}
}

bool dp_change_take(
	struct dp_rep_table *table, struct dp_loop_port *port, unsigned worker, uint32_t *slot)
{
	if (rte_ring_sc_dequeue_elem(port->changes, slot, sizeof(*slot)))
		return false;
	__atomic_fetch_and(&table->slot[*slot].dirty, ~(UINT64_C(1) << worker), __ATOMIC_SEQ_CST);
	return true;
}
