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
//   /bad-chunk     a chunk whose size is no number
//   /huge-chunk    a chunk of more bytes than 64 bits can count
//   /half-chunk    a chunk that is not whole, then closed
//   /long-trailer  a trailer without end
//   /wide-trailer  a line of a trailer without end
//   /status-trailer  a trailer that looks like another status line
//   /continue-line  100 Continue, and then a status line without end
//   /two-lengths   two Content-Lengths
//   /minus-length  Content-Length: -1
//   /huge-length   Content-Length: 2^62, and no body
//   /folded        a header that goes on in the next line
//   /folded-first  a header that goes on from before the first
//   /half-head     closed in the middle of a header
//   /long-line     a header line without end
//   /drip          a body of 1 byte each 100 ms
//   /drip-head     a header of 1 byte each 100 ms
//   /healthz       200 while the server is healthy, else 500
//   /bighead       headers without end
//   /many-continue 100 Continue without end
//   /bare-continue the same without a header
//   /rubbish       bytes that are not HTTP
//   /http09        a body without a head
//   /switch        101 Switching Protocols
//   /vanish        closes without an answer
//   /die           closes without an answer, and takes no new connections
//   /late/KIND     a whole answer, and 50 ms later one more that nobody asked for. KIND is what the
//                  first one ends with: 204, empty (length 0), length (5 bytes), chunk (the last
//                  one); or 408, an answer of length 0 followed by a 408 that closes

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_SERVER_H
#define POSTERN_TESTS_UNIT_GW_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct server;

struct server_config {
	const char *name;
	const char *unix_path;  // NULL: TCP on 127.0.0.1 and a free port
	const char *cert, *key; // PEM files, for TLS; or NULL
	bool shut;              // accepts nothing before server_open(), and has a short backlog
};

// Aborts if it cannot.
struct server *server_start(const struct server_config *config);
void server_stop(struct server *server);

uint16_t server_port(const struct server *server);
unsigned server_connections(const struct server *server); // accepted so far
unsigned server_requests(const struct server *server);    // read so far, but for /healthz
unsigned server_checks(const struct server *server);      // /healthz
// Accepts what waits, if it was shut.
void server_open(struct server *server);
// Waits until so many requests came in all.
void server_wait_requests(struct server *server, unsigned count);
// As if its process was killed: all connections are reset, no new ones come about.
void server_kill(struct server *server);
// /die is answered like /ok. Before the first request.
void server_immortal(struct server *server);
// Waits until so many answers that nobody asked for were written, by /late.
void server_wait_late(struct server *server, unsigned count);
// What /healthz answers; healthy at first.
void server_healthy(struct server *server, bool healthy);
// Answers every /hold, now and later.
void server_release(struct server *server);

#endif
