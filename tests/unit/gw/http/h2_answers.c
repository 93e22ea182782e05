// SPDX-License-Identifier: BSD-3-Clause
// What the HTTP/2 server of the tests answers, by the path that is asked for.

#include "tests/unit/gw/http/h2_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char big[100000], padding[20001];

void h2_answers_init(void)
{
	memset(big, 'x', sizeof(big));
	memset(padding, 'x', sizeof(padding) - 1);
}

static nghttp2_nv nv(const char *name, const char *value)
{
	return (nghttp2_nv){(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name),
		strlen(value), NGHTTP2_NV_FLAG_NONE};
}

static ssize_t body_read(nghttp2_session *ng, int32_t id, uint8_t *buf, size_t room,
	uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct h2_request *s = source->ptr;

	if (s->endless) {
		memset(buf, 'x', room);
		return (ssize_t)room;
	}
	size_t n = s->body_len < room ? s->body_len : room;
	memcpy(buf, s->body, n);
	s->body += n;
	s->body_len -= n;
	if (s->body_len)
		return (ssize_t)n;
	if (s->cut) {
		s->cut = false;
		nghttp2_submit_rst_stream(ng, 0, id, NGHTTP2_INTERNAL_ERROR);
		return n ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
	}
	*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (s->trailer) {
		nghttp2_nv trailer = nv("x-trailer", s->trailer);

		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
		nghttp2_submit_trailer(ng, id, &trailer, 1);
	}
	return (ssize_t)n;
}

// One more field, or NULL.
static void answer_with(struct h2_peer *c, struct h2_request *s, int status, const char *name,
	const char *value, const char *body, size_t len)
{
	nghttp2_data_provider provider = {.source.ptr = s, .read_callback = body_read};
	nghttp2_nv fields[4];
	char code[8];
	size_t n = 0;

	snprintf(code, sizeof(code), "%03d", status);
	fields[n++] = nv(":status", code);
	if (body)
		fields[n++] = nv("content-type", "text/plain");
	if (name)
		fields[n++] = nv(name, value);
	s->body = body;
	s->body_len = len;
	peer_check(!nghttp2_submit_response(c->ng, s->id, fields, n, body ? &provider : NULL),
		"nghttp2_submit_response");
}

void h2_answer(struct h2_peer *c, struct h2_request *s, int status, const char *body)
{
	answer_with(c, s, status, NULL, NULL, body, body ? strlen(body) : 0);
}

static void early(struct h2_peer *c, struct h2_request *s)
{
	nghttp2_nv fields[] = {nv(":status", "103"), nv("etag", "\"early\"")};

	nghttp2_submit_headers(c->ng, 0, s->id, NULL, fields, 2, NULL);
}

static bool first_odd(struct h2_server *s)
{
	pthread_mutex_lock(&s->lock);
	bool first = !s->odd++;
	pthread_mutex_unlock(&s->lock);
	return first;
}

void h2_answer_request(struct h2_peer *c, struct h2_request *s)
{
	const char *path = s->path, *name = c->server->config.name;

	path += *path == '/';
	if (!strncmp(path, "status/", 7)) {
		int status = atoi(path + 7);

		h2_answer(c, s, status, status == 204 || status == 304 ? NULL : "said");
	} else if (!strcmp(path, "echo")) {
		answer_with(c, s, 200, NULL, NULL, s->text, s->len);
	} else if (!strcmp(path, "hold")) {
		s->held = !h2_server_is(c->server, &c->server->released);
		if (!s->held)
			h2_answer(c, s, 200, "held");
	} else if (!strcmp(path, "hang")) {
		return;
	} else if (!strcmp(path, "reset")) {
		nghttp2_submit_rst_stream(c->ng, 0, s->id, NGHTTP2_INTERNAL_ERROR);
	} else if (!strcmp(path, "refuse") ||
		(!strcmp(path, "refuse-once") && first_odd(c->server)) ||
		(!strcmp(path, "refuse-some") && h2_server_requests(c->server) <= 8)) {
		nghttp2_submit_rst_stream(c->ng, 0, s->id, NGHTTP2_REFUSED_STREAM);
	} else if (!strcmp(path, "lose")) {
		c->closing = first_odd(c->server);
		if (!c->closing)
			nghttp2_submit_rst_stream(c->ng, 0, s->id, NGHTTP2_REFUSED_STREAM);
	} else if (!strcmp(path, "cut")) {
		s->cut = true;
		h2_answer(c, s, 200, "half");
	} else if (!strcmp(path, "close") ||
		(!strcmp(path, "close-once") && first_odd(c->server))) {
		c->closing = true;
	} else if (!strcmp(path, "leave")) {
		nghttp2_submit_goaway(
			c->ng, 0, s->id > 1 ? s->id - 2 : 0, NGHTTP2_NO_ERROR, NULL, 0);
	} else if (!strcmp(path, "big")) {
		answer_with(c, s, 200, NULL, NULL, big, sizeof(big));
	} else if (!strcmp(path, "endless")) {
		s->endless = true;
		h2_answer(c, s, 200, "x");
	} else if (!strcmp(path, "short")) {
		answer_with(c, s, 200, "content-length", "10", "half", 4);
	} else if (!strcmp(path, "huge-length")) {
		s->endless = false;
		answer_with(c, s, 200, "content-length", "4611686018427387904", "x", 1);
	} else if (!strcmp(path, "bighead")) {
		answer_with(c, s, 200, "x-padding", padding, "x", 1);
	} else if (!strcmp(path, "early")) {
		early(c, s);
		h2_answer(c, s, 200, name);
	} else if (!strcmp(path, "many-early")) {
		for (unsigned i = 0; i < 1000; i++)
			early(c, s);
	} else if (!strcmp(path, "trailer") || !strcmp(path, "big-trailer")) {
		s->trailer = *path == 'b' ? padding : "yes";
		h2_answer(c, s, 200, name);
	} else if (!strcmp(path, "connection")) {
		answer_with(c, s, 200, "connection", "close", "x", 1);
	} else if (!strcmp(path, "control")) {
		answer_with(c, s, 200, "x-control", "a\x01z", "x", 1);
	} else if (!strcmp(path, "no-status")) {
		nghttp2_nv field = nv("etag", "\"x\"");

		nghttp2_submit_headers(c->ng, 0, s->id, NULL, &field, 1, NULL);
	} else {
		h2_answer(c, s, 200, name);
	}
}
