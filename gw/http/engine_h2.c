// SPDX-License-Identifier: BSD-3-Clause
// HTTP/2: which connection of which server a transfer takes, and how long it waits for one.

#include "base/clock.h"
#include "gw/http/h2_conn.h"
#include "gw/http/h2_stream.h"
#include "gw/http/tls_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct h2_engine *engine_of(struct http_engine *engine)
{
	return (struct h2_engine *)engine;
}

// ---- streams

// No answer in time, or no connection, or no place on one.
static void stream_fire(struct http_timer *timer)
{
	struct h2_stream *stream = (struct h2_stream *)timer;
	struct h2_target *target = stream->target;
	struct h2_conn *conn = stream->conn;
	uint64_t now = target->engine->net.now_ms;
	bool late = now >= stream->deadline_ms;

	if (stream->transfer->heard) { // an answer without an end goes on
		stream->transfer->heard = false;
		http_timer_set(
			&target->engine->net.timers, timer, now + stream->transfer->quiet_ms);
		return;
	}
	if (stream->list == &target->paused) {
		if (late)
			h2_stream_finish(stream, HTTP_ERR_timeout);
		else
			h2_stream_again(stream);
	} else if (conn && stream->id) {
		h2_conn_cancel(conn, stream);
		h2_conn_doubt(conn, stream->started_ms);
		h2_stream_finish(stream, HTTP_ERR_timeout);
	} else if (conn) { // a connection for this one alone
		h2_stream_finish(
			stream, stream->transfer->connect_ms ? HTTP_ERR_connect : HTTP_ERR_timeout);
		h2_conn_end(conn, HTTP_ERR_timeout);
	} else if (h2_target_stands(target)) {
		h2_stream_finish(stream, late ? HTTP_ERR_timeout : HTTP_ERR_queue_timeout);
	} else if (h2_stream_wait_until(stream) > now) { // for another connection, since this turn
		h2_stream_wait(stream);
	} else {
		h2_stream_finish(stream,
			late && !stream->transfer->connect_ms ? HTTP_ERR_timeout
							      : HTTP_ERR_connect);
	}
}

_Static_assert(offsetof(struct h2_stream, timer) == 0, "a timer is cast to its stream");

static int engine_start(struct http_engine *engine, struct http_transfer *t)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_target *target = e->targets[t->server - e->config.upstream->servers];
	struct h2_stream *stream = h2_stream_take(e, stream_fire);

	if (!stream)
		return -ENOMEM;
	e->net.now_ms = clock_ms();
	t->engine_data = stream;
	t->sent = false;
	t->heard = false;
	t->connected_ms = 0;
	http_reply_init(&t->reply);
	stream->transfer = t;
	stream->target = target;
	stream->started_ms = e->net.now_ms;
	stream->deadline_ms = e->net.now_ms + t->timeout_ms;
	stream->moves = 0;
	stream->lost = false;
	h2_stream_move(stream, &target->waiting);
	h2_stream_wait(stream);
	if (t->fresh && h2_conn_open(target, stream)) {
		h2_stream_give(e, stream);
		return -ENOMEM;
	}
	return 0;
}

static void engine_cancel(struct http_engine *engine, struct http_transfer *t)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_stream *stream = t->engine_data;
	struct h2_conn *conn = stream->conn;

	if (conn)
		h2_conn_cancel(conn, stream);
	bool unused = conn && conn->fresh;
	h2_stream_give(e, stream);
	if (unused)
		h2_conn_end(conn, HTTP_ERR_reset);
}

// ---- targets

// Whether one more connection is of use and allowed.
static bool target_may_open(const struct h2_target *target)
{
	const struct h2_engine *e = target->engine;
	const struct h2_conn *conn;
	bool stands = false;

	TAILQ_FOREACH(conn, &target->conns, link)
	{
		if (conn->fresh || conn->state == H2_CONN_LEAVING)
			continue;
		// One comes, or one is there that takes requests later, or never any.
		if (conn->state != H2_CONN_READY ||
			conn->session.streams < h2_session_limit(&conn->session) ||
			!h2_session_limit(&conn->session))
			return false;
		stands = true;
	}
	if (!stands)
		return e->conn_count < e->config.max_connections + e->target_count;
	return e->conn_count < e->config.max_connections && e->net.now_ms >= target->open_after_ms;
}

