// SPDX-License-Identifier: BSD-3-Clause
// One connection to a server, over TCP, a UNIX socket or TLS: looks its name up, connects to its
// addresses in turn, does the handshakes, and says when it is open. HTTP/1.1 and HTTP/2 stand on
// it. Nothing in here blocks. Times are CLOCK_MONOTONIC in milliseconds.

#ifndef POSTERN_GW_HTTP_CONN_H
#define POSTERN_GW_HTTP_CONN_H

#include "gw/http/host.h"
#include "gw/http/sockets.h"
#include "gw/http/timers.h"
#include "gw/http/wire.h"

#include <sys/queue.h>

TAILQ_HEAD(http_conn_list, http_conn);

// What all connections of an engine share.
struct http_net {
	struct http_sockets *sockets;
	struct http_timers timers;
	uint64_t now_ms;      // set by the engine before it calls anything
	uint64_t connections; // begun so far
};

// What all connections to one server share.
struct http_origin {
	struct http_net *net;
	struct http_host host;
	struct http_wire_target wire;
	struct http_conn_list unresolved; // wait for addresses
	struct http_address good;         // the last one that could be connected to; len 0: none
};

struct http_conn;

// What a connection tells its owner. Each of these may close and free it.
struct http_conn_ops {
	void (*opened)(struct http_conn *conn);
	// It cannot be opened: HTTP_ERR_dns, _connect, _tls, _no_memory, or _local
	// with conn->local_errno.
	void (*failed)(struct http_conn *conn, enum http_error error);
	// Of one that is open: what epoll reported.
	void (*ready)(struct http_conn *conn, uint32_t events);
};

enum http_conn_state {
	HTTP_CONN_CLOSED,
	HTTP_CONN_RESOLVING,
	HTTP_CONN_PAUSED, // until the backlog of a UNIX socket may have room
	HTTP_CONN_CONNECTING,
	HTTP_CONN_OPEN,
};

struct http_conn {
	struct http_watch watch;
	struct http_timer timer; // until it is open
	const struct http_conn_ops *ops;
	struct http_origin *origin;
	TAILQ_ENTRY(http_conn) link; // in origin->unresolved
	enum http_conn_state state;
	struct http_wire wire;
	uint64_t began_ms;
	uint64_t until_ms; // when it must be open
	uint32_t pause_ms; // the next one
	int local_errno;   // of HTTP_ERR_local
	unsigned timers;   // held for it
};

// server and net stay as long as the origin, and the origin where it is. tls: of the engine, for
// servers with https.
void http_origin_init(struct http_origin *origin, struct http_net *net,
	const struct conf_upstream *upstream, const struct conf_server *server, SSL_CTX *tls);
// Goes on with the same server of another configuration.
void http_origin_follow(struct http_origin *origin, const struct conf_upstream *upstream,
	const struct conf_server *server);
// With no connection left.
void http_origin_end(struct http_origin *origin);

// Sets up a connection. Returns 0, or -ENOMEM if there is no room for its timer and `timers` more
// of its owner.
int http_conn_init(struct http_conn *conn, struct http_origin *origin,
	const struct http_conn_ops *ops, unsigned timers) __attribute__((warn_unused_result));
// Begins to open it; failed() may be called from within.
void http_conn_open(struct http_conn *conn, uint64_t until_ms);
// Waits for what wire.events says. Returns HTTP_ERR_none, or HTTP_ERR_local with conn->local_errno.
enum http_error http_conn_wait(struct http_conn *conn) __attribute__((warn_unused_result));
// Closes it, however far it is, and lets go what was held for it. Its owner hears no more of it.
void http_conn_end(struct http_conn *conn);

#endif
