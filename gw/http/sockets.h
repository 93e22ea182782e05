// SPDX-License-Identifier: BSD-3-Clause
// What an engine waits for on its descriptors, told to epoll as seldom as possible: a connection
// that is kept open stays registered for input, so that a request on it costs no epoll_ctl().

#ifndef POSTERN_GW_HTTP_SOCKETS_H
#define POSTERN_GW_HTTP_SOCKETS_H

#include <stdint.h>

struct up_sockets;

// id: of the engine, for up_engine_event(). NULL if out of memory.
struct up_sockets *up_sockets_create(int epoll, uint32_t id);
void up_sockets_free(struct up_sockets *sockets);

// From here until up_sockets_forget(), which comes before close(), the descriptor may stay
// registered while nobody waits for it. Returns 0 or -ENOMEM.
int up_sockets_own(struct up_sockets *sockets, int fd) __attribute__((warn_unused_result));
void up_sockets_forget(struct up_sockets *sockets, int fd);
// events: EPOLLIN and EPOLLOUT, or 0 to wait for nothing. Returns 0 or -errno.
int up_sockets_want(struct up_sockets *sockets, int fd, uint32_t events)
	__attribute__((warn_unused_result));
// epoll said this: returns what of it was waited for.
uint32_t up_sockets_ready(struct up_sockets *sockets, int fd, uint32_t events);

#endif
