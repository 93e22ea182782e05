// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/stream.h"

#include "base/container.h"
#include "gw/http/events.h"
#include "gw/http/timers.h"
#include "gw/map/media.h"
#include "gw/os/log.h"
#include "gw/upstream/observed.h"
#include "gw/upstream/publish.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_MS       2000  // before a stream is asked for again, unless the service says
#define WAIT_MS_LEAST 500   // whatever it says
#define WAIT_MS_MAX   60000 // the same, and after failures
#define DOUBLINGS     5     // of that after failures, at most
#define JITTER        4     // one part of so many by which it differs
#define SPREAD_MS     500   // within which streams begin again that ended together
#define GOOD_MS       5000  // a stream that lasted so long, or told something, was none that failed
#define FAILING       3     // failures in a row that are told as trouble
#define SAY_MS        10000 // between two lines of the log about streams
#define SAY_FULL_MS   600000 // the same, of a route that has as many as it may have
#define PATH_SAID     120    // characters of a path in the log

enum stream_state {
	STREAM_WAITING, // until due_ms
	STREAM_OPENING, // asked for
	STREAM_OPEN,    // its head was there
};

struct up_stream {
	struct http_transfer transfer;
	TAILQ_ENTRY(up_stream) link;
	struct up_loop *loop;
	struct up_stream_of of;
	uint16_t route_slot; // of the entry
	enum stream_state state;
	// While it does not wait, of loop->snapshot:
	const struct conf_route *route;
	struct up_group *group;
	struct http_engine *engine;
	struct up_server_slot *slot; // of the server
	size_t server;               // its index
	uint64_t due_ms, opened_ms;
	unsigned failures; // in a row
	uint64_t tried;    // servers that failed, by their bits
	bool told;         // an event came on this connection
	bool failing;      // counted as such
	bool said;         // that it failed
	uint64_t left_out; // events that were counted
	char why[64];      // the head was refused
	struct http_events events;
};

_Static_assert(offsetof(struct up_stream, transfer) == 0, "a transfer is cast to its stream");

// NULL: it has none.
static struct up_stream *stream_of(const struct up_cache_entry *entry)
{
	return entry->stream ? CONTAINER_OF(entry->stream, struct up_stream, of) : NULL;
}

static void stat_add(const struct up_stream *stream, enum up_stream_stat stat, int64_t n)
{
	uint64_t *at = &stream->loop->routes[stream->route_slot].stream[stat];

	__atomic_store_n(at, *at + (uint64_t)n, __ATOMIC_RELAXED);
}

static void failing_set(struct up_stream *stream, bool failing)
{
	stat_add(stream, UP_STREAM_STAT_failing, failing - stream->failing);
	stream->failing = failing;
}

// Whether the stream that stands is what was asked for: a service may open one and end it at once.
static bool is_good(const struct up_stream *stream)
{
	return stream->state == STREAM_OPEN &&
		(stream->told || stream->opened_ms + GOOD_MS <= stream->loop->now_ms);
}

// Whether the log may have a line about streams now.
static bool may_say(struct up_loop *loop)
{
	if (loop->now_ms < loop->cache->stream_say_ms)
		return false;
	loop->cache->stream_say_ms = loop->now_ms + SAY_MS;
	return true;
}

// ---- what it tells

static size_t payload_max(const struct up_stream *stream)
{
	uint64_t route = stream->route->max_body, upstream = stream->group->upstream->max_body;

	return route < upstream ? route : upstream;
}

static void left_out(struct up_stream *stream, const char *why)
{
	stat_add(stream, UP_STREAM_STAT_left_out, 1);
	if (may_say(stream->loop))
		log_warning("route %s: an event of the stream of %.*s is left out: %s",
			stream->route->path.text, PATH_SAID, stream->transfer.request.path, why);
}

