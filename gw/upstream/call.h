// SPDX-License-Identifier: BSD-3-Clause
// A request on its way through an upstream loop: waiting, under way, handed back. Private to the
// loop; all of it belongs to the loop's thread.

#ifndef POSTERN_GW_UPSTREAM_CALL_H
#define POSTERN_GW_UPSTREAM_CALL_H

#include "gw/body/body.h"
#include "gw/map/etag.h"
#include "gw/map/request.h"
#include "gw/map/translate.h"
#include "gw/upstream/attempt.h"
#include "gw/upstream/check.h"
#include "gw/upstream/headers.h"
#include "gw/upstream/loop.h"
#include "gw/upstream/route_stats.h"
#include "gw/upstream/servers.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/queue.h>

#define UP_RANDOM_ROOM 4096 // bytes
#define UP_GONE_ROOM   1024 // devices

// One request, from its arrival until it is handed back.
struct up_call {
	TAILQ_ENTRY(up_call) link; // free, waiting or flying
	dp_handle handle;
	struct dp_loop_port *port;
	struct dp_shared *shared;
	struct up_snapshot *snapshot; // that it is of, and the route
	const struct conf_route *route;
	struct up_group *group;
	struct up_flight *flight; // NULL while it waits
	uint64_t arrived_ms;
	uint64_t deadline_ms;

	// For the access log.
	uint64_t launched_ms;             // 0: never
	const struct conf_server *server; // the last that was asked
	int status;                       // of its answer
	uint32_t connected_ms;
	unsigned tries;
	uint8_t trace[MAP_TRACE_LEN]; // of its request, once a server was asked
	bool sent;
	bool abandoned;
	enum http_error error;
	const char *batch;   // key of the batch that it went with, or NULL
	unsigned batch_size; // readings in it

	bool blocks;                            // the request has Block options
	struct body *body;                      // that it fetches; it has no exchange then, and
	void (*returned)(struct up_call *call); // gets it when it is over; else NULL
	// Of a fetch of the cache, which has no exchange either: gets the request before it is
	// sent, and what a server answers; else NULL.
	void (*asks)(struct up_call *call, struct http_request *req);
	void (*answered)(struct up_call *call, const struct http_reply *reply);
};

TAILQ_HEAD(up_call_list, up_call);
TAILQ_HEAD(up_part_list, up_part);   // batch.h
TAILQ_HEAD(up_fetch_list, up_fetch); // bodies.c

struct up_cache;
struct up_push;
struct up_stored_ask;
struct up_snapshot;
struct up_next;

// What a call needs while its HTTP request is under way.
struct up_flight {
	struct up_attempt attempt;
	struct map_request message;
	struct body_claim claim; // of the answer that is arriving
	uint8_t *translated;     // the body, if the device sent it in another format
	struct up_call *call;
	struct up_flight *next; // in the free list
};

_Static_assert(offsetof(struct up_flight, attempt) == 0, "a transfer is cast to its flight");

// Devices that are gone, as main says and the loop has not seen yet.
struct up_gone {
	uint32_t put;   // main writes it
	uint32_t taken; // the loop writes it
	bool missed;    // there was no room for one. Atomic
	struct {
		uint32_t context, generation;
	} device[UP_GONE_ROOM];
};

// An upstream's state in this loop, whatever the configuration says of it now. There is one without
// upstream, for requests whose route leads to none.
struct up_group {
	TAILQ_ENTRY(up_group) link;
	const struct conf_upstream *upstream; // of loop->snapshot; if it is gone, of loop->before
	struct up_loop *loop;
	struct up_slot *slot;
	bool gone; // loop->snapshot has it no more
	bool http2;
	struct http_engine *engine;
	struct up_servers *servers;
	uint32_t servers_version; // differs when servers are others, or in another order
	struct up_checks *checks; // NULL: none, or another loop's
	bool follows;             // another loop's checks
	uint32_t max_inflight;    // of this loop
	struct up_call_list waiting;
	struct up_part_list waiting_parts;
	size_t waiting_count; // of both
	size_t inflight;
	uint64_t retry_tokens; // hundredths of retries that the budget allows now
	uint64_t retry_tokens_max;
	uint64_t say_local_ms; // when to log HTTP_ERR_local again
	uint64_t *stat;        // of the slot; written by the loop's thread only
};

TAILQ_HEAD(up_group_list, up_group);

