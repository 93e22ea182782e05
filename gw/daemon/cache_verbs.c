// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/cache_verbs.h"

#include "gw/daemon/url_path.h"
#include "gw/os/log.h"

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

void verb_cache_show(void *arg, struct ctl_request *req)
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
	const struct daemon *daemon = arg;
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

void verb_cache_purge(void *arg, struct ctl_request *req, const char *path)
{
	struct daemon *daemon = arg;
	struct dp_reps *reps = dp_reps(daemon->dp);
	uint8_t options[OPTIONS_MAX];
	struct coap_body body;

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
	}
	log_notice("cache: %s purged", path[0] ? "one path" : "all");
	ctl_request_end(req);
}
