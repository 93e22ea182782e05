// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/stages.h"

#include "dataplane/worker/look.h"
#include "dataplane/worker/receive.h"
#include "dataplane/worker/replay.h"
#include "dataplane/worker/request.h"
#include "dataplane/worker/seal.h"
#include "dataplane/worker/shed.h"
#include "dataplane/worker/trace.h"

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

// The same while somebody looks; for a packet that is traced it is alone.
static void run_watched(struct dp_worker *w, struct pkt_vec *vec, bool handed)
{
	unsigned slot = vec->live[0];

	for (unsigned i = 0; i < RTE_DIM(stages) && vec->n; i++) {
		unsigned n = vec->n;

		if (handed && !stages[i].handed)
			continue;
		dp_look_stage(w, vec, stages[i].measured_as);
		uint64_t start = rte_rdtsc();

		if (w->tracing)
			dp_trace_stage_begin(w, vec, slot, stages[i].measured_as);
		stages[i].run(w, vec);
		dp_stage_end(w, stages[i].measured_as, start, n);
		if (w->tracing)
			dp_trace_stage_end(w, vec, slot, stages[i].measured_as);
	}
}

// Splits a burst: each packet that is traced passes alone, so that what is counted meanwhile is of
// it. Answers are sealed in between, as they are between bursts: copies find them.
static void run_looked(struct dp_worker *w, struct pkt_vec *vec, bool handed)
{
	uint8_t all[DP_BURST];
	unsigned count = vec->n;
	bool traced[DP_BURST];

	for (unsigned i = 0; i < count; i++) {
		all[i] = vec->live[i];
		traced[i] = dp_trace_wants(w, vec, all[i], handed);
	}
	for (unsigned i = 0; i < count;) {
		vec->n = 0;
		w->tracing = traced[i] && dp_trace_begin(w, vec, all[i], handed);
		do
			vec->live[vec->n++] = all[i++];
		while (!w->tracing && i < count && !traced[i]);
		run_watched(w, vec, handed);
		if (!w->tracing && i == count)
			continue;
		dp_answers_flush(w);
		w->tracing = false;
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
