// SPDX-License-Identifier: BSD-3-Clause
// One multi handle an upstream, driven by curl_multi_socket_action() from the loop's epoll. Each
// request has an easy handle of its own: libcurl before 8.1.1 writes to freed memory when the
// answer to the second request of a handle begins its headers with a folded line (curl issue
// 11101). Making one costs about a microsecond.

#include "base/clock.h"
#include "gw/http/h1.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

// Until a UNIX socket whose backlog is full is tried again; twice as long each time.
#define BACKLOG_MS     10
#define BACKLOG_MS_MAX 160

static struct h1_engine *engine_of(struct http_engine *engine)
{
	return (struct h1_engine *)engine;
}

static int on_timer(CURLM *multi, long timeout_ms, void *arg)
{
	struct h1_engine *e = arg;

	e->due_ms = timeout_ms < 0 ? UINT64_MAX : clock_ms() + (uint64_t)timeout_ms;
	return 0;
}

// ---- slots

// list: NULL for one that is libcurl's from now on.
static void slot_move(struct h1_slot *slot, struct h1_slot_list *list)
{
	if (slot->list)
		TAILQ_REMOVE(slot->list, slot, link);
	slot->list = list;
	if (list)
		TAILQ_INSERT_TAIL(list, slot, link);
}

// What libcurl waits for. An error from here would end libcurl's multi handle for good, and with it
// all traffic to the upstream: only the request that cannot be waited for is given up.
static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *unused)
{
	struct h1_engine *e = arg;
	struct h1_slot *slot = NULL;
	uint32_t events = 0;

	if (what == CURL_POLL_IN || what == CURL_POLL_INOUT)
		events |= EPOLLIN;
	if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT)
		events |= EPOLLOUT;
	int rc = http_sockets_want(e->sockets, fd, events);
	if (!rc)
		return 0;
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
	slot->local_errno = -rc;
	slot_move(slot, &e->unheard);
	return 0;
}

static void slot_give(struct h1_engine *e, struct h1_slot *slot)
{
	curl_easy_cleanup(slot->easy);
	slot->easy = NULL;
	slot->transfer = NULL;
	http_timer_unset(&e->timers, &slot->timer);
	slot_move(slot, &e->free_slots);
}

static void slot_fire(struct http_timer *timer);

static struct h1_slot *slot_make(struct h1_engine *e)
{
	// Setting a timer must not fail later.
	if (http_timers_reserve(&e->timers, e->slot_count + 1))
		return NULL;
	struct h1_slot *slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->timer.fire = slot_fire;
	e->slot_count++;
	return slot;
}

static struct h1_slot *slot_take(struct h1_engine *e)
{
	struct h1_slot *slot = TAILQ_FIRST(&e->free_slots);

	if (!slot)
		slot = slot_make(e);
	if (!slot)
		return NULL;
	slot_move(slot, NULL);
	slot->easy = curl_easy_init();
	if (!slot->easy || h1_slot_set_up(e, slot) != CURLE_OK) {
		slot_give(e, slot);
		return NULL;
	}
	return slot;
}

// It is over, without libcurl: turn() will report it.
static void slot_finish(struct h1_slot *slot, enum http_error error)
{
	struct h1_engine *e = slot->target->engine;

	http_timer_unset(&e->timers, &slot->timer);
	slot->error = error;
	slot_move(slot, &e->ended);
}

static long time_left(const struct h1_slot *slot, uint32_t limit_ms)
{
	return limit_ms > slot->waited_ms ? (long)(limit_ms - slot->waited_ms) : 1;
}

