// SPDX-License-Identifier: BSD-3-Clause

#include "gw/conf/cached.h"

#include "base/fnv.h"
#include "dataplane/coap/message.h"
#include "gw/conf/listen.h"
#include "gw/conf/marks.h"

#include <string.h>

#define STORED_METHODS (1 << COAP_GET | 1 << COAP_FETCH)
#define CHANGE_METHODS (CONF_METHODS_ALL & ~STORED_METHODS)

bool conf_patterns_meet(const struct conf_pattern *a, const struct conf_pattern *b)
{
	size_t common = a->count < b->count ? a->count : b->count;

	if ((a->count > b->count && !b->rest) || (b->count > a->count && !a->rest))
		return false;
	for (size_t i = 0; i < common; i++)
		if (!a->segments[i].any && !b->segments[i].any &&
			strcmp(a->segments[i].text, b->segments[i].text))
			return false;
	return true;
}

bool conf_push_listens(const struct conf *conf)
{
	return conf->push.listen && strcmp(conf->push.listen, CONF_LISTEN_OFF) != 0;
}

static uint64_t text_add(uint64_t id, const char *text)
{
	return text ? fnv_add(id, text, strlen(text) + 1) : fnv_add(id, "\xff", 1);
}

static uint64_t headers_add(uint64_t id, const struct conf_header *headers, size_t count)
{
	id = fnv_add(id, &count, sizeof(count));
	for (size_t i = 0; i < count; i++) {
		id = text_add(id, headers[i].name);
		id = fnv_add(id, &headers[i].kind, sizeof(headers[i].kind));
		id = text_add(id, headers[i].value);
	}
	return id;
}

// All that an answer follows from, beside the request.
static uint64_t id_of(const struct conf_route *route)
{
	const struct conf_upstream *upstream = route->upstream;
	uint64_t id = text_add(FNV_EMPTY, route->path.text);

	id = fnv_add(id, &route->cache.scope, sizeof(route->cache.scope));
	id = fnv_add(id, &route->cache.default_ms, sizeof(route->cache.default_ms));
	id = fnv_add(id, &route->fetch, sizeof(route->fetch));
	id = fnv_add(id, &route->translate, sizeof(route->translate));
	id = fnv_add(id, &route->strip, sizeof(route->strip));
	id = text_add(id, route->prefix);
	id = text_add(id, route->host);
	for (size_t i = 0; i < route->status_count; i++) {
		id = fnv_add(id, &route->statuses[i].status, sizeof(route->statuses[i].status));
		id = fnv_add(id, &route->statuses[i].code, sizeof(route->statuses[i].code));
	}
	id = headers_add(id, route->headers, route->header_count);
	id = headers_add(id, upstream->headers, upstream->header_count);
	id = text_add(id, upstream->name);
	id = fnv_add(id, &upstream->max_age_ms, sizeof(upstream->max_age_ms));
	for (size_t i = 0; i < upstream->server_count; i++)
		id = text_add(id, upstream->servers[i].text);
	return id ? id : 1;
}

// By its path, so that all routes of a path have one, and the same after a reload.
static uint8_t home_of(const struct conf *conf, const struct conf_route *route)
{
	uint64_t loops = conf->workers.loops ? conf->workers.loops : 1;

	return (uint8_t)(1 + fnv_text(route->path.text) % loops);
}

static bool is_cached(const struct conf_route *route)
{
	return route->cache.scope != CONF_CACHE_NONE && route->upstream && route->path.text;
}

// Two routes of one path that store answers do it alike: an operator who marks one of them would
// take the other one for marked, too.
static void alike_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	for (size_t q = 0; q < r; q++) {
		const struct conf_route *other = &conf->routes[q];
		const struct conf_route *marked = is_cached(route) ? route : other;

		if (!other->path.text || strcmp(other->path.text, route->path.text) ||
			!(other->methods & STORED_METHODS) ||
			(route->cache.scope == other->cache.scope &&
				route->cache.default_ms == other->cache.default_ms))
			continue;
		conf_mistake(m, conf_mark_of(conf, &marked->cache.line),
			"routes[%zu].cache: must be the same for all routes of the path that take "
			"GET or FETCH, see line %u",
			(size_t)(marked - conf->routes),
			marked == route ? other->line : route->line);
		return;
	}
}

static void cache_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	if (!route->path.text)
		return;
	if (route->methods & STORED_METHODS)
		alike_check(conf, r, m);
	else if (route->cache.line)
		conf_mistake(m, conf_mark_of(conf, &route->cache.line),
			"routes[%zu].cache: has no use without GET or FETCH", r);
}

