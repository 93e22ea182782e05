// SPDX-License-Identifier: BSD-3-Clause
// An HTTP/2 server with all the bad habits that the engine must survive. What it does depends on
// the path that is asked for:
//   /ok              200, text/plain; the body names the server
//   /echo            200 with the request's fields, a line each, and its body as its body
//   /status/NNN      that status, with a body unless 204 or 304
//   /hold            nothing until h2_server_release()
//   /hang            nothing
//   /reset           RST_STREAM, INTERNAL_ERROR
//   /refuse          RST_STREAM, REFUSED_STREAM
//   /refuse-once     the same for the first request of all, else /ok
//   /refuse-some     the same for the first 8 requests of all, else /ok
//   /lose            closes the connection at the first request of all, else /refuse
//   /cut             half a body, then RST_STREAM
//   /close           closes the connection
//   /close-once      the same for the first request of all, else /ok
//   /leave           GOAWAY that says: this request was not looked at; then closes
//   /big             a body of 100 000 bytes
//   /endless         a body without end
//   /short           less body than content-length says
//   /huge-length     content-length: 2^62, and no body
//   /bighead         fields of 20 000 bytes
//   /early           103 with fields, then 200
//   /many-early      103 without end
//   /trailer         a body and a trailer
//   /big-trailer     a body and a trailer of 20 000 bytes
//   /connection      a field of HTTP/1.1 connections
//   /control         a field with a control character
//   /no-status       fields without :status
//   /early-answer    200 before the request's body is there, of which it reads nothing
//   /healthz         200

#ifndef POSTERN_TESTS_UNIT_GW_HTTP_H2_SERVER_H
#define POSTERN_TESTS_UNIT_GW_HTTP_H2_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct h2_server;

struct h2_server_config {
	const char *name;
	const char *unix_path;  // NULL: TCP
	const char *address;    // NULL: 127.0.0.1
	uint16_t port;          // 0: a free one
	const char *cert, *key; // PEM files, for TLS; or NULL
	const char *alpn;       // with TLS; NULL: h2
	unsigned requests;      // of a connection, after which it says GOAWAY; 0: no end
	bool limited;           // SETTINGS_MAX_CONCURRENT_STREAMS is
	uint32_t streams;       // this
	bool no_window;         // for request bodies
	// Instead of all this: bytes that are written to a connection once its client spoke, once
	// it spoke again, and then as often as they are taken.
	const void *raw;
	size_t raw_len;
	const void *late;
	size_t late_len;
	const void *repeat;
	size_t repeat_len;
	bool unread; // after `raw` it reads nothing until h2_server_release()
};

// Aborts if it cannot.
struct h2_server *h2_server_start(const struct h2_server_config *config);
void h2_server_stop(struct h2_server *server);

uint16_t h2_server_port(const struct h2_server *server);
unsigned h2_server_connections(const struct h2_server *server); // accepted so far
unsigned h2_server_requests(const struct h2_server *server);    // whole ones, but for /healthz
unsigned h2_server_most(const struct h2_server *server);      // requests at a time on a connection
unsigned h2_server_left(const struct h2_server *server);      // GOAWAYs of the client
unsigned h2_server_cancelled(const struct h2_server *server); // RST_STREAMs of the client
uint64_t h2_server_received(const struct h2_server *server);  // bytes after `raw`
// Waits until so many requests, or GOAWAYs of the client, came in all.
void h2_server_wait_requests(struct h2_server *server, unsigned count);
void h2_server_wait_left(struct h2_server *server, unsigned count);
// Answers every /hold, now and later.
void h2_server_release(struct h2_server *server);

#endif
