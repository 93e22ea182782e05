// SPDX-License-Identifier: BSD-3-Clause
// The parts of the HTTP/1.1 engine. Private to it; all of it belongs to the loop's thread.
//
// A transfer has a slot, and its slot an easy handle of libcurl. It waits at its target (the
// server) while the server's name is looked up, is then libcurl's, and ends from turn(). libcurl
// itself looks up no names: it would wait for its resolver's thread when a handle ends, and all
// requests of the loop with it.
//
// Each request has a connection of its own. libcurl 7.88 does not look at what waits on an idle
// connection before it uses it again, so an answer too many would be taken for that to the next
// request, which is another device's.

#ifndef POSTERN_GW_HTTP_H1_H
#define POSTERN_GW_HTTP_H1_H

#include "gw/http/engine.h"
#include "gw/http/host.h"
#include "gw/http/timers.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <sys/queue.h>

#define H1_URL_ROOM  (HTTP_TARGET_MAX + 2048) // bytes: origin, base, path and query
#define H1_HOST_ROOM 320                      // bytes of a host and what stands around it
#define H1_LINES_OWN 5 // headers beside the request's: see slot_set_headers()

TAILQ_HEAD(h1_slot_list, h1_slot);

// A server, and how libcurl reaches it.
struct h1_target {
	struct h1_engine *engine;
	const struct conf_server *server;
	struct http_host host;
	char *origin; // in front of base and path
	struct curl_slist
		*connect_to; // where to, if the origin names another host (tls.server_name)
	// The host's addresses, if it is named. libcurl reads the text when a request starts.
	struct curl_slist resolve;
	char resolve_text[H1_HOST_ROOM + HTTP_ADDRESSES_MAX * (INET6_ADDRSTRLEN + 3)];
	struct h1_slot_list waiting; // for the addresses
};

// A request under way. Slots are kept for their memory.
struct h1_slot {
	struct http_timer timer; // while it waits
	CURL *easy;              // NULL in the free list
	TAILQ_ENTRY(h1_slot) link;
	struct h1_slot_list *list; // in which it is; NULL while it is libcurl's
	struct h1_target *target;
	struct http_transfer *transfer;
	uint64_t started_ms;
	uint32_t waited_ms; // for the addresses
	uint32_t pause_ms;  // the next one, if the backlog of a UNIX socket is full
	int local_errno;    // why this machine opened no connection; 0: it did
	bool head_done;     // an empty line came: what follows is body, trailer or the next head
	enum http_error error;
	struct http_body body;
	struct curl_slist header[HTTP_HEADERS_MAX + H1_LINES_OWN];
	char host[H1_HOST_ROOM];
	char why[CURL_ERROR_SIZE]; // what tells bad chunks from a lost connection
};

struct h1_engine {
	struct http_engine engine;
	struct http_engine_config config;
	CURLM *multi;
	CURLSH *share; // TLS sessions
	struct http_sockets *sockets;
	struct http_timers timers;
	struct h1_target *targets; // one a server
	struct h1_slot_list free_slots;
	struct h1_slot_list ended;   // without libcurl
	struct h1_slot_list paused;  // until the backlog of a UNIX socket may have room
	struct h1_slot_list unheard; // libcurl's whose socket epoll refused
	size_t slot_count;           // made
	uint64_t due_ms;             // libcurl's
	uint64_t connections;
	char url[H1_URL_ROOM];
};

// libcurl's options take any type: a macro, so that each keeps its own.
#define H1_SET(rc, easy, option, value)                               \
	do {                                                          \
		if (!(rc))                                            \
			(rc) = curl_easy_setopt(easy, option, value); \
	} while (0)

// ---- h1_request.c

// Returns 0 or -ENOMEM.
int h1_target_create(struct h1_engine *e, struct h1_target *target,
	const struct conf_server *server) __attribute__((warn_unused_result));
void h1_target_free(struct h1_target *target);
// Writes the host's addresses as libcurl reads them.
void h1_target_resolved(struct h1_target *target);
// Sets the options of slot->easy that are the same for every request of the upstream.
CURLcode h1_slot_set_up(struct h1_engine *e, struct h1_slot *slot)
	__attribute__((warn_unused_result));
// Sets its options for the request of slot->transfer.
CURLcode h1_slot_set_request(struct h1_engine *e, struct h1_slot *slot)
	__attribute__((warn_unused_result));

// ---- h1_reply.c

// Callbacks of libcurl for what the server sends; arg is the slot, whose error they set.
size_t h1_on_header(char *line, size_t size, size_t count, void *arg);
size_t h1_on_body(char *data, size_t size, size_t count, void *arg);
// Whether the head of an answer, not of an interim one, is whole.
bool h1_is_answered(const struct h1_slot *slot);
// Whether there is a final status: with a whole head, or with one of which only that is wanted.
bool h1_status_is_known(const struct h1_slot *slot, enum http_error error);
// What became of a request that libcurl ended with this code.
enum http_error h1_error_of(const struct h1_slot *slot, CURLcode code);

#endif
