// SPDX-License-Identifier: BSD-3-Clause
// usage: bench_rederive_load [--rate N] [--seconds N] [--window N] [--to ADDRESS] DEVICES.CSV
// The devices of an import file (docs/import.md), of which it reads the first three columns, derive
// contexts by RFC 8613 appendix B.2, one after the other, N (1700) a second; at most a window (256)
// of them at once. Each run is request #1, its response, and a request #2 that is to be served.
// Prints what became of the runs as a line of JSON; status 3 if one of them failed.

#include "base/clock.h"
#include "bench/many_devices.h"
#include "dataplane/oscore/kid_context.h"
#include "gw/tools/coap/secure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SOCKETS    16
#define R_LEN      8     // bytes of R1 and R3
#define R2_MAX     32    // bytes of an R2 that are enough for any gateway
#define MESSAGE    512   // bytes of the longest message
#define AGAIN_MS   2000  // before a message is sent again
#define TRIES      5     // of a message
#define WINDOW_MAX 65536 // runs at once

// One run of a device; free without one.
struct run {
	uint64_t begun_ms, sent_ms;
	uint32_t device;
	uint32_t generation; // of the token, which rises with each message
	uint16_t mid, len;
	uint8_t tries;
	bool used, second; // request #2 is under way
	struct osc_params params;
	struct osc_keys keys;
	uint8_t said[OSC_BSTR_HEAD_MAX + OSC_ID_CONTEXT_LEN_MAX]; // its kid context
	uint8_t message[MESSAGE];
};

struct load {
	struct osc_params *device;
	size_t devices, next;
	struct run *run;
	unsigned window, under_way;
	struct many_sockets sockets;
	struct aead_engine *engine;
	uint16_t mid;
	unsigned long begun, derived, failed, again, busy;
	struct many_latency latency;
};

