// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/stages.h"

#include "dataplane/worker/look.h"
#include "dataplane/worker/receive.h"
#include "dataplane/worker/replay.h"
#include "dataplane/worker/request.h"
#include "dataplane/worker/shed.h"

#include <assert.h>

// Stages 7 and 8. The overload ladder drops some of what is new, before it costs more.
static void window(struct dp_worker *w, struct pkt_vec *vec)
{
	dp_window(w, vec);
	dp_shed(w, vec);
}

static const struct {
	void (*run)(struct dp_worker *w, struct pkt_vec *vec);
	enum dp_stage measured_as;
	bool handed; // the owner does it, too, for what another worker opened
} stages[] = {
	{dp_parse, DP_STAGE_parse, false},
	{dp_lookup, DP_STAGE_lookup, false},
	{window, DP_STAGE_window, true},
	{dp_open, DP_STAGE_open, false},
	{dp_commit, DP_STAGE_commit, true},
	{dp_request, DP_STAGE_inner, true},
};

// The same while somebody looks.
static void run_looked(struct dp_worker *w, struct pkt_vec *vec, bool handed)
{
	for (unsigned i = 0; i < RTE_DIM(stages) && vec->n; i++) {
		unsigned n = vec->n;

		if (handed && !stages[i].handed)
			continue;
		dp_look_stage(w, vec, stages[i].measured_as);
		uint64_t start = rte_rdtsc();

		stages[i].run(w, vec);
		dp_stage_end(w, stages[i].measured_as, start, n);
	}
}

void dp_stages_run(struct dp_worker *w, struct pkt_vec *vec, bool handed)
{
	uint64_t start = rte_rdtsc();

	if (unlikely(w->looked)) {
		run_looked(w, vec, handed);
		return;
	}

	for (unsigned i = 0; i < RTE_DIM(stages) && vec->n; i++) {
		unsigned n = vec->n;

		if (handed && !stages[i].handed)
			continue;
		stages[i].run(w, vec);
		assert(vec->n <= n);
		start = dp_stage_end(w, stages[i].measured_as, start, n);
	}
}
