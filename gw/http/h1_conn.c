// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h1_conn.h"

#include "gw/http/h1_exchange.h"
#include "gw/http/h1_head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>

#define AGE_MS       300000 // after which a connection takes no more requests, so that it follows DNS
#define AGE_SPREAD   5      // one part of so many by which that differs
#define REQUESTS_MAX 10000 // of a connection
#define KEEP_LESS_MS 1000  // by which a connection ends before the server ends it
#define BODY_REST    65536 // bytes beyond those wanted that are read to keep a connection
#define DRAIN_MS     1000
#define DRAIN_MAX    1048576 // bytes
#define PAUSE_MS     10      // until the system may have memory to send

_Static_assert(offsetof(struct h1_conn, http) == 0, "a connection is cast to one of HTTP/1.1");

static struct h1_conn *h1_of(struct http_conn *http)
{
	return (struct h1_conn *)http;
}

// ---- ending

static void idle_leave(struct h1_conn *conn)
{
	struct h1_engine *e = conn->target->engine;

	if (conn->state == H1_CONN_IDLE)
		TAILQ_REMOVE(&conn->target->idle, conn, link);
	if (conn->state == H1_CONN_IDLE || conn->state == H1_CONN_DRAINING)
		TAILQ_REMOVE(&e->idle, conn, idle_link);
}

static void head_drop(struct h1_conn *conn)
{
	if (conn->head)
		explicit_bzero(conn->head, conn->head_len); // it has secrets of the configuration
	free(conn->head);
	conn->head = NULL;
	conn->head_len = 0;
}

void h1_conn_end(struct h1_conn *conn)
{
	struct h1_engine *e = conn->target->engine;

	idle_leave(conn);
	LIST_REMOVE(conn, all_link);
	e->conn_count -= !conn->fresh;
	http_timer_unset(&e->net.timers, &conn->timer);
	http_conn_end(&conn->http);
	h1_answer_free(&conn->answer);
	head_drop(conn);
	free(conn);
}

// It is lost or of no use, and so is what its exchange wrote on it.
static void conn_lose(struct h1_conn *conn, enum http_error error)
{
	struct h1_exchange *x = conn->exchange;
	bool used = conn->used, begun = conn->answer.begun, written = conn->out_at;

	h1_conn_end(conn);
	if (x)
		h1_exchange_lost(x, error, used, begun, written);
}

// The server may still write, and would lose what we did not read of it.
static void conn_drain(struct h1_conn *conn)
{
	struct h1_engine *e = conn->target->engine;

	head_drop(conn);
	http_wire_shut(&conn->http.wire);
	conn->http.wire.events = EPOLLIN;
	if (http_conn_wait(&conn->http)) {
		h1_conn_end(conn);
		return;
	}
	conn->state = H1_CONN_DRAINING;
	TAILQ_INSERT_TAIL(&e->idle, conn, idle_link);
	http_timer_set(&e->net.timers, &conn->timer, e->net.now_ms + DRAIN_MS);
}

static void conn_rest(struct h1_conn *conn)
{
	struct h1_engine *e = conn->target->engine;
	uint64_t now = e->net.now_ms;
	uint32_t keep_ms = conn->answer.for_ms > KEEP_LESS_MS ? conn->answer.for_ms - KEEP_LESS_MS
		: conn->answer.for_ms                         ? 0
							      : e->config.upstream->keepalive_ms;

	if (!keep_ms || now >= conn->retire_ms || conn->requests >= REQUESTS_MAX ||
		conn->target->gone) {
		h1_conn_end(conn);
		return;
	}
	conn->state = H1_CONN_IDLE;
	conn->used = true;
	conn->idle_ms = http_earlier(now + keep_ms, conn->retire_ms);
	TAILQ_INSERT_HEAD(&conn->target->idle, conn, link);
	TAILQ_INSERT_TAIL(&e->idle, conn, idle_link);
	// One that is due earlier looks again when it fires: a busy connection unsets none.
	if (http_timer_due_ms(&e->net.timers, &conn->timer) > conn->idle_ms)
		http_timer_set(&e->net.timers, &conn->timer, conn->idle_ms);
}

