// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h2_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WINDOW      (1024 * 1024) // bytes that a server may send ahead on all streams together
#define LAST_ID     (INT32_MAX - 2)
#define PATH_ROOM   (HTTP_TARGET_MAX + 2048) // base, path and query
#define LENGTH_ROOM 24                       // a number
#define FIELDS_OWN  6 // beside the request's: pseudo headers, user-agent, content-length

static const char user_agent[] = "postern/" POSTERN_VERSION;

// ---- what the server sends

static void stream_end(struct h2_stream *stream, struct h2_session *session, enum http_error error)
{
	nghttp2_session_set_stream_user_data(session->ng, stream->id, NULL);
	session->ended(stream, error);
}

// Ends a stream before the server does.
static void stream_give_up(
	struct h2_stream *stream, struct h2_session *session, enum http_error error)
{
	// Out of memory: nghttp2 will say so again, and it ends the connection.
	nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	stream_end(stream, session, error);
}

static enum http_error status_take(struct http_reply *reply, const char *value, size_t len)
{
	int status = 0;

	// nghttp2 lets three digits through, and takes 013 for a final one.
	if (len != 3 || value[0] == '0')
		return HTTP_ERR_bad_reply;
	for (unsigned i = 0; i < 3; i++)
		status = status * 10 + (value[i] - '0');
	http_reply_status(reply, status);
	return HTTP_ERR_none;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name_bytes,
	size_t name_len, const uint8_t *value_bytes, size_t value_len, uint8_t flags, void *arg)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	const char *name = (const char *)name_bytes, *value = (const char *)value_bytes;
	enum http_error error = HTTP_ERR_none;

	if (!stream)
		return 0;
	struct http_reply *reply = &stream->transfer->reply;
	if (stream->head_done) {
		error = http_trailer_take(stream->transfer, name_len + value_len);
	} else {
		error = http_reply_field(reply, name, name_len, value, value_len);
		if (!error && name_len == 7 && !memcmp(name, ":status", 7))
			error = status_take(reply, value, value_len);
	}
	if (error)
		stream_give_up(stream, arg, error);
	return 0;
}

// A header that cannot be one: of an HTTP/1.1 connection, or with control characters.
static int on_invalid_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
	size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags, void *arg)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);

	if (stream)
		stream_give_up(stream, arg, HTTP_ERR_bad_reply);
	return 0;
}

static int on_body(
	nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *data, size_t len, void *arg)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);

	if (!stream)
		return 0;
	enum http_error error = http_body_take(&stream->body, stream->transfer, data, len);
	if (error)
		stream_give_up(stream, arg, error);
	return 0;
}

// The head of the final answer is there.
static void head_take(struct h2_session *session, struct h2_stream *stream)
{
	enum http_error error = http_head_take(stream->transfer);

	stream->head_done = true;
	if (error)
		stream_give_up(stream, session, error);
}

// Of HEADERS, this is called with all of them there.
static int on_frame(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *session = arg;
	struct h2_stream *stream;

	if (frame->hd.type == NGHTTP2_SETTINGS && !(frame->hd.flags & NGHTTP2_FLAG_ACK))
		session->ready = true;
	if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA &&
		frame->hd.type != NGHTTP2_RST_STREAM)
		return 0;
	stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
	if (!stream)
		return 0;
	if (frame->hd.type == NGHTTP2_RST_STREAM) {
		stream->reset = true;
		return 0;
	}
	if (frame->hd.type == NGHTTP2_HEADERS && stream->transfer->reply.status >= 200 &&
		!stream->head_done) {
		head_take(session, stream);
		if (!nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id))
			return 0;
	}
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	// The answer may come before the whole request was sent: the rest is not sent then.
	if (!nghttp2_session_get_stream_local_close(ng, stream->id))
		stream_give_up(stream, session, HTTP_ERR_none);
	else
		stream_end(stream, session, HTTP_ERR_none);
	return 0;
}

