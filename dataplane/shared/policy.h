// SPDX-License-Identifier: BSD-3-Clause
// The policy of the data plane: routes, limits of a device, and which errors are sent. Main makes
// it, workers read it at the start of each turn; it is immutable while any worker holds it. What is
// fixed at the start stands in setup.h.

#ifndef POSTERN_DATAPLANE_SHARED_POLICY_H
#define POSTERN_DATAPLANE_SHARED_POLICY_H

#include "dataplane/coap/message.h"

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum dp_target {
	DP_TARGET_UPSTREAM, // an upstream loop forwards it
	DP_TARGET_DISCARD,  // builtin:discard, answered by the worker: 2.04
	DP_TARGET_CORE,     // builtin:core, an upstream loop answers it; no body comes in blocks
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
	uint16_t slot;       // where it is counted (route_stats.h)
	uint32_t timeout_ms; // from the receipt of the request to 5.04
	uint32_t fresh_ms;   // age of the Echo that a request needs (RFC 9175); 0: it needs none
	const uint16_t *formats; // Content-Formats that payloads may have
	uint16_t format_count;   // 0: any
	const char *formats_say; // the diagnostic of 4.15
	uint64_t cache_id; // its answers to GET and FETCH are stored under this number; 0: not
	bool cache_shared; // one answer is every device's; else each has its own
	bool observe;      // devices may observe it: it has a cache_id, too
	uint8_t home;      // which loop has all its requests, and 1; 0: that of the device
};

struct dp_pass_table;
struct dp_route_index;

struct dp_policy {
	uint16_t number; // of the configuration that it is of; requests and access records have it
	const struct dp_route *routes; // the first that matches wins
	unsigned route_count;
	const struct dp_route_index *index; // of these routes
	bool verbose_errors;                // unprotected errors are sent (RFC 8613 section 8.2)
	bool verbose_replay;                // replays get 4.01
	uint8_t max_in_flight; // requests of a device that says nothing else; 0: any number
	uint16_t max_message;  // bytes of CoAP to such a device; 0: DP_MESSAGE_DEFAULT
	uint32_t rate_cost; // of a request of a device, in time of a bucket (bucket.h); 0: no limit
	uint32_t rate_fill; // of that bucket: with so many costs, that many requests come at once
	// Of observers (RFC 7641):
	uint8_t observe_per_device; // registrations of a device
	uint8_t observe_confirm;    // each notification of so many is confirmable
	uint8_t observe_burst;      // notifications that a worker makes in a turn
	uint32_t observe_max_age_s; // what is said where the backend says nothing
	// What devices may use, by dp_context.permit: the paths and methods of routes. Each is NULL
	// where nothing may be used.
	const struct dp_route_index *const *permit;
	unsigned permit_count;
	const struct dp_pass_table *pass; // what is passed through; NULL: nothing
};

#define DP_PERMIT_ALL     0                // dp_context.permit: everything may be used
#define DP_PERMIT_NOTHING UINT16_MAX       // no policy has this number
#define DP_PERMIT_OVER    (UINT16_MAX - 1) // nor this: nothing more, and the device is told 4.01

// What a device whose context says `permit` may use: everything if it is DP_PERMIT_ALL, else what a
// route of *index takes; false: nothing, also of what the policy does not know.
static inline bool dp_permit_find(
	const struct dp_policy *policy, uint16_t permit, const struct dp_route_index **index)
{
	*index = permit < policy->permit_count ? policy->permit[permit] : NULL;
	return permit == DP_PERMIT_ALL || *index;
}

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

// A segment as the index compares it: up to DP_SEGMENT_SHORT bytes and zeros behind them in two
// words, little-endian, and how many bytes that are in the highest byte of the second. Segments of
// so many bytes are the same if, and only if, their keys are.
struct dp_segment_key {
	uint64_t word[2];
};

#define DP_SEGMENT_SHORT 15
#define DP_SEGMENT_OVER  8 // bytes that dp_segment_key_read() may read behind a segment

// Makes the key of a segment of 1 to DP_SEGMENT_SHORT bytes; up to DP_SEGMENT_OVER bytes behind it
// are read, and play no part.
static inline struct dp_segment_key dp_segment_key_read(const uint8_t *segment, unsigned len)
{
	unsigned first = len < 8 ? len : 8;
	uint64_t word[2];

	memcpy(&word[0], segment, 8);
	memcpy(&word[1], segment + (len < 8 ? 0 : 8), 8); // within 8 bytes behind it
	return (struct dp_segment_key){{
		le64toh(word[0]) & UINT64_MAX >> (64 - 8 * first),
		(le64toh(word[1]) & ((UINT64_C(1) << 8 * (len - first)) - 1)) | (uint64_t)len << 56,
	}};
}

#define DP_ROUTE_NONE   (-1)
#define DP_ROUTE_METHOD (-2)

// Finds the route of a request: its number, DP_ROUTE_NONE, or DP_ROUTE_METHOD if a path matches but
// no route with it takes the method. How long that takes follows the number of segments, and how
// many routes differ in where they have wildcards; not how many routes there are.
int dp_route_find(const struct dp_route_index *index, const struct dp_path *path, uint8_t method);
// The same for a path of so many short segments, at most DP_PATH_MAX.
int dp_route_find_short(const struct dp_route_index *index, const struct dp_segment_key *path,
	unsigned count, uint8_t method);

#endif
