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

// ---- opening

static int conn_of_reserve(struct h2_engine *e, size_t fd)
{
	size_t room = e->conn_of_room ? e->conn_of_room : 64;

	if (fd < e->conn_of_room)
		return 0;
	while (room <= fd)
		room *= 2;
	struct h2_conn **conn_of = realloc(e->conn_of, room * sizeof(*conn_of));
	if (!conn_of)
		return -ENOMEM;
	memset(conn_of + e->conn_of_room, 0, (room - e->conn_of_room) * sizeof(*conn_of));
	e->conn_of = conn_of;
	e->conn_of_room = room;
	return 0;
}

static void drop_socket(struct h2_conn *conn)
{
	struct h2_engine *e = conn->target->engine;
	int fd = conn->wire.fd;

	http_wire_end(&conn->wire);
	if (fd < 0)
		return;
	if ((size_t)fd < e->conn_of_room)
		e->conn_of[fd] = NULL;
	http_sockets_forget(e->sockets, fd);
	close(fd);
	conn->wire.fd = -1;
}

static int want(struct h2_conn *conn)
{
	return http_sockets_want(conn->target->engine->sockets, conn->wire.fd, conn->wire.events);
}

// Connects to the next address.
static void conn_connect(struct h2_conn *conn)
{
	struct h2_engine *e = conn->target->engine;
	enum http_error error = http_wire_connect(&conn->wire, e->now_ms);

	if (error) {
		conn->target->local_errno = conn->wire.local_errno;
		h2_conn_end(conn, error);
		return;
	}
	int fd = conn->wire.fd;
	e->connections++;
	if (conn_of_reserve(e, (size_t)fd) || http_sockets_own(e->sockets, fd)) {
		h2_conn_end(conn, HTTP_ERR_no_memory);
		return;
	}
	int rc = want(conn);
	if (rc) {
		conn->target->local_errno = -rc;
		h2_conn_end(conn, HTTP_ERR_local);
		return;
	}
	e->conn_of[fd] = conn;
	conn->state = H2_CONN_OPENING;
	http_timer_set(&e->timers, &conn->timer,
		http_earlier(conn->opened_ms + OPEN_MS, conn->wire.give_up_ms));
}

void h2_conn_resolved(struct h2_conn *conn)
{
	conn->wire.addresses = conn->target->host.addresses;
	if (conn->wire.addresses.count)
		conn_connect(conn);
	else
		h2_conn_end(conn, http_host_error(&conn->target->host, &conn->target->local_errno));
}

static void conn_fire(struct http_timer *timer);

