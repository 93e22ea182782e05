// SPDX-License-Identifier: BSD-3-Clause

#include "bench/upstream_feed.h"

#include "base/clock.h"
#include "dataplane/coap/message.h"
#include "dataplane/state/exchange_pool.h"

#include <rte_ring_elem.h>

#include <dirent.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BURST    512
#define FEED_US  20
#define STUCK_NS (20 * UINT64_C(1000000000))

void upstream_feed_die(const char *why)
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
	struct rte_ring *r = rte_ring_create_elem(name, sizeof(dp_handle), FEED_EXCHANGES, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	if (!r)
		upstream_feed_die("out of memory");
	return r;
}

static void exchanges_fill(struct upstream_feed *feed)
{
	const struct dp_shared_pool *pool = &feed->exchanges->shared;

	for (unsigned i = 0; i < FEED_EXCHANGES; i++) {
		uint32_t index = dp_exchange_take(feed->exchanges);
		struct dp_shared *shared = dp_shared_at(pool, index);

		shared->abandoned = 0;
		shared->request = (struct dp_request){
			.piv = i,
			.fingerprint = (i % FEED_DEVICES) * UINT64_C(0x9e3779b97f4a7c15),
			.received_ms = clock_ms(),
			.deadline_ms = UINT64_MAX / 2,
			.context = i % FEED_DEVICES,
			.response_max = FEED_ROOM,
			.payload_max = 1024,
			.code = COAP_GET,
			.family = 4,
		};
		feed->handle[i] = dp_handle_make(index, shared->generation);
	}
}

// That of the loop's thread, which has its name. Puts it on its CPU.
static void loop_thread_find(struct upstream_feed *feed, unsigned cpu)
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
		snprintf(feed->schedstat, sizeof(feed->schedstat),
			"/proc/self/task/%.16s/schedstat", entry->d_name);
		if (sched_setaffinity(atoi(entry->d_name), sizeof(cpus), &cpus))
			perror("upstream: the loop stays where it is");
	}
	if (dir)
		closedir(dir);
	if (!*feed->schedstat)
		upstream_feed_die("the loop's thread is not to be found");
}

static uint64_t cpu_ns(const struct upstream_feed *feed)
{
	FILE *f = fopen(feed->schedstat, "r");
	uint64_t ns = 0;

	if (!f || fscanf(f, "%" SCNu64, &ns) != 1)
		upstream_feed_die("no schedstat for the loop's thread");
	fclose(f);
	return ns;
}

void upstream_feed_start(struct upstream_feed *feed, const char *text, unsigned loop_cpu)
{
	struct up_loop_config config = {.loops = 1, .name = device_name, .etag_key = {1}};
	struct error error;

	*feed = (struct upstream_feed){.loop = NULL};
	if (conf_parse("upstream", text, strlen(text), &feed->conf, stderr))
		exit(1);
	feed->exchanges = dp_exchange_pool_create(FEED_EXCHANGES, 1500);
	feed->up = calloc(1, sizeof(*feed->up) + sizeof(feed->up->port[0]));
	feed->handle = calloc(FEED_EXCHANGES, sizeof(feed->handle[0]));
	if (!feed->exchanges || !feed->up || !feed->handle || dp_doorbell_init(&feed->up->bell))
		upstream_feed_die("out of memory");
	feed->up->count = 1;
	feed->up->port[0] = (struct dp_loop_port){
		.pool = &feed->exchanges->shared,
		.requests = ring_make("requests"),
		.responses = ring_make("responses"),
	};
	exchanges_fill(feed);
	config.conf = feed->conf;
	config.upstream = feed->up;
	if (up_loop_create(&config, &feed->loop, &error) || up_loop_start(feed->loop))
		upstream_feed_die("the loop cannot be started");
	loop_thread_find(feed, loop_cpu);
}

void upstream_feed_end(struct upstream_feed *feed)
{
	up_loop_stop(feed->loop, 1000);
	up_loop_free(feed->loop);
	dp_exchange_pool_free(feed->exchanges);
	rte_ring_free(feed->up->port[0].requests);
	rte_ring_free(feed->up->port[0].responses);
	dp_doorbell_close(&feed->up->bell);
	free(feed->up);
	free(feed->handle);
	conf_free(feed->conf);
}

struct dp_shared *upstream_feed_shared(const struct upstream_feed *feed, unsigned long i)
{
	struct dp_shared *shared =
		dp_shared_get(&feed->exchanges->shared, feed->handle[i % FEED_EXCHANGES]);

	if (!shared)
		upstream_feed_die("an exchange is not the loop's");
	return shared;
}

void upstream_feed_round(
	struct upstream_feed *feed, unsigned long requests, unsigned window, unsigned round)
{
	struct dp_loop_port *port = &feed->up->port[0];
	uint64_t cpu = cpu_ns(feed), start = clock_ns(), heard = start;
	unsigned long sent = 0, back = 0;
	dp_handle out[BURST];

	while (back < requests) {
		unsigned n = rte_ring_sc_dequeue_burst_elem(
			port->responses, out, sizeof(out[0]), BURST, NULL);
		bool pushed = false;

		back += n;
		if (n)
			heard = clock_ns();
		else if (clock_ns() - heard > STUCK_NS)
			upstream_feed_die("the server does not answer");
		while (sent < requests && sent - back < window) {
			unsigned at = sent % FEED_EXCHANGES;
			unsigned long left = requests - sent, room = window - (sent - back);
			unsigned count = BURST;

			count = left < count ? (unsigned)left : count;
			count = room < count ? (unsigned)room : count;
			count = FEED_EXCHANGES - at < count ? FEED_EXCHANGES - at : count;
			rte_ring_sp_enqueue_bulk_elem(
				port->requests, &feed->handle[at], sizeof(dp_handle), count, NULL);
			sent += count;
			pushed = true;
		}
		if (pushed)
			dp_doorbell_ring(&feed->up->bell);
		if (!n)
			usleep(FEED_US); // the server's CPU
	}
	feed->rate[round] = (double)requests * 1e9 / (double)(clock_ns() - start);
	feed->ns[round] = (double)(cpu_ns(feed) - cpu) / (double)requests;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

void upstream_feed_sort(struct upstream_feed *feed, unsigned long rounds)
{
	qsort(feed->ns, rounds, sizeof(feed->ns[0]), by_value);
	qsort(feed->rate, rounds, sizeof(feed->rate[0]), by_value);
}
