// SPDX-License-Identifier: BSD-3-Clause
// Registers with epoll what an engine waits for on its descriptors, with as few system calls as
// possible: a connection that is kept open stays registered for input, so that a request on it
// costs no epoll_ctl().

#ifndef POSTERN_GW_HTTP_SOCKETS_H
#define POSTERN_GW_HTTP_SOCKETS_H

#include <stdint.h>

struct http_sockets;

// id: of the engine, for http_engine_event(). NULL if out of memory.
struct http_sockets *http_sockets_create(int epoll, uint32_t id);
void http_sockets_free(struct http_sockets *sockets);

// From here until http_sockets_forget(), which comes before close(), the descriptor may stay
// registered while no events are wanted. Returns 0 or -ENOMEM.
int http_sockets_own(struct http_sockets *sockets, int fd) __attribute__((warn_unused_result));
void http_sockets_forget(struct http_sockets *sockets, int fd);
// events: EPOLLIN and EPOLLOUT, or 0 to wait for nothing. Returns 0 or -errno.
int http_sockets_want(struct http_sockets *sockets, int fd, uint32_t events)
	__attribute__((warn_unused_result));
// Returns which of the events that epoll reported are wanted.
uint32_t http_sockets_ready(struct http_sockets *sockets, int fd, uint32_t events);

#endif
