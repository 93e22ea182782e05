// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/observe.h"

#include "dataplane/coap/block.h"
#include "dataplane/state/notify.h"
#include "dataplane/worker/access.h"
#include "dataplane/worker/answer.h"
#include "dataplane/worker/observers.h"
#include "dataplane/worker/own_piv.h"
#include "dataplane/worker/room.h"

#define OUTER_OBSERVE 4  // bytes of the option outside
#define CANCEL_LOOKS  32 // requests under way among which one that is taken back is looked for

// A request that registers.
struct registration {
	struct dp_observer who;
	const struct coap_body *body;
	const struct dp_route *route;
	uint8_t code;
	uint64_t piv;
	const uint8_t *kid;
	uint8_t kid_len;
	uint16_t permit; // of the device, when the request was allowed
};

uint32_t dp_observe_age(const struct dp_worker *w, const struct dp_representation *rep)
{
	if (rep->observe_ms == UINT64_MAX)
		return w->policy->observe_max_age_s;
	if (!dp_rep_is_current(w->reps, rep) || rep->observe_ms <= w->now_ms)
		return 0;
	uint64_t left = (rep->observe_ms - w->now_ms) / 1000;

	return left < UINT32_MAX ? (uint32_t)left : UINT32_MAX;
}

uint64_t dp_observe_refresh_ms(struct dp_worker *w, const struct dp_observation *o,
	const struct dp_representation *rep, uint32_t age)
{
	const uint32_t spread = dp_jitter(w, UINT32_MAX);

	return RTE_MIN(dp_notify_refresh_ms(age, rep->refresh_ms, spread),
		dp_notify_daily_ms(o->con_s, w->now_ms / 1000, spread));
}

struct dp_rep_room dp_observe_room(
	struct dp_worker *w, const struct dp_flow *flow, uint16_t token_len, uint32_t context)
{
	const struct dp_context *ctx = &w->contexts->context[context];
	uint16_t room = dp_response_max(w, flow->port_id, flow->family, token_len, ctx);

	room = RTE_MIN((size_t)room, w->spare_stride);
	return (struct dp_rep_room){
		.plaintext = room > OUTER_OBSERVE ? room - OUTER_OBSERVE : 0,
		.payload = dp_payload_max(dp_max_message(w, ctx)),
	};
}

static uint8_t szx_of(const struct coap_body *body)
{
	struct coap_option option;
	struct coap_block block;

	return coap_option_find(body, COAP_OPT_BLOCK2, &option) && coap_block_read(&block, &option)
		? block.szx
		: DP_OBSERVATION_NO_SZX;
}

bool dp_observe_needs_blocks(const struct dp_representation *rep, const struct dp_rep_room *room)
{
	return rep->payload_len > room->payload ||
		rep->payload_len + DP_REP_ROOM_LEAST > room->plaintext;
}

uint16_t dp_observe_write(const struct dp_worker *w, uint32_t slot,
	const struct dp_representation *rep, uint8_t szx, uint32_t age,
	const struct dp_rep_room *room, uint8_t *out)
{
	if (unlikely(dp_observe_needs_blocks(rep, room) ||
		    (szx != DP_OBSERVATION_NO_SZX && rep->payload_len > coap_block_size(szx))))
		dp_rep_begin(dp_observed_table(w, slot), dp_observed_slot(w, slot));
	return dp_rep_notification_write(rep, szx, age, room, out);
}

// Whether a representation is no notification to this registration.
static bool is_large_fetch(const struct registration *r, const struct dp_representation *rep,
	const struct dp_rep_room *room)
{
	return r->code == COAP_FETCH &&
		(szx_of(r->body) != DP_OBSERVATION_NO_SZX || dp_observe_needs_blocks(rep, room));
}

// The success that is stored of what a registration is for, and its slot; NULL: there is none.
static const struct dp_representation *stored(
	const struct dp_worker *w, const struct registration *r, uint32_t *slot)
{
	const struct dp_rep_table *table = &w->reps->table[r->route->home - 1];
	const struct dp_rep_asker asker = {
		.route = r->route->cache_id,
		.code = r->code,
		.shared = r->route->cache_shared,
		.context = r->who.context,
		.generation = r->who.generation,
	};
	struct dp_rep_key key;
	uint32_t at;

	if (!dp_rep_key_make(&key, &w->reps->keys, &asker, r->body))
		return NULL;
	const struct dp_representation *rep = dp_rep_find(table, &key, &at);

	if (!rep || COAP_CODE_CLASS(rep->code) != 2)
		return NULL;
	*slot = (r->route->home - 1u) * table->slots + at;
	return rep;
}

// The same if it can be observed now.
static const struct dp_representation *find(
	const struct dp_worker *w, const struct registration *r, uint32_t *slot)
{
	const struct dp_representation *rep = stored(w, r, slot);

	return rep && dp_observe_age(w, rep) ? rep : NULL;
}

