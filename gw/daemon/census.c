// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/census.h"

#include "gw/daemon/device_view.h"
#include "gw/daemon/registry.h"

#include <rte_cycles.h>

#define COUNT_SHARE 100

void census_take(struct daemon *daemon)
{
	const struct dp_context_table *table = dp_contexts(daemon->dp);
	struct daemon_counts *counts = &daemon->counts;
	uint64_t begin = rte_rdtsc();

	if (begin < counts->good_until_tsc)
		return;
	*counts = (struct daemon_counts){0};
	for (uint32_t i = 0; (i = registry_next(&daemon->registry, i)) < daemon->registry.max;
		i++) {
		const struct dp_context *ctx = &table->context[i];

		if (!dp_context_live(ctx))
			continue;
		counts->by_state[device_view_state(table, i)]++;
		const uint8_t owner = dp_context_owner(ctx);

		if (owner < DP_WORKERS_MAX)
			counts->by_worker[owner]++;
	}
	uint64_t end = rte_rdtsc();

	counts->good_until_tsc = end + COUNT_SHARE * (end - begin);
}
