// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/link.h"

#include "base/clock.h"
#include "gw/tools/coap/show.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

static const char *const verdict_words[] = {
	[ANSWER_UNPROTECTED] = "not protected",
	[ANSWER_BAD_OPTION] = "its OSCORE option is malformed or of another peer",
	[ANSWER_NOT_VERIFIED] = "it does not verify: another key, or changed on its way",
	[ANSWER_BAD_CONTENT] = "what was sealed in it is no response",
};

bool link_open(void *arg, const struct coap_msg *msg, const uint8_t *data, size_t len)
{
	struct client *c = arg;
	struct coap_msg copy;

	if (len > DATAGRAM_MAX)
		return false;
	// What the answer points to must outlive the receive buffer.
	memcpy(c->response, data, len);
	if (coap_msg_parse(&copy, c->response, len) != COAP_OK)
		return false;
	if (c->bare) {
		c->answer.code = msg->code;
		c->answer.body = copy.body;
		c->verdict = ANSWER_OK;
	} else if (!derived_answer(&c->derived, &c->context, &c->session, c->protection.piv, &copy,
			   &c->answer, &c->verdict)) {
		c->verdict = answer_open(&c->session, c->protection.piv, &copy, &c->answer);
	}
	if (c->verdict != ANSWER_OK && c->verdict != ANSWER_UNPROTECTED) {
		c->unverified++;
		if (!c->args.quiet)
			fprintf(stderr, "* an answer is not taken: %s\n",
				verdict_words[c->verdict]);
		return false;
	}
	c->response_len = len;
	if (c->args.verbose && c->verdict == ANSWER_OK && !c->bare) {
		show_protection(stderr, "opened", &c->answer.protection);
		show_content(stderr, '<', c->answer.code, &c->answer.body);
	}
	return true;
}

static void on_event(void *arg, enum exchange_event event, unsigned number,
	const struct coap_msg *msg, const uint8_t *data, size_t len)
{
	struct client *c = arg;
	struct coap_msg sent;
	char sign = event == EXCHANGE_RECEIVED ? '<' : '>';

	if (!c->args.verbose)
		return;
	switch (event) {
	case EXCHANGE_SENT:
		if (number > 1) {
			fprintf(stderr, "* retransmission %u\n", number - 1);
			return;
		}
		if (coap_msg_parse(&sent, data, len) == COAP_OK)
			show_message(stderr, sign, &sent, len);
		break;
	case EXCHANGE_RECEIVED:
		if (msg)
			show_message(stderr, sign, msg, len);
		else
			fprintf(stderr, "< %zu bytes that are no CoAP message\n", len);
		break;
	case EXCHANGE_EMPTY_ACK:
		fprintf(stderr, "* acknowledged, the answer comes separately\n");
		return;
	case EXCHANGE_SENT_ACK:
		fprintf(stderr, "> ACK\n");
		return;
	case EXCHANGE_SENT_RST:
		fprintf(stderr, "> RST\n");
		return;
	}
	if (c->args.verbose > 1)
		show_bytes(stderr, sign, data, len);
}

enum exchange_result link_exchange(struct client *c)
{
	struct exchange x = {
		.datagram = c->datagram,
		.len = c->datagram_len,
		.type = c->request.type,
		.mid = c->request.mid,
		.token = c->request.token,
		.token_len = c->request.token_len,
		.timeout_ms = c->args.timeout_ms,
		.ack_timeout_ms = c->args.ack_timeout_ms,
		.retransmit_max = c->args.retransmit_max,
		.observed = c->registration.stands ? c->registration.token : NULL,
		.observed_len = c->registration.token_len,
		.answer = link_open,
		.event = on_event,
		.arg = c,
	};
	double start = clock_ns() / 1e6;

	c->unverified_before = c->unverified;
	enum exchange_result result = exchange_run(&c->peer, &x, &c->failure);

	c->milliseconds += clock_ns() / 1e6 - start;
	c->transmissions = x.transmissions;
	if (result == EXCHANGE_TIMEOUT && c->unverified == c->unverified_before)
		error_set(&c->failure, 0, "%s: no answer%s after %.1f s and %u transmission%s",
			c->peer.remote, x.acknowledged ? ", but an acknowledgement," : "",
			clock_ns() / 1e9 - start / 1e3, x.transmissions,
			x.transmissions == 1 ? "" : "s");
	return result;
}

void link_request(struct client *c, uint8_t code, const struct option_list *options,
	const uint8_t *payload, size_t payload_len)
{
	c->request = (struct request){
		.type = c->args.non ? COAP_NON : COAP_CON,
		.code = code,
		.mid = c->mid++,
		.token = c->token,
		.token_len = c->args.has_token ? c->args.token_len : TOKEN_LEN,
		.options = options,
		.payload = payload,
		.payload_len = payload_len,
	};
	if (c->args.has_token)
		memcpy(c->token, c->args.token, c->args.token_len);
	else
		randombytes_buf(c->token, TOKEN_LEN);
}

bool link_challenge(struct client *c, struct coap_option *echo)
{
	if (c->args.no_echo || c->challenged == CHALLENGES_MAX ||
		c->answer.code != COAP_UNAUTHORIZED ||
		!coap_option_find(&c->answer.body, COAP_OPT_ECHO, echo) ||
		!coap_option_len_ok(COAP_OPT_ECHO, echo->len))
		return false;
	c->challenges++;
	c->challenged++;
	return true;
}
