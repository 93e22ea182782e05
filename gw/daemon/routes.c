// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/routes.h"

#include "dataplane/shared/bucket.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum dp_target target_of(enum conf_target to)
{
	switch (to) {
	case CONF_TO_DISCARD:
		return DP_TARGET_DISCARD;
	case CONF_TO_ECHO:
		return DP_TARGET_ECHO;
	case CONF_TO_CORE:
		return DP_TARGET_CORE;
	case CONF_TO_UPSTREAM:
		break;
	}
	return DP_TARGET_UPSTREAM;
}

// Writes the segments of a pattern to *next, and moves that behind them.
static const struct dp_segment *segments_make(
	struct dp_segment **next, const struct conf_pattern *pattern)
{
	const struct dp_segment *first = *next;

	for (size_t k = 0; k < pattern->count; k++, (*next)++) {
		const struct conf_segment *segment = &pattern->segments[k];

		if (!segment->any)
			**next = (struct dp_segment){
				.text = segment->text, .len = strlen(segment->text)};
	}
	return first;
}

// Writes which Content-Formats a route takes, as a diagnostic.
static const char *formats_say(const struct conf_route *route, char say[ROUTES_SAY_MAX])
{
	int len = snprintf(say, ROUTES_SAY_MAX, "Content-Format ");

	for (size_t i = 0; i < route->format_count; i++)
		len += snprintf(say + len, ROUTES_SAY_MAX - len, "%s%u",
			!i                                    ? ""
				: i + 1 < route->format_count ? ", "
							      : " or ",
			route->formats[i]);
	snprintf(say + len, ROUTES_SAY_MAX - len, " only");
	return say;
}

_Static_assert(
	sizeof("Content-Format  or  only") + CONF_FORMATS_MAX * sizeof("65535,") <= ROUTES_SAY_MAX,
	"all formats of a route fit");

static int index_make(struct routes *routes, const struct conf *conf, struct route_slots *slots)
{
	size_t segments = 0, saying = 0;

	for (size_t i = 0; i < conf->route_count; i++) {
		segments += conf->routes[i].path.count;
		saying += conf->routes[i].format_count > 0;
	}
	routes->say = calloc(saying + 1, sizeof(*routes->say));
	routes->route = calloc(conf->route_count + 1, sizeof(*routes->route));
	routes->segment = calloc(segments + 1, sizeof(*routes->segment));
	if (!routes->route || !routes->segment || !routes->say)
		return -ENOMEM;
	saying = 0;
	struct dp_segment *next = routes->segment;

	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_route *from = &conf->routes[i];

		routes->route[i] = (struct dp_route){
			.segments = segments_make(&next, &from->path),
			.segment_count = from->path.count,
			.rest = from->path.rest,
			.methods = from->methods,
			.target = target_of(from->target),
			.timeout_ms = from->timeout_ms,
			.fresh_ms = from->fresh_ms,
			.low_priority = from->priority == CONF_PRIORITY_LOW,
			.slot = route_slots_get(slots, from->path.text),
			.formats = from->formats,
			.format_count = from->format_count,
			.cache_id = from->cache.id,
			.cache_shared = from->cache.scope == CONF_CACHE_SHARED,
			.observe = from->observe.line,
			.home = from->home,
		};
		if (from->format_count)
			routes->route[i].formats_say = formats_say(from, routes->say[saying++]);
	}
	routes->index = dp_route_index_create(routes->route, conf->route_count);
	return routes->index ? 0 : -ENOMEM;
}

// The entries of a policy, as if they were routes.
static const struct dp_route_index *permit_make(
	const struct conf_policy *policy, struct dp_segment **next)
{
	struct dp_route route[CONF_PERMITS_MAX];

	for (size_t i = 0; i < policy->allow_count; i++) {
		const struct conf_permit *from = &policy->allow[i];

		route[i] = (struct dp_route){
			.segments = segments_make(next, &from->path),
			.segment_count = from->path.count,
			.rest = from->path.rest,
			.methods = from->methods,
		};
	}
	return dp_route_index_create(route, policy->allow_count);
}

static int permits_make(struct routes *routes, const struct conf *conf)
{
	unsigned count = 1; // the first is of devices without a policy, and never looked at
	size_t segments = 0;

	for (size_t p = 0; p < conf->policy_count; p++) {
		const struct conf_policy *policy = &conf->policies[p];

		if (policy->number >= count)
			count = policy->number + 1u;
		for (size_t i = 0; i < policy->allow_count; i++)
			segments += policy->allow[i].path.count;
	}
	routes->permit = calloc(count, sizeof(*routes->permit));
	routes->permit_segment = calloc(segments + 1, sizeof(*routes->permit_segment));
	if (!routes->permit || !routes->permit_segment)
		return -ENOMEM;
	routes->policy.permit = routes->permit;
	routes->policy.permit_count = count;
	struct dp_segment *next = routes->permit_segment;

	for (size_t p = 0; p < conf->policy_count; p++) {
		const struct dp_route_index *index = permit_make(&conf->policies[p], &next);

		if (!index)
			return -ENOMEM;
		routes->permit[conf->policies[p].number] = index;
	}
	return 0;
}

static struct dp_policy policy_of(
	const struct routes *routes, const struct conf *conf, uint16_t number)
{
	struct dp_policy policy = {
		.number = number,
		.index = routes->index,
		.routes = routes->route,
		.route_count = conf->route_count,
		.verbose_errors = conf->devices.errors == CONF_ERRORS_VERBOSE,
		.verbose_replay = conf->devices.replay == CONF_REPLAY_UNAUTHORIZED,
		.max_in_flight = conf->devices.max_in_flight,
		.observe_per_device = conf->observe.per_device,
		.observe_confirm = conf->observe.confirm,
		.observe_burst = conf->observe.burst,
		.observe_max_age_s = conf->observe.max_age_ms / 1000,
		.max_message = (uint16_t)conf->devices.max_message,
		.permit = routes->policy.permit,
		.permit_count = routes->policy.permit_count,
		.pass = routes->pass,
	};

	if (conf->devices.rate) {
		policy.rate_cost = 1000 * DP_BUCKET_PER_MS / conf->devices.rate;
		policy.rate_fill = conf->devices.burst * policy.rate_cost;
	}
	return policy;
}

int routes_make(
	struct routes *routes, const struct conf *conf, uint16_t number, struct route_slots *slots)
{
	*routes = (struct routes){.route = NULL};
	int rc = index_make(routes, conf, slots);

	if (!rc)
		rc = permits_make(routes, conf);
	if (!rc)
		rc = passes_make(conf, slots, &routes->pass);
	if (rc)
		routes_free(routes);
	else
		routes->policy = policy_of(routes, conf, number);
	return rc;
}

void routes_free(struct routes *routes)
{
	for (unsigned i = 0; i < routes->policy.permit_count; i++)
		dp_route_index_free((struct dp_route_index *)routes->permit[i]);
	dp_pass_table_free(routes->pass);
	free(routes->permit);
	free(routes->permit_segment);
	dp_route_index_free(routes->index);
	free(routes->route);
	free(routes->segment);
	free(routes->say);
	*routes = (struct routes){0};
}
