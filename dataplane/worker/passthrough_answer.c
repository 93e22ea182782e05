// SPDX-License-Identifier: BSD-3-Clause
// Answers to messages that are passed through: what the service has protected, or an error of ours.
// They are sent as they are. What became of the exchange, copies and ACKs is as of any other.

#include "dataplane/worker/exchanges.h"
#include "dataplane/worker/passthrough.h"
#include "dataplane/worker/send.h"
#include "dataplane/worker/separate.h"

#include <assert.h>

#define ERROR_ROOM    40  // bytes of code and options of what is made here
#define SHARE_UNACKED 256 // part of all exchanges whose answers may wait for an ACK of a share

// Code and options of an answer without payload.
struct made {
	uint8_t bytes[ERROR_ROOM];
	uint16_t len;
};

static void error_make(struct made *made, uint8_t code, const uint8_t *echo)
{
	struct coap_writer writer;

	coap_writer_init(&writer, made->bytes, sizeof(made->bytes));
	coap_write_code(&writer, code);
	coap_write_option_uint(&writer, COAP_OPT_MAX_AGE, 0);
	if (echo)
		coap_write_option(&writer, COAP_OPT_ECHO, echo, DP_ECHO_LEN);
	made->len = (uint16_t)coap_writer_len(&writer);
}

// Type and message id. A separate answer is confirmable, and sent again, only to who has shown that
// he receives it, if its exchange is `back` from the loop and can wait, and its share has not too
// many that wait: nobody keeps exchanges by sending no ACKs.
static enum coap_type message_id(struct dp_worker *w, uint32_t index, bool back, uint16_t *mid)
{
	const struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	const uint32_t most = RTE_MAX(w->exchanges->shared.count / SHARE_UNACKED, 1u);

	*mid = x->mid;
	if (x->type == COAP_CON && !dp_exchange_is_acked(x->state))
		return COAP_ACK;
	if (x->type == COAP_CON && back && dp_pass_is_shown(w, &x->flow) &&
		dp_side(w, x->context)->unacked_count < most && dp_separate_mid(w, index)) {
		*mid = x->own_mid;
		return COAP_CON;
	}
	*mid = dp_mid_non(w->mids, &x->flow);
	return COAP_NON;
}

// What a copy of the message gets: the bytes, an empty ACK, or silence.
static void record(struct dp_worker *w, uint32_t index, const uint8_t *coap, uint16_t len)
{
	const struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	uint8_t ack[COAP_EMPTY_LEN];
	const struct dp_answer_key key = {
		.name = dp_answer_name(w->answers, x->context, x->context_generation, x->piv),
		.piv = x->piv,
		.endpoint = dp_answer_endpoint(w->answers, &x->flow),
		.context = x->context,
		.generation = x->context_generation,
		.token = dp_shared_request_buf(shared),
		.tag = x->tag,
		.token_len = shared->request.token_len,
		.mid = x->mid,
		.tag_len = x->tag_len,
	};

	if (x->type != COAP_CON) {
		len = 0;
	} else if (dp_exchange_is_acked(x->state)) {
		coap_empty_make(ack, COAP_ACK, x->mid);
		coap = ack;
		len = sizeof(ack);
	}
	dp_answer_index_put(
		w->answers, &key, w->now_ms, &w->contexts->context[x->context].share_at, coap, len);
}

// Of header and token (RFC 8974 section 2.1).
static size_t head_len(uint16_t token_len)
{
	return (size_t)4 + (token_len >= 269 ? 2 : token_len >= 13) + token_len;
}

// Whether an answer of so many bytes is more than may be sent to whoever claims to be the sender.
static bool is_too_much(const struct dp_worker *w, uint32_t index, uint16_t len)
{
	const struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	const struct dp_request *request = &dp_exchange_shared(w->exchanges, index)->request;
	const size_t asked = head_len(request->token_len) + request->body_len;
	const size_t sent = dp_exchange_is_acked(x->state) ? COAP_EMPTY_LEN : 0;
	const size_t answer = head_len(request->token_len) + len - 1; // its code is in the header

	return sent + answer > DP_PASS_AMPLIFICATION_MAX * asked && !dp_pass_is_shown(w, &x->flow);
}

