// SPDX-License-Identifier: BSD-3-Clause
// A request on its way through an upstream loop: waiting, under way, handed back. Private to the
// loop; all of it belongs to the loop's thread.

#ifndef POSTERN_GW_UPSTREAM_CALL_H
#define POSTERN_GW_UPSTREAM_CALL_H

#include "gw/http/engine.h"
#include "gw/upstream/check.h"
#include "gw/upstream/loop.h"
#include "gw/upstream/servers.h"

#include <pthread.h>
#include <stddef.h>
#include <sys/queue.h>

#define UP_RANDOM_ROOM 4096

// One request, from its arrival until it is handed back.
struct call {
	TAILQ_ENTRY(call) link; // free, waiting or flying
	dp_handle handle;
	struct dp_loop_port *port;
	struct dp_shared *shared;
	const struct conf_route *route;
	struct group *group;
	struct flight *flight; // NULL while it waits
	uint64_t arrived_ms;
	uint64_t deadline_ms;

	// For the access log.
	uint64_t launched_ms;             // 0: never
	const struct conf_server *server; // the last that was asked
	int status;                       // of its answer
	uint32_t connected_ms;
	unsigned tries;
	bool sent;
	bool abandoned;
	enum up_error error;
};

TAILQ_HEAD(call_list, call);

// What a call needs while its HTTP request is under way.
struct flight {
	struct up_transfer transfer;
	struct up_message message;
	struct call *call;
	struct flight *next; // in the free list
	uint64_t device;     // hash of its name
	size_t server;       // index of the one being asked
	uint64_t tried;      // bits of the servers asked so far, this one too
	unsigned retries;    // so far
	bool seen;           // a server that was asked before may have seen it
};

_Static_assert(offsetof(struct flight, transfer) == 0, "a transfer is cast to its flight");

// An upstream's state in this loop. The last group has no upstream: it is for requests whose route
// leads to none.
struct group {
	const struct conf_upstream *upstream;
	struct up_loop *loop;
	struct up_engine *engine;
	struct up_servers *servers;
	struct up_checks *checks; // NULL: none, or another loop's
	bool follows;             // another loop's checks
	uint32_t max_inflight;    // of this loop
	struct call_list waiting;
	size_t waiting_count;
	size_t inflight;
	uint64_t retry_tokens; // hundredths of retries that the budget allows now
	uint64_t retry_tokens_max;
	uint64_t say_local_ms;        // when UP_ERR_local may be in the log again
	uint64_t stat[UP_STAT_COUNT]; // written by the loop's thread only
};

struct up_loop {
	struct up_loop_config config;
	struct up_etags *etags;
	int epoll;
	pthread_t thread;
	bool started;
	uint64_t stop_ms; // when to give up what is under way; UINT64_MAX: running. Atomic
	struct call *calls;
	struct call_list free_calls;
	struct call_list flying;
	size_t busy; // calls that are not free
	struct flight *free_flights;
	uint64_t now_ms;
	uint64_t sweep_ms;
	uint8_t random[UP_RANDOM_ROOM];
	size_t random_used;
	size_t group_count;
	struct group group[];
};

static inline void stat_add(struct group *group, enum up_stat stat, uint64_t n)
{
	__atomic_store_n(&group->stat[stat], group->stat[stat] + n, __ATOMIC_RELAXED);
}

static inline void stat_set(struct group *group, enum up_stat stat, uint64_t n)
{
	__atomic_store_n(&group->stat[stat], n, __ATOMIC_RELAXED);
}

// Whether the worker gave it up, so that nobody waits for an answer.
bool call_abandoned(const struct call *call);

// Hand a call back, which is free afterwards: without an answer, or with that of an error. It is in
// none of the lists.
void call_abandon(struct call *call);
void call_fail(struct call *call, enum up_error error);

// Sends a call that is in none of the lists, or hands it back at once.
void call_launch(struct call *call);
// Takes a call that is under way back; it is in none of the lists afterwards.
void call_cancel(struct call *call);
// Takes a call out of its group's queue.
void call_unqueue(struct call *call);

// Says in the log, now and then, that this machine is out of something (UP_ERR_local).
void group_say_local(struct group *group, int local_errno);
bool group_has_room(const struct group *group);
// Sends what waits as long as there is room.
void group_launch_waiting(struct group *group);

#endif
