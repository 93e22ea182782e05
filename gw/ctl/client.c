// SPDX-License-Identifier: BSD-3-Clause

#include "base/clock.h"
#include "gw/ctl/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t ctl_client_event(const struct ctl_server *server, const struct ctl_client *client)
{
	return (uint64_t)client->generation << 32 | (uint32_t)(client - server->clients);
}

// A client whose replies wait, or who has many requests open, is not read: it feels that its
// socket fills up, and our memory stays bounded.
void ctl_client_update_events(struct ctl_server *server, struct ctl_client *client)
{
	struct epoll_event event = {.data.u64 = ctl_client_event(server, client)};

	if (!STAILQ_EMPTY(&client->queue) || client->streams)
		event.events = EPOLLOUT;
	else if (client->requests_open < CTL_REQUESTS_MAX)
		event.events = EPOLLIN;
	if (event.events == client->events)
		return;
	client->events = event.events;
	// Cannot fail: the descriptor is in the set, and a change needs no memory.
	(void)epoll_ctl(server->epoll, EPOLL_CTL_MOD, client->fd, &event);
}

static void client_drop_queue(struct ctl_client *client)
{
	struct ctl_queued *queued;

	while ((queued = STAILQ_FIRST(&client->queue))) {
		STAILQ_REMOVE_HEAD(&client->queue, link);
		free(queued);
	}
	client->queued_bytes = 0;
}

void ctl_client_close(struct ctl_server *server, struct ctl_client *client)
{
	struct ctl_request *req;

	close(client->fd); // leaves the epoll set by that
	client->fd = -1;
	client->generation++;
	client_drop_queue(client);
	server->stats.clients--;
	server->stats.subscribers -= client->subscribed;
	client->subscribed = false;
	if (client->level != CTL_ADMIN)
		server->others--;
	LIST_FOREACH (req, &server->requests, link) {
		if (req->client == client)
			req->client = NULL;
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

void ctl_client_send(
	struct ctl_server *server, struct ctl_client *client, const uint8_t *data, size_t len)
{
	struct ctl_queued *queued;
	int ret = -EAGAIN;

	if (STAILQ_EMPTY(&client->queue))
		ret = ctl_socket_send(client->fd, data, len);
	if (ret == 0) {
		client->last_ms = clock_ms();
		return;
	}
	if (ret != -EAGAIN) {
		ctl_client_close(server, client);
		return;
	}
	queued = NULL;
	if (client->queued_bytes + len <= CTL_QUEUE_MAX)
		queued = malloc(sizeof(*queued) + len);
	if (queued == NULL) {
		server->stats.slow++;
		ctl_client_close(server, client);
		return;
	}
	queued->len = len;
	memcpy(queued->data, data, len);
	STAILQ_INSERT_TAIL(&client->queue, queued, link);
	client->queued_bytes += len;
	ctl_client_update_events(server, client);
}

void ctl_client_flush(struct ctl_server *server, struct ctl_client *client)
{
	struct ctl_queued *queued;

	while ((queued = STAILQ_FIRST(&client->queue))) {
		int ret = ctl_socket_send(client->fd, queued->data, queued->len);

		if (ret == -EAGAIN)
			return;
		if (ret < 0) {
			ctl_client_close(server, client);
			return;
		}
		STAILQ_REMOVE_HEAD(&client->queue, link);
		client->queued_bytes -= queued->len;
		free(queued);
		client->last_ms = clock_ms();
	}
	ctl_client_update_events(server, client);
}
