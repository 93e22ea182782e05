// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/perform.h"

#include "gw/tools/coap/establish.h"
#include "gw/tools/coap/link.h"
#include "gw/tools/coap/show.h"

#include <stdio.h>
#include <string.h>

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
	if (started && !derived && !c->args.quiet && c->establishing.phase == ESTABLISH_OFF)
		fprintf(stderr,
			"* %s is new: sequence numbers begin at 0. If these keys were in use "
			"before, stop here.\n",
			c->sequence_path);
	const struct edhoc_bytes message_3 = establish_message_3(c);

	c->request.message_3 = message_3.data;
	c->request.message_3_len = message_3.len;
	c->request.echo = c->outer_echo;
	c->request.echo_len = c->outer_echo_len;
	if (c->args.verbose && message_3.len)
		fprintf(stderr, "* message_3 goes with the request\n");
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
	link_request(c, c->args.code, &part.options, part.payload, part.payload_len);
	err = seal_or_encode(c);
	c->request.options = NULL;
	option_list_free(&part.options);
	return err;
}

// Whether the answer is a challenge to repeat the request with its Echo: a verified one with the
// option inside (RFC 8613 B.1.2, RFC 9175 section 2.3), and one that anybody may have sent with the
// option outside, where it protects nothing but the way (RFC 9175 section 2.4). The request gets
// the option, and is sealed again.
static bool take_challenge(struct client *c)
{
	struct coap_option echo;
	const bool outside = c->verdict == ANSWER_UNPROTECTED;

	if ((c->verdict != ANSWER_OK && !outside) || !link_challenge(c, &echo))
		return false;
	if (outside) {
		c->outer_echo_len = (uint8_t)echo.len;
		memcpy(c->outer_echo, echo.value, echo.len);
	} else {
		option_remove(&c->args.options, COAP_OPT_ECHO);
		if (option_add(&c->args.options, COAP_OPT_ECHO, echo.value, echo.len, &c->failure))
			return false;
	}
	if (c->args.verbose)
		fprintf(stderr, "* the gateway asks for %s: again, with its Echo\n",
			outside ? "a sign that this address is real" : "freshness");
	return true;
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

// After an answer without protection: whether the request is to be sent again.
static bool goes_on_unprotected(struct client *c, enum exchange_result *result)
{
	if (take_challenge(c))
		return true;
	if (c->establishing.phase == ESTABLISH_OFF)
		return false;
	if (establish_again(c))
		return true;
	if (c->establishing.failed)
		*result = EXCHANGE_FAILED;
	return false;
}

// Keeps a context that was new. Whether the request is to be sent again, or *result is a failure.
static bool keep_context(struct client *c, enum exchange_result *result)
{
	c->outer_echo_len = 0;
	if (c->establishing.phase != ESTABLISH_OFF && establish_keep(c))
		*result = EXCHANGE_FAILED;
	return c->derived.phase != DERIVED_OFF && derive(c, result);
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
	if (c->verdict == ANSWER_UNPROTECTED)
		return goes_on_unprotected(c, result);
	if (keep_context(c, result))
		return true;
	if (*result == EXCHANGE_FAILED)
		return false;
	if (take_challenge(c))
		return true;
	if (c->args.observe)
		note_registration(c);
	return take_answer(c, result);
}

// Makes sure that there is a context for the next request, and that its message_3 went before if it
// cannot go with it.
static enum exchange_result make_ready(struct client *c)
{
	enum exchange_result result = EXCHANGE_ANSWERED;

	if (c->establishing.phase == ESTABLISH_NONE)
		result = establish_keys(c);
	if (result == EXCHANGE_ANSWERED && c->establishing.phase == ESTABLISH_MESSAGE_3 &&
		!establish_combines(c, transfer_payload_len(&c->transfer)))
		result = establish_apart(c);
	return result;
}

enum exchange_result perform(struct client *c)
{
	enum exchange_result result;

	do {
		result = make_ready(c);
		if (result != EXCHANGE_ANSWERED)
			break;
		if (prepare_request(c)) {
			result = EXCHANGE_FAILED;
			break;
		}
		result = link_exchange(c);
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
