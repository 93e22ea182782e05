// SPDX-License-Identifier: BSD-3-Clause
// Copies of requests that are known are answered as copies, others are replays. Nothing of a device
// whose window is unknown is accepted before it has answered a challenge.

#include "dataplane/worker/replay.h"

#include "dataplane/shared/bucket.h"
#include "dataplane/worker/challenge.h"
#include "dataplane/worker/event.h"
#include "dataplane/worker/handoff.h"
#include "dataplane/worker/limit.h"
#include "dataplane/worker/move.h"
#include "dataplane/worker/own_piv.h"
#include "dataplane/worker/send.h"
#include "dataplane/worker/separate.h"
#include "dataplane/worker/slow.h"
#include "dataplane/worker/strangers.h"
#include "dataplane/worker/suspicion.h"
#include "dataplane/worker/unprotected.h"

#define CHALLENGES_PER_SECOND 2 // to one context, of requests that are not the newest

enum copy {
	COPY_NONE,  // it is a replay
	COPY_ENDED, // answered, or silence
	COPY_AGAIN, // it is to be answered once more
};

static uint64_t name_of(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	return dp_answer_name(
		w->answers, vec->context[slot], vec->generation[slot], vec->option[slot].piv);
}

// Stage 7b: whether a request whose Partial IV was seen is a copy of one that we know. Answers it,
// or is silent, as RFC 7252 section 4.5 asks.
static enum copy duplicate(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	const struct coap_msg *msg = &vec->msg[slot];
	unsigned tag_len = aead_algs[ctx->alg].tag_len;
	struct dp_answer_found found;
	struct dp_flow flow;

	pkt_flow(vec, slot, &flow);
	const struct dp_answer_key key = {
		.name = name_of(w, vec, slot),
		.piv = vec->option[slot].piv,
		.endpoint = dp_answer_endpoint(w->answers, &flow),
		.context = vec->context[slot],
		.generation = vec->generation[slot],
		.flow = &flow,
		.token = msg->token,
		.tag = pkt_tag(vec, slot, tag_len),
		.token_len = msg->token_len,
		.mid = msg->mid,
		.tag_len = tag_len,
	};

	enum dp_answer_verdict verdict = dp_answer_index_find(w->answers, &key, w->now_ms, &found);

	if (verdict == DP_ANSWER_NONE) {
		uint32_t index = dp_in_flight_find(w->in_flight, &key);

		if (index == DP_INDEX_NONE)
			return COPY_NONE;
		enum dp_stat end = dp_separate_copy(w, index, &flow, msg->type);

		dp_count(w, end);
		if (end == DP_STAT_drop_duplicate_silent)
			dp_refused(w, vec, slot, end);
		return COPY_ENDED;
	}
	// An ACK was sent, and a NON is never acknowledged.
	if (verdict == DP_ANSWER_SILENT || msg->type == COAP_NON) {
		dp_drop(w, vec, slot, DP_STAT_drop_duplicate_silent);
		return COPY_ENDED;
	}
	if (verdict == DP_ANSWER_AGAIN) {
		vec->again[slot] = found.digest;
		return COPY_AGAIN;
	}
	dp_reply(w, &flow, found.bytes, found.len,
		found.len == COAP_EMPTY_LEN ? DP_STAT_rx_duplicates_acked
					    : DP_STAT_rx_duplicates_answered);
	return COPY_ENDED;
}

// What the window says of a request. That of an unclaimed context may be read: commit looks again.
static enum osc_window_verdict window_verdict(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	uint64_t piv = vec->option[slot].piv;

	if (vec->foreign[slot]) // its owner looks
		return OSC_WINDOW_NEW;
	if (dp_context_window_unknown(ctx)) { // nothing is known but a lower limit
		uint64_t next = __atomic_load_n(&ctx->window.next, __ATOMIC_RELAXED);

		return piv >= next ? OSC_WINDOW_NEW : OSC_WINDOW_OLD;
	}
	return osc_window_check(&ctx->window, piv);
}

