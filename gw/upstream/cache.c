// SPDX-License-Identifier: BSD-3-Clause
// What becomes of a request whose answer may be stored: fetches, those who wait for them, and what
// is made of their answers.

#include "gw/upstream/cache.h"

#include "dataplane/coap/message.h"
#include "dataplane/shared/representation_answer.h"
#include "gw/map/response.h"
#include "gw/upstream/bodies.h"
#include "gw/upstream/body_answer.h"
#include "gw/upstream/observed.h"
#include "gw/upstream/queue.h"
#include "gw/upstream/random.h"
#include "gw/upstream/snapshot.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define ANSWER_ROOM    2048 // bytes of an error of a fetch
#define ROOM_LEAST     64   // see dp_rep_answer_write()
#define DIAGNOSTIC_MAX 1024 // bytes of one that is stored
#define LEAST_LEFT_MS  1000 // of freshness that a notification can tell
#define OPTIONS_OVER   8    // bytes that options may grow by when some are left out

static void stat_add(struct up_loop *loop, const struct up_call *call, enum up_cache_stat stat)
{
	dp_route_count(&loop->routes[call->shared->request.route_slot].cache[stat]);
}

static struct up_cache_fetch *fetch_of(struct up_call *call)
{
	return (struct up_cache_fetch *)call;
}

static size_t fetch_size(const struct up_cache_fetch *fetch)
{
	return sizeof(*fetch) + 2 * (size_t)fetch->shared.data_room;
}

// ---- answering

static void call_alone(struct up_call *call);

// Whether an answer has to be sent in blocks to a device.
static bool needs_blocks(const struct dp_request *device, const struct dp_representation *rep)
{
	return rep->payload_len > device->payload_max ||
		rep->payload_len + ROOM_LEAST > device->response_max;
}

// Answers a call from what is stored, and gives it back. Of a FETCH the device may ask for later
// blocks without saying what it asked for: the bodies of that device have those.
static void call_serve(struct up_call *call, const struct dp_representation *rep, uint64_t now_ms)
{
	struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	const struct dp_rep_room room = {device->response_max, device->payload_max};
	struct coap_body message;

	if (device->code == COAP_FETCH && needs_blocks(device, rep)) {
		call_alone(call);
		return;
	}
	if (coap_body_parse(&message, dp_shared_body(shared), device->body_len) != COAP_OK) {
		up_call_fail(call, HTTP_ERR_bad_request); // cannot be: it was parsed when it came
		return;
	}
	shared->response.len =
		dp_rep_answer_write(rep, &message, now_ms, &room, dp_shared_response(shared));
	up_call_return(call);
}

// Answers a call by the reply of a server to its fetch, as if the server had been asked for it
// alone.
static void call_answer_by(
	struct up_call *call, const struct up_call *by, const struct http_reply *reply)
{
	struct up_loop *loop = call->group->loop;
	struct dp_shared *shared = call->shared;
	const struct dp_request *device = &shared->request;
	struct map_request message;
	struct map_response mapping = {
		.server = by->server,
		.etags = loop->etags,
		.now = time(NULL),
		.retry_s = up_retry_seconds(loop),
		.max_age_max = call->group->upstream->max_age_ms / 1000,
		.out = dp_shared_response(shared),
		.room = device->response_max,
		.payload_max = device->payload_max,
		.scratch = loop->scratch,
		.scratch_room = sizeof(loop->scratch),
	};
	enum http_error error = map_request_parse(
		&message, call->route, device->code, dp_shared_body(shared), device->body_len);

	up_call_log_as(call, by);
	if (error) { // cannot be: that of the fetch was parsed
		up_call_fail(call, error);
		return;
	}
	if (up_body_needed(call, reply)) {
		call->error = up_body_answer(call, reply, &message, &mapping);
	} else {
		call->error = map_response_build(reply, &message, &mapping);
		shared->response.len = mapping.len;
	}
	if (call->error)
		up_stat_add(call->group, UP_STAT_ERROR + call->error, 1);
	up_call_return(call);
}

// A call goes on as if there were no cache.
static void call_alone(struct up_call *call)
{
	if (up_call_is_abandoned(call))
		up_call_abandon(call);
	else if (!up_bodies_take(call))
		up_queue_add(call);
}

static struct up_call *waiter_next(struct up_cache_fetch *fetch)
{
	struct up_call *call = TAILQ_FIRST(&fetch->waiters);

