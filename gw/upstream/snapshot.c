// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/snapshot.h"

#include "gw/os/tls_files.h"
#include "gw/upstream/cache.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRIES_LEAST 10 // that a budget which is not 0 allows at once

// What an upstream needs to go on.
struct group_next {
	struct up_group *group;
	bool is_new;                       // group
	struct http_engine *engine;        // a new one, or NULL and
	struct http_engine_change *change; // what changes of the one that it has
	uint32_t engine_id;
	bool http2;
	const struct conf_upstream *upstream;
	struct up_servers *servers;
	struct up_checks *checks; // NULL: none, or another loop's
	bool follows;
	uint32_t max_inflight;
	uint64_t retry_tokens_max;
};

struct up_next {
	struct up_snapshot *snapshot;
	struct up_batches *batches; // NULL: the loop has some, or needs none
	struct up_engine *engines;  // room for those of before and the new ones
	struct group_next group[];  // one an upstream
};

const struct conf_route *up_snapshot_route(
	const struct up_snapshot *snapshot, const struct dp_request *request)
{
	const struct conf *conf = snapshot->conf;

	if (request->pass)
		return request->route < conf->pass_count ? &conf->passes[request->route].route
							 : NULL;
	return request->route < conf->route_count ? &conf->routes[request->route] : NULL;
}

// ---- preparing an upstream

// This loop's part of a limit of the upstream.
static uint32_t limit_share(const struct up_loop *loop, uint32_t limit)
{
	return (limit + loop->config.loops - 1) / loop->config.loops;
}

// Says better than OpenSSL what is wrong with a file.
static int files_check(const struct conf_upstream *upstream, struct error *error)
{
	struct error wrong;
	char *const *path;
	int rc = tls_files_check(&upstream->tls, &path, &wrong);

	return rc ? error_set(error, rc, "upstream %s: %s", upstream->name, wrong.text) : 0;
}

static struct up_group *group_find(const struct up_loop *loop, const struct up_slot *slot)
{
	struct up_group *group;

	TAILQ_FOREACH(group, &loop->groups, link)
	if (group->slot == slot)
		return group;
	return NULL;
}

static struct up_group *group_make(struct up_loop *loop, struct up_slot *slot)
{
	struct up_group *group = calloc(1, sizeof(*group));

	if (!group)
		return NULL;
	group->loop = loop;
	group->slot = slot;
	group->stat = slot->loop[loop->config.loop].stat;
	TAILQ_INIT(&group->waiting);
	TAILQ_INIT(&group->waiting_parts);
	return group;
}

static int engine_prepare(struct up_loop *loop, struct group_next *next)
{
	const struct conf_upstream *upstream = next->upstream;
	struct http_engine *now = next->group->engine;
	struct http_engine_config config = {
		.upstream = upstream,
		.epoll = loop->epoll,
		.max_connections = limit_share(loop, upstream->max_connections),
		.checks = upstream->check.path ? (uint32_t)upstream->server_count : 0,
	};

	// All servers of an upstream are HTTP/2, or none is.
	next->http2 = upstream->servers[0].http2;
	if (now && next->group->http2 == next->http2)
		return now->ops->prepare(now, &config, &next->change);
	if (loop->next_engine_id >= UP_ENGINE_NONE)
		return -ENOSPC;
	config.id = next->engine_id = loop->next_engine_id++;
	return next->http2 ? http_engine_h2_create(&config, &next->engine)
			   : http_engine_h1_create(&config, &next->engine);
}

static int servers_prepare(struct up_loop *loop, const struct up_snapshot *snapshot,
	struct group_next *next, const struct up_slot *slot)
{
	const struct conf_upstream *upstream = next->upstream;
	uint64_t budget;

	next->servers = up_servers_create(upstream, next->group->slot, loop->config.loop);
	if (!next->servers)
		return -ENOMEM;
	next->follows =
		upstream->check.path && slot->number % loop->config.loops != loop->config.loop;
	if (upstream->check.path && !next->follows) {
		next->checks = up_checks_create(next->group, upstream, snapshot->headers);
		if (!next->checks)
			return -ENOMEM;
	}
	next->max_inflight = limit_share(loop, upstream->max_inflight);
	budget = (uint64_t)next->max_inflight * upstream->retries.budget;
	// Enough for all that a server takes with it.
	next->retry_tokens_max = upstream->retries.budget && budget < RETRIES_LEAST * 100
		? RETRIES_LEAST * 100
		: budget;
	return 0;
}

