// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/move.h"

#include "dataplane/worker/event.h"
#include "dataplane/worker/observers.h"

#include <assert.h>

#define AGAIN_S 1 // from one move of a context to the next question

// At most one question a millisecond, whatever devices do: main has other events to read.
static bool may_ask(struct dp_worker *w, const struct dp_side *side)
{
	if (w->moves_ms == w->now_ms)
		return false;
	return !side->moved_s || w->now_ms / 1000 > side->moved_s + (uint64_t)AGAIN_S;
}

// What would not move with the context: its requests and answers under way, and its observers.
static bool under_way(const struct dp_worker *w, uint32_t index, const struct dp_side *side)
{
	const struct dp_context *ctx = &w->contexts->context[index];

	return ctx->in_flight != DP_INDEX_NONE || side->unacked_count ||
		dp_observers_has(w, index, ctx->generation);
}

// Asks main, if it may be and what is under way allows it.
static bool ask(struct dp_worker *w, uint32_t index, const struct dp_context *ctx)
{
	const struct dp_side *side = dp_side(w, index);

	if (under_way(w, index, side) || !may_ask(w, side))
		return false;
	w->moves_ms = w->now_ms;
	return dp_event_send(w, DP_EVENT_MOVE_WANTED, index, ctx->generation, side->away_from);
}

void dp_move_note(struct dp_worker *w, uint32_t index, const struct dp_context *ctx, unsigned from)
{
	struct dp_side *side = dp_side(w, index);

	if (w->affinity_kid)
		return;
	unsigned count = side->away_count;

	// Between two of them none arrived here.
	if (unlikely(side->away_from != from ||
		    (uint16_t)(side->away_accepted + 1) != (uint16_t)ctx->accepted)) {
		side->away_from = from;
		count = 0;
	}
	side->away_accepted = (uint16_t)ctx->accepted;
	count++;
	// When DP_MOVE_AFTER more have come, the next one asks again.
	side->away_count = count >= 2 * DP_MOVE_AFTER - 1 ? DP_MOVE_AFTER - 1 : count;
	if (count == DP_MOVE_AFTER)
		ask(w, index, ctx);
}

void dp_move_note_end(struct dp_worker *w, uint32_t index, const struct dp_context *ctx)
{
	struct dp_side *side = dp_side(w, index);

	if (side->away_count < DP_MOVE_AFTER || side->away_accepted != (uint16_t)ctx->accepted)
		return;
	if (ask(w, index, ctx))
		side->away_count = 0;
}

void dp_move(struct dp_worker *w, uint32_t index, unsigned to)
{
	struct dp_context *ctx = &w->contexts->context[index];
	struct dp_side *side = dp_side(w, index);

	// Between two turns no answer waits to be sealed.
	assert(ctx->owner == w->id && !w->batch.n);
	if (to >= w->worker_count || to == w->id || under_way(w, index, side) || w->limits_lost)
		return;
	side->away_count = 0;
	side->previous = w->id;
	side->moved_s = w->now_ms / 1000;
	dp_count(w, DP_STAT_contexts_moved);
	// From here on it is the other one's.
	__atomic_store_n(&ctx->owner, to, __ATOMIC_RELEASE);
}

uint8_t dp_move_previous(const struct dp_worker *w, uint32_t index)
{
	const struct dp_side *side = dp_side(w, index);

	// The clock of the worker that wrote moved_s may be a little ahead.
	bool lately = side->moved_s &&
		w->now_ms / 1000 <= side->moved_s + DP_MOVE_COPIES_S(w->ack_timeout_ms);

	return lately && side->previous != w->id ? side->previous : DP_OWNER_NONE;
}
