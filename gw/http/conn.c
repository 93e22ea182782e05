// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/conn.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// Until a UNIX socket whose backlog is full is tried again; twice as long each time.
#define BACKLOG_MS     10
#define BACKLOG_MS_MAX 160

_Static_assert(offsetof(struct http_conn, watch) == 0, "a watch is cast to its connection");

static struct http_conn *conn_of_timer(struct http_timer *timer)
{
	return (struct http_conn *)((char *)timer - offsetof(struct http_conn, timer));
}

static void conn_fail(struct http_conn *conn, enum http_error error)
{
	if (!http_error_is_local(error))
		http_host_doubt(&conn->origin->host);
	conn->ops->failed(conn, error);
}

// The server's backlog is full, which is a matter of moments and no fault of it.
static void conn_pause(struct http_conn *conn)
{
	uint64_t now = conn->origin->net->now_ms;

	conn->state = HTTP_CONN_PAUSED;
	http_timer_set(&conn->origin->net->timers, &conn->timer,
		http_earlier(now + conn->pause_ms, conn->until_ms));
	if (conn->pause_ms < BACKLOG_MS_MAX)
		conn->pause_ms *= 2;
}

// Connects to the next address.
static void conn_connect(struct http_conn *conn)
{
	struct http_net *net = conn->origin->net;
	net->connections += conn->wire.address < conn->wire.addresses.count;
	enum http_error error = http_wire_connect(&conn->wire, net->now_ms);

	if (error == HTTP_ERR_local && conn->wire.local_errno == EAGAIN) {
		conn_pause(conn);
		return;
	}
	if (error) {
		conn->local_errno = conn->wire.local_errno;
		conn_fail(conn, error);
		return;
	}
	int rc = http_sockets_watch(net->sockets, conn->wire.fd, &conn->watch, conn->wire.events);
	if (rc) {
		conn->local_errno = -rc;
		conn_fail(conn, HTTP_ERR_local);
		return;
	}
	conn->state = HTTP_CONN_CONNECTING;
	http_timer_set(
		&net->timers, &conn->timer, http_earlier(conn->until_ms, conn->wire.give_up_ms));
}

static void socket_drop(struct http_conn *conn)
{
	int fd = conn->wire.fd;

	http_wire_end(&conn->wire);
	if (fd < 0)
		return;
	http_sockets_forget(conn->origin->net->sockets, fd);
	close(fd);
	conn->wire.fd = -1;
}

// Takes the host's addresses, first that to which the last connection led: one that does not answer
// costs its time once only.
static void addresses_take(struct http_conn *conn)
{
	const struct http_address *good = &conn->origin->good;
	struct http_addresses *to = &conn->wire.addresses;

	*to = conn->origin->host.addresses;
	for (unsigned i = 1; good->len && i < to->count; i++) {
		struct http_address *address = &to->address[i];

		if (address->len != good->len ||
			memcmp(&address->storage, &good->storage, good->len))
			continue;
		memmove(&to->address[1], &to->address[0], i * sizeof(*address));
		to->address[0] = *good;
	}
	conn->wire.address = 0;
}

// The host's addresses are known, or that it has none.
static void conn_resolved(struct http_conn *conn)
{
	addresses_take(conn);
	if (conn->wire.addresses.count)
		conn_connect(conn);
	else
		conn_fail(conn, http_host_error(&conn->origin->host, &conn->local_errno));
}

static void origin_heard(struct http_host *host)
{
	struct http_origin *origin =
		(struct http_origin *)((char *)host - offsetof(struct http_origin, host));
	struct http_conn *conn;

	while ((conn = TAILQ_FIRST(&origin->unresolved))) {
		TAILQ_REMOVE(&origin->unresolved, conn, link);
		conn->state = HTTP_CONN_CLOSED;
		conn_resolved(conn);
	}
}

static void conn_fire(struct http_timer *timer)
{
	struct http_conn *conn = conn_of_timer(timer);

	if (conn->origin->net->now_ms >= conn->until_ms) {
		conn_fail(conn, HTTP_ERR_connect);
		return;
	}
	if (conn->state == HTTP_CONN_PAUSED) {
		conn->wire.address = 0;
	} else { // the address does not answer
		socket_drop(conn);
		conn->wire.address++;
	}
	conn_connect(conn);
}

