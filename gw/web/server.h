// SPDX-License-Identifier: BSD-3-Clause
// An HTTP server: of pages that can be read, for who watches the daemon, or of what services push.
// It runs in a thread of its own, so that it answers also when main is stuck.
//
// Pages are answered to GET and HEAD, pushes are PUT and DELETE. Only a Host that the configuration
// allows is answered (421 for others), and without any header that lets a web page of another
// origin read the answer. At most WEB_CONNECTIONS_MAX connections are there at once; the last one
// makes that be closed which is silent for longest, so that none keeps others out. One that gets no
// whole answer for WEB_IDLE_MS is closed, too.

#ifndef POSTERN_GW_WEB_SERVER_H
#define POSTERN_GW_WEB_SERVER_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WEB_CONNECTIONS_MAX 16
#define WEB_IDLE_MS         30000
#define WEB_TURN_MS         1000
#define WEB_TEXT_MAX        2048 // bytes

// What a page answers. The body is `text`, or, if `read` is there, what it writes, or, if `body` is
// there, those bytes, which live as long as the server.
struct web_answer {
	unsigned status;
	const char *type;   // Content-Type
	const char *policy; // Content-Security-Policy; NULL: one that allows nothing
	const char *body;
	size_t body_len;
	char text[WEB_TEXT_MAX];
	size_t len;
	// Writes the next bytes of the body into buf, at least one if there are any left and room
	// is WEB_ROOM_LEAST or more. Returns how many; 0 is the end.
	size_t (*read)(void *state, char *buf, size_t room);
	void (*done)(void *state);
	void *state;
};

struct web_page {
	const char *path;
	// Fills *answer, which is 200 and empty before. `accept` is the header of that name or
	// NULL.
	void (*answer)(void *arg, const char *accept, struct web_answer *answer);
};

struct web_upload;

struct web_conf {
	const char *key;    // of the configuration, for messages: "metrics"
	const char *listen; // as conf_listen_parse() takes it, not off; lives as long as the server
	char *const *hosts; // see web_hosts_set()
	size_t host_count;
	const struct web_page *pages;
	size_t page_count;
	// Instead of pages: a PUT or DELETE is whole. It is answered by web_upload_answer(), from
	// any thread, before web_free() is called.
	void (*take)(void *arg, struct web_upload *upload);
	size_t body_max;                          // bytes of a body
	void (*turn)(void *arg, uint64_t now_ms); // each WEB_TURN_MS, in the server's thread
	void *arg;                                // of pages, take and turn
	uint32_t idle_ms;                         // tests: instead of WEB_IDLE_MS
};

// Written by the server's thread, read by any.
struct web_stats {
	uint64_t requests; // answered
	uint64_t refused;  // of these, with a status from 400
	uint64_t cut;      // connections closed after WEB_IDLE_MS, or to make room
	uint64_t clients;  // connections now
};

struct web;

// Listens. Returns 0 or -errno with a line in *error.
int web_create(const struct web_conf *conf, struct web **web, struct error *error)
	__attribute__((warn_unused_result));
// From now on these names are allowed in Host; they must live until the next call, or web_free().
// Nobody looks at those of before any more when it returns.
void web_hosts_set(struct web *web, char *const *hosts, size_t count);
// From now on requests need "Authorization: Bearer" and this token; NULL: nothing. Nothing of it is
// kept but a hash.
void web_token_set(struct web *web, const char *token);
// Any thread: answers what was taken, by its status and what it says; it is the server's again.
void web_upload_answer(struct web_upload *upload);
// Starts the thread, which blocks all signals but those of a crash. Returns 0 or -errno.
int web_start(struct web *web) __attribute__((warn_unused_result));
// Ends the thread and all connections. NULL is allowed.
void web_free(struct web *web);

// Any thread.
void web_get_stats(const struct web *web, struct web_stats *stats);

#endif
