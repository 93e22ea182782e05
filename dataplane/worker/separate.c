// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/separate.h"

#include "dataplane/worker/answer.h"
#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/observers.h"
#include "dataplane/worker/send.h"

#define MAX_RETRANSMIT 4 // RFC 7252 section 4.8

static struct dp_exchange *exchange_at(const struct dp_worker *w, uint32_t index)
{
	return &w->exchanges->worker_half[index];
}

// The empty ACK was sent: the answer will be a separate one.
static void acknowledged(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = exchange_at(w, index);

	dp_exchange_to(x, DP_EXCHANGE_HELD_ACKED);
	x->acked_ms = w->now_ms;
	x->copies = 0;
	x->tries = 0;
}

static void wait_for_deadline(struct dp_worker *w, uint32_t index)
{
	dp_wheel_remove(&w->wheel, w->exchanges, index);
	dp_wheel_insert(&w->wheel, w->exchanges, index,
		dp_exchange_shared(w->exchanges, index)->request.deadline_ms);
}

// The message id of the separate answer. Without one there is no empty ACK: the answer will come
// piggybacked, however late.
static bool take_mid(struct dp_worker *w, struct dp_exchange *x, enum dp_stat if_none)
{
	if (!dp_mid_take(w->mids, &x->flow, w->now_ms, &x->own_mid)) {
		dp_count(w, if_none);
		return false;
	}
	x->mid_ms = w->now_ms;
	return true;
}

// The same before an empty ACK. Who is passed through gets one with the answer, and only if it has
// shown its address: else strangers could use up those of a device.
static bool take_mid_early(struct dp_worker *w, struct dp_exchange *x)
{
	return dp_context_is_share(w->contexts, x->context) || take_mid(w, x, DP_STAT_acks_no_mid);
}

// Up to an hour after the empty ACK, when another message may have used the id meanwhile.
bool dp_separate_mid(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = exchange_at(w, index);

	return w->now_ms - x->mid_ms <= DP_MID_KEPT_MS || take_mid(w, x, DP_STAT_answers_no_mid);
}

void dp_separate_begin(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = exchange_at(w, index);

	wait_for_deadline(w, index);
	if (!take_mid_early(w, x))
		return;
	if (!dp_send_empty(w, &x->flow, COAP_ACK, x->mid)) {
		dp_count(w, DP_STAT_answers_no_mbuf);
		return;
	}
	acknowledged(w, index);
	dp_count(w, DP_STAT_acks_sent);
}

enum dp_stat dp_separate_copy(
	struct dp_worker *w, uint32_t index, const struct dp_flow *flow, enum coap_type type)
{
	struct dp_exchange *x = exchange_at(w, index);
	bool acked = dp_exchange_is_acked(x->state);
	// A NON is never acknowledged; and what got a piggybacked 5.04 has its answer.
	bool silent = type == COAP_NON || x->type == COAP_NON || x->state == DP_EXCHANGE_ABANDONED;

	if (acked)
		silent |= x->copies >= DP_ANSWER_RESENDS_MAX ||
			w->now_ms - x->acked_ms < DP_ANSWER_RESEND_MS;
	if (silent || (!acked && !take_mid_early(w, x)))
		return DP_STAT_drop_duplicate_silent;
	if (!dp_send_empty(w, flow, COAP_ACK, x->mid))
		return DP_STAT_drop_no_mbuf;
	if (acked) {
		x->copies++;
		x->acked_ms = w->now_ms;
	} else {
		acknowledged(w, index);
		wait_for_deadline(w, index);
	}
	return DP_STAT_rx_duplicates_acked;
}

uint32_t dp_separate_clone(struct dp_worker *w, uint32_t index)
{
	const struct dp_exchange *x = exchange_at(w, index);
	uint32_t clone = dp_exchange_obtain(w);

	if (clone == DP_INDEX_NONE)
		return clone;
	struct dp_shared *from = dp_exchange_shared(w->exchanges, index);
	struct dp_shared *to = dp_exchange_shared(w->exchanges, clone);

	*exchange_at(w, clone) = *x;
	exchange_at(w, clone)->state = DP_EXCHANGE_TAKEN;
	exchange_at(w, clone)->wheel_slot = DP_INDEX_NONE;
	to->request = from->request;
	to->request.body_len = 0;
	memcpy(dp_shared_request_buf(to), dp_shared_request_buf(from), from->request.token_len);
	dp_in_flight_add(w->in_flight, clone);
	dp_exchange_to(exchange_at(w, clone), DP_EXCHANGE_ANSWERED_ACKED);
	return clone;
}

