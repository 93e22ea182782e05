// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/establish.h"

#include "gw/tools/coap/link.h"
#include "gw/tools/coap/show.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RUNS_MAX      2   // handshakes for one request
#define COMBINED_MORE 128 // bytes that message_3 and payload may have over those of a block

static const char path_1[] = ".well-known", path_2[] = "edhoc";

int establish_start(struct client *c)
{
	struct establishing *e = &c->establishing;
	const struct client_args *args = &c->args;
	int err;

	e->engine = (struct edhoc_engine){c->session.engine, ecc_engine_create(NULL)};
	if (!e->engine.ecc)
		return error_set(&c->failure, -ENOMEM, "out of memory");
	err = identity_load(
		&e->identity, &e->engine, args->edhoc_path, args->edhoc_gateway_path, &c->failure);
	if (err)
		return err;
	e->identity.message_4 |= args->edhoc_message_4;
	if (e->identity.group_may_read && !args->quiet)
		fprintf(stderr, "* %s: its group can read or write this file\n", args->edhoc_path);
	if (asprintf(&e->gateway, "%s %u", args->uri.host, args->uri.port) < 0) {
		e->gateway = NULL;
		return error_set(&c->failure, -ENOMEM, "out of memory");
	}
	e->kept_for = (struct session_for){c->sequence_path, &e->identity, e->gateway};
	e->handshake.identity = &e->identity;
	e->handshake.engine = &e->engine;
	e->phase = ESTABLISH_NONE;
	bool present = false;

	if (!args->edhoc_new)
		err = session_load(&e->kept_for, &c->context, &present, &c->failure);
	if (!err && present)
		e->phase = ESTABLISH_STANDS;
	return err;
}

void establish_free(struct establishing *e)
{
	handshake_wipe(&e->handshake);
	identity_free(&e->identity);
	ecc_engine_free(e->engine.ecc);
	free(e->gateway);
	*e = (struct establishing){0};
}

// ---- messages

static int options_make(const struct client *c, struct option_list *options, struct error *f)
{
	int err = 0;

	for (size_t i = 0; i < c->args.options.count && !err; i++) {
		const struct coap_option *o = &c->args.options.at[i];

		if (o->number == COAP_OPT_URI_HOST || o->number == COAP_OPT_URI_PORT)
			err = option_add(options, o->number, o->value, o->len, f);
	}
	if (!err)
		err = option_add(options, COAP_OPT_URI_PATH, path_1, strlen(path_1), f);
	if (!err)
		err = option_add(options, COAP_OPT_URI_PATH, path_2, strlen(path_2), f);
	if (!err)
		err = option_add_uint(options, COAP_OPT_CONTENT_FORMAT, HANDSHAKE_FORMAT_CID, f);
	return err;
}

// Sends what the transfer has next, and takes the answer. Whether it goes on.
static bool part_exchange(struct client *c, struct transfer *t, struct option_list *options,
	enum exchange_result *result)
{
	struct transfer_part part;
	struct coap_option echo;
	struct error *f = &c->failure;

	*result = EXCHANGE_FAILED;
	if (transfer_request(t, &part, f))
		return false;
	link_request(c, COAP_POST, &part.options, part.payload, part.payload_len);
	const int len = request_encode(&c->request, c->datagram, f);

	c->request.options = NULL;
	option_list_free(&part.options);
	if (len < 0)
		return false;
	c->datagram_len = (size_t)len;
	*result = link_exchange(c);
	if (*result == EXCHANGE_TIMEOUT && transfer_repeat(t))
		return true;
	if (*result != EXCHANGE_ANSWERED)
		return false;
	if (link_challenge(c, &echo)) {
		option_remove(options, COAP_OPT_ECHO);
		if (!option_add(options, COAP_OPT_ECHO, echo.value, echo.len, f))
			return true;
		*result = EXCHANGE_FAILED;
		return false;
	}
	switch (transfer_take(t, c->answer.code, &c->answer.body, f)) {
	case TRANSFER_NEXT:
	case TRANSFER_AGAIN:
		return true;
	case TRANSFER_FAILED:
		*result = EXCHANGE_FAILED;
		return false;
	default:
		return false;
	}
}