static void publish(struct up_stream *stream, const uint8_t *payload, size_t len)
{
	struct up_loop *loop = stream->loop;
	const struct dp_representation *rep = dp_rep_at(loop->cache->table, stream->of.entry->slot);
	struct dp_rep_key key;

	if (!rep)
		return;
	key.hash = rep->hash;
	key.len = rep->key_len;
	memcpy(key.bytes, rep->bytes, rep->key_len);
	const struct up_publication publication = {
		.whose = {.route = stream->route,
			.route_slot = stream->route_slot,
			.given = true,
			.context = DP_INDEX_NONE},
		.key = &key,
		.epoch_index = rep->epoch_index,
		.content_format = stream->route->observe.stream.format,
		.payload = payload,
		.payload_len = len,
	};
	enum up_published published = up_publish(loop, &publication);

	if (published == UP_PUBLISHED_FIRST || published == UP_PUBLISHED_REPLACED)
		stat_add(stream, UP_STREAM_STAT_events, 1);
	else
		left_out(stream,
			published == UP_PUBLISHED_TOO_LARGE ? "it is too large"
							    : "there is no room for it");
}

// The same of data in Base64 (RFC 4648 section 4), with line ends anywhere.
static void publish_base64(struct up_stream *stream, const struct http_event *event)
{
	const char *text = (const char *)event->data, *end;
	size_t room = event->len / 4 * 3 + 3, len;
	uint8_t *bytes = malloc(room);

	if (!bytes)
		left_out(stream, "there is no memory");
	else if (sodium_base642bin(bytes, room, text, event->len, " \t\n", &len, &end,
			 sodium_base64_VARIANT_ORIGINAL) ||
		end != text + event->len)
		left_out(stream, "it is not Base64, which its Content-Format needs");
	else if (len > payload_max(stream))
		left_out(stream, "it is too large");
	else
		publish(stream, bytes, len);
	if (bytes)
		sodium_memzero(bytes, room);
	free(bytes);
}

static void stream_tells(void *arg, const struct http_event *event)
{
	struct up_stream *stream = arg;
	const char *wanted = stream->route->observe.stream.event;

	stream->told = true;
	if (!stream->of.entry || strcmp(event->name, wanted ? wanted : "message"))
		return;
	if (!map_format_is_utf8(stream->route->observe.stream.format))
		publish_base64(stream, event);
	else if (!http_utf8_valid(event->data, event->len))
		left_out(stream, "it is not UTF-8");
	else
		publish(stream, event->data, event->len);
}

static enum http_error stream_takes(struct http_transfer *transfer, const void *data, size_t len)
{
	struct up_stream *stream = (struct up_stream *)transfer;

	http_events_take(&stream->events, data, len);
	for (; stream->left_out < stream->events.left_out; stream->left_out++)
		left_out(stream, "it is too large");
	return HTTP_ERR_none;
}

// ---- its end

static uint64_t spread(struct up_loop *loop, uint64_t wait)
{
	uint64_t part = wait / JITTER;

	return wait - part + up_random_32(loop) % (2 * part + 1);
}

static uint64_t wait_ms(struct up_stream *stream)
{
	uint64_t wait = stream->events.retry_said ? stream->events.retry_ms : WAIT_MS;
	unsigned n = stream->failures > 1 ? stream->failures - 1 : 0;

	if (wait < WAIT_MS_LEAST)
		wait = WAIT_MS_LEAST;
	wait <<= n < DOUBLINGS ? n : DOUBLINGS;
	return spread(stream->loop, wait < WAIT_MS_MAX ? wait : WAIT_MS_MAX);
}

// Without a stream nobody would say that what is stored is no longer so: it is good for so long as
// devices are told, and is asked for meanwhile.
static void lose(struct up_stream *stream)
{
	struct up_loop *loop = stream->loop;
	struct up_cache_entry *entry = stream->of.entry;
	const struct dp_representation *rep = dp_rep_at(loop->cache->table, entry->slot);
	uint64_t until = loop->now_ms + loop->snapshot->conf->observe.max_age_ms;

	if (!rep || rep->observe_ms != UINT64_MAX || COAP_CODE_CLASS(rep->code) != 2)
		return;
	struct dp_representation *copy = dp_rep_copy(rep);

	if (!copy)
		return; // it is tried again after the next failure
	copy->observe_ms = until;
	if (copy->fresh_ms == UINT64_MAX)
		copy->fresh_ms = until;
	entry->given = false;
	up_cache_replace(loop, entry, copy);
}

