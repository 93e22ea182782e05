// SPDX-License-Identifier: BSD-3-Clause
// An engine sends HTTP requests and collects their answers. An upstream has one engine in each
// loop; all engines of a loop share its thread and its epoll descriptor, and none of them blocks.

#ifndef POSTERN_GW_HTTP_ENGINE_H
#define POSTERN_GW_HTTP_ENGINE_H

#include "gw/conf/conf.h"
#include "gw/http/message.h"

#include <stdbool.h>
#include <stdint.h>

// One HTTP request to one server. The loop owns it and keeps it in place until it is done or
// cancelled.
struct http_transfer {
	// Set by the loop.
	// Called from turn() when it is done: HTTP_ERR_none and the reply, or an error. The reply's
	// body is valid until the callback returns. The callback may start and cancel transfers.
	void (*done)(struct http_transfer *transfer, enum http_error error);
	struct http_request request;
	const struct conf_server *server; // of the configuration that the engine has now
	const char *host;                 // Host header
	uint32_t timeout_ms;              // until the whole answer is there
	uint32_t connect_ms;              // until the connection stands; 0: no limit of its own
	uint32_t body_keep;               // bytes of the answer's body that are wanted
	uint64_t body_max;                // bytes of the body above which the answer is refused
	bool fresh;                       // on a new connection, which is closed afterwards
	// Asked before more than HTTP_BODY_FREE bytes of memory, so many in all, are taken for the
	// body; false: the answer is given up, for want of memory. NULL: as many as body_keep.
	bool (*room)(struct http_transfer *transfer, size_t bytes);
	// Of an answer without an end, else NULL. head() is called when its head is there, take()
	// gets its body as it comes; both within ready() or turn(), where they start and cancel
	// nothing. If they return an error, the answer is given up. timeout_ms is until the head
	// is there, then an answer of which nothing comes for quiet_ms, or up to twice as long,
	// ends as HTTP_ERR_timeout.
	enum http_error (*head)(struct http_transfer *transfer);
	enum http_error (*take)(struct http_transfer *transfer, const void *data, size_t len);
	uint32_t quiet_ms;
	// Set by the engine.
	bool heard;              // something of such an answer came since it was looked for
	struct http_reply reply; // body points to at most body_keep bytes of the engine's
	bool sent;               // the server may have seen the request
	uint32_t connected_ms;   // how long the connection took; 0 for one that stood already
	int local_errno;         // of HTTP_ERR_local: what this machine ran out of; 0: not known
	void *engine_data;
};

#define HTTP_BODY_FREE  16384 // bytes of memory that an engine keeps from one body to the next
#define HTTP_ERROR_KEEP 4096  // bytes of the body of an error that are wanted, if there is room()

// An engine's memory for the body of an answer, kept from one transfer to the next. Zeroed at
// first; bytes are freed by the engine.
struct http_body {
	uint8_t *bytes;
	size_t room;
	uint64_t received; // 0 when a transfer starts
};

// Keeps what is wanted of a part of the body in transfer->reply. Returns HTTP_ERR_none or why the
// answer is given up.
enum http_error http_body_take(struct http_body *body, struct http_transfer *transfer,
	const void *data, size_t len) __attribute__((warn_unused_result));
// The transfer is over: wipes and frees what is more than HTTP_BODY_FREE.
void http_body_end(struct http_body *body);
// Checks the head of the final answer, which is whole. Returns HTTP_ERR_none or why the answer is
// given up.
enum http_error http_head_take(struct http_transfer *transfer) __attribute__((warn_unused_result));
// Counts the bytes of a line of a trailer, which has no other use.
enum http_error http_trailer_take(struct http_transfer *transfer, size_t len)
	__attribute__((warn_unused_result));

struct http_engine;

struct http_engine_config {
	const struct conf_upstream *upstream;
	int epoll;   // descriptors are added to it with data.u64 = http_engine_event()
	uint32_t id; // of the engine in its loop, below HTTP_ENGINE_IDS; never another's
	uint32_t max_connections; // for requests
	uint32_t checks;          // fresh transfers at a time that come on top of them
	int32_t first_stream;     // HTTP/2: id of a connection's first stream, odd; 0: 1
};