static int on_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);
	struct h2_session *session = arg;

	session->streams--;
	if (!stream)
		return 0;
	// Not acted on: said so for this stream, or by a GOAWAY (RFC 9113 section 8.7). Who began
	// to answer says something else.
	if (code == NGHTTP2_REFUSED_STREAM && !stream->transfer->reply.status) {
		stream->transfer->sent = false;
		session->ended(stream, HTTP_ERR_reset);
		return 0;
	}
	session->ended(stream,
		stream->reset && code != NGHTTP2_HTTP_1_1_REQUIRED ? HTTP_ERR_reset
								   : HTTP_ERR_bad_reply);
	return 0;
}

// nghttp2 says GOAWAY with an error when it finds one of the server's.
static int on_sent(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2_session *session = arg;

	if (frame->hd.type == NGHTTP2_GOAWAY && frame->goaway.error_code != NGHTTP2_NO_ERROR)
		session->error = HTTP_ERR_bad_reply;
	return 0;
}

enum http_error h2_session_read(struct h2_session *session, const uint8_t *data, size_t len)
{
	ssize_t n = nghttp2_session_mem_recv(session->ng, data, len);

	if (n == NGHTTP2_ERR_NOMEM)
		return HTTP_ERR_no_memory;
	return n < 0 ? HTTP_ERR_bad_reply : HTTP_ERR_none;
}

// ---- what we send

static ssize_t body_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_stream *stream = nghttp2_session_get_stream_user_data(ng, id);

	if (!stream) // cancelled, with RST_STREAM on its way
		return NGHTTP2_ERR_DEFERRED;
	const struct http_request *req = &stream->transfer->request;
	size_t left = req->body_len - stream->body_sent, n = left < room ? left : room;
	memcpy(buf, req->body + stream->body_sent, n);
	stream->body_sent += n;
	if (n == left)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_nv field_of(const char *name, size_t name_len, const char *value, size_t value_len)
{
	return (nghttp2_nv){
		.name = (uint8_t *)(uintptr_t)name,
		.namelen = name_len,
		.value = (uint8_t *)(uintptr_t)value,
		.valuelen = value_len,
	};
}

#define FIELD(name, value) field_of(name, sizeof(name) - 1, value, strlen(value))

// Whether a field differs from request to request: no entry of HPACK's table is worth having.
static bool field_varies(const struct http_header *h)
{
	static const struct {
		const char *name;
		size_t len;
	} same[] = {{"Accept", 6}, {"Accept-Encoding", 15}, {"Content-Type", 12},
		{"Content-Encoding", 16}};

	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (h->name_len == same[i].len && !memcmp(h->line, same[i].name, same[i].len))
			return false;
	return true;
}

enum http_error h2_session_submit(struct h2_session *session, struct h2_stream *stream)
{
	struct http_transfer *t = stream->transfer;
	const struct http_request *req = &t->request;
	nghttp2_data_provider body = {.read_callback = body_read};
	nghttp2_nv fields[HTTP_HEADERS_MAX + FIELDS_OWN];
	char room[PATH_ROOM + LENGTH_ROOM], *at = room;
	struct http_text text;
	size_t n = 0;

	http_text_init(&text, room, sizeof(room));
	http_text_str(&text, t->server->base);
	http_text_str(&text, *req->path || *t->server->base ? req->path : "/");
	http_text_str(&text, req->query);
	const char *path = http_text_end(&text, &at);
	http_text_decimal(&text, req->body_len);
	const char *length = at;
	http_text_end(&text, &at);
	if (text.failed)
		return HTTP_ERR_no_memory; // not reached: the parts are bounded
	fields[n++] = FIELD(":method", req->method);
	fields[n++] = FIELD(":scheme", t->server->scheme == CONF_HTTPS ? "https" : "http");
	fields[n++] = FIELD(":authority", t->host);
	fields[n++] = FIELD(":path", path);
	fields[n++] = FIELD("user-agent", user_agent);
	for (unsigned i = 0; i < req->header_count; i++) {
		const struct http_header *h = &req->header[i];
		size_t skip = h->name_len + 2u; // ": "

		fields[n] = field_of(h->line, h->name_len, h->line + skip, h->len - skip);
		// Once each, so that later ones can name their names by number.
		if (session->taught && field_varies(h))
			fields[n].flags = NGHTTP2_NV_FLAG_NO_INDEX;
		n++;
	}
	session->taught = true;
	if (req->has_body)
		fields[n++] = FIELD("content-length", length);
	http_reply_init(&t->reply);
	stream->body_sent = 0;
	stream->body.received = 0;
	stream->head_done = false;
	stream->reset = false;
	int32_t id = nghttp2_submit_request(session->ng, NULL, fields, n,
		req->has_body && req->body_len ? &body : NULL, stream);
	if (id < 0)
		return HTTP_ERR_no_memory;
	stream->id = id;
	session->streams++;
	t->sent = true;
	return HTTP_ERR_none;
}