	if (call) {
		TAILQ_REMOVE(&fetch->waiters, call, link);
		fetch->waiter_count--;
	}
	return call;
}

static void waiters_serve(
	struct up_cache_fetch *fetch, const struct dp_representation *rep, uint64_t now_ms)
{
	struct up_call *call;

	while ((call = waiter_next(fetch))) {
		up_call_log_as(call, &fetch->call);
		if (up_call_is_abandoned(call))
			up_call_abandon(call);
		else
			call_serve(call, rep, now_ms);
	}
}

// ---- keys whose answers may not be stored

static bool is_passed(const struct up_loop *loop, const struct dp_rep_key *key)
{
	const struct up_cache *cache = loop->cache;
	unsigned at = key->hash % UP_CACHE_PASSES;

	return cache->pass[at].hash == key->hash && cache->pass[at].until_ms > loop->now_ms;
}

static void pass_add(struct up_loop *loop, const struct dp_rep_key *key)
{
	unsigned at = key->hash % UP_CACHE_PASSES;

	loop->cache->pass[at].hash = key->hash;
	loop->cache->pass[at].until_ms = loop->now_ms + UP_CACHE_PASS_MS;
}

// ---- fetches

static void fetch_over(struct up_call *call);
static void fetch_asks(struct up_call *call, struct http_request *req);
static void fetch_answered(struct up_call *call, const struct http_reply *reply);

static bool is_of_the_device(uint16_t number)
{
	return (number & 0x1e) == 0x1c || number == COAP_OPT_ETAG || number == COAP_OPT_OBSERVE ||
		number == COAP_OPT_BLOCK2 || number == COAP_OPT_NO_RESPONSE ||
		number == COAP_OPT_HOP_LIMIT;
}

// Copies a request without the options that are left out of its key.
static bool request_copy(struct up_cache_fetch *fetch, const struct coap_body *message)
{
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_writer w;

	coap_writer_init(&w, dp_shared_request_buf(&fetch->shared), fetch->shared.data_room);
	coap_option_iter_init(&iter, message);
	while (coap_option_next(&iter, &option))
		if (!is_of_the_device(option.number))
			coap_write_option(&w, option.number, option.value, option.len);
	coap_write_payload(&w, message->payload, message->payload_len);
	fetch->shared.request.body_len = (uint16_t)coap_writer_len(&w);
	return !w.failed;
}

static struct up_cache_fetch *fetch_make(
	struct up_call *first, const struct dp_rep_key *key, const struct coap_body *message)
{
	struct up_loop *loop = first->group->loop;
	struct up_cache *cache = loop->cache;
	const struct dp_request *device = &first->shared->request;
	size_t needed = device->body_len + OPTIONS_OVER;
	size_t room = needed > ANSWER_ROOM ? needed : ANSWER_ROOM;
	struct up_cache_fetch *fetch;

	if (room > UINT16_MAX)
		return NULL;
	fetch = calloc(1, sizeof(*fetch) + 2 * room);
	if (!fetch)
		return NULL;
	fetch->shared.data_room = (uint16_t)room;
	fetch->shared.request = *device;
	fetch->shared.request.token_len = 0;
	fetch->shared.request.traced = false;
	fetch->shared.request.response_max = ANSWER_ROOM;
	if (!request_copy(fetch, message)) {
		free(fetch);
		return NULL;
	}
	TAILQ_INIT(&fetch->waiters);
	fetch->key = *key;
	fetch->epoch_index = dp_rep_epoch_index(dp_rep_path_hash(&cache->reps->paths, message));
	fetch->epoch = dp_rep_epoch(cache->reps, fetch->epoch_index);
	fetch->began = ++cache->clock;
	fetch->call = (struct up_call){
		.shared = &fetch->shared,
		.snapshot = first->snapshot,
		.route = first->route,
		.group = first->group,
		.arrived_ms = loop->now_ms,
		// Who joins until the first gives up has all its time.
		.deadline_ms = first->deadline_ms + first->route->timeout_ms,
		.asks = fetch_asks,
		.answered = fetch_answered,
		.returned = fetch_over,
	};
	TAILQ_INSERT_TAIL(&cache->fetches[key->hash % UP_CACHE_CHAINS], fetch, link);
	cache->fetching++;
	loop->busy++;
	first->snapshot->held++;
	return fetch;
}

