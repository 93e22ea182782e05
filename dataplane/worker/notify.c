// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/notify.h"

#include "dataplane/shared/change.h"
#include "dataplane/state/notify.h"
#include "dataplane/worker/answer.h"
#include "dataplane/worker/limit.h"
#include "dataplane/worker/observe.h"
#include "dataplane/worker/observed.h"
#include "dataplane/worker/observers.h"
#include "dataplane/worker/own_piv.h"
#include "dataplane/worker/seal.h"

#include <assert.h>

#define AGAIN_MS   500  // after which a notification is tried that could not be made
#define STALE_MS   2000 // after which is looked again for something that may be sent
#define LOST_MS    5000 // the same, for anything at all in the slot
#define TIMER_PART 4    // of the slice that is for timers, whatever changed

// What is sealed in this turn.
struct slice {
	unsigned n;
	uint32_t index[DP_ANSWERS_BATCH]; // of the observations, as the answers of the batch
	bool ends[DP_ANSWERS_BATCH];      // of these: it is the last notification
	// Of the plaintext that was written last: many have the same.
	const struct dp_representation *rep;
	uint32_t age;
	uint16_t payload;
	uint16_t len;
	uint8_t szx;
	const uint8_t *plaintext;
};

static struct dp_observation *at(const struct dp_worker *w, uint32_t index)
{
	return dp_observation_at(w->observations, index);
}

static const struct dp_representation *rep_of(
	const struct dp_worker *w, const struct dp_observation *o)
{
	return dp_rep_at(dp_observed_table(w, o->slot), dp_observed_slot(w, o->slot));
}

static void wake_in(struct dp_worker *w, uint32_t index, uint64_t ms)
{
	dp_observation_wake(w->observations, index, w->now_ms + ms);
}

// It has to wait.
static void put_off(struct dp_worker *w, uint32_t index, uint64_t ms)
{
	at(w, index)->pending = true;
	wake_in(w, index, ms + dp_jitter(w, ms / 4 + 1));
}

// Whether a confirmable notification of this context to this endpoint waits for its ACK (RFC 7252
// section 4.7: NSTART is 1).
static bool is_endpoint_busy(const struct dp_worker *w, uint32_t index)
{
	const struct dp_observation *o = at(w, index);
	uint32_t other = dp_observation_of_context(w->observations, o->context, o->generation);

	for (; other != DP_OBSERVATION_NONE;
		other = dp_observation_next_of_context(w->observations, other))
		if (other != index && at(w, other)->unacked &&
			dp_flow_same_endpoint(&at(w, other)->flow, &o->flow))
			return true;
	return false;
}

// Takes the message id of a notification: whether it may go now. If not, it has been put off. The
// last one, behind which nothing comes, is never too early.
static bool mid_take(struct dp_worker *w, uint32_t index, bool confirm, bool ends, uint16_t *mid)
{
	struct dp_observation *o = at(w, index);

	if (!confirm) {
		uint32_t wait_ms = dp_notify_rate(&o->rate_at, dp_bucket_now(w->now_ms));

		if (wait_ms && !ends) {
			o->pending = true;
			wake_in(w, index, wait_ms);
			return false;
		}
		*mid = dp_mid_non(w->mids, &o->flow);
		return true;
	}
	if (is_endpoint_busy(w, index)) {
		// Its ACK wakes this one; should it be removed without one, the timer does.
		put_off(w, index, 2 * w->ack_timeout_ms);
		return false;
	}
	if (!dp_mid_take(w->mids, &o->flow, w->now_ms, mid)) {
		dp_count(w, DP_STAT_notifications_delayed);
		put_off(w, index, AGAIN_MS);
		return false;
	}
	return true;
}

