// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/loop.h"

#include "base/clock.h"
#include "gw/http/timers.h"
#include "gw/os/log.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/bodies.h"
#include "gw/upstream/cache.h"
#include "gw/upstream/call.h"
#include "gw/upstream/core.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/push.h"
#include "gw/upstream/queue.h"
#include "gw/upstream/snapshot.h"
#include "gw/upstream/stored.h"
#include "gw/upstream/stream.h"
#include "gw/upstream/watch.h"

#include <rte_cycles.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BURST    64  // requests taken from one worker in one turn
#define EVENTS   256 // of epoll in one turn
#define SWEEP_MS 100 // between looks for requests that workers gave up

static bool stopping(const struct up_loop *loop)
{
	return __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED) != UINT64_MAX;
}

// ---- arriving

static struct up_group *group_of(
	struct up_loop *loop, const struct up_snapshot *snapshot, const struct conf_route *route)
{
	if (!route || route->target != CONF_TO_UPSTREAM)
		return &loop->none;
	return snapshot->group[route->upstream - snapshot->conf->upstreams];
}

static void call_arrive(struct up_loop *loop, unsigned port_index, dp_handle handle)
{
	struct dp_loop_port *port = &loop->config.upstream->port[port_index];
	struct dp_shared *shared = dp_shared_get(port->pool, handle);
	struct up_call *call = TAILQ_FIRST(&loop->free_calls);
	struct up_snapshot *snapshot;

	if (!shared) { // not the loop's to write to, but the worker counts its handles
		up_stat_add(&loop->none, UP_STAT_requests, 1);
		up_stat_add(&loop->none, UP_STAT_abandoned, 1);
		up_stat_add(&loop->none, UP_STAT_returned, 1);
		dp_loop_respond(port, handle);
		return;
	}
	snapshot = up_snapshot_of(loop, shared->request.snapshot);
	assert(snapshot); // loops have one before workers do, and until they have it no more
	if (loop->batches && !stopping(loop) && up_batch_take(loop, port_index, handle, shared))
		return;
	assert(call); // there are as many as exchanges
	TAILQ_REMOVE(&loop->free_calls, call, link);
	loop->busy++;
	snapshot->held++;
	const struct conf_route *route = up_snapshot_route(snapshot, &shared->request);
	struct up_group *group = group_of(loop, snapshot, route);
	*call = (struct up_call){
		.handle = handle,
		.port = port,
		.shared = shared,
		.snapshot = snapshot,
		.route = route,
		.group = group,
		.arrived_ms = loop->now_ms,
		.deadline_ms = shared->request.deadline_ms,
	};
	up_stat_add(group, UP_STAT_requests, 1);

	if (up_call_is_abandoned(call)) {
		up_call_abandon(call);
	} else if (!group->upstream && (!route || route->target != CONF_TO_CORE)) {
		up_call_fail(call, HTTP_ERR_no_route);
	} else if (stopping(loop)) {
		up_call_fail(call, HTTP_ERR_stopping);
	} else if (shared->request.pass || (!up_cache_take(call) && !up_bodies_take(call))) {
		if (group->upstream)
			up_queue_add(call);
		else
			up_core_answer(call);
	}
}

static unsigned receive(struct up_loop *loop)
{
	struct dp_loop *up = loop->config.upstream;
	dp_handle handles[BURST];
	unsigned taken = 0;

	if (loop->batches)
		up_batches_clock(loop);
	for (unsigned i = 0; i < up->count; i++) {
		unsigned n = dp_loop_receive(&up->port[i], handles, BURST);

		if (loop->batches)
			up_batch_prefetch(loop, up->port[i].pool, handles, n);
		for (unsigned j = 0; j < n; j++)
			call_arrive(loop, i, handles[j]);
		loop->taken[i] += n;
		taken += n;
	}
	return taken;
}

// ---- time

// The loop stops: what waits fails at once, what is under way when the grace is over.
static void stop_turn(struct up_loop *loop)
{
	uint64_t until = __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED);

	if (loop->batches)
		up_batches_stop(loop);
	up_queue_stop(loop, loop->now_ms >= until);
}

// ---- another configuration

// Before requests are taken: those of the new snapshot may come from now on.
static void snapshot_follow(struct up_loop *loop)
{
	struct up_next *next;

	if (!__atomic_load_n(&loop->next, __ATOMIC_RELAXED))
		return;
	next = __atomic_exchange_n(&loop->next, NULL, __ATOMIC_ACQUIRE);
	up_snapshot_install(loop, next);
	__atomic_store_n(&loop->installed, loop->snapshot->number, __ATOMIC_RELEASE);
}