static void state_set(struct up_stream *stream, enum stream_state state)
{
	stat_add(stream, UP_STREAM_STAT_open,
		(state == STREAM_OPEN) - (stream->state == STREAM_OPEN));
	stream->state = state;
	stream->of.open = state == STREAM_OPEN;
}

static void wait_for(struct up_stream *stream, uint64_t ms)
{
	struct up_loop *loop = stream->loop;

	state_set(stream, STREAM_WAITING);
	stream->due_ms = loop->now_ms + ms;
	loop->cache->streams_ms = http_earlier(loop->cache->streams_ms, stream->due_ms);
}

static void failed(struct up_stream *stream, const char *why)
{
	stream->failures++;
	stat_add(stream, UP_STREAM_STAT_failed, 1);
	failing_set(stream, stream->failures >= FAILING);
	wait_for(stream, wait_ms(stream));
	if (stream->failures > 1)
		lose(stream);
	if (!may_say(stream->loop))
		return;
	stream->said = true;
	log_warning("route %s: no stream of %.*s%s%s: %s", stream->route->path.text, PATH_SAID,
		stream->transfer.request.path, stream->transfer.server ? " from " : "",
		stream->transfer.server ? stream->transfer.server->text : "", why);
}

static void stream_over(struct http_transfer *transfer, enum http_error error)
{
	struct up_stream *stream = (struct up_stream *)transfer;

	if (!stream->of.entry) {
		wait_for(stream, 0);
		return;
	}
	if (error == HTTP_ERR_local)
		up_group_say_local(stream->group, transfer->local_errno);
	if (is_good(stream)) {
		failing_set(stream, false);
		stream->failures = 0;
		wait_for(stream, wait_ms(stream));
		stream->failures = 1; // until it stands again
		return;
	}
	if (!http_error_is_local(error))
		stream->tried |= UINT64_C(1) << stream->server;
	failed(stream,
		stream->why[0]  ? stream->why
			: error ? http_error_name(error)
				: "it ends at once");
}

static void cancel(struct up_stream *stream)
{
	if (stream->state != STREAM_WAITING)
		stream->engine->ops->cancel(stream->engine, &stream->transfer);
	state_set(stream, STREAM_WAITING);
}

static void stream_free(struct up_stream *stream)
{
	struct up_cache *cache = stream->loop->cache;

	cancel(stream);
	TAILQ_REMOVE(&cache->streams, stream, link);
	stat_add(stream, UP_STREAM_STAT_wanted, -1);
	failing_set(stream, false);
	if (stream->of.entry)
		stream->of.entry->stream = NULL;
	http_events_end(&stream->events);
	sodium_memzero(&stream->transfer, sizeof(stream->transfer));
	free(stream);
}

// ---- its beginning

static enum http_error stream_begins(struct http_transfer *transfer)
{
	struct up_stream *stream = (struct up_stream *)transfer;
	const struct http_reply *reply = &transfer->reply;
	const char *type = reply->field[HTTP_FIELD_CONTENT_TYPE];
	const char *coding = reply->field[HTTP_FIELD_CONTENT_ENCODING];
	struct up_loop *loop = stream->loop;

	if (reply->status != 200) {
		snprintf(stream->why, sizeof(stream->why), "status %d", reply->status);
		return HTTP_ERR_bad_status;
	}
	if (!http_events_are(type) || (coding && strcasecmp(coding, "identity"))) {
		snprintf(stream->why, sizeof(stream->why), "it is no text/event-stream");
		return HTTP_ERR_bad_type;
	}
	http_events_start(&stream->events);
	state_set(stream, STREAM_OPEN);
	stream->opened_ms = loop->now_ms;
	stream->told = false;
	stream->tried = 0;
	if (!stream->of.entry)
		return HTTP_ERR_none;
	// What changed since it was asked for, and before the stream stood, it may not tell.
	stream->of.entry->check_ms = 0;
	loop->cache->look_ms = loop->now_ms;
	if (stream->said && may_say(loop))
		log_notice("route %s: the stream of %.*s is there again", stream->route->path.text,
			PATH_SAID, transfer->request.path);
	stream->said = false;
	return HTTP_ERR_none;
}

