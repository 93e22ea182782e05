// SPDX-License-Identifier: BSD-3-Clause
// Sends requests to real servers through an upstream loop as it ships, between rings that this
// program fills and empties as a worker does, and says what became of them. Each request has a
// number, in its query and its body, and each answer is to have the same.

#include "base/clock.h"
#include "dataplane/coap/message.h"
#include "dataplane/state/exchange_pool.h"
#include "gw/upstream/loop.h"

#include <rte_eal.h>

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANES_MAX 256
#define ROOM      1024 // bytes of the largest answer
#define LOOK_US   50   // between looks at the rings
#define STUCK_MS  30000
#define SLOW_MS   250 // less than what an address that does not answer costs
#define QUERY_MAX 1024

static const char help[] =
	"usage: upstream_load [OPTION]... URL...\n"
	"Sends requests through an upstream loop to the servers (as in the configuration file), "
	"and\n"
	"prints what became of them as JSON. The query of each is n=NUMBER, and so is the body of "
	"a\n"
	"PUT or POST; the answer is to hold n=NUMBER somewhere.\n"
	"  -n, --requests N    (1000); 0: until standard input ends\n"
	"  -m, --methods LIST  in turn (get,put,post,delete)\n"
	"  -l, --lanes N       requests under way at a time (8)\n"
	"  -g, --gap MIN-MAX   microseconds at random from an answer to the next request of its "
	"lane\n"
	"                      (0-0)\n"
	"  -q, --query TEXT    more of the query: KEY=VALUE&...\n"
	"  -k, --keys TEXT     more keys of the upstream, such as \"max_connections: 8\"\n"
	"  -t, --timeout MS    until a request must be answered (10000)\n"
	"  -s, --seed N        of what is random (1)\n"
	"Members: methods: of each how many were sent, came back with 2.xx (ok), may have been\n"
	"performed (unknown: 5.02, or 5.04), and how many there were of each code; wrong: answers\n"
	"with 2.xx to another request; errors: of the loop, by name; servers: attempts, those on\n"
	"another server (retries), connections; slow: answers after 250 ms and more.\n";

struct method {
	const char *name;
	uint8_t code;
	bool has_body;
	uint64_t sent, ok, unknown;
	uint64_t codes[256];
};

static struct method methods[] = {
	{"get", COAP_GET, false, 0, 0, 0, {0}},
	{"put", COAP_PUT, true, 0, 0, 0, {0}},
	{"post", COAP_POST, true, 0, 0, 0, {0}},
	{"delete", COAP_DELETE, false, 0, 0, 0, {0}},
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

struct options {
	uint64_t requests; // 0: until standard input ends
	struct method *turn[16];
	unsigned turns, lanes;
	uint64_t gap_us, gap_most_us;
	const char *query, *keys;
	unsigned timeout_ms, seed;
};

// One request at a time.
struct lane {
	uint32_t exchange; // DP_INDEX_NONE: none is under way
	struct method *method;
	uint64_t number;
	uint64_t due_ns; // when the next one is sent
	uint64_t sent_ns;
};

static struct {
	struct conf *conf;
	struct dp_exchange_pool *exchanges;
	struct dp_loop *up;
	struct up_loop *loop;
	struct lane lane[LANES_MAX];
	uint64_t fingerprint;
	uint64_t sent, answered, wrong, slow, slowest_ns;
} load;

static void give_up(const char *why)
{
	fprintf(stderr, "upstream_load: %s\n", why);
	exit(1);
}

static bool device_name(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room)
{
	snprintf(buf, room, "device-%u", context);
	return true;
}

static struct rte_ring *ring(const char *name)
{
	struct rte_ring *r = rte_ring_create_elem(name, sizeof(dp_handle), LANES_MAX, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	if (!r)
		give_up("out of memory");
	return r;
}

static void loop_start(const struct options *o, char **urls, int count)
{
	struct up_loop_config config = {.loops = 1, .name = device_name, .etag_key = {1}};
	char text[8192], servers[4096] = "";
	struct error error;

	for (int i = 0; i < count; i++) {
		size_t len = strlen(servers);

		snprintf(servers + len, sizeof(servers) - len, "%s\"%s\"", i ? ", " : "", urls[i]);
	}
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [%s], timeout: %ums, queue: %ums%s%s}}\n"
		"routes: [{path: /*, to: up}]\n",
		servers, o->timeout_ms, o->timeout_ms, *o->keys ? ", " : "", o->keys);
	if (conf_parse("upstream_load", text, strlen(text), &load.conf, stderr))
		exit(1);
	load.exchanges = dp_exchange_pool_create(LANES_MAX, 1500);
	load.up = calloc(1, sizeof(*load.up) + sizeof(load.up->port[0]));
	if (!load.exchanges || !load.up || dp_doorbell_init(&load.up->bell))
		give_up("out of memory");
	load.up->count = 1;
	load.up->port[0] = (struct dp_loop_port){
		.pool = &load.exchanges->shared,
		.requests = ring("requests"),
		.responses = ring("responses"),
	};
	config.conf = load.conf;
	config.upstream = load.up;
	if (up_loop_create(&config, &load.loop, &error))
		give_up(error.text);
	if (up_loop_start(load.loop))
		give_up("the loop cannot be started");
}

