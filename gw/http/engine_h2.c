// SPDX-License-Identifier: BSD-3-Clause
// HTTP/2: which connection of which server a transfer takes, and how long it waits for one.

#include "base/clock.h"
#include "gw/http/h2_conn.h"
#include "gw/http/h2_stream.h"

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
	struct h2_target *target = &e->targets[t->server - e->config.upstream->servers];
	struct h2_stream *stream = h2_stream_take(e, stream_fire);

	if (!stream)
		return -ENOMEM;
	e->net.now_ms = clock_ms();
	t->engine_data = stream;
	t->sent = false;
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
		return e->conn_count < e->config.max_connections + e->config.upstream->server_count;
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
	struct h2_conn *conn;

	e->again = false;
	for (size_t i = 0; i < e->config.upstream->server_count; i++)
		if (!TAILQ_EMPTY(&e->targets[i].waiting))
			target_flush(&e->targets[i]);
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

static void target_free(struct h2_target *target)
{
	struct h2_conn *conn;

	while ((conn = TAILQ_FIRST(&target->conns)))
		h2_conn_leave(conn);
	http_origin_end(&target->origin);
}

static void engine_free(struct http_engine *engine)
{
	struct h2_engine *e = engine_of(engine);
	struct h2_stream *stream;

	for (size_t i = 0; e->targets && i < e->config.upstream->server_count; i++)
		target_free(&e->targets[i]);
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

static void target_create(struct h2_engine *e, size_t index)
{
	const struct conf_upstream *upstream = e->config.upstream;
	const struct conf_server *server = &upstream->servers[index];
	struct h2_target *target = &e->targets[index];

	target->engine = e;
	http_origin_init(&target->origin, &e->net, upstream, server, e->tls);
	TAILQ_INIT(&target->conns);
	TAILQ_INIT(&target->waiting);
	TAILQ_INIT(&target->paused);
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
};

int http_engine_h2_create(const struct http_engine_config *config, struct http_engine **engine)
{
	const struct conf_upstream *upstream = config->upstream;
	struct h2_engine *e = calloc(1, sizeof(*e));
	int rc = 0;

	if (!e)
		return -ENOMEM;
	e->engine.ops = &h2_ops;
	e->engine.capacity = UINT32_MAX; // what a server does not take yet waits in here
	e->config = *config;
	TAILQ_INIT(&e->ended);
	TAILQ_INIT(&e->free_streams);
	for (size_t i = 0; !rc && !e->tls && i < upstream->server_count; i++)
		if (upstream->servers[i].scheme == CONF_HTTPS)
			rc = http_wire_tls_create(&upstream->tls, HTTP_WIRE_H2, &e->tls);
	e->targets = calloc(upstream->server_count, sizeof(*e->targets));
	e->net.sockets = http_sockets_create(config->epoll, config->id);
	if (!rc && (!e->targets || !e->net.sockets))
		rc = -ENOMEM;
	for (size_t i = 0; !rc && i < upstream->server_count; i++)
		target_create(e, i);
	if (rc) {
		engine_free(&e->engine);
		return rc;
	}
	*engine = &e->engine;
	return 0;
}
