// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h2_conn.h"

#include "gw/http/h2_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define OPEN_MS     10000  // for all that comes before the first request
#define QUIET_MS    15000  // without a byte, after which a PING asks
#define PING_MS     5000   // for its answer
#define IDLE_MS     120000 // without a request, after which a connection is closed
#define FOLLOW_MS   60000  // between looks whether the server's name still has its address
#define USELESS_MAX 2 // connections in a row that answered nothing, with requests still waiting
#define READS       4 // of 64 KB at a time

static void set_dirty(struct h2_conn *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	LIST_INSERT_HEAD(&conn->target->engine->dirty, conn, dirty_link);
}

static void clear_dirty(struct h2_conn *conn)
{
	if (!conn->dirty)
		return;
	conn->dirty = false;
	LIST_REMOVE(conn, dirty_link);
}

static struct h2_conn *h2_of(struct http_conn *http)
{
	return (struct h2_conn *)http;
}

_Static_assert(offsetof(struct h2_conn, http) == 0, "a connection is cast to one of HTTP/2");

// ---- opening

static void conn_fire(struct http_timer *timer);
static const struct http_conn_ops conn_ops;

// Called by the session.
static void stream_ended(struct h2_stream *stream, enum http_error error)
{
	struct h2_conn *conn = stream->conn;

	conn->used_ms = conn->target->engine->net.now_ms;
	if (!error) {
		conn->answered = true;
		conn->target->useless = 0;
	}
	if (error == HTTP_ERR_reset && !stream->transfer->sent)
		h2_stream_lost(stream, error);
	else
		h2_stream_finish(stream, error);
}

int h2_conn_open(struct h2_target *target, struct h2_stream *fresh)
{
	struct h2_engine *e = target->engine;
	struct h2_conn *conn = malloc(sizeof(*conn));

	if (!conn)
		return -ENOMEM;
	memset(conn, 0, offsetof(struct h2_conn, out));
	if (h2_session_create(&conn->session, e->config.first_stream)) {
		free(conn);
		return -ENOMEM;
	}
	if (http_conn_init(&conn->http, &target->origin, &conn_ops, 1)) {
		h2_session_free(&conn->session);
		free(conn);
		return -ENOMEM;
	}
	conn->timer.fire = conn_fire;
	conn->session.ended = stream_ended;
	conn->target = target;
	conn->fresh = fresh;
	TAILQ_INIT(&conn->streams);
	TAILQ_INSERT_TAIL(&target->conns, conn, link);
	e->conn_count += !conn->fresh;
	if (fresh) {
		h2_stream_move(fresh, &conn->streams);
		fresh->conn = conn;
	}
	http_conn_open(&conn->http, e->net.now_ms + OPEN_MS);
	return 0;
}

static bool conn_is_astray(const struct h2_conn *conn);
static void target_leave_astray(struct h2_target *target);

// The server's SETTINGS came.
static void conn_is_ready(struct h2_conn *conn)
{
	struct h2_stream *fresh = TAILQ_FIRST(&conn->streams);
	struct h2_engine *e = conn->target->engine;

	conn->state = H2_CONN_READY;
	conn->ready_ms = conn->used_ms = e->net.now_ms;
	conn->target->changed |= !conn->fresh; // what waits now waits for a place
	conn->follow_ms = e->net.now_ms + FOLLOW_MS;
	http_timer_set(&e->net.timers, &conn->timer, e->net.now_ms + QUIET_MS);
	if (!conn->fresh && !conn_is_astray(conn))
		target_leave_astray(conn->target);
	if (fresh)
		h2_conn_submit(conn, fresh);
}

// ---- ending

void h2_conn_end(struct h2_conn *conn, enum http_error error)
{
	struct h2_target *target = conn->target;
	struct h2_engine *e = target->engine;
	bool reached = conn->state >= H2_CONN_READY, fresh = conn->fresh;
	bool useless = !fresh && !conn->answered;
	struct h2_stream *stream;

	TAILQ_REMOVE(&target->conns, conn, link);
	h2_target_left(target);
	e->conn_count -= !fresh;
	e->again = true; // what waits may need another
	http_timer_unset(&e->net.timers, &conn->timer);
	clear_dirty(conn);
	http_conn_end(&conn->http);
	while ((stream = TAILQ_FIRST(&conn->streams)))
		h2_stream_lost(stream, error);
	h2_session_free(&conn->session);
	free(conn);
	// One may end just when it is to be used, but a server that ends each is none.
	if (useless && (++target->useless > USELESS_MAX || !reached))
		h2_target_not_reached(target, error);
}

void h2_conn_leave(struct h2_conn *conn)
{
	ssize_t n;

	h2_session_leave(&conn->session);
	if (conn->http.wire.open && conn->out_at == conn->out_len) {
		n = h2_session_write(&conn->session, conn->out, sizeof(conn->out));
		if (n > 0 && http_wire_write(&conn->http.wire, conn->out, (size_t)n) < 0) {
			// The server learns it by the end of the connection.
		}
	}
	h2_conn_end(conn, HTTP_ERR_reset);
}

