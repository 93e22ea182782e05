// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h1_head.h"

#include <string.h>

static const char behind_target[] =
	" HTTP/1.1\r\nUser-Agent: postern/" POSTERN_VERSION "\r\nHost: ";

size_t h1_head_write(const struct http_transfer *t, char *buf, size_t room)
{
	const struct http_request *req = &t->request;
	const char *base = t->server->base;
	struct http_text text;

	http_text_init(&text, buf, room);
	http_text_str(&text, req->method);
	http_text_char(&text, ' ');
	http_text_str(&text, base);
	http_text_str(&text, *req->path || *base ? req->path : "/");
	http_text_str(&text, req->query);
	http_text_put(&text, behind_target, sizeof(behind_target) - 1);
	http_text_str(&text, t->host);
	http_text_put(&text, "\r\n", 2);
	for (unsigned i = 0; i < req->header_count; i++) {
		http_text_put(&text, req->header[i].line, req->header[i].len);
		http_text_put(&text, "\r\n", 2);
	}
	if (req->has_body) {
		http_text_str(&text, "Content-Length: ");
		http_text_decimal(&text, req->body_len);
		http_text_put(&text, "\r\n", 2);
	}
	if (t->fresh)
		http_text_str(&text, "Connection: close\r\n");
	http_text_put(&text, "\r\n", 2);
	return text.failed ? 0 : (size_t)(text.at - buf);
}