static int group_prepare(struct up_loop *loop, const struct up_snapshot *snapshot,
	const struct conf_upstream *upstream, struct group_next *next, struct error *error)
{
	struct up_slot *slot = up_slot_find(loop->config.slots, upstream->name);
	int rc = files_check(upstream, error);

	if (rc)
		return rc;
	next->upstream = upstream;
	next->group = group_find(loop, slot);
	next->is_new = !next->group;
	if (next->is_new)
		next->group = group_make(loop, slot);
	rc = next->group ? engine_prepare(loop, next) : -ENOMEM;
	if (!rc)
		rc = servers_prepare(loop, snapshot, next, slot);
	if (rc)
		error_set(error, rc, "upstream %s: %s", upstream->name,
			rc == -EINVAL ? "tls: the files cannot be used" : strerror(-rc));
	return rc;
}

static void group_discard(struct group_next *next)
{
	if (!next->group)
		return;
	if (next->engine)
		next->engine->ops->free(next->engine);
	if (next->change)
		next->group->engine->ops->discard(next->change);
	up_checks_free(next->checks);
	free(next->servers);
	if (next->is_new)
		free(next->group);
}

// ---- preparing all

static void snapshot_free(struct up_snapshot *snapshot)
{
	if (!snapshot)
		return;
	up_collectors_free(snapshot);
	up_headers_free(snapshot->headers);
	free(snapshot->group);
	free(snapshot->route_ids);
	free(snapshot);
}

void up_snapshot_discard(struct up_next *next)
{
	if (!next)
		return;
	for (size_t i = 0; next->snapshot && i < next->snapshot->conf->upstream_count; i++)
		group_discard(&next->group[i]);
	up_batches_free(next->batches);
	snapshot_free(next->snapshot);
	free(next->engines);
	free(next);
}

static struct up_next *next_make(
	const struct up_loop *loop, const struct conf *conf, uint16_t number)
{
	size_t count = conf->upstream_count;
	struct up_next *next = calloc(1, sizeof(*next) + count * sizeof(next->group[0]));

	if (!next)
		return NULL;
	next->engines = calloc(loop->engine_count + count + 1, sizeof(next->engines[0]));
	next->snapshot = calloc(1, sizeof(*next->snapshot));
	if (next->snapshot) {
		TAILQ_INIT(&next->snapshot->collectors);
		next->snapshot->conf = conf;
		next->snapshot->number = number;
		next->snapshot->group = calloc(count + 1, sizeof(next->snapshot->group[0]));
		next->snapshot->route_ids = up_lost_ids(conf);
	}
	if (next->engines && next->snapshot && next->snapshot->group && next->snapshot->route_ids)
		return next;
	up_snapshot_discard(next);
	return NULL;
}

int up_snapshot_prepare(struct up_loop *loop, const struct conf *conf, uint16_t number,
	struct up_next **out, struct error *error)
{
	struct up_next *next = next_make(loop, conf, number);

	if (!next)
		return error_set(error, -ENOMEM, "upstreams: %s", strerror(ENOMEM));
	struct up_snapshot *snapshot = next->snapshot;
	int rc = up_headers_create(conf, &snapshot->headers, error);

	for (size_t i = 0; !rc && i < conf->upstream_count; i++) {
		rc = group_prepare(loop, snapshot, &conf->upstreams[i], &next->group[i], error);
		snapshot->group[i] = next->group[i].group;
	}
	if (!rc && up_batches_wanted(conf)) {
		if (!loop->batches)
			next->batches = up_batches_make();
		if ((!loop->batches && !next->batches) || up_collectors_make(loop, snapshot))
			rc = error_set(error, -ENOMEM, "upstreams: %s", strerror(ENOMEM));
	}
	if (rc) {
		up_snapshot_discard(next);
		return rc;
	}
	*out = next;
	return 0;
}

// ---- installing

struct http_engine *up_engine_of(const struct up_loop *loop, uint32_t id)
{
	size_t low = 0, high = loop->engine_count;

	while (low < high) {
		size_t at = (low + high) / 2;

		if (loop->engines[at].id == id)
			return loop->engines[at].engine;
		if (loop->engines[at].id < id)
			low = at + 1;
		else
			high = at;
	}
	return NULL;
}