// Hands it to libcurl, with what is left of its time.
static int slot_launch(struct h1_slot *slot, uint64_t now_ms)
{
	const struct http_transfer *t = slot->transfer;
	struct h1_engine *e = slot->target->engine;
	CURLcode rc = CURLE_OK;

	slot->waited_ms = (uint32_t)(now_ms - slot->started_ms);
	slot->local_errno = 0;
	http_timer_unset(&e->timers, &slot->timer);
	H1_SET(rc, slot->easy, CURLOPT_TIMEOUT_MS, time_left(slot, t->timeout_ms));
	if (t->connect_ms)
		H1_SET(rc, slot->easy, CURLOPT_CONNECTTIMEOUT_MS, time_left(slot, t->connect_ms));
	if (rc || curl_multi_add_handle(e->multi, slot->easy))
		return -ENOMEM;
	slot_move(slot, NULL);
	return 0;
}

// Until when there must be a connection.
static uint64_t connect_until(const struct h1_slot *slot)
{
	const struct http_transfer *t = slot->transfer;
	uint32_t limit_ms =
		t->connect_ms && t->connect_ms < t->timeout_ms ? t->connect_ms : t->timeout_ms;

	return slot->started_ms + limit_ms;
}

// There is no address.
static void slot_not_found(struct h1_slot *slot)
{
	slot_finish(slot, http_host_error(&slot->target->host, &slot->transfer->local_errno));
}

// No address in time, or the end of a pause.
static void slot_fire(struct http_timer *timer)
{
	struct h1_slot *slot = (struct h1_slot *)timer;
	uint64_t now = clock_ms();

	if (slot->list != &slot->target->engine->paused || now >= connect_until(slot))
		slot_finish(slot, slot->transfer->connect_ms ? HTTP_ERR_connect : HTTP_ERR_timeout);
	else if (slot_launch(slot, now))
		slot_finish(slot, HTTP_ERR_no_memory);
}

_Static_assert(offsetof(struct h1_slot, timer) == 0, "a timer is cast to its slot");

static void slot_wait(struct h1_slot *slot)
{
	slot_move(slot, &slot->target->waiting);
	http_timer_set(&slot->target->engine->timers, &slot->timer, connect_until(slot));
}

// The backlog of a UNIX socket is full.
static void slot_pause(struct h1_slot *slot)
{
	struct h1_engine *e = slot->target->engine;

	slot_move(slot, &e->paused);
	http_timer_set(&e->timers, &slot->timer,
		http_earlier(clock_ms() + slot->pause_ms, connect_until(slot)));
	if (slot->pause_ms < BACKLOG_MS_MAX)
		slot->pause_ms *= 2;
}

static int engine_start(struct http_engine *engine, struct http_transfer *t)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_slot *slot = slot_take(e);
	int rc = 0;

	if (!slot)
		return -ENOMEM;
	slot->target = &e->targets[t->server - e->config.upstream->servers];
	slot->transfer = t;
	slot->started_ms = clock_ms();
	slot->pause_ms = BACKLOG_MS;
	slot->head_done = false;
	slot->error = HTTP_ERR_none;
	slot->body.received = 0;
	slot->why[0] = 0;
	t->engine_data = slot;
	t->sent = false;
	t->connected_ms = 0;
	t->local_errno = 0;
	http_reply_init(&t->reply);
	if (h1_slot_set_request(e, slot)) {
		slot_give(e, slot);
		return -ENOMEM;
	}
	switch (http_host_want(&slot->target->host, slot->started_ms)) {
	case HTTP_HOST_KNOWN:
		rc = slot_launch(slot, slot->started_ms);
		break;
	case HTTP_HOST_ASKED:
		slot_wait(slot);
		break;
	case HTTP_HOST_UNKNOWN:
		slot_not_found(slot);
		break;
	}
	if (rc)
		slot_give(e, slot);
	return rc;
}

static void engine_cancel(struct http_engine *engine, struct http_transfer *t)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_slot *slot = t->engine_data;

	if (!slot->list || slot->list == &e->unheard)
		curl_multi_remove_handle(e->multi, slot->easy);
	slot_give(e, slot);
}

// ---- what comes