// No worker pushes requests of the old snapshot any more: those that are in the rings now may be of
// it. Looked at before requests are taken.
static void drain_follow(struct up_loop *loop)
{
	const struct dp_loop *up = loop->config.upstream;

	if (!loop->before || loop->draining ||
		!__atomic_load_n(&loop->last_pushed, __ATOMIC_ACQUIRE))
		return;
	loop->draining = true;
	for (unsigned i = 0; i < up->count; i++)
		loop->until[i] = loop->taken[i] + dp_ring_count(up->port[i].requests);
}

static bool is_drained(const struct up_loop *loop)
{
	for (unsigned i = 0; i < loop->config.upstream->count; i++)
		if (loop->taken[i] < loop->until[i])
			return false;
	return true;
}

// The old snapshot ends when all its requests came, and nothing is left of them.
static void settle_turn(struct up_loop *loop)
{
	if (!loop->draining || !is_drained(loop))
		return;
	up_collectors_close(loop->before);
	if (loop->before->held)
		return;
	up_snapshot_settle(loop);
	loop->draining = false;
	__atomic_store_n(&loop->last_pushed, false, __ATOMIC_RELEASE);
}

// Before requests are taken: a loop that slept may know servers that went down meanwhile.
static void groups_follow(struct up_loop *loop)
{
	struct up_group *group;

	TAILQ_FOREACH(group, &loop->groups, link)
	if (!group->gone)
		up_servers_follow(group->servers, !group->follows);
}

static void engines_turn(struct up_loop *loop)
{
	for (size_t i = 0; i < loop->engine_count; i++)
		loop->engines[i].engine->ops->turn(loop->engines[i].engine, loop->now_ms);
}

static void engines_flush(struct up_loop *loop)
{
	for (size_t i = 0; i < loop->engine_count; i++) {
		struct up_engine *e = &loop->engines[i];
		uint64_t connections;

		if (e->engine->ops->flush)
			e->engine->ops->flush(e->engine);
		connections = e->engine->ops->connections(e->engine);
		if (connections != e->connections)
			up_stat_add(e->group, UP_STAT_connections, connections - e->connections);
		e->connections = connections;
	}
}

static void groups_turn(struct up_loop *loop)
{
	struct up_group *group;

	if (loop->batches)
		up_batches_turn(loop);
	engines_turn(loop);
	TAILQ_FOREACH(group, &loop->groups, link)
	{
		up_servers_turn(group->servers, loop->now_ms);
		if (group->checks)
			up_checks_turn(group->checks, loop->now_ms);
		up_queue_expire(group);
		up_queue_launch(group);
	}
	engines_flush(loop);
	up_bodies_turn(loop);
	up_cache_turn(loop);
	up_push_turn(loop);
	up_stored_turn(loop);
	if (!stopping(loop)) {
		up_watch_turn(loop);
		up_streams_turn(loop);
	} else {
		up_streams_stop(loop);
	}
	if (loop->busy && loop->now_ms >= loop->sweep_ms) {
		up_bodies_sweep(loop);
		up_cache_sweep(loop);
		up_queue_sweep(loop);
		loop->sweep_ms = loop->now_ms + SWEEP_MS;
	}
	if (stopping(loop))
		stop_turn(loop);
	else
		settle_turn(loop);
}

static uint64_t next_ms(const struct up_loop *loop)
{
	uint64_t next =
		http_earlier(loop->busy ? loop->sweep_ms : UINT64_MAX, up_bodies_next_ms(loop));
	const struct up_group *group;

	next = http_earlier(next, up_cache_next_ms(loop));
	if (!stopping(loop)) { // else nobody asks for what is observed any more
		next = http_earlier(next, up_watch_next_ms(loop));
		next = http_earlier(next, up_streams_next_ms(loop));
	}
	if (loop->batches)
		next = http_earlier(next, up_batches_next_ms(loop));
	for (size_t i = 0; i < loop->engine_count; i++)
		next = http_earlier(
			next, loop->engines[i].engine->ops->next_ms(loop->engines[i].engine));
	TAILQ_FOREACH(group, &loop->groups, link)
	{
		next = http_earlier(next, up_servers_next_ms(group->servers));
		if (group->checks)
			next = http_earlier(next, up_checks_next_ms(group->checks));
		if (group->follows)
			next = http_earlier(
				next, loop->now_ms + group->upstream->check.interval_ms);
		next = http_earlier(next, up_queue_next_ms(group));
	}
	if (loop->busy)
		next = http_earlier(next, __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED));
	return next;
}

// ---- the thread

static void progress_add(struct up_loop *loop, uint64_t n)
{
	__atomic_store_n(&loop->progress, loop->progress + n, __ATOMIC_RELAXED);
}

