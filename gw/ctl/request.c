// SPDX-License-Identifier: BSD-3-Clause

#include "gw/ctl/internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STREAM_REPLIES 64 // of one stream in one turn

const char *ctl_level_name(enum ctl_level level)
{
	static const char *const names[] = {"view", "operate", "admin"};

	return names[level];
}

const char *ctl_error_code(enum ctl_error error)
{
#define CTL_ERROR_CODE(constant, code) [constant] = code,
	static const char *const codes[] = {CTL_ERRORS(CTL_ERROR_CODE)};
#undef CTL_ERROR_CODE

	return codes[error];
}

void ctl_envelope_write(struct ctl_writer *out, uint64_t id, const char *status,
	const uint8_t *body, size_t body_len)
{
	ctl_writer_init(out);
	ctl_write_array(out);
	ctl_write_uint(out, id);
	ctl_write_text(out, status);
	ctl_write_raw(out, body, body_len);
	ctl_write_close(out);
}

void ctl_error_write(struct ctl_writer *out, uint64_t id, enum ctl_error error, const char *message)
{
	ctl_writer_init(out);
	ctl_write_array(out);
	ctl_write_uint(out, id);
	ctl_write_text(out, ctl_error_code(error));
	ctl_write_map(out);
	ctl_put_text(out, "message", message);
	ctl_write_close(out);
	ctl_write_close(out);
}

void ctl_peer_reject(struct ctl_server *server, struct ctl_peer *peer, uint64_t id,
	enum ctl_error error, const char *format, ...)
{
	char message[CTL_TEXT_MAX + 1];
	struct ctl_writer out;
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	server->stats.rejected++;
	ctl_error_write(&out, id, error, message);
	ctl_peer_send(server, peer, out.data, out.len);
}

static const struct ctl_verb *verb_find(
	const struct ctl_server *server, const struct ctl_cbor *name)
{
	for (size_t i = 0; i < server->conf.verb_count; i++) {
		if (ctl_cbor_is_text(name, server->conf.verbs[i].name))
			return &server->conf.verbs[i];
	}
	return NULL;
}

static void request_start(struct ctl_server *server, struct ctl_peer *peer, uint64_t id,
	const struct ctl_verb *verb, const struct ctl_cbor *args, int *fd)
{
	struct ctl_request *req = calloc(1, sizeof(*req));

	if (req == NULL) {
		ctl_peer_reject(server, peer, id, CTL_BUSY, "out of memory");
		return;
	}
	req->server = server;
	req->peer = peer;
	req->id = id;
	req->level = peer->level;
	req->fd = *fd;
	*fd = -1;
	LIST_INSERT_HEAD(&server->requests, req, link);
	peer->requests_open++;
	server->stats.requests_open++;
	server->stats.requests++;
	ctl_peer_update_events(server, peer);
	verb->handler(server->conf.arg, req, args);
}

void ctl_message_handle(
	struct ctl_server *server, struct ctl_peer *peer, size_t len, int *fds, unsigned fd_count)
{
	enum ctl_cbor_verdict verdict = ctl_cbor_walk(server->message, len);
	struct ctl_cbor root, id, name, args;
	const struct ctl_verb *verb;
	struct ctl_cbor_iter iter;
	int no_fd = -1;

	if (verdict != CTL_CBOR_OK) {
		ctl_peer_reject(
			server, peer, 0, CTL_BAD_REQUEST, "%s", ctl_cbor_verdict_text(verdict));
		return;
	}
	root = ctl_cbor_root(server->message, len);
	iter = ctl_cbor_iter(&root);
	if (root.type != CTL_CBOR_ARRAY || root.value != 3 || !ctl_cbor_next(&iter, &id) ||
		id.type != CTL_CBOR_UINT || id.value == 0 || !ctl_cbor_next(&iter, &name) ||
		name.type != CTL_CBOR_TEXT || !ctl_cbor_next(&iter, &args) ||
		args.type != CTL_CBOR_MAP) {
		ctl_peer_reject(server, peer, 0, CTL_BAD_REQUEST,
			"a request is [id, verb, {arguments}] with an id above 0");
		return;
	}
	verb = verb_find(server, &name);
	if (verb == NULL)
		ctl_peer_reject(server, peer, id.value, CTL_UNKNOWN_VERB, "no such verb");
	else if (peer->level < verb->level)
		ctl_peer_reject(server, peer, id.value, CTL_DENIED,
			"%s needs level %s, you have %s", verb->name, ctl_level_name(verb->level),
			ctl_level_name(peer->level));
	else if (fd_count != verb->takes_fd)
		ctl_peer_reject(server, peer, id.value, CTL_BAD_REQUEST,
			"%s takes %s file descriptor", verb->name, verb->takes_fd ? "one" : "no");
	else
		request_start(server, peer, id.value, verb, &args, verb->takes_fd ? fds : &no_fd);
}