// Renews the observation of this observer, or makes one. DP_OBSERVATION_NONE: none stands.
static uint32_t observation_of(struct dp_worker *w, const struct registration *r, uint32_t slot,
	const struct dp_representation *rep)
{
	uint32_t index = dp_observation_find(w->observations, &r->who);

	// The backend may have taken longer for an older registration than for a newer one, which
	// stays: the device opens notifications with the Partial IV of the last one it sent.
	if (index != DP_OBSERVATION_NONE && dp_observation_at(w->observations, index)->piv > r->piv)
		return DP_OBSERVATION_NONE;
	if (index != DP_OBSERVATION_NONE &&
		dp_observation_at(w->observations, index)->slot == slot) {
		// RFC 7641 section 4.1: it takes the place of the one before. What was sent under
		// that is not opened with the Partial IV of this one, so it is not waited for.
		dp_observation_forget(w->observations, index);
		return index;
	}
	if (index != DP_OBSERVATION_NONE)
		dp_observer_remove(w, index);
	if (!dp_rep_pin(dp_observed_table(w, slot), dp_observed_slot(w, slot), rep->hash))
		return DP_OBSERVATION_NONE;
	index = dp_observation_add(w->observations, &r->who, slot, w->policy->observe_per_device);
	if (index == DP_OBSERVATION_NONE)
		dp_rep_unpin(dp_observed_table(w, slot), dp_observed_slot(w, slot));
	return index;
}

// Registers, and takes an own Partial IV for the answer. False: that is a plain one.
static bool add(struct dp_worker *w, const struct registration *r, uint32_t slot,
	const struct dp_representation *rep, uint64_t *own_piv)
{
	struct dp_context *ctx = &w->contexts->context[r->who.context];
	uint32_t index = observation_of(w, r, slot, rep);
	enum dp_stat why_not;

	if (index == DP_OBSERVATION_NONE) {
		dp_count(w, DP_STAT_observe_refused);
		return false;
	}
	if (!dp_own_piv(w, r->who.context, ctx, own_piv, &why_not)) {
		dp_observer_remove(w, index);
		dp_count(w, DP_STAT_observe_refused);
		return false;
	}
	struct dp_observation *o = dp_observation_at(w->observations, index);
	const struct dp_representation *now =
		dp_rep_at(dp_observed_table(w, slot), dp_observed_slot(w, slot));
	uint64_t due_ms = w->now_ms;

	o->flow = *r->who.flow; // another router may have another MAC
	o->flow.kept[DP_OBSERVATION_SINCE_S] = (uint32_t)(w->now_ms / 1000);
	o->flow.kept[DP_OBSERVATION_SENT] = 0;
	o->piv = r->piv;
	o->kid_len = r->kid_len;
	memcpy(o->kid, r->kid, r->kid_len & OSC_KID_LEN_MAX);
	o->version = rep->version;
	o->format = dp_rep_is_nothing(rep) ? DP_OBSERVATION_ANY_FORMAT : rep->content_format;
	o->szx = szx_of(r->body);
	o->fetch = r->code == COAP_FETCH;
	o->unacked = o->pending = o->acked = o->confirm = false;
	o->tries = 0;
	o->since_con = 0;
	o->con_s = w->now_ms / 1000;
	o->rate_at = dp_bucket_now(w->now_ms);
	o->permit = r->permit;
	o->policy = w->policy->number;
	// What was published before the slot was pinned was told to nobody.
	if (now && now->version == rep->version)
		due_ms += dp_observe_refresh_ms(w, o, rep, dp_observe_age(w, rep));
	dp_observation_wake(w->observations, index, due_ms);
	dp_count(w, DP_STAT_observe_registered);
	return true;
}

// A registration whose answer the backend still owes, and which the device takes back: that gets a
// plain answer. It is among the last requests of the device, or takes care of itself, as the device
// rejects what it did not ask for.
static void cancel_early(struct dp_worker *w, const struct registration *r)
{
	uint32_t index = w->contexts->context[r->who.context].in_flight;

	for (unsigned n = 0; n < CANCEL_LOOKS && index != DP_INDEX_NONE; n++) {
		struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
		struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);

		if (x->observe && x->piv < r->piv && dp_flow_same_endpoint(&x->flow, r->who.flow) &&
			shared->request.token_len == r->who.token_len &&
			!memcmp(dp_shared_request_buf(shared), r->who.token, r->who.token_len)) {
			x->observe = false;
			dp_count(w, DP_STAT_observe_cancelled);
		}
		index = x->next;
	}
}