// Sleeps until something happens, but not if a worker pushed something meanwhile.
static void wait_and_dispatch(struct up_loop *loop, bool more)
{
	struct dp_loop *up = loop->config.upstream;
	struct epoll_event events[EVENTS];
	uint64_t next = next_ms(loop);
	int timeout = -1;

	if (next != UINT64_MAX)
		timeout = next <= loop->now_ms ? 0
					       : (int)http_earlier(next - loop->now_ms, INT32_MAX);
	if (more)
		timeout = 0;
	bool armed = timeout != 0;
	if (armed) {
		dp_doorbell_arm(&up->bell);
		if (dp_loop_pending(up) || up_lost_pending(loop) || up_cache_pending(loop) ||
			up_push_pending(loop) || up_stored_pending(loop))
			timeout = 0;
	}
	progress_add(loop, 1);
	int n = epoll_wait(loop->epoll, events, EVENTS, timeout); // EINTR: nothing happened
	progress_add(loop, 1);
	if (armed)
		dp_doorbell_disarm(&up->bell);
	for (int i = 0; i < n; i++) {
		struct http_engine *engine =
			up_engine_of(loop, http_engine_event_id(events[i].data.u64));

		if (engine) // else it is the bell
			engine->ops->ready(engine, events[i].data.u64, events[i].events);
	}
}

static void *run(void *arg)
{
	struct up_loop *loop = arg;
	struct up_group *group;
	bool more = false;

	for (;;) {
		loop->now_ms = clock_ms();
		snapshot_follow(loop);
		drain_follow(loop);
		groups_follow(loop);
		more = receive(loop) > 0;
		groups_turn(loop);
		if (stopping(loop) && !loop->busy && !more)
			break;
		wait_and_dispatch(loop, more);
	}
	up_streams_stop(loop);
	TAILQ_FOREACH(group, &loop->groups, link)
	if (group->checks)
		up_checks_stop(group->checks);
	return NULL;
}

int up_loop_start(struct up_loop *loop)
{
	sigset_t before, blocked;
	int rc;

	sigfillset(&blocked);
	log_crash_signals_keep(&blocked);
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	// Real-time signals are as they were: net_tap needs them somewhere.
	for (int signo = SIGRTMIN; signo <= SIGRTMAX; signo++)
		if (!sigismember(&before, signo))
			sigdelset(&blocked, signo);
	pthread_sigmask(SIG_SETMASK, &blocked, NULL);
	rc = pthread_create(&loop->thread, NULL, run, loop);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc)
		return -rc;
	char name[16];

	snprintf(name, sizeof(name), "postern-http%u", loop->config.loop % 100);
	pthread_setname_np(loop->thread, name);
	loop->started = true;
	return 0;
}

uint64_t up_loop_progress(const struct up_loop *loop)
{
	return __atomic_load_n(&loop->progress, __ATOMIC_RELAXED);
}

