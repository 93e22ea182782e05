// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/cache_verbs.h"

#include "gw/daemon/registry.h"
#include "gw/daemon/url_path.h"
#include "gw/os/log.h"
#include "gw/upstream/stored.h"

#include <stdio.h>
#include <stdlib.h>

#define OPTIONS_MAX 4096 // bytes of a path as options

// Adds up what workers and loops count of all routes.
static void stats_sum(const struct daemon *daemon, struct up_route_stats *sum)
{
	*sum = (struct up_route_stats){.us = 0};
	for (unsigned slot = 0; slot < route_slots_count(&daemon->route_slots); slot++) {
		for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
			up_route_stats_sum(sum, up_loop_route_stats(daemon->loop[i], slot));
		for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
			sum->cache[UP_CACHE_STAT_hits] += __atomic_load_n(
				&dp_worker_route_stats(daemon->dp, i)[slot].cache_hits,
				__ATOMIC_RELAXED);
	}
}

static void sums_show(const struct daemon *daemon, struct ctl_request *req)
{
	static const char *const names[UP_CACHE_STATS] = {
		[UP_CACHE_STAT_hits] = "hits",
		[UP_CACHE_STAT_misses] = "misses",
		[UP_CACHE_STAT_collapsed] = "collapsed",
		[UP_CACHE_STAT_validated] = "validated",
		[UP_CACHE_STAT_stale] = "stale",
		[UP_CACHE_STAT_evicted] = "evicted",
		[UP_CACHE_STAT_entries] = "entries",
		[UP_CACHE_STAT_bytes] = "bytes",
	};
	struct ctl_writer body;
	struct up_route_stats sum;

	stats_sum(daemon, &sum);
	ctl_writer_init(&body);
	ctl_write_map(&body);
	for (unsigned i = 0; i < UP_CACHE_STATS; i++)
		ctl_put_uint(&body, names[i], sum.cache[i]);
	ctl_put_uint(&body, "max_entries", daemon->conf->cache.entries);
	ctl_put_uint(&body, "max_bytes", daemon->conf->cache.memory);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

// The Uri-Path options of a path "/a/b".
static bool path_read(struct coap_body *body, uint8_t options[OPTIONS_MAX], const char *path)
{
	struct coap_writer w;
	uint8_t segment[255];
	size_t len;

	coap_writer_init(&w, options, OPTIONS_MAX);
	while (*path == '/' && path[1]) {
		path++;
		if (!url_path_read(&path, segment, sizeof(segment), &len))
			return false;
		coap_write_option(&w, COAP_OPT_URI_PATH, segment, len);
	}
	return !w.failed && coap_body_parse(body, options, coap_writer_len(&w)) == COAP_OK;
}

// ---- what is stored of a path

// "cache show PATH", while loops are asked.
struct cache_look {
	struct daemon *daemon;
	struct ctl_request *req; // NULL: the client is gone
	unsigned loop;           // that is asked
	bool asked;
	struct up_stored_ask ask;
};

static void client_gone(void *arg)
{
	struct cache_look *look = arg;
	struct ctl_request *req = look->req;

	look->req = NULL;
	ctl_request_end(req);
}

static const char *route_name(const struct daemon *daemon, uint64_t id)
{
	const struct conf *conf = daemon->snapshot->conf;

	for (size_t i = 0; i < conf->route_count; i++)
		if (conf->routes[i].cache.id == id)
			return conf->routes[i].path.text;
	return NULL;
}

static void stored_reply(const struct cache_look *look, const struct up_stored *stored)
{
	const struct registry_entry *entry = stored->private
		? registry_get(&look->daemon->registry, stored->context, stored->generation)
		: NULL;
	char code[8], query[3 * UP_STORED_QUERY + 2];
	struct ctl_writer body;

	snprintf(code, sizeof(code), "%u.%02u", stored->code >> 5, stored->code & 31);
	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_put_text(&body, "route", route_name(look->daemon, stored->route));
	ctl_put_text(&body, "method", stored->fetch ? "FETCH" : "GET");
	if (stored->query_len) {
		url_path_write(query, (const uint8_t *)stored->query, stored->query_len);
		ctl_put_text(&body, "query", query + 1); // behind the slash
	}
	if (stored->has_accept)
		ctl_put_uint(&body, "accept", stored->accept);
	ctl_put_text(&body, "device", entry ? entry->name : NULL);
	ctl_put_bool(&body, "pushed", stored->pushed);
	ctl_put_text(&body, "code", code);
	if (stored->content_format != DP_REP_NO_FORMAT)
		ctl_put_uint(&body, "format", stored->content_format);
	ctl_put_uint(&body, "bytes", stored->bytes);
	ctl_put_uint(&body, "age_ms", stored->age_ms);
	if (stored->fresh_ms != UINT64_MAX)
		ctl_put_uint(&body, "fresh_ms", stored->fresh_ms);
	ctl_put_uint(&body, "observers", stored->observers);
	ctl_write_close(&body);
	ctl_request_reply(look->req, &body, false);
}

static void look_free(struct cache_look *look)
{
	look->daemon->cache_look = NULL;
	free(look);
}

void verb_cache_show(void *arg, struct ctl_request *req, const char *path)
{
	struct daemon *daemon = arg;
	uint8_t options[OPTIONS_MAX];
	struct cache_look *look;
	struct coap_body body;

	if (!path[0]) {
		sums_show(daemon, req);
		return;
	}
	if (!path_read(&body, options, path)) {
		ctl_request_error(req, CTL_BAD_REQUEST, "path: is not the path of a URL");
		return;
	}
	look = daemon->cache_look ? NULL : calloc(1, sizeof(*look));
	if (!look) {
		ctl_request_error(req, CTL_BUSY, "another request about the cache is under way");
		return;
	}
	look->daemon = daemon;
	look->req = req;
	look->ask.path = dp_rep_path_hash(&dp_reps(daemon->dp)->paths, &body);
	daemon->cache_look = look;
	ctl_request_on_gone(req, client_gone, look);
}

// Takes the answer of a loop. The client may be found to be gone with each reply.
static void answer_take(struct cache_look *look)
{
	for (uint32_t i = 0; i < look->ask.count && look->req; i++)
		stored_reply(look, &look->ask.found[i]);
	look->asked = false;
	look->ask.from = look->ask.over ? 0 : look->ask.next;
	look->loop += look->ask.over;
}

bool cache_turn(struct daemon *daemon)
{
	struct cache_look *look = daemon->cache_look;

	if (!look)
		return false;
	if (look->asked) {
		if (!__atomic_load_n(&look->ask.done, __ATOMIC_ACQUIRE))
			return true;
		answer_take(look);
	}
	if (look->req && look->loop < daemon->conf->workers.loops) {
		look->asked = true;
		up_loop_stored(daemon->loop[look->loop], &look->ask);
		return true;
	}
	if (look->req)
		ctl_request_end(look->req);
	look_free(look);
	return false;
}

void cache_stop(struct daemon *daemon)
{
	struct cache_look *look = daemon->cache_look;

	if (!look)
		return;
	if (look->req)
		ctl_request_error(look->req, CTL_STOPPING, "the daemon is stopping");
	look_free(look);
}

// ---- purging

void verb_cache_purge(void *arg, struct ctl_request *req, const char *path)
{
	struct daemon *daemon = arg;
	struct dp_reps *reps = dp_reps(daemon->dp);
	uint8_t options[OPTIONS_MAX];
	struct ctl_writer reply;
	struct coap_body body;
	uint64_t ended = 0;

	if (path[0] && !path_read(&body, options, path)) {
		ctl_request_error(req, CTL_BAD_REQUEST, "path: is not the path of a URL");
		return;
	}
	// From here on no worker and no loop serves it, and no answer that was asked for is stored.
	if (path[0]) {
		dp_rep_epoch_raise(reps, dp_rep_epoch_index(dp_rep_path_hash(&reps->paths, &body)));
	} else {
		for (uint32_t i = 0; i < DP_REP_EPOCHS; i++)
			dp_rep_epoch_raise(reps, i);
		for (unsigned i = 0; i < daemon->conf->workers.loops; i++)
			up_loop_purge(daemon->loop[i]);
		for (unsigned i = 0; i < dp_worker_count(daemon->dp); i++)
			ended += dp_worker_observations(daemon->dp, i);
	}
	log_notice("cache: %s purged by uid %ju, %ju observers end", path[0] ? "one path" : "all",
		(uintmax_t)ctl_request_uid(req), (uintmax_t)ended);
	ctl_writer_init(&reply);
	ctl_write_map(&reply);
	ctl_put_uint(&reply, "observers", ended);
	ctl_write_close(&reply);
	ctl_request_reply(req, &reply, true);
}
