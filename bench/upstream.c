// SPDX-License-Identifier: BSD-3-Clause
// What a request costs an upstream loop: the loop as it ships, between rings that this program
// fills and empties as a worker does, and a real HTTP server. CPU time is that of the loop's thread
// alone, from its schedstat.

#include "base/clock.h"
#include "bench/upstream_backend.h"
#include "bench/upstream_batch.h"
#include "bench/upstream_blocks.h"
#include "dataplane/coap/message.h"
#include "dataplane/state/exchange_pool.h"
#include "gw/upstream/loop.h"

#include <rte_eal.h>

#include <dirent.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WINDOW_MAX     8192
#define ROUNDS_MAX     101
#define ROOM           1024 // bytes of the largest answer
#define FEED_US        50 // between looks at the rings: as a worker, this takes no CPU from the loop
#define PAYLOAD_ROOM   1024
#define STUCK_MS       20000
#define REQUESTS       50000 // of a round
#define BATCH_READINGS 4000000
#define BLOCKS_A_ROUND 4000000

static const char help[] =
	"usage: upstream [OPTION]... [URL...]\n"
	"CPU time of an upstream loop per request to each server (as in the configuration file);\n"
	"without a URL, to a postern-backend that it starts.\n"
	"  -b, --backend-cpu CPU  of that (any)\n"
	"  -r, --requests N  of a round (50000)\n"
	"  -w, --window N    under way at a time (128)\n"
	"  -R, --rounds N    of all servers in turn (5)\n"
	"  -g, --get         GET instead of POST\n"
	"  -s, --size BYTES  payload of a POST (32)\n"
	"  -m, --more TEXT   more keys of the upstream, such as \"max_connections: 8\"\n"
	"      --batch FORMAT  readings of 64 bytes in batches of 64 KB, 4000000 a round\n"
	"      --blocks      blocks of 1 KB from and for bodies of 128 KB, 4000000 a round; to a\n"
	"                    postern-backend only\n"
	"      --loop-cpu CPU  of the loop, with --batch and --blocks (1)\n"
	"  -j, --json        one object a line\n";

struct options {
	unsigned long requests, window, rounds, size;
	bool get, json, blocks;
	int backend_cpu; // -1: any
	const char *more;
	const char *batch; // format; NULL: each reading by itself
	unsigned long loop_cpu;
};

struct round {
	double cpu_us; // a request
	double rate;   // requests a second
};

// A server under measurement.
struct subject {
	const char *url;
	struct conf *conf;
	struct dp_exchange_pool *exchanges;
	struct dp_loop *up;
	struct up_loop *loop;
	char schedstat[64]; // file of the loop's thread
	struct round round[ROUNDS_MAX];
	uint64_t connections, failed;
};

static void give_up(const char *why)
{
	fprintf(stderr, "upstream: %s\n", why);
	exit(1);
}

static bool device_name(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room)
{
	snprintf(buf, room, "device-%u", context);
	return true;
}

static struct rte_ring *ring(void)
{
	static unsigned count;
	char name[32];

	snprintf(name, sizeof(name), "ring%u", count++);
	struct rte_ring *r = rte_ring_create_elem(name, sizeof(dp_handle), WINDOW_MAX, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	if (!r)
		give_up("out of memory");
	return r;
}

// The loop's thread is the one that has appeared and carries its name.
static void schedstat_find(struct subject *s, const struct subject *before, size_t count)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char path[64], name[32] = "";
		bool known = false;

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		FILE *f = fopen(path, "r");
		if (f && !fgets(name, sizeof(name), f))
			*name = 0;
		if (f)
			fclose(f);
		if (strncmp(name, "postern-http", 12))
			continue;
		snprintf(path, sizeof(path), "/proc/self/task/%.16s/schedstat", entry->d_name);
		for (size_t i = 0; i < count; i++)
			known |= !strcmp(before[i].schedstat, path);
		if (!known)
			memcpy(s->schedstat, path, sizeof(path));
	}
	if (dir)
		closedir(dir);
	if (!*s->schedstat)
		give_up("the loop's thread is not to be found");
}

static uint64_t cpu_ns(const struct subject *s)
{
	FILE *f = fopen(s->schedstat, "r");
	uint64_t ns = 0;

	if (!f || fscanf(f, "%" SCNu64, &ns) != 1)
		give_up("no schedstat for the loop's thread");
	fclose(f);
	return ns;
}

static void subject_start(struct subject *s, const struct options *o)
{
	struct up_loop_config config = {.loops = 1, .name = device_name, .etag_key = {1}};
	char text[4096];
	struct error error;

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"%s\"], max_inflight: %d, timeout: 10s, queue: "
		"10s%s%s}}\n"
		"routes: [{path: /*, to: up}]\n",
		s->url, WINDOW_MAX, *o->more ? ", " : "", o->more);
	if (conf_parse("upstream", text, strlen(text), &s->conf, stderr))
		exit(1);
	s->exchanges = dp_exchange_pool_create(WINDOW_MAX, 1500);
	s->up = calloc(1, sizeof(*s->up) + sizeof(s->up->port[0]));
	if (!s->exchanges || !s->up || dp_doorbell_init(&s->up->bell))
		give_up("out of memory");
	s->up->count = 1;
	s->up->port[0] = (struct dp_loop_port){
		.pool = &s->exchanges->shared,
		.requests = ring(),
		.responses = ring(),
	};
	config.conf = s->conf;
	config.upstream = s->up;
	if (up_loop_create(&config, &s->loop, &error) || up_loop_start(s->loop))
		give_up("the loop cannot be started");
}