// Ends a registration that the device takes back.
static void cancel(struct dp_worker *w, const struct registration *r)
{
	uint32_t index = dp_observation_find(w->observations, &r->who);

	cancel_early(w, r);
	if (index == DP_OBSERVATION_NONE)
		return;
	dp_observer_remove(w, index);
	dp_count(w, DP_STAT_observe_cancelled);
}

uint8_t dp_observe(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route, bool *ends)
{
	struct dp_access_record record;
	struct dp_flow flow;
	uint64_t own_piv;
	uint32_t at;

	*ends = false;
	if (!w->observations || vec->again[slot] || vec->msg[slot].token_len > DP_OBSERVATION_TOKEN)
		return 0;
	pkt_flow(vec, slot, &flow);
	const struct registration r = {
		.who = {.context = vec->context[slot],
			.generation = vec->generation[slot],
			.flow = &flow,
			.token = vec->msg[slot].token,
			.token_len = vec->msg[slot].token_len},
		.body = &inner->body,
		.route = route,
		.code = inner->code,
		.piv = vec->option[slot].piv,
		.kid = vec->option[slot].kid,
		.kid_len = vec->option[slot].kid_len,
		.permit = dp_context_permit(&w->contexts->context[vec->context[slot]]),
	};

	if (inner->options.observe == DP_OBSERVE_CANCEL) {
		cancel(w, &r);
		return 0;
	}
	const struct dp_representation *rep = stored(w, &r, &at);
	const struct dp_rep_room room = dp_observe_room(w, &flow, r.who.token_len, r.who.context);

	// What is not fresh, or has no second left, is asked for, and registered when that comes
	// back.
	if (!rep || room.plaintext < DP_REP_ROOM_LEAST ||
		!dp_rep_is_fresh(w->reps, rep, w->now_ms) || is_large_fetch(&r, rep, &room))
		return 0;
	*ends = !dp_observe_age(w, rep);
	if (*ends || !add(w, &r, at, rep, &own_piv))
		return 0;
	bool access = unlikely(w->access);

	if (access)
		dp_access_request(w, vec, slot, &record);
	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);
	uint8_t *plaintext = w->stored + (answer - w->batch.answer) * w->spare_stride;

	answer->no_response = inner->options.no_response;
	answer->plaintext = plaintext;
	answer->plaintext_len = dp_observe_write(
		w, at, rep, szx_of(&inner->body), dp_observe_age(w, rep), &room, plaintext);
	answer->stored = true;
	answer->has_own_piv = true;
	answer->own_piv = own_piv;
	answer->observe = true;
	dp_count(w, DP_STAT_answers_cached);
	dp_route_count(&w->route_stats[route->slot].cache_hits);
	if (access)
		dp_access_answer(w, &record, *plaintext, answer->plaintext_len);
	return *plaintext;
}

void dp_observe_returned(struct dp_worker *w, uint32_t exchange, struct pkt_answer *answer)
{
	const struct dp_exchange *x = dp_exchange_at(w->exchanges, exchange);
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, exchange);
	const struct dp_request *request = &shared->request;
	struct coap_body body;
	uint64_t own_piv;
	uint32_t slot;

	// Of another configuration the route may be another one by now.
	if (!w->observations || COAP_CODE_CLASS(*answer->plaintext) != 2 ||
		request->snapshot != w->policy->number ||
		request->token_len > DP_OBSERVATION_TOKEN ||
		coap_body_parse_max(&body, dp_shared_body(shared), request->body_len,
			DP_INNER_OPTIONS_MAX) != COAP_OK)
		return;
	const struct registration r = {
		.who = {.context = x->context,
			.generation = x->context_generation,
			.flow = &x->flow,
			.token = dp_shared_request_buf(shared),
			.token_len = request->token_len},
		.body = &body,
		.route = &w->policy->routes[request->route],
		.code = request->code,
		.piv = x->piv,
		.kid = x->kid,
		.kid_len = x->kid_len,
		.permit = request->permit,
	};
	struct dp_rep_room room = dp_observe_room(w, &x->flow, request->token_len, x->context);

	// Its place is as large as the answer that was asked for.
	room.plaintext = RTE_MIN(room.plaintext, shared->data_room);
	const struct dp_representation *rep = find(w, &r, &slot);

	if (!rep || room.plaintext < DP_REP_ROOM_LEAST || is_large_fetch(&r, rep, &room) ||
		!add(w, &r, slot, rep, &own_piv))
		return;
	answer->plaintext_len = dp_observe_write(w, slot, rep, szx_of(&body),
		dp_observe_age(w, rep), &room, dp_shared_response(shared));
	answer->plaintext = dp_shared_response(shared);
	// For the next try, should this one not be sealed.
	dp_exchange_at(w->exchanges, exchange)->observed = true;
	answer->has_own_piv = true;
	answer->own_piv = own_piv;
	answer->observe = true;
}