// Whether a duplicate and a replay of this request end alike: those of a NON are both dropped
// silently unless `verbose_replay` is set, so that the look-up which tells them apart is skipped.
static bool copy_is_as_replay(const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	return vec->msg[slot].type == COAP_NON && !w->policy->verbose_replay;
}

// A request that did not pass: a copy, which of a context of unknown window may be one of what was
// accepted before a resync, or a replay. true: it is to be verified, to be answered once more, as a
// copy for the owner before, or as a probe.
static bool not_passed(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, enum osc_window_verdict verdict)
{
	bool seen_non = verdict == OSC_WINDOW_SEEN && copy_is_as_replay(w, vec, slot);
	enum copy copy = seen_non ? COPY_NONE : duplicate(w, vec, slot);

	if (copy != COPY_NONE)
		return copy == COPY_AGAIN;
	if (!seen_non && dp_context_owner(&w->contexts->context[vec->context[slot]]) == w->id &&
		dp_move_previous(w, vec->context[slot]) != DP_OWNER_NONE) {
		vec->copy[slot] = true;
		return true;
	}
	vec->probe[slot] = dp_suspicion_probe(w, vec, slot);
	if (vec->probe[slot])
		return true;
	if (seen_non)
		dp_drop(w, vec, slot, DP_STAT_drop_seen_non);
	else
		dp_replay(w, vec, slot);
	return false;
}

// Copies of requests that this worker answered, or did not, as the owner before: their context is
// another's, and of that nothing is touched but what is constant. What is to be answered once more
// goes on.
static void copies_answer(struct dp_worker *w, struct pkt_vec *vec)
{
	bool keep[DP_BURST];

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];
		enum copy copy = vec->copy[slot] ? duplicate(w, vec, slot) : COPY_NONE;

		keep[slot] = !vec->copy[slot] || copy == COPY_AGAIN;
		if (vec->copy[slot] && copy == COPY_NONE)
			dp_replay(w, vec, slot);
	}
	VEC_FILTER(vec, slot, keep[slot]);
}

// Prefetches for all old numbers what distinguishes a copy from a replay, before the first is
// looked up.
void dp_window(struct dp_worker *w, struct pkt_vec *vec)
{
	bool keep[DP_BURST];
	enum osc_window_verdict verdict[DP_BURST];
	uint8_t old[DP_BURST];
	unsigned n = 0, kept = 0;
	bool looked = false;

	if (unlikely(vec->copies))
		copies_answer(w, vec);
	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];

		vec->probe[slot] = false;
		if (unlikely(vec->copy[slot])) {
			keep[slot] = true;
			kept++;
			continue;
		}
		verdict[slot] = window_verdict(w, vec, slot);
		keep[slot] = verdict[slot] == OSC_WINDOW_NEW;
		kept += keep[slot];
		vec->again[slot] = 0;
		if (keep[slot])
			continue;
		if (verdict[slot] == OSC_WINDOW_SEEN && copy_is_as_replay(w, vec, slot)) {
			// One of a burst is looked at as a sign of a device that started again.
			if (looked ||
				!dp_suspicion_possible(
					w, &w->contexts->context[vec->context[slot]])) {
				dp_drop(w, vec, slot, DP_STAT_drop_seen_non);
				continue;
			}
			looked = true;
		}
		dp_answer_index_prefetch(w->answers, name_of(w, vec, slot));
		old[n++] = slot;
	}
	if (kept == vec->n)
		return;
	for (unsigned i = 0; i < n; i++)
		dp_answer_index_prefetch_record(w->answers, name_of(w, vec, old[i]));
	for (unsigned i = 0; i < n; i++)
		keep[old[i]] = not_passed(w, vec, old[i], verdict[old[i]]);
	VEC_FILTER(vec, slot, keep[slot]);
}

