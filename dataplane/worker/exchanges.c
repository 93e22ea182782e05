// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/exchanges.h"

#include "dataplane/worker/event.h"
#include "dataplane/worker/move.h"
#include "dataplane/worker/observers.h"

static void away_end(struct dp_worker *w, const struct dp_exchange *x)
{
	const struct dp_context *ctx = &w->contexts->context[x->context];

	// While it was under way, nobody else can have become the owner of this generation.
	if (dp_context_live(ctx) == x->context_generation)
		dp_move_note_end(w, x->context, ctx);
}

// Main looks for itself, but later, if the event has no room.
static void drained_check(struct dp_worker *w, uint32_t context)
{
	const struct dp_context *ctx = &w->contexts->context[context];

	if (ctx->in_flight == DP_INDEX_NONE)
		dp_event_send(w, DP_EVENT_DRAINED, context, ctx->generation, 0);
}

static bool drains(const struct dp_worker *w, const struct dp_exchange *x)
{
	const struct dp_context *ctx = &w->contexts->context[x->context];

	return ctx->state == DP_CONTEXT_DRAINING && dp_context_live(ctx) == x->context_generation;
}

void dp_exchange_end(struct dp_worker *w, uint32_t index)
{
	const struct dp_exchange *x = &w->exchanges->worker_half[index];
	enum dp_exchange_state state = x->state;

	// What no loop took is in no list yet.
	if (likely(state != DP_EXCHANGE_TAKEN)) {
		dp_wheel_remove(&w->wheel, w->exchanges, index);
		if (dp_exchange_is_delivering(state))
			dp_unacked_remove(w->unacked, index);
		dp_in_flight_remove(w->in_flight, index);
		if (unlikely(x->away))
			away_end(w, x);
		if (unlikely(drains(w, x)))
			drained_check(w, x->context);
	}
	dp_exchange_give(w->exchanges, index);
}

void dp_exchange_give_up(struct dp_worker *w, uint32_t index)
{
	dp_exchange_end(w, index);
	dp_count(w, DP_STAT_answers_given_up);
}

uint32_t dp_exchange_obtain(struct dp_worker *w)
{
	uint32_t index = dp_exchange_take(w->exchanges);

	if (likely(index != DP_INDEX_NONE))
		return index;
	uint32_t victim = dp_unacked_victim(w->unacked);

	if (victim == DP_INDEX_NONE)
		return DP_INDEX_NONE;
	dp_exchange_give_up(w, victim);
	return dp_exchange_take(w->exchanges);
}

void dp_exchange_abandon(struct dp_worker *w, uint32_t index, enum dp_exchange_state state)
{
	struct dp_exchange *x = &w->exchanges->worker_half[index];

	if (x->state != state)
		dp_exchange_to(x, state);
	__atomic_store_n(&dp_exchange_shared(w->exchanges, index)->abandoned, 1, __ATOMIC_RELAXED);
}

void dp_context_drain_begin(struct dp_worker *w, uint32_t context)
{
	dp_observers_end(w, context, w->contexts->context[context].generation);
	// Behind all that was accepted, for main reads what is in flight behind it.
	__atomic_store_n(
		&w->contexts->context[context].state, DP_CONTEXT_DRAINING, __ATOMIC_RELEASE);
	drained_check(w, context);
}

void dp_context_abandon(struct dp_worker *w, uint32_t context)
{
	const struct dp_context *ctx = &w->contexts->context[context];
	uint32_t index;

	dp_observers_end(w, context, ctx->generation);
	while ((index = ctx->in_flight) != DP_INDEX_NONE) {
		if (dp_exchange_is_delivering(w->exchanges->worker_half[index].state)) {
			// No upstream loop holds it.
			dp_exchange_end(w, index);
			continue;
		}
		dp_wheel_remove(&w->wheel, w->exchanges, index);
		dp_in_flight_take(w->in_flight, context);
		dp_exchange_abandon(w, index, DP_EXCHANGE_ABANDONED);
	}
}