// Called by the session.
static void stream_ended(struct h2_stream *stream, enum http_error error)
{
	struct h2_conn *conn = stream->conn;

	conn->used_ms = conn->target->engine->now_ms;
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
	if (h2_session_create(&conn->session, e->config.first_stream) ||
		http_timers_reserve(&e->timers, e->timers.count + e->stream_count + 2)) {
		if (conn->session.ng)
			h2_session_free(&conn->session);
		free(conn);
		return -ENOMEM;
	}
	conn->timer.fire = conn_fire;
	conn->session.ended = stream_ended;
	conn->target = target;
	conn->fresh = fresh;
	conn->wire.fd = -1;
	conn->opened_ms = e->now_ms;
	TAILQ_INIT(&conn->streams);
	TAILQ_INSERT_TAIL(&target->conns, conn, link);
	e->conn_count += !conn->fresh;
	if (fresh) {
		h2_stream_move(fresh, &conn->streams);
		fresh->conn = conn;
	}
	http_timer_set(&e->timers, &conn->timer, conn->opened_ms + OPEN_MS);
	if (http_host_want(&target->host, e->now_ms) != HTTP_HOST_ASKED)
		h2_conn_resolved(conn);
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
	conn->ready_ms = conn->used_ms = e->now_ms;
	conn->target->changed |= !conn->fresh; // what waits now waits for a place
	conn->follow_ms = e->now_ms + FOLLOW_MS;
	http_timer_set(&e->timers, &conn->timer, e->now_ms + QUIET_MS);
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
	http_timer_unset(&e->timers, &conn->timer);
	clear_dirty(conn);
	drop_socket(conn);
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
	if (conn->wire.open && conn->out_at == conn->out_len) {
		n = h2_session_write(&conn->session, conn->out, sizeof(conn->out));
		if (n > 0 && http_wire_write(&conn->wire, conn->out, (size_t)n) < 0) {
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
	conn->pinged_ms = e->now_ms;
	http_timer_set(&e->timers, &conn->timer, e->now_ms + PING_MS);
	set_dirty(conn);
}

// Whether a connection leads to an address that the server's name has no more.
static bool conn_is_astray(const struct h2_conn *conn)
{
	const struct http_host *host = &conn->target->host;

	return host->named && host->addresses.count &&
		!http_host_has(host, &conn->wire.addresses.address[conn->wire.address]);
}

// Whether one more connection of a target may be opened for one that is astray.
static bool target_may_replace(const struct h2_target *target)
{
	const struct h2_engine *e = target->engine;
	const struct h2_conn *conn;

	TAILQ_FOREACH(conn, &target->conns, link)
	if (!conn->fresh && conn->state < H2_CONN_READY)
		return false; // one comes already
	return e->now_ms >= target->open_after_ms &&
		e->conn_count < e->config.max_connections + e->config.upstream->server_count;
}

// Has a connection that is never idle follow changes of DNS: its name is looked up now and then,
// and when it has other addresses a connection to one of them is opened, which takes over when it
// stands.
static void conn_follow(struct h2_conn *conn)
{
	struct h2_target *target = conn->target;
	struct h2_engine *e = target->engine;

	if (conn->fresh || conn->state != H2_CONN_READY || !target->host.named ||
		e->now_ms < conn->follow_ms)
		return;
	http_host_want(&target->host, e->now_ms);
	if (target->host.resolve || target->host.failed)
		return; // the result comes later, or the look-up failed
	if (!conn_is_astray(conn))
		conn->follow_ms = e->now_ms + FOLLOW_MS;
	else if (target_may_replace(target) && h2_conn_open(target, NULL))
		target->open_after_ms = e->now_ms + FOLLOW_MS; // out of memory
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
	struct h2_conn *conn = (struct h2_conn *)timer;
	struct h2_engine *e = conn->target->engine;
	uint64_t now = e->now_ms;

	if (conn->state < H2_CONN_READY) {
		if (now >= conn->opened_ms + OPEN_MS || conn->state == H2_CONN_RESOLVING) {
			h2_conn_end(conn, HTTP_ERR_connect);
			return;
		}
		drop_socket(conn);
		conn->wire.address++;
		conn_connect(conn);
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
		http_timer_set(&e->timers, timer, conn->heard_ms + QUIET_MS);
}

_Static_assert(offsetof(struct h2_conn, timer) == 0, "a timer is cast to its connection");

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
		uint64_t since =
			conn->opened_ms > stream->started_ms ? conn->opened_ms : stream->started_ms;

		stream->transfer->connected_ms = (uint32_t)(conn->ready_ms - since);
	}
	stream->started_ms = e->now_ms;
	http_timer_set(&e->timers, &stream->timer, stream->deadline_ms);
	error = h2_session_submit(&conn->session, stream);
	if (error)
		h2_stream_finish(stream, error);
	set_dirty(conn);
}

void h2_conn_cancel(struct h2_conn *conn, struct h2_stream *stream)
{
	if (stream->id)
		h2_session_cancel(&conn->session, stream);
	conn->used_ms = conn->target->engine->now_ms;
	set_dirty(conn);
	conn->target->engine->again = true; // it may be cancelled after the turn's last flush
}

// ---- bytes

// Returns whether the connection is still there.
static bool conn_read(struct h2_conn *conn)
{
	struct h2_engine *e = conn->target->engine;

	conn->unread = false;
	for (unsigned i = 0; i < READS; i++) {
		ssize_t n = http_wire_read(&conn->wire, e->in, sizeof(e->in));

		if (n == -EAGAIN)
			break;
		if (n <= 0) {
			h2_conn_end(conn, HTTP_ERR_reset);
			return false;
		}
		conn->heard_ms = e->now_ms;
		if (conn->pinged_ms) {
			conn->pinged_ms = 0;
			http_timer_set(&e->timers, &conn->timer, e->now_ms + QUIET_MS);
		}
		enum http_error error = h2_session_read(&conn->session, e->in, (size_t)n);
		if (error) {
			h2_conn_end(conn, error);
			return false;
		}
		if (!conn->wire.ssl && (size_t)n < sizeof(e->in))
			break; // that was all
		conn->unread = http_wire_holds(&conn->wire);
	}
	if (conn->state == H2_CONN_OPENING && conn->session.ready)
		conn_is_ready(conn);
	set_dirty(conn);
	return true;
}

// Goes on with the handshakes.
static void conn_go_on(struct h2_conn *conn)
{
	enum http_error error = http_wire_go_on(&conn->wire, &conn->target->wire);

	if (error == HTTP_ERR_connect) {
		drop_socket(conn);
		conn_connect(conn);
		return;
	}
	if (error || want(conn)) {
		h2_conn_end(conn, error ? error : HTTP_ERR_no_memory);
		return;
	}
	// The address answers: no other one is tried, however long a handshake of TLS takes.
	http_timer_set(&conn->target->engine->timers, &conn->timer, conn->opened_ms + OPEN_MS);
	if (!conn->wire.open)
		return;
	set_dirty(conn); // the preface
	if (http_wire_holds(&conn->wire))
		conn->unread = conn->target->engine->again = true;
}

void h2_conn_ready(struct h2_conn *conn, uint32_t events)
{
	if (!conn->wire.open) {
		conn_go_on(conn);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !conn_read(conn))
		return;
	set_dirty(conn);
}

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
			&conn->wire, conn->out + conn->out_at, conn->out_len - conn->out_at);
		if (n < 0)
			return n == -EAGAIN ? HTTP_ERR_none : HTTP_ERR_reset;
		conn->out_at += (size_t)n;
	}
}

void h2_conn_flush(struct h2_conn *conn)
{
	unsigned streams = conn->session.streams;
	enum http_error error;

	clear_dirty(conn);
	if (!conn->wire.open)
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
	if (!error && want(conn))
		error = HTTP_ERR_no_memory;
	if (error) {
		h2_conn_end(conn, error);
		return;
	}
	if (conn->state == H2_CONN_READY && h2_session_is_leaving(&conn->session)) {
		conn->state = H2_CONN_LEAVING;
		h2_target_left(conn->target);
	}
	if ((conn->state == H2_CONN_LEAVING || (conn->fresh && conn->state == H2_CONN_READY)) &&
		TAILQ_EMPTY(&conn->streams)) {
		h2_conn_leave(conn);
		return;
	}
	if (conn->unread) {
		set_dirty(conn);
		conn->target->engine->again = true;
	}
}
