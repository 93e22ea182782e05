// SPDX-License-Identifier: BSD-3-Clause
// An HTTP server with all the bad habits that the upstream loop must survive. What it does depends
// on the path that is asked for:
//   /ok            200, text/plain, keeps the connection; the body names the server
//   /echo          200 with the request's head and body as its body
//   /status/NNN    that status, with a body unless 204 or 304
//   /hold          nothing until server_release()
//   /hang          nothing until the client goes away
//   /reset         half a body, then the connection is reset
//   /short         less body than Content-Length says, then closed
//   /long          more body than Content-Length says
//   /endless       a body without end
//   /big           a body of 100 000 bytes
//   /chunked       a body in chunks, with a trailer
//   /both          Content-Length and chunks
//   /bighead       1 MB of headers
//   /many-continue 100 Continue without end
//   /rubbish       bytes that are not HTTP
//   /http09        a body without a head
//   /switch        101 Switching Protocols
//   /vanish        closes without an answer, if it is not the first request of its connection
//   /die           closes without an answer, and takes no new connections

#ifndef POSTERN_TESTS_UNIT_UPSTREAM_SERVER_H
#define POSTERN_TESTS_UNIT_UPSTREAM_SERVER_H

#include <stdint.h>

struct server;

struct server_config {
	const char *name;
	const char *unix_path;  // NULL: TCP on 127.0.0.1 and a free port
	const char *cert, *key; // PEM files, for TLS; or NULL
};

// Aborts if it cannot.
struct server *server_start(const struct server_config *config);
void server_stop(struct server *server);

uint16_t server_port(const struct server *server);
unsigned server_connections(const struct server *server); // accepted so far
unsigned server_requests(const struct server *server);    // heads read so far
// Waits until so many requests came in all.
void server_wait_requests(struct server *server, unsigned count);
// Answers every /hold, now and later.
void server_release(struct server *server);

#endif
