// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/server.h"

#include "base/clock.h"
#include "gw/ctl/dispatch.h"
#include "gw/ctl/message.h"
#include "gw/ctl/peer.h"
#include "gw/ctl/requests.h"
#include "gw/ctl/socket.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define TICK_MS          1000 // of the timer for idle clients, at most
#define ACCEPTS_PER_POLL 16
#define READS_PER_POLL   8                     // messages of one client
#define STACK_USED       (3 * CTL_MESSAGE_MAX) // bytes, by handling a message and its reply
#define FDS_MAX          4                     // seen in one message; the kernel closes more

// What the inner epoll says of itself; of clients it says ctl_peer_event().
#define EVENT_LISTENER (UINT64_MAX - 1)
#define EVENT_TIMER    UINT64_MAX

struct ctl_server {
	struct ctl_server_conf conf;
	char *path;
	struct ctl_socket socket;
	int timer;
	bool listening; // the listener is in the epoll set
	struct ctl_server_stats stats;
	struct ctl_peers peers;
	struct ctl_requests requests;
	struct ctl_verb_table verbs;
	uint8_t message[CTL_MESSAGE_MAX]; // received last
};

// Closes a connection, and calls the owners of its requests.
static void peer_end(struct ctl_server *server, struct ctl_peer *peer)
{
	ctl_peer_close(&server->peers, peer);
	ctl_requests_end_gone(&server->requests);
}

static void listener_watch(struct ctl_server *server, bool on)
{
	struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.u64 = EVENT_LISTENER};

	server->listening = on;
	(void)epoll_ctl(server->peers.epoll, EPOLL_CTL_MOD, server->socket.fd, &event);
}

static unsigned tick_ms(const struct ctl_server *server)
{
	unsigned quarter = server->conf.idle_timeout_ms / 4;

	return quarter == 0 ? 1 : quarter < TICK_MS ? quarter : TICK_MS;
}

// The timer runs while a client is connected.
static void timer_start(struct ctl_server *server)
{
	unsigned ms = tick_ms(server);
	struct timespec tick = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};
	struct itimerspec spec = {.it_value = tick, .it_interval = tick};

	(void)timerfd_settime(server->timer, 0, &spec, NULL);
}

static void timer_handle(struct ctl_server *server)
{
	const struct itimerspec stop = {0};
	uint64_t now = clock_ms(), ticks;

	if (read(server->timer, &ticks, sizeof(ticks)) < 0)
		return;
	if (!server->listening)
		listener_watch(server, true);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		struct ctl_peer *peer = &server->peers.peer[i];

		if (peer->fd < 0 || now - peer->last_ms < server->conf.idle_timeout_ms)
			continue;
		bool slow = !STAILQ_EMPTY(&peer->queue) || peer->streams;

		if (!slow && (peer->requests_open || peer->subscribed))
			continue;
		if (slow)
			server->stats.slow++;
		else
			server->stats.idle++;
		peer_end(server, peer);
	}
	if (server->stats.clients == 0)
		(void)timerfd_settime(server->timer, 0, &stop, NULL);
}

static bool peer_is_member(int fd, gid_t first, gid_t group)
{
	socklen_t len = 0;
	bool member = first == group;

	// Asks for the size first: a user may be in 65 536 groups.
	if (member || getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &len) == 0 || errno != ERANGE)
		return member;
	gid_t *groups = malloc(len);
	if (groups != NULL && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		for (size_t i = 0; i < len / sizeof(*groups); i++)
			member |= groups[i] == group;
	free(groups);
	return member;
}

static enum ctl_level peer_level(const struct ctl_server *server, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return CTL_VIEW;
	if (cred.uid == 0 || cred.uid == server->conf.owner)
		return CTL_ADMIN;
	if (server->conf.gid != (gid_t)-1 && server->conf.others < CTL_OPERATE &&
		peer_is_member(fd, cred.gid, server->conf.gid))
		return CTL_OPERATE;
	return server->conf.others;
}

static void peer_refuse(struct ctl_server *server, int fd)
{
	struct ctl_writer out;

	server->stats.refused++;
	ctl_message_write_error(&out, 0, CTL_BUSY, "all connections to the socket are taken");
	if (ctl_peer_send_now(fd, out.data, out.len) < 0) {
		// It sees the end of the connection at least.
	}
	close(fd);
}