// Makes the request: that of the entry, for events.
static enum http_error request_make(struct up_stream *stream, const struct dp_representation *rep)
{
	struct up_loop *loop = stream->loop;
	struct http_request *req = &stream->transfer.request;
	uint8_t options[DP_REP_KEY_MAX];
	struct map_request message;
	uint16_t len = dp_rep_key_request(rep->bytes, rep->key_len, options, sizeof(options));
	enum http_error error = map_request_parse(&message, stream->route, COAP_GET, options, len);

	if (!error && message.accept != MAP_FORMAT_NONE &&
		message.accept != stream->route->observe.stream.format)
		error = HTTP_ERR_bad_accept;
	message.accept = MAP_FORMAT_NONE;
	if (!error)
		error = map_request_build(req, &message, loop->etags);
	sodium_memzero(options, sizeof(options));
	if (error)
		return error;
	http_header_add(req, "Accept", "text/event-stream");
	http_header_add(req, "Cache-Control", "no-cache");
	if (stream->events.id[0] &&
		!http_has_controls(stream->events.id, strlen(stream->events.id)))
		http_header_add(req, "Last-Event-ID", stream->events.id);
	up_headers_add_route(loop->snapshot->headers, stream->route, req);
	return req->text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}

static bool server_pick(struct up_stream *stream, uint64_t hash)
{
	struct up_servers *servers = stream->group->servers;
	int server = up_servers_pick(servers, stream->tried, hash, up_random_32(stream->loop));

	if (server < 0 && stream->tried) { // all of them failed: from the beginning
		stream->tried = 0;
		server = up_servers_pick(servers, 0, hash, up_random_32(stream->loop));
	}
	if (server < 0)
		return false;
	stream->server = (size_t)server;
	stream->slot = servers->server[server].slot;
	stream->transfer.server = servers->server[server].conf;
	return true;
}

static void transfer_set(struct up_stream *stream)
{
	struct http_transfer *t = &stream->transfer;

	t->done = stream_over;
	t->head = stream_begins;
	t->take = stream_takes;
	t->host = stream->route->host ? stream->route->host : t->server->authority;
	t->timeout_ms = stream->route->timeout_ms;
	t->quiet_ms = stream->route->observe.stream.quiet_ms;
	t->body_max = UINT64_MAX;
	t->fresh = true; // it would have the place of requests for good
}

// The route of an entry, if that can have a stream.
static const struct conf_route *route_of(
	const struct up_loop *loop, const struct up_cache_entry *entry)
{
	const struct dp_representation *rep = dp_rep_at(loop->cache->table, entry->slot);
	const struct conf_route *route = rep && dp_rep_key_code(rep->bytes) == COAP_GET
		? up_observed_route(loop, entry->route, COAP_GET)
		: NULL;

	return route && route->observe.stream.line ? route : NULL;
}

// Ends a stream that its entry cannot have.
static void refuse(struct up_stream *stream)
{
	stream->of.entry->no_stream = true;
	stream_free(stream);
}

static void stream_open(struct up_stream *stream)
{
	struct up_loop *loop = stream->loop;
	const struct dp_representation *rep = dp_rep_at(loop->cache->table, stream->of.entry->slot);
	const struct conf *conf = loop->snapshot->conf;

	stream->route = route_of(loop, stream->of.entry);
	if (!stream->route) {
		refuse(stream);
		return;
	}
	stream->group = loop->snapshot->group[stream->route->upstream - conf->upstreams];
	stream->transfer.server = NULL;
	stream->why[0] = 0;
	enum http_error error = request_make(stream, rep);

	if (error == HTTP_ERR_bad_accept) {
		refuse(stream);
		return;
	}
	size_t max = payload_max(stream);

	if (!stream->transfer.request.path)
		stream->transfer.request.path = ""; // it is too long
	// Base64 has four bytes for three, and line ends.
	stream->events.data_max =
		map_format_is_utf8(stream->route->observe.stream.format) ? max : max + max / 2;
	if (!error && !server_pick(stream, rep->hash))
		error = HTTP_ERR_no_server;
	if (error) {
		failed(stream, http_error_name(error));
		return;
	}
	transfer_set(stream);
	stream->engine = stream->group->engine;
	if (stream->engine->ops->start(stream->engine, &stream->transfer))
		failed(stream, http_error_name(HTTP_ERR_no_memory));
	else
		state_set(stream, STREAM_OPENING);
}