// Asks main for a higher mark; at most one question at a time.
static void mark_want(
	struct dp_worker *w, uint32_t index, const struct dp_context *ctx, uint64_t mark)
{
	struct dp_side *side = dp_side(w, index);

	if (side->mark_wanted)
		return;
	side->mark_wanted = dp_event_send(w, DP_EVENT_MARK_WANTED, index, ctx->generation, mark);
}

// Whether the unknown window of a context is asked about once more in this second: what is above
// all that was asked about always is, and a few others.
static bool challenge_allowed(const struct dp_worker *w, struct dp_side *side, uint64_t piv)
{
	uint16_t second = w->now_ms / 1000;

	if (piv >= side->challenged)
		return true;
	if (side->challenge_second != second) {
		side->challenge_second = second;
		side->challenges = 0;
	}
	if (side->challenges >= CHALLENGES_PER_SECOND)
		return false;
	side->challenges++;
	return true;
}

// A protected 4.01 with only Echo, under an own Partial IV (RFC 8613 appendix B.1.2). A device that
// recovers by appendix B.2 gets its step 2 instead, from the slow path.
__attribute__((cold)) static void challenge(struct dp_worker *w, struct pkt_vec *vec, unsigned slot)
{
	uint32_t index = vec->context[slot];
	struct dp_context *ctx = &w->contexts->context[index];
	struct dp_side *side = dp_side(w, index);
	const bool rekeys = ctx->flags & DP_CONTEXT_RECOVERY_B2 && w->slow && !vec->reinjected;
	uint64_t piv = vec->option[slot].piv;
	uint64_t own_piv;
	enum dp_stat why_not;

	side->last_refused_s = w->now_ms / 1000;
	if (!challenge_allowed(w, side, piv)) {
		dp_drop(w, vec, slot, DP_STAT_drop_challenge_limit);
		return;
	}
	if (!rekeys && !dp_own_piv_spare(w, index, ctx, &own_piv, &why_not)) {
		// A copy of this request will be challenged as if it was the first.
		dp_drop(w, vec, slot, why_not);
		return;
	}
	if (piv >= side->challenged)
		side->challenged = piv + 1;
	if (rekeys) {
		dp_slow_window(w, vec, slot);
		dp_context_state_set(w, index, ctx, DP_CONTEXT_REKEYING);
		return;
	}
	dp_challenge_send(w, vec, slot, side->unknown_phases, own_piv);
	dp_count(w, DP_STAT_rx_challenges);
	if (ctx->state == DP_CONTEXT_WINDOW_UNKNOWN)
		dp_context_state_set(w, index, ctx, DP_CONTEXT_ECHO_PENDING);
}

// What was committed of this burst under the same Partial IV. *copy: it is the same request.
static enum dp_remembered burst_remembers(const struct dp_worker *w, const struct pkt_vec *vec,
	unsigned committed, unsigned slot, bool *copy)
{
	unsigned tag_len = aead_algs[w->contexts->context[vec->context[slot]].alg].tag_len;
	enum dp_remembered remembered = DP_REMEMBERED_NONE;
	struct dp_flow flow;
	struct dp_flow other_flow;

	pkt_flow(vec, slot, &flow);
	*copy = false;
	for (unsigned i = 0; i < committed && !*copy; i++) {
		unsigned other = vec->live[i];
		const struct coap_msg *msg = &vec->msg[other];

		if (vec->context[other] != vec->context[slot] ||
			vec->option[other].piv != vec->option[slot].piv)
			continue;
		if (memcmp(pkt_tag(vec, other, tag_len), pkt_tag(vec, slot, tag_len), tag_len))
			return DP_REMEMBERED_OTHER;
		remembered = DP_REMEMBERED_SAME;
		pkt_flow(vec, other, &other_flow);
		*copy = msg->mid == vec->msg[slot].mid &&
			msg->token_len == vec->msg[slot].token_len &&
			!memcmp(msg->token, vec->msg[slot].token, msg->token_len) &&
			dp_flow_same_endpoint(&other_flow, &flow);
	}
	return remembered;
}

