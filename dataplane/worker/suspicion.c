// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/suspicion.h"

#include "dataplane/worker/challenge.h"
#include "dataplane/worker/event.h"
#include "dataplane/worker/own_piv.h"
#include "dataplane/worker/unprotected.h"

#define IDLE_S  93 // MAX_TRANSMIT_WAIT (RFC 7252 section 4.8.2)
#define AGAIN_S 60 // from one challenge of a context to the next

// For dp_echo_make(): such a value opens no window, and is void when a request is accepted.
static uint64_t echo_phase(const struct dp_context *ctx, const struct dp_side *side)
{
	return UINT64_C(1) << 63 | (uint64_t)side->unknown_phases << 32 | ctx->accepted;
}

static enum dp_remembered remembered_as(bool same)
{
	return same ? DP_REMEMBERED_SAME : DP_REMEMBERED_OTHER;
}

static enum dp_remembered remembered(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	uint32_t index = vec->context[slot];
	uint64_t piv = vec->option[slot].piv;
	unsigned tag_len = aead_algs[w->contexts->context[index].alg].tag_len;
	const uint8_t *tag = pkt_tag(vec, slot, tag_len);
	uint16_t answered;

	if (dp_answer_index_tag(w->answers, index, vec->generation[slot], piv, &answered))
		return remembered_as(answered == dp_answer_tag(tag));
	const uint8_t *in_flight =
		dp_in_flight_tag(w->in_flight, index, vec->generation[slot], piv);

	return in_flight ? remembered_as(!memcmp(in_flight, tag, tag_len)) : DP_REMEMBERED_NONE;
}

// Whether nothing was accepted for so long that no copy of it can be under way any more. What was
// accepted before this start is not known.
static bool idle(const struct dp_worker *w, const struct dp_context *ctx)
{
	uint32_t last_s = RTE_MAX(ctx->last_accepted_s, w->started_s);

	return !(ctx->flags & DP_CONTEXT_FLOOR) && w->now_ms / 1000 > last_s + (uint64_t)IDLE_S;
}

bool dp_suspicion_possible(const struct dp_worker *w, const struct dp_context *ctx)
{
	uint8_t owner = dp_context_owner(ctx);

	return (owner == w->id || owner == DP_OWNER_NONE) &&
		__atomic_load_n(&ctx->state, __ATOMIC_RELAXED) == DP_CONTEXT_ACTIVE;
}

// One packet a second and context. The first of an unclaimed context claims it.
static bool probe_budget(struct dp_worker *w, uint32_t index)
{
	uint16_t second = w->now_ms / 1000;
	struct dp_side *side = dp_side(w, index);

	if (dp_context_owner(&w->contexts->context[index]) != w->id)
		return true;
	if (side->probe_second == second)
		return false;
	side->probe_second = second;
	return true;
}

bool dp_suspicion_probe(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	uint32_t index = vec->context[slot];
	const struct dp_context *ctx = &w->contexts->context[index];

	if (!dp_suspicion_possible(w, ctx))
		return false;
	enum dp_remembered message = remembered(w, vec, slot);

	return (message == DP_REMEMBERED_OTHER ||
		       (message == DP_REMEMBERED_NONE && idle(w, ctx))) &&
		probe_budget(w, index);
}

// true: the packet ends as a challenge, or as what kept one from being sent.
static bool challenge(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	uint32_t index = vec->context[slot];
	struct dp_context *ctx = &w->contexts->context[index];
	struct dp_side *side = dp_side(w, index);
	uint32_t now_s = w->now_ms / 1000;
	uint64_t own_piv;
	enum dp_stat why_not;

	if (!idle(w, ctx) || (side->suspect_s && now_s - side->suspect_s < AGAIN_S))
		return false;
	if (!dp_own_piv_spare(w, index, ctx, &own_piv, &why_not)) {
		dp_drop(w, vec, slot, why_not);
		return true;
	}
	side->suspect_s = now_s;
	side->suspect_accepted = ctx->accepted;
	side->probe_second--; // the request that brings the value may come at once
	dp_challenge_send(w, vec, slot, echo_phase(ctx, side), own_piv);
	dp_count(w, DP_STAT_rx_suspicions);
	return true;
}

void dp_suspicion(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, enum dp_remembered in_burst)
{
	uint32_t index = vec->context[slot];
	struct dp_context *ctx = &w->contexts->context[index];
	enum dp_remembered message = in_burst ? in_burst : remembered(w, vec, slot);
	bool proof = message == DP_REMEMBERED_OTHER ||
		(message == DP_REMEMBERED_NONE &&
			dp_echo_brought(w, vec, slot, echo_phase(ctx, dp_side(w, index))));

	dp_side(w, index)->last_refused_s = w->now_ms / 1000;
	if (ctx->state == DP_CONTEXT_ACTIVE) {
		// Two of one burst were not probes. A device that contradicts itself without end,
		// and is active with each number between, is reported to main once a second.
		if (proof && (vec->probe[slot] || probe_budget(w, index)))
			dp_context_state_set(w, index, ctx, DP_CONTEXT_REPLAY_LOCKED);
		else if (message == DP_REMEMBERED_NONE && challenge(w, vec, slot))
			return;
	}
	dp_replay(w, vec, slot);
}