// Ids only rise, so the new ones come last.
static void engine_add(struct up_loop *loop, const struct group_next *next)
{
	loop->engines[loop->engine_count++] = (struct up_engine){
		.id = next->engine_id, .engine = next->engine, .group = next->group};
}

static void group_install(struct up_loop *loop, struct group_next *next)
{
	struct up_group *group = next->group;

	if (next->is_new)
		TAILQ_INSERT_TAIL(&loop->groups, group, link);
	if (next->engine) { // the one of before goes on until all is settled
		engine_add(loop, next);
		group->engine = next->engine;
	} else {
		group->engine->ops->apply(group->engine, next->change);
	}
	group->http2 = next->http2;
	group->upstream = next->upstream;
	up_servers_inherit(next->servers, group->servers);
	free(group->servers);
	group->servers = next->servers;
	group->servers_version++;
	if (group->checks) {
		up_checks_stop(group->checks);
		if (next->checks)
			up_checks_inherit(next->checks, group->checks, next->servers);
		up_checks_free(group->checks);
	}
	group->checks = next->checks;
	group->follows = next->follows;
	group->max_inflight = next->max_inflight;
	if (next->is_new || group->retry_tokens > next->retry_tokens_max)
		group->retry_tokens = next->retry_tokens_max;
	group->retry_tokens_max = next->retry_tokens_max;
	group->gone = false;
}

// It ends what it has, and gets nothing new.
static void group_leave(struct up_group *group)
{
	if (group->checks)
		up_checks_stop(group->checks);
	up_checks_free(group->checks);
	group->checks = NULL;
	group->follows = false;
}

void up_snapshot_install(struct up_loop *loop, struct up_next *next)
{
	size_t count = next->snapshot->conf->upstream_count;
	struct up_group *group;

	up_streams_again(loop);
	if (loop->engine_count)
		memcpy(next->engines, loop->engines, loop->engine_count * sizeof(loop->engines[0]));
	free(loop->engines);
	loop->engines = next->engines;
	if (next->batches)
		loop->batches = next->batches;
	TAILQ_FOREACH(group, &loop->groups, link)
	group->gone = true;
	for (size_t i = 0; i < count; i++)
		group_install(loop, &next->group[i]);
	TAILQ_FOREACH(group, &loop->groups, link)
	if (group->gone)
		group_leave(group);
	loop->before = loop->snapshot;
	loop->snapshot = next->snapshot;
	if (loop->before) {
		up_collectors_inherit(loop->snapshot, loop->before);
		up_bodies_routes_gone(loop);
		up_cache_routes_gone(loop);
	}
	free(next);
}

// ---- settling

// An engine goes when its group does, or has another one.
static void engines_settle(struct up_loop *loop)
{
	size_t kept = 0;

	for (size_t i = 0; i < loop->engine_count; i++) {
		const struct up_engine *e = &loop->engines[i];

		if (e->group->gone || e->group->engine != e->engine) {
			if (e->group->engine == e->engine)
				e->group->engine = NULL;
			e->engine->ops->free(e->engine);
			continue;
		}
		e->engine->ops->settle(e->engine);
		loop->engines[kept++] = *e;
	}
	loop->engine_count = kept;
}

void up_snapshot_settle(struct up_loop *loop)
{
	struct up_group *group, *next;

	engines_settle(loop);
	up_collectors_settle(loop->before);
	for (group = TAILQ_FIRST(&loop->groups); group; group = next) {
		next = TAILQ_NEXT(group, link);
		if (!group->gone)
			continue;
		TAILQ_REMOVE(&loop->groups, group, link);
		free(group->servers);
		free(group);
	}
	snapshot_free(loop->before);
	loop->before = NULL;
	up_bodies_routes_gone(loop); // of requests that came since
}

void up_snapshots_free(struct up_loop *loop)
{
	struct up_group *group;

	for (size_t i = 0; i < loop->engine_count; i++)
		loop->engines[i].engine->ops->free(loop->engines[i].engine);
	while ((group = TAILQ_FIRST(&loop->groups))) {
		TAILQ_REMOVE(&loop->groups, group, link);
		up_checks_free(group->checks);
		free(group->servers);
		free(group);
	}
	snapshot_free(loop->before);
	snapshot_free(loop->snapshot);
	up_batches_free(loop->batches);
	free(loop->engines);
}
