// SPDX-License-Identifier: BSD-3-Clause

#include "gw/daemon/routes.h"

#include "dataplane/shared/bucket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static enum dp_target target_of(enum conf_target to)
{
	switch (to) {
	case CONF_TO_DISCARD:
		return DP_TARGET_DISCARD;
	case CONF_TO_ECHO:
		return DP_TARGET_ECHO;
	case CONF_TO_UPSTREAM:
		break;
	}
	return DP_TARGET_UPSTREAM;
}

int routes_make(
	struct routes *routes, const struct conf *conf, uint16_t number, struct route_slots *slots)
{
	size_t segments = 0;

	for (size_t i = 0; i < conf->route_count; i++)
		segments += conf->routes[i].path.count;
	*routes = (struct routes){
		.route = calloc(conf->route_count + 1, sizeof(*routes->route)),
		.segment = calloc(segments + 1, sizeof(*routes->segment)),
	};
	if (!routes->route || !routes->segment) {
		routes_free(routes);
		return -ENOMEM;
	}
	struct dp_segment *next = routes->segment;

	for (size_t i = 0; i < conf->route_count; i++) {
		const struct conf_route *from = &conf->routes[i];

		routes->route[i] = (struct dp_route){
			.segments = next,
			.segment_count = from->path.count,
			.rest = from->path.rest,
			.methods = from->methods,
			.target = target_of(from->target),
			.timeout_ms = from->timeout_ms,
			.low_priority = from->priority == CONF_PRIORITY_LOW,
			.slot = route_slots_get(slots, from->path.text),
		};
		for (size_t k = 0; k < from->path.count; k++, next++) {
			const struct conf_segment *segment = &from->path.segments[k];

			if (!segment->any)
				*next = (struct dp_segment){
					.text = segment->text, .len = strlen(segment->text)};
		}
	}
	routes->index = dp_route_index_create(routes->route, conf->route_count);
	if (!routes->index) {
		routes_free(routes);
		return -ENOMEM;
	}
	routes->policy = (struct dp_policy){
		.number = number,
		.index = routes->index,
		.routes = routes->route,
		.route_count = conf->route_count,
		.verbose_errors = conf->devices.errors == CONF_ERRORS_VERBOSE,
		.verbose_replay = conf->devices.replay == CONF_REPLAY_UNAUTHORIZED,
		.max_in_flight = conf->devices.max_in_flight,
		.max_message = (uint16_t)conf->devices.max_message,
	};
	if (conf->devices.rate) {
		routes->policy.rate_cost = 1000 * DP_BUCKET_PER_MS / conf->devices.rate;
		routes->policy.rate_fill = conf->devices.burst * routes->policy.rate_cost;
	}
	return 0;
}

void routes_free(struct routes *routes)
{
	dp_route_index_free(routes->index);
	free(routes->route);
	free(routes->segment);
	*routes = (struct routes){0};
}
