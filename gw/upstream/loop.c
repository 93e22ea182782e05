// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/loop.h"

#include "gw/upstream/engine.h"

#include <assert.h>
#include <curl/curl.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <time.h>
#include <unistd.h>

#define BURST       64  // requests taken from one worker in one turn
#define EVENTS      256 // of epoll in one turn
#define SWEEP_MS    100 // between looks for requests that workers gave up
#define MARGIN_MS   20  // by which a backend's time ends before the worker answers by itself
#define RANDOM_ROOM 4096
#define BELL_ID     UINT32_MAX // where an engine's id stands in an event

// One request, from its arrival until it is handed back.
struct call {
	TAILQ_ENTRY(call) link; // free, waiting or flying
	dp_handle handle;
	struct dp_upstream_port *port;
	struct dp_shared *shared;
	const struct conf_route *route;
	struct group *group;
	struct flight *flight; // NULL while it waits
	uint64_t arrived_ms;
	uint64_t deadline_ms;
};

TAILQ_HEAD(call_list, call);

// What a call needs while its HTTP request is under way.
struct flight {
	struct up_transfer transfer;
	struct up_message message;
	struct call *call;
	struct flight *next; // in the free list
	size_t server;       // index of the one being asked
	size_t tried;        // servers asked so far, this one too
};

_Static_assert(offsetof(struct flight, transfer) == 0, "a transfer is cast to its flight");

// An upstream's state in this loop. The last group has no upstream: it is for requests whose route
// leads to none.
struct group {
	const struct conf_upstream *upstream;
	struct up_loop *loop;
	struct up_engine *engine;
	struct call_list waiting;
	size_t waiting_count;
	size_t inflight;
	size_t next_server;
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
	uint8_t random[RANDOM_ROOM];
	size_t random_used;
	size_t group_count;
	struct group group[];
};

static uint64_t clock_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void stat_add(struct group *group, enum up_stat stat, uint64_t n)
{
	__atomic_store_n(&group->stat[stat], group->stat[stat] + n, __ATOMIC_RELAXED);
}

static void stat_set(struct group *group, enum up_stat stat, uint64_t n)
{
	__atomic_store_n(&group->stat[stat], n, __ATOMIC_RELAXED);
}

// A system call a hundred requests instead of one each.
static const uint8_t *random_take(struct up_loop *loop, size_t len)
{
	if (loop->random_used + len > RANDOM_ROOM) {
		randombytes_buf(loop->random, RANDOM_ROOM);
		loop->random_used = 0;
	}
	const uint8_t *bytes = loop->random + loop->random_used;
	loop->random_used += len;
	return bytes;
}

static bool stopping(const struct up_loop *loop)
{
	return __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED) != UINT64_MAX;
}

// ---- handing back

static void call_return(struct call *call)
{
	struct group *group = call->group;
	struct up_loop *loop = group->loop;

	dp_upstream_respond(call->port, call->handle);
	stat_add(group, UP_STAT_returned, 1);
	call->shared = NULL;
	TAILQ_INSERT_HEAD(&loop->free_calls, call, link);
	loop->busy--;
}

static void call_abandon(struct call *call)
{
	call->shared->response.len = 0;
	stat_add(call->group, UP_STAT_abandoned, 1);
	call_return(call);
}

// Max-Age of an error. Devices that are told to come back do so at different times.
static uint32_t error_max_age(struct up_loop *loop, enum up_error error)
{
	if (up_error_rows[error].code != COAP_SERVICE_UNAVAILABLE)
		return 0;
	return UP_RETRY_SECONDS + *random_take(loop, 1) % (UP_RETRY_SECONDS + 1);
}

static void call_fail(struct call *call, enum up_error error)
{
	struct group *group = call->group;
	struct dp_shared *shared = call->shared;

	shared->response.len = up_error_write(error, error_max_age(group->loop, error),
		dp_shared_response(call->port->pool, shared), shared->request.response_max);
	stat_add(group, UP_STAT_ERROR + error, 1);
	call_return(call);
}

static bool call_abandoned(const struct call *call)
{
	return __atomic_load_n(&call->shared->abandoned, __ATOMIC_RELAXED);
}

// ---- sending

static struct flight *flight_take(struct up_loop *loop)
{
	struct flight *flight = loop->free_flights;

	if (flight)
		loop->free_flights = flight->next;
	else
		flight = malloc(sizeof(*flight));
	return flight;
}