static void push(struct subject *s, const struct options *o, uint64_t number)
{
	static const uint8_t path[] = {0xb1, 't', 0x04, 'l', 'o', 'a', 'd'};
	struct dp_loop_port *port = &s->up->port[0];
	uint32_t index = dp_exchange_take(s->exchanges);
	struct dp_shared *shared = dp_shared_at(port->pool, index);
	uint8_t *body = dp_shared_request_buf(shared);
	size_t len = sizeof(path);

	memcpy(body, path, sizeof(path));
	if (!o->get && o->size) {
		body[len++] = 0xff;
		memset(body + len, 'x', o->size);
		len += o->size;
	}
	shared->abandoned = 0;
	shared->response.len = 0;
	shared->request = (struct dp_request){
		.piv = number,
		.fingerprint = number * 0x9e3779b97f4a7c15,
		.received_ms = clock_ns() / 1000000,
		.deadline_ms = clock_ns() / 1000000 + 10000,
		.context = (uint32_t)(number % 1000),
		.response_max = ROOM,
		.payload_max = ROOM,
		.remote_port = 5683,
		.body_len = (uint16_t)len,
		.code = o->get ? COAP_GET : COAP_POST,
		.family = 4,
		.remote_addr = {192, 0, 2, 2},
	};
	dp_handle handle = dp_handle_make(index, shared->generation);
	if (rte_ring_sp_enqueue_elem(port->requests, &handle, sizeof(handle)))
		give_up("a ring is full");
}

// Takes back what is answered. Returns how many.
static unsigned pull(struct subject *s)
{
	struct dp_loop_port *port = &s->up->port[0];
	unsigned count = 0;
	dp_handle handle;

	while (!rte_ring_sc_dequeue_elem(port->responses, &handle, sizeof(handle))) {
		struct dp_shared *shared = dp_shared_get(port->pool, handle);
		uint8_t code = *dp_shared_response(shared);

		s->failed += code >> 5 != 2;
		dp_exchange_give(s->exchanges, dp_handle_index(handle));
		count++;
	}
	return count;
}

static struct round run(struct subject *s, const struct options *o)
{
	uint64_t cpu = cpu_ns(s), start = clock_ns(), heard = start;
	unsigned long sent = 0, answered = 0;

	while (answered < o->requests) {
		unsigned long before = sent;
		unsigned n = pull(s);

		answered += n;
		if (n)
			heard = clock_ns();
		else if (clock_ns() - heard > STUCK_MS * UINT64_C(1000000))
			give_up("the server does not answer");
		while (sent < o->requests && sent - answered < o->window)
			push(s, o, sent++);
		if (sent != before)
			dp_doorbell_ring(&s->up->bell);
		usleep(FEED_US);
	}
	uint64_t ns = clock_ns() - start;
	return (struct round){
		.cpu_us = (double)(cpu_ns(s) - cpu) / 1e3 / (double)o->requests,
		.rate = (double)o->requests * 1e9 / (double)ns,
	};
}

static int by_cpu(const void *a, const void *b)
{
	double x = ((const struct round *)a)->cpu_us, y = ((const struct round *)b)->cpu_us;

	return x < y ? -1 : x > y;
}

static void report(struct subject *s, const struct options *o)
{
	unsigned long n = o->rounds;

	qsort(s->round, n, sizeof(s->round[0]), by_cpu);
	printf(o->json ? "{\"bench\":\"upstream\",\"url\":\"%s\",\"method\":\"%s\",\"window\":%lu,"
			 "\"requests\":%lu,\"rounds\":%lu,\"cpu_us_median\":%.2f,"
			 "\"cpu_us_min\":%.2f,\"cpu_us_max\":%.2f,\"rate_median\":%.0f,"
			 "\"connections\":%" PRIu64 ",\"failed\":%" PRIu64 "}\n"
		       : "%-36s %s window %lu, %lu requests x %lu: CPU a request %.2f us "
			 "(%.2f to %.2f), %.0f/s, %" PRIu64 " connections, %" PRIu64 " failed\n",
		s->url, o->get ? "GET" : "POST", o->window, o->requests, n, s->round[n / 2].cpu_us,
		s->round[0].cpu_us, s->round[n - 1].cpu_us, s->round[n / 2].rate, s->connections,
		s->failed);
}