// Its answer is whole, or as much of it as is wanted. `clean`: nothing came behind it.
static void conn_answered(struct h1_conn *conn, bool clean)
{
	struct h1_exchange *x = conn->exchange;
	bool unwritten = conn->head_len;
	bool keeps = conn->answer.keeps && !conn->fresh && !conn->broken;

	conn->exchange = NULL;
	h1_exchange_finish(x, HTTP_ERR_none);
	if (unwritten)
		conn_drain(conn);
	else if (clean && keeps)
		conn_rest(conn);
	else
		h1_conn_end(conn);
}

// The answer is refused, or the request cannot go on.
static void conn_refuse(struct h1_conn *conn, enum http_error error)
{
	struct h1_exchange *x = conn->exchange;
	struct http_reply *reply = &x->transfer->reply;

	if (!h1_answer_has_head(&conn->answer) && error != HTTP_ERR_head_too_large)
		reply->status = 0;
	x->transfer->local_errno = conn->lacks ? conn->lacks : conn->http.local_errno;
	h1_conn_end(conn);
	h1_exchange_finish(x, error);
}

// ---- reading

// Whether the answer has come as far as it is wanted.
static bool is_enough(const struct h1_conn *conn)
{
	const struct http_transfer *t = conn->exchange->transfer;

	return conn->answer.part == H1_PART_WHOLE ||
		(t->reply.body_cut && conn->exchange->body.received > t->body_keep + BODY_REST);
}

// Takes what came. Returns whether the connection goes on with its exchange.
static bool conn_take(struct h1_conn *conn, const uint8_t *data, size_t len)
{
	size_t taken;
	if (!conn->out_at) { // it is to no request
		conn_lose(conn, conn->used ? HTTP_ERR_reset : HTTP_ERR_bad_reply);
		return false;
	}
	enum http_error error = h1_answer_take(&conn->answer, data, len, &taken);
	if (error) {
		conn_refuse(conn, error);
		return false;
	}
	if (!is_enough(conn))
		return true;
	conn_answered(conn,
		conn->answer.part == H1_PART_WHOLE && taken == len &&
			(!http_wire_holds(&conn->http.wire) ||
				http_wire_is_quiet(&conn->http.wire)));
	return false;
}

// The server ended the connection: 0 cleanly, or -errno.
static void conn_end_of_input(struct h1_conn *conn, ssize_t rc)
{
	// What failed to take a request was reset, whatever it says now.
	if (!rc && conn->out_at && !conn->broken && !h1_answer_end(&conn->answer)) {
		conn_answered(conn, false);
		return;
	}
	if (http_errno_is_local((int)-rc)) {
		conn->lacks = (int)-rc;
		conn_refuse(conn, HTTP_ERR_local);
		return;
	}
	if (!h1_answer_has_head(&conn->answer))
		conn->exchange->transfer->reply.status = 0;
	conn_lose(conn, HTTP_ERR_reset);
}

// Reads once. Returns the number of bytes, 0 if there are none now, or -1: the connection does not
// go on with its exchange.
static ssize_t conn_read_some(struct h1_conn *conn)
{
	struct h1_engine *e = conn->target->engine;
	ssize_t n = http_wire_read(&conn->http.wire, e->in, sizeof(e->in));

	if (n == -EAGAIN)
		return 0;
	if (n > 0)
		return conn_take(conn, e->in, (size_t)n) ? n : -1;
	conn_end_of_input(conn, n);
	return -1;
}

// Returns whether the connection goes on with its exchange.
static bool conn_read(struct h1_conn *conn)
{
	ssize_t n;

	do
		n = conn_read_some(conn);
	while (n > 0 && http_wire_holds(&conn->http.wire));
	return n >= 0;
}

static void conn_drain_on(struct h1_conn *conn)
{
	struct h1_engine *e = conn->target->engine;

	do {
		ssize_t n = http_wire_read(&conn->http.wire, e->in, sizeof(e->in));

		if (n == -EAGAIN)
			return;
		conn->drained += n > 0 ? (size_t)n : 0;
		if (n <= 0 || conn->drained > DRAIN_MAX) {
			h1_conn_end(conn);
			return;
		}
	} while (http_wire_holds(&conn->http.wire));
}