static void loop_end(void)
{
	up_loop_free(load.loop);
	dp_exchange_pool_free(load.exchanges);
	rte_ring_free(load.up->port[0].requests);
	rte_ring_free(load.up->port[0].responses);
	dp_doorbell_close(&load.up->bell);
	free(load.up);
	conf_free(load.conf);
}

// ---- requests and answers

// Writes "n=NUMBER".
static size_t number_write(char text[32], uint64_t number)
{
	return (size_t)snprintf(text, 32, "n=%" PRIu64, number);
}

static size_t request_write(
	uint8_t *buf, size_t room, const struct options *o, const struct lane *lane)
{
	struct coap_writer w;
	char number[32];
	size_t len = number_write(number, lane->number);

	coap_writer_init(&w, buf, room);
	coap_write_option(&w, COAP_OPT_URI_PATH, "load", 4);
	coap_write_option(&w, COAP_OPT_URI_QUERY, number, len);
	for (const char *q = o->query; *q; q += strcspn(q, "&"), q += *q == '&')
		coap_write_option(&w, COAP_OPT_URI_QUERY, q, strcspn(q, "&"));
	if (lane->method->has_body)
		coap_write_payload(&w, number, len);
	return coap_writer_len(&w);
}

static void lane_send(struct lane *lane, const struct options *o)
{
	struct dp_loop_port *port = &load.up->port[0];
	uint32_t index = dp_exchange_take(load.exchanges);
	struct dp_shared *shared = dp_shared_at(port->pool, index);

	lane->exchange = index;
	lane->method = o->turn[load.sent % o->turns];
	lane->number = load.sent++;
	lane->sent_ns = clock_ns();
	lane->method->sent++;
	size_t len = request_write(dp_shared_request_buf(shared), 1400, o, lane);
	if (!len)
		give_up("the query is too long");
	shared->abandoned = 0;
	shared->response.len = 0;
	shared->request = (struct dp_request){
		.piv = lane->number,
		.fingerprint = load.fingerprint,
		.received_ms = lane->sent_ns / 1000000,
		.deadline_ms = lane->sent_ns / 1000000 + o->timeout_ms,
		.context = (uint32_t)(lane->number % 1000),
		.response_max = ROOM,
		.payload_max = ROOM,
		.remote_port = 5683,
		.body_len = (uint16_t)len,
		.code = lane->method->code,
		.family = 4,
		.remote_addr = {192, 0, 2, 2},
	};
	dp_handle handle = dp_handle_make(index, shared->generation);
	if (rte_ring_sp_enqueue_elem(port->requests, &handle, sizeof(handle)))
		give_up("a ring is full");
	dp_doorbell_ring(&load.up->bell);
}

// Whether an answer holds its request's number, and not that of another.
static bool is_own(const uint8_t *response, size_t len, uint64_t number)
{
	struct coap_body body;
	char text[ROOM + 1], want[32];
	size_t want_len = number_write(want, number);

	if (coap_body_parse(&body, response + 1, len - 1) || body.payload_len > ROOM)
		return false;
	memcpy(text, body.payload ? body.payload : (const uint8_t *)"", body.payload_len);
	text[body.payload_len] = 0;
	const char *at = strstr(text, want);
	return at && !isdigit((unsigned char)at[want_len]);
}