static void die(const char *what)
{
	fprintf(stderr, "bench_rederive_load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint8_t field(char **rest, uint8_t *out, size_t room)
{
	const char *text = strsep(rest, ",\n");
	size_t len;

	if (!text || sodium_hex2bin(out, room, text, strlen(text), NULL, &len, NULL))
		die("a row is no device");
	return (uint8_t)len;
}

static void devices_get(struct load *load, const char *path)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	size_t rows = 0;

	if (!file)
		die(path);
	while (fgets(line, sizeof(line), file))
		rows++;
	rewind(file);
	load->device = calloc(rows + 1, sizeof(*load->device));
	if (!load->device || !fgets(line, sizeof(line), file))
		die(path);
	while (fgets(line, sizeof(line), file)) {
		struct osc_params *params = &load->device[load->devices++];
		char *rest = line;

		params->sender_id_len = field(&rest, params->sender_id, OSC_KID_LEN_MAX);
		params->recipient_id_len = field(&rest, params->recipient_id, OSC_KID_LEN_MAX);
		params->secret_len = field(&rest, params->secret, OSC_SECRET_LEN_MAX);
		params->has_id_context = true;
	}
	fclose(file);
}

static void transmit(struct load *load, struct run *run, uint64_t now_ms)
{
	run->tries++;
	run->sent_ms = now_ms;
	many_sockets_send(&load->sockets, run->device, run->message, run->len);
}

// Derives keys for an ID Context, and seals and sends a request under them.
static void ask(struct load *load, struct run *run, uint64_t now_ms)
{
	const struct session session = {
		.params = &run->params,
		.keys = &run->keys,
		.engine = load->engine,
		.send_id_context = true,
		.kid_context = run->said,
		.kid_context_len = (uint8_t)(osc_bstr_head(run->said, run->params.id_context_len) +
			run->params.id_context_len),
	};
	uint8_t token[MANY_TOKEN_LEN];
	static uint8_t datagram[DATAGRAM_MAX];
	static struct coap_option path = {.number = COAP_OPT_URI_PATH, .len = 1};
	const struct option_list options = {.at = &path, .count = 1};
	struct protection protection;
	struct error error;

	path.value = (const uint8_t *)"t";
	memcpy(run->said + osc_bstr_head(run->said, run->params.id_context_len),
		run->params.id_context, run->params.id_context_len);
	run->generation++;
	many_token_write(token, (uint32_t)(run - load->run), run->generation);
	run->mid = load->mid++;
	run->tries = 0;

	const struct request request = {.type = COAP_CON,
		.code = COAP_POST,
		.mid = run->mid,
		.token = token,
		.token_len = MANY_TOKEN_LEN,
		.options = &options,
		.payload = (const uint8_t *)"derived",
		.payload_len = 7};
	int len = osc_derive(&run->keys, &run->params) < 0
		? -EINVAL
		: request_seal(&session, &request, 0, datagram, &protection, &error);

	if (len < 0 || len > MESSAGE)
		die("a request");
	run->len = (uint16_t)len;
	memcpy(run->message, datagram, run->len);
	transmit(load, run, now_ms);
}

static void begin(struct load *load, uint64_t now_ms)
{
	struct run *run = load->run;

	while (run->used)
		run++;
	run->used = true;
	run->second = false;
	run->begun_ms = now_ms;
	run->device = (uint32_t)(load->next++ % load->devices);
	run->params = load->device[run->device];
	run->params.id_context_len = R_LEN;
	randombytes_buf(run->params.id_context, R_LEN);
	load->under_way++;
	load->begun++;
	ask(load, run, now_ms);
}

static void end(struct load *load, struct run *run, bool derived, uint64_t now_ms)
{
	run->used = false;
	load->under_way--;
	load->derived += derived;
	load->failed += !derived;
	if (derived)
		many_latency_add(&load->latency, now_ms - run->begun_ms);
}

static bool opened(struct load *load, struct run *run, const struct coap_msg *msg, uint8_t *code)
{
	static uint8_t plaintext[DATAGRAM_MAX];
	const struct session session = {
		.params = &run->params, .keys = &run->keys, .engine = load->engine};
	struct answer answer = {.plaintext = plaintext};
	bool good = answer_open(&session, 0, msg, &answer) == ANSWER_OK;

	*code = answer.code;
	return good;
}

// Response #1: opens it under R2 || R1, and begins with R2 || R3.
static void response_1(struct load *load, struct run *run, const struct coap_msg *msg,
	const struct osc_option *option, uint64_t now_ms)
{
	struct osc_params *params = &run->params;
	uint8_t r1[R_LEN], r2_len, code;
	const uint8_t *r2;

	if (!osc_bstr_read(option->kid_context, option->kid_context_len, &r2, &r2_len) ||
		r2_len > R2_MAX)
		return;
	memcpy(r1, params->id_context, R_LEN);
	memcpy(params->id_context, r2, r2_len);
	memcpy(params->id_context + r2_len, r1, R_LEN);
	params->id_context_len = (uint8_t)(r2_len + R_LEN);
	if (osc_derive(&run->keys, params) < 0 || !opened(load, run, msg, &code) ||
		code != COAP_UNAUTHORIZED) {
		end(load, run, false, now_ms);
		return;
	}
	randombytes_buf(params->id_context + r2_len, R_LEN);
	run->second = true;
	ask(load, run, now_ms);
}

static struct run *run_of(struct load *load, const struct coap_msg *msg)
{
	uint32_t index, generation;

	if (!many_token_read(msg, &index, &generation) || index >= load->window ||
		!load->run[index].used || load->run[index].generation != generation)
		return NULL;
	return &load->run[index];
}

static void take(void *arg, const struct coap_msg *msg, uint64_t now_ms)
{
	struct load *load = arg;
	struct run *run = run_of(load, msg);
	struct osc_option option;
	uint8_t code;

	if (!run)
		return;
	if (!msg->body.oscore_count) // 5.03: comes again with the next copy
		load->busy++;
	else if (osc_option_parse(&option, msg->body.oscore, msg->body.oscore_len))
		return;
	else if (option.has_kid_context && !run->second)
		response_1(load, run, msg, &option, now_ms);
	else if (run->second && opened(load, run, msg, &code))
		end(load, run, COAP_CODE_CLASS(code) == 2, now_ms);
}

static void retransmit(struct load *load, uint64_t now_ms)
{
	for (unsigned i = 0; i < load->window; i++) {
		struct run *run = &load->run[i];

		if (!run->used || now_ms - run->sent_ms < AGAIN_MS)
			continue;
		if (run->tries == TRIES) {
			end(load, run, false, now_ms);
			continue;
		}
		load->again++;
		transmit(load, run, now_ms);
	}
}

static void go(struct load *load, double rate, double seconds)
{
	const uint64_t start_ns = clock_ns();
	uint64_t looked_ms = 0, last_ns = start_ns;

	for (;;) {
		uint64_t now_ns = clock_ns(), now_ms = now_ns / 1000000;
		double passed = (now_ns - start_ns) / 1e9;

		if (passed >= seconds && !load->under_way)
			break;
		while (passed < seconds && load->begun < passed * rate &&
			load->under_way < load->window)
			begin(load, now_ms);
		many_sockets_turn(&load->sockets, take, load);
		if (now_ms - looked_ms > 100) {
			looked_ms = now_ms;
			retransmit(load, now_ms);
		}
		last_ns = clock_ns();
	}
	double took = (last_ns - start_ns) / 1e9;

	printf("{\"begun\":%lu,\"derived\":%lu,\"failed\":%lu,\"again\":%lu,\"busy\":%lu,"
	       "\"seconds\":%.3f,\"a_minute\":%.0f,\"ms_50\":%u,\"ms_99\":%u}\n",
		load->begun, load->derived, load->failed, load->again, load->busy, took,
		load->derived / took * 60, many_latency_quantile(&load->latency, 0.5),
		many_latency_quantile(&load->latency, 0.99));
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"rate", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"window", required_argument, NULL, 'w'},
		{"to", required_argument, NULL, 't'},
		{0},
	};
	static struct load load = {.window = 256};
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(COAP_PORT)};
	const char *address = "192.0.2.1";
	double rate = 1700, seconds = 10;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			rate = strtod(optarg, NULL);
		else if (c == 's')
			seconds = strtod(optarg, NULL);
		else if (c == 'w')
			load.window = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 't')
			address = optarg;
		else
			return 2;
	}
	if (optind + 1 != argc || rate <= 0 || seconds <= 0 || !load.window ||
		load.window > WINDOW_MAX || sodium_init() < 0 ||
		inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return 2;
	devices_get(&load, argv[optind]);
	load.run = calloc(load.window, sizeof(*load.run));
	load.engine = aead_engine_create(NULL);
	if (!load.run || !load.engine || load.devices <= load.window)
		die("more devices than the window are wanted, or memory");
	if (many_sockets_open(&load.sockets, SOCKETS, &to))
		die("socket");
	go(&load, rate, seconds);
	many_sockets_close(&load.sockets);
	return load.failed ? 3 : 0;
}
