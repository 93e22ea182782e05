// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/sockets.h"

#include "gw/http/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define FIRST_ROOM 64 // descriptors

struct socket_state {
	struct http_watch *watch; // NULL: none
	uint16_t generation;      // of those that had this number
	uint8_t wanted;           // EPOLLIN, EPOLLOUT
	uint8_t armed;            // what epoll has
};

_Static_assert((EPOLLIN | EPOLLOUT) <= UINT8_MAX, "fits");

struct http_sockets {
	int epoll;
	uint32_t id;
	unsigned room;
	struct socket_state *state; // by descriptor
};

struct http_sockets *http_sockets_create(int epoll, uint32_t id)
{
	struct http_sockets *sockets = calloc(1, sizeof(*sockets));

	if (!sockets)
		return NULL;
	sockets->epoll = epoll;
	sockets->id = id;
	return sockets;
}

void http_sockets_free(struct http_sockets *sockets)
{
	if (!sockets)
		return;
	free(sockets->state);
	free(sockets);
}

static struct socket_state *state_of(struct http_sockets *sockets, int fd)
{
	unsigned room = sockets->room ? sockets->room : FIRST_ROOM;

	if ((unsigned)fd < sockets->room)
		return &sockets->state[fd];
	while (room <= (unsigned)fd)
		room *= 2;
	struct socket_state *state = realloc(sockets->state, room * sizeof(*state));
	if (!state)
		return NULL;
	memset(state + sockets->room, 0, (room - sockets->room) * sizeof(*state));
	sockets->state = state;
	sockets->room = room;
	return &state[fd];
}

static int arm(struct http_sockets *sockets, int fd, int op, uint32_t events)
{
	struct socket_state *state = &sockets->state[fd];
	struct epoll_event event = {.events = events,
		.data.u64 = http_engine_event(sockets->id, state->generation, fd)};

	if (epoll_ctl(sockets->epoll, op, fd, &event) < 0)
		return -errno;
	state->armed = (uint8_t)events;
	return 0;
}

int http_sockets_watch(
	struct http_sockets *sockets, int fd, struct http_watch *watch, uint32_t events)
{
	struct socket_state *state = fd <= HTTP_FD_MAX ? state_of(sockets, fd) : NULL;

	if (!state)
		return fd <= HTTP_FD_MAX ? -ENOMEM : -EMFILE;
	state->generation++;
	state->wanted = (uint8_t)events;
	int rc = arm(sockets, fd, EPOLL_CTL_ADD, events | EPOLLIN);
	state->watch = rc ? NULL : watch;
	return rc;
}

int http_sockets_want(struct http_sockets *sockets, int fd, uint32_t events)
{
	struct socket_state *state = &sockets->state[fd];

	state->wanted = (uint8_t)events;
	// Without output that nobody waits for, which would wake us all the time.
	if ((events | EPOLLIN) == state->armed)
		return 0;
	return arm(sockets, fd, EPOLL_CTL_MOD, events | EPOLLIN);
}

void http_sockets_forget(struct http_sockets *sockets, int fd)
{
	if ((unsigned)fd < sockets->room)
		sockets->state[fd].watch = NULL; // epoll forgets what is closed
}

void http_sockets_unwatch(struct http_sockets *sockets, int fd)
{
	http_sockets_forget(sockets, fd);
	epoll_ctl(sockets->epoll, EPOLL_CTL_DEL, fd, NULL);
}

void http_sockets_ready(struct http_sockets *sockets, uint64_t event, uint32_t events)
{
	unsigned fd = (unsigned)http_engine_event_fd(event);
	const struct socket_state *state = fd < sockets->room ? &sockets->state[fd] : NULL;

	if (!state || !state->watch || state->generation != http_engine_event_generation(event))
		return;
	events &= state->wanted | EPOLLERR | EPOLLHUP;
	if (events)
		state->watch->ready(state->watch, events);
}
