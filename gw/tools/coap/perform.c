// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/perform.h"

#include "base/clock.h"
#include "gw/tools/coap/show.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define CHALLENGES_MAX 3 // Echo challenges in a row that are answered

static const char *const verdict_words[] = {
	[ANSWER_UNPROTECTED] = "not protected",
	[ANSWER_BAD_OPTION] = "its OSCORE option is malformed or of another peer",
	[ANSWER_NOT_VERIFIED] = "it does not verify: another key, or changed on its way",
	[ANSWER_BAD_CONTENT] = "what was sealed in it is no response",
};

bool perform_open(void *arg, const struct coap_msg *msg, const uint8_t *data, size_t len)
{
	struct client *c = arg;
	struct coap_msg copy;

	if (len > DATAGRAM_MAX)
		return false;
	// What the answer points to must outlive the receive buffer.
	memcpy(c->response, data, len);
	if (coap_msg_parse(&copy, c->response, len) != COAP_OK)
		return false;
	if (c->args.plain) {
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
	if (c->args.verbose && c->verdict == ANSWER_OK && !c->args.plain) {
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

// Seals the request under a sequence number of its own.
static int seal(struct client *c)
{
	const bool derived = c->derived.phase != DERIVED_OFF;
	const char *path = derived ? c->derived.numbers : c->sequence_path;
	uint64_t piv = 0; // of the one request of a context that nobody keeps
	bool started = false;
	int err = path ? sequence_stock_take(path, &c->numbers, &piv, &started, &c->failure) : 0;

	if (err)
		return err;
	if (started && !derived && !c->args.quiet)
		fprintf(stderr,
			"* %s is new: sequence numbers begin at 0. If these keys were in use "
			"before, stop here.\n",
			c->sequence_path);
	int len = request_seal(
		&c->session, &c->request, piv, c->datagram, &c->protection, &c->failure);
	if (len < 0)
		return len;
	c->datagram_len = (size_t)len;
	if (c->args.verbose)
		show_protection(stderr, "sealed", &c->protection);
	return 0;
}

static int seal_or_encode(struct client *c)
{
	int len;

	if (!c->args.plain)
		return seal(c);
	len = request_encode(&c->request, c->datagram, &c->failure);
	if (len < 0)
		return len;
	c->datagram_len = (size_t)len;
	return 0;
}

// Makes the next message of the transfer. The answer to one before cannot be taken for one to it:
// it would not verify.
static int prepare_request(struct client *c)
{
	struct transfer_part part;
	int err = transfer_request(&c->transfer, &part, &c->failure);

	if (err)
		return err;
	c->request = (struct request){
		.type = c->args.non ? COAP_NON : COAP_CON,
		.code = c->args.code,
		.mid = c->mid++,
		.token = c->token,
		.token_len = c->args.has_token ? c->args.token_len : TOKEN_LEN,
		.options = &part.options,
		.payload = part.payload,
		.payload_len = part.payload_len,
	};
	if (c->args.has_token)
		memcpy(c->token, c->args.token, c->args.token_len);
	else
		randombytes_buf(c->token, TOKEN_LEN);
	err = seal_or_encode(c);
	c->request.options = NULL;
	option_list_free(&part.options);
	return err;
}

// Whether the answer is a challenge to repeat the request with its Echo (RFC 8613 B.1.2, RFC 9175
// section 2.3); if so, the option is in the list afterwards.
static bool take_challenge(struct client *c)
{
	struct coap_option echo;

	if (c->args.no_echo || c->challenged == CHALLENGES_MAX || c->verdict != ANSWER_OK ||
		c->answer.code != COAP_UNAUTHORIZED ||
		!coap_option_find(&c->answer.body, COAP_OPT_ECHO, &echo) ||
		!coap_option_len_ok(COAP_OPT_ECHO, echo.len))
		return false;
	option_remove(&c->args.options, COAP_OPT_ECHO);
	if (option_add(&c->args.options, COAP_OPT_ECHO, echo.value, echo.len, &c->failure))
		return false;
	c->challenges++;
	c->challenged++;
	if (c->args.verbose)
		fprintf(stderr, "* the gateway asks for freshness: again, with its Echo\n");
	return true;
}

static enum exchange_result exchange(struct client *c)
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
		.answer = perform_open,
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

static void swap(uint8_t **a, uint8_t **b)
{
	uint8_t *was = *a;

	*a = *b;
	*b = was;
}

// The options of an answer are those of its first block, so later ones are read elsewhere.
static void keep_head(struct client *c)
{
	c->has_head = true;
	c->head_code = c->answer.code;
	c->head = c->answer.body;
	swap(&c->answer.plaintext, &c->spare_plaintext);
	swap(&c->response, &c->spare_response);
}

// Takes a verified answer into the transfer. Whether another request is to be sent.
static bool take_answer(struct client *c, enum exchange_result *result)
{
	struct transfer *t = &c->transfer;
	struct error f = {0};
	bool receiving = t->receiving;
	enum transfer_step step = transfer_take(t, c->answer.code, &c->answer.body, &f);

	if (!receiving && t->receiving)
		keep_head(c);
	progress_show(&c->progress, t, step != TRANSFER_NEXT && step != TRANSFER_AGAIN);
	switch (step) {
	case TRANSFER_NEXT:
		// The Echo was for the block that the server has taken now.
		if (c->challenged)
			option_remove(&c->args.options, COAP_OPT_ECHO);
		c->challenged = 0;
		return true;
	case TRANSFER_AGAIN:
		c->has_head = false;
		if (!c->args.quiet)
			fprintf(stderr, "* again from the start: %s\n", f.text);
		return true;
	case TRANSFER_FAILED:
		c->failure = f;
		*result = EXCHANGE_FAILED;
		return false;
	case TRANSFER_BROKEN:
		memcpy(c->note, f.text, sizeof(c->note));
		break;
	case TRANSFER_DONE:
		break;
	}
	if (t->whole && c->has_head) {
		c->answer.code = c->head_code;
		c->answer.body = c->head;
	}
	if (t->whole) {
		c->payload = t->body;
		c->payload_len = t->body_len;
	}
	return false;
}

// Gives back the numbers of this context that were not used.
static void numbers_return(struct client *c)
{
	const char *path = c->derived.phase == DERIVED_OFF ? c->sequence_path : c->derived.numbers;
	struct error f;

	if (path && sequence_stock_return(path, &c->numbers, &f) && !c->args.quiet)
		fprintf(stderr, "* sequence numbers are left out: %s\n", f.text);
}

// After a verified answer of --b2: keeps the context that it was for, or derives the one that it
// asks for. Whether the request is to be sent again, or *result is a failure.
static bool derive(struct client *c, enum exchange_result *result)
{
	if (!c->derived.r2_len) {
		if (derived_keep(&c->derived, &c->context, &c->failure))
			*result = EXCHANGE_FAILED;
		return false;
	}
	numbers_return(c);
	if (derived_next(&c->derived, &c->context, &c->session, &c->failure)) {
		*result = EXCHANGE_FAILED;
		return false;
	}
	if (c->args.verbose)
		fprintf(stderr, "* the gateway gives R2: again, in another context\n");
	return true;
}

// Reads from the datagram at hand how it came.
void perform_note(struct client *c)
{
	struct registration *r = &c->registration;
	struct coap_option observe;
	struct coap_msg outer;

	r->has_number = coap_msg_parse(&outer, c->response, c->response_len) == COAP_OK &&
		coap_option_find(&outer.body, COAP_OPT_OBSERVE, &observe) &&
		coap_option_uint(&observe, &r->number);
	r->has_piv = !c->args.plain && c->answer.protection.has_piv;
	r->own_piv = c->answer.protection.piv;
}

// Keeps what the notifications of a registration are opened with. Blocks of its answer that are
// fetched are no registrations (RFC 7959 section 2.6).
static void note_registration(struct client *c)
{
	struct registration *r = &c->registration;
	struct coap_option observe;

	if (!option_has(&c->args.options, COAP_OPT_OBSERVE))
		return;
	option_remove(&c->args.options, COAP_OPT_OBSERVE);
	r->stands = COAP_CODE_CLASS(c->answer.code) == 2 &&
		coap_option_find(&c->answer.body, COAP_OPT_OBSERVE, &observe);
	r->piv = c->protection.piv;
	r->token_len = c->request.token_len;
	memcpy(r->token, c->token, r->token_len);
	perform_note(c);
}

// Whether to go on after an exchange.
static bool goes_on(struct client *c, enum exchange_result *result)
{
	if (*result == EXCHANGE_TIMEOUT && transfer_repeat(&c->transfer)) {
		if (!c->args.quiet)
			fprintf(stderr, "* no answer to this block: once more, as a new request\n");
		return true;
	}
	if (*result != EXCHANGE_ANSWERED)
		return false;
	c->payload = c->answer.body.payload;
	c->payload_len = c->answer.body.payload_len;
	if (c->verdict != ANSWER_OK)
		return false;
	if (c->derived.phase != DERIVED_OFF && derive(c, result))
		return true;
	if (*result == EXCHANGE_FAILED)
		return false;
	if (take_challenge(c))
		return true;
	if (c->args.observe)
		note_registration(c);
	return take_answer(c, result);
}

enum exchange_result perform(struct client *c)
{
	enum exchange_result result;

	do {
		if (prepare_request(c)) {
			result = EXCHANGE_FAILED;
			break;
		}
		result = exchange(c);
	} while (goes_on(c, &result));
	return result;
}

enum exchange_result perform_rest(struct client *c)
{
	enum exchange_result result = EXCHANGE_ANSWERED;

	c->has_head = false;
	transfer_free(&c->transfer);
	c->transfer.starts = 0;
	if (transfer_start(&c->transfer, &c->failure))
		return EXCHANGE_FAILED;
	c->payload = c->answer.body.payload;
	c->payload_len = c->answer.body.payload_len;
	return take_answer(c, &result) ? perform(c) : result;
}

void perform_end(struct client *c)
{
	progress_end(&c->progress);
	numbers_return(c);
}