// Notes that a confirmable notification is sent once more, and when it is tried again.
static void try_again_later(struct dp_worker *w, uint32_t index)
{
	struct dp_observation *o = at(w, index);
	uint32_t first = w->ack_timeout_ms + dp_jitter(w, w->ack_timeout_ms / 2 + 1);
	uint32_t ticks = o->tries ? 2u * o->timeout : first / DP_OBSERVATION_TICK_MS;

	o->timeout = RTE_MIN(ticks, (uint32_t)UINT16_MAX);
	o->unacked = true;
	o->tries++;
	wake_in(w, index, o->timeout * (uint64_t)DP_OBSERVATION_TICK_MS);
}

// Adds a notification to the batch. The plaintext is there; where it ends the observation, it has
// no Observe, inside and outside.
static bool add(struct dp_worker *w, struct slice *slice, uint32_t index, bool ends)
{
	struct dp_observation *o = at(w, index);
	struct dp_context *ctx = &w->contexts->context[o->context];
	bool confirm = !ends &&
		(o->unacked || o->confirm ||
			dp_notify_confirms(o->since_con, w->policy->observe_confirm, o->con_s,
				w->now_ms / 1000));
	enum dp_stat why_not;
	uint64_t own_piv;
	uint16_t mid;

	if (!mid_take(w, index, confirm, ends, &mid))
		return false;
	if (!dp_own_piv_spare(w, o->context, ctx, &own_piv, &why_not)) {
		dp_count(w, DP_STAT_notifications_delayed);
		put_off(w, index, AGAIN_MS);
		return false;
	}
	dp_limit_own(w, o->context, ctx);
	struct pkt_answer *answer = dp_answer_add(w);

	assert(answer - w->batch.answer == slice->n);
	answer->flow = &o->flow;
	answer->token = o->token;
	answer->token_len = o->token_len;
	answer->kid = o->kid;
	answer->kid_len = o->kid_len;
	answer->piv = o->piv;
	answer->tag_len = aead_algs[ctx->alg].tag_len;
	answer->context = o->context;
	answer->generation = o->generation;
	answer->has_own_piv = true;
	answer->own_piv = own_piv;
	answer->recorded = false;
	answer->notification = true;
	answer->observe = !ends;
	answer->type = confirm ? COAP_CON : COAP_NON;
	answer->mid = mid;
	slice->index[slice->n] = index;
	slice->ends[slice->n++] = ends;
	dp_observation_sent(w->observations, index, mid);
	o->pending = o->acked = o->confirm = false;
	o->ended = ends;
	o->since_con = confirm ? 0 : o->since_con + 1;
	if (confirm) {
		o->con_s = w->now_ms / 1000;
		try_again_later(w, index);
		dp_count(w, DP_STAT_notifications_confirmable);
	}
	return true;
}

static uint8_t *plaintext_room(const struct dp_worker *w)
{
	return w->stored + (w->batch.n - 1) * w->spare_stride;
}

// The last notification: an error.
static void end(struct dp_worker *w, struct slice *slice, uint32_t index, uint8_t code)
{
	if (!add(w, slice, index, true))
		return;
	dp_answer_error(w, &w->batch.answer[slice->n - 1], code, 0, NULL);
}

// Writes the plaintext of the notification that was added last, unless that of the one before does.
static void plaintext_make(struct dp_worker *w, struct slice *slice, const struct dp_observation *o,
	const struct dp_representation *rep, uint32_t age)
{
	struct pkt_answer *answer = &w->batch.answer[slice->n - 1];
	const struct dp_rep_room room = dp_observe_room(w, &o->flow, o->token_len, o->context);

	if (slice->rep != rep || slice->age != age || slice->payload != room.payload ||
		slice->szx != o->szx || slice->len > room.plaintext) {
		slice->rep = rep;
		slice->age = age;
		slice->payload = room.payload;
		slice->szx = o->szx;
		slice->plaintext = plaintext_room(w);
		answer->stored = true;
		slice->len = room.plaintext < DP_REP_ROOM_LEAST
			? 0
			: dp_observe_write(w, o->slot, rep, o->szx, age, &room, plaintext_room(w));
	}
	answer->plaintext = slice->plaintext;
	answer->plaintext_len = slice->len;
}

