// SPDX-License-Identifier: BSD-3-Clause
// A loop that keeps a body for each device. The devices take turns, so that a block is of another
// body than the one before it, and payload as well as exchange are out of the loop's caches.

#include "bench/upstream_blocks.h"

#include "bench/upstream_feed.h"
#include "dataplane/coap/block.h"
#include "dataplane/coap/message.h"

#include <stdio.h>
#include <string.h>

#define WINDOW     (FEED_EXCHANGES / 4) // under way at a time
#define BLOCK      1024
#define SZX        6
#define BLOCKS     (FEED_EXCHANGES / FEED_DEVICES) // of a body that requests ask for
#define BODY_BYTES (136 * 1024)

_Static_assert(BODY_BYTES > (BLOCKS + 2) * BLOCK, "no round asks for a last block");

// Uploads begin with the first block; NUM 0 of a download would ask the server again.
static uint32_t num_of(unsigned long i, bool up)
{
	return (uint32_t)(i % FEED_EXCHANGES / FEED_DEVICES) + !up;
}

// GET /t/load?size=N, of the block that is this request's turn; `first`: of the first block.
static void gets_write(struct upstream_feed *feed, bool first)
{
	char query[32];
	int query_len = snprintf(query, sizeof(query), "size=%u", BODY_BYTES);

	for (unsigned i = 0; i < FEED_EXCHANGES; i++) {
		struct dp_shared *shared = upstream_feed_shared(feed, i);
		struct coap_block block = {.num = first ? 0 : num_of(i, false), .szx = SZX};
		struct coap_writer w;

		coap_writer_init(&w, dp_shared_request_buf(shared), shared->data_room);
		coap_write_option(&w, COAP_OPT_URI_PATH, "t", 1);
		coap_write_option(&w, COAP_OPT_URI_PATH, "load", 4);
		coap_write_option(&w, COAP_OPT_URI_QUERY, query, (size_t)query_len);
		coap_write_option_uint(&w, COAP_OPT_BLOCK2, coap_block_value(&block));
		shared->request.code = COAP_GET;
		shared->request.body_len = (uint16_t)coap_writer_len(&w);
	}
}

// PUT /t/load, with blocks of which more always follow: the first block opens the body again.
static void puts_write(struct upstream_feed *feed)
{
	uint8_t payload[BLOCK];

	memset(payload, 'x', sizeof(payload));
	for (unsigned i = 0; i < FEED_EXCHANGES; i++) {
		struct dp_shared *shared = upstream_feed_shared(feed, i);
		struct coap_block block = {.num = num_of(i, true), .szx = SZX, .more = true};
		struct coap_writer w;

		coap_writer_init(&w, dp_shared_request_buf(shared), shared->data_room);
		coap_write_option(&w, COAP_OPT_URI_PATH, "t", 1);
		coap_write_option(&w, COAP_OPT_URI_PATH, "load", 4);
		coap_write_option_uint(&w, COAP_OPT_CONTENT_FORMAT, 42);
		coap_write_option_uint(&w, COAP_OPT_BLOCK1, coap_block_value(&block));
		coap_write_payload(&w, payload, sizeof(payload));
		shared->request.code = COAP_PUT;
		shared->request.body_len = (uint16_t)coap_writer_len(&w);
	}
}

// The answers of a round's last requests: each is the block that was asked for, or 2.31.
static void answers_check(const struct upstream_feed *feed, unsigned long requests, bool up)
{
	unsigned long count = requests < FEED_EXCHANGES ? requests : FEED_EXCHANGES;

	for (unsigned long i = 0; i < count; i++) {
		struct dp_shared *shared = upstream_feed_shared(feed, i);
		const uint8_t *answer = dp_shared_response(shared);
		struct coap_option option;
		struct coap_block block;
		struct coap_body body;

		if (!shared->response.len || answer[0] != (up ? COAP_CONTINUE : COAP_CONTENT) ||
			coap_body_parse(&body, answer + 1, shared->response.len - 1u) != COAP_OK ||
			!coap_option_find(&body, up ? COAP_OPT_BLOCK1 : COAP_OPT_BLOCK2, &option) ||
			!coap_block_read(&block, &option) || block.num != num_of(i, up) ||
			block.szx != SZX || body.payload_len != (up ? 0 : BLOCK))
			upstream_feed_die("a block was not answered as it should be");
		shared->response.len = 0;
	}
}

static void report(struct upstream_feed *feed, const struct upstream_blocks *o, const char *way)
{
	unsigned long n = o->rounds;

	upstream_feed_sort(feed, n);
	printf(o->json ? "{\"bench\":\"blocks\",\"way\":\"%s\",\"block\":%u,\"devices\":%u,"
			 "\"rounds\":%lu,\"blocks\":%lu,\"blocks_per_second_median\":%.0f,"
			 "\"blocks_per_second_max\":%.0f,\"loop_ns_median\":%.1f,"
			 "\"loop_ns_min\":%.1f}\n"
		       : "%-4s blocks of %u bytes, %u devices, %lu rounds of %lu: %.0f blocks/s "
			 "(best %.0f), CPU of the loop %.1f ns a block (least %.1f)\n",
		way, BLOCK, FEED_DEVICES, n, o->requests, feed->rate[n / 2], feed->rate[n - 1],
		feed->ns[n / 2], feed->ns[0]);
}

static void way_run(struct upstream_feed *feed, const struct upstream_blocks *o, bool up)
{
	for (unsigned i = 0; i <= o->rounds; i++) {
		upstream_feed_round(feed, o->requests, WINDOW, i ? i - 1 : 0); // the first warms up
		answers_check(feed, o->requests, up);
	}
	report(feed, o, up ? "up" : "down");
}

void upstream_blocks(const struct upstream_blocks *o)
{
	struct upstream_feed feed;
	char text[4096];

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {servers: [\"%s\"], timeout: 1m, queue: 1m%s%s}}\n"
		"routes: [{path: /*, to: up}]\n"
		"bodies: {memory: 1GB, keep: 10m, idle: 10m}\n",
		o->url, *o->more ? ", " : "", o->more);
	upstream_feed_start(&feed, text, o->loop_cpu);
	gets_write(&feed, true);
	upstream_feed_round(&feed, FEED_DEVICES, FEED_DEVICES, 0); // bodies that are kept
	gets_write(&feed, false);
	way_run(&feed, o, false);
	puts_write(&feed);
	way_run(&feed, o, true);
	upstream_feed_end(&feed);
}
