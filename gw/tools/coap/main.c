// SPDX-License-Identifier: BSD-3-Clause
// postern-coap: one CoAP request with its answer, protected with OSCORE, from the command line.

#include "base/clock.h"
#include "gw/os/standard_fds.h"
#include "gw/tools/coap/client.h"
#include "gw/tools/coap/establish.h"
#include "gw/tools/coap/observe.h"
#include "gw/tools/coap/perform.h"
#include "gw/tools/coap/report.h"
#include "gw/tools/coap/show.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void show_request(const struct client *c)
{
	const struct client_args *args = &c->args;

	fprintf(stderr, "* %s to %s\n", c->peer.local, c->peer.remote);
	if (args->plain)
		return;
	if (args->context_path)
		fprintf(stderr, "* %s, %s\n", args->context_path,
			aead_algs[c->context.params.alg].name);
	else
		fprintf(stderr, "* %s, %s\n", args->edhoc_path,
			c->establishing.phase == ESTABLISH_STANDS ? "with the context that is kept"
								  : "a handshake comes first");
	fprintf(stderr, ">   inside: %s, payload of %zu bytes\n", coap_method_name(args->code),
		args->payload_len);
	for (size_t i = 0; i < args->options.count; i++) {
		const struct coap_option *o = &args->options.at[i];

		if (osc_option_class(o->number) != OSC_CLASS_U)
			show_option(stderr, ">   ", o);
	}
}

static int load_context(struct client *c)
{
	const struct client_args *args = &c->args;
	const char *keys = args->context_path ? args->context_path : args->edhoc_path;
	int err = args->context_path
		? context_file_load(&c->context, args->context_path, &c->failure)
		: 0;

	if (err)
		return err;
	if (c->context.group_may_read && !args->quiet)
		fprintf(stderr, "* %s: its group can read or write this file\n", keys);
	if (!args->sequence_path)
		return sequence_path(keys, &c->sequence_path, &c->failure);
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
	c->spare_response = malloc(DATAGRAM_MAX);
	c->spare_plaintext = malloc(DATAGRAM_MAX);
	c->mid = (uint16_t)randombytes_uniform(UINT16_MAX + 1);
	c->session = (struct session){
		.params = &c->context.params,
		.keys = &c->context.keys,
		.engine = aead_engine_create(NULL),
		.send_id_context = !args->no_id_context,
	};
	if (args->b2)
		err = derived_start(&c->derived, c->sequence_path, args->b2_new, &c->context,
			&c->session, &c->failure);
	if (!err && args->edhoc_path)
		err = establish_start(c);
	if (err)
		return err;
	c->bare = args->plain;
	c->transfer = (struct transfer){
		.method = args->code,
		.options = &args->options,
		.payload = args->payload,
		.payload_len = args->payload_len,
		.szx = args->szx,
		.ask = args->has_szx,
		.one = args->one,
		.body_max = args->body_max,
	};
	c->progress.wanted = !args->quiet && !args->verbose;
	if (!c->datagram || !c->response || !c->answer.plaintext || !c->spare_response ||
		!c->spare_plaintext || !c->session.engine)
		return error_set(&c->failure, -ENOMEM, "out of memory");
	err = transfer_start(&c->transfer, &c->failure);
	if (err)
		return err;
	return peer_connect(&c->peer, args->uri.host, args->uri.port, args->family,
		args->bind_address, args->bind_port, &c->failure);
}

static enum exit_status run(struct client *c)
{
	enum exchange_result result;

	if (start(c))
		return report(c, EXCHANGE_FAILED);
	if (c->args.verbose)
		show_request(c);
	result = perform(c);
	if (c->registration.stands)
		result = observe(c, result);
	else if (c->args.observe && result == EXCHANGE_ANSWERED && !c->args.quiet)
		fprintf(stderr, "* no notifications will come: this is a plain answer\n");
	perform_end(c);
	return report(c, result);
}

// Makes a key pair.
static enum exit_status make(const struct client_args *args, struct error *f)
{
	const struct identity_new what = {
		.path = args->make_path,
		.name = args->make_name,
		.gateway_path = args->edhoc_gateway_path,
		.curve = args->make_curve,
		.kid = args->make_kid,
		.kid_len = args->make_kid_len,
	};
	struct edhoc_engine engine = {.ecc = ecc_engine_create(NULL)};
	int err = engine.ecc ? identity_make(&what, &engine, f)
			     : error_set(f, -ENOMEM, "out of memory");

	ecc_engine_free(engine.ecc);
	if (err)
		fprintf(stderr, "postern-coap: %s\n", f->text);
	return err ? EXIT_LOCAL : EXIT_CONTENT;
}

static void release(struct client *c)
{
	peer_close(&c->peer);
	establish_free(&c->establishing);
	aead_engine_free(c->session.engine);
	context_wipe(&c->context);
	derived_free(&c->derived);
	free(c->datagram);
	free(c->response);
	free(c->answer.plaintext);
	free(c->spare_response);
	free(c->spare_plaintext);
	transfer_free(&c->transfer);
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
	case ARGS_MAKE:
		status = make(&client.args, &client.failure);
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
