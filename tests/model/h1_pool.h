// SPDX-License-Identifier: BSD-3-Clause
// The engine of HTTP/1.1 and hostile servers in one thread, at times of the test's own: what the
// files of test_h1_pool share.

#ifndef POSTERN_TESTS_MODEL_H1_POOL_H
#define POSTERN_TESTS_MODEL_H1_POOL_H

#include "gw/http/engine.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_KEEP      1024   // bytes of an answer's body that are wanted
#define POOL_REST      65536  // and that are read beyond them
#define POOL_BODY_MAX  300000 // bytes of the largest body that is allowed
#define POOL_KEEP_MS   4000   // for which a connection is kept if the server does not say
#define POOL_AGE_MS    361000 // of the oldest connection that may be used
#define POOL_LIMIT     6      // connections
#define POOL_CHECKS    2      // on top of them
#define POOL_RUNNING   (POOL_LIMIT + POOL_CHECKS)
#define POOL_SIDES_MAX 64

enum pool_server { POOL_TCP, POOL_UNIX, POOL_TLS12, POOL_TLS13, POOL_DEAD, POOL_SERVERS };

extern uint64_t pool_seed, pool_step;

// Ends the test unless this holds.
#define POOL_CHECK(holds, format, ...)                                                        \
	cr_assert(holds, "seed %" PRIu64 ", step %" PRIu64 ": " format, pool_seed, pool_step, \
		##__VA_ARGS__)

uint32_t pool_random(void);
// Below limit, which is not 0.
uint32_t pool_below(uint32_t limit);
bool pool_one_in(uint32_t n);

// ---- requests: what is known of each, from its start on

struct pool_request {
	bool idempotent;
	bool fresh;
	bool over;    // done or cancelled
	bool sent;    // what the engine said of it then
	bool whole;   // a server wrote an answer to its end
	bool prefix;  // the end of a connection may have been the end of an answer
	bool large;   // a server wrote more of an answer than is read
	uint8_t seen; // connections on which a server read of it
	uint8_t server;
	uint32_t body_len;
	uint64_t started_ms, over_ms;
};

// By their ids, which begin with 1.
struct pool_request *pool_request(uint32_t id);
uint32_t pool_request_add(void);
uint32_t pool_request_last(void);

// What the body of a request and the answer to it are follows from its id.
uint8_t pool_body_byte(uint32_t id, size_t at);
int pool_status(uint32_t id);
size_t pool_content_len(uint32_t id);
uint8_t pool_content_byte(uint32_t id, size_t at);

// Of a request that is under way; NULL: it is not.
const struct http_transfer *pool_running(uint32_t id);
// Whether the engine may have written a request to this server of which none was read: who sends an
// answer then that nobody asked for may meet a request, and no client can tell.
bool pool_window(enum pool_server server);

// ---- servers

extern struct pool_counts {
	uint64_t answers, errors[HTTP_ERROR_COUNT], cancelled;
	uint64_t accepted, used_again, sent_again, surplus, rubbish, early, tickets;
} pool_counts;

void pool_servers_open(const char *dir, const char *cert, const char *key, unsigned backlog);
void pool_servers_close(void);
// As in a configuration.
const char *pool_servers_text(void);
// One of them does one thing that it may or may not do.
void pool_servers_step(bool honest);
// Whether one of them has this request and did not end its side of the connection.
bool pool_servers_have(uint32_t id);

// ---- system calls of the engine

// Those of the code in between are the engine's.
void pool_engine_enter(void);
void pool_engine_leave(void);
// From now on some of them fail, and malloc() too.
void pool_faults(bool on);
uint64_t pool_faults_met(void);
unsigned pool_sockets_open(void);
// Its connection from this port of 127.0.0.1; -1: it has none.
int pool_socket_of(uint16_t port);
extern uint64_t pool_now_ms;

#endif