void h2_session_cancel(struct h2_session *session, struct h2_stream *stream)
{
	nghttp2_submit_rst_stream(session->ng, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
	nghttp2_session_set_stream_user_data(session->ng, stream->id, NULL);
}

void h2_session_ping(struct h2_session *session)
{
	nghttp2_submit_ping(session->ng, NGHTTP2_FLAG_NONE, NULL);
}

void h2_session_leave(struct h2_session *session)
{
	nghttp2_session_terminate_session(session->ng, NGHTTP2_NO_ERROR);
}

ssize_t h2_session_write(struct h2_session *session, uint8_t *buf, size_t room)
{
	size_t used = 0;

	while (used < room) {
		if (!session->pending_len) {
			ssize_t n = nghttp2_session_mem_send(session->ng, &session->pending);

			if (n < 0)
				return n;
			if (!n)
				break;
			session->pending_len = (size_t)n;
		}
		size_t n = room - used < session->pending_len ? room - used : session->pending_len;
		memcpy(buf + used, session->pending, n);
		session->pending += n;
		session->pending_len -= n;
		used += n;
	}
	return (ssize_t)used;
}

// ---- the session

uint32_t h2_session_limit(const struct h2_session *session)
{
	uint32_t limit = nghttp2_session_get_remote_settings(
		session->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);

	return limit < H2_STREAMS_MAX ? limit : H2_STREAMS_MAX;
}

bool h2_session_is_leaving(const struct h2_session *session)
{
	return !nghttp2_session_check_request_allowed(session->ng) ||
		nghttp2_session_get_next_stream_id(session->ng) > LAST_ID;
}

bool h2_session_has_room(const struct h2_session *session)
{
	return session->ready && session->streams < h2_session_limit(session) &&
		!h2_session_is_leaving(session);
}

bool h2_session_is_over(const struct h2_session *session)
{
	return !session->pending_len && !nghttp2_session_want_read(session->ng) &&
		!nghttp2_session_want_write(session->ng);
}

static int session_start(struct h2_session *session, int32_t first_stream)
{
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, HTTP_REPLY_HEAD},
	};

	if (nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, settings,
		    sizeof(settings) / sizeof(settings[0])) ||
		nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0, WINDOW) ||
		(first_stream && nghttp2_session_set_next_stream_id(session->ng, first_stream)))
		return -ENOMEM;
	return 0;
}

int h2_session_create(struct h2_session *session, int32_t first_stream)
{
	nghttp2_session_callbacks *calls;

	if (nghttp2_session_callbacks_new(&calls))
		return -ENOMEM;
	nghttp2_session_callbacks_set_on_header_callback(calls, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback(calls, on_invalid_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(calls, on_body);
	nghttp2_session_callbacks_set_on_frame_recv_callback(calls, on_frame);
	nghttp2_session_callbacks_set_on_frame_send_callback(calls, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(calls, on_close);
	int rc = nghttp2_session_client_new(&session->ng, calls, session);
	nghttp2_session_callbacks_del(calls);
	if (rc)
		return -ENOMEM;
	rc = session_start(session, first_stream);
	if (rc)
		h2_session_free(session);
	return rc;
}

void h2_session_free(struct h2_session *session)
{
	nghttp2_session_del(session->ng);
	session->ng = NULL;
}