static void fetch_join(struct up_cache_fetch *fetch, struct up_call *call)
{
	fetch->shared.abandoned = 0;
	TAILQ_INSERT_TAIL(&fetch->waiters, call, link);
	fetch->waiter_count++;
}

// One under way for this key, whose answer will not be older than what is known to have changed.
static struct up_cache_fetch *fetch_find(
	const struct up_cache *cache, const struct up_call *call, const struct dp_rep_key *key)
{
	struct up_cache_fetch *fetch;

	TAILQ_FOREACH(fetch, &cache->fetches[key->hash % UP_CACHE_CHAINS], link)
	{
		if (fetch->key.hash == key->hash && fetch->key.len == key->len &&
			!memcmp(fetch->key.bytes, key->bytes, key->len) &&
			fetch->call.snapshot == call->snapshot &&
			dp_rep_epoch(cache->reps, fetch->epoch_index) == fetch->epoch)
			return fetch;
	}
	return NULL;
}

// Makes the request of an entry from its key, as the device that had it stored would send it.
static bool ask_fill(struct up_loop *loop, const struct up_cache_entry *entry,
	const struct conf_route *route, struct up_call *call, struct dp_rep_key *key)
{
	const struct dp_representation *rep = dp_rep_at(loop->cache->table, entry->slot);
	struct dp_shared *shared = call->shared;

	if (!rep)
		return false;
	key->hash = rep->hash;
	key->len = rep->key_len;
	memcpy(key->bytes, rep->bytes, rep->key_len);
	shared->request = (struct dp_request){
		.fingerprint = entry->fingerprint,
		.received_ms = loop->now_ms,
		.deadline_ms = loop->now_ms + route->timeout_ms,
		.context = entry->owner,
		.context_generation = entry->generation,
		.route = (uint16_t)(route - loop->snapshot->conf->routes),
		.route_slot = entry->route_slot,
		.snapshot = loop->snapshot->number,
		.payload_max = DIAGNOSTIC_MAX,
		.body_len = dp_rep_key_request(
			rep->bytes, rep->key_len, dp_shared_request_buf(shared), shared->data_room),
		.code = dp_rep_key_code(rep->bytes),
		.family = DP_FAMILY_NONE,
	};
	*call = (struct up_call){
		.shared = shared,
		.snapshot = loop->snapshot,
		.route = route,
		.group = loop->snapshot->group[route->upstream - loop->snapshot->conf->upstreams],
		.deadline_ms = shared->request.deadline_ms,
	};
	return true;
}

bool up_cache_ask(
	struct up_loop *loop, struct up_cache_entry *entry, const struct conf_route *route)
{
	struct {
		struct dp_shared shared;
		uint8_t buf[DP_REP_KEY_MAX];
	} copy = {.shared.data_room = DP_REP_KEY_MAX};
	struct up_call first = {.shared = &copy.shared};
	struct coap_body message;
	struct dp_rep_key key;

	if (!ask_fill(loop, entry, route, &first, &key) || fetch_find(loop->cache, &first, &key))
		return false;
	const struct dp_request *request = &copy.shared.request;

	struct up_cache_fetch *fetch = NULL;

	if (coap_body_parse(&message, dp_shared_body(&copy.shared), request->body_len) == COAP_OK)
		fetch = fetch_make(&first, &key, &message);
	sodium_memzero(copy.buf, sizeof(copy.buf));
	if (!fetch)
		return false;
	fetch->watch = true;
	entry->asking++;
	up_queue_add(&fetch->call);
	return true;
}

// Whether a request registers an observer for what has less than a second left: that would get a
// plain answer, as no notification could say for how long it is good.
static bool registers_too_late(const struct up_loop *loop, const struct conf_route *route,
	const struct coap_body *message, const struct dp_representation *rep)
{
	struct coap_option option;
	uint32_t observe;

	return route->observe.line && coap_option_find(message, COAP_OPT_OBSERVE, &option) &&
		coap_option_uint(&option, &observe) && !observe &&
		COAP_CODE_CLASS(rep->code) == 2 && rep->observe_ms < loop->now_ms + LEAST_LEFT_MS;
}

