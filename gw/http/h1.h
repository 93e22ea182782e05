// SPDX-License-Identifier: BSD-3-Clause
// What the HTTP/1.1 engine is made of. Private to it; all of it belongs to the loop's thread.
//
// An exchange is a request and its answer. It takes a connection of its server that is idle and
// quiet, or has one opened, and both belong to each other until the answer is whole. What a server
// cannot have seen goes to another connection; what it may have seen and is idempotent does once,
// on a new one, if it was the end of an old connection that it met.

#ifndef POSTERN_GW_HTTP_H1_H
#define POSTERN_GW_HTTP_H1_H

#include "gw/http/conn.h"
#include "gw/http/engine.h"
#include "gw/http/h1_answer.h"

#define H1_OUT_ROOM 20480u // bytes of the longest head

_Static_assert(H1_OUT_ROOM >= HTTP_TARGET_MAX + HTTP_HEADER_ROOM + HTTP_LINES_ROOM + 3072,
	"holds target, headers, and what stands around them");

enum h1_conn_state {
	H1_CONN_OPENING,  // for its exchange
	H1_CONN_BUSY,     // with it
	H1_CONN_IDLE,     // has none
	H1_CONN_DRAINING, // reads what the server still sends, to be closed
};

struct h1_conn {
	struct http_conn http;
	struct http_timer timer;   // to the end of being idle or draining, or of a pause in writing
	TAILQ_ENTRY(h1_conn) link; // of its target while it is idle
	TAILQ_ENTRY(h1_conn) idle_link; // of the engine while it is idle or draining
	LIST_ENTRY(h1_conn) all_link;   // of the engine
	struct h1_target *target;
	struct h1_exchange *exchange; // NULL: none
	enum h1_conn_state state;
	bool fresh;         // for one transfer
	bool used;          // had an answer
	bool broken;        // failed to take what was written
	int lacks;          // errno of what the system lacks to write on; 0: nothing
	unsigned requests;  // sent so far
	uint64_t retire_ms; // takes no more requests
	uint64_t idle_ms;   // end of being idle
	uint64_t drained;   // bytes
	size_t out_at;      // bytes written of head and body
	size_t head_len;    // 0: nothing is to be written
	char *head;         // what has to be kept of it, from its start; NULL: nothing
	struct h1_answer answer;
};

TAILQ_HEAD(h1_conn_list, h1_conn);
TAILQ_HEAD(h1_exchange_list, h1_exchange);

// A request under way. Exchanges are kept for their memory.
struct h1_exchange {
	struct http_timer timer; // to the end of the transfer's time
	TAILQ_ENTRY(h1_exchange) link;
	struct h1_exchange_list *list; // in which it is; NULL while it has a connection
	struct h1_target *target;
	struct http_transfer *transfer;
	struct h1_conn *conn; // NULL: none
	uint64_t started_ms;
	bool again;   // was sent and lost, and is sent once more
	bool renewed; // only on a new connection
	enum http_error error;
	struct http_body body;
};

// A server.
struct h1_target {
	LIST_ENTRY(h1_target) link; // of those that are gone
	struct h1_engine *engine;
	const struct conf_server *server;
	struct http_origin origin;
	struct h1_conn_list idle; // the one used last comes first
	bool gone;                // the configuration has it no more
};

LIST_HEAD(h1_target_list, h1_target);

struct h1_engine {
	struct http_engine engine;
	struct http_engine_config config;
	SSL_CTX *tls; // NULL: none
	uint8_t tls_digest[HTTP_TLS_DIGEST];
	struct http_net net;
	struct h1_target **targets; // one a server
	struct h1_target_list gone; // until settle()
	LIST_HEAD(, h1_conn) conns;
	size_t conn_count;        // but those of fresh transfers
	struct h1_conn_list idle; // the one used last comes last
	struct h1_exchange_list free_exchanges;
	struct h1_exchange_list homeless; // lost their connection before the server saw them
	struct h1_exchange_list ended;
	char out[H1_OUT_ROOM];
	uint8_t in[65536];
};

#endif
