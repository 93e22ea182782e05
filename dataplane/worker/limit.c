// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/limit.h"

#include "dataplane/worker/event.h"

static uint8_t limit_bit(enum dp_limit limit)
{
	return 1 << limit;
}

static void uses_tell(
	struct dp_worker *w, uint32_t index, const struct dp_context *ctx, enum dp_limit limit)
{
	struct dp_side *side = dp_side(w, index);

	if (side->uses_told & limit_bit(limit))
		return;
	if (dp_event_send(w, DP_EVENT_LIMIT, index, ctx->generation, limit))
		side->uses_told |= limit_bit(limit);
	else
		w->limits_lost = true;
}

void dp_limit_uses(
	struct dp_worker *w, uint32_t index, const struct dp_context *ctx, uint64_t before)
{
	bool whole = ctx->window.next >= DP_LIMIT_USES;
	enum dp_limit limit = whole ? DP_LIMIT_USE : DP_LIMIT_USE_HALF;

	// The side table is read where the limit is passed, and when an event was lost.
	if (!w->limits_lost && before > (whole ? DP_LIMIT_USES - 1 : DP_LIMIT_USES / 2))
		return;
	uses_tell(w, index, ctx, limit);
}

void dp_limit_own(struct dp_worker *w, uint32_t index, const struct dp_context *ctx)
{
	struct dp_side *side = dp_side(w, index);

	if (likely(side->own_sealed < UINT32_MAX))
		__atomic_store_n(&side->own_sealed, side->own_sealed + 1, __ATOMIC_RELAXED);
	const uint64_t uses = dp_context_uses(ctx, side);

	if (unlikely(uses >= DP_LIMIT_USES))
		uses_tell(w, index, ctx, DP_LIMIT_USE);
	else if (unlikely(uses > DP_LIMIT_USES / 2))
		uses_tell(w, index, ctx, DP_LIMIT_USE_HALF);
}

// Any worker, so that two of them may get here at once: the one that sets the bit reports it.
static void forgeries_tell(
	struct dp_worker *w, uint32_t index, uint32_t generation, enum dp_limit limit)
{
	uint8_t *told = &dp_side(w, index)->forgeries_told;
	uint8_t bit = limit_bit(limit);

	if (__atomic_load_n(told, __ATOMIC_RELAXED) & bit ||
		__atomic_fetch_or(told, bit, __ATOMIC_RELAXED) & bit)
		return;
	if (!dp_event_send(w, DP_EVENT_LIMIT, index, generation, limit))
		__atomic_fetch_and(told, (uint8_t)~bit, __ATOMIC_RELAXED);
}

void dp_limit_forged(struct dp_worker *w, uint32_t index, uint32_t generation, uint32_t count)
{
	const struct dp_context *ctx = &w->contexts->context[index];
	uint32_t *failed = &dp_side(w, index)->failed;
	uint32_t limit = dp_limit_forgeries(ctx->alg);

	if (dp_context_live(ctx) != generation)
		return;
	uint32_t now = __atomic_load_n(failed, __ATOMIC_RELAXED);

	if (now < DP_FORGERIES_MAX)
		now = __atomic_add_fetch(failed, count, __ATOMIC_RELAXED);
	if (now >= limit)
		forgeries_tell(w, index, generation, DP_LIMIT_FORGERY);
	else if (now >= limit / 2)
		forgeries_tell(w, index, generation, DP_LIMIT_FORGERY_HALF);
}
