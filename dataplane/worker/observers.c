// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/observers.h"

void dp_observer_remove(struct dp_worker *w, uint32_t index)
{
	uint32_t slot = dp_observation_at(w->observations, index)->slot;

	dp_rep_unpin(dp_observed_table(w, slot), dp_observed_slot(w, slot));
	dp_observation_remove(w->observations, index);
}

void dp_observers_end(struct dp_worker *w, uint32_t context, uint32_t generation)
{
	uint32_t index;

	if (!w->observations || !dp_observation_count(w->observations))
		return;
	while ((index = dp_observation_of_context(w->observations, context, generation)) !=
		DP_OBSERVATION_NONE)
		dp_observer_remove(w, index);
}

bool dp_observers_has(const struct dp_worker *w, uint32_t context, uint32_t generation)
{
	return w->observations && dp_observation_count(w->observations) &&
		dp_observation_of_context(w->observations, context, generation) !=
		DP_OBSERVATION_NONE;
}

// What takes the place of a version may not be fresh for any request, and so may the version itself
// be; for so long the others of its blocks are there all the same.
static bool is_for_blocks(const struct dp_worker *w, const struct dp_representation *now,
	const struct dp_representation *begun)
{
	return begun != now || w->now_ms < begun->stored_ms + DP_REP_OLDER_MS;
}

const struct dp_representation *dp_observer_begun(const struct dp_worker *w, uint32_t context,
	uint32_t generation, uint32_t slot, const struct dp_representation *rep)
{
	uint32_t index = w->observations
		? dp_observation_of_context(w->observations, context, generation)
		: DP_OBSERVATION_NONE;

	for (; index != DP_OBSERVATION_NONE;
		index = dp_observation_next_of_context(w->observations, index)) {
		const struct dp_observation *o = dp_observation_at(w->observations, index);
		const struct dp_representation *begun =
			o->slot == slot ? dp_rep_version(rep, o->version) : NULL;

		if (begun && is_for_blocks(w, rep, begun))
			return begun;
	}
	return NULL;
}

// The endpoint has room for one more confirmable notification: those of the context that wait for
// that have another look.
static void others_wake(struct dp_worker *w, const struct dp_observation *acked)
{
	uint32_t index =
		dp_observation_of_context(w->observations, acked->context, acked->generation);

	for (; index != DP_OBSERVATION_NONE;
		index = dp_observation_next_of_context(w->observations, index)) {
		const struct dp_observation *o = dp_observation_at(w->observations, index);

		if (o->pending && !o->unacked)
			dp_observation_wake(w->observations, index, w->now_ms);
	}
}

// What was replaced meanwhile goes out now; otherwise the timer is set for the next one.
static void acknowledged(struct dp_worker *w, uint32_t index)
{
	struct dp_observation *o = dp_observation_at(w->observations, index);

	o->unacked = false;
	o->tries = 0;
	o->acked = true;
	dp_observation_wake(w->observations, index, w->now_ms);
	others_wake(w, o);
}

enum dp_stat dp_observer_heard(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid)
{
	if (!w->observations)
		return DP_STAT_drop_coap_ack;
	uint32_t index = dp_observation_by_mid(w->observations, flow, mid);

	if (index == DP_OBSERVATION_NONE)
		return DP_STAT_drop_coap_ack;
	const struct dp_observation *o = dp_observation_at(w->observations, index);

	if (type == COAP_RST) {
		dp_observer_remove(w, index);
		dp_count(w, DP_STAT_observe_cancelled);
		return DP_STAT_rx_rsts;
	}
	// An ACK of the try before says that the device is there, and not that it has the newest.
	if (o->tries && o->mid[0] == mid)
		acknowledged(w, index);
	return DP_STAT_rx_acks;
}

void dp_observer_rejected(struct dp_worker *w, uint32_t exchange)
{
	const struct dp_exchange *x = dp_exchange_at(w->exchanges, exchange);
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, exchange);

	if (!w->observations || !x->observe)
		return;
	const struct dp_observer who = {
		.context = x->context,
		.generation = x->context_generation,
		.flow = &x->flow,
		.token = dp_shared_request_buf(shared),
		.token_len = shared->request.token_len,
	};
	uint32_t index = dp_observation_find(w->observations, &who);

	if (index == DP_OBSERVATION_NONE ||
		dp_observation_at(w->observations, index)->piv != x->piv)
		return;
	dp_observer_remove(w, index);
	dp_count(w, DP_STAT_observe_cancelled);
}
