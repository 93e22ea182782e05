// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/route.h"

#include <string.h>

static bool route_matches(const struct dp_route *route, const struct coap_body *body)
{
	struct coap_option_iter iter;
	struct coap_option option;
	unsigned n = 0;

	coap_option_iter_init(&iter, body);
	while (coap_option_next(&iter, &option)) {
		if (option.number < COAP_OPT_URI_PATH)
			continue;
		if (option.number > COAP_OPT_URI_PATH)
			break;
		if (n == route->segment_count)
			return route->rest;
		const struct dp_segment *segment = &route->segments[n++];

		if (segment->text &&
			(segment->len != option.len ||
				memcmp(segment->text, option.value, option.len)))
			return false;
	}
	return n == route->segment_count;
}

int dp_route_find(const struct dp_config *config, const struct coap_body *body, uint8_t method)
{
	int verdict = DP_ROUTE_NONE;

	for (unsigned i = 0; i < config->route_count; i++) {
		if (!route_matches(&config->routes[i], body))
			continue;
		if (config->routes[i].methods & 1 << method)
			return i;
		verdict = DP_ROUTE_METHOD;
	}
	return verdict;
}
