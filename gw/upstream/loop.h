// SPDX-License-Identifier: BSD-3-Clause
// An upstream loop: one thread that takes requests from the workers, sends them to HTTP servers and
// hands the answers back. Every request that comes in goes back exactly once.
//
// A request waits in its upstream's queue while max_inflight (or max_connections) requests are
// under way, for at most the upstream's `queue`, and in a queue of at most max_inflight requests.
// It is sent again, to another server that is up, if no server can have seen it, or if it is
// idempotent, its connection was lost and the retry budget allows it.
//
// The configuration can change while the loop works, see up_loop_prepare().

#ifndef POSTERN_GW_UPSTREAM_LOOP_H
#define POSTERN_GW_UPSTREAM_LOOP_H

#include "base/error.h"
#include "dataplane/shared/loop_port.h"
#include "gw/conf/conf.h"
#include "gw/map/etag.h"
#include "gw/upstream/access_log.h"
#include "gw/upstream/route_stats.h"
#include "gw/upstream/slots.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_NAME_MAX 255 // bytes of a device's name

struct dp_reps;

struct up_loop_config {
	const struct conf *conf; // the loop's as long as it exists
	uint16_t snapshot;       // number of that, see dp_policy
	struct dp_loop *upstream;
	unsigned loop;  // this one's number
	unsigned loops; // that share the limits of the upstreams, at least 1
	// Sets buf (room bytes, ends with 0) to the name of the device at this index of the context
	// table; false if it is gone. Called from the loop's thread.
	bool (*name)(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room);
	// The same for a device with a session: which credential it was agreed on with, see struct
	// up_access_entry. False if it has none. NULL: none has.
	bool (*credential)(void *arg, uint32_t context, uint32_t generation, uint8_t *credential);
	void *name_arg;                     // of both
	uint8_t etag_key[MAP_ETAG_KEY_LEN]; // random per start, the same for all loops
	struct up_access_log *access;       // of all loops, or NULL
	// Of all loops; has all upstreams and servers of conf. NULL: the loop has its own.
	struct up_slots *slots;
	struct dp_reps *reps; // of all loops, where answers are stored; NULL: they are not
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

// Main: all that the loop has stored is dropped in its next turn.
void up_loop_purge(struct up_loop *loop);

// Any thread: returns what the loop counts of the routes with this slot.
const struct up_route_stats *up_loop_route_stats(const struct up_loop *loop, unsigned slot);

// Main: the configuration changes without a request being lost, in these steps:
//
//	up_loop_prepare() in every loop; if one fails, up_loop_discard() what the others prepared
//	up_loop_switch() in every loop; wait until up_loop_has() the new number in all
//	give the workers the new policy; wait until none of them has the old one
//	up_loop_last_pushed(); wait until up_loop_is_settled() in all: the old one is not used
//
// and no step of another change comes between. The new configuration has slots, differs from the
// old in no key of effect "start", and exists as long as it is the loop's; the old one, up to the
// last step.
struct up_next;

// Returns 0, or -errno with a line in *error.
int up_loop_prepare(struct up_loop *loop, const struct conf *conf, uint16_t number,
	struct up_next **next, struct error *error) __attribute__((warn_unused_result));
// NULL is allowed.
void up_loop_discard(struct up_next *next);
void up_loop_switch(struct up_loop *loop, struct up_next *next);
bool up_loop_has(const struct up_loop *loop, uint16_t number);
void up_loop_last_pushed(struct up_loop *loop);
bool up_loop_is_settled(const struct up_loop *loop);

// Any thread: returns a number that each turn of the loop changes. It is odd while the loop sleeps
// until something happens: one that stands still and is even is stuck.
uint64_t up_loop_progress(const struct up_loop *loop);
// Any thread: has the loop take a turn, to see what changed in config.slots.
void up_loop_wake(struct up_loop *loop);

// For tests, of a loop whose configuration does not change meanwhile: a counter of an upstream,
// given by its index in conf->upstreams; with the index conf->upstream_count, of requests that no
// upstream has.
uint64_t up_loop_stat(const struct up_loop *loop, size_t upstream, enum up_stat stat);
// Of a server, given by the indices of its upstream and in it.
void up_loop_server(
	const struct up_loop *loop, size_t upstream, size_t server, struct up_server_view *view);
// How many servers of an upstream are up.
size_t up_loop_servers_up(const struct up_loop *loop, size_t upstream);
// The slot of an upstream.
struct up_slot *up_loop_slot(const struct up_loop *loop, size_t upstream);

#endif
