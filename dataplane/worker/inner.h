// SPDX-License-Identifier: BSD-3-Clause
// Reads the inner message of a request: its options are checked, and its path finds the route.
// There are two ways that agree: one that takes every message, and one that takes those of the
// usual shape in a single pass.

#ifndef POSTERN_DATAPLANE_WORKER_INNER_H
#define POSTERN_DATAPLANE_WORKER_INNER_H

#include "dataplane/shared/context.h"
#include "dataplane/shared/policy.h"

#define DP_INNER_OPTIONS_MAX 64 // paths and queries have an option for each segment

enum dp_observe_option {
	DP_OBSERVE_NONE, // also what RFC 7641 gives no meaning
	DP_OBSERVE_REGISTER,
	DP_OBSERVE_CANCEL,
};

// What the worker itself must know of the options.
struct request_options {
	uint8_t no_response;
	bool has_content_format;
	bool has_block1;
	bool more_blocks; // of the request
	bool has_echo;
	bool later_block; // of the answer
	uint8_t observe;  // enum dp_observe_option
	uint8_t szx;      // of the blocks that it asks for; DP_SZX_NONE: does not say
	uint32_t content_format;
};

#define DP_SZX_NONE 7

struct dp_inner {
	uint8_t code;
	int route;      // as dp_route_find() says
	bool forbidden; // the device may not use this path with this method
	struct request_options options;
	struct coap_body body; // into the plaintext
};

// What a request is compared with.
struct dp_inner_rules {
	const struct dp_route_index *routes;
	const struct dp_route_index *permit; // what the device may use; NULL: whatever there is
	bool closed;                         // it may use nothing
};

// The rules for a device. Its context may change meanwhile: they are for one request.
static inline struct dp_inner_rules dp_inner_rules_of(
	const struct dp_policy *policy, const struct dp_context *ctx)
{
	struct dp_inner_rules rules = {.routes = policy->index};
	uint16_t permit = dp_context_permit(ctx);

	if (unlikely(permit != DP_PERMIT_ALL))
		rules.closed = !dp_permit_find(policy, permit, &rules.permit);
	return rules;
}

// What to do with a request; code 0: go on.
struct request_verdict {
	uint8_t code;
	const char *diagnostic;
	bool silent;    // answer nothing
	bool malformed; // what it asks for is not known
};

// Reads a plaintext: code, options and payload, at least the code. `outer` is the message that it
// came in, of this type. On a verdict with a code the options are those that were read, and the
// route is not set.
struct request_verdict dp_inner_read(struct dp_inner *inner, const struct dp_inner_rules *rules,
	const struct coap_body *outer, uint8_t type, const uint8_t *plaintext, uint16_t len);

#define DP_INNER_OVER \
	DP_SEGMENT_OVER // bytes that dp_inner_read_usual() may read behind the plaintext

// The same for the usual shape: a method that is known; nothing outside but the OSCORE option; a
// short path of plain segments, and few other options, none of which asks anything of the worker.
// Returns whether it has this shape, and then the other way would say the same and to go on; else
// *inner is undefined. DP_INNER_OVER bytes behind the plaintext are readable (the tag is there).
bool dp_inner_read_usual(struct dp_inner *inner, const struct dp_inner_rules *rules,
	const struct coap_body *outer, const uint8_t *plaintext, uint16_t len)
	__attribute__((warn_unused_result));

#endif
