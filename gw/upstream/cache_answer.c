// SPDX-License-Identifier: BSD-3-Clause
// What a server answers becomes what is stored, or makes it fresh again.

#include "dataplane/coap/message.h"
#include "gw/map/response.h"
#include "gw/upstream/cache.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/observed.h"
#include "gw/upstream/snapshot.h"

#include <sodium.h>
#include <string.h>
#include <time.h>

#define HEAD_ROOM      4096 // bytes of the options of an answer
#define DIAGNOSTIC_MAX 1024 // bytes of one that is stored

static struct cache_settings settings_of(const struct up_call *call)
{
	const struct conf_route *route = call->route;
	struct cache_settings settings = {
		.shared = route->cache.scope == CONF_CACHE_SHARED,
		.default_ms = route->cache.default_ms,
		.max_age_max = call->group->upstream->max_age_ms / 1000,
	};

	for (size_t i = 0; i < route->header_count; i++)
		settings.authorized |= !strcasecmp(route->headers[i].name, "Authorization");
	for (size_t i = 0; i < route->upstream->header_count; i++)
		settings.authorized |=
			!strcasecmp(route->upstream->headers[i].name, "Authorization");
	return settings;
}

static struct cache_answer answer_of(
	const struct up_cache_fetch *fetch, const struct http_reply *reply)
{
	return (struct cache_answer){
		.status = reply->status,
		.cache_control = reply->field[HTTP_FIELD_CACHE_CONTROL],
		.expires = reply->field[HTTP_FIELD_EXPIRES],
		.date = reply->field[HTTP_FIELD_DATE],
		.age = reply->field[HTTP_FIELD_AGE],
		.vary = reply->field[HTTP_FIELD_VARY],
		.asked_ms = fetch->asked_ms,
		.answered_ms = fetch->call.group->loop->now_ms,
		.now = time(NULL),
	};
}

// Whether an answer may be published: nothing is known to have changed since it was asked for, no
// younger one is there, the route is still one of this loop, and so is the device that alone may
// have it: main takes its name away before it says that it is gone, and what is stored by then
// goes.
static bool is_current(const struct up_cache_fetch *fetch, const struct up_cache_entry *entry)
{
	const struct up_loop *loop = fetch->call.group->loop;
	const struct dp_request *device = &fetch->shared.request;

	return dp_rep_epoch(loop->cache->reps, fetch->epoch_index) == fetch->epoch &&
		(!entry || entry->began < fetch->began) &&
		(fetch->call.snapshot == loop->snapshot ||
			up_cache_has_route(loop, fetch->call.route->cache.id)) &&
		(fetch->call.route->cache.scope == CONF_CACHE_SHARED ||
			up_device_is_there(loop, device->context, device->context_generation));
}

static void validator_keep(char to[UP_CACHE_ETAG_MAX], const char *field)
{
	size_t len = field ? strlen(field) : 0;

	to[0] = 0;
	if (len && len < UP_CACHE_ETAG_MAX)
		memcpy(to, field, len + 1);
}

// An ETag of ours for what the backend gives none: blocks of two representations are not to be put
// together (RFC 9175 section 3.8).
void up_cache_etag_make(const struct up_loop *loop, struct dp_representation *rep)
{
	uint64_t both[2] = {
		dp_rep_hash(&loop->cache->reps->keys, dp_rep_payload(rep), rep->payload_len),
		rep->content_format};

	_Static_assert(DP_REP_ETAG_MAX == crypto_shorthash_BYTES, "an ETag of ours is a SipHash");
	crypto_shorthash(rep->etag, (const uint8_t *)both, sizeof(both), loop->config.etag_key);
	rep->etag_len = DP_REP_ETAG_MAX;
	rep->flags |= DP_REP_ETAG_OF_BLOCKS;
}