// The last notification: the error that is stored, with what the backend says of it.
static void end_as_stored(struct dp_worker *w, struct slice *slice, uint32_t index,
	const struct dp_representation *rep)
{
	if (!add(w, slice, index, true))
		return;
	plaintext_make(w, slice, at(w, index), rep, dp_rep_max_age(rep, w->now_ms));
	if (!slice->len)
		dp_answer_error(w, &w->batch.answer[slice->n - 1], rep->code, 0, NULL);
}

// RFC 7641 section 4.2: notifications stay in one format. Nothing at all is in every format.
static bool is_in_format(const struct dp_representation *rep, const struct dp_observation *o)
{
	return rep->content_format == o->format || o->format == DP_OBSERVATION_ANY_FORMAT ||
		dp_rep_is_nothing(rep);
}

// Sends what is stored to an observer.
static void notify(struct dp_worker *w, struct slice *slice, uint32_t index,
	const struct dp_representation *rep, uint32_t age)
{
	struct dp_observation *o = at(w, index);
	bool error = COAP_CODE_CLASS(rep->code) != 2;

	if (unlikely(o->fetch) && !error) {
		const struct dp_rep_room room =
			dp_observe_room(w, &o->flow, o->token_len, o->context);

		if (dp_observe_needs_blocks(rep, &room)) {
			end(w, slice, index, COAP_INTERNAL_SERVER_ERROR);
			return;
		}
	}
	if (!error && !is_in_format(rep, o)) {
		end(w, slice, index, COAP_NOT_ACCEPTABLE);
		return;
	}
	if (error) {
		end_as_stored(w, slice, index, rep);
		return;
	}
	if (!add(w, slice, index, false))
		return;
	plaintext_make(w, slice, o, rep, age);
	if (o->format == DP_OBSERVATION_ANY_FORMAT && !dp_rep_is_nothing(rep))
		o->format = rep->content_format;
	o->version = rep->version;
	if (!o->unacked)
		wake_in(w, index, dp_observe_refresh_ms(w, o, rep, age));
}

// Whether the device may still observe this, by the routes and its policy as they are now: 0, or
// the code of the error that ends it.
static uint8_t refused(
	struct dp_worker *w, struct dp_observation *o, const struct dp_representation *rep)
{
	const struct dp_context *ctx = &w->contexts->context[o->context];
	uint16_t permit = dp_context_permit(ctx);
	const struct dp_route_index *allowed;
	struct dp_path path;
	uint64_t cache_id;

	if (o->policy == w->policy->number && o->permit == permit)
		return 0;
	uint8_t code = dp_rep_key_path(rep->bytes, rep->key_len, &path, &cache_id);
	int route = code ? dp_route_find(w->policy->index, &path, code) : DP_ROUTE_NONE;

	if (permit != DP_PERMIT_ALL &&
		(!dp_permit_find(w->policy, permit, &allowed) ||
			dp_route_find(allowed, &path, code) < 0))
		return COAP_FORBIDDEN;
	if (route < 0 || !w->policy->routes[route].observe ||
		w->policy->routes[route].cache_id != cache_id)
		return COAP_NOT_FOUND;
	o->policy = w->policy->number;
	o->permit = permit;
	return 0;
}

// Whether an observation still has a context of this worker. Its timer may go off, its slot change
// and its route go in one turn: the last notification is sent for the first of these.
static bool is_live(struct dp_worker *w, uint32_t index)
{
	const struct dp_observation *o = at(w, index);
	const struct dp_context *ctx = &w->contexts->context[o->context];

	if (o->ended)
		return false;
	if (dp_context_live(ctx) == o->generation && dp_context_owner(ctx) == w->id &&
		ctx->state != DP_CONTEXT_DRAINING)
		return true;
	dp_observer_remove(w, index);
	return false;
}