// Counts a try to send the answer, and waits for the ACK.
static void wait_for_ack(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = exchange_at(w, index);

	// At first up to half longer than ACK_TIMEOUT: ACK_RANDOM_FACTOR.
	x->timeout_ms = x->tries ? 2 * x->timeout_ms
				 : w->ack_timeout_ms + dp_jitter(w, w->ack_timeout_ms / 2 + 1);
	x->tries++;
	dp_wheel_insert(&w->wheel, w->exchanges, index, w->now_ms + x->timeout_ms);
}

static void deliver(struct dp_worker *w, uint32_t index, enum dp_exchange_state state)
{
	dp_exchange_to(exchange_at(w, index), state);
	dp_unacked_add(w->unacked, index);
	wait_for_ack(w, index);
}

void dp_separate_sent(
	struct dp_worker *w, const struct pkt_answer *answer, const uint8_t *coap, uint16_t len)
{
	dp_count(w, DP_STAT_answers_separate);
	if (answer->exchange == DP_INDEX_NONE)
		return; // as NON
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, answer->exchange);

	// In the place of the plaintext; that of the request is not needed either, but for its
	// token.
	memcpy(dp_shared_response(shared), coap, len);
	dp_shared_wipe_request(shared);
	exchange_at(w, answer->exchange)->coap_len = len;
	deliver(w, answer->exchange, DP_EXCHANGE_UNACKED);
}

void dp_separate_later(struct dp_worker *w, const struct pkt_answer *answer)
{
	if (!answer->separate || answer->exchange == DP_INDEX_NONE)
		return;
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, answer->exchange);

	memmove(dp_shared_response(shared), answer->plaintext, answer->plaintext_len);
	shared->response.len = answer->plaintext_len;
	deliver(w, answer->exchange, DP_EXCHANGE_UNSEALED);
}

// One more try to seal it. Nothing may take an exchange away while its answer is in the batch.
static void seal_again(struct dp_worker *w, uint32_t index)
{
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);

	dp_unacked_remove(w->unacked, index);
	dp_exchange_to(exchange_at(w, index), DP_EXCHANGE_ANSWERED_ACKED);
	struct pkt_answer *answer = dp_answer_to_exchange(w, index);

	answer->exchange = index;
	answer->plaintext = dp_shared_response(shared);
	answer->plaintext_len = shared->response.len;
	answer->observe = exchange_at(w, index)->observed;
}

void dp_separate_again(struct dp_worker *w, uint32_t index)
{
	const struct dp_exchange *x = exchange_at(w, index);

	if (x->tries > MAX_RETRANSMIT) {
		dp_observer_rejected(w, index);
		dp_exchange_give_up(w, index);
		return;
	}
	if (x->state == DP_EXCHANGE_UNSEALED) {
		seal_again(w, index);
		return;
	}
	const uint8_t *coap = dp_shared_response(dp_exchange_shared(w->exchanges, index));

	dp_count(w,
		dp_send_coap(w, &x->flow, coap, x->coap_len) ? DP_STAT_tx_retransmits
							     : DP_STAT_answers_no_mbuf);
	wait_for_ack(w, index);
}

enum dp_stat dp_separate_acked(
	struct dp_worker *w, const struct dp_flow *flow, uint8_t type, uint16_t mid)
{
	uint32_t index = dp_unacked_find(w->unacked, flow, mid);

	if (index == DP_INDEX_NONE)
		return dp_observer_heard(w, flow, type, mid);
	if (type == COAP_RST)
		dp_observer_rejected(w, index);
	dp_exchange_end(w, index);
	return type == COAP_ACK ? DP_STAT_rx_acks : DP_STAT_rx_rsts;
}