static void say_full(struct up_loop *loop, const struct conf_route *route)
{
	if (loop->now_ms < loop->cache->stream_full_ms)
		return;
	loop->cache->stream_full_ms = loop->now_ms + SAY_FULL_MS;
	log_warning("route %s: has %u streams, which is its observe.stream.max: other things are "
		    "polled",
		route->path.text, route->observe.stream.max);
}

static void stream_make(struct up_loop *loop, struct up_cache_entry *entry)
{
	const struct conf_route *route = route_of(loop, entry);
	struct up_stream *stream;

	if (!route) {
		entry->no_stream = true;
		return;
	}
	const uint64_t *stat = loop->routes[entry->route_slot].stream;

	if (stat[UP_STREAM_STAT_wanted] >= route->observe.stream.max) {
		say_full(loop, route);
		return;
	}
	stream = calloc(1, sizeof(*stream));
	if (!stream)
		return; // in the next look
	stream->loop = loop;
	stream->of.entry = entry;
	stream->route = route;
	stream->route_slot = entry->route_slot;
	stream->events.tell = stream_tells;
	stream->events.arg = stream;
	stream->transfer.request.path = "";
	entry->stream = &stream->of;
	stat_add(stream, UP_STREAM_STAT_wanted, 1);
	TAILQ_INSERT_TAIL(&loop->cache->streams, stream, link);
	wait_for(stream, 0);
}

// ---- in each turn

// A server is gone, out of service or down, and another one may have what it streamed. What an
// operator takes out is left in any case, or it would never be without requests.
static bool has_to_move(const struct up_stream *stream)
{
	const struct up_servers *servers = stream->group->servers;
	int index = up_servers_index(servers, stream->slot, stream->server);

	if (index < 0)
		return true;
	const struct up_server *server = &servers->server[index];

	return !up_server_serves(server) && (server->out || servers->up);
}

void up_stream_follow(struct up_loop *loop, struct up_cache_entry *entry, bool observed)
{
	struct up_stream *stream = stream_of(entry);

	if (!stream) {
		if (observed && !entry->no_stream)
			stream_make(loop, entry);
		return;
	}
	if (!observed) {
		stream_free(stream);
		return;
	}
	failing_set(stream, stream->failing && !is_good(stream));
	if (stream->state == STREAM_WAITING || !has_to_move(stream))
		return;
	cancel(stream);
	wait_for(stream, up_random_32(loop) % SPREAD_MS);
}

void up_streams_turn(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;
	struct up_stream *stream, *next;

	if (!cache || loop->now_ms < cache->streams_ms)
		return;
	cache->streams_ms = UINT64_MAX;
	for (stream = TAILQ_FIRST(&cache->streams); stream; stream = next) {
		next = TAILQ_NEXT(stream, link);
		if (!stream->of.entry)
			stream_free(stream);
		else if (stream->state == STREAM_WAITING && stream->due_ms <= loop->now_ms)
			stream_open(stream);
		else if (stream->state == STREAM_WAITING)
			cache->streams_ms = http_earlier(cache->streams_ms, stream->due_ms);
	}
}

uint64_t up_streams_next_ms(const struct up_loop *loop)
{
	return loop->cache ? loop->cache->streams_ms : UINT64_MAX;
}

void up_streams_again(struct up_loop *loop)
{
	struct up_cache_entry *entry;
	struct up_stream *stream;

	if (!loop->cache)
		return;
	TAILQ_FOREACH(entry, &loop->cache->watched, of_watched)
	entry->no_stream = false;
	TAILQ_FOREACH(stream, &loop->cache->streams, link)
	{
		if (stream->state == STREAM_WAITING)
			continue;
		cancel(stream);
		wait_for(stream, up_random_32(loop) % SPREAD_MS);
	}
}

void up_streams_stop(struct up_loop *loop)
{
	struct up_stream *stream;

	if (!loop->cache)
		return;
	while ((stream = TAILQ_FIRST(&loop->cache->streams)))
		stream_free(stream);
	loop->cache->streams_ms = UINT64_MAX;
}