void up_loop_wake(struct up_loop *loop)
{
	uint64_t one = 1;

	// Not dp_doorbell_ring(), which is for those who filled a ring: this wakes in any case.
	while (write(loop->config.upstream->bell.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void up_loop_device_gone(struct up_loop *loop, uint32_t context, uint32_t generation)
{
	up_lost_device(loop, context, generation);
}

void up_loop_stop_begin(struct up_loop *loop, uint32_t grace_ms)
{
	if (!loop->started)
		return;
	__atomic_store_n(&loop->stop_ms, clock_ms() + grace_ms, __ATOMIC_RELAXED);
	up_loop_wake(loop);
}

void up_loop_stop(struct up_loop *loop, uint32_t grace_ms)
{
	if (!loop->started)
		return;
	if (!stopping(loop))
		up_loop_stop_begin(loop, grace_ms);
	pthread_join(loop->thread, NULL);
	loop->started = false;
	up_push_stop(loop);
	assert(!loop->busy);
}

// ---- making

static int calls_create(struct up_loop *loop)
{
	const struct dp_loop *up = loop->config.upstream;
	size_t count = 0;

	for (unsigned i = 0; i < up->count; i++)
		count += rte_ring_get_capacity(up->port[i].responses); // holds the whole pool
	loop->calls = calloc(count ? count : 1, sizeof(*loop->calls));
	if (!loop->calls)
		return -ENOMEM;
	for (size_t i = count; i--;)
		TAILQ_INSERT_HEAD(&loop->free_calls, &loop->calls[i], link);
	return 0;
}

static int poll_create(struct up_loop *loop)
{
	struct epoll_event event = {
		.events = EPOLLIN, .data.u64 = http_engine_event(UP_ENGINE_NONE, 0, 0)};

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->config.upstream->bell.fd, &event) < 0)
		return -errno;
	return 0;
}

static int rings_create(struct up_loop *loop)
{
	const unsigned workers = loop->config.upstream->count;

	loop->taken = calloc(workers, sizeof(loop->taken[0]));
	loop->until = calloc(workers, sizeof(loop->until[0]));
	return loop->taken && loop->until ? 0 : -ENOMEM;
}

static int slots_create(struct up_loop *loop)
{
	int rc;

	if (loop->config.slots)
		return 0;
	loop->own_slots = loop->config.slots = up_slots_create(loop->config.loops);
	if (!loop->own_slots)
		return -ENOMEM;
	rc = up_slots_take(loop->own_slots, loop->config.conf);
	up_slots_current(loop->own_slots, loop->config.conf);
	return rc;
}

static struct up_loop *loop_make(const struct up_loop_config *config)
{
	struct up_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->config = *config;
	loop->epoll = -1;
	loop->stop_ms = UINT64_MAX;
	loop->random_used = UP_RANDOM_ROOM;
	TAILQ_INIT(&loop->free_calls);
	TAILQ_INIT(&loop->flying);
	TAILQ_INIT(&loop->groups);
	loop->none.loop = loop;
	TAILQ_INIT(&loop->none.waiting);
	TAILQ_INIT(&loop->none.waiting_parts);
	return loop;
}

int up_loop_create(const struct up_loop_config *config, struct up_loop **out, struct error *error)
{
	struct up_loop *loop = loop_make(config);
	struct up_next *first;
	int rc;

	error_set(error, -ENOMEM, "upstreams: %s", strerror(ENOMEM));
	if (!loop)
		return -ENOMEM;
	loop->etags = map_etags_create(config->etag_key);
	loop->tsc_per_ms = RTE_MAX(rte_get_tsc_hz() / 1000, UINT64_C(1)); // 0 without EAL
	loop->routes = calloc(DP_ROUTE_SLOTS, sizeof(*loop->routes));
	rc = loop->etags && loop->routes ? up_bodies_create(loop) : -ENOMEM;
	if (!rc)
		rc = up_cache_create(loop);
	if (!rc)
		rc = calls_create(loop);
	if (!rc)
		rc = rings_create(loop);
	if (!rc)
		rc = slots_create(loop);
	if (!rc) {
		loop->none.slot = loop->config.slots->none;
		loop->none.stat = loop->none.slot->loop[config->loop].stat;
		rc = poll_create(loop);
		if (rc)
			error_set(error, rc, "upstreams: epoll: %s", strerror(-rc));
	}
	if (!rc)
		rc = up_snapshot_prepare(loop, config->conf, config->snapshot, &first, error);
	if (rc) {
		up_loop_free(loop);
		return rc;
	}
	up_snapshot_install(loop, first);
	loop->installed = config->snapshot;
	*out = loop;
	return 0;
}

void up_loop_free(struct up_loop *loop)
{
	if (!loop)
		return;
	assert(!loop->started && !loop->busy);
	up_push_stop(loop);
	up_snapshot_discard(loop->next);
	up_snapshots_free(loop);
	while (loop->free_flights) {
		struct up_flight *flight = loop->free_flights;

		loop->free_flights = flight->next;
		free(flight);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
	up_bodies_free(loop);
	up_cache_free(loop);
	map_etags_free(loop->etags);
	free(loop->routes);
	up_slots_free(loop->own_slots);
	free(loop->taken);
	free(loop->until);
	free(loop->calls);
	free(loop);
}

// ---- main's side of a change

int up_loop_prepare(struct up_loop *loop, const struct conf *conf, uint16_t number,
	struct up_next **next, struct error *error)
{
	return up_snapshot_prepare(loop, conf, number, next, error);
}

void up_loop_discard(struct up_next *next)
{
	up_snapshot_discard(next);
}

void up_loop_switch(struct up_loop *loop, struct up_next *next)
{
	__atomic_store_n(&loop->next, next, __ATOMIC_RELEASE);
	up_loop_wake(loop);
}

bool up_loop_has(const struct up_loop *loop, uint16_t number)
{
	return __atomic_load_n(&loop->installed, __ATOMIC_ACQUIRE) == number;
}

void up_loop_last_pushed(struct up_loop *loop)
{
	__atomic_store_n(&loop->last_pushed, true, __ATOMIC_RELEASE);
	up_loop_wake(loop);
}

bool up_loop_is_settled(const struct up_loop *loop)
{
	return !__atomic_load_n(&loop->last_pushed, __ATOMIC_ACQUIRE);
}
