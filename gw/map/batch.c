// SPDX-License-Identifier: BSD-3-Clause

#include "gw/map/batch.h"

#include "gw/map/media.h"

enum http_error map_batch_build(struct http_request *req, const struct conf_route *route,
	const char *content_type, const uint8_t *random)
{
	char *start;

	req->method = "POST";
	req->idempotent = route->idempotency == CONF_IDEMPOTENCY_HONOURED;
	req->has_body = true;
	req->header_count = 0;
	req->path = route->batch.path;
	req->query = "";
	http_text_init(&req->text, req->room + HTTP_TARGET_MAX, HTTP_HEADER_ROOM);
	http_header_add(req, "Content-Type", content_type);
	http_header_add(req, "Accept-Encoding", "identity");

	start = http_header_start(req, "traceparent");
	http_text_str(&req->text, "00-");
	http_text_hex(&req->text, random + 16, 16);
	http_text_char(&req->text, '-');
	http_text_hex(&req->text, random + 32, 8);
	http_text_str(&req->text, "-01");
	http_header_end(req, start);

	start = http_header_start(req, "Idempotency-Key");
	http_text_char(&req->text, '"');
	http_text_hex(&req->text, random, MAP_BATCH_KEY_LEN / 2);
	http_text_char(&req->text, '"');
	http_header_end(req, start);
	return req->text.failed ? HTTP_ERR_too_long : HTTP_ERR_none;
}

enum http_error map_status_build(
	int status, const struct conf_route *route, uint8_t method, struct map_response *mapping)
{
	const struct map_request msg = {.route = route,
		.method = map_method_of(method),
		.code = method,
		.accept = MAP_FORMAT_NONE,
		.content_format = MAP_FORMAT_NONE};
	struct http_reply reply;

	http_reply_init(&reply);
	http_reply_status(&reply, status);
	return map_response_build(&reply, &msg, mapping);
}