// Sends what waits as far as there is room.
static void target_flush(struct h2_target *target)
{
	struct h2_stream *stream;
	struct h2_conn *conn;

	TAILQ_FOREACH(conn, &target->conns, link)
	while ((stream = TAILQ_FIRST(&target->waiting)) && h2_conn_has_room(conn))
		h2_conn_submit(conn, stream);
	if (target->changed)
		TAILQ_FOREACH(stream, &target->waiting, link)
	h2_stream_wait(stream);
	target->changed = false;
	stream = TAILQ_FIRST(&target->waiting);
	if (!stream || !target_may_open(target))
		return;
	if (h2_conn_open(target, NULL))
		h2_stream_finish(stream, HTTP_ERR_no_memory);
}

// ---- the engine

static void engine_ready(struct http_engine *engine, uint64_t event, uint32_t events)
{
	struct h2_engine *e = engine_of(engine);

	e->net.now_ms = clock_ms();
	http_sockets_ready(e->net.sockets, event, events);
}

static void engine_turn(struct http_engine *engine, uint64_t now)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_stream *stream;

	e->net.now_ms = now;
	http_timers_fire(&e->net.timers, now);
	while ((stream = TAILQ_FIRST(&e->ended))) {
		TAILQ_REMOVE(&e->ended, stream, link);
		stream->list = NULL;
		// The transfer may start again in the callback, which still needs the body.
		stream->transfer->done(stream->transfer, stream->error);
		h2_stream_give(e, stream);
	}
}

static void engine_flush(struct http_engine *engine)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_dirty_list dirty;
	struct h2_target *target;
	struct h2_conn *conn;

	e->again = false;
	for (size_t i = 0; i < e->config.upstream->server_count; i++)
		if (!TAILQ_EMPTY(&e->targets[i]->waiting))
			target_flush(e->targets[i]);
	LIST_FOREACH (target, &e->gone, link)
		if (!TAILQ_EMPTY(&target->waiting))
			target_flush(target);
	// What gets dirty meanwhile is for the next time.
	dirty = e->dirty;
	if (!LIST_EMPTY(&dirty))
		LIST_FIRST(&dirty)->dirty_link.le_prev = &LIST_FIRST(&dirty);
	LIST_INIT(&e->dirty);
	while ((conn = LIST_FIRST(&dirty)))
		h2_conn_flush(conn);
}

static uint64_t engine_next_ms(const struct http_engine *engine)
{
	const struct h2_engine *e = (const struct h2_engine *)engine;

	return e->again || !TAILQ_EMPTY(&e->ended) ? 0 : http_timers_next_ms(&e->net.timers);
}

static uint64_t engine_connections(const struct http_engine *engine)
{
	return ((const struct h2_engine *)engine)->net.connections;
}

// ---- servers

static void target_free(struct h2_target *target)
{
	struct h2_conn *conn;

	while ((conn = TAILQ_FIRST(&target->conns)))
		h2_conn_leave(conn);
	http_origin_end(&target->origin);
	free(target);
}

static struct h2_target *target_make(struct h2_engine *e, const struct conf_upstream *upstream,
	const struct conf_server *server, SSL_CTX *tls)
{
	struct h2_target *target = calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->engine = e;
	target->server = server;
	http_origin_init(&target->origin, &e->net, upstream, server, tls);
	TAILQ_INIT(&target->conns);
	TAILQ_INIT(&target->waiting);
	TAILQ_INIT(&target->paused);
	return target;
}

// What has its URL and the same TLS, or NULL.
static struct h2_target *target_find(
	const struct h2_engine *e, const struct conf_server *server, bool same_tls)
{
	size_t count = e->targets ? e->config.upstream->server_count : 0;

	for (size_t i = 0; i < count; i++)
		if (!strcmp(e->targets[i]->server->text, server->text))
			return server->scheme != CONF_HTTPS || same_tls ? e->targets[i] : NULL;
	return NULL;
}

struct http_engine_change {
	struct http_engine_config config;
	struct http_tls_change tls;
	struct h2_target **targets;
	bool is_new[]; // target
};

static void engine_discard(struct http_engine_change *change)
{
	if (!change)
		return;
	for (size_t i = 0; change->targets && i < change->config.upstream->server_count; i++)
		if (change->is_new[i] && change->targets[i])
			target_free(change->targets[i]);
	http_tls_change_discard(&change->tls);
	free(change->targets);
	free(change);
}

static int engine_prepare(const struct http_engine *engine, const struct http_engine_config *config,
	struct http_engine_change **out)
{
	struct h2_engine *e = engine_of((struct http_engine *)(uintptr_t)engine);
	const struct conf_upstream *upstream = config->upstream;
	size_t count = upstream->server_count;
	struct http_engine_change *change = calloc(1, sizeof(*change) + count);