bool up_cache_take(struct up_call *call)
{
	struct up_loop *loop = call->group->loop;
	struct up_cache *cache = loop->cache;
	const struct dp_request *device = &call->shared->request;
	const struct conf_route *route = call->route;
	const struct dp_representation *rep;
	struct up_cache_fetch *fetch;
	struct coap_body message;
	struct dp_rep_key key;

	if (!cache || !route || !route->cache.id ||
		(device->code != COAP_GET && device->code != COAP_FETCH))
		return false;
	const struct dp_rep_asker asker = {
		.route = route->cache.id,
		.code = device->code,
		.shared = route->cache.scope == CONF_CACHE_SHARED,
		.context = device->context,
		.generation = device->context_generation,
	};
	if (device->response_max < ROOM_LEAST ||
		coap_body_parse(&message, dp_shared_body(call->shared), device->body_len) !=
			COAP_OK ||
		(device->code == COAP_FETCH && message.has_block) ||
		!dp_rep_key_make(&key, &cache->reps->keys, &asker, &message))
		return false;
	call->blocks = message.has_block;
	if (up_cache_find(cache, &key, &rep) && dp_rep_is_fresh(cache->reps, rep, loop->now_ms) &&
		!registers_too_late(loop, route, &message, rep)) {
		stat_add(loop, call, UP_CACHE_STAT_hits);
		call_serve(call, rep, loop->now_ms);
		return true;
	}
	if (device->stale) // a later block, maybe of what is kept
		return false;
	fetch = fetch_find(cache, call, &key);
	if (fetch && fetch->waiter_count < UP_CACHE_WAITERS) {
		stat_add(loop, call, UP_CACHE_STAT_collapsed);
		fetch_join(fetch, call);
		return true;
	}
	stat_add(loop, call, UP_CACHE_STAT_misses);
	if (fetch || is_passed(loop, &key))
		return false;
	fetch = fetch_make(call, &key, &message);
	if (!fetch)
		return false;
	fetch_join(fetch, call);
	up_queue_add(&fetch->call);
	return true;
}

// The request of a fetch is made: adds the validators of what is stored.
static void fetch_asks(struct up_call *call, struct http_request *req)
{
	struct up_cache_fetch *fetch = fetch_of(call);
	const struct dp_representation *rep;
	const struct up_cache_entry *entry =
		up_cache_find(call->group->loop->cache, &fetch->key, &rep);

	fetch->asked_ms = call->group->loop->now_ms;
	fetch->validates = false;
	if (!entry || rep->code != COAP_CONTENT || fetch->again)
		return;
	if (entry->etag[0])
		http_header_add(req, "If-None-Match", entry->etag);
	else if (entry->last_modified[0])
		http_header_add(req, "If-Modified-Since", entry->last_modified);
	fetch->validates = entry->etag[0] || entry->last_modified[0];
}

// ---- what a server answers

// What is stored answers though it is stale, as the backend fails (RFC 5861 section 4). false: it
// may not.
static bool serve_stale(struct up_cache_fetch *fetch)
{
	struct up_loop *loop = fetch->call.group->loop;
	const struct dp_representation *rep;
	const struct up_cache_entry *entry = up_cache_find(loop->cache, &fetch->key, &rep);

	if (!entry || entry->stale_until_ms <= loop->now_ms ||
		!dp_rep_is_current(loop->cache->reps, rep))
		return false;
	stat_add(loop, &fetch->call, UP_CACHE_STAT_stale);
	waiters_serve(fetch, rep, loop->now_ms);
	return true;
}

// Answers the first who waits, and, if `all` may have it, the others; else these go on alone.
static void waiters_answer(struct up_cache_fetch *fetch, const struct http_reply *reply, bool all)
{
	struct up_call *call;
	bool answered = false;

	while ((call = waiter_next(fetch))) {
		if (up_call_is_abandoned(call)) {
			up_call_abandon(call);
		} else if (all || !answered) {
			answered = true;
			call_answer_by(call, &fetch->call, reply);
		} else {
			call_alone(call);
		}
	}
}