// Sends a payload to the gateway's resource for EDHOC, in blocks if it is long, and without
// protection. The answer is in c->answer; what *t has of it is the caller's to free. ask: it may
// have blocks, which are no larger than the user wants.
static enum exchange_result call(
	struct client *c, const uint8_t *payload, size_t len, bool ask, struct transfer *t)
{
	enum exchange_result result = EXCHANGE_FAILED;
	struct option_list options = {0};

	*t = (struct transfer){
		.method = COAP_POST,
		.options = &options,
		.payload = payload,
		.payload_len = len,
		.szx = c->args.szx,
		.ask = ask && c->args.szx < COAP_SZX_MAX,
		.body_max = EDHOC_MESSAGE_MAX,
	};
	c->bare = true;
	c->challenged = 0;
	if (!options_make(c, &options, &c->failure) && !transfer_start(t, &c->failure))
		while (part_exchange(c, t, &options, &result))
			;
	c->bare = false;
	c->challenged = 0;
	option_list_free(&options);
	if (!t->whole) {
		free(t->body);
		t->body = NULL;
		t->body_len = 0;
	}
	return result;
}

// The same of message_1. Who does not know Block2 refuses what asks for small blocks, and gets it
// without.
static enum exchange_result call_1(struct client *c, struct transfer *t)
{
	const struct handshake *h = &c->establishing.handshake;
	enum exchange_result result = call(c, h->payload, h->payload_len, true, t);

	if (result != EXCHANGE_ANSWERED || !t->ask || c->answer.code != COAP_BAD_OPTION)
		return result;
	transfer_free(t);
	return call(c, h->payload, h->payload_len, false, t);
}

static struct edhoc_bytes answer_bytes(const struct client *c, const struct transfer *t)
{
	const struct coap_body *body = &c->answer.body;

	return t->whole ? (struct edhoc_bytes){t->body, t->body_len}
			: (struct edhoc_bytes){body->payload, body->payload_len};
}

// Whether the answer is an error message of EDHOC.
static bool answer_is_error(const struct client *c)
{
	struct coap_option format;
	uint32_t number;

	return coap_option_find(&c->answer.body, COAP_OPT_CONTENT_FORMAT, &format) &&
		coap_option_uint(&format, &number) && number == HANDSHAKE_FORMAT &&
		edhoc_is_error(c->answer.body.payload, c->answer.body.payload_len);
}

// The handshake has come to its end without a context.
static enum exchange_result fail(struct client *c, const struct error *why)
{
	c->establishing.failed = true;
	error_set(&c->failure, -EPROTO, "the handshake fails: %.1000s", why->text);
	return EXCHANGE_FAILED;
}

static enum exchange_result fail_with_code(struct client *c, const char *message)
{
	char code[CODE_TEXT_LEN];
	struct error why;

	error_set(
		&why, -EPROTO, "%s is answered with %s", message, code_text(code, c->answer.code));
	return fail(c, &why);
}

// ---- steps

static enum exchange_result keys_take(struct client *c)
{
	struct establishing *e = &c->establishing;
	struct error why;

	context_wipe(&c->context);
	edhoc_oscore(&e->handshake.done, EDHOC_INITIATOR, &c->context.params);
	if (osc_derive(&c->context.keys, &c->context.params)) {
		error_set(&why, -EPROTO, "no context can be derived");
		return fail(c, &why);
	}
	e->phase = ESTABLISH_MESSAGE_3;
	if (c->args.verbose)
		fprintf(stderr, "* the gateway is who it says; method %u, suite %u\n",
			e->handshake.done.method, e->handshake.done.suite);
	return EXCHANGE_ANSWERED;
}

