// SPDX-License-Identifier: BSD-3-Clause
// Answers that a loop stores (RFC 9111) and publishes for the workers (dataplane/shared/
// representation.h), and the requests by which it gets them. Private to the loop.
//
// A request that the worker could not answer from what is stored comes to the home of its route. If
// nothing fresh is there by now, the loop asks for itself: a call without an exchange, a fetch,
// whose request is the device's without what is about this device or this form of the answer, and
// with the validators of what is stored. Requests with the same key wait for it, each with its own
// deadline. What is stored then answers them all; what may not be stored answers the first, and the
// others go on alone.
//
// What a device has the loop store counts for that device, at most a tenth of the room; what
// services publish by themselves for all devices, for the services, at most half of it.

#ifndef POSTERN_GW_UPSTREAM_CACHE_H
#define POSTERN_GW_UPSTREAM_CACHE_H

#include "dataplane/shared/representation.h"
#include "gw/cache/rules.h"
#include "gw/upstream/call.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UP_CACHE_CHAINS   1024  // lists of fetches, by their keys
#define UP_CACHE_PASSES   4096  // keys whose answers may not be stored
#define UP_CACHE_WAITERS  1024  // of a fetch; beyond, requests go on alone
#define UP_CACHE_PASS_MS  10000 // how long a key is known for that
#define UP_CACHE_ETAG_MAX 128   // bytes of a validator that is kept

struct up_cache_entry;

// What an entry and its stream know of each other (stream.h).
struct up_stream_of {
	struct up_cache_entry *entry; // NULL: it was taken out, and the stream is to end
	bool open;                    // the stream stands: it would tell of anything newer
};

// What the loop knows of an entry beside what is published.
struct up_cache_entry {
	TAILQ_ENTRY(up_cache_entry) of_owner;
	uint32_t slot;
	uint32_t owner;      // context of the device that had it stored; DP_INDEX_NONE: the service
	uint32_t generation; // of that
	uint64_t fingerprint; // of its keys
	uint16_t route_slot;  // of up_route_stats
	bool watched;         // of a route that can be observed, see watch.h
	TAILQ_ENTRY(up_cache_entry) of_watched;
	uint64_t check_ms, asked_ms; // when the loop asks, and when it did
	uint32_t asked_epoch;        // of the path then
	unsigned asking;             // requests of the loop for it that are under way
	struct up_stream_of *stream; // that tells what is there; NULL: none
	bool no_stream;              // it can have none, by the configuration of now
	bool shared;
	bool given;     // the service published it by itself
	uint64_t route; // conf_cache.id
	uint64_t began; // when its answer was asked for, as up_cache.clock counts
	uint64_t stale_until_ms;
	size_t bytes; // all that it costs
	struct cache_validity validity;
	char etag[UP_CACHE_ETAG_MAX], last_modified[UP_CACHE_ETAG_MAX]; // of the backend, or ""
};

TAILQ_HEAD(up_cache_entries, up_cache_entry);
TAILQ_HEAD(up_cache_fetches, up_cache_fetch);
TAILQ_HEAD(up_stream_list, up_stream);

// What a device has stored.
struct up_cache_owner {
	struct up_cache_entries entries; // the oldest first; made when count is not 0
	uint32_t count;
	size_t bytes;
};

// Whose an entry is, and of what.
struct up_cache_whose {
	const struct conf_route *route;
	uint16_t route_slot;
	bool given;           // the service publishes it by itself
	uint32_t context;     // of the device that has it stored; DP_INDEX_NONE: the service
	uint32_t generation;  // of that
	uint64_t fingerprint; // of its keys
};

struct up_cache {
	struct dp_reps *reps;
	struct dp_rep_table *table;
	struct up_cache_entry **entry; // [table->slots]
	struct up_cache_owner *owner;  // [owner_count], by context
	uint32_t owner_count;          // a power of two
	struct up_cache_owner service; // what services published by themselves, for all devices
	size_t bytes, bytes_max;       // of entries, of this loop
	uint32_t count, count_max;
	uint32_t hand;  // of the clock by which entries give way
	uint64_t clock; // of fetches
	struct up_cache_fetches fetches[UP_CACHE_CHAINS];
	size_t fetching;
	struct {
		uint64_t hash, until_ms;
	} pass[UP_CACHE_PASSES];
	struct up_cache_entries watched;
	uint64_t look_ms, looked_ms; // when these are looked at, and were
	struct up_stream_list streams;
	uint64_t streams_ms;     // when one of them is due
	uint64_t stream_say_ms;  // when the log may have a line about them
	uint64_t stream_full_ms; // the same, of a route that has as many as it may have
	uint32_t purges;         // that were done, of up_loop.cache_purges
};

