// SPDX-License-Identifier: BSD-3-Clause
// What the HTTP/2 engine is made of. Private to it; all of it belongs to the loop's thread.
//
// A transfer waits at its target (the server) until a connection has room for it, is sent there,
// and ends in the engine's list `ended`, from which turn() reports it. A connection that the server
// leaves goes on until its last answer is there, while another takes new requests.

#ifndef POSTERN_GW_HTTP_H2_H
#define POSTERN_GW_HTTP_H2_H

#include "gw/http/conn.h"
#include "gw/http/engine.h"
#include "gw/http/h2_session.h"

#define H2_OUT_ROOM 32768u // bytes that wait to be sent on a connection

enum h2_conn_state {
	H2_CONN_OPENING, // until the server's SETTINGS come
	H2_CONN_READY,
	H2_CONN_LEAVING, // takes no more requests
};

struct h2_conn {
	struct http_conn http;
	struct http_timer timer;   // once it is open
	TAILQ_ENTRY(h2_conn) link; // of its target
	LIST_ENTRY(h2_conn) dirty_link;
	bool dirty; // there may be something to be sent
	struct h2_target *target;
	enum h2_conn_state state;
	bool fresh;    // for one transfer
	bool answered; // a request
	bool unread;   // has more to be read than epoll knows of
	struct h2_session session;
	struct h2_stream_list streams;
	uint64_t ready_ms;
	uint64_t heard_ms;  // when bytes came last
	uint64_t pinged_ms; // 0: no PING waits for its answer
	uint64_t used_ms;   // the last stream ended
	uint64_t follow_ms; // when to compare its address with the name's
	size_t out_at, out_len;
	uint8_t out[H2_OUT_ROOM];
};

TAILQ_HEAD(h2_conn_list, h2_conn);
LIST_HEAD(h2_dirty_list, h2_conn);

// A server.
struct h2_target {
	LIST_ENTRY(h2_target) link; // of those that are gone
	bool gone;                  // the configuration has it no more
	struct h2_engine *engine;
	const struct conf_server *server;
	struct http_origin origin;
	struct h2_conn_list conns;
	struct h2_stream_list waiting;
	struct h2_stream_list paused; // refused, until they are sent again
	uint64_t open_after_ms;       // not to open one more connection before
	unsigned useless;             // connections in a row that answered nothing
	int local_errno;              // why this machine opened no connection
	bool changed; // those that wait now wait for something else: their time begins again
};

LIST_HEAD(h2_target_list, h2_target);

struct h2_engine {
	struct http_engine engine;
	struct http_engine_config config;
	SSL_CTX *tls; // NULL: none
	uint8_t tls_digest[HTTP_TLS_DIGEST];
	struct http_net net;
	struct h2_target **targets; // one a server
	struct h2_target_list gone; // until settle()
	size_t target_count;        // these, too
	size_t conn_count;          // but fresh ones
	struct h2_dirty_list dirty;
	struct h2_stream_list ended;
	struct h2_stream_list free_streams;
	bool again; // turn and flush have something to do at once
	uint8_t in[65536];
};

#endif