// ---- writing

// Writes some of what is left. Returns like http_wire_write().
static ssize_t conn_write_some(struct h1_conn *conn, const char *head)
{
	const struct http_request *req = &conn->exchange->transfer->request;
	size_t body_at = conn->out_at < conn->head_len ? 0 : conn->out_at - conn->head_len;
	struct http_part part[2];
	unsigned count = 0;

	if (conn->out_at < conn->head_len)
		part[count++] =
			(struct http_part){head + conn->out_at, conn->head_len - conn->out_at};
	if (req->has_body && body_at < req->body_len)
		part[count++] = (struct http_part){req->body + body_at, req->body_len - body_at};
	return http_wire_write_parts(&conn->http.wire, part, count);
}

static size_t out_len(const struct h1_conn *conn)
{
	const struct http_request *req = &conn->exchange->transfer->request;

	return conn->head_len + (req->has_body ? req->body_len : 0);
}

// Not all could be written: what is left of the head has to be kept. Returns HTTP_ERR_none or
// HTTP_ERR_no_memory.
static enum http_error head_keep(struct h1_conn *conn, const char *head)
{
	if (conn->head || conn->out_at >= conn->head_len)
		return HTTP_ERR_none;
	conn->head = malloc(conn->head_len);
	if (!conn->head)
		return HTTP_ERR_no_memory;
	memcpy(conn->head, head, conn->head_len);
	return HTTP_ERR_none;
}

// What a failure to write is. The server may have answered before it closed: all that waits is read
// first.
static void conn_write_failed(struct h1_conn *conn)
{
	ssize_t n;

	conn->broken = true;
	do
		n = conn->out_at ? conn_read_some(conn) : 0;
	while (n > 0);
	if (!n)
		conn_lose(conn, HTTP_ERR_reset);
}

// The system lacks memory to send, and epoll would not wait for it. OpenSSL cannot go on.
static enum http_error conn_pause(struct h1_conn *conn, int error)
{
	struct h1_engine *e = conn->target->engine;

	conn->lacks = error;
	if (conn->http.wire.ssl)
		return HTTP_ERR_local;
	conn->http.wire.events = EPOLLIN;
	http_timer_set(&e->net.timers, &conn->timer, e->net.now_ms + PAUSE_MS);
	return HTTP_ERR_none;
}

static void conn_write(struct h1_conn *conn, const char *head)
{
	enum http_error error;
	ssize_t n = 0;

	while (conn->out_at < out_len(conn) && (n = conn_write_some(conn, head)) >= 0) {
		conn->out_at += (size_t)n;
		conn->exchange->transfer->sent |= n > 0;
	}
	if (n < 0 && n != -EAGAIN && !http_errno_is_local((int)-n)) {
		conn_write_failed(conn);
		return;
	}
	conn->lacks = 0;
	if (n < 0)
		error = head_keep(conn, head);
	else
		head_drop(conn), error = HTTP_ERR_none;
	if (!error && n < 0 && n != -EAGAIN)
		error = conn_pause(conn, (int)-n);
	if (!error)
		error = http_conn_wait(&conn->http);
	if (error)
		conn_refuse(conn, error);
}

// Writes what is left. Until the first byte is written, what comes is no answer, and all that waits
// is read: epoll tells of the rest again.
static void conn_write_on(struct h1_conn *conn)
{
	if (conn->out_at || (conn_read(conn) && http_wire_is_drained(&conn->http.wire)))
		conn_write(conn, conn->head);
}

void h1_conn_send(struct h1_conn *conn, struct h1_exchange *x)
{
	struct h1_engine *e = conn->target->engine;

	idle_leave(conn);
	conn->state = H1_CONN_BUSY;
	conn->exchange = x;
	x->conn = conn;
	conn->requests++;
	conn->out_at = 0;
	h1_answer_start(&conn->answer, x->transfer, &x->body);
	conn->head_len = h1_head_write(x->transfer, e->out, sizeof(e->out));
	if (conn->head_len)
		conn_write(conn, e->out);
	else
		conn_refuse(conn, HTTP_ERR_too_long);
}

