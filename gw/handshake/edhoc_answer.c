// SPDX-License-Identifier: BSD-3-Clause
// What a thread's EDHOC side sends, and what it gives to main.

#include "gw/handshake/edhoc_side_inside.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void edhoc_side_send(struct edhoc_side *side, const struct dp_slow_head *to,
	const struct coap_msg *request, const struct carrier_answer *answer)
{
	uint8_t coap[CARRIER_ANSWER_HEAD + RUNS_ANSWER_MAX];
	const size_t len = carrier_answer(request, answer, coap, sizeof(coap));

	if (!len || !dp_slow_answer(side->of.slow, to->worker, &to->flow, coap, (uint16_t)len))
		edhoc_side_count(side, HANDSHAKE_STAT_answers_lost);
}

void edhoc_side_answer(struct edhoc_side *side, const struct dp_slow_head *to,
	const struct coap_msg *request, uint8_t code, struct edhoc_bytes payload)
{
	edhoc_side_send(side, to, request,
		&(struct carrier_answer){
			.code = code, .edhoc = payload.len != 0, .payload = payload});
}

void edhoc_side_busy(
	struct edhoc_side *side, const struct dp_slow_head *to, const struct coap_msg *request)
{
	edhoc_side_count(side, HANDSHAKE_STAT_edhoc_overload);
	edhoc_side_send(side, to, request,
		&(struct carrier_answer){
			.code = COAP_SERVICE_UNAVAILABLE, .max_age_s = EDHOC_BUSY_MAX_AGE});
}

void edhoc_side_error(struct edhoc_side *side, const struct dp_slow_head *to,
	const struct coap_msg *request, enum edhoc_result result, unsigned suites)
{
	uint8_t error[EDHOC_ERROR_MAX];
	const struct edhoc_bytes payload = {
		error, edhoc_error_write(result, suites, side->conf.tell_unknown, error)};

	edhoc_side_answer(side, to, request,
		edhoc_result_is_ours(result) ? COAP_INTERNAL_SERVER_ERROR : COAP_BAD_REQUEST,
		payload);
}

void edhoc_side_malformed(struct edhoc_side *side, const struct edhoc_job *job, int code)
{
	const struct coap_msg *msg = &job->carrier.msg;

	edhoc_side_count(side, HANDSHAKE_STAT_edhoc_malformed);
	if (code == COAP_BAD_REQUEST)
		edhoc_side_error(side, &job->head, msg, EDHOC_MALFORMED, 0);
	else if (code > 0)
		edhoc_side_answer(side, &job->head, msg, (uint8_t)code, (struct edhoc_bytes){0});
}

bool edhoc_side_shown(struct edhoc_side *side, const struct edhoc_job *job)
{
	const struct coap_option *echo = &job->carrier.echo;
	const struct dp_flow *flow = &job->head.flow;
	const uint64_t now_s = side->now_ms / 1000;
	uint8_t value[REACH_LEN];

	if (reach_good(side->conf.echo_key, flow, now_s, echo->value, echo->len))
		return true;
	reach_make(side->conf.echo_key, flow, now_s, value);
	edhoc_side_count(side, HANDSHAKE_STAT_edhoc_echo);
	edhoc_side_send(side, &job->head, &job->carrier.msg,
		&(struct carrier_answer){
			.code = COAP_UNAUTHORIZED, .echo = value, .echo_len = sizeof(value)});
	return false;
}

struct handshake_born *edhoc_side_born(
	struct edhoc_side *side, enum handshake_kind kind, const struct edhoc_job *job)
{
	const struct dp_slow_head *head = &job->head;
	struct handshake_born *born = calloc(1, sizeof(*born) + head->len);

	if (!born)
		return NULL;
	born->kind = kind;
	born->thread = side->of.slow->thread;
	born->worker = head->worker;
	born->flow = head->flow;
	born->len = head->len;
	if (head->kind == DP_SLOW_COMBINED) {
		born->len = (uint16_t)carrier_strip(&job->carrier, born->coap, head->len);
		assert(born->len);
	} else {
		memcpy(born->coap, job->coap, head->len);
	}
	return born;
}