// An object of a mapped answer: its code and options, and its payload.
static struct dp_representation *object_make(const struct up_cache_fetch *fetch,
	const uint8_t *plaintext, size_t len, const uint8_t *payload, size_t payload_len)
{
	const struct up_loop *loop = fetch->call.group->loop;
	struct coap_option_iter iter;
	struct coap_option option;
	struct coap_body body;
	uint32_t format = DP_REP_NO_FORMAT;

	if (coap_body_parse(&body, plaintext + 1, len - 1) != COAP_OK || payload_len > UINT32_MAX)
		return NULL;
	if (COAP_CODE_CLASS(plaintext[0]) != 2) {
		payload = body.payload;
		payload_len = body.payload_len < DIAGNOSTIC_MAX ? body.payload_len : 0;
	}
	struct dp_representation *rep = dp_rep_make(&fetch->key, (uint32_t)payload_len);

	if (!rep)
		return NULL;
	rep->code = plaintext[0];
	rep->stored_ms = loop->now_ms;
	rep->epoch_index = fetch->epoch_index;
	rep->epoch = fetch->epoch;
	coap_option_iter_init(&iter, &body);
	while (coap_option_next(&iter, &option)) {
		if (option.number == COAP_OPT_ETAG && option.len <= DP_REP_ETAG_MAX) {
			rep->etag_len = (uint8_t)option.len;
			memcpy(rep->etag, option.value, option.len);
		} else if (option.number == COAP_OPT_CONTENT_FORMAT) {
			(void)coap_option_uint(&option, &format);
		}
	}
	rep->content_format = (uint16_t)format;
	if (payload_len)
		memcpy(rep->bytes + rep->key_len, payload, payload_len);
	if (rep->code == COAP_CONTENT && !rep->etag_len)
		up_cache_etag_make(loop, rep);
	return rep;
}

// Maps an answer that may be stored. NULL: it is an error of the mapping, or there is no memory.
static struct dp_representation *answer_map(
	struct up_cache_fetch *fetch, const struct http_reply *reply)
{
	struct up_call *call = &fetch->call;
	struct up_loop *loop = call->group->loop;
	static _Thread_local uint8_t head[HEAD_ROOM];
	struct map_response mapping = {
		.server = call->server,
		.etags = loop->etags,
		.now = time(NULL),
		.max_age_max = call->group->upstream->max_age_ms / 1000,
		.out = head,
		.room = sizeof(head),
		.head_room = sizeof(head),
		.payload_max = DIAGNOSTIC_MAX - 1,
		.scratch = loop->scratch,
		.scratch_room = sizeof(loop->scratch),
	};

	struct dp_representation *rep = NULL;

	// A 4.01 with an Echo is for one device.
	if (!map_response_build(reply, &call->flight->message, &mapping) &&
		head[0] != COAP_UNAUTHORIZED &&
		(COAP_CODE_CLASS(head[0]) != 2 || head[0] == COAP_CONTENT))
		rep = object_make(fetch, head, mapping.len, mapping.payload, mapping.payload_len);
	sodium_memzero(head, sizeof(head));
	return rep;
}

// Whether an answer says nothing of what is there, only of the server, or of how often it is asked.
static bool says_nothing(int status)
{
	return status >= 500 || status == 408 || status == 421 || status == 425 || status == 429;
}

// Whether an answer is published though it is not fresh for any request: it can be observed, and
// the backend does not say for how long it is good, or it tells who observes that nothing is there.
static bool is_told(const struct up_cache_fetch *fetch, const struct up_cache_entry *entry,
	const struct http_reply *reply, const struct cache_verdict *verdict)
{
	if (!fetch->call.route->observe.line)
		return false;
	if (verdict->why == CACHE_NOT_SAID)
		return true;
	return verdict->why == CACHE_STATUS && reply->status >= 400 && reply->status <= 499 &&
		entry && up_is_observed(fetch->call.group->loop, entry);
}