static void flight_give(struct up_loop *loop, struct flight *flight)
{
	flight->next = loop->free_flights;
	loop->free_flights = flight;
}

// Makes the HTTP request of a call.
static enum up_error flight_prepare(struct flight *flight, struct call *call)
{
	struct up_loop *loop = call->group->loop;
	struct up_request *req = &flight->transfer.request;
	const struct dp_request *device = &call->shared->request;
	char name[UP_NAME_MAX + 1];
	enum up_error error;

	error = up_message_parse(&flight->message, call->route, device->code,
		dp_shared_body(call->port->pool, call->shared), device->body_len);
	if (!error)
		error = up_request_build(req, &flight->message, loop->etags);
	if (error)
		return error;
	if (!loop->config.name(loop->config.name_arg, device->context, device->context_generation,
		    name, sizeof(name)))
		return UP_ERR_device_gone;
	return up_request_identify(req, device, name, random_take(loop, UP_IDENTITY_RANDOM));
}

// Sends the request to flight->server.
static enum up_error flight_start(struct flight *flight, struct call *call)
{
	struct group *group = call->group;
	struct up_transfer *t = &flight->transfer;
	uint64_t now = group->loop->now_ms;
	size_t left = group->upstream->server_count - flight->tried;

	if (call->deadline_ms <= now)
		return UP_ERR_timeout;
	t->server = &group->upstream->servers[flight->server];
	t->host = call->route->host ? call->route->host : t->server->authority;
	t->timeout_ms = (uint32_t)(call->deadline_ms - now);
	t->timeout_ms -= t->timeout_ms / 8 < MARGIN_MS ? t->timeout_ms / 8 : MARGIN_MS;
	// A server that does not even refuse leaves time for the others.
	t->connect_ms = left ? t->timeout_ms / 2 + 1 : 0;
	t->body_keep = call->shared->request.response_max;
	t->body_max = group->upstream->max_body;
	flight->tried++;
	stat_add(group, UP_STAT_attempts, 1);
	return group->engine->ops->start(group->engine, t) ? UP_ERR_no_memory : UP_OK;
}

static void call_launch(struct call *call)
{
	struct group *group = call->group;
	struct up_loop *loop = group->loop;
	struct flight *flight = flight_take(loop);
	enum up_error error;

	if (!flight) {
		call_fail(call, UP_ERR_no_memory);
		return;
	}
	error = flight_prepare(flight, call);
	if (!error) {
		flight->tried = 0;
		flight->server = group->next_server;
		group->next_server = (group->next_server + 1) % group->upstream->server_count;
		error = flight_start(flight, call);
	}
	if (error) {
		flight_give(loop, flight);
		call_fail(call, error);
		return;
	}
	flight->call = call;
	call->flight = flight;
	TAILQ_INSERT_TAIL(&loop->flying, call, link);
	group->inflight++;
	stat_set(group, UP_STAT_inflight, group->inflight);
}

// The call is neither flying nor waiting afterwards.
static void call_land(struct call *call)
{
	struct group *group = call->group;

	TAILQ_REMOVE(&group->loop->flying, call, link);
	flight_give(group->loop, call->flight);
	call->flight = NULL;
	group->inflight--;
	stat_set(group, UP_STAT_inflight, group->inflight);
}

static void call_unqueue(struct call *call)
{
	struct group *group = call->group;

	TAILQ_REMOVE(&group->waiting, call, link);
	group->waiting_count--;
	stat_set(group, UP_STAT_waiting, group->waiting_count);
	stat_add(group, UP_STAT_queued_ms, group->loop->now_ms - call->arrived_ms);
}

static bool group_has_room(const struct group *group)
{
	return group->inflight < group->engine->capacity;
}

static void group_launch_waiting(struct group *group)
{
	struct call *call;

	while (group_has_room(group) && (call = TAILQ_FIRST(&group->waiting))) {
		call_unqueue(call);
		if (call_abandoned(call))
			call_abandon(call);
		else
			call_launch(call);
	}
}

static void count_status(struct group *group, int status)
{
	static const enum up_stat classes[] = {[2] = UP_STAT_http_2xx,
		[3] = UP_STAT_http_3xx,
		[4] = UP_STAT_http_4xx,
		[5] = UP_STAT_http_5xx};

	stat_add(group, status >= 200 && status <= 599 ? classes[status / 100] : UP_STAT_http_other,
		1);
}

