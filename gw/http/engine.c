// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/engine.h"

#include <stdlib.h>
#include <string.h>

enum http_error http_body_take(
	struct http_body *body, struct http_transfer *t, const void *data, size_t len)
{
	struct http_reply *reply = &t->reply;
	size_t keep = t->body_keep - reply->body_len;

	body->received += len;
	if (body->received > t->body_max)
		return HTTP_ERR_body_too_large;
	if (body->room < t->body_keep) {
		uint8_t *bytes = realloc(body->bytes, t->body_keep);

		if (!bytes)
			return HTTP_ERR_no_memory;
		body->bytes = bytes;
		body->room = t->body_keep;
	}
	if (keep < len)
		reply->body_cut = true;
	keep = keep < len ? keep : len;
	memcpy(body->bytes + reply->body_len, data, keep);
	reply->body = body->bytes;
	reply->body_len += keep;
	return HTTP_ERR_none;
}

enum http_error http_head_take(const struct http_transfer *t)
{
	const char *length = t->reply.field[HTTP_FIELD_CONTENT_LENGTH];
	bool no_body = t->reply.status == 204 || t->reply.status == 304;

	if (length && !no_body && strtoull(length, NULL, 10) > t->body_max)
		return HTTP_ERR_body_too_large;
	return HTTP_ERR_none;
}

enum http_error http_trailer_take(struct http_transfer *t, size_t len)
{
	t->reply.head_len += len;
	return t->reply.head_len > HTTP_REPLY_HEAD ? HTTP_ERR_head_too_large : HTTP_ERR_none;
}