// With its TLS handshake.
static uint32_t connect_time(CURL *easy)
{
	curl_off_t connect = 0, handshake = 0; // microseconds

	curl_easy_getinfo(easy, CURLINFO_CONNECT_TIME_T, &connect);
	curl_easy_getinfo(easy, CURLINFO_APPCONNECT_TIME_T, &handshake);
	return (uint32_t)((handshake > connect ? handshake : connect) / 1000);
}

// Looks at what the system said when no connection came about. Returns whether the server's
// backlog was full: libcurl takes a UNIX socket's EAGAIN for a connection that is on its way, finds
// that it is not, and no other reason.
static bool connect_failed(struct h1_slot *slot)
{
	long error = 0;

	curl_easy_getinfo(slot->easy, CURLINFO_OS_ERRNO, &error);
	if (!slot->local_errno && http_errno_is_local((int)error))
		slot->local_errno = (int)error;
	return slot->target->server->unix_path && !slot->local_errno && (!error || error == EAGAIN);
}

static void completions_report(struct h1_engine *e)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(e->multi, &left))) {
		struct h1_slot *slot = NULL;
		CURL *easy = message->easy_handle;

		if (message->msg != CURLMSG_DONE)
			continue;
		CURLcode code = message->data.result;
		curl_easy_getinfo(easy, CURLINFO_PRIVATE, &slot);
		bool again = code == CURLE_COULDNT_CONNECT && connect_failed(slot);
		enum http_error error = h1_error_of(slot, code);
		if (!h1_status_is_known(slot, error))
			slot->transfer->reply.status = 0;
		slot->transfer->connected_ms = slot->waited_ms + connect_time(easy);
		slot->transfer->local_errno = slot->local_errno;
		if (error && !slot->transfer->sent && !http_error_is_local(error))
			http_host_doubt(&slot->target->host);
		curl_multi_remove_handle(e->multi, easy); // message is gone with this
		if (again) {
			slot_pause(slot);
			continue;
		}
		// The transfer may start again in the callback, which still needs the slot's body.
		slot->transfer->done(slot->transfer, error);
		slot_give(e, slot);
	}
}

// What libcurl had nothing to do with.
static void ended_report(struct h1_engine *e)
{
	struct h1_slot *slot;

	while ((slot = TAILQ_FIRST(&e->ended))) {
		slot_move(slot, NULL);
		slot->transfer->done(slot->transfer, slot->error);
		slot_give(e, slot);
	}
}

// What libcurl would wait for in vain.
static void unheard_report(struct h1_engine *e)
{
	struct h1_slot *slot;

	while ((slot = TAILQ_FIRST(&e->unheard))) {
		slot_move(slot, NULL);
		curl_multi_remove_handle(e->multi, slot->easy);
		slot->transfer->reply.status = 0;
		slot->transfer->local_errno = slot->local_errno;
		slot->transfer->done(slot->transfer, HTTP_ERR_local);
		slot_give(e, slot);
	}
}

// Whether this was the end of a look-up.
static bool look_up_ended(struct h1_engine *e, int fd)
{
	uint64_t now = clock_ms();
	struct h1_slot *slot;
	size_t i = 0;

	while (i < e->config.upstream->server_count &&
		!http_host_ready(&e->targets[i].host, fd, now))
		i++;
	if (i == e->config.upstream->server_count)
		return false;
	struct h1_target *target = &e->targets[i];
	h1_target_resolved(target);
	while ((slot = TAILQ_FIRST(&target->waiting))) {
		if (!target->host.addresses.count)
			slot_not_found(slot);
		else if (slot_launch(slot, now))
			slot_finish(slot, HTTP_ERR_no_memory);
	}
	return true;
}

static void engine_ready(struct http_engine *engine, int fd, uint32_t events)
{
	struct h1_engine *e = engine_of(engine);
	int running, what = 0;

	events = http_sockets_ready(e->sockets, fd, events);
	if (events && look_up_ended(e, fd))
		return;
	if (events & EPOLLIN)
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	if (what)
		curl_multi_socket_action(e->multi, fd, what, &running);
}

