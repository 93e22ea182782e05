// SPDX-License-Identifier: BSD-3-Clause
// postern-coap: one CoAP request, protected with OSCORE, from the command line.

#include "base/clock.h"
#include "gw/os/standard_fds.h"
#include "gw/tools/coap/args.h"
#include "gw/tools/coap/context_file.h"
#include "gw/tools/coap/exchange.h"
#include "gw/tools/coap/printable.h"
#include "gw/tools/coap/secure.h"
#include "gw/tools/coap/sequence.h"
#include "gw/tools/coap/show.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHALLENGES_MAX 3 // Echo challenges answered in one run

enum exit_status {
	EXIT_CONTENT = 0, // 2.xx
	EXIT_LOCAL = 1,
	EXIT_USAGE = 2,
	EXIT_NO_ANSWER = 3,
	EXIT_CLIENT_ERROR = 4, // 4.xx
	EXIT_SERVER_ERROR = 5, // 5.xx
	EXIT_UNPROTECTED = 6,
	EXIT_UNVERIFIED = 7,
	EXIT_RESET = 8,
};

struct client {
	struct client_args args;
	struct client_context context;
	struct session session;
	char *sequence_path;
	struct peer peer;
	struct request request;
	struct answer answer;
	struct protection protection; // of the request
	uint8_t token[TOKEN_LEN_MAX];
	uint8_t *datagram, *response; // DATAGRAM_MAX bytes each
	size_t datagram_len, response_len;
	enum answer_verdict verdict;
	unsigned transmissions, challenges, unverified;
	double milliseconds;
	struct error failure;
};

static const char *const verdict_words[] = {
	[ANSWER_UNPROTECTED] = "not protected",
	[ANSWER_BAD_OPTION] = "its OSCORE option is malformed or of another peer",
	[ANSWER_NOT_VERIFIED] = "it does not verify: another key, or changed on its way",
	[ANSWER_BAD_CONTENT] = "what was sealed in it is no response",
};

static bool on_answer(void *arg, const struct coap_msg *msg, const uint8_t *data, size_t len)
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
	} else {
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
	uint64_t piv;
	bool started;
	int err = sequence_take(c->sequence_path, &piv, &started, &c->failure);

	if (err)
		return err;
	if (started && !c->args.quiet)
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

static int prepare_request(struct client *c)
{
	int len;

	c->request = (struct request){
		.type = c->args.non ? COAP_NON : COAP_CON,
		.code = c->args.code,
		.mid = c->challenges ? (uint16_t)(c->request.mid + 1)
				     : (uint16_t)randombytes_uniform(UINT16_MAX + 1),
		.token = c->token,
		.token_len = c->args.has_token ? c->args.token_len : TOKEN_LEN,
		.options = &c->args.options,
		.payload = c->args.payload,
		.payload_len = c->args.payload_len,
	};
	if (c->args.has_token)
		memcpy(c->token, c->args.token, c->args.token_len);
	else
		randombytes_buf(c->token, TOKEN_LEN);
	// The answer to the request before cannot be taken for one to this: it would not verify.
	if (!c->args.plain)
		return seal(c);
	len = request_encode(&c->request, c->datagram, &c->failure);
	if (len < 0)
		return len;
	c->datagram_len = (size_t)len;
	return 0;
}

static void show_request(const struct client *c)
{
	const struct client_args *args = &c->args;

	fprintf(stderr, "* %s to %s\n", c->peer.local, c->peer.remote);
	if (args->plain)
		return;
	fprintf(stderr, "* %s, %s\n", args->context_path, aead_algs[c->context.params.alg].name);
	fprintf(stderr, ">   inside: %s, payload of %zu bytes\n", coap_method_name(args->code),
		args->payload_len);
	for (size_t i = 0; i < args->options.count; i++) {
		const struct coap_option *o = &args->options.at[i];

		if (osc_option_class(o->number) != OSC_CLASS_U)
			show_option(stderr, ">   ", o);
	}
}

// Whether the answer is a challenge to repeat the request with its Echo (RFC 8613 B.1.2, RFC 9175
// section 2.3); if so, the option is in the list afterwards.
static bool take_challenge(struct client *c)
{
	struct coap_option echo;

	if (c->args.no_echo || c->challenges == CHALLENGES_MAX || c->verdict != ANSWER_OK ||
		c->answer.code != COAP_UNAUTHORIZED ||
		!coap_option_find(&c->answer.body, COAP_OPT_ECHO, &echo) ||
		!coap_option_len_ok(COAP_OPT_ECHO, echo.len))
		return false;
	option_remove(&c->args.options, COAP_OPT_ECHO);
	if (option_add(&c->args.options, COAP_OPT_ECHO, echo.value, echo.len, &c->failure))
		return false;
	c->challenges++;
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
		.answer = on_answer,
		.event = on_event,
		.arg = c,
	};
	double start = clock_ns() / 1e6;
	enum exchange_result result = exchange_run(&c->peer, &x, &c->failure);

	c->milliseconds = clock_ns() / 1e6 - start;
	c->transmissions = x.transmissions;
	if (result == EXCHANGE_TIMEOUT && !c->unverified)
		error_set(&c->failure, 0, "%s: no answer%s after %.1f s and %u transmission%s",
			c->peer.remote, x.acknowledged ? ", but an acknowledgement," : "",
			c->milliseconds / 1e3, x.transmissions, x.transmissions == 1 ? "" : "s");
	return result;
}