static void subject_end(struct subject *s)
{
	s->connections = up_loop_stat(s->loop, 0, UP_STAT_connections);
	up_loop_stop(s->loop, 0);
	up_loop_free(s->loop);
	dp_exchange_pool_free(s->exchanges);
	rte_ring_free(s->up->port[0].requests);
	rte_ring_free(s->up->port[0].responses);
	dp_doorbell_close(&s->up->bell);
	free(s->up);
	conf_free(s->conf);
}

static unsigned long number(const char *text, unsigned long least, unsigned long most)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (!*text || *end || value < least || value > most) {
		fprintf(stderr, "upstream: %s must be a number from %lu to %lu\n", text, least,
			most);
		exit(2);
	}
	return value;
}

// Ends the program if the command line makes no sense, or asks for help.
static void options_parse(struct options *o, int argc, char **argv)
{
	static const struct option longs[] = {
		{"requests", required_argument, NULL, 'r'},
		{"window", required_argument, NULL, 'w'},
		{"rounds", required_argument, NULL, 'R'},
		{"get", no_argument, NULL, 'g'},
		{"size", required_argument, NULL, 's'},
		{"more", required_argument, NULL, 'm'},
		{"batch", required_argument, NULL, 'B'},
		{"blocks", no_argument, NULL, 'k'},
		{"loop-cpu", required_argument, NULL, 'C'},
		{"json", no_argument, NULL, 'j'},
		{"backend-cpu", required_argument, NULL, 'b'},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "r:w:R:gs:m:jb:h", longs, NULL)) != -1) {
		switch (option) {
		case 'r':
			o->requests = number(optarg, 1, 1000000000);
			break;
		case 'w':
			o->window = number(optarg, 1, WINDOW_MAX);
			break;
		case 'R':
			o->rounds = number(optarg, 1, ROUNDS_MAX);
			break;
		case 'g':
			o->get = true;
			break;
		case 's':
			o->size = number(optarg, 0, PAYLOAD_ROOM);
			break;
		case 'm':
			o->more = optarg;
			break;
		case 'B':
			o->batch = optarg;
			break;
		case 'k':
			o->blocks = true;
			break;
		case 'C':
			o->loop_cpu = number(optarg, 0, 1023);
			break;
		case 'j':
			o->json = true;
			break;
		case 'b':
			o->backend_cpu = (int)number(optarg, 0, CPU_SETSIZE - 1);
			break;
		case 'h':
			fputs(help, stdout);
			exit(0);
		default:
			fputs(help, stderr);
			exit(2);
		}
	}
}

// EAL binds the thread that calls it to its lcore; who runs this program decides where it runs.
static void eal_start(void)
{
	static char *eal[] = {"upstream", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"-m", "64", "--lcores", "0", "--log-level", "error", NULL};
	cpu_set_t cpus;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	if (rte_eal_init((int)(sizeof(eal) / sizeof(eal[0])) - 1, eal) < 0)
		give_up("EAL cannot be started");
	sched_setaffinity(0, sizeof(cpus), &cpus);
}

int main(int argc, char **argv)
{
	struct options o = {
		.window = 128,
		.rounds = 5,
		.size = 32,
		.backend_cpu = -1,
		.more = "",
		.loop_cpu = 1,
	};
	char backend[64] = "";

	options_parse(&o, argc, argv);
	size_t count = (size_t)(argc - optind);
	if (!count) {
		upstream_backend_start(o.backend_cpu, !o.blocks, backend, sizeof(backend));
		count = 1;
	}
	eal_start();
	if (o.batch) {
		for (size_t i = 0; i < count; i++)
			upstream_batch(&(struct upstream_batch){
				.url = *backend ? backend : argv[optind + (int)i],
				.format = o.batch,
				.more = o.more,
				.readings = o.requests ? o.requests : BATCH_READINGS,
				.rounds = o.rounds,
				.loop_cpu = (unsigned)o.loop_cpu,
				.json = o.json,
			});
		return 0;
	}
	if (o.blocks) {
		upstream_blocks(&(struct upstream_blocks){
			.url = *backend ? backend : argv[optind],
			.more = o.more,
			.requests = o.requests ? o.requests : BLOCKS_A_ROUND,
			.rounds = o.rounds,
			.loop_cpu = (unsigned)o.loop_cpu,
			.json = o.json,
		});
		return 0;
	}
	o.requests = o.requests ? o.requests : REQUESTS;
	struct subject *subjects = calloc(count, sizeof(*subjects));
	if (!subjects)
		give_up("out of memory");
	for (size_t i = 0; i < count; i++) {
		subjects[i].url = *backend ? backend : argv[optind + (int)i];
		subject_start(&subjects[i], &o);
		schedstat_find(&subjects[i], subjects, i);
		run(&subjects[i], &o); // connections stand, memory is there
	}
	for (unsigned long r = 0; r < o.rounds; r++)
		for (size_t i = 0; i < count; i++)
			subjects[i].round[r] = run(&subjects[i], &o);
	for (size_t i = 0; i < count; i++) {
		subject_end(&subjects[i]);
		report(&subjects[i], &o);
	}
	free(subjects);
	return 0;
}
