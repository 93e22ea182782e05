// SPDX-License-Identifier: BSD-3-Clause
// A configuration in use: what main, workers and loops have of its keys that may change while the
// daemon runs. Requests and access records say by its number which one they are of. Nothing changes
// it once it is made.

#ifndef POSTERN_GW_DAEMON_SNAPSHOT_H
#define POSTERN_GW_DAEMON_SNAPSHOT_H

#include "gw/conf/conf.h"
#include "gw/daemon/policies.h"
#include "gw/daemon/routes.h"
#include "gw/upstream/slots.h"

struct header_lines;

struct snapshot {
	uint16_t number; // 1 at the start
	struct conf *conf;
	struct routes routes;
	struct up_slot **slot;           // of each of conf->upstreams
	struct header_lines *push_token; // push.c; NULL: none
};

// Where is counted what outlives it.
struct snapshot_slots {
	struct up_slots *upstreams;
	struct route_slots *routes;
	struct policies *policies;
};

// Makes one, and slots for what has none; `conf` is its own only if it is made. Returns 0, -ENOMEM
// or -ENOSPC: there have been too many upstreams, servers or names of policies.
int snapshot_make(const struct snapshot_slots *slots, struct conf *conf, uint16_t number,
	struct snapshot **snapshot) __attribute__((warn_unused_result));
// Frees it, and its conf. NULL is allowed.
void snapshot_free(struct snapshot *snapshot);

#endif