// ---- opening

// Sends the first request. A server that speaks first, or is gone again, is none; what TLS says to
// itself must have come whole.
static void conn_begin(struct h1_conn *conn)
{
	struct http_wire *wire = &conn->http.wire;

	if (http_wire_is_quiet(wire) || (conn_read(conn) && http_wire_is_quiet(wire)))
		h1_conn_send(conn, conn->exchange);
}

static void conn_opened(struct http_conn *http)
{
	struct h1_conn *conn = h1_of(http);
	uint64_t now = http->origin->net->now_ms;

	conn->exchange->transfer->connected_ms = (uint32_t)(now - http->began_ms);
	conn_begin(conn);
}

static void conn_failed(struct http_conn *http, enum http_error error)
{
	struct h1_conn *conn = h1_of(http);
	struct h1_exchange *x = conn->exchange;

	x->transfer->local_errno = http->local_errno;
	h1_conn_end(conn);
	h1_exchange_finish(x, error);
}

static void conn_ready(struct http_conn *http, uint32_t events)
{
	struct h1_conn *conn = h1_of(http);

	if (conn->state == H1_CONN_DRAINING) {
		conn_drain_on(conn);
		return;
	}
	if (conn->state == H1_CONN_IDLE) {
		if (!http_wire_is_quiet(&http->wire))
			h1_conn_end(conn);
		return;
	}
	if (conn->state == H1_CONN_OPENING) {
		conn_begin(conn);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !conn_read(conn))
		return;
	if (conn->head_len)
		conn_write_on(conn);
}

static const struct http_conn_ops conn_ops = {
	.opened = conn_opened,
	.failed = conn_failed,
	.ready = conn_ready,
};

static void conn_fire(struct http_timer *timer)
{
	struct h1_conn *conn = (struct h1_conn *)((char *)timer - offsetof(struct h1_conn, timer));
	struct h1_engine *e = conn->target->engine;

	if (conn->state == H1_CONN_DRAINING ||
		(conn->state == H1_CONN_IDLE && e->net.now_ms >= conn->idle_ms))
		h1_conn_end(conn);
	else if (conn->state == H1_CONN_IDLE)
		http_timer_set(&e->net.timers, timer, conn->idle_ms);
	else if (conn->head_len)
		conn_write_on(conn);
}

// Differs from one connection to the next, so that not all are renewed at the same time.
static uint64_t retire_time(uint64_t now_ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)now_ms;
	return now_ms + AGE_MS - AGE_MS / AGE_SPREAD + random % (2 * AGE_MS / AGE_SPREAD);
}

int h1_conn_open(struct h1_exchange *x)
{
	const struct http_transfer *t = x->transfer;
	struct h1_target *target = x->target;
	struct h1_engine *e = target->engine;
	struct h1_conn *conn = calloc(1, sizeof(*conn));

	if (!conn)
		return -ENOMEM;
	if (http_conn_init(&conn->http, &target->origin, &conn_ops, 1)) {
		free(conn);
		return -ENOMEM;
	}
	conn->timer.fire = conn_fire;
	conn->target = target;
	conn->fresh = t->fresh;
	conn->exchange = x;
	conn->retire_ms = retire_time(e->net.now_ms);
	x->conn = conn;
	LIST_INSERT_HEAD(&e->conns, conn, all_link);
	e->conn_count += !conn->fresh;
	// Without a limit of its own it ends with the exchange's time.
	http_conn_open(&conn->http, t->connect_ms ? x->started_ms + t->connect_ms : UINT64_MAX);
	return 0;
}

struct h1_conn *h1_conn_take_idle(struct h1_target *target)
{
	struct h1_conn *conn;

	while ((conn = TAILQ_FIRST(&target->idle))) {
		if (target->engine->net.now_ms < conn->idle_ms &&
			http_wire_is_quiet(&conn->http.wire))
			return conn;
		h1_conn_end(conn);
	}
	return NULL;
}
