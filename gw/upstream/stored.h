// SPDX-License-Identifier: BSD-3-Clause
// What is stored of a path, for main, which asks one loop at a time.

#ifndef POSTERN_GW_UPSTREAM_STORED_H
#define POSTERN_GW_UPSTREAM_STORED_H

#include "gw/upstream/loop.h"

#include <stdbool.h>
#include <stdint.h>

#define UP_STORED_MAX   64  // in an answer
#define UP_STORED_QUERY 128 // bytes of a query; what does not fit is left out

struct up_stored {
	uint64_t route;               // conf_cache.id
	uint32_t context, generation; // of the device that alone may have it, if `private`
	uint64_t age_ms, fresh_ms;    // since it was stored; left; UINT64_MAX: until the next push
	uint32_t bytes;               // of its payload
	uint32_t observers;
	uint16_t content_format; // or DP_REP_NO_FORMAT
	uint8_t code;
	bool private, pushed, fetch;
	bool has_accept;
	uint16_t accept;
	uint16_t query_len;
	char query[UP_STORED_QUERY]; // parts with & between them
};

struct up_stored_ask {
	uint64_t path;  // dp_rep_path_hash()
	uint32_t from;  // where to begin: 0
	uint32_t next;  // where to go on
	uint32_t count; // of found
	bool over;      // there are no more
	bool done;      // the loop sets it last; atomic
	struct up_stored found[UP_STORED_MAX];
};

// Main: the loop answers in its next turns; *ask is its own until `done`, or until it has stopped.
void up_loop_stored(struct up_loop *loop, struct up_stored_ask *ask);

// ---- private to the loop

// Looks at a part of what is stored.
void up_stored_turn(struct up_loop *loop);
bool up_stored_pending(const struct up_loop *loop);

#endif
