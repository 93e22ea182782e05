// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/strangers.h"

#include "dataplane/shared/stranger.h"
#include "dataplane/worker/refused.h"

static uint32_t endpoint_of(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	struct dp_flow flow;

	pkt_flow(vec, slot, &flow);
	return dp_stranger_endpoint(w->contexts, &flow);
}

static bool may_be_opened(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	struct dp_context *ctx = &w->contexts->context[vec->context[slot]];

	if (!(ctx->flags & DP_CONTEXT_OWN_PIV_PLAIN))
		return true;
	vec->endpoint[slot] = endpoint_of(w, vec, slot);
	if (dp_stranger_may(ctx, vec->endpoint[slot], w->now_ms / 1000))
		return true;
	dp_drop(w, vec, slot, DP_STAT_drop_stranger);
	return false;
}

void dp_strangers(struct dp_worker *w, struct pkt_vec *vec)
{
	VEC_FILTER(vec, slot, may_be_opened(w, vec, slot));
}

void dp_strangers_accepted(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, struct dp_context *ctx)
{
	// What another worker opened came without it.
	const uint32_t endpoint =
		vec->from == w->id ? vec->endpoint[slot] : endpoint_of(w, vec, slot);

	dp_stranger_known(ctx, endpoint);
}
