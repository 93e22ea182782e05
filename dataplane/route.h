// SPDX-License-Identifier: BSD-3-Clause
// What a worker reads of the configuration: routes and policies. Immutable while workers hold it.

#ifndef POSTERN_DATAPLANE_ROUTE_H
#define POSTERN_DATAPLANE_ROUTE_H

#include "dataplane/coap/message.h"

#include <stdbool.h>
#include <stdint.h>

enum dp_target {
	DP_TARGET_UPSTREAM, // an upstream loop forwards it
	DP_TARGET_DISCARD,  // builtin:discard, answered by the worker: 2.04
	DP_TARGET_ECHO,     // builtin:echo, answered by the worker with the request's payload
};

struct dp_segment {
	const char *text; // decoded; NULL: any one segment
	uint16_t len;     // bytes
};

struct dp_route {
	const struct dp_segment *segments;
	uint16_t segment_count;
	bool rest;           // any further segments match too
	uint8_t methods;     // bit 1 << code for COAP_GET .. COAP_IPATCH
	uint8_t target;      // enum dp_target
	bool low_priority;   // refused first when the worker is overloaded
	uint32_t timeout_ms; // from the receipt of the request to 5.04
};

struct dp_config {
	const struct dp_route *routes; // the first that matches wins
	unsigned route_count;
	bool verbose_errors;   // unprotected errors are sent (RFC 8613 section 8.2)
	bool verbose_replay;   // replays get 4.01
	uint8_t max_in_flight; // requests of a device that says nothing else; 0: any number
	uint32_t rate_cost; // of a request of a device, in time of a bucket (bucket.h); 0: no limit
	uint32_t rate_fill; // of that bucket: with so many costs, that many requests come at once
};

#define DP_ROUTE_NONE   (-1)
#define DP_ROUTE_METHOD (-2)

// Route of a request by its Uri-Path options: an index, DP_ROUTE_NONE, or DP_ROUTE_METHOD if a
// path matches but no route of it takes the method.
int dp_route_find(const struct dp_config *config, const struct coap_body *body, uint8_t method);

#endif