	if (!change)
		return -ENOMEM;
	change->config = *config;
	change->targets = calloc(count, sizeof(change->targets[0]));
	int rc = change->targets
		? http_tls_change_make(&change->tls, upstream, HTTP_WIRE_H2, e->tls, e->tls_digest)
		: -ENOMEM;
	for (size_t i = 0; !rc && i < count; i++) {
		const struct conf_server *server = &upstream->servers[i];

		change->targets[i] = target_find(e, server, change->tls.same);
		change->is_new[i] = !change->targets[i];
		if (change->is_new[i])
			change->targets[i] = target_make(e, upstream, server, change->tls.tls);
		rc = change->targets[i] ? 0 : -ENOMEM;
	}
	if (rc) {
		engine_discard(change);
		return rc;
	}
	*out = change;
	return 0;
}

// No request comes any more; what waits here is sent yet.
static void target_leave(struct h2_target *target)
{
	struct h2_conn *conn, *next;

	LIST_INSERT_HEAD(&target->engine->gone, target, link);
	for (conn = TAILQ_FIRST(&target->conns); conn; conn = next) {
		next = TAILQ_NEXT(conn, link);
		if (conn->state >= H2_CONN_READY && TAILQ_EMPTY(&conn->streams) &&
			TAILQ_EMPTY(&target->waiting) && TAILQ_EMPTY(&target->paused))
			h2_conn_leave(conn);
	}
}

static void engine_apply(struct http_engine *engine, struct http_engine_change *change)
{
	struct h2_engine *e = engine_of(engine);
	const struct conf_upstream *upstream = change->config.upstream;
	size_t before = e->targets ? e->config.upstream->server_count : 0;

	for (size_t i = 0; i < before; i++)
		e->targets[i]->gone = true;
	for (size_t i = 0; i < upstream->server_count; i++) {
		struct h2_target *target = change->targets[i];

		target->gone = false;
		target->server = &upstream->servers[i];
		http_origin_follow(&target->origin, upstream, target->server);
		e->target_count += change->is_new[i];
	}
	for (size_t i = 0; i < before; i++)
		if (e->targets[i]->gone)
			target_leave(e->targets[i]);
	free(e->targets);
	e->targets = change->targets;
	http_tls_change_apply(&change->tls, &e->tls, e->tls_digest);
	e->config.upstream = upstream;
	e->config.max_connections = change->config.max_connections;
	e->config.checks = change->config.checks;
	free(change);
}

static void engine_settle(struct http_engine *engine)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_target *target;

	while ((target = LIST_FIRST(&e->gone))) {
		LIST_REMOVE(target, link);
		e->target_count--;
		target_free(target);
	}
}

// ---- making

static void engine_free(struct http_engine *engine)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_stream *stream;

	engine_settle(engine);
	for (size_t i = 0; e->targets && i < e->config.upstream->server_count; i++)
		target_free(e->targets[i]);
	while ((stream = TAILQ_FIRST(&e->free_streams))) {
		TAILQ_REMOVE(&e->free_streams, stream, link);
		free(stream->body.bytes);
		free(stream);
	}
	http_timers_free(&e->net.timers);
	http_sockets_free(e->net.sockets);
	SSL_CTX_free(e->tls);
	free(e->targets);
	free(e);
}

static const struct http_engine_ops h2_ops = {
	.start = engine_start,
	.cancel = engine_cancel,
	.ready = engine_ready,
	.turn = engine_turn,
	.flush = engine_flush,
	.next_ms = engine_next_ms,
	.connections = engine_connections,
	.free = engine_free,
	.prepare = engine_prepare,
	.discard = engine_discard,
	.apply = engine_apply,
	.settle = engine_settle,
};

int http_engine_h2_create(const struct http_engine_config *config, struct http_engine **engine)
{
	struct h2_engine *e = calloc(1, sizeof(*e));
	struct http_engine_change *change;
	int rc;

	if (!e)
		return -ENOMEM;
	e->engine.ops = &h2_ops;
	e->engine.capacity = UINT32_MAX; // what a server does not take yet waits in here
	e->config = *config;
	TAILQ_INIT(&e->ended);
	TAILQ_INIT(&e->free_streams);
	LIST_INIT(&e->gone);
	e->net.sockets = http_sockets_create(config->epoll, config->id);
	rc = e->net.sockets ? engine_prepare(&e->engine, config, &change) : -ENOMEM;
	if (rc) {
		engine_free(&e->engine);
		return rc;
	}
	engine_apply(&e->engine, change);
	*engine = &e->engine;
	return 0;
}
