// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/request.h"

#include "gw/ctl/message.h"
#include "gw/ctl/requests.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STREAM_REPLIES 64 // of one stream in one turn

struct ctl_request {
	LIST_ENTRY(ctl_request) link;
	struct ctl_requests *requests; // NULL: the server is gone
	struct ctl_peer *slot;         // of the peer; see peer_of()
	uint32_t generation;           // of the slot, when the request came
	uint64_t id;
	enum ctl_level level;
	int fd;         // that came with it, or -1
	bool too_large; // a reply did not fit
	void (*gone)(void *arg);
	void *gone_arg;
	const struct ctl_stream *stream; // NULL: none
	void *stream_arg;
	bool streaming; // stream->next() runs
};

// The peer that waits for the answer; NULL if it is gone, or its slot another's.
static struct ctl_peer *peer_of(const struct ctl_request *req)
{
	if (req->requests == NULL || req->slot->fd < 0 || req->slot->generation != req->generation)
		return NULL;
	return req->slot;
}

void ctl_requests_init(struct ctl_requests *requests, struct ctl_server *server,
	struct ctl_peers *peers, struct ctl_server_stats *stats)
{
	requests->server = server;
	requests->peers = peers;
	requests->stats = stats;
	LIST_INIT(&requests->list);
}

void ctl_requests_abandon(struct ctl_requests *requests)
{
	struct ctl_request *req;

	while ((req = LIST_FIRST(&requests->list))) {
		LIST_REMOVE(req, link);
		req->requests = NULL;
	}
}

struct ctl_request *ctl_request_create(
	struct ctl_requests *requests, struct ctl_peer *peer, uint64_t id, int fd)
{
	struct ctl_request *req = calloc(1, sizeof(*req));

	if (req == NULL)
		return NULL;
	req->requests = requests;
	req->slot = peer;
	req->generation = peer->generation;
	req->id = id;
	req->level = peer->level;
	req->fd = fd;
	LIST_INSERT_HEAD(&requests->list, req, link);
	peer->requests_open++;
	requests->stats->requests_open++;
	requests->stats->requests++;
	ctl_peer_update_events(requests->peers, peer);
	return req;
}

static void request_gone(struct ctl_request *req)
{
	void (*gone)(void *arg) = req->gone;

	req->gone = NULL;
	gone(req->gone_arg);
}

static void request_free(struct ctl_request *req)
{
	struct ctl_peer *peer = peer_of(req);

	if (req->fd >= 0)
		close(req->fd);
	if (req->requests) {
		LIST_REMOVE(req, link);
		req->requests->stats->requests_open--;
	}
	if (peer) {
		peer->requests_open--;
		ctl_peer_update_events(req->requests->peers, peer);
	}
	free(req);
}

// Ends the answer of a request that had one.
static void stream_finish(struct ctl_request *req)
{
	const struct ctl_stream *stream = req->stream;
	struct ctl_peer *peer = peer_of(req);

	req->stream = NULL;
	if (peer)
		peer->streams--;
	stream->done(req->stream_arg);
	ctl_request_end(req);
}

// The callbacks may answer requests, so each round begins at the front of the list.
void ctl_requests_end_gone(struct ctl_requests *requests)
{
	struct ctl_request *req;

	if (requests == NULL || !requests->peers->lost)
		return;
	requests->peers->lost = false;
	do {
		LIST_FOREACH (req, &requests->list, link) {
			if (peer_of(req) == NULL && (req->gone || (req->stream && !req->streaming)))
				break;
		}
		if (req && req->stream)
			stream_finish(req);
		else if (req)
			request_gone(req);
	} while (req);
}

void ctl_request_stream(struct ctl_request *req, const struct ctl_stream *stream, void *arg)
{
	struct ctl_peer *peer = peer_of(req);

	req->gone = NULL;
	req->stream = stream;
	req->stream_arg = arg;
	if (peer == NULL) {
		stream_finish(req);
		return;
	}
	peer->streams++;
	ctl_peer_update_events(req->requests->peers, peer);
}