// Writes header, token and the bytes of an answer behind its code. Returns its length.
static uint16_t message_write(const struct dp_worker *w, uint32_t index, enum coap_type type,
	uint16_t mid, const uint8_t *answer, uint16_t len, uint8_t *coap)
{
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	struct coap_writer writer;

	coap_writer_init(&writer, coap, w->exchanges->shared.data_room);
	coap_write_header(&writer, type, answer[0], mid, dp_shared_request_buf(shared),
		shared->request.token_len);
	const size_t head = coap_writer_len(&writer);

	if (!head || head + len - 1 > w->exchanges->shared.data_room)
		return 0;
	memcpy(coap + head, answer + 1, len - 1);
	return (uint16_t)(head + len - 1);
}

// Sends the answer to the message of an exchange: code, options and payload. If that is back from
// its loop, it ends, or waits for the ACK.
static void answer_send(
	struct dp_worker *w, uint32_t index, bool back, const uint8_t *answer, uint16_t len)
{
	struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	const bool acked = dp_exchange_is_acked(x->state);
	uint8_t *coap = w->spare; // used within one flush of the batch only
	struct made challenge;
	uint8_t echo[DP_ECHO_LEN];
	uint16_t mid;

	if (is_too_much(w, index, len)) {
		dp_pass_echo_make(w, &x->flow, echo);
		error_make(&challenge, COAP_UNAUTHORIZED, echo);
		answer = challenge.bytes;
		len = challenge.len;
		dp_count(w, DP_STAT_pass_withheld);
	}
	const enum coap_type type = message_id(w, index, back, &mid);
	const uint16_t coap_len = message_write(w, index, type, mid, answer, len, coap);

	if (back)
		dp_exchange_to(x, acked ? DP_EXCHANGE_SEALED_ACKED : DP_EXCHANGE_SEALED);
	if (!coap_len) { // the token fills the datagram
		dp_count(w, DP_STAT_answers_no_room);
	} else {
		record(w, index, coap, coap_len);
		dp_count(w,
			dp_send_coap(w, &x->flow, coap, coap_len) ? DP_STAT_pass_answers
								  : DP_STAT_answers_no_mbuf);
	}
	if (coap_len && type == COAP_CON) {
		const struct pkt_answer sent = {.exchange = index};

		dp_separate_sent(w, &sent, coap, coap_len);
	} else if (back) {
		dp_exchange_end(w, index);
	}
}

void dp_pass_returned(struct dp_worker *w, uint32_t index)
{
	struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	const uint16_t slot = shared->request.route_slot;
	struct made error;

	w->pass->in_flight--;
	w->pass->in_flight_of[slot]--;
	--*dp_pass_prefix_in_flight(w, &x->flow, slot);
	if (dp_exchange_is_abandoned(x->state)) {
		dp_count(w, DP_STAT_answers_late);
		dp_exchange_end(w, index);
		return;
	}
	dp_exchange_to(x,
		dp_exchange_is_acked(x->state) ? DP_EXCHANGE_ANSWERED_ACKED : DP_EXCHANGE_ANSWERED);
	if (shared->response.len && shared->response.len <= shared->request.response_max) {
		answer_send(w, index, true, dp_shared_response(shared), shared->response.len);
		return;
	}
	dp_count(w, DP_STAT_answers_oversize);
	error_make(&error, COAP_BAD_GATEWAY, NULL);
	answer_send(w, index, true, error.bytes, error.len);
}

// The sender gets its answer now, once; the memory comes back with the handle. For another exchange
// to wait with, an answer of a device might have to give way.
void dp_pass_timed_out(struct dp_worker *w, uint32_t index)
{
	const struct dp_exchange *x = dp_exchange_at(w->exchanges, index);
	const struct dp_shared *shared = dp_exchange_shared(w->exchanges, index);
	const bool acked = dp_exchange_is_acked(x->state);
	struct made error;

	error_make(&error, COAP_GATEWAY_TIMEOUT, NULL);
	answer_send(w, index, false, error.bytes, error.len);
	dp_count(w, DP_STAT_exchange_timeouts);
	dp_route_count(&w->route_stats[shared->request.route_slot].answers[DP_ANSWER_5XX]);
	dp_exchange_abandon(w, index, acked ? DP_EXCHANGE_ABANDONED_ACKED : DP_EXCHANGE_ABANDONED);
}
