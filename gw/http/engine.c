// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/engine.h"

#include <stdlib.h>
#include <string.h>

enum up_error up_body_take(
	struct up_body *body, struct up_transfer *t, const void *data, size_t len)
{
	struct up_reply *reply = &t->reply;
	size_t keep = t->body_keep - reply->body_len;

	body->received += len;
	if (body->received > t->body_max)
		return UP_ERR_body_too_large;
	if (body->room < t->body_keep) {
		uint8_t *bytes = realloc(body->bytes, t->body_keep);

		if (!bytes)
			return UP_ERR_no_memory;
		body->bytes = bytes;
		body->room = t->body_keep;
	}
	if (keep < len)
		reply->body_cut = true;
	keep = keep < len ? keep : len;
	memcpy(body->bytes + reply->body_len, data, keep);
	reply->body = body->bytes;
	reply->body_len += keep;
	return UP_OK;
}

enum up_error up_head_take(const struct up_transfer *t)
{
	const char *length = t->reply.field[UP_FIELD_CONTENT_LENGTH];
	bool no_body = t->reply.status == 204 || t->reply.status == 304;

	if (length && !no_body && strtoull(length, NULL, 10) > t->body_max)
		return UP_ERR_body_too_large;
	return UP_OK;
}

enum up_error up_trailer_take(struct up_transfer *t, size_t len)
{
	t->reply.head_len += len;
	return t->reply.head_len > UP_REPLY_HEAD ? UP_ERR_head_too_large : UP_OK;
}
