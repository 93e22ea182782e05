// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/loop.h"

#include "base/clock.h"
#include "gw/http/timers.h"
#include "gw/os/log.h"
#include "gw/os/tls_files.h"
#include "gw/upstream/batch.h"
#include "gw/upstream/bodies.h"
#include "gw/upstream/call.h"
#include "gw/upstream/lost.h"
#include "gw/upstream/queue.h"

#include <rte_cycles.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BURST            64         // requests taken from one worker in one turn
#define EVENTS           256        // of epoll in one turn
#define SWEEP_MS         100        // between looks for requests that workers gave up
#define BELL_ID          UINT16_MAX // where an engine's id stands in an event
#define UP_RETRIES_LEAST 10         // that a budget which is not 0 allows at once

static bool stopping(const struct up_loop *loop)
{
	return __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED) != UINT64_MAX;
}

// ---- arriving

static struct up_group *group_of(struct up_loop *loop, const struct conf_route *route)
{
	const struct conf *conf = loop->config.conf;

	if (!route || route->target != CONF_TO_UPSTREAM)
		return &loop->group[conf->upstream_count];
	return &loop->group[route->upstream - conf->upstreams];
}

static void call_arrive(struct up_loop *loop, unsigned port_index, dp_handle handle)
{
	struct dp_loop_port *port = &loop->config.upstream->port[port_index];
	const struct conf *conf = loop->config.conf;
	struct dp_shared *shared = dp_shared_get(port->pool, handle);
	struct up_call *call = TAILQ_FIRST(&loop->free_calls);

	if (!shared) { // not the loop's to write to, but the worker counts its handles
		struct up_group *none = &loop->group[conf->upstream_count];

		up_stat_add(none, UP_STAT_requests, 1);
		up_stat_add(none, UP_STAT_abandoned, 1);
		up_stat_add(none, UP_STAT_returned, 1);
		dp_loop_respond(port, handle);
		return;
	}
	if (loop->batches && !stopping(loop) && up_batch_take(loop, port_index, handle, shared))
		return;
	assert(call); // there are as many as exchanges
	TAILQ_REMOVE(&loop->free_calls, call, link);
	loop->busy++;
	uint16_t index = shared->request.route;
	const struct conf_route *route = index < conf->route_count ? &conf->routes[index] : NULL;
	struct up_group *group = group_of(loop, route);
	*call = (struct up_call){
		.handle = handle,
		.port = port,
		.shared = shared,
		.route = route,
		.group = group,
		.arrived_ms = loop->now_ms,
		.deadline_ms = shared->request.deadline_ms,
	};
	up_stat_add(group, UP_STAT_requests, 1);

	if (up_call_is_abandoned(call)) {
		up_call_abandon(call);
	} else if (!group->upstream) {
		up_call_fail(call, HTTP_ERR_no_route);
	} else if (stopping(loop)) {
		up_call_fail(call, HTTP_ERR_stopping);
	} else if (!up_bodies_take(call)) {
		up_queue_add(call);
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

// Before requests are taken: a loop that slept may know servers that went down meanwhile.
static void groups_follow(struct up_loop *loop)
{
	for (size_t i = 0; i < loop->group_count; i++)
		if (loop->group[i].servers)
			up_servers_follow(loop->group[i].servers, !loop->group[i].follows);
}

static void groups_turn(struct up_loop *loop)
{
	if (loop->batches)
		up_batches_turn(loop);
	for (size_t i = 0; i < loop->group_count; i++) {
		struct up_group *group = &loop->group[i];

		if (!group->engine)
			continue;
		group->engine->ops->turn(group->engine, loop->now_ms);
		up_servers_turn(group->servers, loop->now_ms);
		if (group->checks)
			up_checks_turn(group->checks, loop->now_ms);
		up_queue_expire(group);
		up_queue_launch(group);
		if (group->engine->ops->flush)
			group->engine->ops->flush(group->engine);
		up_stat_set(
			group, UP_STAT_connections, group->engine->ops->connections(group->engine));
	}
	up_bodies_turn(loop);
	if (loop->busy && loop->now_ms >= loop->sweep_ms) {
		up_bodies_sweep(loop);
		up_queue_sweep(loop);
		loop->sweep_ms = loop->now_ms + SWEEP_MS;
	}
	if (stopping(loop))
		stop_turn(loop);
}

static uint64_t next_ms(const struct up_loop *loop)
{
	uint64_t next =
		http_earlier(loop->busy ? loop->sweep_ms : UINT64_MAX, up_bodies_next_ms(loop));

	if (loop->batches)
		next = http_earlier(next, up_batches_next_ms(loop));

	for (size_t i = 0; i < loop->group_count; i++) {
		const struct up_group *group = &loop->group[i];

		if (group->engine) {
			next = http_earlier(next, group->engine->ops->next_ms(group->engine));
			next = http_earlier(next, up_servers_next_ms(group->servers));
		}
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
		if (dp_loop_pending(up) || up_lost_pending(loop))
			timeout = 0;
	}
	progress_add(loop, 1);
	int n = epoll_wait(loop->epoll, events, EVENTS, timeout); // EINTR: nothing happened
	progress_add(loop, 1);
	if (armed)
		dp_doorbell_disarm(&up->bell);
	for (int i = 0; i < n; i++) {
		uint16_t id = http_engine_event_id(events[i].data.u64);

		if (id == BELL_ID)
			continue;
		struct http_engine *engine = loop->group[id].engine;
		engine->ops->ready(engine, events[i].data.u64, events[i].events);
	}
}

static void *run(void *arg)
{
	struct up_loop *loop = arg;
	bool more = false;

	for (;;) {
		loop->now_ms = clock_ms();
		groups_follow(loop);
		more = receive(loop) > 0;
		groups_turn(loop);
		if (stopping(loop) && !loop->busy && !more)
			break;
		wait_and_dispatch(loop, more);
	}
	for (size_t i = 0; i < loop->group_count; i++)
		if (loop->group[i].checks)
			up_checks_stop(loop->group[i].checks);
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
	for (size_t i = 0; i < loop->group_count; i++)
		assert(loop->group[i].stat[UP_STAT_requests] ==
			loop->group[i].stat[UP_STAT_returned]);
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

// Says better than OpenSSL what is wrong with a file.
static int group_files_check(const struct conf_upstream *upstream, struct error *error)
{
	struct error wrong;
	char *const *path;
	int rc = tls_files_check(&upstream->tls, &path, &wrong);

	return rc ? error_set(error, rc, "upstream %s: %s", upstream->name, wrong.text) : 0;
}

// This loop's part of a limit of the upstream.
static uint32_t limit_share(const struct up_loop *loop, uint32_t limit)
{
	return (limit + loop->config.loops - 1) / loop->config.loops;
}

static int group_servers_create(struct up_loop *loop, struct up_group *group, size_t index)
{
	const struct conf_upstream *upstream = group->upstream;
	struct up_servers_shared *shared = loop->config.servers;
	uint64_t budget = (uint64_t)group->max_inflight * upstream->retries.budget;

	group->servers = up_servers_create(upstream, loop->config.loop, loop->config.loops);
	if (!group->servers)
		return -ENOMEM;
	if (shared)
		group->servers->shared = &shared[index];
	if (upstream->check.path && shared)
		group->follows = index % loop->config.loops != loop->config.loop;
	if (upstream->check.path && !group->follows) {
		group->checks = up_checks_create(group);
		if (!group->checks)
			return -ENOMEM;
	}
	// Enough for all that a server takes with it.
	group->retry_tokens_max = upstream->retries.budget && budget < UP_RETRIES_LEAST * 100
		? UP_RETRIES_LEAST * 100
		: budget;
	group->retry_tokens = group->retry_tokens_max;
	return 0;
}

static int group_create(struct up_loop *loop, size_t index, struct error *error)
{
	const struct conf_upstream *upstream = &loop->config.conf->upstreams[index];
	struct up_group *group = &loop->group[index];
	struct http_engine_config config = {
		.upstream = upstream,
		.epoll = loop->epoll,
		.id = (uint16_t)index,
		.max_connections = limit_share(loop, upstream->max_connections),
		.checks = upstream->check.path ? (uint32_t)upstream->server_count : 0,
	};
	int rc;

	group->upstream = upstream;
	group->max_inflight = limit_share(loop, upstream->max_inflight);
	rc = group_files_check(upstream, error);
	if (rc)
		return rc;
	// All servers of an upstream are HTTP/2, or none is.
	if (upstream->servers[0].http2)
		rc = http_engine_h2_create(&config, &group->engine);
	else
		rc = http_engine_h1_create(&config, &group->engine);
	if (!rc)
		rc = group_servers_create(loop, group, index);
	if (rc)
		error_set(error, rc, "upstream %s: %s", upstream->name,
			rc == -EINVAL ? "tls: the files cannot be used" : strerror(-rc));
	return rc;
}

static int poll_create(struct up_loop *loop)
{
	struct epoll_event event = {
		.events = EPOLLIN, .data.u64 = http_engine_event(BELL_ID, 0, 0)};

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->config.upstream->bell.fd, &event) < 0)
		return -errno;
	return 0;
}

int up_loop_create(const struct up_loop_config *config, struct up_loop **out, struct error *error)
{
	size_t groups = config->conf->upstream_count + 1;
	struct up_loop *loop;
	int rc;

	error_set(error, -ENOMEM, "upstreams: %s", strerror(ENOMEM));
	loop = calloc(1, sizeof(*loop) + groups * sizeof(loop->group[0]));
	if (!loop)
		return -ENOMEM;
	loop->config = *config;
	loop->epoll = -1;
	loop->stop_ms = UINT64_MAX;
	loop->random_used = UP_RANDOM_ROOM;
	loop->group_count = groups;
	TAILQ_INIT(&loop->free_calls);
	TAILQ_INIT(&loop->flying);
	for (size_t i = 0; i < groups; i++) {
		loop->group[i].loop = loop;
		TAILQ_INIT(&loop->group[i].waiting);
		TAILQ_INIT(&loop->group[i].waiting_parts);
	}
	loop->etags = map_etags_create(config->etag_key);
	loop->tsc_per_ms = RTE_MAX(rte_get_tsc_hz() / 1000, UINT64_C(1)); // 0 without EAL
	loop->routes = calloc(DP_ROUTE_SLOTS, sizeof(*loop->routes));
	rc = loop->etags && loop->routes ? up_bodies_create(loop) : -ENOMEM;
	if (!rc)
		rc = calls_create(loop);
	if (!rc) {
		rc = poll_create(loop);
		if (rc)
			error_set(error, rc, "upstreams: epoll: %s", strerror(-rc));
	}
	if (!rc)
		rc = up_headers_create(config->conf, &loop->headers, error);
	for (size_t i = 0; !rc && i < config->conf->upstream_count; i++)
		rc = group_create(loop, i, error);
	if (!rc)
		rc = up_batches_create(loop);
	if (rc) {
		up_loop_free(loop);
		return rc;
	}
	*out = loop;
	return 0;
}

void up_loop_free(struct up_loop *loop)
{
	if (!loop)
		return;
	assert(!loop->started && !loop->busy);
	for (size_t i = 0; i < loop->group_count; i++) {
		struct up_group *group = &loop->group[i];

		if (group->engine)
			group->engine->ops->free(group->engine);
		up_checks_free(group->checks);
		free(group->servers);
	}
	up_batches_free(loop);
	while (loop->free_flights) {
		struct up_flight *flight = loop->free_flights;

		loop->free_flights = flight->next;
		free(flight);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
	up_headers_free(loop->headers);
	up_bodies_free(loop);
	map_etags_free(loop->etags);
	free(loop->routes);
	free(loop->calls);
	free(loop);
}

void up_loop_server_add(
	const struct up_loop *loop, size_t upstream, size_t index, struct up_server_view *view)
{
	const struct up_servers *servers = loop->group[upstream].servers;
	const struct up_server *server = &servers->server[index];

	view->down |= __atomic_load_n(&servers->down, __ATOMIC_RELAXED) >> index & 1;
	view->ejected |= __atomic_load_n(&servers->ejected_bits, __ATOMIC_RELAXED) >> index & 1;
	view->in_flight += __atomic_load_n(&server->outstanding, __ATOMIC_RELAXED);
	up_server_stats_sum(&view->stats, &server->stats);
}

size_t up_loop_servers_up(const struct up_loop *loop, size_t upstream)
{
	return __atomic_load_n(&loop->group[upstream].servers->up, __ATOMIC_RELAXED);
}

const struct up_route_stats *up_loop_route_stats(const struct up_loop *loop, unsigned slot)
{
	return &loop->routes[slot];
}

uint64_t up_loop_stat(const struct up_loop *loop, size_t upstream, enum up_stat stat)
{
	return __atomic_load_n(&loop->group[upstream].stat[stat], __ATOMIC_RELAXED);
}