#define HTTP_ENGINE_IDS (UINT32_C(1) << 24)
#define HTTP_FD_MAX     ((1 << 24) - 1)

// What epoll keeps with a descriptor: which engine it is of, and which of those that had its
// number: numbers recur within one batch of events.
static inline uint64_t http_engine_event(uint32_t id, uint16_t generation, int fd)
{
	return (uint64_t)id << 40 | (uint64_t)generation << 24 | (uint32_t)fd;
}

static inline uint32_t http_engine_event_id(uint64_t event)
{
	return (uint32_t)(event >> 40);
}

static inline uint16_t http_engine_event_generation(uint64_t event)
{
	return (uint16_t)(event >> 24);
}

static inline int http_engine_event_fd(uint64_t event)
{
	return (int)(event & HTTP_FD_MAX);
}

// What an engine needs to go on with another configuration of its upstream.
struct http_engine_change;

struct http_engine_ops {
	// Begins; transfer->done() will be called, though not from within. Returns 0 or -errno.
	int (*start)(struct http_engine *engine, struct http_transfer *transfer);
	// Ends a transfer that is not done; done() will not be called.
	void (*cancel)(struct http_engine *engine, struct http_transfer *transfer);
	// Handles what epoll reported with an http_engine_event() of this engine.
	void (*ready)(struct http_engine *engine, uint64_t event, uint32_t events);
	// Does what is due, and calls done() of transfers.
	void (*turn)(struct http_engine *engine, uint64_t now_ms);
	// The last thing of a turn of the loop: sends what was started in it. NULL: start() does.
	void (*flush)(struct http_engine *engine);
	// When turn() wants to be called, CLOCK_MONOTONIC; UINT64_MAX: not before the next event.
	uint64_t (*next_ms)(const struct http_engine *engine);
	// Connections opened so far.
	uint64_t (*connections)(const struct http_engine *engine);
	// With no transfer left.
	void (*free)(struct http_engine *engine);

	// Another thread, while the engine is used, but neither of the next two runs: makes what it
	// takes to go on with this configuration, whose servers are of the same protocol. Epoll and
	// id are those that it has. Reads the files of tls. Returns 0, -ENOMEM or -EINVAL.
	int (*prepare)(const struct http_engine *engine, const struct http_engine_config *config,
		struct http_engine_change **change);
	// Frees one that was not applied. NULL is allowed.
	void (*discard)(struct http_engine_change *change);
	// Goes on with it; all transfers that start from now on are to its servers. Servers of the
	// same URL, with the same settings and files of TLS, keep their connections. Transfers to
	// those that are gone end as usual.
	void (*apply)(struct http_engine *engine, struct http_engine_change *change);
	// No transfer that was started before apply() is left: what stands of before is closed.
	void (*settle)(struct http_engine *engine);
};

// The head of every engine.
struct http_engine {
	const struct http_engine_ops *ops;
	uint32_t capacity; // requests that can be under way at a time without waiting in here
};

// HTTP/1.1, over TCP and UNIX sockets, with TLS or without. Each connection has one request at a
// time, and is used again if nothing that could be an answer waits on it. Returns 0 or -errno:
// -ENOMEM, or -EINVAL for TLS files that are not what they should be.
int http_engine_h1_create(const struct http_engine_config *config, struct http_engine **engine)
	__attribute__((warn_unused_result));
// HTTP/2, over TCP and UNIX sockets without TLS (RFC 9113 section 3.3: with prior knowledge) and
// over TLS, by nghttp2. Each server has few connections, with many requests on each: as many as its
// SETTINGS_MAX_CONCURRENT_STREAMS allows; others wait for the upstream's `queue` at most. Returns 0
// or -errno: -ENOMEM, or -EINVAL for TLS files that are not what they should be.
int http_engine_h2_create(const struct http_engine_config *config, struct http_engine **engine)
	__attribute__((warn_unused_result));

#endif