static struct up_cache_entry *fetched_publish(
	const struct up_cache_fetch *fetch, struct dp_representation *rep)
{
	const struct dp_request *device = &fetch->shared.request;
	const struct up_cache_whose whose = {
		.route = fetch->call.route,
		.route_slot = device->route_slot,
		.context = device->context,
		.generation = device->context_generation,
		.fingerprint = device->fingerprint,
	};

	return up_cache_publish(fetch->call.group->loop, &whose, &fetch->key, rep);
}

// Publishes what a server answered. NULL: it is not stored.
const struct dp_representation *up_cache_store(
	struct up_cache_fetch *fetch, const struct http_reply *reply, struct cache_verdict *verdict)
{
	struct up_loop *loop = fetch->call.group->loop;
	const struct cache_settings settings = settings_of(&fetch->call);
	const struct cache_answer answer = answer_of(fetch, reply);
	const struct dp_representation *before;
	struct up_cache_entry *entry = up_cache_find(loop->cache, &fetch->key, &before);
	struct cache_validity validity = {0};
	struct dp_representation *rep;

	*verdict = cache_decide(&settings, &answer, &validity);
	if (!is_current(fetch, entry))
		return NULL;
	// Who observes it would have to register again, all of them at once.
	if (entry && says_nothing(reply->status) && up_is_observed(loop, entry))
		return NULL;
	bool store = verdict->why == CACHE_STORE || is_told(fetch, entry, reply, verdict);

	rep = store ? answer_map(fetch, reply) : NULL;
	if (!rep) {
		// A failure says nothing about what is there.
		if (entry && !cache_is_failure(reply->status))
			up_cache_drop(loop, entry);
		return NULL;
	}
	rep->fresh_ms = verdict->fresh_ms;
	up_observed_prepare(fetch, entry, rep);
	entry = fetched_publish(fetch, rep);
	if (!entry)
		return NULL;
	entry->began = fetch->began;
	entry->validity = validity;
	entry->stale_until_ms = verdict->stale_until_ms;
	validator_keep(entry->etag, reply->field[HTTP_FIELD_ETAG]);
	validator_keep(entry->last_modified, reply->field[HTTP_FIELD_LAST_MODIFIED]);
	return rep;
}

static bool etag_is_other(const char *sent, const char *got)
{
	if (!got || !sent[0])
		return false;
	sent += strncmp(sent, "W/", 2) ? 0 : 2; // compared weakly (RFC 9110 section 13.1.2)
	got += strncmp(got, "W/", 2) ? 0 : 2;
	return strcmp(sent, got);
}

// What is stored is valid, says a 304. NULL: it is not stored any more, or is another one.
const struct dp_representation *up_cache_refresh(
	struct up_cache_fetch *fetch, const struct http_reply *reply, struct cache_verdict *verdict)
{
	struct up_loop *loop = fetch->call.group->loop;
	const struct cache_settings settings = settings_of(&fetch->call);
	const struct cache_answer answer = answer_of(fetch, reply);
	const struct dp_representation *before;
	struct up_cache_entry *entry = up_cache_find(loop->cache, &fetch->key, &before);
	struct dp_representation *rep;

	*verdict = (struct cache_verdict){.why = CACHE_STATUS};
	if (!entry || etag_is_other(entry->etag, reply->field[HTTP_FIELD_ETAG]) ||
		!is_current(fetch, entry))
		return NULL;
	struct cache_validity validity = entry->validity;

	*verdict = cache_refresh(&settings, &answer, &validity);
	bool store = verdict->why == CACHE_STORE || is_told(fetch, entry, reply, verdict);

	rep = store ? dp_rep_copy(before) : NULL;
	if (!rep) {
		up_cache_drop(loop, entry);
		return NULL;
	}
	rep->stored_ms = loop->now_ms;
	rep->fresh_ms = verdict->fresh_ms;
	rep->epoch = fetch->epoch;
	up_observed_prepare(fetch, entry, rep);
	entry = fetched_publish(fetch, rep);
	if (!entry)
		return NULL;
	entry->began = fetch->began;
	entry->validity = validity;
	entry->stale_until_ms = verdict->stale_until_ms;
	return rep;
}
