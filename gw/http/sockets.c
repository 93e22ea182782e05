// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/sockets.h"

#include "gw/http/engine.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define FIRST_ROOM 64 // descriptors

struct socket_state {
	uint8_t wanted; // EPOLLIN, EPOLLOUT
	uint8_t armed;  // what epoll has; 0: not registered
	bool own;       // closed only after http_sockets_forget()
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

static int arm(struct http_sockets *sockets, int fd, struct socket_state *state, uint8_t events)
{
	struct epoll_event event = {
		.events = events, .data.u64 = http_engine_event(sockets->id, fd)};
	int op = !events ? EPOLL_CTL_DEL : state->armed ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (state->armed == events)
		return 0;
	int rc = epoll_ctl(sockets->epoll, op, fd, &event) < 0 && events ? -errno : 0;
	state->armed = rc ? 0 : events;
	return rc;
}

int http_sockets_own(struct http_sockets *sockets, int fd)
{
	struct socket_state *state = state_of(sockets, fd);

	if (!state)
		return -ENOMEM;
	*state = (struct socket_state){.own = true};
	return 0;
}

void http_sockets_forget(struct http_sockets *sockets, int fd)
{
	if ((unsigned)fd < sockets->room)
		sockets->state[fd] = (struct socket_state){0}; // epoll forgets what is closed
}

int http_sockets_want(struct http_sockets *sockets, int fd, uint32_t events)
{
	struct socket_state *state = state_of(sockets, fd);

	if (!state)
		return -ENOMEM;
	state->wanted = (uint8_t)events;
	if (!state->own)
		return arm(sockets, fd, state, (uint8_t)events);
	bool enough = !(events & ~(uint32_t)state->armed);
	bool too_much = state->armed & EPOLLOUT & ~events; // would wake us all the time
	if (enough && !too_much)
		return 0;
	return arm(sockets, fd, state, (uint8_t)(events | EPOLLIN));
}

uint32_t http_sockets_ready(struct http_sockets *sockets, int fd, uint32_t events)
{
	struct socket_state *state = (unsigned)fd < sockets->room ? &sockets->state[fd] : NULL;

	if (!state)
		return 0;
	uint32_t wanted = events & (state->wanted | EPOLLERR | EPOLLHUP);
	if (state->wanted && wanted)
		return wanted;
	// No such event is wanted: epoll reports it no more. No request can be sent on such a
	// connection without a look at it: those of HTTP/2 always wait for input, others are not
	// used again.
	if (arm(sockets, fd, state, state->wanted)) {
		// Not registered any more, which is as good.
	}
	return 0;
}