static void write_payload(FILE *out, const struct client *c)
{
	const struct coap_body *body = &c->answer.body;
	char code[CODE_TEXT_LEN];
	struct coap_option_iter iter;
	struct coap_option option;

	if (c->args.include) {
		fprintf(out, "%s\n", code_text(code, c->answer.code));
		coap_option_iter_init(&iter, body);
		while (coap_option_next(&iter, &option))
			show_option(out, "", &option);
		fputc('\n', out);
	}
	if (!body->payload_len)
		return;
	if (!isatty(fileno(out))) {
		fwrite(body->payload, 1, body->payload_len, out);
		return;
	}
	printable_write(out, body->payload, body->payload_len);
	if (body->payload[body->payload_len - 1] != '\n')
		fputc('\n', out);
}

static int show_answer(struct client *c)
{
	struct coap_option block;
	char code[CODE_TEXT_LEN];
	uint32_t value;
	unsigned class = COAP_CODE_CLASS(c->answer.code);
	FILE *out = c->args.output_path ? fopen(c->args.output_path, "wb") : stdout;

	if (!out)
		return error_set(
			&c->failure, -errno, "%s: %s", c->args.output_path, strerror(errno));
	if (!c->args.quiet && !c->args.include &&
		(class != 2 || (!c->answer.body.payload_len && isatty(STDERR_FILENO))))
		fprintf(stderr, "%s\n", code_text(code, c->answer.code));
	if (!c->args.quiet && coap_option_find(&c->answer.body, COAP_OPT_BLOCK2, &block) &&
		coap_option_uint(&block, &value) && value & 8)
		fprintf(stderr, "* this is block %u; more follow (-O block2=%u/0/%u)\n", value >> 4,
			(value >> 4) + 1, 16u << (value & 7));
	write_payload(out, c);
	bool failed = ferror(out) || fflush(out);
	if (out != stdout && fclose(out))
		failed = true;
	if (failed)
		return error_set(
			&c->failure, -EIO, "cannot write the payload: %s", strerror(errno));
	return 0;
}

static enum exit_status status_of(
	const struct client *c, enum exchange_result result, const char **error)
{
	switch (result) {
	case EXCHANGE_ANSWERED:
		if (c->verdict == ANSWER_UNPROTECTED) {
			*error = "unprotected";
			return EXIT_UNPROTECTED;
		}
		*error = NULL;
		return COAP_CODE_CLASS(c->answer.code) == 2    ? EXIT_CONTENT
			: COAP_CODE_CLASS(c->answer.code) == 4 ? EXIT_CLIENT_ERROR
							       : EXIT_SERVER_ERROR;
	case EXCHANGE_TIMEOUT:
		*error = c->unverified ? "unverified" : "timeout";
		return c->unverified ? EXIT_UNVERIFIED : EXIT_NO_ANSWER;
	case EXCHANGE_RESET:
		*error = "reset";
		return EXIT_RESET;
	case EXCHANGE_REFUSED:
		*error = "refused";
		return EXIT_NO_ANSWER;
	default:
		*error = "failed";
		return EXIT_LOCAL;
	}
}

// The words for all that is not a verified answer.
static void explain(struct client *c, enum exchange_result result)
{
	char code[CODE_TEXT_LEN], diagnostic[OPTION_TEXT_LEN] = "";
	struct coap_option text = {.number = COAP_OPT_URI_PATH, // quoted as a string
		.len = c->answer.body.payload_len,
		.value = c->answer.body.payload};

	if (result == EXCHANGE_ANSWERED) {
		if (text.len)
			option_text(diagnostic, &text);
		error_set(&c->failure, 0,
			"%s answers without protection, so anybody may have: %s %.200s",
			c->peer.remote, code_text(code, c->answer.code), diagnostic);
	} else if (result == EXCHANGE_RESET) {
		error_set(&c->failure, 0, "%s rejects the message (Reset)", c->peer.remote);
	} else if (result == EXCHANGE_REFUSED) {
		error_set(&c->failure, 0, "%s: nothing listens on this port", c->peer.remote);
	} else if (result == EXCHANGE_TIMEOUT && c->unverified) {
		error_set(&c->failure, 0, "%s: %u answer%s, and none verifies", c->peer.remote,
			c->unverified, c->unverified == 1 ? "" : "s");
	}
}

