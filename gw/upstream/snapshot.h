// SPDX-License-Identifier: BSD-3-Clause
// A configuration as a loop has it. Main prepares the next one while the loop works with the one
// that it has; the loop installs it between two turns, and nothing of that can fail. Requests say
// by a number which one they are of. The one before is settled, and freed, when nothing is left of
// it. Private to the loop.
//
// Upstreams go on: a group and its engine are those that had the upstream's name before, with all
// that waits, is under way and is known of its servers.

#ifndef POSTERN_GW_UPSTREAM_SNAPSHOT_H
#define POSTERN_GW_UPSTREAM_SNAPSHOT_H

#include "base/error.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/call.h"
#include "gw/upstream/headers.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_ENGINE_NONE (HTTP_ENGINE_IDS - 1) // no engine's id

struct up_snapshot {
	uint16_t number;
	const struct conf *conf;
	struct up_headers *headers;
	struct up_collector_list collectors;
	struct up_collector **of_route; // NULL: no route has batches; NULL in it: this one has none
	struct up_group **group;        // of each of conf->upstreams
	uint64_t *route_ids;            // sorted
	size_t held;                    // exchanges and fetches of it that the loop has
};

// What main prepared.
struct up_next;

// Main: prepares a configuration. Its upstreams and servers have slots. Returns 0, or -errno with a
// line in *error.
int up_snapshot_prepare(struct up_loop *loop, const struct conf *conf, uint16_t number,
	struct up_next **next, struct error *error) __attribute__((warn_unused_result));
// Main: frees what was not installed. NULL is allowed.
void up_snapshot_discard(struct up_next *next);
// Loop: goes on with it, and frees *next. There is no loop->before.
void up_snapshot_install(struct up_loop *loop, struct up_next *next);
// Loop: frees loop->before, of which nothing is held.
void up_snapshot_settle(struct up_loop *loop);
// Frees all of a loop that has ended.
void up_snapshots_free(struct up_loop *loop);

// The snapshot of this number; NULL: it is not there.
static inline struct up_snapshot *up_snapshot_of(const struct up_loop *loop, uint16_t number)
{
	if (loop->snapshot->number == number)
		return loop->snapshot;
	return loop->before && loop->before->number == number ? loop->before : NULL;
}

// The route of a request, or what a message that is passed through has in its place. NULL: none.
const struct conf_route *up_snapshot_route(
	const struct up_snapshot *snapshot, const struct dp_request *request);

// The group with an engine of this id; NULL: there is none any more.
struct http_engine *up_engine_of(const struct up_loop *loop, uint32_t id);

#endif