// Goes on with the handshakes.
static void conn_go_on(struct http_conn *conn)
{
	struct http_origin *origin = conn->origin;
	enum http_error error = http_wire_go_on(&conn->wire, &origin->wire);

	if (error == HTTP_ERR_connect) {
		socket_drop(conn);
		conn_connect(conn);
		return;
	}
	conn->local_errno = conn->wire.local_errno;
	if (!error)
		error = http_conn_wait(conn);
	if (error) {
		conn_fail(conn, error);
		return;
	}
	// The address answers: no other one is tried, however long a handshake of TLS takes.
	http_timer_set(&origin->net->timers, &conn->timer, conn->until_ms);
	if (!conn->wire.open)
		return;
	http_timer_unset(&origin->net->timers, &conn->timer);
	origin->good = conn->wire.addresses.address[conn->wire.address];
	conn->state = HTTP_CONN_OPEN;
	conn->ops->opened(conn);
}

static void conn_ready(struct http_watch *watch, uint32_t events)
{
	struct http_conn *conn = (struct http_conn *)watch;

	if (conn->state == HTTP_CONN_OPEN)
		conn->ops->ready(conn, events);
	else
		conn_go_on(conn);
}

void http_origin_follow(struct http_origin *origin, const struct conf_upstream *upstream,
	const struct conf_server *server)
{
	origin->host.server = server;
	origin->wire.name = upstream->tls.server_name ? upstream->tls.server_name : server->host;
}

void http_origin_init(struct http_origin *origin, struct http_net *net,
	const struct conf_upstream *upstream, const struct conf_server *server, SSL_CTX *tls)
{
	origin->net = net;
	http_host_init(&origin->host, server, net->sockets);
	origin->host.heard = origin_heard;
	TAILQ_INIT(&origin->unresolved);
	origin->wire.protocol = server->http2 ? HTTP_WIRE_H2 : HTTP_WIRE_H1;
	if (server->scheme == CONF_HTTPS && SSL_CTX_up_ref(tls) == 1)
		origin->wire.tls = tls;
	http_origin_follow(origin, upstream, server);
}

void http_origin_end(struct http_origin *origin)
{
	if (!origin->net)
		return;
	http_host_end(&origin->host);
	SSL_SESSION_free(origin->wire.session);
	SSL_CTX_free(origin->wire.tls);
}

int http_conn_init(struct http_conn *conn, struct http_origin *origin,
	const struct http_conn_ops *ops, unsigned timers)
{
	memset(conn, 0, sizeof(*conn));
	conn->watch.ready = conn_ready;
	conn->timer.fire = conn_fire;
	conn->ops = ops;
	conn->origin = origin;
	conn->wire.fd = -1;
	conn->pause_ms = BACKLOG_MS;
	conn->timers = timers + 1;
	return http_timers_hold(&origin->net->timers, conn->timers);
}

void http_conn_open(struct http_conn *conn, uint64_t until_ms)
{
	struct http_origin *origin = conn->origin;
	uint64_t now = origin->net->now_ms;

	conn->began_ms = now;
	conn->until_ms = until_ms;
	if (http_host_want(&origin->host, now) != HTTP_HOST_ASKED) {
		conn_resolved(conn);
		return;
	}
	conn->state = HTTP_CONN_RESOLVING;
	TAILQ_INSERT_TAIL(&origin->unresolved, conn, link);
	http_timer_set(&origin->net->timers, &conn->timer, until_ms);
}

enum http_error http_conn_wait(struct http_conn *conn)
{
	int rc = http_sockets_want(conn->origin->net->sockets, conn->wire.fd, conn->wire.events);

	conn->local_errno = -rc;
	return rc ? HTTP_ERR_local : HTTP_ERR_none;
}

void http_conn_end(struct http_conn *conn)
{
	struct http_net *net = conn->origin->net;

	if (conn->state == HTTP_CONN_RESOLVING)
		TAILQ_REMOVE(&conn->origin->unresolved, conn, link);
	http_timer_unset(&net->timers, &conn->timer);
	http_timers_let_go(&net->timers, conn->timers);
	socket_drop(conn);
	conn->state = HTTP_CONN_CLOSED;
}