// The slot of an observation may have changed, or, if it is swept, its route.
static void changed(struct dp_worker *w, struct slice *slice, uint32_t index, bool swept)
{
	struct dp_observation *o = at(w, index);

	if (!is_live(w, index))
		return;
	const struct dp_representation *rep = rep_of(w, o);

	if (!rep) { // the loop takes out what is of routes that are gone
		if (swept)
			end(w, slice, index, COAP_NOT_FOUND);
		return;
	}
	uint8_t code = refused(w, o, rep);

	if (code) {
		end(w, slice, index, code);
		return;
	}
	// The newest goes out when the last one is acknowledged, or tried again.
	if (o->unacked || rep->version == o->version)
		return;
	uint32_t age = dp_observe_age(w, rep);

	if (age || COAP_CODE_CLASS(rep->code) != 2)
		notify(w, slice, index, rep, age);
}

// The timer of an observation went off.
static void timed(struct dp_worker *w, struct slice *slice, uint32_t index)
{
	struct dp_observation *o = at(w, index);

	if (!is_live(w, index))
		return;
	if (o->unacked && o->tries >= DP_NOTIFY_TRIES) { // RFC 7641 section 4.5
		dp_observer_remove(w, index);
		dp_count(w, DP_STAT_notifications_given_up);
		return;
	}
	const struct dp_representation *rep = rep_of(w, o);

	// At a reload a loop takes out what is of routes that are gone before the worker hears that
	// they are: the sweep ends these, with 4.04.
	if (!rep && o->version) {
		o->version = 0;
		put_off(w, index, LOST_MS);
		return;
	}
	// What was taken out of its slot, and not asked for since, is observed no more.
	uint8_t code = rep ? refused(w, o, rep) : COAP_SERVICE_UNAVAILABLE;
	uint32_t age = rep ? dp_observe_age(w, rep) : 0;

	if (code) {
		end(w, slice, index, code);
	} else if ((age || COAP_CODE_CLASS(rep->code) != 2)) {
		// What was only acknowledged has said all there is, until Max-Age ends.
		if (o->acked && rep->version == o->version) {
			o->acked = false;
			wake_in(w, index, dp_observe_refresh_ms(w, o, rep, age));
			return;
		}
		notify(w, slice, index, rep, age);
	} else if (o->unacked) {
		// Nothing that is good any more: it is not sent, and not waited for. The tries are
		// those of the device: they go on with what comes next.
		o->unacked = false;
		o->confirm = true;
		put_off(w, index, STALE_MS);
	} else if ((uint32_t)(w->now_ms / 1000) - o->con_s >= DP_NOTIFY_CONFIRM_S) {
		// There was nothing to ask with for a day whether the device is still there.
		end(w, slice, index, COAP_SERVICE_UNAVAILABLE);
	} else {
		put_off(w, index, STALE_MS);
	}
}

// Begins the walk over the observers of the next slot that changed.
static bool walk_begin(struct dp_worker *w)
{
	for (unsigned i = 0; i < w->loop_count; i++) {
		struct dp_worker_loop *loop = &w->loop[w->observing.loop];
		struct dp_rep_table *table = &w->reps->table[w->observing.loop];
		uint32_t base = w->observing.loop * table->slots, slot;

		w->observing.loop = (w->observing.loop + 1) % w->loop_count;
		if (!dp_change_take(table, loop->port, w->id, &slot))
			continue;
		dp_observation_walk(w->observations, base + slot);
		return true;
	}
	return false;
}

static unsigned changes(struct dp_worker *w, struct slice *slice, unsigned most)
{
	unsigned n = 0;

	while (n < most) {
		uint32_t index = w->observing.walking ? dp_observation_walk_next(w->observations)
						      : DP_OBSERVATION_NONE;

		n++;
		if (index != DP_OBSERVATION_NONE) {
			changed(w, slice, index, false);
			continue;
		}
		w->observing.walking = walk_begin(w);
		if (!w->observing.walking)
			return n - 1;
	}
	return n;
}

