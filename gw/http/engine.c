// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/engine.h"

#include <stdlib.h>
#include <string.h>

#define BODY_LEAST 2048 // bytes of the smallest memory

static uint32_t wanted(const struct http_transfer *t)
{
	if (t->room && t->reply.status >= 300 && t->body_keep > HTTP_ERROR_KEEP)
		return HTTP_ERROR_KEEP;
	return t->body_keep;
}

// Makes room for `need` bytes, of which at most `most` will come.
static bool body_grow(struct http_body *body, struct http_transfer *t, size_t need, size_t most)
{
	size_t room = body->room ? body->room : BODY_LEAST;

	while (room < need)
		room *= 2;
	if (room > most)
		room = most > need ? most : need;
	if (room > HTTP_BODY_FREE && t->room && !t->room(t, room))
		return false;
	uint8_t *bytes = malloc(room);

	if (!bytes)
		return false;
	if (body->bytes) {
		memcpy(bytes, body->bytes, t->reply.body_len);
		explicit_bzero(body->bytes, t->reply.body_len);
		free(body->bytes);
	}
	body->bytes = bytes;
	body->room = room;
	return true;
}

enum http_error http_body_take(
	struct http_body *body, struct http_transfer *t, const void *data, size_t len)
{
	struct http_reply *reply = &t->reply;
	uint32_t most = wanted(t);
	size_t keep = most > reply->body_len ? most - reply->body_len : 0;

	if (t->take) {
		t->heard = true;
		return t->take(t, data, len);
	}
	body->received += len;
	if (body->received > t->body_max)
		return HTTP_ERR_body_too_large;
	if (keep < len)
		reply->body_cut = true;
	keep = keep < len ? keep : len;
	if (reply->body_len + keep > body->room &&
		!body_grow(body, t, reply->body_len + keep, most))
		return HTTP_ERR_no_memory;
	if (keep)
		memcpy(body->bytes + reply->body_len, data, keep);
	reply->body = body->bytes;
	reply->body_len += keep;
	return HTTP_ERR_none;
}

void http_body_end(struct http_body *body)
{
	if (body->room <= HTTP_BODY_FREE)
		return;
	explicit_bzero(body->bytes, body->room);
	free(body->bytes);
	body->bytes = NULL;
	body->room = 0;
}

enum http_error http_head_take(struct http_transfer *t)
{
	const char *length = t->reply.field[HTTP_FIELD_CONTENT_LENGTH];
	bool no_body = t->reply.status == 204 || t->reply.status == 304;

	if (t->head) {
		t->heard = true;
		return t->head(t);
	}
	if (length && !no_body && strtoull(length, NULL, 10) > t->body_max)
		return HTTP_ERR_body_too_large;
	return HTTP_ERR_none;
}

enum http_error http_trailer_take(struct http_transfer *t, size_t len)
{
	t->reply.head_len += len;
	return t->reply.head_len > HTTP_REPLY_HEAD ? HTTP_ERR_head_too_large : HTTP_ERR_none;
}
