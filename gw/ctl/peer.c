// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/peer.h"

#include "base/clock.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

// A message that the socket did not take yet.
struct ctl_queued {
	STAILQ_ENTRY(ctl_queued) link;
	size_t len;
	uint8_t data[];
};

// It may have held an opened message.
static void queued_free(struct ctl_queued *queued)
{
	sodium_memzero(queued->data, queued->len);
	free(queued);
}

void ctl_peers_init(struct ctl_peers *peers, struct ctl_server_stats *stats)
{
	peers->epoll = -1;
	peers->stats = stats;
	for (unsigned i = 0; i < CTL_CLIENTS_MAX; i++) {
		peers->peer[i].fd = -1;
		STAILQ_INIT(&peers->peer[i].queue);
	}
}

uint64_t ctl_peer_event(const struct ctl_peers *peers, const struct ctl_peer *peer)
{
	return (uint64_t)peer->generation << 32 | (uint32_t)(peer - peers->peer);
}

struct ctl_peer *ctl_peer_of_event(struct ctl_peers *peers, uint64_t event)
{
	struct ctl_peer *peer = &peers->peer[(uint32_t)event];

	return peer->fd >= 0 && peer->generation == event >> 32 ? peer : NULL;
}

struct ctl_peer *ctl_peer_add(struct ctl_peers *peers, int fd, enum ctl_level level)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct ctl_peer *peer = peers->peer;

	while (peer < peers->peer + CTL_CLIENTS_MAX && peer->fd >= 0)
		peer++;
	if (peer == peers->peer + CTL_CLIENTS_MAX ||
		(level != CTL_ADMIN && peers->others == CTL_CLIENTS_OTHERS))
		return NULL;
	event.data.u64 = ctl_peer_event(peers, peer);
	if (epoll_ctl(peers->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		return NULL;
	peer->fd = fd;
	peer->level = level;
	peer->events = event.events;
	peer->requests_open = 0;
	peer->streams = 0;
	peer->last_ms = clock_ms();
	peers->stats->accepted++;
	peers->stats->clients++;
	if (level != CTL_ADMIN)
		peers->others++;
	return peer;
}

// A peer whose replies wait, or that has many requests open, is not read: its socket fills up, and
// our memory stays bounded.
void ctl_peer_update_events(struct ctl_peers *peers, struct ctl_peer *peer)
{
	struct epoll_event event = {.data.u64 = ctl_peer_event(peers, peer)};

	if (!STAILQ_EMPTY(&peer->queue) || peer->streams)
		event.events = EPOLLOUT;
	else if (peer->requests_open < CTL_REQUESTS_MAX)
		event.events = EPOLLIN;
	if (event.events == peer->events)
		return;
	peer->events = event.events;
	// Cannot fail: the descriptor is in the set, and a change needs no memory.
	(void)epoll_ctl(peers->epoll, EPOLL_CTL_MOD, peer->fd, &event);
}

static void drop_queue(struct ctl_peer *peer)
{
	struct ctl_queued *queued;

	while ((queued = STAILQ_FIRST(&peer->queue))) {
		STAILQ_REMOVE_HEAD(&peer->queue, link);
		queued_free(queued);
	}
	peer->queued_bytes = 0;
}

void ctl_peer_close(struct ctl_peers *peers, struct ctl_peer *peer)
{
	close(peer->fd); // leaves the epoll set by that
	peer->fd = -1;
	peer->generation++;
	drop_queue(peer);
	peers->stats->clients--;
	peers->stats->subscribers -= peer->subscribed;
	peer->subscribed = false;
	if (peer->level != CTL_ADMIN)
		peers->others--;
	peers->lost = true;
}

int ctl_peer_send_now(int fd, const uint8_t *data, size_t len)
{
	ssize_t n;

	do
		n = send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

void ctl_peer_send(struct ctl_peers *peers, struct ctl_peer *peer, const uint8_t *data, size_t len)
{
	struct ctl_queued *queued;
	int ret = -EAGAIN;

	if (STAILQ_EMPTY(&peer->queue))
		ret = ctl_peer_send_now(peer->fd, data, len);
	if (ret == 0) {
		peer->last_ms = clock_ms();
		return;
	}
	if (ret != -EAGAIN) {
		ctl_peer_close(peers, peer);
		return;
	}
	queued = NULL;
	if (peer->queued_bytes + len <= CTL_QUEUE_MAX)
		queued = malloc(sizeof(*queued) + len);
	if (queued == NULL) {
		peers->stats->slow++;
		ctl_peer_close(peers, peer);
		return;
	}
	queued->len = len;
	memcpy(queued->data, data, len);
	STAILQ_INSERT_TAIL(&peer->queue, queued, link);
	peer->queued_bytes += len;
	ctl_peer_update_events(peers, peer);
}

void ctl_peer_flush(struct ctl_peers *peers, struct ctl_peer *peer)
{
	struct ctl_queued *queued;

	while ((queued = STAILQ_FIRST(&peer->queue))) {
		int ret = ctl_peer_send_now(peer->fd, queued->data, queued->len);

		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			ctl_peer_close(peers, peer);
			return;
		}
		STAILQ_REMOVE_HEAD(&peer->queue, link);
		peer->queued_bytes -= queued->len;
		queued_free(queued);
		peer->last_ms = clock_ms();
	}
	ctl_peer_update_events(peers, peer);
}
