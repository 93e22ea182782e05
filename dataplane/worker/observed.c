// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/observed.h"

#include "dataplane/shared/policy.h"
#include "dataplane/worker/observers.h"

#define PLACES 256 // that are looked at in a turn

static const struct dp_representation *rep_of(
	const struct dp_worker *w, const struct dp_observation *o)
{
	return dp_rep_at(dp_observed_table(w, o->slot), dp_observed_slot(w, o->slot));
}

static void path_copy(const struct dp_representation *rep, struct dp_observed_path *to)
{
	struct dp_path path;
	uint64_t cache_id;

	to->len = 0;
	to->cut = !dp_rep_key_path(rep->bytes, rep->key_len, &path, &cache_id);
	for (unsigned i = 0; i < path.count && !to->cut; i++) {
		const struct dp_segment *segment = &path.segment[i];

		to->cut =
			segment->len > UINT8_MAX || to->len + 1u + segment->len > sizeof(to->bytes);
		if (to->cut)
			break;
		to->bytes[to->len++] = (uint8_t)segment->len;
		memcpy(to->bytes + to->len, segment->text, segment->len);
		to->len += segment->len;
	}
}

bool dp_observed_matches(
	const struct dp_worker *w, const struct dp_observed_question *question, uint32_t index)
{
	const struct dp_observation *o = dp_observation_at(w->observations, index);
	const struct dp_representation *rep;
	struct dp_observed_path path;

	if (question->of_device &&
		(o->context != question->context || o->generation != question->generation))
		return false;
	if (!question->of_path)
		return true;
	rep = rep_of(w, o);
	if (!rep)
		return false;
	path_copy(rep, &path);
	return !path.cut && path.len == question->path.len &&
		!memcmp(path.bytes, question->path.bytes, path.len);
}

static void tell(const struct dp_worker *w, uint32_t index, struct dp_observed *to)
{
	const struct dp_observation *o = dp_observation_at(w->observations, index);
	const struct dp_representation *rep = rep_of(w, o);

	to->place = index;
	to->context = o->context;
	to->generation = o->generation;
	to->confirmed_s = (uint32_t)(w->now_ms / 1000) - o->con_s;
	to->registered_s = (uint32_t)(w->now_ms / 1000) - o->flow.kept[DP_OBSERVATION_SINCE_S];
	to->sent = o->flow.kept[DP_OBSERVATION_SENT];
	memcpy(to->endpoint, &o->flow, DP_ENDPOINT_LEN);
	to->tries = o->unacked ? o->tries : 0;
	to->fetch = o->fetch;
	to->stored = rep;
	to->current = rep && rep->version == o->version;
	to->path.len = 0;
	to->path.cut = false;
	if (rep)
		path_copy(rep, &to->path);
}

unsigned dp_observed_tell(struct dp_worker *w, struct dp_observed_ask *ask)
{
	unsigned n = 0;

	for (; n < PLACES && ask->next != DP_OBSERVATION_NONE && ask->count < ask->question.most;
		n++) {
		uint32_t index = dp_observation_sweep(w->observations, &ask->next);

		if (index != DP_OBSERVATION_NONE && dp_observed_matches(w, &ask->question, index))
			tell(w, index, &ask->found[ask->count++]);
	}
	if (ask->next == DP_OBSERVATION_NONE || ask->count == ask->question.most)
		dp_observed_done(w, ask);
	return n;
}

void dp_observed_done(struct dp_worker *w, struct dp_observed_ask *ask)
{
	__atomic_store_n(&ask->state, DP_OBSERVED_ANSWERED, __ATOMIC_RELEASE);
}