struct up_engine {
	uint32_t id;
	struct http_engine *engine;
	struct up_group *group;
	uint64_t connections; // that were counted
};

struct up_loop {
	struct up_loop_config config;
	struct up_slots *own_slots; // if config has none
	struct map_etags *etags;
	int epoll;
	pthread_t thread;
	bool started;
	uint64_t progress; // up_loop_progress(). Atomic
	uint64_t stop_ms;  // when to give up what is under way; UINT64_MAX: running. Atomic

	// snapshot.h
	struct up_snapshot *snapshot; // the one that new requests are of, or soon
	struct up_snapshot *before;   // until it is settled; or NULL
	struct up_group_list groups;  // of both, without `none`
	struct up_group none;
	struct up_engine *engines; // by id
	size_t engine_count;
	uint32_t next_engine_id; // main's, like the next
	uint32_t next_collector_id;
	struct up_next *next; // main: to be installed; atomic
	uint32_t installed;   // number of the snapshot; atomic
	bool last_pushed;     // main: no worker pushes requests of `before` any more; atomic
	bool draining;        // ... and these are
	uint64_t *taken;      // handles taken from each worker
	uint64_t *until;      // of them, those that may be of `before`

	struct up_call *calls;
	struct up_call_list free_calls;
	struct up_call_list flying;
	size_t busy; // requests that are not handed back
	struct up_flight *free_flights;
	struct up_batches *batches; // NULL: no route has batches
	struct body_table *bodies;
	struct up_cache *cache;        // NULL: nothing is stored
	uint32_t cache_purges;         // main counts; atomic
	struct up_push *pushed;        // the last one in front; atomic
	struct up_stored_ask *stored;  // main asks; atomic
	struct up_fetch_list fetches;  // under way and waiting
	struct up_fetch_list unwanted; // the same, whose body nobody can ask for any more
	uint64_t bodies_ms;            // when to look for bodies whose time is over
	size_t bodies_walk;            // how far the look for bodies that are lost is
	bool bodies_walks;
	struct up_gone gone;
	struct up_route_stats *routes; // [DP_ROUTE_SLOTS]
	uint64_t tsc_per_ms;
	uint64_t now_ms;
	uint64_t sweep_ms;
	uint8_t random[UP_RANDOM_ROOM];
	uint8_t scratch[MAP_JSON_ROOM]; // where payloads are translated; free between two calls
	size_t random_used;
};

static inline void up_stat_add(struct up_group *group, enum up_stat stat, uint64_t n)
{
	__atomic_store_n(&group->stat[stat], group->stat[stat] + n, __ATOMIC_RELAXED);
}

static inline void up_stat_set(struct up_group *group, enum up_stat stat, uint64_t n)
{
	__atomic_store_n(&group->stat[stat], n, __ATOMIC_RELAXED);
}

// Counts a value in the histogram that begins there.
static inline void up_stat_measure(struct up_group *group, enum up_stat histogram, uint64_t value)
{
	up_stat_add(group, histogram + up_stat_bucket(value), 1);
	up_stat_add(group, histogram + UP_STAT_BUCKETS, value);
}

// Whether the worker gave up waiting for the answer.
bool up_call_is_abandoned(const struct up_call *call);

// Gives a call's exchange back with the answer that is in it. The caller has taken the call out of
// all lists, as for the next two.
void up_call_return(struct up_call *call);
// Give a call's exchange back to its worker, without an answer or with an error's, and free the
// call. The caller has taken the call out of all lists.
void up_call_abandon(struct up_call *call);
void up_call_fail(struct up_call *call, enum http_error error);

// Picks a server and starts the HTTP request of a call, or fails the call at once if no server is
// up. The caller has taken the call out of all lists.
void up_call_launch(struct up_call *call);
// Cancels the HTTP request of a call that is under way, and takes the call out of its list.
void up_call_cancel(struct up_call *call);
// Takes a call out of its group's queue.
void up_call_unqueue(struct up_call *call);

// Writes the line of a call that is about to be handed back, if the access log wants it: its
// request and answer are still ours.
void up_call_log(const struct up_call *call);
// Has the log say of a call what became of another that went for it.
void up_call_log_as(struct up_call *call, const struct up_call *other);
// Whether max_inflight and the engine allow one more HTTP request.
bool up_group_has_room(const struct up_group *group);

#endif