// Whether no server can have seen the request, and another one is left to try.
static bool can_go_elsewhere(
	const struct group *group, const struct flight *flight, enum up_error error)
{
	if (flight->transfer.sent || flight->tried >= group->upstream->server_count)
		return false;
	return error == UP_ERR_dns || error == UP_ERR_connect || error == UP_ERR_tls;
}

static void on_done(void *arg, struct up_transfer *transfer, enum up_error error)
{
	struct group *group = arg;
	struct flight *flight = (struct flight *)transfer;
	struct call *call = flight->call;
	struct dp_shared *shared = call->shared;

	if (call_abandoned(call)) {
		call_land(call);
		call_abandon(call);
		return;
	}
	if (error && can_go_elsewhere(group, flight, error)) {
		flight->server = (flight->server + 1) % group->upstream->server_count;
		stat_add(group, UP_STAT_retries, 1);
		enum up_error again = flight_start(flight, call);
		if (!again)
			return;
		error = again == UP_ERR_timeout ? error : again;
	}
	if (error) {
		call_land(call);
		call_fail(call, error);
		return;
	}
	count_status(group, transfer->reply.status);
	error = up_reply_map(&transfer->reply, &flight->message, transfer->server,
		group->loop->etags, time(NULL), dp_shared_response(call->port->pool, shared),
		shared->request.response_max, &shared->response.len);
	if (error)
		stat_add(group, UP_STAT_ERROR + error, 1);
	call_land(call);
	call_return(call);
}

// ---- arriving

static struct group *group_of(struct up_loop *loop, const struct conf_route *route)
{
	const struct conf *conf = loop->config.conf;

	if (!route || route->target != CONF_TO_UPSTREAM)
		return &loop->group[conf->upstream_count];
	return &loop->group[route->upstream - conf->upstreams];
}

static void call_arrive(struct up_loop *loop, struct dp_upstream_port *port, dp_handle handle)
{
	const struct conf *conf = loop->config.conf;
	struct dp_shared *shared = dp_shared_get(port->pool, handle);
	struct call *call = TAILQ_FIRST(&loop->free_calls);

	if (!shared) { // not the loop's to write to, but the worker counts its handles
		struct group *none = &loop->group[conf->upstream_count];

		stat_add(none, UP_STAT_requests, 1);
		stat_add(none, UP_STAT_abandoned, 1);
		stat_add(none, UP_STAT_returned, 1);
		dp_upstream_respond(port, handle);
		return;
	}
	assert(call); // there are as many as exchanges
	TAILQ_REMOVE(&loop->free_calls, call, link);
	loop->busy++;
	uint16_t index = shared->request.route;
	const struct conf_route *route = index < conf->route_count ? &conf->routes[index] : NULL;
	struct group *group = group_of(loop, route);
	call->handle = handle;
	call->port = port;
	call->shared = shared;
	call->route = route;
	call->group = group;
	call->flight = NULL;
	call->arrived_ms = loop->now_ms;
	call->deadline_ms = shared->request.deadline_ms;
	stat_add(group, UP_STAT_requests, 1);

	if (call_abandoned(call)) {
		call_abandon(call);
	} else if (!group->upstream) {
		call_fail(call, UP_ERR_no_route);
	} else if (stopping(loop)) {
		call_fail(call, UP_ERR_stopping);
	} else if (group_has_room(group) && !group->waiting_count) {
		call_launch(call);
	} else if (group->waiting_count >= group->upstream->max_inflight) {
		call_fail(call, UP_ERR_queue_full);
	} else {
		TAILQ_INSERT_TAIL(&group->waiting, call, link);
		group->waiting_count++;
		stat_set(group, UP_STAT_waiting, group->waiting_count);
		stat_add(group, UP_STAT_queued, 1);
	}
}

static unsigned receive(struct up_loop *loop)
{
	struct dp_upstream *up = loop->config.upstream;
	dp_handle handles[BURST];
	unsigned taken = 0;

	for (unsigned i = 0; i < up->count; i++) {
		unsigned n = dp_upstream_receive(&up->port[i], handles, BURST);

		for (unsigned j = 0; j < n; j++)
			call_arrive(loop, &up->port[i], handles[j]);
		taken += n;
	}
	return taken;
}

// ---- time

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

// The queue is in order of arrival, so the first is the first to have waited for too long.
static void group_expire(struct group *group)
{
	struct call *call;

	while ((call = TAILQ_FIRST(&group->waiting)) &&
		call->arrived_ms + group->upstream->queue_ms <= group->loop->now_ms) {
		call_unqueue(call);
		if (call_abandoned(call))
			call_abandon(call);
		else
			call_fail(call, UP_ERR_queue_timeout);
	}
}

