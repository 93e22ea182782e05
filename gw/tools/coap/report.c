// SPDX-License-Identifier: BSD-3-Clause

#include "gw/tools/coap/report.h"

#include "gw/tools/coap/printable.h"
#include "gw/tools/coap/show.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

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
	if (!c->payload_len)
		return;
	if (!isatty(fileno(out))) {
		fwrite(c->payload, 1, c->payload_len, out);
		return;
	}
	printable_write(out, c->payload, c->payload_len);
	if (c->payload[c->payload_len - 1] != '\n')
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
		(class != 2 || (!c->payload_len && isatty(STDERR_FILENO))))
		fprintf(stderr, "%s\n", code_text(code, c->answer.code));
	if (!c->args.quiet && *c->note)
		fprintf(stderr, "* %s\n", c->note);
	if (!c->args.quiet && c->transfer.one &&
		coap_option_find(&c->answer.body, COAP_OPT_BLOCK2, &block) &&
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

// Answers to the last request that did not verify.
static unsigned unverified(const struct client *c)
{
	return c->unverified - c->unverified_before;
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
		*error = unverified(c) ? "unverified" : "timeout";
		return unverified(c) ? EXIT_UNVERIFIED : EXIT_NO_ANSWER;
	case EXCHANGE_RESET:
		*error = "reset";
		return EXIT_RESET;
	case EXCHANGE_REFUSED:
		*error = "refused";
		return EXIT_NO_ANSWER;
	default:
		*error = c->establishing.failed ? "handshake" : "failed";
		return c->establishing.failed ? EXIT_HANDSHAKE : EXIT_LOCAL;
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
	} else if (result == EXCHANGE_TIMEOUT && unverified(c)) {
		error_set(&c->failure, 0, "%s: %u answer%s, and none verifies", c->peer.remote,
			unverified(c), unverified(c) == 1 ? "" : "s");
	}
}

enum exit_status report(struct client *c, enum exchange_result result)
{
	const char *error;
	enum exit_status status = status_of(c, result, &error);
	const struct show_handshake handshake = {
		.count = c->establishing.handshakes,
		.combined = c->establishing.combined,
		.done = &c->establishing.handshake.done,
	};
	struct result r = {
		.protected = c->verdict == ANSWER_OK && !c->args.plain,
		.has_answer = result == EXCHANGE_ANSWERED,
		.has_request_piv = !c->args.plain && c->protection.nonce_len,
		.request_protection = &c->protection,
		.request = c->datagram_len ? c->datagram : NULL,
		.request_len = c->datagram_len,
		.response = result == EXCHANGE_ANSWERED ? c->response : NULL,
		.response_len = c->response_len,
		.answer = &c->answer,
		.payload = c->payload,
		.payload_len = c->payload_len,
		.transfer = &c->transfer,
		.transmissions = c->transmissions,
		.challenges = c->challenges,
		.unverified = c->unverified,
		.milliseconds = c->milliseconds,
		.handshake = c->args.edhoc_path ? &handshake : NULL,
	};

	if (error) {
		explain(c, result);
		r.error = error;
		r.message = c->failure.text;
	}
	if (c->printed && !error)
		return status;
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