// ---- time

void h2_conn_doubt(struct h2_conn *conn, uint64_t since_ms)
{
	struct h2_engine *e = conn->target->engine;

	if (conn->state < H2_CONN_READY || conn->pinged_ms || conn->heard_ms > since_ms)
		return;
	h2_session_ping(&conn->session);
	conn->pinged_ms = e->net.now_ms;
	http_timer_set(&e->net.timers, &conn->timer, e->net.now_ms + PING_MS);
	set_dirty(conn);
}

// Whether a connection leads to an address that the server's name has no more.
static bool conn_is_astray(const struct h2_conn *conn)
{
	const struct http_host *host = &conn->target->origin.host;

	return host->named && host->addresses.count &&
		!http_host_has(host, &conn->http.wire.addresses.address[conn->http.wire.address]);
}

// Whether one more connection of a target may be opened for one that is astray.
static bool target_may_replace(const struct h2_target *target)
{
	const struct h2_engine *e = target->engine;
	const struct h2_conn *conn;

	TAILQ_FOREACH(conn, &target->conns, link)
	if (!conn->fresh && conn->state < H2_CONN_READY)
		return false; // one comes already
	return e->net.now_ms >= target->open_after_ms &&
		e->conn_count < e->config.max_connections + e->target_count;
}

// Has a connection that is never idle follow changes of DNS: its name is looked up now and then,
// and when it has other addresses a connection to one of them is opened, which takes over when it
// stands.
static void conn_follow(struct h2_conn *conn)
{
	struct h2_target *target = conn->target;
	struct h2_engine *e = target->engine;

	if (conn->fresh || conn->state != H2_CONN_READY || !target->origin.host.named ||
		e->net.now_ms < conn->follow_ms)
		return;
	http_host_want(&target->origin.host, e->net.now_ms);
	if (target->origin.host.resolve || target->origin.host.failed)
		return; // the result comes later, or the look-up failed
	if (!conn_is_astray(conn))
		conn->follow_ms = e->net.now_ms + FOLLOW_MS;
	else if (target_may_replace(target) && h2_conn_open(target, NULL))
		target->open_after_ms = e->net.now_ms + FOLLOW_MS; // out of memory
}

// A connection stands: those that are astray take no more requests.
static void target_leave_astray(struct h2_target *target)
{
	struct h2_conn *conn;

	TAILQ_FOREACH(conn, &target->conns, link)
	{
		if (conn->fresh || conn->state != H2_CONN_READY || !conn_is_astray(conn))
			continue;
		conn->state = H2_CONN_LEAVING;
		set_dirty(conn);
	}
}

static void conn_fire(struct http_timer *timer)
{
	struct h2_conn *conn = (struct h2_conn *)((char *)timer - offsetof(struct h2_conn, timer));
	struct h2_engine *e = conn->target->engine;
	uint64_t now = e->net.now_ms;

	if (conn->state < H2_CONN_READY) {
		h2_conn_end(conn, HTTP_ERR_connect);
		return;
	}
	if (conn->pinged_ms) {
		h2_conn_end(conn, HTTP_ERR_reset);
		return;
	}
	if (TAILQ_EMPTY(&conn->streams) && now >= conn->used_ms + IDLE_MS) {
		h2_conn_leave(conn);
		return;
	}
	conn_follow(conn);
	if (now >= conn->heard_ms + QUIET_MS)
		h2_conn_doubt(conn, now);
	else
		http_timer_set(&e->net.timers, timer, conn->heard_ms + QUIET_MS);
}

// ---- streams

bool h2_conn_has_room(const struct h2_conn *conn)
{
	// With much to be sent the server does not read: another one may, or later this one.
	return conn->state == H2_CONN_READY && !conn->fresh &&
		conn->out_len - conn->out_at < H2_OUT_ROOM / 2 &&
		h2_session_has_room(&conn->session);
}

void h2_conn_submit(struct h2_conn *conn, struct h2_stream *stream)
{
	struct h2_engine *e = conn->target->engine;
	enum http_error error;

	h2_stream_move(stream, &conn->streams);
	stream->conn = conn;
	if (conn->ready_ms >= stream->started_ms) {
		uint64_t since = conn->http.began_ms > stream->started_ms ? conn->http.began_ms
									  : stream->started_ms;

		stream->transfer->connected_ms = (uint32_t)(conn->ready_ms - since);
	}
	stream->started_ms = e->net.now_ms;
	http_timer_set(&e->net.timers, &stream->timer, stream->deadline_ms);
	error = h2_session_submit(&conn->session, stream);
	if (error)
		h2_stream_finish(stream, error);
	set_dirty(conn);
}

void h2_conn_cancel(struct h2_conn *conn, struct h2_stream *stream)
{
	if (stream->id)
		h2_session_cancel(&conn->session, stream);
	conn->used_ms = conn->target->engine->net.now_ms;
	set_dirty(conn);
	conn->target->engine->again = true; // it may be cancelled after the turn's last flush
}