// Of a key, under way or waiting for a place.
struct up_cache_fetch {
	struct up_call call; // without exchange and port
	TAILQ_ENTRY(up_cache_fetch) link;
	struct up_call_list waiters;
	unsigned waiter_count;
	struct dp_rep_key key;
	uint32_t epoch_index, epoch; // of its path, when it began
	uint64_t began;
	uint64_t asked_ms; // when a server was asked
	bool validates;    // the request has validators of what is stored
	bool again;        // to be asked for once more, without
	bool asked_again;
	bool watch;              // the loop asks for itself, whoever waits
	struct dp_shared shared; // of the call: a copy; its two buffers are behind
};

_Static_assert(offsetof(struct up_cache_fetch, call) == 0, "a call is cast to its fetch");

// Makes what the loop has of config.reps, if there is that. -ENOMEM.
int up_cache_create(struct up_loop *loop) __attribute__((warn_unused_result));
void up_cache_free(struct up_loop *loop);

// Asks for an entry once more, for nobody but who observes it, if it is not asked for already.
// Returns whether it is.
bool up_cache_ask(
	struct up_loop *loop, struct up_cache_entry *entry, const struct conf_route *route);

// Takes a call whose answer may be stored. false: it goes on by itself.
bool up_cache_take(struct up_call *call);
// Any call, before its worker hears what became of it: what it may have changed is stale from here
// on.
void up_cache_changed(const struct up_call *call);
// The same for a request of these options.
void up_cache_change(struct up_loop *loop, const uint8_t *options, size_t len);

// Hands back the waiting calls that workers gave up, and gives up fetches for which nobody waits.
void up_cache_sweep(struct up_loop *loop);
// Frees what no worker reads any more, and drops what was purged.
void up_cache_turn(struct up_loop *loop);
// Whether main purged it since.
bool up_cache_pending(const struct up_loop *loop);
// When it has something to do; UINT64_MAX: nothing.
uint64_t up_cache_next_ms(const struct up_loop *loop);
// Drops what is of no route of loop->snapshot that has its home here.
void up_cache_routes_gone(struct up_loop *loop);
// Drops what is stored for one device alone; or for all of them that are gone.
void up_cache_devices_lost(struct up_loop *loop);
void up_cache_device_gone(struct up_loop *loop, uint32_t context, uint32_t generation);

// ---- what a server answers (cache_answer.c)

// Publish what a server answered a fetch, or, of a 304, what is stored, and decide. NULL: it is not
// stored, or not any more; after a 304, it has to be asked for again.
const struct dp_representation *up_cache_store(struct up_cache_fetch *fetch,
	const struct http_reply *reply, struct cache_verdict *verdict);
const struct dp_representation *up_cache_refresh(struct up_cache_fetch *fetch,
	const struct http_reply *reply, struct cache_verdict *verdict);

// Gives an object that has none an ETag of ours, for its blocks.
void up_cache_etag_make(const struct up_loop *loop, struct dp_representation *rep);

// ---- entries (cache_store.c)

// The entry of a key and what is published of it; NULL: there is none.
struct up_cache_entry *up_cache_find(
	struct up_cache *cache, const struct dp_rep_key *key, const struct dp_representation **rep);
// Publishes an object for its key, and sets its entry, which the caller fills in, but for what says
// whose it is. The object is the table's, or freed if there is no room: NULL then.
struct up_cache_entry *up_cache_publish(struct up_loop *loop, const struct up_cache_whose *whose,
	const struct dp_rep_key *key, struct dp_representation *rep);
// The same in the place of what the entry has, which costs at least as much.
void up_cache_replace(
	struct up_loop *loop, struct up_cache_entry *entry, struct dp_representation *rep);
// The largest payload that an entry of this key and this owner can have, in bytes.
size_t up_cache_largest(
	const struct up_cache *cache, uint32_t context, const struct dp_rep_key *key);
// Whether the configuration of now has a route with this conf_cache.id, and its home here.
bool up_cache_has_route(const struct up_loop *loop, uint64_t id);
// Takes an entry out, whoever observes it.
void up_cache_drop(struct up_loop *loop, struct up_cache_entry *entry);

#endif
