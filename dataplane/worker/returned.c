// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/returned.h"

#include "dataplane/worker/answer.h"
#include "dataplane/worker/challenge.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/fresh.h"
#include "dataplane/worker/observe.h"
#include "dataplane/worker/passthrough.h"
#include "dataplane/worker/seal.h"
#include "dataplane/worker/separate.h"
#include "dataplane/worker/trace.h"

#include <assert.h>

#define ANSWERS_BURST 32 // handles taken from an upstream loop in one turn

static unsigned loop_answers(struct dp_worker *w, struct dp_loop_port *port)
{
	dp_handle handles[ANSWERS_BURST];

	if (dp_answer_room(w) < ANSWERS_BURST)
		dp_answers_flush(w);
	unsigned n = rte_ring_sc_dequeue_burst_elem(
		port->responses, handles, sizeof(handles[0]), ANSWERS_BURST, NULL);

	if (!n)
		return 0;
	uint64_t start = rte_rdtsc();

	if (unlikely(w->look[DP_LOOK_TRACE]))
		dp_trace_returned(w, handles, n);
	for (unsigned i = 0; i < n; i++) {
		struct dp_shared *shared = dp_shared_get(&w->exchanges->shared, handles[i]);

		if (!shared) // a loop that hands one back twice
			continue;
		// From here on no copy of the handle is valid, not even one in this burst.
		dp_shared_close(shared);
		uint32_t index = shared->index;
		struct dp_exchange *x = &w->exchanges->worker_half[index];

		assert(dp_exchange_is_held(x->state));
		dp_wheel_remove(&w->wheel, w->exchanges, index);
		if (unlikely(dp_context_is_share(w->contexts, x->context))) {
			dp_pass_returned(w, index);
			continue;
		}
		if (dp_context_live(&w->contexts->context[x->context]) != x->context_generation)
			dp_exchange_abandon(w, index, DP_EXCHANGE_ABANDONED);
		if (dp_exchange_is_abandoned(x->state)) {
			dp_count(w, DP_STAT_answers_late);
			dp_exchange_end(w, index);
			continue;
		}
		dp_exchange_to(x,
			dp_exchange_is_acked(x->state) ? DP_EXCHANGE_ANSWERED_ACKED
						       : DP_EXCHANGE_ANSWERED);
		struct pkt_answer *answer = dp_answer_to_exchange(w, index);

		answer->exchange = index;
		if (!shared->response.len || shared->response.len > shared->request.response_max) {
			dp_count(w, DP_STAT_answers_oversize);
			dp_answer_error(w, answer, COAP_INTERNAL_SERVER_ERROR, 0, DP_TOO_LARGE);
			continue;
		}
		answer->plaintext = dp_shared_response(shared);
		answer->plaintext_len = shared->response.len;
		if (unlikely(dp_fresh_asked(answer->plaintext, answer->plaintext_len))) {
			dp_challenge_write(w, answer, DP_ECHO_FRESH);
			dp_count(w, DP_STAT_fresh_challenges);
		} else if (unlikely(x->observe)) {
			dp_observe_returned(w, index, answer);
		}
	}
	dp_stage_end(w, DP_STAGE_upstream, start, n);
	return n;
}

unsigned dp_loop_answers(struct dp_worker *w)
{
	unsigned n = 0;

	for (unsigned i = 0; i < w->loop_count; i++)
		n += loop_answers(w, w->loop[i].port);
	return n;
}

// The device gets its answer now; the memory comes back with the handle.
static void timed_out(struct dp_worker *w, uint32_t index)
{
	const struct dp_exchange *x = &w->exchanges->worker_half[index];
	const struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	bool acked = dp_exchange_is_acked(x->state);

	if (dp_context_live(&w->contexts->context[x->context]) == x->context_generation) {
		uint32_t clone = acked ? dp_separate_clone(w, index) : DP_INDEX_NONE;
		struct pkt_answer *answer = dp_answer_to_exchange(w, index);

		answer->exchange = clone;
		dp_answer_error(w, answer, COAP_GATEWAY_TIMEOUT, 0, NULL);
		dp_count(w, DP_STAT_exchange_timeouts);
		dp_route_count(&w->route_stats[shared->request.route_slot].answers[DP_ANSWER_5XX]);
	}
	dp_exchange_abandon(w, index, acked ? DP_EXCHANGE_ABANDONED_ACKED : DP_EXCHANGE_ABANDONED);
}

unsigned dp_deadlines(struct dp_worker *w)
{
	uint64_t start = rte_rdtsc();
	unsigned n = 0;
	uint32_t index;

	if (dp_answer_room(w) < ANSWERS_BURST)
		dp_answers_flush(w);
	dp_wheel_move(&w->wheel, w->exchanges);
	while (n < ANSWERS_BURST &&
		(index = dp_wheel_expire(&w->wheel, w->exchanges, w->now_ms)) != DP_INDEX_NONE) {
		const struct dp_exchange *x = &w->exchanges->worker_half[index];

		n++;
		if (dp_exchange_is_delivering(x->state))
			dp_separate_again(w, index);
		else if (w->now_ms < dp_exchange_shared(w->exchanges, index)->request.deadline_ms)
			dp_separate_begin(w, index);
		else if (unlikely(dp_context_is_share(w->contexts, x->context)))
			dp_pass_timed_out(w, index);
		else
			timed_out(w, index);
	}
	if (n)
		dp_stage_end(w, DP_STAGE_timers, start, n);
	return n;
}