void ctl_requests_stream(struct ctl_requests *requests, struct ctl_peer *peer)
{
	struct ctl_request *req, *oldest = NULL;
	bool more = true;

	LIST_FOREACH (req, &requests->list, link) {
		if (peer_of(req) == peer && req->stream)
			oldest = req;
	}
	if (!oldest)
		return;
	for (unsigned i = 0; i < STREAM_REPLIES && more; i++) {
		if (!STAILQ_EMPTY(&peer->queue))
			return; // goes on when that is sent
		oldest->streaming = true;
		more = oldest->stream->next(oldest->stream_arg, oldest);
		oldest->streaming = false;
		more = more && peer_of(oldest); // a reply may have found it gone
	}
	if (!more)
		stream_finish(oldest);
}

struct ctl_server *ctl_request_server(const struct ctl_request *req)
{
	return req->requests ? req->requests->server : NULL;
}

enum ctl_level ctl_request_level(const struct ctl_request *req)
{
	return req->level;
}

int ctl_request_take_fd(struct ctl_request *req)
{
	int fd = req->fd;

	req->fd = -1;
	return fd;
}

bool ctl_request_is_alive(const struct ctl_request *req)
{
	return peer_of(req) != NULL;
}

size_t ctl_request_unsent(const struct ctl_request *req)
{
	const struct ctl_peer *peer = peer_of(req);

	return peer ? peer->queued_bytes : 0;
}

uid_t ctl_request_uid(const struct ctl_request *req)
{
	const struct ctl_peer *peer = peer_of(req);
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (!peer || getsockopt(peer->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return (uid_t)-1;
	return cred.uid;
}

void ctl_request_subscribe(struct ctl_request *req)
{
	struct ctl_peer *peer = peer_of(req);

	if (peer == NULL || peer->subscribed)
		return;
	peer->subscribed = true;
	req->requests->stats->subscribers++;
}

void ctl_request_on_gone(struct ctl_request *req, void (*gone)(void *arg), void *arg)
{
	req->gone = gone;
	req->gone_arg = arg;
	if (peer_of(req) == NULL)
		request_gone(req);
}

// Sends a message. If the peer is lost, the owners of its requests are called, who may answer and
// so free any of them.
static void send_to(
	struct ctl_requests *requests, struct ctl_peer *peer, const struct ctl_writer *out)
{
	ctl_peer_send(requests->peers, peer, out->data, out->len);
	ctl_requests_end_gone(requests);
}

void ctl_request_reply(struct ctl_request *req, struct ctl_writer *body, bool last)
{
	struct ctl_peer *peer = peer_of(req);
	struct ctl_writer out;

	if (last)
		req->gone = NULL;
	if (peer && !req->too_large) {
		ctl_message_write(&out, req->id, "ok", body->data, body->len);
		if (!ctl_writer_done(body) || !ctl_writer_done(&out))
			req->too_large = true;
		else
			send_to(req->requests, peer, &out);
	}
	ctl_writer_init(body);
	if (!last)
		return;
	if (req->too_large)
		ctl_request_error(req, CTL_TOO_LARGE, "the answer does not fit a message");
	else
		request_free(req);
}

void ctl_request_end(struct ctl_request *req)
{
	struct ctl_writer body;

	ctl_writer_init(&body);
	ctl_write_map(&body);
	ctl_write_close(&body);
	ctl_request_reply(req, &body, true);
}

void ctl_request_error(struct ctl_request *req, enum ctl_error error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	ctl_request_verror(req, error, format, args);
	va_end(args);
}

void ctl_request_verror(
	struct ctl_request *req, enum ctl_error error, const char *format, va_list args)
{
	struct ctl_peer *peer = peer_of(req);
	char text[CTL_TEXT_MAX + 1];
	struct ctl_writer out;

	req->gone = NULL;
	if (peer) {
		(void)vsnprintf(text, sizeof(text), format, args); // cuts
		ctl_message_write_error(&out, req->id, error, text);
		send_to(req->requests, peer, &out);
	}
	request_free(req);
}