static void engine_turn(struct http_engine *engine, uint64_t now)
{
	struct h1_engine *e = engine_of(engine);
	int running;

	http_timers_fire(&e->timers, now);
	if (e->due_ms <= now) {
		e->due_ms = UINT64_MAX;
		curl_multi_socket_action(e->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	completions_report(e);
	unheard_report(e);
	ended_report(e);
}

static uint64_t engine_next_ms(const struct http_engine *engine)
{
	const struct h1_engine *e = (const struct h1_engine *)engine;

	if (!TAILQ_EMPTY(&e->ended) || !TAILQ_EMPTY(&e->unheard))
		return 0;
	return http_earlier(e->due_ms, http_timers_next_ms(&e->timers));
}

static uint64_t engine_connections(const struct http_engine *engine)
{
	return ((const struct h1_engine *)engine)->connections;
}

static void engine_free(struct http_engine *engine)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_slot *slot;

	while ((slot = TAILQ_FIRST(&e->free_slots))) {
		TAILQ_REMOVE(&e->free_slots, slot, link);
		free(slot->body.bytes);
		free(slot);
	}
	if (e->multi)
		curl_multi_cleanup(e->multi); // closes connections: needs the sockets
	if (e->share)
		curl_share_cleanup(e->share);
	for (size_t i = 0; e->targets && i < e->config.upstream->server_count; i++)
		h1_target_free(&e->targets[i]);
	free(e->targets);
	http_timers_free(&e->timers);
	http_sockets_free(e->sockets);
	free(e);
}

static int multi_create(struct h1_engine *e)
{
	long connections = (long)e->config.max_connections + (long)e->config.checks;

	e->multi = curl_multi_init();
	e->share = curl_share_init();
	if (!e->multi || !e->share)
		return -ENOMEM;
	curl_share_setopt(e->share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	curl_multi_setopt(e->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(e->multi, CURLMOPT_SOCKETDATA, e);
	curl_multi_setopt(e->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl_multi_setopt(e->multi, CURLMOPT_TIMERDATA, e);
	curl_multi_setopt(e->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	curl_multi_setopt(e->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
	curl_multi_setopt(e->multi, CURLMOPT_MAXCONNECTS, connections);
	return 0;
}

static const struct http_engine_ops curl_ops = {
	.start = engine_start,
	.cancel = engine_cancel,
	.ready = engine_ready,
	.turn = engine_turn,
	.next_ms = engine_next_ms,
	.connections = engine_connections,
	.free = engine_free,
};

int http_engine_curl_create(const struct http_engine_config *config, struct http_engine **engine)
{
	const struct conf_upstream *upstream = config->upstream;
	struct h1_engine *e = calloc(1, sizeof(*e));
	int rc = -ENOMEM;

	if (!e)
		return rc;
	e->engine.ops = &curl_ops;
	e->engine.capacity = config->max_connections; // one request a connection
	e->config = *config;
	e->due_ms = UINT64_MAX;
	TAILQ_INIT(&e->free_slots);
	TAILQ_INIT(&e->ended);
	TAILQ_INIT(&e->paused);
	TAILQ_INIT(&e->unheard);
	e->targets = calloc(upstream->server_count, sizeof(*e->targets));
	e->sockets = http_sockets_create(config->epoll, config->id);
	if (e->targets && e->sockets)
		rc = multi_create(e);
	for (size_t i = 0; !rc && i < upstream->server_count; i++)
		rc = h1_target_create(e, &e->targets[i], &upstream->servers[i]);
	if (!rc) { // what libcurl does not take is said now, not at the first request
		struct h1_slot *slot = slot_take(e);

		if (slot)
			slot_give(e, slot);
		else
			rc = -EINVAL;
	}
	if (rc) {
		engine_free(&e->engine);
		return rc;
	}
	*engine = &e->engine;
	return 0;
}