static void lane_answer(struct lane *lane, const uint8_t *response, size_t len)
{
	uint64_t took = clock_ns() - lane->sent_ns;
	uint8_t code = len ? *response : 0;

	lane->method->codes[code]++;
	if (COAP_CODE_CLASS(code) == 2) {
		lane->method->ok++;
		load.wrong += !is_own(response, len, lane->number);
	}
	lane->method->unknown += code == COAP_BAD_GATEWAY || code == COAP_GATEWAY_TIMEOUT;
	load.slow += took >= SLOW_MS * UINT64_C(1000000);
	load.slowest_ns = took > load.slowest_ns ? took : load.slowest_ns;
	load.answered++;
}

// Takes back what is answered. Returns whether anything was.
static bool pull(const struct options *o)
{
	struct dp_loop_port *port = &load.up->port[0];
	bool any = false;
	dp_handle handle;

	while (!rte_ring_sc_dequeue_elem(port->responses, &handle, sizeof(handle))) {
		struct dp_shared *shared = dp_shared_get(port->pool, handle);
		struct lane *lane = load.lane;

		if (!shared)
			give_up("an answer came twice");
		while (lane->exchange != dp_handle_index(handle))
			lane++; // it is there, since the exchange is
		lane_answer(lane, dp_shared_response(shared), shared->response.len);
		lane->exchange = DP_INDEX_NONE;
		lane->due_ns = clock_ns() +
			1000 * (o->gap_us + (uint64_t)random() % (o->gap_most_us - o->gap_us + 1));
		dp_exchange_give(load.exchanges, dp_handle_index(handle));
		any = true;
	}
	return any;
}

// Whether there are no more requests to be sent.
static bool is_over(const struct options *o)
{
	struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
	char unused[64];

	if (o->requests)
		return load.sent == o->requests;
	return poll(&in, 1, 0) == 1 && read(STDIN_FILENO, unused, sizeof(unused)) <= 0;
}

static void run(const struct options *o)
{
	uint64_t heard = clock_ns();
	bool over = false;

	while (!over || load.answered < load.sent) {
		if (pull(o))
			heard = clock_ns();
		else if (clock_ns() - heard > STUCK_MS * UINT64_C(1000000))
			give_up("an answer is missing");
		for (unsigned i = 0; !over && i < o->lanes; i++) {
			over = is_over(o);
			if (!over && load.lane[i].exchange == DP_INDEX_NONE &&
				load.lane[i].due_ns <= clock_ns())
				lane_send(&load.lane[i], o);
		}
		usleep(LOOK_US);
	}
}

// ---- what became of them

static void method_report(const struct method *m, const char *comma)
{
	const char *between = "";

	printf("%s\"%s\":{\"sent\":%" PRIu64 ",\"ok\":%" PRIu64 ",\"unknown\":%" PRIu64
	       ",\"codes\":{",
		comma, m->name, m->sent, m->ok, m->unknown);
	for (unsigned code = 0; code < 256; code++) {
		if (!m->codes[code])
			continue;
		printf("%s\"%u.%02u\":%" PRIu64, between, COAP_CODE_CLASS(code),
			COAP_CODE_DETAIL(code), m->codes[code]);
		between = ",";
	}
	printf("}}");
}

static void report(double seconds)
{
	const char *comma = "";

	printf("{\"sent\":%" PRIu64 ",\"methods\":{", load.sent);
	for (size_t i = 0; i < METHODS; i++) {
		if (!methods[i].sent)
			continue;
		method_report(&methods[i], comma);
		comma = ",";
	}
	printf("},\"wrong\":%" PRIu64 ",\"errors\":{", load.wrong);
	comma = "";
	for (unsigned i = UP_STAT_ERROR + 1; i < UP_STAT_COUNT; i++) {
		uint64_t count = up_loop_stat(load.loop, 0, i);

		if (!count)
			continue;
		printf("%s\"%s\":%" PRIu64, comma, up_stat_name(i) + strlen("error_"), count);
		comma = ",";
	}
	printf("},\"attempts\":%" PRIu64 ",\"retries\":%" PRIu64 ",\"connections\":%" PRIu64
	       ",\"slow\":%" PRIu64 ",\"slowest_ms\":%" PRIu64 ",\"seconds\":%.1f}\n",
		up_loop_stat(load.loop, 0, UP_STAT_attempts),
		up_loop_stat(load.loop, 0, UP_STAT_retries),
		up_loop_stat(load.loop, 0, UP_STAT_connections), load.slow,
		load.slowest_ns / 1000000, seconds);
}

