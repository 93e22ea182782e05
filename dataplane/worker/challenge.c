// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/worker/challenge.h"

#include "dataplane/worker/answer.h"
#include "dataplane/worker/inner.h"
#include "dataplane/worker/limit.h"

bool dp_echo_brought(
	const struct dp_worker *w, const struct pkt_vec *vec, unsigned slot, uint64_t phase)
{
	const uint8_t *plaintext = vec->msg[slot].body.payload;
	struct coap_body inner;
	struct coap_option echo;

	return coap_body_parse_max(&inner, plaintext + 1, vec->plaintext_len[slot] - 1,
		       DP_INNER_OPTIONS_MAX) == COAP_OK &&
		coap_option_find(&inner, COAP_OPT_ECHO, &echo) &&
		dp_echo_valid(&w->echo, vec->context[slot], vec->generation[slot], phase, w->now_ms,
			echo.value, echo.len);
}

void dp_challenge_write(struct dp_worker *w, struct pkt_answer *answer, uint64_t phase)
{
	uint8_t *plaintext = w->batch.plaintext[answer - w->batch.answer];
	uint8_t echo[DP_ECHO_LEN];
	struct coap_writer writer;

	dp_echo_make(&w->echo, answer->context, answer->generation, phase, w->now_ms, echo);
	coap_writer_init(&writer, plaintext, DP_PLAINTEXT_MAX);
	coap_write_code(&writer, COAP_UNAUTHORIZED);
	coap_write_option(&writer, COAP_OPT_ECHO, echo, sizeof(echo));
	answer->plaintext = plaintext;
	answer->plaintext_len = coap_writer_len(&writer);
	answer->whole = true;
	answer->no_response = 0; // a device that does not hear of it cannot answer it
}

void dp_challenge_send(
	struct dp_worker *w, struct pkt_vec *vec, unsigned slot, uint64_t phase, uint64_t own_piv)
{
	struct pkt_answer *answer = dp_answer_to_slot(w, vec, slot);

	dp_challenge_write(w, answer, phase);
	answer->has_own_piv = true;
	answer->own_piv = own_piv;
	answer->recorded = false;
	dp_limit_own(w, answer->context, &w->contexts->context[answer->context]);
}
