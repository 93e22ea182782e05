// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/event.h"

bool dp_event_send(struct dp_worker *w, enum dp_event_type type, uint32_t context,
	uint32_t generation, uint64_t arg)
{
	struct dp_event event = {
		.type = type, .context = context, .generation = generation, .arg = arg};

	w->ring_main = true;
	if (!rte_ring_sp_enqueue_elem(w->events, &event, sizeof(event)))
		return true;
	dp_count(w, DP_STAT_events_lost);
	return false;
}

void dp_context_state_set(
	struct dp_worker *w, uint32_t index, struct dp_context *ctx, enum dp_context_state state)
{
	if (ctx->state == state)
		return;
	__atomic_store_n(&ctx->state, state, __ATOMIC_RELAXED);
	dp_event_send(w, DP_EVENT_STATE, index, ctx->generation, state);
}