enum exchange_result establish_keys(struct client *c)
{
	struct establishing *e = &c->establishing;
	struct handshake *h = &e->handshake;
	enum exchange_result result = EXCHANGE_ANSWERED;
	struct transfer t = {0};
	struct error why = {0};

	e->runs++;
	e->handshakes++;
	enum handshake_step step = handshake_begin(h, &why);

	while (step == HANDSHAKE_SEND) {
		result = call_1(c, &t);
		if (result == EXCHANGE_ANSWERED && COAP_CODE_CLASS(c->answer.code) != 2 &&
			!answer_is_error(c))
			result = fail_with_code(c, "message_1");
		if (result == EXCHANGE_ANSWERED) {
			const struct edhoc_bytes bytes = answer_bytes(c, &t);

			step = handshake_take_2(h, bytes.data, bytes.len, &why);
		}
		transfer_free(&t);
		if (result != EXCHANGE_ANSWERED)
			return result;
	}
	return step == HANDSHAKE_FINISH ? keys_take(c) : fail(c, &why);
}

enum exchange_result establish_apart(struct client *c)
{
	struct establishing *e = &c->establishing;
	struct handshake *h = &e->handshake;
	struct transfer t;
	struct error why;
	enum exchange_result result = call(c, h->payload, h->payload_len, false, &t);

	if (result == EXCHANGE_ANSWERED && answer_is_error(c)) {
		handshake_error_say(c->answer.body.payload, c->answer.body.payload_len, &why);
		result = fail(c, &why);
	} else if (result == EXCHANGE_ANSWERED && COAP_CODE_CLASS(c->answer.code) != 2) {
		result = fail_with_code(c, "message_3");
	} else if (result == EXCHANGE_ANSWERED) {
		const struct edhoc_bytes bytes = answer_bytes(c, &t);

		e->phase = ESTABLISH_FRESH;
		if (bytes.len && handshake_take_4(h, bytes.data, bytes.len, &why)) {
			result = fail(c, &why);
		} else if (!bytes.len && e->identity.message_4) {
			error_set(&why, -EPROTO, "there is no message_4");
			result = fail(c, &why);
		}
	}
	transfer_free(&t);
	return result;
}

bool establish_combines(const struct client *c, size_t payload_len)
{
	const struct establishing *e = &c->establishing;

	// message_4 would have no place (RFC 9668 section 3).
	return !c->args.edhoc_apart && !e->identity.message_4 &&
		e->handshake.payload_len + payload_len <=
		coap_block_size(c->args.szx) + COMBINED_MORE;
}

struct edhoc_bytes establish_message_3(const struct client *c)
{
	const struct handshake *h = &c->establishing.handshake;

	if (c->establishing.phase != ESTABLISH_MESSAGE_3)
		return (struct edhoc_bytes){0};
	return (struct edhoc_bytes){h->payload + h->message_at, h->payload_len - h->message_at};
}

int establish_keep(struct client *c)
{
	struct establishing *e = &c->establishing;

	e->runs = 0;
	if (e->phase == ESTABLISH_STANDS)
		return 0;
	e->combined = e->phase == ESTABLISH_MESSAGE_3;
	e->phase = ESTABLISH_STANDS;
	return session_keep(&e->kept_for, &c->context, &c->failure);
}

bool establish_again(struct client *c)
{
	struct establishing *e = &c->establishing;
	struct error why;

	if (answer_is_error(c)) {
		handshake_error_say(c->answer.body.payload, c->answer.body.payload_len, &why);
		fail(c, &why);
		return false;
	}
	// A gateway that has lost the context says so without protection, since it has no keys.
	if (c->answer.code != COAP_UNAUTHORIZED || e->runs == RUNS_MAX) {
		if (e->phase == ESTABLISH_MESSAGE_3)
			fail_with_code(c, "message_3");
		return false;
	}
	if (!c->args.quiet)
		fprintf(stderr, "* the gateway does not know the context: a new handshake\n");
	e->phase = ESTABLISH_NONE;
	return true;
}
