// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/cached.h"

#include "dataplane/shared/representation_answer.h"
#include "dataplane/worker/access.h"
#include "dataplane/worker/answer.h"
#include "dataplane/worker/in_place.h"
#include "dataplane/worker/observers.h"
#include "dataplane/worker/room.h"

#define ROOM_LEAST 64 // bytes of plaintext, see dp_rep_answer_write()

// The representation that is an answer now, or NULL.
static const struct dp_representation *find(const struct dp_worker *w, const struct pkt_vec *vec,
	unsigned slot, const struct dp_inner *inner, const struct dp_route *route, bool *shaped)
{
	struct dp_rep_table *table = &w->reps->table[route->home - 1];
	const struct dp_rep_asker asker = {
		.route = route->cache_id,
		.code = inner->code,
		.shared = route->cache_shared,
		.context = vec->context[slot],
		.generation = vec->generation[slot],
	};
	struct dp_rep_key key;
	uint32_t at;

	if ((inner->code != COAP_GET && inner->code != COAP_FETCH) ||
		!dp_rep_key_make(&key, &w->reps->keys, &asker, &inner->body))
		return NULL;
	const struct dp_representation *rep = dp_rep_find(table, &key, &at);

	if (!rep)
		return NULL;
	const struct dp_representation *begun = NULL;

	if (unlikely(inner->options.later_block && route->observe))
		begun = dp_observer_begun(w, asker.context, asker.generation,
			(route->home - 1u) * table->slots + at, rep);
	if (begun)
		rep = begun;
	else if (!dp_rep_is_fresh(w->reps, rep, w->now_ms))
		return NULL;
	dp_rep_use(table, at);
	*shaped = key.shaped;
	return rep;
}

// Answers with all of it, in the buffer of the request. false: it is not as simple as that.
static bool answer_in_place(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_representation *rep, const struct dp_rep_room *room, uint16_t *len)
{
	uint32_t age = dp_rep_max_age(rep, w->now_ms);
	uint32_t whole = dp_rep_whole_len(rep, age);

	if (whole > room->plaintext || rep->payload_len > room->payload ||
		!dp_in_place_possible(w, vec, slot) ||
		!dp_in_place_fits(w, vec, slot, whole + DP_REP_WHOLE_OVER))
		return false;
	uint8_t *text = dp_in_place_keep_begin(w, vec, slot);

	dp_rep_whole_write(rep, age, text);
	dp_in_place_keep_end(w, vec, slot, text, whole);
	*len = whole;
	return true;
}

// Answers in a buffer of its own. Returns the code.
static uint8_t answer_apart(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_representation *rep,
	const struct dp_rep_room *room, uint16_t *len)
{
	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);
	// One place for each answer of the batch.
	uint8_t *plaintext = w->stored + (answer - w->batch.answer) * w->spare_stride;

	*len = dp_rep_answer_write(rep, &inner->body, w->now_ms, room, plaintext);
	answer->no_response = inner->options.no_response;
	answer->plaintext = plaintext;
	answer->plaintext_len = *len;
	answer->stored = true;
	return *plaintext;
}

// Whether an answer is asked for in blocks, or has to be sent so. Of a FETCH the device may ask for
// later blocks without saying what it asked for, so that a loop has to keep them for it.
static bool needs_blocks(const struct dp_inner *inner, const struct dp_representation *rep,
	const struct dp_rep_room *room)
{
	return inner->options.szx != DP_SZX_NONE || rep->payload_len > room->payload ||
		rep->payload_len + ROOM_LEAST > room->plaintext;
}

uint8_t dp_cached(struct dp_worker *w, struct pkt_vec *vec, unsigned slot,
	const struct dp_inner *inner, const struct dp_route *route)
{
	const struct dp_context *ctx = &w->contexts->context[vec->context[slot]];
	struct dp_access_record record;
	bool access = unlikely(w->access), shaped;
	uint16_t len;

	// What is stored now may be another answer than the one that a copy is to get.
	if (!w->reps || vec->again[slot])
		return 0;
	const struct dp_representation *rep = find(w, vec, slot, inner, route, &shaped);

	if (!rep)
		return 0;
	const struct dp_rep_room room = {
		.plaintext = RTE_MIN(dp_response_max(w, vec->mbuf[slot]->port,
					     vec->net[slot].family, vec->msg[slot].token_len, ctx),
			w->spare_stride),
		.payload = dp_payload_max(dp_max_message(w, ctx)),
	};
	uint8_t code = rep->code;

	if (room.plaintext < ROOM_LEAST ||
		(inner->code == COAP_FETCH && needs_blocks(inner, rep, &room)))
		return 0;
	if (access)
		dp_access_request(w, vec, slot, &record);
	if (shaped || inner->options.no_response ||
		!answer_in_place(w, vec, slot, rep, &room, &len))
		code = answer_apart(w, vec, slot, inner, rep, &room, &len);
	dp_count(w, DP_STAT_answers_cached);
	dp_route_count(&w->route_stats[route->slot].cache_hits);
	if (access)
		dp_access_answer(w, &record, code, len);
	return code;
}
