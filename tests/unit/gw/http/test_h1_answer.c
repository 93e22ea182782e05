// SPDX-License-Identifier: BSD-3-Clause
// Answers of HTTP/1.1: what is taken, how far, and what becomes of the connection.

#include "gw/http/h1_answer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define REST "HTTP/1.1 200 OK\r\n\r\n" // that nobody asked for

static const struct row {
	const char *bytes;
	enum http_error error;
	int status;
	const char *body;
	size_t behind; // bytes that are left
	bool keeps;
} rows[] = {
	// Where an answer ends.
	{"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", HTTP_ERR_none, 200, "hi", 0, true},
	{"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n" REST, HTTP_ERR_none, 200, "", 19, true},
	{"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n" REST, HTTP_ERR_none, 204, "", 19, true},
	{"HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n" REST, HTTP_ERR_none, 304, "", 19,
		true},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n003\r\n you\r\n"
	 "00\r\nX: y\r\n\r\n" REST,
		HTTP_ERR_bad_reply, 200, "hi yo", 0, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nhi\r\n004\r\n you\r\n"
	 "00\r\nX: y\r\n\r\n" REST,
		HTTP_ERR_none, 200, "hi you", 19, true},
	{"HTTP/1.1 200 OK\r\n\r\nto the end", HTTP_ERR_none, 200, "to the end", 0, false},
	{"HTTP/1.1 100 Continue\r\nConnection: close\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 "
	 "OK\r\nContent-Length: 1\r\n\r\n!",
		HTTP_ERR_none, 200, "!", 0, true},
	// Whether the connection is kept.
	{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", HTTP_ERR_none, 200,
		"", 0, false},
	{"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", HTTP_ERR_none, 200, "", 0, false},
	{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", HTTP_ERR_none,
		200, "", 0, true},
	// What is no answer.
	{"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\n", HTTP_ERR_bad_reply, 200, "", 0, false},
	{"HTTP/1.1 200 O\rK\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"HTTP/2.0 200 OK\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"HTTP/1.2 200 OK\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"HTTP/1.1 099 OK\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"HTTP/1.1 2000 OK\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"\r\nHTTP/1.1 200 OK\r\n\r\n", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"rubbish without an end", HTTP_ERR_bad_reply, 0, "", 0, false},
	{"HTTP/1.1 101 Switching\r\n\r\n", HTTP_ERR_bad_status, 0, "", 0, false},
	{"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", HTTP_ERR_bad_reply, 200,
		"", 0, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8000000000000000\r\n",
		HTTP_ERR_bad_reply, 200, "", 0, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x2\r\nhi\r\n0\r\n\r\n",
		HTTP_ERR_bad_reply, 200, "", 0, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nno colon\r\n\r\n",
		HTTP_ERR_bad_reply, 200, "", 0, false},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ncontent-Length: 5\r\n\r\n",
		HTTP_ERR_bad_reply, 200, "", 0, false},
	// What is not whole when the connection ends.
	{"", HTTP_ERR_reset, 0, "", 0, false},
	{"HTTP/1.1 2", HTTP_ERR_reset, 0, "", 0, false},
	{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi", HTTP_ERR_reset, 200, "hi", 0, true},
	{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n", HTTP_ERR_reset,
		200, "hi", 0, true},
	{"HTTP/1.1 100 Continue\r\n\r\n", HTTP_ERR_reset, 100, "", 0, false},
};

// Reads a row in pieces of so many bytes.
static void row_check(const struct row *row, size_t piece)
{
	struct http_transfer transfer = {.body_keep = 1024, .body_max = 65536};
	struct http_body body = {0};
	struct h1_answer answer = {0};
	size_t len = strlen(row->bytes), at = 0, taken = 0;
	enum http_error error = HTTP_ERR_none;

	http_reply_init(&transfer.reply);
	h1_answer_start(&answer, &transfer, &body);
	while (at < len && !error && answer.part != H1_PART_WHOLE) {
		error = h1_answer_take(
			&answer, row->bytes + at, len - at < piece ? len - at : piece, &taken);
		at += taken;
	}
	if (!error)
		error = h1_answer_end(&answer);
	cr_expect_eq(error, row->error, "%s: %s", row->bytes, http_error_name(error));
	cr_expect_eq(transfer.reply.status, row->status, "%s", row->bytes);
	if (!error || error == HTTP_ERR_reset) {
		cr_expect_eq(len - at, row->behind, "%s", row->bytes);
		cr_expect_eq(answer.keeps, row->keeps, "%s", row->bytes);
		cr_expect_eq(transfer.reply.body_len, strlen(row->body), "%s", row->bytes);
		cr_expect(!transfer.reply.body_len ||
				!memcmp(transfer.reply.body, row->body, transfer.reply.body_len),
			"%s", row->bytes);
	}
	h1_answer_free(&answer);
	free(body.bytes);
}

Test(h1_answer, is_read_the_same_in_any_pieces)
{
	static const size_t pieces[] = {1, 2, 3, 7, 16, 1000};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(pieces) / sizeof(pieces[0]); j++)
			row_check(&rows[i], pieces[j]);
}
