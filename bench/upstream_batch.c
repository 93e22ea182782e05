// SPDX-License-Identifier: BSD-3-Clause
// A loop with a batch on its route.

#include "bench/upstream_batch.h"

#include "bench/upstream_feed.h"
#include "dataplane/coap/message.h"

#include <stdio.h>
#include <string.h>

#define WINDOW (FEED_EXCHANGES / 4) // under way at a time

// 64 bytes.
static const char payload[] =
	"[{\"n\":\"urn:dev:ow:10e2073a01080063\",\"u\":\"Cel\",\"t\":-5,\"v\":23.50}]";

_Static_assert(sizeof(payload) == 65, "the payload has 64 bytes");

static void requests_write(struct upstream_feed *feed)
{
	static const uint8_t options[] = {0xb1, 't', 0x04, 'l', 'o', 'a', 'd', 0x11, 110, 0xff};

	for (unsigned i = 0; i < FEED_EXCHANGES; i++) {
		struct dp_shared *shared = upstream_feed_shared(feed, i);
		uint8_t *body = dp_shared_request_buf(shared);

		memcpy(body, options, sizeof(options));
		memcpy(body + sizeof(options), payload, sizeof(payload) - 1);
		shared->request.code = COAP_POST;
		shared->request.response_max = 1024;
		shared->request.body_len = sizeof(options) + sizeof(payload) - 1;
	}
}

static void bench_start(struct upstream_feed *feed, const struct upstream_batch *o)
{
	char text[4096];

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"%s\"], timeout: 1m, queue: 1m%s%s}}\n"
		"routes: [{path: /*, to: up, batch: {path: /ingest, format: %s}}]\n",
		o->url, *o->more ? ", " : "", o->more, o->format);
	upstream_feed_start(feed, text, o->loop_cpu);
	requests_write(feed);
}

// The answers of the last ones that went through: 2.04, or 5.02 where a server that discards all
// says no results.
static void answers_check(
	const struct upstream_feed *feed, unsigned long readings, const char *format)
{
	bool bulk = !strcmp(format, "es-bulk");
	unsigned long count = readings < FEED_EXCHANGES ? readings : FEED_EXCHANGES;

	for (unsigned long i = 0; i < count; i++) {
		struct dp_shared *shared = upstream_feed_shared(feed, i);

		if (!shared->response.len ||
			*dp_shared_response(shared) != (bulk ? COAP_BAD_GATEWAY : COAP_CHANGED))
			upstream_feed_die("a reading was not answered as it should be");
		shared->response.len = 0;
	}
}

static void round_run(struct upstream_feed *feed, const struct upstream_batch *o, unsigned round)
{
	upstream_feed_round(feed, o->readings, WINDOW, round);
	answers_check(feed, o->readings, o->format);
}

static void report(struct upstream_feed *feed, const struct upstream_batch *o)
{
	uint64_t requests = up_loop_stat(feed->loop, 0, UP_STAT_batches);
	uint64_t readings = up_loop_stat(feed->loop, 0, UP_STAT_batched);
	unsigned long n = o->rounds;

	upstream_feed_sort(feed, n);
	printf(o->json ? "{\"bench\":\"batch\",\"url\":\"%s\",\"format\":\"%s\",\"rounds\":%lu,"
			 "\"readings\":%lu,\"readings_per_second_median\":%.0f,"
			 "\"readings_per_second_max\":%.0f,\"loop_ns_median\":%.1f,"
			 "\"loop_ns_min\":%.1f,\"readings_per_request\":%.1f}\n"
		       : "%-28s %-12s %lu rounds of %lu: %.0f readings/s (best %.0f), CPU of the "
			 "loop "
			 "%.1f ns a reading (least %.1f), %.1f readings a request\n",
		o->url, o->format, n, o->readings, feed->rate[n / 2], feed->rate[n - 1],
		feed->ns[n / 2], feed->ns[0], requests ? (double)readings / (double)requests : 0);
}

void upstream_batch(const struct upstream_batch *o)
{
	struct upstream_feed feed;

	bench_start(&feed, o);
	round_run(&feed, o, 0); // connections stand, memory is there
	for (unsigned i = 0; i < o->rounds; i++)
		round_run(&feed, o, i);
	report(&feed, o);
	upstream_feed_end(&feed);
}
