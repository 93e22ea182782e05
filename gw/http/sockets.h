// SPDX-License-Identifier: BSD-3-Clause
// Registers with epoll what an engine waits for on its descriptors, with as few system calls as
// possible: a connection stays registered for input from its start to its end, so that a request on
// it costs no epoll_ctl().

#ifndef POSTERN_GW_HTTP_SOCKETS_H
#define POSTERN_GW_HTTP_SOCKETS_H

#include <stdint.h>

struct http_sockets;

// Who waits for a descriptor. An event only says "try": what it was about may be over.
struct http_watch {
	void (*ready)(struct http_watch *watch, uint32_t events);
};

// id: of the engine, for http_engine_event(). NULL if out of memory.
struct http_sockets *http_sockets_create(int epoll, uint32_t id);
void http_sockets_free(struct http_sockets *sockets);

// From here until http_sockets_forget() the watch hears of a descriptor that is new. events:
// EPOLLIN, EPOLLOUT. Returns 0 or -errno, and the descriptor is not watched then.
int http_sockets_watch(struct http_sockets *sockets, int fd, struct http_watch *watch,
	uint32_t events) __attribute__((warn_unused_result));
// Changes what is waited for. Returns 0 or -errno.
int http_sockets_want(struct http_sockets *sockets, int fd, uint32_t events)
	__attribute__((warn_unused_result));
// Comes before close() of a descriptor that nobody else has open.
void http_sockets_forget(struct http_sockets *sockets, int fd);
// The same for one that stays open elsewhere.
void http_sockets_unwatch(struct http_sockets *sockets, int fd);

// Tells the watch of a descriptor what epoll reported with this http_engine_event(), unless that
// was of an earlier descriptor of the same number.
void http_sockets_ready(struct http_sockets *sockets, uint64_t event, uint32_t events);

#endif