// ---- the command line

static uint64_t number(const char *text, char **end, uint64_t least, uint64_t most)
{
	uint64_t value = strtoull(text, end, 10);

	if (!isdigit((unsigned char)*text) || value < least || value > most) {
		fprintf(stderr, "upstream_load: %s must be from %" PRIu64 " to %" PRIu64 "\n", text,
			least, most);
		exit(2);
	}
	return value;
}

static uint64_t whole_number(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t value = number(text, &end, least, most);

	if (*end)
		number("?", &end, least, most);
	return value;
}

static void methods_parse(struct options *o, char *list)
{
	o->turns = 0;
	for (char *name = strtok(list, ","); name; name = strtok(NULL, ",")) {
		size_t i = 0;

		while (i < METHODS && strcmp(methods[i].name, name))
			i++;
		if (i == METHODS || o->turns == sizeof(o->turn) / sizeof(o->turn[0])) {
			fprintf(stderr, "upstream_load: %s is no method, or one too many\n", name);
			exit(2);
		}
		o->turn[o->turns++] = &methods[i];
	}
}

static void option_take(struct options *o, int option, char *value)
{
	char *end;

	switch (option) {
	case 'n':
		o->requests = whole_number(value, 0, UINT32_MAX);
		break;
	case 'm':
		methods_parse(o, value);
		break;
	case 'l':
		o->lanes = (unsigned)whole_number(value, 1, LANES_MAX);
		break;
	case 'g':
		o->gap_us = number(value, &end, 0, 10000000);
		o->gap_most_us = whole_number(end + (*end == '-'), o->gap_us, 10000000);
		break;
	case 'q':
		o->query = value;
		break;
	case 'k':
		o->keys = value;
		break;
	case 't':
		o->timeout_ms = (unsigned)whole_number(value, 1, 60000);
		break;
	case 's':
		o->seed = (unsigned)whole_number(value, 0, UINT32_MAX);
		break;
	case 'h':
		fputs(help, stdout);
		exit(0);
	default:
		fputs(help, stderr);
		exit(2);
	}
}

static void options_parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"requests", required_argument, NULL, 'n'},
		{"methods", required_argument, NULL, 'm'},
		{"lanes", required_argument, NULL, 'l'},
		{"gap", required_argument, NULL, 'g'},
		{"query", required_argument, NULL, 'q'},
		{"keys", required_argument, NULL, 'k'},
		{"timeout", required_argument, NULL, 't'},
		{"seed", required_argument, NULL, 's'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "n:m:l:g:q:k:t:s:h", longs, NULL)) != -1)
		option_take(o, option, optarg);
	if (optind == argc)
		option_take(o, '?', NULL);
}

int main(int argc, char **argv)
{
	static char *eal[] = {"upstream_load", "--no-huge", "--no-shconf", "--no-pci",
		"--no-telemetry", "-m", "16", "--lcores", "0", "--log-level", "error", NULL};
	struct options o = {.requests = 1000,
		.lanes = 8,
		.query = "",
		.keys = "",
		.timeout_ms = 10000,
		.seed = 1};
	cpu_set_t cpus;

	for (size_t i = 0; i < METHODS; i++)
		o.turn[o.turns++] = &methods[i];
	options_parse(&o, argc, argv);
	srandom(o.seed);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) < 0)
		give_up("EAL cannot be started");
	sched_setaffinity(0, sizeof(cpus), &cpus); // EAL binds this thread to its lcore
	loop_start(&o, argv + optind, argc - optind);
	load.fingerprint = clock_ns(); // a name for the keys of this run
	for (unsigned i = 0; i < LANES_MAX; i++)
		load.lane[i].exchange = DP_INDEX_NONE;
	uint64_t start = clock_ns();
	run(&o);
	double seconds = (double)(clock_ns() - start) / 1e9;
	up_loop_stop(load.loop, 0);
	report(seconds);
	loop_end();
	return 0;
}