// A server answered a fetch.
static void fetch_answered(struct up_call *call, const struct http_reply *reply)
{
	struct up_cache_fetch *fetch = fetch_of(call);
	struct up_loop *loop = call->group->loop;
	const struct dp_representation *rep;
	struct cache_verdict verdict;

	if (reply->status == 304) {
		if (!fetch->validates) {
			call->error = HTTP_ERR_bad_status;
			return;
		}
		rep = up_cache_refresh(fetch, reply, &verdict);
		if (rep)
			stat_add(loop, call, UP_CACHE_STAT_validated);
		if (rep)
			waiters_serve(fetch, rep, loop->now_ms);
		else
			fetch->again = true;
		return;
	}
	if (cache_is_failure(reply->status) && serve_stale(fetch))
		return;
	rep = up_cache_store(fetch, reply, &verdict);
	if (rep && rep->fresh_ms > loop->now_ms) {
		waiters_serve(fetch, rep, loop->now_ms);
		return;
	}
	if (!rep && verdict.why && !cache_is_failure(reply->status))
		pass_add(loop, &fetch->key);
	// Those who asked before something changed may have what was before; and a backend that
	// fails is not asked by all of them.
	bool says_nothing = verdict.why == CACHE_STATUS || verdict.why == CACHE_NOT_SAID;
	bool all = verdict.why == CACHE_STORE ? verdict.fresh_ms > loop->now_ms
					      : says_nothing && cache_is_failure(reply->status);

	// Its bytes are charged where they are kept; the engine's go when this is over.
	body_unclaim(loop->bodies, &call->flight->claim);
	waiters_answer(fetch, reply, all);
}

// ---- the end of a fetch

// Those who still wait get what the fetch failed with.
static void waiters_fail(struct up_cache_fetch *fetch)
{
	struct up_call *call;

	while ((call = waiter_next(fetch))) {
		up_call_log_as(call, &fetch->call);
		if (up_call_is_abandoned(call)) {
			up_call_abandon(call);
			continue;
		}
		up_call_fail(call, fetch->call.error ? fetch->call.error : HTTP_ERR_bad_status);
	}
}

// Asks once more, without validators: what they are of is gone.
static void fetch_again(struct up_cache_fetch *fetch)
{
	struct up_call *call = &fetch->call;

	fetch->epoch = dp_rep_epoch(call->group->loop->cache->reps, fetch->epoch_index);
	fetch->began = ++call->group->loop->cache->clock;
	fetch->shared.response.len = 0;
	call->error = HTTP_ERR_none;
	call->arrived_ms = call->group->loop->now_ms;
	up_queue_add(call);
}

// A request of the loop for an entry is over. What was changed since it began is asked for again.
static void watch_over(const struct up_cache_fetch *fetch)
{
	struct up_loop *loop = fetch->call.group->loop;
	const struct dp_representation *rep;
	struct up_cache_entry *entry = up_cache_find(loop->cache, &fetch->key, &rep);

	if (entry && entry->asking) // it may be another one than before
		entry->asking--;
	if (entry && !dp_rep_is_current(loop->cache->reps, rep))
		up_observed_changed(loop);
}

// The call of a fetch would go back to its worker, if it had one.
static void fetch_over(struct up_call *call)
{
	struct up_cache_fetch *fetch = fetch_of(call);
	struct up_loop *loop = call->group->loop;
	struct up_cache *cache = loop->cache;

	if (!TAILQ_EMPTY(&fetch->waiters) || fetch->watch) {
		if (fetch->again && !fetch->asked_again && !call->error && !call->abandoned) {
			fetch->asked_again = true;
			fetch_again(fetch);
			return;
		}
		if (!call->error || !serve_stale(fetch))
			waiters_fail(fetch);
	}
	if (fetch->watch)
		watch_over(fetch);
	TAILQ_REMOVE(&cache->fetches[fetch->key.hash % UP_CACHE_CHAINS], fetch, link);
	cache->fetching--;
	loop->busy--;
	call->snapshot->held--;
	size_t size = fetch_size(fetch);

	sodium_memzero(fetch, size);
	free(fetch);
}

void up_cache_sweep(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;

	for (unsigned i = 0; cache && cache->fetching && i < UP_CACHE_CHAINS; i++) {
		struct up_cache_fetch *fetch;

		TAILQ_FOREACH(fetch, &cache->fetches[i], link)
		{
			struct up_call *call, *next;

			for (call = TAILQ_FIRST(&fetch->waiters); call; call = next) {
				next = TAILQ_NEXT(call, link);
				if (!up_call_is_abandoned(call))
					continue;
				TAILQ_REMOVE(&fetch->waiters, call, link);
				fetch->waiter_count--;
				up_call_log_as(call, &fetch->call);
				up_call_abandon(call);
			}
			if (TAILQ_EMPTY(&fetch->waiters) && !fetch->watch)
				fetch->shared.abandoned = 1; // the sweep of calls ends it
		}
	}
}