static void call_cancel(struct call *call)
{
	struct group *group = call->group;

	group->engine->ops->cancel(group->engine, &call->flight->transfer);
	call_land(call);
}

// Looks for what workers gave up, in the air and in the queues.
static void sweep(struct up_loop *loop)
{
	for (struct call *call = TAILQ_FIRST(&loop->flying), *next; call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (!call_abandoned(call))
			continue;
		call_cancel(call);
		call_abandon(call);
	}
	for (size_t i = 0; i < loop->group_count; i++) {
		for (struct call *call = TAILQ_FIRST(&loop->group[i].waiting), *next; call;
			call = next) {
			next = TAILQ_NEXT(call, link);
			if (!call_abandoned(call))
				continue;
			call_unqueue(call);
			call_abandon(call);
		}
	}
	loop->sweep_ms = loop->now_ms + SWEEP_MS;
}

// The loop was told to stop: what waits is answered, what is under way may go on until then.
static void stop_turn(struct up_loop *loop)
{
	uint64_t until = __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED);
	struct call *call;

	for (size_t i = 0; i < loop->group_count; i++) {
		while ((call = TAILQ_FIRST(&loop->group[i].waiting))) {
			call_unqueue(call);
			call_fail(call, UP_ERR_stopping);
		}
	}
	while (loop->now_ms >= until && (call = TAILQ_FIRST(&loop->flying))) {
		call_cancel(call);
		call_fail(call, UP_ERR_stopping);
	}
}

static void groups_turn(struct up_loop *loop)
{
	for (size_t i = 0; i < loop->group_count; i++) {
		struct group *group = &loop->group[i];

		if (!group->engine)
			continue;
		group->engine->ops->turn(group->engine, loop->now_ms);
		group_expire(group);
		group_launch_waiting(group);
		stat_set(
			group, UP_STAT_connections, group->engine->ops->connections(group->engine));
	}
	if (loop->busy && loop->now_ms >= loop->sweep_ms)
		sweep(loop);
	if (stopping(loop))
		stop_turn(loop);
}

static uint64_t next_ms(const struct up_loop *loop)
{
	uint64_t next = loop->busy ? loop->sweep_ms : UINT64_MAX;

	for (size_t i = 0; i < loop->group_count; i++) {
		const struct group *group = &loop->group[i];
		const struct call *call = TAILQ_FIRST(&group->waiting);

		if (group->engine)
			next = earlier(next, group->engine->ops->next_ms(group->engine));
		if (call)
			next = earlier(next, call->arrived_ms + group->upstream->queue_ms);
	}
	if (!TAILQ_EMPTY(&loop->flying))
		next = earlier(next, __atomic_load_n(&loop->stop_ms, __ATOMIC_RELAXED));
	return next;
}

// ---- the thread

// Sleeps until something happens, but not if a worker pushed something meanwhile.
static void wait_and_dispatch(struct up_loop *loop, bool more)
{
	struct dp_upstream *up = loop->config.upstream;
	struct epoll_event events[EVENTS];
	uint64_t next = next_ms(loop);
	int timeout = -1;

	if (next != UINT64_MAX)
		timeout = next <= loop->now_ms ? 0 : (int)earlier(next - loop->now_ms, INT32_MAX);
	if (more)
		timeout = 0;
	bool armed = timeout != 0;
	if (armed) {
		dp_doorbell_arm(&up->bell);
		if (dp_upstream_pending(up))
			timeout = 0;
	}
	int n = epoll_wait(loop->epoll, events, EVENTS, timeout); // EINTR: nothing happened
	if (armed)
		dp_doorbell_disarm(&up->bell);
	for (int i = 0; i < n; i++) {
		uint32_t id = events[i].data.u64 >> 32;

		if (id == BELL_ID)
			continue;
		struct up_engine *engine = loop->group[id].engine;
		engine->ops->ready(engine, (int)(uint32_t)events[i].data.u64, events[i].events);
	}
}

static void *run(void *arg)
{
	struct up_loop *loop = arg;
	bool more = false;

	for (;;) {
		loop->now_ms = clock_ms();
		more = receive(loop) > 0;
		groups_turn(loop);
		if (stopping(loop) && !loop->busy && !more)
			return NULL;
		wait_and_dispatch(loop, more);
	}
}