// ---- bytes

// Why the connection is lost, from -errno; 0: its clean end.
static enum http_error error_of(struct h2_conn *conn, ssize_t rc)
{
	if (!http_errno_is_local((int)-rc))
		return HTTP_ERR_reset;
	conn->target->local_errno = (int)-rc;
	return HTTP_ERR_local;
}

// Returns whether the connection is still there.
static bool conn_read(struct h2_conn *conn)
{
	struct h2_engine *e = conn->target->engine;

	conn->unread = false;
	for (unsigned i = 0; i < READS; i++) {
		ssize_t n = http_wire_read(&conn->http.wire, e->in, sizeof(e->in));

		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			h2_conn_end(conn, error_of(conn, n));
			return false;
		}
		conn->heard_ms = e->net.now_ms;
		if (conn->pinged_ms) {
			conn->pinged_ms = 0;
			http_timer_set(&e->net.timers, &conn->timer, e->net.now_ms + QUIET_MS);
		}
		enum http_error error = h2_session_read(&conn->session, e->in, (size_t)n);
		if (error) {
			h2_conn_end(conn, error);
			return false;
		}
		if (!conn->http.wire.ssl && (size_t)n < sizeof(e->in))
			break; // that was all
		conn->unread = http_wire_holds(&conn->http.wire);
	}
	if (conn->state == H2_CONN_OPENING && conn->session.ready)
		conn_is_ready(conn);
	set_dirty(conn);
	return true;
}

// The handshakes are over: the preface is sent, and the server's SETTINGS must come.
static void conn_opened(struct http_conn *http)
{
	struct h2_conn *conn = h2_of(http);
	struct h2_engine *e = conn->target->engine;

	http_timer_set(&e->net.timers, &conn->timer, http->until_ms);
	set_dirty(conn);
	if (http_wire_holds(&http->wire))
		conn->unread = e->again = true;
}

static void conn_failed(struct http_conn *http, enum http_error error)
{
	struct h2_conn *conn = h2_of(http);

	conn->target->local_errno = http->local_errno;
	h2_conn_end(conn, error);
}

static void conn_ready(struct http_conn *http, uint32_t events)
{
	struct h2_conn *conn = h2_of(http);

	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !conn_read(conn))
		return;
	set_dirty(conn);
}

static const struct http_conn_ops conn_ops = {
	.opened = conn_opened,
	.failed = conn_failed,
	.ready = conn_ready,
};

// Returns HTTP_ERR_none, with more to be sent or not, or why not.
static enum http_error conn_write(struct h2_conn *conn)
{
	for (;;) {
		if (conn->out_at == conn->out_len)
			conn->out_at = conn->out_len = 0;
		ssize_t n = h2_session_write(&conn->session, conn->out + conn->out_len,
			sizeof(conn->out) - conn->out_len);
		if (n < 0)
			return HTTP_ERR_no_memory;
		conn->out_len += (size_t)n;
		if (!conn->out_len)
			return HTTP_ERR_none;
		n = http_wire_write(
			&conn->http.wire, conn->out + conn->out_at, conn->out_len - conn->out_at);
		if (n < 0)
			return n == -EAGAIN ? HTTP_ERR_none : error_of(conn, n);
		conn->out_at += (size_t)n;
	}
}

void h2_conn_flush(struct h2_conn *conn)
{
	unsigned streams = conn->session.streams;
	enum http_error error;

	clear_dirty(conn);
	if (!conn->http.wire.open)
		return;
	if (conn->unread && !conn_read(conn))
		return;
	clear_dirty(conn);
	error = conn_write(conn);
	// An answer frees a place, and so does our RST_STREAM, once it is written.
	if (conn->session.streams < streams)
		conn->target->engine->again = true;
	// A server that closes with requests unread resets the connection, but what it answered and
	// its GOAWAY are still there to be read.
	for (unsigned i = 0; error == HTTP_ERR_reset && i < READS; i++)
		if (!conn_read(conn))
			return;
	if (!error)
		error = conn->session.error;
	if (!error && h2_session_is_over(&conn->session))
		error = HTTP_ERR_reset;
	if (!error) {
		error = http_conn_wait(&conn->http);
		conn->target->local_errno = conn->http.local_errno;
	}
	if (error) {
		h2_conn_end(conn, error);
		return;
	}
	if (conn->state == H2_CONN_READY && h2_session_is_leaving(&conn->session)) {
		conn->state = H2_CONN_LEAVING;
		h2_target_left(conn->target);
	}
	if ((conn->state == H2_CONN_LEAVING || (conn->fresh && conn->state == H2_CONN_READY) ||
		    (conn->target->gone && TAILQ_EMPTY(&conn->target->waiting))) &&
		TAILQ_EMPTY(&conn->streams)) {
		h2_conn_leave(conn);
		return;
	}
	if (conn->unread) {
		set_dirty(conn);
		conn->target->engine->again = true;
	}
}
