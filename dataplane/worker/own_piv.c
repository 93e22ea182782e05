// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/own_piv.h"

#include "dataplane/worker/event.h"

#define RUN_BASE_AHEAD (DP_COUNTER_MAX / 4 * 3) // use at which a higher base is asked for
#define RUN_BASE_AGAIN (1 << 10)                // and how often again, should nothing come of it
#define SPENT          (DP_COUNTER_MAX + 1)     // a counter from here on is used up

// The second that the clock shows now, and a counter. Never beyond the present second, so that a
// copy of this context that starts later starts above it. So many beside it must be left.
static bool clock_next(const struct dp_worker *w, const struct dp_context *ctx, unsigned owed,
	uint64_t *piv, enum dp_stat *why_not)
{
	const struct dp_clock *clock = &w->contexts->clock;
	int64_t second = dp_clock_now(clock);
	int64_t next = ctx->own_next >> DP_CLOCK_BITS;

	if (!dp_clock_usable(clock, second) || next > second + 1) {
		*why_not = DP_STAT_drop_clock;
		return false;
	}
	*piv = RTE_MAX((uint64_t)second << DP_CLOCK_BITS, ctx->own_next);
	if ((*piv + owed) >> DP_CLOCK_BITS > (uint64_t)second) {
		*why_not = DP_STAT_drop_own_piv_spent;
		return false;
	}
	return true;
}

// Every event that asked for a higher base may have been lost. The context uses no number any more
// after which it would ask again, so it asks once a second: its counter, which is used up, keeps
// the second.
static void base_want_again(struct dp_worker *w, uint32_t index, struct dp_context *ctx)
{
	const uint32_t second = SPENT + (w->now_ms / 1000 & UINT16_MAX);

	if (ctx->own_counter == second)
		return;
	ctx->own_counter = second;
	dp_event_send(w, DP_EVENT_RUN_BASE_WANTED, index, ctx->generation, ctx->run_base);
}

// The same of one whose last numbers are owed to others: it waits for ACKs, maybe, before they are
// used up. One a second of all, as each gets its base then.
static void base_want_beside(struct dp_worker *w, uint32_t index, const struct dp_context *ctx)
{
	const uint64_t next_s = w->now_ms / 1000 + 1;

	if (w->base_again_s == next_s)
		return;
	w->base_again_s = next_s;
	dp_event_send(w, DP_EVENT_RUN_BASE_WANTED, index, ctx->generation, ctx->run_base);
}

static bool run_next(struct dp_worker *w, uint32_t index, struct dp_context *ctx, unsigned owed,
	uint64_t *piv, enum dp_stat *why_not)
{
	uint32_t run = __atomic_load_n(w->run, __ATOMIC_ACQUIRE);

	if (run == DP_RUN_NONE) {
		if (!w->run_wanted)
			w->run_wanted =
				dp_event_send(w, DP_EVENT_RUN_WANTED, index, ctx->generation, 0);
		*why_not = DP_STAT_drop_no_run;
		return false;
	}
	uint64_t own_run = (uint64_t)run + ctx->run_base;

	if (ctx->own_counter >= SPENT || own_run > DP_RUN_MAX) {
		if (own_run < DP_RUN_MAX)
			base_want_again(w, index, ctx);
		*why_not = DP_STAT_drop_own_piv_spent;
		return false;
	}
	if (ctx->own_counter + owed >= SPENT) { // what is under way takes the last ones
		if (own_run < DP_RUN_MAX)
			base_want_beside(w, index, ctx);
		*why_not = DP_STAT_drop_own_piv_spent;
		return false;
	}
	*piv = own_run << DP_COUNTER_BITS | ctx->own_counter;
	return true;
}

static bool plain_next(
	const struct dp_context *ctx, unsigned owed, uint64_t *piv, enum dp_stat *why_not)
{
	*piv = ctx->own_next;
	if (*piv + owed <= OSC_PIV_MAX)
		return true;
	*why_not = DP_STAT_drop_own_piv_spent;
	return false;
}

static bool next_of(struct dp_worker *w, uint32_t index, struct dp_context *ctx, unsigned owed,
	uint64_t *piv, enum dp_stat *why_not)
{
	if (ctx->flags & DP_CONTEXT_OWN_PIV_PLAIN)
		return plain_next(ctx, owed, piv, why_not);
	return ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK ? clock_next(w, ctx, owed, piv, why_not)
						     : run_next(w, index, ctx, owed, piv, why_not);
}

bool dp_own_piv_ready(struct dp_worker *w, uint32_t index, struct dp_context *ctx, unsigned owed,
	enum dp_stat *why_not)
{
	uint64_t piv;

	return next_of(w, index, ctx, owed, &piv, why_not);
}

static bool take_beside(struct dp_worker *w, uint32_t index, struct dp_context *ctx, unsigned owed,
	uint64_t *piv, enum dp_stat *why_not)
{
	if (!next_of(w, index, ctx, owed, piv, why_not))
		return false;
	if (ctx->flags & DP_CONTEXT_OWN_PIV_PLAIN) {
		__atomic_store_n(&ctx->own_next, *piv + 1, __ATOMIC_RELAXED);
		return true;
	}
	if (ctx->flags & DP_CONTEXT_OWN_PIV_CLOCK) {
		dp_clock_use(&w->contexts->clock, *piv >> DP_CLOCK_BITS);
		__atomic_store_n(&ctx->own_next, *piv + 1, __ATOMIC_RELAXED);
		return true;
	}
	__atomic_store_n(&ctx->own_counter, ctx->own_counter + 1, __ATOMIC_RELAXED);
	if (ctx->own_counter >= RUN_BASE_AHEAD &&
		(ctx->own_counter - RUN_BASE_AHEAD) % RUN_BASE_AGAIN == 0)
		dp_event_send(w, DP_EVENT_RUN_BASE_WANTED, index, ctx->generation, ctx->run_base);
	return true;
}

bool dp_own_piv(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not)
{
	return take_beside(w, index, ctx, 0, piv, why_not);
}

bool dp_own_piv_spare(struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t *piv,
	enum dp_stat *why_not)
{
	// Without the flag an answer has the number of its request.
	const unsigned owed = ctx->flags & DP_CONTEXT_OWN_PIV ? ctx->in_flight_count : 0;

	return take_beside(w, index, ctx, owed, piv, why_not);
}
