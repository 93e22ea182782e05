// SPDX-License-Identifier: BSD-3-Clause
// The loop as it ships, between rings, with a batch on its route. All requests are written before a
// round begins: this thread only passes handles on, so that the loop finds each exchange as a
// worker leaves it that has seen a hundred thousand others meanwhile, out of its caches.

#include "bench/upstream_batch.h"

#include "base/clock.h"
#include "dataplane/coap/message.h"
#include "dataplane/state/exchange_pool.h"
#include "gw/upstream/loop.h"

#include <rte_ring_elem.h>

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define EXCHANGES  (1u << 17)
#define WINDOW     (EXCHANGES / 4) // under way at a time
#define BURST      512
#define DEVICES    1000
#define ROUNDS_MAX 101
#define ROOM       1024
#define FEED_US    20
#define STUCK_NS   (20 * UINT64_C(1000000000))

// 64 bytes.
static const char payload[] =
	"[{\"n\":\"urn:dev:ow:10e2073a01080063\",\"u\":\"Cel\",\"t\":-5,\"v\":23.50}]";

_Static_assert(sizeof(payload) == 65, "the payload has 64 bytes");

struct bench {
	struct conf *conf;
	struct dp_exchange_pool *exchanges;
	struct dp_loop *up;
	struct up_loop *loop;
	dp_handle *handle; // [EXCHANGES]
	char schedstat[64];
	double ns[ROUNDS_MAX],
		rate[ROUNDS_MAX]; // CPU time of the loop a reading; readings a second
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

static struct rte_ring *ring_make(const char *name)
{
	struct rte_ring *r = rte_ring_create_elem(name, sizeof(dp_handle), EXCHANGES, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	if (!r)
		give_up("out of memory");
	return r;
}

static void exchanges_fill(struct bench *b)
{
	static const uint8_t options[] = {0xb1, 't', 0x04, 'l', 'o', 'a', 'd', 0x11, 110, 0xff};
	const struct dp_shared_pool *pool = &b->exchanges->shared;

	for (unsigned i = 0; i < EXCHANGES; i++) {
		uint32_t index = dp_exchange_take(b->exchanges);
		struct dp_shared *shared = dp_shared_at(pool, index);
		uint8_t *body = dp_shared_request_buf(shared);

		memcpy(body, options, sizeof(options));
		memcpy(body + sizeof(options), payload, sizeof(payload) - 1);
		shared->abandoned = 0;
		shared->request = (struct dp_request){
			.piv = i,
			.fingerprint = (i % DEVICES) * UINT64_C(0x9e3779b97f4a7c15),
			.received_ms = clock_ms(),
			.deadline_ms = UINT64_MAX / 2,
			.context = i % DEVICES,
			.response_max = ROOM,
			.payload_max = ROOM,
			.body_len = sizeof(options) + sizeof(payload) - 1,
			.code = COAP_POST,
			.family = 4,
		};
		b->handle[i] = dp_handle_make(index, shared->generation);
	}
}

// That of the loop's thread, which has its name. Puts it on its CPU.
static void loop_thread_find(struct bench *b, unsigned cpu)
{
	DIR *dir = opendir("/proc/self/task");
	const struct dirent *entry;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET(cpu, &cpus);
	while (dir && (entry = readdir(dir))) {
		char path[64], name[32] = "";

		snprintf(path, sizeof(path), "/proc/self/task/%.16s/comm", entry->d_name);
		FILE *f = fopen(path, "r");
		if (f && !fgets(name, sizeof(name), f))
			*name = 0;
		if (f)
			fclose(f);
		if (strncmp(name, "postern-http", 12))
			continue;
		snprintf(b->schedstat, sizeof(b->schedstat), "/proc/self/task/%.16s/schedstat",
			entry->d_name);
		if (sched_setaffinity(atoi(entry->d_name), sizeof(cpus), &cpus))
			perror("upstream: the loop stays where it is");
	}
	if (dir)
		closedir(dir);
	if (!*b->schedstat)
		give_up("the loop's thread is not to be found");
}

static uint64_t cpu_ns(const struct bench *b)
{
	FILE *f = fopen(b->schedstat, "r");
	uint64_t ns = 0;

	if (!f || fscanf(f, "%" SCNu64, &ns) != 1)
		give_up("no schedstat for the loop's thread");
	fclose(f);
	return ns;
}

static void bench_start(struct bench *b, const struct upstream_batch *o)
{
	struct up_loop_config config = {.loops = 1, .name = device_name, .etag_key = {1}};
	char text[4096];
	struct error error;

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"%s\"], timeout: 1m, queue: 1m%s%s}}\n"
		"routes: [{path: /*, to: up, batch: {path: /ingest, format: %s}}]\n",
		o->url, *o->more ? ", " : "", o->more, o->format);
	if (conf_parse("upstream", text, strlen(text), &b->conf, stderr))
		exit(1);
	b->exchanges = dp_exchange_pool_create(EXCHANGES, 1500);
	b->up = calloc(1, sizeof(*b->up) + sizeof(b->up->port[0]));
	b->handle = calloc(EXCHANGES, sizeof(b->handle[0]));
	if (!b->exchanges || !b->up || !b->handle || dp_doorbell_init(&b->up->bell))
		give_up("out of memory");
	b->up->count = 1;
	b->up->port[0] = (struct dp_loop_port){
		.pool = &b->exchanges->shared,
		.requests = ring_make("requests"),
		.responses = ring_make("responses"),
	};
	exchanges_fill(b);
	config.conf = b->conf;
	config.upstream = b->up;
	if (up_loop_create(&config, &b->loop, &error) || up_loop_start(b->loop))
		give_up("the loop cannot be started");
	loop_thread_find(b, o->loop_cpu);
}

// The answers of the last ones that went through: 2.04, or 5.02 where a server that discards all
// says no results.
static void answers_check(const struct bench *b, unsigned long readings, const char *format)
{
	bool bulk = !strcmp(format, "es-bulk");
	unsigned long count = readings < EXCHANGES ? readings : EXCHANGES;

	for (unsigned long i = 0; i < count; i++) {
		struct dp_shared *shared = dp_shared_get(&b->exchanges->shared, b->handle[i]);

		if (!shared || !shared->response.len ||
			*dp_shared_response(shared) != (bulk ? COAP_BAD_GATEWAY : COAP_CHANGED))
			give_up("a reading was not answered as it should be");
		shared->response.len = 0;
	}
}

static void round_run(struct bench *b, const struct upstream_batch *o, unsigned round)
{
	struct dp_loop_port *port = &b->up->port[0];
	unsigned long readings = o->readings;
	uint64_t cpu = cpu_ns(b), start = clock_ns(), heard = start;
	unsigned long sent = 0, back = 0;
	dp_handle out[BURST];

	while (back < readings) {
		unsigned n = rte_ring_sc_dequeue_burst_elem(
			port->responses, out, sizeof(out[0]), BURST, NULL);
		bool pushed = false;

		back += n;
		if (n)
			heard = clock_ns();
		else if (clock_ns() - heard > STUCK_NS)
			give_up("the server does not answer");
		while (sent < readings && sent - back < WINDOW) {
			unsigned at = sent % EXCHANGES;
			unsigned long left = readings - sent, room = WINDOW - (sent - back);
			unsigned count = BURST;

			count = left < count ? (unsigned)left : count;
			count = room < count ? (unsigned)room : count;
			count = EXCHANGES - at < count ? EXCHANGES - at : count;
			rte_ring_sp_enqueue_bulk_elem(
				port->requests, &b->handle[at], sizeof(dp_handle), count, NULL);
			sent += count;
			pushed = true;
		}
		if (pushed)
			dp_doorbell_ring(&b->up->bell);
		if (!n)
			usleep(FEED_US); // the server's CPU
	}
	b->rate[round] = (double)readings * 1e9 / (double)(clock_ns() - start);
	b->ns[round] = (double)(cpu_ns(b) - cpu) / (double)readings;
	answers_check(b, readings, o->format);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void report(struct bench *b, const struct upstream_batch *o)
{
	uint64_t requests = up_loop_stat(b->loop, 0, UP_STAT_batches);
	uint64_t readings = up_loop_stat(b->loop, 0, UP_STAT_batched);
	unsigned long n = o->rounds;

	qsort(b->ns, n, sizeof(b->ns[0]), by_value);
	qsort(b->rate, n, sizeof(b->rate[0]), by_value);
	printf(o->json ? "{\"bench\":\"batch\",\"url\":\"%s\",\"format\":\"%s\",\"rounds\":%lu,"
			 "\"readings\":%lu,\"readings_per_second_median\":%.0f,"
			 "\"readings_per_second_max\":%.0f,\"loop_ns_median\":%.1f,"
			 "\"loop_ns_min\":%.1f,\"readings_per_request\":%.1f}\n"
		       : "%-28s %-12s %lu rounds of %lu: %.0f readings/s (best %.0f), CPU of the "
			 "loop "
			 "%.1f ns a reading (least %.1f), %.1f readings a request\n",
		o->url, o->format, n, o->readings, b->rate[n / 2], b->rate[n - 1], b->ns[n / 2],
		b->ns[0], requests ? (double)readings / (double)requests : 0);
}

void upstream_batch(const struct upstream_batch *o)
{
	struct bench b = {.loop = NULL};

	bench_start(&b, o);
	round_run(&b, o, 0); // connections stand, memory is there
	for (unsigned i = 0; i < o->rounds; i++)
		round_run(&b, o, i);
	report(&b, o);
	up_loop_stop(b.loop, 1000);
	up_loop_free(b.loop);
	dp_exchange_pool_free(b.exchanges);
	rte_ring_free(b.up->port[0].requests);
	rte_ring_free(b.up->port[0].responses);
	dp_doorbell_close(&b.up->bell);
	free(b.up);
	free(b.handle);
	conf_free(b.conf);
}