static void peer_accept(struct ctl_server *server, int fd)
{
	if (ctl_peer_add(&server->peers, fd, peer_level(server, fd)) == NULL)
		peer_refuse(server, fd);
	else if (server->stats.clients == 1)
		timer_start(server);
}

static void listener_handle(struct ctl_server *server)
{
	for (unsigned i = 0; i < ACCEPTS_PER_POLL; i++) {
		int fd = accept4(server->socket.fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0) {
			peer_accept(server, fd);
			continue;
		}
		if (errno == EINTR || errno == ECONNABORTED)
			continue;
		// Out of descriptors or memory: the waiting connection would wake us for ever,
		// so look away until the timer's next tick.
		if (errno != EAGAIN) {
			listener_watch(server, false);
			timer_start(server);
		}
		return;
	}
}

// Receives one message. Returns its length, 0 at the end of the connection, or -errno. *truncated
// says that data or descriptors were lost.
static ssize_t message_receive(
	struct ctl_server *server, int peer_fd, int *fds, unsigned *fd_count, bool *truncated)
{
	union {
		struct cmsghdr align;
		char buf[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = server->message, .iov_len = sizeof(server->message)};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buf,
		.msg_controllen = sizeof(control.buf),
	};
	ssize_t n;

	do
		n = recvmsg(peer_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		*fd_count = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(fds, CMSG_DATA(cmsg), *fd_count * sizeof(int));
	}
	*truncated = msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC);
	return n;
}

static void fds_close(const int *fds, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
}

// Reads one message. Returns whether there may be another.
static bool peer_read(struct ctl_server *server, struct ctl_peer *peer)
{
	uint32_t generation = peer->generation;
	int fds[FDS_MAX];
	unsigned fd_count = 0;
	bool truncated = false;
	ssize_t n = message_receive(server, peer->fd, fds, &fd_count, &truncated);

	if (n == -EAGAIN)
		return false;
	peer->last_ms = clock_ms();
	if (n <= 0)
		peer_end(server, peer);
	else if (truncated)
		ctl_reject(&server->requests, peer, 0, CTL_BAD_REQUEST,
			"a message has at most %u bytes and %u file descriptors", CTL_MESSAGE_MAX,
			FDS_MAX);
	else
		ctl_dispatch(
			&server->verbs, &server->requests, peer, server->message, n, fds, fd_count);
	fds_close(fds, fd_count);
	if (n > 0) {
		// It may have held a device's secret, of which registers that were saved on the
		// stack have copies.
		sodium_memzero(server->message, n);
		sodium_stackzero(STACK_USED);
	}
	return peer->generation == generation && (peer->events & EPOLLIN);
}

static void peer_handle(struct ctl_server *server, struct ctl_peer *peer, uint32_t events)
{
	uint32_t generation = peer->generation;

	if (events & EPOLLOUT) {
		ctl_peer_flush(&server->peers, peer);
		ctl_requests_end_gone(&server->requests);
		if (peer->generation == generation && STAILQ_EMPTY(&peer->queue))
			ctl_requests_stream(&server->requests, peer);
	} else if (events & EPOLLIN)
		for (unsigned i = 0; i < READS_PER_POLL && peer_read(server, peer); i++)
			;
	else if (events & (EPOLLHUP | EPOLLERR))
		peer_end(server, peer); // with replies or requests open
}

void ctl_server_poll(struct ctl_server *server)
{
	struct epoll_event events[CTL_CLIENTS_MAX + 2];
	int n = epoll_wait(server->peers.epoll, events, CTL_CLIENTS_MAX + 2, 0);

	for (int i = 0; i < n; i++) {
		uint64_t from = events[i].data.u64;
		struct ctl_peer *peer;

		if (from == EVENT_LISTENER)
			listener_handle(server);
		else if (from == EVENT_TIMER)
			timer_handle(server);
		else if ((peer = ctl_peer_of_event(&server->peers, from)))
			peer_handle(server, peer, events[i].events);
	}
}

