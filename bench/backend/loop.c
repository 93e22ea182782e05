// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/loop.h"

#include "bench/backend/conn.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define EVENTS      64
#define ACCEPTS_MAX 64 // of a wake-up
#define WAIT_MAX_MS 60000

struct be_loop {
	struct be_server *server;
	const struct be_listener *listeners;
	unsigned count, next; // thread that gets the next connection
	struct be_thread **threads;
};

// An event's data is its connection, its listener, or NULL of the eventfd.

static void give_up(const char *what)
{
	fprintf(stderr, "postern-backend: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void peer_text(const struct sockaddr_storage *from, char *text, size_t room)
{
	char host[INET6_ADDRSTRLEN] = "";

	if (from->ss_family == AF_INET) {
		const struct sockaddr_in *v4 = (const void *)from;

		inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host));
		snprintf(text, room, "%s:%u", host, ntohs(v4->sin_port));
	} else if (from->ss_family == AF_INET6) {
		const struct sockaddr_in6 *v6 = (const void *)from;

		inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host));
		snprintf(text, room, "[%s]:%u", host, ntohs(v6->sin6_port));
	} else {
		snprintf(text, room, "unix");
	}
}

static void accept_all(struct be_loop *loop, const struct be_listener *listener)
{
	for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		char peer[64];
		int fd = accept4(
			listener->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
		int yes = 1;

		if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED || errno == EINTR))
			return;
		if (fd < 0)
			give_up("accept");
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes)); // fails on UNIX
		peer_text(&from, peer, sizeof(peer));
		be_conn_open(loop->threads[loop->next++ % loop->server->threads], fd,
			!listener->path, peer);
	}
}

// How long epoll may wait.
static int wait_ms(const struct be_thread *t)
{
	uint64_t next = http_timers_next_ms(&t->timers), now;

	if (next == UINT64_MAX)
		return -1;
	now = clock_ms();
	if (next <= now)
		return 0;
	return next - now > WAIT_MAX_MS ? WAIT_MAX_MS : (int)(next - now);
}

// Whether an event's data is a listener; if so, accepts.
static bool is_accept(struct be_loop *loop, const void *data)
{
	for (unsigned i = 0; i < loop->count; i++) {
		if (data != &loop->listeners[i])
			continue;
		accept_all(loop, data);
		return true;
	}
	return false;
}

static void thread_turn(struct be_loop *loop, struct be_thread *t)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(t->epoll_fd, events, EVENTS, wait_ms(t));

	if (n < 0 && errno != EINTR)
		give_up("epoll_wait");
	t->now_ms = clock_ms();
	for (int i = 0; i < n; i++)
		if (events[i].data.ptr && !is_accept(loop, events[i].data.ptr))
			be_conn_event(events[i].data.ptr);
	http_timers_fire(&t->timers, t->now_ms);
}

struct start {
	struct be_loop *loop;
	struct be_thread *thread;
};

static void *thread_run(void *arg)
{
	struct start start = *(struct start *)arg;

	free(arg);
	while (!start.loop->server->stopping)
		thread_turn(start.loop, start.thread);
	return NULL;
}

static void watch(struct be_thread *t, int fd, const void *data)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = (void *)data};

	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		give_up("epoll_ctl");
}

static struct be_thread *thread_make(struct be_server *server, unsigned number)
{
	struct be_thread *t = calloc(1, sizeof(*t));

	if (!t)
		give_up("thread");
	t->server = server;
	t->chance = (server->seed + number) * UINT64_C(0x9e3779b97f4a7c15) | 1;
	t->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	t->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (t->epoll_fd < 0 || t->wake_fd < 0)
		give_up("thread");
	pthread_mutex_init(&t->lock, NULL);
	watch(t, t->wake_fd, NULL);
	return t;
}

struct be_loop *be_loop_start(
	struct be_server *server, const struct be_listener *listeners, unsigned count)
{
	struct be_loop *loop = calloc(1, sizeof(*loop));

	if (loop)
		loop->threads = calloc(server->threads, sizeof(struct be_thread *));
	if (!loop || !loop->threads)
		give_up("threads");
	loop->server = server;
	loop->listeners = listeners;
	loop->count = count;
	for (unsigned i = 0; i < server->threads; i++)
		loop->threads[i] = thread_make(server, i);
	for (unsigned i = 0; i < count; i++)
		watch(loop->threads[0], listeners[i].fd, &listeners[i]);
	for (unsigned i = 0; i < server->threads; i++) {
		struct start *start = malloc(sizeof(*start));

		if (!start)
			give_up("thread");
		*start = (struct start){loop, loop->threads[i]};
		errno = pthread_create(&loop->threads[i]->id, NULL, thread_run, start);
		if (errno)
			give_up("thread");
	}
	return loop;
}

void be_loop_stop(struct be_loop *loop)
{
	unsigned threads = loop->server->threads;

	loop->server->stopping = true;
	for (unsigned i = 0; i < threads; i++)
		if (eventfd_write(loop->threads[i]->wake_fd, 1))
			give_up("eventfd");
	for (unsigned i = 0; i < threads; i++)
		pthread_join(loop->threads[i]->id, NULL);
	for (unsigned i = 0; i < threads; i++) {
		struct be_thread *t = loop->threads[i];

		be_conn_close_all(t);
		http_timers_free(&t->timers);
		close(t->epoll_fd);
		close(t->wake_fd);
		pthread_mutex_destroy(&t->lock);
		free(t);
	}
	free(loop->threads);
	free(loop);
}
