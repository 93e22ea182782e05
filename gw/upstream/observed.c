// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/observed.h"

#include "dataplane/shared/change.h"
#include "gw/http/timers.h"
#include "gw/upstream/snapshot.h"

#define LEAST_MS     1000 // between two requests for one entry
#define TOLD_MS      2000 // that observers are told it is good for, so that a whole second is left
#define LOOKS_PER_MS 512  // entries for each of which a change is noticed that much later

const struct conf_route *up_observed_route(const struct up_loop *loop, uint64_t id, uint8_t code)
{
	const struct conf *conf = loop->snapshot->conf;

	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].cache.id == id && conf->routes[i].methods & 1u << code &&
			conf->routes[i].home == loop->config.loop + 1)
			return &conf->routes[i];
	return NULL;
}

void up_observed_prepare(const struct up_cache_fetch *fetch, const struct up_cache_entry *entry,
	struct dp_representation *rep)
{
	const struct up_loop *loop = fetch->call.group->loop;
	const struct conf_route *route = fetch->call.route;

	if (!route->observe.line)
		return;
	rep->observe_ms = rep->fresh_ms;
	// The backend says nothing, or that each answer is to be validated, which this one was.
	if (rep->fresh_ms <= loop->now_ms)
		rep->observe_ms = loop->now_ms + loop->snapshot->conf->observe.max_age_ms;
	// It is asked for again within that time, but Max-Age is in whole seconds.
	else if (rep->observe_ms < loop->now_ms + TOLD_MS)
		rep->observe_ms = loop->now_ms + TOLD_MS;
	rep->refresh_ms = route->observe.poll_ms;
	if (entry && entry->stream && entry->stream->open)
		rep->observe_ms = UINT64_MAX; // its service would tell of another one
}

// When an entry is asked for again, should nothing change before: as the route says, and before
// what was said of it ends.
static uint64_t check_at(const struct up_loop *loop, const struct up_cache_entry *entry,
	const struct conf_route *route, const struct dp_representation *rep)
{
	if (route->cache.scope != CONF_CACHE_SHARED)
		return UINT64_MAX; // each device would be asked for alone
	if (entry->stream && entry->stream->open)
		return UINT64_MAX;
	uint64_t left = rep->observe_ms > loop->now_ms ? rep->observe_ms - loop->now_ms : 0;
	// What the service gave by itself needs no answer before it is over.
	uint64_t wait = entry->given ? left : left / 2;

	if (route->observe.poll_ms && route->observe.poll_ms < wait)
		wait = route->observe.poll_ms;
	if (wait < LEAST_MS)
		wait = LEAST_MS;
	return loop->now_ms + wait;
}

bool up_is_observed(const struct up_loop *loop, const struct up_cache_entry *entry)
{
	return dp_rep_pins(loop->cache->table, entry->slot);
}

void up_observed_published(struct up_loop *loop, struct up_cache_entry *entry, bool is_new)
{
	struct up_cache *cache = loop->cache;
	const struct dp_representation *rep = dp_rep_at(cache->table, entry->slot);
	const struct conf_route *route =
		rep ? up_observed_route(loop, entry->route, dp_rep_key_code(rep->bytes)) : NULL;

	if (!route || !route->observe.line)
		return;
	if (is_new)
		dp_change_tell(cache->table, entry->slot, loop->config.upstream);
	entry->check_ms = check_at(loop, entry, route, rep);
	if (entry->watched)
		return;
	entry->watched = true;
	TAILQ_INSERT_TAIL(&cache->watched, entry, of_watched);
}

void up_observed_forget(struct up_loop *loop, struct up_cache_entry *entry)
{
	// Maybe from within what the stream itself tells: it ends in the next turn.
	if (entry->stream) {
		entry->stream->entry = NULL;
		entry->stream = NULL;
		loop->cache->streams_ms = 0;
	}
	if (!entry->watched)
		return;
	TAILQ_REMOVE(&loop->cache->watched, entry, of_watched);
	entry->watched = false;
}

void up_observed_changed(struct up_loop *loop)
{
	struct up_cache *cache = loop->cache;

	if (!cache || TAILQ_EMPTY(&cache->watched))
		return;
	// The more is stored, the longer a look takes.
	cache->look_ms = http_earlier(cache->look_ms,
		cache->looked_ms + UP_WATCH_CHANGED_MS + cache->count / LOOKS_PER_MS);
}
