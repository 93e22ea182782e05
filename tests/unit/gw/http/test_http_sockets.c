// SPDX-License-Identifier: BSD-3-Clause
// What epoll tells reaches who waits for it.

#include "gw/http/sockets.h"

#include <criterion/criterion.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define LONG_MS 20000

static unsigned heard;

static void hear(struct http_watch *watch, uint32_t events)
{
	heard++;
}

// What epoll told of a descriptor is nothing to the next one that has its number.
Test(http_sockets, events_of_an_earlier_descriptor)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC), pair[2];
	struct http_sockets *sockets = http_sockets_create(epoll, 3);
	struct http_watch watch = {.ready = hear};
	struct epoll_event event;

	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
		cr_assert_eq(http_sockets_watch(sockets, pair[0], &watch, EPOLLIN), 0);
		heard = 0;
		if (i) // of the one before
			http_sockets_ready(sockets, event.data.u64, EPOLLIN);
		cr_expect_eq(heard, 0);
		cr_assert_eq(write(pair[1], "x", 1), 1);
		cr_assert_eq(epoll_wait(epoll, &event, 1, LONG_MS), 1);
		http_sockets_ready(sockets, event.data.u64, event.events);
		cr_expect_eq(heard, 1);
		http_sockets_forget(sockets, pair[0]);
		close(pair[0]);
		close(pair[1]);
		http_sockets_ready(sockets, event.data.u64, event.events);
		cr_expect_eq(heard, 1);
	}
	http_sockets_free(sockets);
	close(epoll);
}
