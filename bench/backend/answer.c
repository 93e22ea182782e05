// SPDX-License-Identifier: BSD-3-Clause

#include "bench/backend/answer.h"

#include <stdio.h>
#include <string.h>

static const char *reason(uint32_t status)
{
	static const struct {
		uint32_t status;
		const char *reason;
	} rows[] = {
		{100, "Continue"},
		{101, "Switching Protocols"},
		{103, "Early Hints"},
		{200, "OK"},
		{201, "Created"},
		{202, "Accepted"},
		{204, "No Content"},
		{304, "Not Modified"},
		{400, "Bad Request"},
		{404, "Not Found"},
		{408, "Request Timeout"},
		{413, "Content Too Large"},
		{422, "Unprocessable Content"},
		{429, "Too Many Requests"},
		{500, "Internal Server Error"},
		{503, "Service Unavailable"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].status == status)
			return rows[i].reason;
	return "As Asked";
}

void be_answer_interim(struct be_text *out, const struct be_behaviour *b)
{
	for (uint32_t i = 0; i < b->interim; i++)
		be_text_print(out, "HTTP/1.1 %u %s\r\n\r\n", b->interim_status,
			reason(b->interim_status));
}

static void chunks_add(struct be_text *out, const char *body, size_t len, size_t chunk)
{
	for (size_t at = 0; at < len; at += chunk) {
		size_t n = len - at < chunk ? len - at : chunk;

		be_text_print(out, "%zx\r\n", n);
		be_text_add(out, body + at, n);
		be_text_add(out, "\r\n", 2);
	}
	be_text_add(out, "0\r\n\r\n", 5);
}

// Appends one answer. Returns where its body begins.
static size_t one_add(struct be_text *out, const struct be_behaviour *b, const struct be_reply *r)
{
	bool bodyless = b->status < 200 || b->status == 204 || b->status == 304;

	be_text_print(out, "HTTP/1.1 %u %s\r\n", b->status, reason(b->status));
	if (!bodyless && r->body_len && !strcasestr(b->headers, "Content-Type:"))
		be_text_print(out, "Content-Type: %s\r\n", r->type ? r->type : "text/plain");
	if (!bodyless && b->chunked)
		be_text_print(out, "Transfer-Encoding: chunked\r\n");
	else if (!bodyless && !b->until_eof)
		be_text_print(out, "Content-Length: %zu\r\n", r->body_len);
	if (b->keepalive)
		be_text_print(out, "Keep-Alive: timeout=%u\r\n", b->keepalive_s);
	if (r->last)
		be_text_print(out, "Connection: close\r\n");
	be_text_print(out, "%s\r\n", b->headers);
	size_t body = out->len;
	if (bodyless || r->head)
		return body;
	if (b->chunked)
		chunks_add(out, r->body, r->body_len, b->chunk);
	else
		be_text_add(out, r->body, r->body_len);
	return body;
}

static size_t cut(const struct be_behaviour *b, size_t start, size_t body, size_t end)
{
	switch (b->close) {
	case BE_CLOSE_BEFORE:
		return start;
	case BE_CLOSE_HEAD:
		return start + (body - start) / 2;
	case BE_CLOSE_BODY:
		return body + (end - body) / 2;
	case BE_CLOSE_AT:
		return end - start < b->close_at ? end : start + b->close_at;
	default:
		return end;
	}
}

void be_answer_add(struct be_text *out, const struct be_behaviour *b, const struct be_reply *r)
{
	size_t start = out->len;
	size_t body = one_add(out, b, r);
	char text[64];

	for (uint32_t i = 1; i <= b->surplus; i++) {
		struct be_reply more = {.body = text, .last = r->last};

		more.body_len = (size_t)snprintf(text, sizeof(text), "surplus %u\n", i);
		one_add(out, b, &more);
	}
	be_text_fill(out, 'x', b->surplus_bytes);
	out->len = cut(b, start, body, out->len);
}
