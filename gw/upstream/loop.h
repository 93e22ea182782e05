// SPDX-License-Identifier: BSD-3-Clause
// An upstream loop: one thread that takes requests from the workers, sends them to HTTP servers and
// hands the answers back. Every request that comes in goes back exactly once.
//
// A request waits in its upstream's queue while max_inflight (or max_connections) requests are
// under way, for at most the upstream's `queue`, and in a queue of at most max_inflight requests.
// It is sent again, to another server that is up, if no server can have seen it, or if it is
// idempotent, its connection was lost and the retry budget allows it.

#ifndef POSTERN_GW_UPSTREAM_LOOP_H
#define POSTERN_GW_UPSTREAM_LOOP_H

#include "base/error.h"
#include "dataplane/shared/loop_port.h"
#include "gw/conf/conf.h"
#include "gw/map/etag.h"
#include "gw/upstream/access_log.h"
#include "gw/upstream/route_stats.h"
#include "gw/upstream/servers.h"
#include "gw/upstream/stats.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_NAME_MAX 255 // bytes of a device's name

struct up_loop_config {
	const struct conf *conf; // the loop's as long as it exists
	struct dp_loop *upstream;
	unsigned loop;  // this one's number
	unsigned loops; // that share the limits of the upstreams, at least 1
	// Sets buf (room bytes, ends with 0) to the name of the device at this index of the context
	// table; false if it is gone. Called from the loop's thread.
	bool (*name)(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room);
	void *name_arg;
	uint8_t etag_key[MAP_ETAG_KEY_LEN]; // random per start, the same for all loops
	struct up_access_log *access;       // of all loops, or NULL
	// Of all loops, one an upstream, all 0 at first. One of the loops checks an upstream, the
	// others follow. NULL if there is only one, and no operator.
	struct up_servers_shared *servers;
};

struct up_loop;

// Makes a loop, and copies *config. Returns 0, or -errno
// with a line in *error: -ENOMEM, -EINVAL for TLS settings that are refused, or the error of
// reading a TLS file or of opening a descriptor.
int up_loop_create(const struct up_loop_config *config, struct up_loop **loop, struct error *error)
	__attribute__((warn_unused_result));
// Starts the loop's thread, which blocks all signals but the real-time ones; for these it has the
// caller's mask. Returns 0 or -errno.
int up_loop_start(struct up_loop *loop) __attribute__((warn_unused_result));
// Begins to stop the loop and returns at once. Requests at servers may finish within grace_ms; all
// others are answered 5.03.
void up_loop_stop_begin(struct up_loop *loop, uint32_t grace_ms);
// Waits for the end of the thread, after up_loop_stop_begin() if the caller has not called that.
// Every request has gone back to its worker then. To stop several loops within one grace_ms, call
// up_loop_stop_begin() for all of them first.
void up_loop_stop(struct up_loop *loop, uint32_t grace_ms);
// Frees a loop that was stopped or never started. NULL is allowed.
void up_loop_free(struct up_loop *loop);

// Main: the device of this context is gone up to this generation, and config.name() knows it no
// more. What the loop keeps for it is wiped in its next turns.
void up_loop_device_gone(struct up_loop *loop, uint32_t context, uint32_t generation);

// Any thread: returns a counter of an upstream, given by its index in conf->upstreams; with the
// index conf->upstream_count, of requests that no upstream has.
uint64_t up_loop_stat(const struct up_loop *loop, size_t upstream, enum up_stat stat);
// Any thread: returns what the loop counts of the routes with this slot.
const struct up_route_stats *up_loop_route_stats(const struct up_loop *loop, unsigned slot);
// Any thread: returns a number that each turn of the loop changes. It is odd while the loop sleeps
// until something happens: one that stands still and is even is stuck.
uint64_t up_loop_progress(const struct up_loop *loop);
// Any thread: has the loop take a turn, to see what changed in config.servers.
void up_loop_wake(struct up_loop *loop);

// What a loop knows of a server.
struct up_server_view {
	bool down, ejected;
	unsigned in_flight;
	struct up_server_stats stats;
};

// Any thread: adds what the loop knows of a server, given by the indices of its upstream and in it:
// it is down or ejected if one loop says so.
void up_loop_server_add(
	const struct up_loop *loop, size_t upstream, size_t server, struct up_server_view *view);
// Any thread: returns how many servers of an upstream are up.
size_t up_loop_servers_up(const struct up_loop *loop, size_t upstream);

#endif
