// SPDX-License-Identifier: BSD-3-Clause

#include "base/clock.h"
#include "gw/ctl/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t ctl_peer_event(const struct ctl_server *server, const struct ctl_peer *peer)
{
	return (uint64_t)peer->generation << 32 | (uint32_t)(peer - server->peers);
}

// A client whose replies wait, or who has many requests open, is not read: it feels that its
// socket fills up, and our memory stays bounded.
void ctl_peer_update_events(struct ctl_server *server, struct ctl_peer *peer)
{
	struct epoll_event event = {.data.u64 = ctl_peer_event(server, peer)};

	if (!STAILQ_EMPTY(&peer->queue) || peer->streams)
		event.events = EPOLLOUT;
	else if (peer->requests_open < CTL_REQUESTS_MAX)
		event.events = EPOLLIN;
	if (event.events == peer->events)
		return;
	peer->events = event.events;
	// Cannot fail: the descriptor is in the set, and a change needs no memory.
	(void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static void drop_queue(struct ctl_peer *peer)
{
	struct ctl_queued *queued;

	while ((queued = STAILQ_FIRST(&peer->queue))) {
		STAILQ_REMOVE_HEAD(&peer->queue, link);
		free(queued);
	}
	peer->queued_bytes = 0;
}

void ctl_peer_close(struct ctl_server *server, struct ctl_peer *peer)
{
	struct ctl_request *req;

	close(peer->fd); // leaves the epoll set by that
	peer->fd = -1;
	peer->generation++;
	drop_queue(peer);
	server->stats.clients--;
	server->stats.subscribers -= peer->subscribed;
	peer->subscribed = false;
	if (peer->level != CTL_ADMIN)
		server->others--;
	LIST_FOREACH (req, &server->requests, link) {
		if (req->peer == peer)
			req->peer = NULL;
	}
	ctl_orphans_tell(server);
}

int ctl_socket_send(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	do
		n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

void ctl_peer_send(
	struct ctl_server *server, struct ctl_peer *peer, const uint8_t *data, size_t len)
{
	struct ctl_queued *queued;
	int ret = -EAGAIN;

	if (STAILQ_EMPTY(&peer->queue))
		ret = ctl_socket_send(peer->fd, data, len);
	if (ret == 0) {
		peer->last_ms = clock_ms();
		return;
	}
	if (ret != -EAGAIN) {
		ctl_peer_close(server, peer);
		return;
	}
	queued = NULL;
	if (peer->queued_bytes + len <= CTL_QUEUE_MAX)
		queued = malloc(sizeof(*queued) + len);
	if (queued == NULL) {
		server->stats.slow++;
		ctl_peer_close(server, peer);
		return;
	}
	queued->len = len;
	memcpy(queued->data, data, len);
	STAILQ_INSERT_TAIL(&peer->queue, queued, link);
	peer->queued_bytes += len;
	ctl_peer_update_events(server, peer);
}

void ctl_peer_flush(struct ctl_server *server, struct ctl_peer *peer)
{
	struct ctl_queued *queued;

	while ((queued = STAILQ_FIRST(&peer->queue))) {
		int ret = ctl_socket_send(peer->fd, queued->data, queued->len);

		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			ctl_peer_close(server, peer);
			return;
		}
		STAILQ_REMOVE_HEAD(&peer->queue, link);
		peer->queued_bytes -= queued->len;
		free(queued);
		peer->last_ms = clock_ms();
	}
	ctl_peer_update_events(server, peer);
}
