// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/trace.h"

#include "dataplane/worker/inner.h"
#include "dataplane/worker/look_match.h"

_Static_assert(DP_STAT_COUNT <= UINT8_MAX + 1, "an event names a counter by one byte");

static struct dp_copy_ring *ring_of(const struct dp_worker *w)
{
	return w->look[DP_LOOK_TRACE]->worker[w->id].ring;
}

// An event of the packet that is traced, or of none. NULL: there is no room.
static struct dp_trace_event *event_put(struct dp_worker *w, enum dp_trace_step step)
{
	struct dp_trace_event *event = dp_copy_ring_put(ring_of(w), sizeof(*event));

	if (event)
		*event = (struct dp_trace_event){
			.tsc = rte_rdtsc(),
			.number = w->tracing ? w->trace_number : 0,
			.context = DP_INDEX_NONE,
			.worker = w->id,
			.step = step,
		};
	return event;
}

bool dp_trace_wants(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, bool handed)
{
	const struct dp_look *look = w->look[DP_LOOK_TRACE];
	struct dp_flow flow;

	if (!look || (!handed && __atomic_load_n(&look->left, __ATOMIC_RELAXED) <= 0))
		return false;
	if (look->source_family) {
		pkt_flow(vec, slot, &flow);
		return flow.family == look->source_family &&
			!memcmp(flow.remote_addr, look->source, sizeof(look->source));
	}
	if (handed)
		return vec->context[slot] == look->context &&
			vec->generation[slot] == look->generation;
	return dp_look_names(w, look, vec, slot);
}

bool dp_trace_begin(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, bool handed)
{
	struct dp_look *look = w->look[DP_LOOK_TRACE];
	struct dp_trace_event *event;
	struct dp_flow flow;

	w->trace_number = 0;
	if (handed)
		return true;
	int32_t left = __atomic_fetch_sub(&look->left, 1, __ATOMIC_RELAXED);

	if (left <= 0)
		return false;
	w->tracing = true;
	w->trace_number = (uint32_t)left; // main counts from the other end
	event = event_put(w, DP_TRACE_RECEIVED);
	if (!event)
		return true;
	pkt_flow(vec, slot, &flow);
	event->port_id = flow.port_id;
	event->len = vec->net[slot].coap_len;
	memcpy(event->endpoint, &flow, DP_ENDPOINT_LEN);
	dp_copy_ring_publish(ring_of(w));
	return true;
}

static void name_write(struct dp_trace_event *event, const struct pkt_vec *vec, unsigned slot)
{
	event->context = vec->context[slot];
	event->generation = vec->generation[slot];
	event->piv = vec->option[slot].piv;
}

// Where the request leads. Reading its inside once more changes nothing.
static void routed(struct dp_worker *w, const struct pkt_vec *vec, unsigned slot)
{
	const struct coap_msg *msg = &vec->msg[slot];
	struct dp_trace_event *event = event_put(w, DP_TRACE_ROUTED);
	struct dp_inner inner;

	if (!event)
		return;
	name_write(event, vec, slot);
	const struct dp_inner_rules rules =
		dp_inner_rules_of(w->policy, &w->contexts->context[vec->context[slot]]);
	struct request_verdict verdict = dp_inner_read(
		&inner, &rules, &msg->body, msg->type, msg->body.payload, vec->plaintext_len[slot]);

	if (!verdict.code && inner.forbidden)
		verdict.code = COAP_FORBIDDEN;
	event->code = msg->body.payload[0];
	event->error = verdict.code;
	event->route = verdict.code ? DP_ROUTE_NONE : inner.route;
}

void dp_trace_stage_begin(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stage stage)
{
	if (stage == DP_STAGE_inner)
		routed(w, vec, slot);
	memcpy(w->trace_before, w->stats.count, sizeof(w->trace_before));
}

// Whether a packet that a stage kept or not goes on without having been answered: with an upstream
// loop, or another worker.
static bool goes_on(const struct dp_worker *w)
{
	const uint64_t *now = w->stats.count, *before = w->trace_before;

	return now[DP_STAT_exchanges_started] != before[DP_STAT_exchanges_started] ||
		now[DP_STAT_handed_over] != before[DP_STAT_handed_over];
}

void dp_trace_stage_end(
	struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, enum dp_stage stage)
{
	struct dp_trace_event *event = event_put(w, DP_TRACE_STAGE);
	const bool inside = stage == DP_STAGE_inner;

	if (!event)
		return;
	event->stage = stage;
	event->passed = vec->n > 0;
	// With an answer in the batch there is one event more.
	event->last = (!vec->n || inside) && !w->batch.n && !goes_on(w);
	if (stage != DP_STAGE_parse && (stage != DP_STAGE_lookup || vec->n))
		name_write(event, vec, slot);
	if (stage != DP_STAGE_parse || vec->n) {
		event->type = vec->msg[slot].type;
		event->mid = vec->msg[slot].mid;
	}
	for (unsigned i = 0; i < DP_STAT_COUNT && event->stats < DP_TRACE_STATS; i++)
		if (w->stats.count[i] != w->trace_before[i] && dp_stat_infos[i].unit == UNIT_COUNT)
			event->stat[event->stats++] = i;
	dp_copy_ring_publish(ring_of(w));
}

static void answered(struct dp_worker *w, unsigned i)
{
	const struct answer_batch *batch = &w->batch;
	const struct pkt_answer *answer = &batch->answer[i];
	const unsigned slot = batch->slot[i];
	const bool in_place = slot != DP_SLOT_NONE;
	const bool later = !in_place && answer->exchange != DP_INDEX_NONE &&
		dp_exchange_shared(w->exchanges, answer->exchange)->request.traced;
	struct dp_trace_event *event;

	if (!w->tracing && !later)
		return;
	event = event_put(w, DP_TRACE_ANSWERED);
	if (!event)
		return;
	if (in_place) {
		name_write(event, &w->vec, slot);
	} else {
		event->context = answer->context;
		event->generation = answer->generation;
		event->piv = answer->piv;
	}
	event->code = batch->op[i].in[0];
	event->len = batch->op[i].len;
	event->last = true;
}

void dp_trace_answers(struct dp_worker *w, const uint8_t *ready, unsigned n)
{
	for (unsigned r = 0; r < n; r++)
		answered(w, ready[r]);
	dp_copy_ring_publish(ring_of(w));
}

void dp_trace_returned(struct dp_worker *w, const dp_handle *handles, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct dp_shared *shared = dp_shared_get(&w->exchanges->shared, handles[i]);
		struct dp_trace_event *event;

		if (!shared || !shared->request.traced)
			continue;
		event = event_put(w, DP_TRACE_RETURNED);
		if (!event)
			continue;
		const struct dp_exchange *x = &w->exchanges->worker_half[shared->index];

		event->context = x->context;
		event->generation = x->context_generation;
		event->piv = x->piv;
		event->last = dp_exchange_is_abandoned(x->state);
		// Else there is still what the device said.
		if (shared->response.told)
			memcpy(&event->upstream,
				dp_shared_request_buf(shared) + shared->request.token_len,
				sizeof(event->upstream));
	}
	dp_copy_ring_publish(ring_of(w));
}