static void request_tell_gone(struct ctl_request *req)
{
	void (*gone)(void *arg) = req->gone;

	req->gone = NULL;
	gone(req->gone_arg);
}

static void request_free(struct ctl_request *req)
{
	struct ctl_peer *peer = req->peer;

	if (req->fd >= 0)
		close(req->fd);
	if (req->server) {
		LIST_REMOVE(req, link);
		req->server->stats.requests_open--;
		if (peer) {
			peer->requests_open--;
			ctl_peer_update_events(req->server, peer);
		}
	}
	free(req);
}

// Ends the answer of a request that had one.
static void stream_finish(struct ctl_request *req)
{
	const struct ctl_stream *stream = req->stream;

	req->stream = NULL;
	if (req->peer)
		req->peer->streams--;
	stream->done(req->stream_arg);
	ctl_request_end(req);
}

// The callbacks may answer requests, so each round begins at the front of the list.
void ctl_orphans_tell(struct ctl_server *server)
{
	struct ctl_request *req;

	do {
		LIST_FOREACH (req, &server->requests, link) {
			if (req->peer == NULL && (req->gone || (req->stream && !req->streaming)))
				break;
		}
		if (req && req->stream)
			stream_finish(req);
		else if (req)
			request_tell_gone(req);
	} while (req);
}

void ctl_request_stream(struct ctl_request *req, const struct ctl_stream *stream, void *arg)
{
	req->gone = NULL;
	req->stream = stream;
	req->stream_arg = arg;
	if (req->peer == NULL) {
		stream_finish(req);
		return;
	}
	req->peer->streams++;
	ctl_peer_update_events(req->server, req->peer);
}

void ctl_streams_turn(struct ctl_server *server, struct ctl_peer *peer)
{
	struct ctl_request *req, *oldest = NULL;
	bool more = true;

	LIST_FOREACH (req, &server->requests, link) {
		if (req->peer == peer && req->stream)
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
		more = more && oldest->peer; // which a reply may have found gone
	}
	if (!more)
		stream_finish(oldest);
}

struct ctl_server *ctl_request_server(const struct ctl_request *req)
{
	return req->server;
}

const struct ctl_verb *ctl_request_verbs(const struct ctl_request *req, size_t *count)
{
	*count = req->server ? req->server->conf.verb_count : 0;
	return req->server ? req->server->conf.verbs : NULL;
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
	return req->peer != NULL;
}

void ctl_request_subscribe(struct ctl_request *req)
{
	if (req->peer == NULL || req->peer->subscribed)
		return;
	req->peer->subscribed = true;
	req->server->stats.subscribers++;
}

void ctl_request_on_gone(struct ctl_request *req, void (*gone)(void *arg), void *arg)
{
	req->gone = gone;
	req->gone_arg = arg;
	if (req->peer == NULL)
		request_tell_gone(req);
}

void ctl_request_reply(struct ctl_request *req, struct ctl_writer *body, bool last)
{
	struct ctl_writer out;

	if (last)
		req->gone = NULL;
	if (req->peer && !req->too_large) {
		ctl_envelope_write(&out, req->id, "ok", body->data, body->len);
		if (!ctl_writer_done(body) || !ctl_writer_done(&out))
			req->too_large = true;
		else
			ctl_peer_send(req->server, req->peer, out.data, out.len);
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
	char message[CTL_TEXT_MAX + 1];
	struct ctl_writer out;

	req->gone = NULL;
	if (req->peer) {
		(void)vsnprintf(message, sizeof(message), format, args); // cuts
		ctl_error_write(&out, req->id, error, message);
		ctl_peer_send(req->server, req->peer, out.data, out.len);
	}
	request_free(req);
}
