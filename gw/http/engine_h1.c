// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1: which connection an exchange takes, and how long it waits.

#include "base/clock.h"
#include "gw/http/h1_conn.h"
#include "gw/http/h1_exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct h1_engine *engine_of(struct http_engine *engine)
{
	return (struct h1_engine *)engine;
}

// ---- exchanges

// No connection, or no whole answer in time.
static void exchange_fire(struct http_timer *timer)
{
	struct h1_exchange *x = (struct h1_exchange *)timer;
	struct http_transfer *t = x->transfer;
	int lacks = x->conn ? x->conn->lacks : 0;

	if (x->conn) {
		if (!h1_answer_has_head(&x->conn->answer))
			t->reply.status = 0;
		h1_conn_end(x->conn);
	}
	t->local_errno = lacks;
	h1_exchange_finish(x,
		lacks                               ? HTTP_ERR_local
			: t->connect_ms && !t->sent ? HTTP_ERR_connect
						    : HTTP_ERR_timeout);
}

_Static_assert(offsetof(struct h1_exchange, timer) == 0, "a timer is cast to its exchange");

// Closes connections that were of no use for the longest time, if one more would be too many.
static void make_room(struct h1_engine *e)
{
	struct h1_conn *oldest;

	// Those of fresh transfers that are among them make none.
	while (e->conn_count >= e->config.max_connections && (oldest = TAILQ_FIRST(&e->idle)))
		h1_conn_end(oldest);
}

// Gives an exchange a connection. Returns 0 or -ENOMEM.
static int exchange_launch(struct h1_exchange *x)
{
	struct h1_conn *conn = NULL;

	h1_exchange_move(x, NULL);
	if (!x->transfer->fresh && !x->renewed)
		conn = h1_conn_take_idle(x->target);
	if (conn) {
		h1_conn_send(conn, x);
		return 0;
	}
	if (!x->transfer->fresh)
		make_room(x->target->engine);
	return h1_conn_open(x);
}

// Those whose connection was lost before the server saw them. What they lose next is a new
// connection, or one idle connection less, so this ends.
static void house_homeless(struct h1_engine *e)
{
	struct h1_exchange *x;

	while ((x = TAILQ_FIRST(&e->homeless)))
		if (exchange_launch(x))
			h1_exchange_finish(x, HTTP_ERR_no_memory);
}

// ---- the engine

static int engine_start(struct http_engine *engine, struct http_transfer *t)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_exchange *x = h1_exchange_take(e, exchange_fire);

	if (!x)
		return -ENOMEM;
	e->net.now_ms = clock_ms();
	x->target = &e->targets[t->server - e->config.upstream->servers];
	x->transfer = t;
	x->conn = NULL;
	x->started_ms = e->net.now_ms;
	x->again = false;
	x->renewed = false;
	x->body.received = 0;
	t->engine_data = x;
	t->sent = false;
	t->connected_ms = 0;
	t->local_errno = 0;
	http_reply_init(&t->reply);
	http_timer_set(&e->net.timers, &x->timer, x->started_ms + t->timeout_ms);
	if (exchange_launch(x)) {
		h1_exchange_give(x);
		return -ENOMEM;
	}
	house_homeless(e);
	return 0;
}

static void engine_cancel(struct http_engine *engine, struct http_transfer *t)
{
	struct h1_exchange *x = t->engine_data;

	if (x->conn)
		h1_conn_end(x->conn);
	h1_exchange_give(x);
}

static void engine_ready(struct http_engine *engine, uint64_t event, uint32_t events)
{
	struct h1_engine *e = engine_of(engine);

	e->net.now_ms = clock_ms();
	http_sockets_ready(e->net.sockets, event, events);
	house_homeless(e);
}

static void engine_turn(struct http_engine *engine, uint64_t now)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_exchange *x;

	e->net.now_ms = now;
	http_timers_fire(&e->net.timers, now);
	house_homeless(e);
	while ((x = TAILQ_FIRST(&e->ended))) {
		h1_exchange_move(x, NULL);
		// The transfer may start again in the callback, which still needs the body.
		x->transfer->done(x->transfer, x->error);
		h1_exchange_give(x);
	}
}

static uint64_t engine_next_ms(const struct http_engine *engine)
{
	const struct h1_engine *e = (const struct h1_engine *)engine;

	return TAILQ_EMPTY(&e->ended) ? http_timers_next_ms(&e->net.timers) : 0;
}

static uint64_t engine_connections(const struct http_engine *engine)
{
	return ((const struct h1_engine *)engine)->net.connections;
}

static void engine_free(struct http_engine *engine)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_exchange *x;
	struct h1_conn *conn;

	while ((conn = LIST_FIRST(&e->conns)))
		h1_conn_end(conn);
	while ((x = TAILQ_FIRST(&e->free_exchanges))) {
		h1_exchange_move(x, NULL);
		free(x->body.bytes);
		free(x);
	}
	for (size_t i = 0; e->targets && i < e->config.upstream->server_count; i++)
		http_origin_end(&e->targets[i].origin);
	http_timers_free(&e->net.timers);
	http_sockets_free(e->net.sockets);
	SSL_CTX_free(e->tls);
	free(e->targets);
	free(e);
}

static void target_create(struct h1_engine *e, size_t index)
{
	const struct conf_upstream *upstream = e->config.upstream;
	struct h1_target *target = &e->targets[index];

	target->engine = e;
	target->server = &upstream->servers[index];
	http_origin_init(&target->origin, &e->net, upstream, target->server, e->tls);
	TAILQ_INIT(&target->idle);
}

static const struct http_engine_ops h1_ops = {
	.start = engine_start,
	.cancel = engine_cancel,
	.ready = engine_ready,
	.turn = engine_turn,
	.next_ms = engine_next_ms,
	.connections = engine_connections,
	.free = engine_free,
};

int http_engine_h1_create(const struct http_engine_config *config, struct http_engine **engine)
{
	const struct conf_upstream *upstream = config->upstream;
	struct h1_engine *e = calloc(1, sizeof(*e));
	int rc = 0;

	if (!e)
		return -ENOMEM;
	e->engine.ops = &h1_ops;
	e->engine.capacity = config->max_connections; // one request a connection
	e->config = *config;
	LIST_INIT(&e->conns);
	TAILQ_INIT(&e->idle);
	TAILQ_INIT(&e->free_exchanges);
	TAILQ_INIT(&e->homeless);
	TAILQ_INIT(&e->ended);
	for (size_t i = 0; !rc && !e->tls && i < upstream->server_count; i++)
		if (upstream->servers[i].scheme == CONF_HTTPS)
			rc = http_wire_tls_create(&upstream->tls, HTTP_WIRE_H1, &e->tls);
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
