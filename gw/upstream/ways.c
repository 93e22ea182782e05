// SPDX-License-Identifier: BSD-3-Clause
// A table of the ways that were taken last, so that the options of a device that sends the same
// ones again are compared and not parsed, and its name is not looked up.

#include "gw/map/media.h"
#include "gw/upstream/batch.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY        512 // bytes
#define ENTRIES      4096
#define OPTIONS_ROOM 64
#define MARKER       0xff // between options and payload (RFC 7252 section 3)

struct entry {
	uint64_t fingerprint;
	uint32_t context, generation;
	uint32_t collector; // id; 0: free
	int32_t sent;       // Content-Format as the device sent it
	uint8_t code;
	uint8_t options_len;
	uint8_t options[OPTIONS_ROOM];
	struct batch_way way;
};

#define WAY_ROOM (ENTRY - offsetof(struct entry, way))

struct up_ways {
	uint8_t *entries; // ENTRIES of ENTRY bytes
	char subject[HTTP_TARGET_MAX];
	union {
		struct batch_way way;
		uint8_t bytes[sizeof(struct batch_way) + BATCH_WAY_ROOM];
	} made; // the one that was made last; at the end, since a way has no fixed size
};

struct up_ways *up_ways_make(void)
{
	struct up_ways *ways = calloc(1, sizeof(*ways));

	if (ways)
		ways->entries = aligned_alloc(64, (size_t)ENTRIES * ENTRY);
	if (!ways || !ways->entries) {
		free(ways);
		return NULL;
	}
	memset(ways->entries, 0, (size_t)ENTRIES * ENTRY);
	return ways;
}

void up_ways_free(struct up_ways *ways)
{
	if (!ways)
		return;
	free(ways->entries);
	free(ways);
}

static struct entry *entry_of(const struct up_ways *ways, const struct dp_request *r)
{
	uint32_t hash = r->context * UINT32_C(0x9e3779b1);

	return (struct entry *)(ways->entries + (size_t)(hash >> 20) * ENTRY);
}

_Static_assert(ENTRIES == 1 << 12, "entry_of() takes 12 bits");

void up_ways_prefetch(const struct up_ways *ways, const struct dp_shared *shared)
{
	const uint8_t *at = (const uint8_t *)entry_of(ways, &shared->request);

	for (unsigned i = 0; i < 5; i++)
		__builtin_prefetch(at + i * 64);
}

// The same options, and behind them the end or a payload.
static bool entry_is(
	const struct entry *e, const struct up_collector *c, const struct up_way_request *request)
{
	const struct dp_request *r = request->device;
	const uint8_t *body = request->body;
	unsigned len = request->body_len;

	return e->collector == c->id && e->context == r->context &&
		e->generation == r->context_generation && e->fingerprint == r->fingerprint &&
		e->code == r->code && len >= e->options_len &&
		!memcmp(e->options, body, e->options_len) &&
		(len == e->options_len ||
			(body[e->options_len] == MARKER && len > e->options_len + 1u));
}

static void entry_fill(struct entry *e, const struct up_collector *c, const struct dp_request *r,
	const struct map_request *msg, int sent, const struct batch_way *way)
{
	const struct coap_body *body = &msg->body;

	if (body->options_len > OPTIONS_ROOM || batch_way_size(way) > WAY_ROOM)
		return;
	e->fingerprint = r->fingerprint;
	e->context = r->context;
	e->generation = r->context_generation;
	e->collector = c->id;
	e->sent = sent;
	e->code = r->code;
	e->options_len = (uint8_t)body->options_len;
	memcpy(e->options, body->options, body->options_len);
	memcpy(&e->way, way, batch_way_size(way));
}

// What a precondition or an Accept asks for is one request's.
static bool goes_alone(const struct map_request *msg)
{
	struct coap_option option;

	return msg->accept != MAP_FORMAT_NONE || msg->if_none_match || msg->body.has_block ||
		coap_option_find(&msg->body, COAP_OPT_IF_MATCH, &option);
}

// The one place where the payload of a reading and its format become those of the service.
static enum up_way_verdict payload_take(
	struct up_loop *loop, struct map_request *msg, struct up_way *found)
{
	found->error = map_request_translate(msg, loop->scratch, sizeof(loop->scratch));
	found->reading.payload = msg->payload;
	found->reading.len = msg->payload_len;
	if (!found->error)
		return UP_WAY_OK;
	found->fault = msg->fault;
	return UP_WAY_FAILED;
}

static enum up_way_verdict way_make(struct up_loop *loop, const struct up_collector *c,
	const struct up_way_request *request, struct up_way *found)
{
	struct up_ways *ways = loop->batches->ways;
	const struct dp_request *r = request->device;
	char name[UP_NAME_MAX + 1], *subject = ways->subject;
	struct batch_source source = {.format = c->route->batch.format,
		.device = name,
		.subject = ways->subject,
		.fingerprint = r->fingerprint,
		.code = r->code};
	struct map_request msg;
	struct http_text text;

	if (map_request_parse(&msg, c->route, r->code, request->body, request->body_len) ||
		goes_alone(&msg))
		return UP_WAY_SINGLE;
	if (request->whole) {
		msg.payload = request->whole;
		msg.payload_len = request->whole_len;
	}
	http_text_init(&text, subject, sizeof(ways->subject));
	if (map_request_target(&msg, &text) || !http_text_end(&text, &subject))
		return UP_WAY_SINGLE;
	if (!loop->config.name(
		    loop->config.name_arg, r->context, r->context_generation, name, sizeof(name))) {
		found->error = HTTP_ERR_device_gone;
		return UP_WAY_FAILED;
	}
	int sent = msg.content_format;
	if (payload_take(loop, &msg, found))
		return UP_WAY_FAILED;
	source.content_format = msg.content_format;
	if (!batch_way_make(&ways->made.way, sizeof(ways->made), &source))
		return UP_WAY_SINGLE;
	entry_fill(entry_of(ways, r), c, r, &msg, sent, &ways->made.way);
	found->way = &ways->made.way;
	return UP_WAY_OK;
}

// The payload behind the options that are known.
static enum up_way_verdict way_known(struct up_loop *loop, const struct up_collector *c,
	const struct up_way_request *request, const struct entry *e, struct up_way *found)
{
	const struct dp_request *r = request->device;
	unsigned before = e->options_len + (request->body_len > e->options_len);
	const uint8_t *payload = request->whole ? request->whole : request->body + before;
	size_t len = request->whole ? request->whole_len : request->body_len - before;

	found->way = &e->way;
	if (e->sent == e->way.content_format) {
		found->reading.payload = payload;
		found->reading.len = len;
		return UP_WAY_OK;
	}
	struct map_request msg = {.route = c->route,
		.method = map_method_of(r->code),
		.content_format = e->sent,
		.payload = payload,
		.payload_len = len};
	return payload_take(loop, &msg, found);
}

enum up_way_verdict up_way_of(struct up_loop *loop, const struct up_collector *c,
	const struct up_way_request *request, struct up_way *found)
{
	const struct entry *e = entry_of(loop->batches->ways, request->device);

	if (entry_is(e, c, request))
		return way_known(loop, c, request, e, found);
	return way_make(loop, c, request, found);
}
