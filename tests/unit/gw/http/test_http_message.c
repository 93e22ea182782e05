// SPDX-License-Identifier: BSD-3-Clause
// HTTP messages: what of an answer is taken, and what is refused.

#include "gw/http/message.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

// Reads a head given as "200|Header: value|Header: value".
static enum http_error head_read(struct http_reply *reply, const char *head)
{
	enum http_error error = HTTP_ERR_none;

	http_reply_init(reply);
	http_reply_status(reply, atoi(head));
	for (head += strcspn(head, "|"); *head && !error; head += strcspn(head, "|")) {
		head++;
		error = http_reply_header(reply, head, strcspn(head, "|"));
	}
	return error;
}

// RFC 9112 sections 5 and 6.3: no answer may be understood in two ways.
Test(http_message, hostile_heads)
{
	static const struct {
		const char *http;
		enum http_error error;
	} rows[] = {
		{"200|Content-Length: 5", HTTP_ERR_none},
		{"200|Content-Length: 5|Content-Length: 5", HTTP_ERR_bad_reply},
		{"200|Content-Length: 5|Content-Length: 6", HTTP_ERR_bad_reply},
		{"200|Content-Length: 5, 5", HTTP_ERR_bad_reply},
		{"200|Content-Length: +5", HTTP_ERR_bad_reply},
		{"200|Content-Length: 00000000000000000000009999999999999999999", HTTP_ERR_none},
		{"304|Content-Length: 10000000000000000000", HTTP_ERR_bad_reply},
		{"200|Content-Length:", HTTP_ERR_bad_reply},
		{"200|Transfer-Encoding: chunked", HTTP_ERR_none},
		{"200|Transfer-Encoding: Chunked", HTTP_ERR_none},
		{"200|Transfer-Encoding: gzip, chunked", HTTP_ERR_bad_reply},
		{"200|Transfer-Encoding: chunked|Transfer-Encoding: chunked", HTTP_ERR_bad_reply},
		{"200|Content-Length: 5|Transfer-Encoding: chunked", HTTP_ERR_bad_reply},
		{"200|Transfer-Encoding: chunked|Content-Length: 5", HTTP_ERR_bad_reply},
		{"200|no colon", HTTP_ERR_bad_reply},
		{"200|: no name", HTTP_ERR_bad_reply},
		{"200|Name : space", HTTP_ERR_bad_reply},
		{"200|Na(me: no token", HTTP_ERR_bad_reply},
		{"200|N\xe4me: no token", HTTP_ERR_bad_reply},
		{"200| folded: line", HTTP_ERR_bad_reply},
		{"200|Name: a\rb", HTTP_ERR_bad_reply},
		{"200|Name: a\nb", HTTP_ERR_bad_reply},
		{"200|Name: a\x7f", HTTP_ERR_bad_reply},
		{"200|Name: a\tb", HTTP_ERR_none},
	};
	struct http_reply reply;
	char line[1024];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum http_error error = head_read(&reply, rows[i].http);

		cr_expect_eq(error, rows[i].error, "%s: %s", rows[i].http, http_error_name(error));
	}
	http_reply_init(&reply);
	cr_expect_eq(http_reply_header(&reply, "a: b\0c", 6), HTTP_ERR_bad_reply);

	// Heads end at HTTP_REPLY_HEAD, also over several 1xx answers.
	memset(line, 'a', sizeof(line));
	line[1] = ':';
	http_reply_init(&reply);
	for (unsigned i = 0; i < HTTP_REPLY_HEAD / sizeof(line); i++) {
		http_reply_status(&reply, 100);
		cr_assert_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none);
	}
	cr_expect_eq(http_reply_header(&reply, line, 2), HTTP_ERR_head_too_large);
	// Values that are kept end at HTTP_REPLY_VALUES.
	memcpy(line, "ETag:", 5);
	http_reply_init(&reply);
	cr_expect_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none);
	memcpy(line, "Cache-Control:", 14);
	cr_expect_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none);
	cr_expect_eq(
		http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_none); // both lines, joined
	cr_expect_eq(http_reply_header(&reply, line, sizeof(line)), HTTP_ERR_head_too_large);
}

// What a head says about its connection, and which fields are not meant for us (RFC 9110 section
// 7.6.1).
Test(http_message, connections)
{
	static const struct {
		const char *http;
		bool close, keep, etag;
		uint32_t timeout_ms;
	} rows[] = {
		{"200|ETag: x", .etag = true},
		{"200|ETag: x|Connection: keep-alive", .keep = true, .etag = true},
		{"200|ETag: x|Connection: Keep-Alive, CLOSE", .keep = true, .close = true,
			.etag = true},
		{"200|Connection: keep-alive|ETag: x|Connection: close", .keep = true,
			.close = true, .etag = true},
		{"200|ETag: x|Connection: , ,\tetag , close", .close = true},
		{"200|ETag: x|Connection: closed, etags", .etag = true},
		{"200|ETag: x|Connection: \"close\"", .etag = true},
		{"200|ETag: x|Keep-Alive: timeout=5, max=100", .etag = true, .timeout_ms = 5000},
		{"200|ETag: x|Keep-Alive: max=100,TIMEOUT=7", .etag = true, .timeout_ms = 7000},
		{"200|ETag: x|Keep-Alive: timeout=99999999999999999999", .etag = true,
			.timeout_ms = UINT32_MAX},
		{"200|ETag: x|Keep-Alive: timeout=0", .etag = true, .timeout_ms = 1},
		{"200|ETag: x|Keep-Alive: timeout=, timeouts=3", .etag = true},
	};
	struct http_persistence says;
	struct http_reply reply;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cr_assert_eq(head_read(&reply, rows[i].http), HTTP_ERR_none);
		http_reply_persistence(&reply, &says);
		cr_expect_eq(says.close, rows[i].close, "%s", rows[i].http);
		cr_expect_eq(says.keep, rows[i].keep, "%s", rows[i].http);
		cr_expect_eq(says.timeout_ms, rows[i].timeout_ms, "%s", rows[i].http);
		cr_expect_eq(!!reply.field[HTTP_FIELD_ETAG], rows[i].etag, "%s", rows[i].http);
	}
	// The framing stays what it was.
	cr_assert_eq(head_read(&reply, "200|Content-Length: 5|Connection: Content-Length"),
		HTTP_ERR_none);
	http_reply_persistence(&reply, &says);
	cr_expect_not_null(reply.field[HTTP_FIELD_CONTENT_LENGTH]);
}
