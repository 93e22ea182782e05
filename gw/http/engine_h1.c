// SPDX-License-Identifier: BSD-3-Clause
// HTTP/1.1: which connection an exchange takes, and how long it waits.

#include "base/clock.h"
#include "gw/http/h1_conn.h"
#include "gw/http/h1_exchange.h"
#include "gw/http/tls_change.h"

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

	if (t->heard) { // an answer without an end goes on
		struct h1_engine *e = x->target->engine;

		t->heard = false;
		http_timer_set(&e->net.timers, timer, e->net.now_ms + t->quiet_ms);
		return;
	}
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
	x->target = e->targets[t->server - e->config.upstream->servers];
	x->transfer = t;
	x->conn = NULL;
	x->started_ms = e->net.now_ms;
	x->again = false;
	x->renewed = false;
	x->body.received = 0;
	t->engine_data = x;
	t->sent = false;
	t->heard = false;
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

// ---- servers

static void target_free(struct h1_target *target)
{
	http_origin_end(&target->origin);
	free(target);
}

static struct h1_target *target_make(struct h1_engine *e, const struct conf_upstream *upstream,
	const struct conf_server *server, SSL_CTX *tls)
{
	struct h1_target *target = calloc(1, sizeof(*target));

	if (!target)
		return NULL;
	target->engine = e;
	target->server = server;
	http_origin_init(&target->origin, &e->net, upstream, server, tls);
	TAILQ_INIT(&target->idle);
	return target;
}

// What has its URL and the same TLS, or NULL.
static struct h1_target *target_find(
	const struct h1_engine *e, const struct conf_server *server, bool same_tls)
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
	struct h1_target **targets;
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
	struct h1_engine *e = engine_of((struct http_engine *)(uintptr_t)engine);
	const struct conf_upstream *upstream = config->upstream;
	size_t count = upstream->server_count;
	struct http_engine_change *change = calloc(1, sizeof(*change) + count);

	if (!change)
		return -ENOMEM;
	change->config = *config;
	change->targets = calloc(count, sizeof(change->targets[0]));
	int rc = change->targets
		? http_tls_change_make(&change->tls, upstream, HTTP_WIRE_H1, e->tls, e->tls_digest)
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

// No request comes any more.
static void target_leave(struct h1_target *target)
{
	struct h1_conn *conn;

	target->gone = true;
	while ((conn = TAILQ_FIRST(&target->idle)))
		h1_conn_end(conn);
	LIST_INSERT_HEAD(&target->engine->gone, target, link);
}

static void engine_apply(struct http_engine *engine, struct http_engine_change *change)
{
	struct h1_engine *e = engine_of(engine);
	const struct conf_upstream *upstream = change->config.upstream;
	size_t before = e->targets ? e->config.upstream->server_count : 0;

	for (size_t i = 0; i < before; i++)
		e->targets[i]->gone = true;
	for (size_t i = 0; i < upstream->server_count; i++) {
		struct h1_target *target = change->targets[i];

		target->gone = false;
		target->server = &upstream->servers[i];
		http_origin_follow(&target->origin, upstream, target->server);
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
	e->engine.capacity = e->config.max_connections; // one request a connection
	free(change);
}

static void engine_settle(struct http_engine *engine)
{
	struct h1_engine *e = engine_of(engine);
	struct h1_target *target;
	struct h1_conn *conn, *next;

	for (conn = LIST_FIRST(&e->conns); conn; conn = next) {
		next = LIST_NEXT(conn, all_link);
		if (conn->target->gone)
			h1_conn_end(conn);
	}
	while ((target = LIST_FIRST(&e->gone))) {
		LIST_REMOVE(target, link);
		target_free(target);
	}
}

// ---- making

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
	engine_settle(engine);
	for (size_t i = 0; e->targets && i < e->config.upstream->server_count; i++)
		target_free(e->targets[i]);
	http_timers_free(&e->net.timers);
	http_sockets_free(e->net.sockets);
	SSL_CTX_free(e->tls);
	free(e->targets);
	free(e);
}

static const struct http_engine_ops h1_ops = {
	.start = engine_start,
	.cancel = engine_cancel,
	.ready = engine_ready,
	.turn = engine_turn,
	.next_ms = engine_next_ms,
	.connections = engine_connections,
	.free = engine_free,
	.prepare = engine_prepare,
	.discard = engine_discard,
	.apply = engine_apply,
	.settle = engine_settle,
};

int http_engine_h1_create(const struct http_engine_config *config, struct http_engine **engine)
{
	struct h1_engine *e = calloc(1, sizeof(*e));
	struct http_engine_change *change;
	int rc;

	if (!e)
		return -ENOMEM;
	e->engine.ops = &h1_ops;
	e->config = *config;
	LIST_INIT(&e->conns);
	LIST_INIT(&e->gone);
	TAILQ_INIT(&e->idle);
	TAILQ_INIT(&e->free_exchanges);
	TAILQ_INIT(&e->homeless);
	TAILQ_INIT(&e->ended);
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
