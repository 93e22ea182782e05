// SPDX-License-Identifier: BSD-3-Clause
// The HTTP/1.1 engine alone, in the test's thread and at times of the test's own, with a server
// that the test plays byte by byte. All of it asserts that it can.

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_ALONE_H
#define POSTERN_TESTS_UNIT_GW_HTTP_ALONE_H

#include "gw/http/engine.h"
#include "tests/unit/gw/http/peer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALONE_LONG_MS 20000
#define ALONE_BODY    100000 // bytes that each request but GET has

#define ANSWER "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
#define KEPT   ANSWER "ok"

// What sendmsg() and OpenSSL's write() fail with; 0: they do not.
extern int alone_send_errno;
extern bool alone_send_head; // the head of a request goes before
// Whether OpenSSL gets no memory.
extern bool alone_no_memory;

struct asker {
	struct http_transfer transfer;
	bool done;
	enum http_error error;
};

struct alone {
	struct conf *conf;
	int epoll;
	struct http_engine *engine;
	int listener;
	SSL_CTX *tls;        // of the server; NULL: none
	struct peer_pki pki; // of that
	uint64_t later_ms;   // than now is what the engine is told
	struct peer peer;    // the connection that was accepted last
};

// An engine and where its server listens, with TLS or without.
struct alone *alone_make(bool tls);
void alone_end(struct alone *a);
// A turn of the loop.
void alone_turn(struct alone *a);
// The same, where epoll tells no more than `mask`.
void alone_turn_masked(struct alone *a, uint32_t mask);

// Starts a request; GET is one that may be sent again.
void alone_ask(struct alone *a, struct asker *asker, const char *method);
// Turns until it has ended.
enum http_error alone_wait(struct alone *a, const struct asker *asker);

// The server takes a new connection.
void alone_accept(struct alone *a);
// Whether one was there to be taken.
bool alone_is_asked(struct alone *a);
// It reads until the end of a head, or this many bytes if it is not 0. false: the connection ended.
bool alone_read(struct alone *a, size_t len);
void alone_say(struct alone *a, const char *text);
void alone_close(struct alone *a);

// A first request and its answer, behind which the connection is kept.
void alone_first(struct alone *a, const char *answer);
// Whether the next request comes on the connection that there was.
bool alone_second_is_on_it(struct alone *a);

#endif