// A verified request whose Partial IV is not new after all: two of one burst both passed stage 7.
// true: it is to be answered once more.
static bool not_new(struct dp_worker *w, struct pkt_vec *vec, unsigned committed, unsigned slot,
	enum osc_window_verdict verdict)
{
	bool copy;
	enum dp_remembered in_burst = burst_remembers(w, vec, committed, slot, &copy);

	if (in_burst != DP_REMEMBERED_OTHER && verdict == OSC_WINDOW_SEEN &&
		copy_is_as_replay(w, vec, slot))
		dp_drop(w, vec, slot, DP_STAT_drop_seen_non);
	else if (copy)
		dp_drop(w, vec, slot, DP_STAT_drop_duplicate_silent);
	else
		switch (duplicate(w, vec, slot)) {
		case COPY_AGAIN:
			return true;
		case COPY_ENDED:
			break;
		case COPY_NONE:
			dp_suspicion(w, vec, slot, in_burst);
		}
	return false;
}

// Claims an unclaimed context, for this worker or, with affinity, for its home. Returns the owner.
static uint8_t claim(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, struct dp_context *ctx)
{
	uint8_t owner = dp_context_owner(ctx);

	if (likely(owner != DP_OWNER_NONE))
		return owner;
	uint8_t home = w->id;

	if (w->affinity_kid)
		home = dp_context_hash(w->contexts, &vec->key[slot]) % w->worker_count;
	// The first worker wins; the others hand their packets to it.
	if (__atomic_compare_exchange_n(
		    &ctx->owner, &owner, home, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
		owner = home;
	return owner;
}

// Whether this worker owns the context of a packet, or does from now on, and it is no copy for who
// owned it before. Else the packet ends here.
static bool is_mine(struct dp_worker *w, struct pkt_vec *vec, unsigned slot, struct dp_context *ctx)
{
	uint8_t owner = claim(w, vec, slot, ctx);

	if (likely(owner == w->id && !vec->copy[slot]))
		return true;
	if (owner == w->id)
		dp_handoff(w, vec, slot, dp_side(w, vec->context[slot])->previous);
	else if (owner == DP_OWNER_MAIN)
		dp_drop(w, vec, slot, DP_STAT_drop_context_gone);
	else
		dp_handoff(w, vec, slot, owner);
	return false;
}

// A request of a context that this worker owns, and worker `from` received, is accepted;
// window.next was `before` it.
static void accepted(
	struct dp_worker *w, uint32_t index, struct dp_context *ctx, uint64_t before, unsigned from)
{
	uint32_t now_s = w->now_ms / 1000, last_s = ctx->last_accepted_s;

	if (unlikely(dp_bucket_is_aged(last_s, now_s))) {
		uint32_t now = dp_bucket_now(w->now_ms);

		ctx->rate_at = dp_bucket_age(ctx->rate_at, now, now_s - last_s);
		ctx->share_at = dp_bucket_age(ctx->share_at, now, now_s - last_s);
	}
	__atomic_store_n(&ctx->accepted, ctx->accepted + 1, __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->last_accepted_s, now_s, __ATOMIC_RELAXED);
	if (ctx->flags & DP_CONTEXT_FLOOR && ctx->mark - ctx->window.next < DP_MARK_AHEAD / 2)
		mark_want(w, index, ctx, ctx->window.next + DP_MARK_AHEAD);
	if (unlikely(ctx->window.next > DP_LIMIT_USES / 2))
		dp_limit_uses(w, index, ctx, before);
	if (from != w->id)
		dp_move_note(w, index, ctx, from);
}

// Requests of a context that were accepted, and whose answers are not sealed yet: of this burst, of
// those before it, and behind backends. Some are counted twice.
static unsigned answers_owed(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned committed, uint32_t index)
{
	const struct answer_batch *batch = &w->batch;
	unsigned owed = w->contexts->context[index].in_flight_count;

	for (unsigned i = 0; i < committed; i++)
		owed += vec->context[vec->live[i]] == index;
	for (unsigned i = 0; i < batch->n; i++)
		owed += batch->slot[i] == DP_SLOT_NONE && batch->answer[i].context == index;
	return owed;
}

// true: the request goes on, taken in or to be answered once more. `committed` of the burst went on
// before it.
static bool commit_one(struct dp_worker *w, struct pkt_vec *vec, unsigned committed, unsigned slot)
{
	uint32_t index = vec->context[slot];
	struct dp_context *ctx = &w->contexts->context[index];
	uint64_t piv = vec->option[slot].piv;
	enum osc_window_verdict verdict;
	enum dp_stat why_not;

	if (dp_context_live(ctx) != vec->generation[slot]) {
		dp_drop(w, vec, slot, DP_STAT_drop_context_gone);
		return false;
	}
	if (unlikely(vec->again[slot]))
		return true; // this worker answered it before; nothing of its context is written
	if (!is_mine(w, vec, slot, ctx))
		return false;
	uint64_t before = ctx->window.next;

	if (unlikely(ctx->state == DP_CONTEXT_DRAINING)) {
		// Its device has other keys by now; nothing new begins under these.
		dp_drop(w, vec, slot, DP_STAT_drop_context_gone);
		return false;
	}
	if (vec->probe[slot]) {
		dp_suspicion(w, vec, slot, DP_REMEMBERED_NONE);
		return false;
	}
	if (ctx->flags & DP_CONTEXT_OWN_PIV &&
		!dp_own_piv_ready(
			w, index, ctx, answers_owed(w, vec, committed, index), &why_not)) {
		// Not accepted, so that its retransmission can be, and be answered.
		dp_drop(w, vec, slot, why_not);
		return false;
	}
	if (dp_context_window_unknown(ctx)) {
		if (piv < ctx->window.next) {
			dp_replay(w, vec, slot);
			return false;
		}
		if (!dp_echo_brought(w, vec, slot, dp_side(w, index)->unknown_phases)) {
			challenge(w, vec, slot);
			return false;
		}
		osc_window_open_at(&ctx->window, piv);
		dp_side(w, index)->challenged = 0;
		dp_context_state_set(w, index, ctx, DP_CONTEXT_ACTIVE);
	} else if (ctx->flags & DP_CONTEXT_FLOOR && piv >= ctx->mark) {
		// Its retransmission passes, once the mark is durable.
		mark_want(w, index, ctx, piv + 1 + DP_MARK_AHEAD);
		dp_side(w, index)->last_refused_s = w->now_ms / 1000;
		dp_drop(w, vec, slot, DP_STAT_drop_above_mark);
		return false;
	} else if ((verdict = osc_window_commit(&ctx->window, piv)) != OSC_WINDOW_NEW) {
		return not_new(w, vec, committed, slot, verdict);
	} else if (ctx->state == DP_CONTEXT_REPLAY_LOCKED) {
		dp_context_state_set(w, index, ctx, DP_CONTEXT_ACTIVE);
	}
	accepted(w, index, ctx, before, vec->from);
	if (ctx->flags & DP_CONTEXT_OWN_PIV_PLAIN)
		dp_strangers_accepted(w, vec, slot, ctx);
	return true;
}

// Stage 10, in order of arrival: the only place where a window moves, after the tag verified.
void dp_commit(struct dp_worker *w, struct pkt_vec *vec)
{
	unsigned kept = 0, again = 0;

	for (unsigned i = 0; i < vec->n; i++) {
		unsigned slot = vec->live[i];

		if (!commit_one(w, vec, kept, slot))
			continue;
		again += vec->again[slot] != 0;
		vec->live[kept++] = slot;
	}
	vec->n = kept;
	dp_stat_add(&w->stats, DP_STAT_rx_requests, kept - again);
	if (w->leaving.n)
		dp_handoff_send(w, vec);
}