static unsigned timers(struct dp_worker *w, struct slice *slice, unsigned most)
{
	unsigned left = most;
	uint32_t index;

	while ((index = dp_observation_expire(w->observations, w->now_ms, &left)) !=
		DP_OBSERVATION_NONE)
		timed(w, slice, index);
	return most - left;
}

// With another policy each observation has a look at its route.
static unsigned sweep(struct dp_worker *w, struct slice *slice, unsigned most)
{
	unsigned n = 0;

	if (w->observing.policy != w->policy->number) {
		w->observing.policy = w->policy->number;
		w->observing.sweep = 1;
	}
	while (w->observing.sweep != DP_OBSERVATION_NONE && n < most) {
		uint32_t index = dp_observation_sweep(w->observations, &w->observing.sweep);

		n++;
		if (index != DP_OBSERVATION_NONE)
			changed(w, slice, index, true);
	}
	return n;
}

// What was sealed is on its way; what was not, for want of an mbuf, goes again.
static void settle(struct dp_worker *w, const struct slice *slice)
{
	for (unsigned i = 0; i < slice->n; i++) {
		uint32_t index = slice->index[i];

		if (slice->ends[i]) {
			dp_observer_remove(w, index);
			dp_count(w, DP_STAT_observe_ended);
		} else if (w->batch.answer[i].sent) {
			at(w, index)->flow.kept[DP_OBSERVATION_SENT]++;
		} else if (!at(w, index)->unacked) {
			at(w, index)->version = 0;
			put_off(w, index, AGAIN_MS);
		}
	}
}

// Main ends observations of a device: so many in a turn.
static unsigned cancel(
	struct dp_worker *w, struct slice *slice, struct dp_observed_ask *ask, unsigned most)
{
	const struct dp_observed_question *question = &ask->question;
	uint32_t index =
		dp_observation_of_context(w->observations, question->context, question->generation);
	unsigned n = 0;

	while (index != DP_OBSERVATION_NONE && n < most) {
		const uint32_t next = dp_observation_next_of_context(w->observations, index);

		if (dp_observed_matches(w, question, index) && is_live(w, index)) {
			n++;
			ask->count++;
			end(w, slice, index, COAP_SERVICE_UNAVAILABLE);
			// Nothing can be sealed for it now: it ends all the same, unheard.
			if (!slice->n || slice->index[slice->n - 1] != index) {
				dp_observer_remove(w, index);
				dp_count(w, DP_STAT_observe_ended);
			}
		}
		index = next;
	}
	if (index == DP_OBSERVATION_NONE)
		dp_observed_done(w, ask);
	return n;
}

static unsigned asked(struct dp_worker *w, struct slice *slice, unsigned most)
{
	struct dp_observed_ask *ask = dp_observed_asked(w);

	if (likely(!ask))
		return 0;
	if (ask->question.cancel)
		return cancel(w, slice, ask, most);
	dp_observed_tell(w, ask);
	return 0;
}

unsigned dp_notify_turn(struct dp_worker *w)
{
	if (likely(!w->observations))
		return 0;
	if (likely(!dp_observation_count(w->observations) && !dp_observed_asked(w)))
		return 0;
	const unsigned burst = RTE_MIN(w->policy->observe_burst, (unsigned)DP_ANSWERS_BATCH);
	uint64_t start = rte_rdtsc();
	struct slice slice;

	assert(!w->batch.n);
	slice.n = 0;
	slice.rep = NULL;
	unsigned n = asked(w, &slice, (burst + 1) / 2);

	n += timers(w, &slice, RTE_MAX((burst - n) / TIMER_PART, 1u));
	n += sweep(w, &slice, burst > n ? (burst - n) / 2 : 0);
	n += changes(w, &slice, burst > n ? burst - n : 0);
	if (slice.n) {
		dp_answers_flush(w);
		settle(w, &slice);
	}
	if (n)
		dp_stage_end(w, DP_STAGE_notify, start, n);
	return n + (dp_observed_asked(w) != NULL);
}
