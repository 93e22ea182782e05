// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/push.h"

#include "gw/map/response.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/observed.h"
#include "gw/upstream/publish.h"
#include "gw/upstream/snapshot.h"

#include <sodium.h>
#include <time.h>

#define HEAD_ROOM 512 // bytes of the options of an answer

void up_loop_push(struct up_loop *loop, struct up_push *push)
{
	push->next = __atomic_load_n(&loop->pushed, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(
		&loop->pushed, &push->next, push, true, __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
	dp_doorbell_ring(&loop->config.upstream->bell);
}

bool up_push_pending(const struct up_loop *loop)
{
	return __atomic_load_n(&loop->pushed, __ATOMIC_RELAXED);
}

// All that came, the first in front.
static struct up_push *pushed_take(struct up_loop *loop)
{
	struct up_push *last = __atomic_exchange_n(&loop->pushed, NULL, __ATOMIC_ACQUIRE);
	struct up_push *first = NULL;

	while (last) {
		struct up_push *before = last->next;

		last->next = first;
		first = last;
		last = before;
	}
	return first;
}

// The Content-Format that devices are told, as of an answer of the service to this GET. -1: they
// cannot be told.
static int format_of(
	struct up_loop *loop, const struct map_request *get, const struct up_push *push)
{
	struct http_reply reply = {
		.status = 200, .body = push->payload, .body_len = push->payload_len};
	uint8_t head[HEAD_ROOM];
	struct map_response mapping = {
		.etags = loop->etags,
		.now = time(NULL),
		.out = head,
		.room = sizeof(head),
		.head_room = sizeof(head),
		.scratch = loop->scratch,
		.scratch_room = sizeof(loop->scratch),
	};
	struct coap_option option;
	struct coap_body body;
	uint32_t number = DP_REP_NO_FORMAT;

	if (push->format >= 0)
		return push->format;
	reply.field[HTTP_FIELD_CONTENT_TYPE] = push->type;
	reply.field[HTTP_FIELD_CONTENT_ENCODING] = push->coding;
	if (map_response_build(&reply, get, &mapping) || head[0] != COAP_CONTENT ||
		coap_body_parse(&body, head + 1, mapping.len - 1u) != COAP_OK)
		return -1;
	if (coap_option_find(&body, COAP_OPT_CONTENT_FORMAT, &option))
		(void)coap_option_uint(&option, &number);
	return (int)number;
}

static enum up_pushed publish(
	struct up_loop *loop, const struct conf_route *route, const struct up_push *push)
{
	const bool shared = route->cache.scope == CONF_CACHE_SHARED;
	const struct dp_rep_asker asker = {
		.route = route->cache.id,
		.code = COAP_GET,
		.shared = shared,
		.context = push->context,
		.generation = push->generation,
	};
	struct dp_reps *reps = loop->cache->reps;
	struct map_request get;
	struct dp_rep_key key;

	if (shared == push->private)
		return UP_PUSHED_NO_ROUTE;
	if (push->private && !up_device_is_there(loop, push->context, push->generation))
		return UP_PUSHED_NO_DEVICE;
	if (map_request_parse(&get, route, COAP_GET, push->options, push->options_len) ||
		!dp_rep_key_make(&key, &reps->keys, &asker, &get.body))
		return UP_PUSHED_BAD_PATH;
	if (push->gone)
		return up_unpublish(loop, &key) ? UP_PUSHED_GONE : UP_PUSHED_NOTHING;
	int format = format_of(loop, &get, push);

	if (format < 0)
		return UP_PUSHED_TYPE;
	const struct up_publication publication = {
		.whose = {.route = route,
			.route_slot = push->route_slot,
			.given = true,
			.context = push->private ? push->context : DP_INDEX_NONE,
			.generation = push->private ? push->generation : 0,
			.fingerprint = push->private ? push->fingerprint : 0},
		.key = &key,
		.epoch_index = dp_rep_epoch_index(dp_rep_path_hash(&reps->paths, &get.body)),
		.content_format = (uint16_t)format,
		.max_age_s = push->max_age_s,
		.payload = push->payload,
		.payload_len = push->payload_len,
	};

	switch (up_publish(loop, &publication)) {
	case UP_PUBLISHED_FIRST:
		return UP_PUSHED_CREATED;
	case UP_PUBLISHED_REPLACED:
		return UP_PUSHED_REPLACED;
	case UP_PUBLISHED_TOO_LARGE:
		return UP_PUSHED_TOO_LARGE;
	case UP_PUBLISHED_NO_ROOM:
		return UP_PUSHED_NO_ROOM;
	case UP_PUBLISHED_NOT:
		break;
	}
	return UP_PUSHED_NO_DEVICE;
}

// Main found the route in a configuration that may be another one by now.
static enum up_pushed take(struct up_loop *loop, const struct up_push *push)
{
	const struct conf_route *route =
		loop->cache ? up_observed_route(loop, push->route, COAP_GET) : NULL;

	return route && route->observe.push ? publish(loop, route, push) : UP_PUSHED_NO_ROUTE;
}

void up_push_turn(struct up_loop *loop)
{
	struct up_push *push = pushed_take(loop), *next;

	for (; push; push = next) {
		next = push->next; // it is the caller's again with done()
		push->result = take(loop, push);
		push->done(push);
	}
}

void up_push_stop(struct up_loop *loop)
{
	struct up_push *push = pushed_take(loop), *next;

	for (; push; push = next) {
		next = push->next;
		push->result = UP_PUSHED_STOPPING;
		push->done(push);
	}
}