static bool stream_same(const struct conf_stream *a, const struct conf_stream *b)
{
	const char *event_a = a->event ? a->event : "", *event_b = b->event ? b->event : "";

	return !a->line == !b->line && a->format == b->format && a->max == b->max &&
		a->quiet_ms == b->quiet_ms && !strcmp(event_a, event_b);
}

// The same of `observe`.
static void observe_alike_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	for (size_t q = 0; q < r; q++) {
		const struct conf_route *other = &conf->routes[q];
		const struct conf_route *marked = route->observe.line ? route : other;

		if (!other->path.text || strcmp(other->path.text, route->path.text) ||
			!(other->methods & STORED_METHODS) ||
			(!route->observe.line == !other->observe.line &&
				route->observe.poll_ms == other->observe.poll_ms &&
				route->observe.push == other->observe.push &&
				stream_same(&route->observe.stream, &other->observe.stream)))
			continue;
		conf_mistake(m, conf_mark_of(conf, &marked->observe.line),
			"routes[%zu].observe: must be the same for all routes of the path that "
			"take GET or FETCH, see line %u",
			(size_t)(marked - conf->routes),
			marked == route ? other->line : route->line);
		return;
	}
}

// Whoever reaches the listener says what devices are told: beyond this machine it asks for a token.
static void push_check(const struct conf *conf, struct conf_mistakes *m)
{
	const struct conf_push *push = &conf->push;

	if (conf_push_listens(conf) && !push->token && !conf_line(conf, &push->token) &&
		!conf_listen_is_local(push->listen))
		conf_mistake(m, conf_mark_of(conf, &push->listen),
			"push.listen: needs push.token beyond loopback and a UNIX socket");
}

// Each device would have a stream alone without `shared`.
static void stream_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];
	const char *wrong = NULL;

	if (route->cache.scope == CONF_CACHE_PRIVATE)
		wrong = "needs cache: shared, else there is one for each device";
	else if (!(route->methods & 1 << COAP_GET))
		wrong = "has no use without GET, which is what is streamed";
	else if (route->translate != CONF_TRANSLATE_NONE)
		wrong = "its events are not translated, so that it has no use with translate";
	else if (route->observe.push)
		wrong = "has no use with push, which tells the same";
	if (wrong)
		conf_mistake(m, conf_mark_of(conf, &route->observe.stream.line),
			"routes[%zu].observe.stream: %s", r, wrong);
}

// Without `shared` each device would be asked for alone.
static void observe_check(const struct conf *conf, size_t r, struct conf_mistakes *m)
{
	const struct conf_route *route = &conf->routes[r];

	if (route->path.text && route->methods & STORED_METHODS)
		observe_alike_check(conf, r, m);
	if (!route->observe.line)
		return;
	if (route->cache.scope == CONF_CACHE_NONE)
		conf_mistake(m, conf_mark_of(conf, &route->observe.line),
			"routes[%zu].observe: needs cache, too", r);
	else if (route->observe.poll_ms && route->cache.scope != CONF_CACHE_SHARED)
		conf_mistake(m, conf_mark_of(conf, &route->observe.line),
			"routes[%zu].observe.poll: needs cache: shared, else it is asked for each "
			"device",
			r);
	if (route->observe.push && !(route->methods & 1 << COAP_GET))
		conf_mistake(m, conf_mark_of(conf, &route->observe.line),
			"routes[%zu].observe.push: has no use without GET, which is what is pushed",
			r);
	if (route->observe.push && !conf_push_listens(conf))
		conf_mistake(m, conf_mark_of(conf, &route->observe.line),
			"routes[%zu].observe.push: needs push.listen, where services push", r);
	if (route->observe.stream.line)
		stream_check(conf, r, m);
}

// What a route changes may be what others have stored.
static void meetings_find(const struct conf *conf, struct conf_route *route)
{
	for (size_t q = 0; q < conf->route_count; q++) {
		const struct conf_route *other = &conf->routes[q];

		if (!is_cached(other) || !conf_patterns_meet(&other->path, &route->path))
			continue;
		route->invalidates = route->methods & CHANGE_METHODS;
		if (!route->home)
			route->home = home_of(conf, other);
		return;
	}
}

void conf_cached_check(struct conf *conf, struct conf_mistakes *m)
{
	push_check(conf, m);
	for (size_t r = 0; r < conf->route_count; r++) {
		struct conf_route *route = &conf->routes[r];

		cache_check(conf, r, m);
		observe_check(conf, r, m);
		if (!is_cached(route))
			continue;
		route->cache.id = id_of(route);
		route->home = home_of(conf, route);
	}
	for (size_t r = 0; r < conf->route_count; r++)
		if (conf->routes[r].path.text && conf->routes[r].upstream)
			meetings_find(conf, &conf->routes[r]);
}