int ctl_server_look(struct ctl_server *server)
{
	struct epoll_event listener = {
		.events = server->listening ? EPOLLIN : 0, .data.u64 = EVENT_LISTENER};
	struct ctl_socket again = {.fd = -1};

	if (ctl_socket_is_there(&server->socket, server->path))
		return 0;
	int ret = ctl_socket_listen_now(&again, server->path, server->conf.mode, server->conf.gid);

	if (ret < 0)
		return ret;
	if (epoll_ctl(server->peers.epoll, EPOLL_CTL_ADD, again.fd, &listener) < 0) {
		ret = -errno;
		ctl_socket_close(&again, server->path);
		return ret;
	}
	close(server->socket.fd);
	server->socket = again;
	return 1;
}

// Start and end

static int epoll_create_with(struct ctl_server *server)
{
	struct epoll_event listener = {.events = EPOLLIN, .data.u64 = EVENT_LISTENER};
	struct epoll_event timer = {.events = EPOLLIN, .data.u64 = EVENT_TIMER};

	server->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (server->timer < 0)
		return -errno;
	server->peers.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (server->peers.epoll < 0)
		return -errno;
	if (epoll_ctl(server->peers.epoll, EPOLL_CTL_ADD, server->socket.fd, &listener) < 0 ||
		epoll_ctl(server->peers.epoll, EPOLL_CTL_ADD, server->timer, &timer) < 0)
		return -errno;
	server->listening = true;
	return 0;
}

struct ctl_server *ctl_server_create(const struct ctl_server_conf *conf)
{
	struct ctl_server *server = calloc(1, sizeof(*server));
	int ret = -ENOMEM;

	if (server == NULL)
		goto err;
	server->conf = *conf;
	if (conf->idle_timeout_ms == 0)
		server->conf.idle_timeout_ms = CTL_IDLE_TIMEOUT_MS;
	server->socket.fd = server->timer = -1;
	ctl_peers_init(&server->peers, &server->stats);
	ctl_requests_init(&server->requests, server, &server->peers, &server->stats);
	server->verbs = (struct ctl_verb_table){conf->verbs, conf->verb_count, conf->arg};
	server->path = strdup(conf->path);
	if (server->path == NULL)
		goto err;
	ret = ctl_socket_listen(&server->socket, conf->path, conf->mode, conf->gid);
	if (ret < 0)
		goto err;
	ret = epoll_create_with(server);
	if (ret < 0)
		goto err;
	return server;
err:
	ctl_server_free(server);
	errno = -ret;
	return NULL;
}

void ctl_server_free(struct ctl_server *server)
{
	if (server == NULL)
		return;
	if (server->socket.fd >= 0)
		ctl_socket_close(&server->socket, server->path);
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		struct ctl_peer *peer = &server->peers.peer[i];

		if (peer->fd >= 0)
			ctl_peer_flush(&server->peers, peer);
		if (peer->fd >= 0)
			ctl_peer_close(&server->peers, peer);
		ctl_requests_end_gone(&server->requests);
	}
	ctl_requests_abandon(&server->requests);
	if (server->timer >= 0)
		close(server->timer);
	if (server->peers.epoll >= 0)
		close(server->peers.epoll);
	free(server->path);
	free(server);
}

void ctl_server_event(struct ctl_server *server, const char *name, struct ctl_writer *body)
{
	struct ctl_writer out;

	ctl_message_write(&out, 0, name, body->data, body->len);
	for (unsigned i = 0; ctl_writer_done(&out) && i < CTL_CLIENTS_MAX; i++) {
		struct ctl_peer *peer = &server->peers.peer[i];

		if (peer->fd >= 0 && peer->subscribed)
			ctl_peer_send(&server->peers, peer, out.data, out.len);
	}
	ctl_requests_end_gone(&server->requests);
	ctl_writer_init(body);
}

unsigned ctl_server_subscribers(const struct ctl_server *server)
{
	return server->stats.subscribers;
}

int ctl_server_fd(const struct ctl_server *server)
{
	return server->peers.epoll;
}

void ctl_server_get_stats(const struct ctl_server *server, struct ctl_server_stats *stats)
{
	*stats = server->stats;
}
