// SPDX-License-Identifier: BSD-3-Clause
// The policy of the data plane: routes, limits of a device, and which errors are sent. Main makes
// it, workers read it at the start of each turn; it is immutable while any worker holds it. What is
// fixed at the start stands in setup.h.

#ifndef POSTERN_DATAPLANE_SHARED_POLICY_H
#define POSTERN_DATAPLANE_SHARED_POLICY_H

#include "dataplane/coap/message.h"

#include <stdbool.h>
#include <stdint.h>

enum dp_target {
	DP_TARGET_UPSTREAM, // an upstream loop forwards it
	DP_TARGET_DISCARD,  // builtin:discard, answered by the worker: 2.04
	DP_TARGET_ECHO,     // builtin:echo, answered by the worker with the request's payload
};

struct dp_segment {
	const char *text; // decoded; NULL in a route: any one segment
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

struct dp_route_index;

struct dp_policy {
	const struct dp_route *routes; // the first that matches wins
	unsigned route_count;
	const struct dp_route_index *index; // of these routes
	bool verbose_errors;                // unprotected errors are sent (RFC 8613 section 8.2)
	bool verbose_replay;                // replays get 4.01
	uint8_t max_in_flight; // requests of a device that says nothing else; 0: any number
	uint32_t rate_cost; // of a request of a device, in time of a bucket (bucket.h); 0: no limit
	uint32_t rate_fill; // of that bucket: with so many costs, that many requests come at once
};

// Makes the index by which a route is found. It reads the paths and methods of the routes now, and
// the texts of their segments as long as it lives. NULL and errno ENOMEM.
struct dp_route_index *dp_route_index_create(const struct dp_route *routes, unsigned count);
void dp_route_index_free(struct dp_route_index *index);

#define DP_PATH_MAX 64 // segments of a path

struct dp_path {
	unsigned count;
	struct dp_segment segment[DP_PATH_MAX];
};

// Adds the value of a Uri-Path option, which must live as long as the path; false if there are
// DP_PATH_MAX already.
static inline bool dp_path_add(struct dp_path *path, const struct coap_option *option)
{
	if (path->count == DP_PATH_MAX)
		return false;
	path->segment[path->count++] =
		(struct dp_segment){.text = (const char *)option->value, .len = option->len};
	return true;
}

// Collects the Uri-Path of a message. false if it has more segments.
bool dp_path_read(struct dp_path *path, const struct coap_body *body)
	__attribute__((warn_unused_result));

#define DP_ROUTE_NONE   (-1)
#define DP_ROUTE_METHOD (-2)

// Finds the route of a request: its number, DP_ROUTE_NONE, or DP_ROUTE_METHOD if a path matches but
// no route with it takes the method. How long that takes follows the number of segments, and how
// many routes differ in where they have wildcards; not how many routes there are.
int dp_route_find(const struct dp_route_index *index, const struct dp_path *path, uint8_t method);

#endif
