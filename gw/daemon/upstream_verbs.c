// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/upstream_verbs.h"

#include "gw/daemon/upstreams.h"

#include <string.h>

// false after the request was answered.
static bool upstream_find(
	const struct daemon *daemon, struct ctl_request *req, const char *name, size_t *index)
{
	const struct conf *conf = daemon->snapshot->conf;

	for (*index = 0; *index < conf->upstream_count; (*index)++)
		if (!strcmp(conf->upstreams[*index].name, name))
			return true;
	ctl_request_error(req, CTL_NO_SUCH_SERVER, "there is no upstream %s", name);
	return false;
}

// By its URL as it stands in the file, or by its name, "telemetry.0".
static const struct conf_server *server_find(
	const struct conf_upstream *upstream, struct ctl_request *req, const char *name)
{
	for (size_t i = 0; i < upstream->server_count; i++) {
		const struct conf_server *server = &upstream->servers[i];

		if (!strcmp(server->text, name) || !strcmp(server->name, name))
			return server;
	}
	ctl_request_error(req, CTL_NO_SUCH_SERVER,
		"upstream %s has no server %s; \"upstream show\" has their names", upstream->name,
		name);
	return NULL;
}

void verb_upstream_show(void *arg, struct ctl_request *req, const char *name)
{
	const struct daemon *daemon = arg;
	struct up_server_view view;
	size_t u;

	if (!upstream_find(daemon, req, name, &u))
		return;
	const struct conf_upstream *conf = &daemon->snapshot->conf->upstreams[u];
	for (size_t s = 0; s < conf->server_count; s++) {
		const struct up_server_slot *slot =
			up_server_slot_find(daemon->snapshot->slot[u], conf->servers[s].text);

		up_server_slot_view(slot, &view);
		const struct ctl_server_status status = {
			.name = conf->servers[s].name,
			.url = conf->servers[s].text,
			.weight = conf->servers[s].weight,
			.order = upstreams_ordered(slot),
			.health = view.down    ? "down"
				: view.ejected ? "ejected"
					       : "up",
			.in_flight = view.in_flight,
			.attempts = view.stats.stat[UP_SERVER_STAT_attempts],
			.answers = view.stats.stat[UP_SERVER_STAT_answers],
			.failures = view.stats.stat[UP_SERVER_STAT_failures],
			.latency_p50_us = up_latency_quantile(&view.stats, 500),
			.latency_p99_us = up_latency_quantile(&view.stats, 990),
		};
		ctl_list_server(req, &status);
	}
	ctl_request_end(req);
}

void verb_server_order(void *arg, struct ctl_request *req, const char *upstream, const char *name,
	enum ctl_server_order order)
{
	struct daemon *daemon = arg;
	const struct conf_server *server;
	size_t u;

	if (!upstream_find(daemon, req, upstream, &u))
		return;
	server = server_find(&daemon->snapshot->conf->upstreams[u], req, name);
	if (!server)
		return;
	upstreams_order(daemon, up_server_slot_find(daemon->snapshot->slot[u], server->text), order,
		ctl_request_uid(req));
	ctl_request_end(req);
}