int up_loop_start(struct up_loop *loop)
{
	sigset_t before, blocked;
	int rc;

	sigfillset(&blocked);
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
	pthread_setname_np(loop->thread, "postern-http");
	loop->started = true;
	return 0;
}

void up_loop_stop(struct up_loop *loop, uint32_t grace_ms)
{
	uint64_t one = 1;

	if (!loop->started)
		return;
	__atomic_store_n(&loop->stop_ms, clock_ms() + grace_ms, __ATOMIC_RELAXED);
	// Not dp_doorbell_ring(), which is for those who filled a ring: this wakes in any case.
	while (write(loop->config.upstream->bell.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_join(loop->thread, NULL);
	loop->started = false;
	for (size_t i = 0; i < loop->group_count; i++)
		assert(loop->group[i].stat[UP_STAT_requests] ==
			loop->group[i].stat[UP_STAT_returned]);
}

// ---- making

static int calls_create(struct up_loop *loop)
{
	const struct dp_upstream *up = loop->config.upstream;
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

// libcurl reads these files when it connects; what is wrong with them is better said at the start.
static int tls_files_check(const struct conf_upstream *upstream, char *err, size_t err_len)
{
	const char *const files[] = {upstream->tls.ca, upstream->tls.cert, upstream->tls.key};

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		if (!files[i] || !access(files[i], R_OK))
			continue;
		int rc = -errno;
		snprintf(err, err_len, "upstream %s: %s: %s", upstream->name, files[i],
			strerror(-rc));
		return rc;
	}
	return 0;
}

static int group_create(struct up_loop *loop, size_t index, char *err, size_t err_len)
{
	struct group *group = &loop->group[index];
	struct up_engine_config config = {
		.upstream = &loop->config.conf->upstreams[index],
		.epoll = loop->epoll,
		.id = (uint32_t)index,
		.done = on_done,
		.arg = group,
	};
	int rc;

	group->upstream = config.upstream;
	rc = tls_files_check(group->upstream, err, err_len);
	if (rc)
		return rc;
	rc = up_engine_curl_create(&config, &group->engine);
	if (rc)
		snprintf(err, err_len, "upstream %s: %s", group->upstream->name,
			rc == -EINVAL ? "settings refused by libcurl" : strerror(-rc));
	return rc;
}

static int poll_create(struct up_loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = up_engine_event(BELL_ID, 0)};

	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->config.upstream->bell.fd, &event) < 0)
		return -errno;
	return 0;
}

int up_loop_create(
	const struct up_loop_config *config, struct up_loop **out, char *err, size_t err_len)
{
	size_t groups = config->conf->upstream_count + 1;
	struct up_loop *loop;
	int rc;

	snprintf(err, err_len, "upstreams: %s", strerror(ENOMEM));
	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	loop = calloc(1, sizeof(*loop) + groups * sizeof(loop->group[0]));
	if (!loop) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	loop->config = *config;
	loop->epoll = -1;
	loop->stop_ms = UINT64_MAX;
	loop->random_used = RANDOM_ROOM;
	loop->group_count = groups;
	TAILQ_INIT(&loop->free_calls);
	TAILQ_INIT(&loop->flying);
	for (size_t i = 0; i < groups; i++) {
		loop->group[i].loop = loop;
		TAILQ_INIT(&loop->group[i].waiting);
	}
	loop->etags = up_etags_create(config->etag_key);
	rc = loop->etags ? calls_create(loop) : -ENOMEM;
	if (!rc) {
		rc = poll_create(loop);
		if (rc)
			snprintf(err, err_len, "upstreams: epoll: %s", strerror(-rc));
	}
	for (size_t i = 0; !rc && i < config->conf->upstream_count; i++)
		rc = group_create(loop, i, err, err_len);
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
	for (size_t i = 0; i < loop->group_count; i++)
		if (loop->group[i].engine)
			loop->group[i].engine->ops->free(loop->group[i].engine);
	while (loop->free_flights) {
		struct flight *flight = loop->free_flights;

		loop->free_flights = flight->next;
		free(flight);
	}
	if (loop->epoll >= 0)
		close(loop->epoll);
	up_etags_free(loop->etags);
	free(loop->calls);
	free(loop);
	curl_global_cleanup();
}

uint64_t up_loop_stat(const struct up_loop *loop, size_t upstream, enum up_stat stat)
{
	return __atomic_load_n(&loop->group[upstream].stat[stat], __ATOMIC_RELAXED);
}
