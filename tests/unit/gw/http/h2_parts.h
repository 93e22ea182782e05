// SPDX-License-Identifier: BSD-3-Clause
// The parts of the HTTP/2 server of the tests, private to it.

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_H2_PARTS_H
#define POSTERN_TESTS_UNIT_GW_HTTP_H2_PARTS_H

#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/http/peer.h"

#include <nghttp2/nghttp2.h>
#include <sys/queue.h>

#define H2_CONNECTIONS_MAX 4096

struct h2_request {
	LIST_ENTRY(h2_request) link;
	int32_t id;
	char path[1024];
	char *text; // what came, for /echo
	size_t len;
	bool whole, held;
	const char *body; // of the answer
	size_t body_len;
	const char *trailer; // NULL: none
	bool endless, cut;
};

LIST_HEAD(h2_request_list, h2_request);

struct h2_peer {
	struct h2_server *server;
	pthread_t thread;
	struct peer peer;
	int wake;
	nghttp2_session *ng;
	struct h2_request_list streams;
	unsigned requests, open;
	int32_t highest; // request that was looked at: one with a body is whole later than its id
			 // says
	int32_t last;    // of which requests are looked at, after a GOAWAY
	bool closing;
};

struct h2_server {
	struct h2_server_config config;
	SSL_CTX *tls;
	int fd;
	uint16_t port;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned connections, requests, most, left, cancelled, odd; // odd: /..-once came
	uint64_t received;                                          // atomic
	bool released, stopping;
	struct h2_peer *connection[H2_CONNECTIONS_MAX];
};

// A flag of the server that its mutex guards.
bool h2_server_is(struct h2_server *s, const bool *flag);

// ---- h2_answers.c

// Before the first request.
void h2_answers_init(void);
// Answers a request as its path says.
void h2_answer_request(struct h2_peer *c, struct h2_request *s);
// body: NULL for none.
void h2_answer(struct h2_peer *c, struct h2_request *s, int status, const char *body);

#endif