static int load_context(struct client *c)
{
	const struct client_args *args = &c->args;
	int err = context_file_load(&c->context, args->context_path, &c->failure);

	if (err)
		return err;
	if (c->context.group_may_read && !args->quiet)
		fprintf(stderr, "* %s: its group can read or write this file\n",
			args->context_path);
	if (!args->sequence_path)
		return sequence_path(args->context_path, &c->sequence_path, &c->failure);
	c->sequence_path = strdup(args->sequence_path);
	return c->sequence_path ? 0 : error_set(&c->failure, -ENOMEM, "out of memory");
}

static int start(struct client *c)
{
	struct client_args *args = &c->args;
	int err = args->plain ? 0 : load_context(c);

	if (err)
		return err;
	c->datagram = malloc(DATAGRAM_MAX);
	c->response = malloc(DATAGRAM_MAX);
	c->answer.plaintext = malloc(DATAGRAM_MAX);
	c->session = (struct session){
		.params = &c->context.params,
		.keys = &c->context.keys,
		.engine = aead_engine_create(NULL),
		.send_id_context = !args->no_id_context,
	};
	if (!c->datagram || !c->response || !c->answer.plaintext || !c->session.engine)
		return error_set(&c->failure, -ENOMEM, "out of memory");
	return peer_connect(&c->peer, args->uri.host, args->uri.port, args->family,
		args->bind_address, args->bind_port, &c->failure);
}

static enum exit_status report(struct client *c, enum exchange_result result)
{
	const char *error;
	enum exit_status status = status_of(c, result, &error);
	struct result r = {
		.protected = c->verdict == ANSWER_OK && !c->args.plain,
		.has_answer = result == EXCHANGE_ANSWERED,
		.has_request_piv = !c->args.plain,
		.request_protection = &c->protection,
		.request = c->datagram_len ? c->datagram : NULL,
		.request_len = c->datagram_len,
		.response = result == EXCHANGE_ANSWERED ? c->response : NULL,
		.response_len = c->response_len,
		.answer = &c->answer,
		.transmissions = c->transmissions,
		.challenges = c->challenges,
		.unverified = c->unverified,
		.milliseconds = c->milliseconds,
	};

	if (error) {
		explain(c, result);
		r.error = error;
		r.message = c->failure.text;
	}
	if (c->args.json && show_json(stdout, &r))
		return EXIT_LOCAL;
	if (error) {
		fprintf(stderr, "postern-coap: %s\n", c->failure.text);
		return status;
	}
	if (!c->args.json && show_answer(c)) {
		fprintf(stderr, "postern-coap: %s\n", c->failure.text);
		return EXIT_LOCAL;
	}
	return status;
}

static enum exit_status run(struct client *c)
{
	enum exchange_result result;

	if (start(c))
		return report(c, EXCHANGE_FAILED);
	if (c->args.verbose)
		show_request(c);
	do {
		if (prepare_request(c))
			return report(c, EXCHANGE_FAILED);
		result = exchange(c);
	} while (result == EXCHANGE_ANSWERED && take_challenge(c));
	return report(c, result);
}

static void release(struct client *c)
{
	peer_close(&c->peer);
	aead_engine_free(c->session.engine);
	context_wipe(&c->context);
	free(c->datagram);
	free(c->response);
	free(c->answer.plaintext);
	free(c->sequence_path);
	args_free(&c->args);
}

int main(int argc, char **argv)
{
	static struct client client = {.peer.fd = -1};
	enum exit_status status = EXIT_CONTENT;

	if (standard_fds_take())
		return EXIT_LOCAL; // there is no descriptor to complain on
	if (sodium_init() < 0) {
		fprintf(stderr, "postern-coap: libsodium does not start\n");
		return EXIT_LOCAL;
	}
	switch (args_parse(&client.args, argc, argv, &client.failure)) {
	case ARGS_RUN:
		status = run(&client);
		break;
	case ARGS_DONE:
		break;
	case ARGS_WRONG:
		fprintf(stderr, "postern-coap: %s\n", client.failure.text);
		status = EXIT_USAGE;
		break;
	}
	release(&client);
	return status;
}
