// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/h1_answer.h"

#include <stdlib.h>
#include <string.h>

void h1_answer_start(struct h1_answer *a, struct http_transfer *transfer, struct http_body *body)
{
	char *line = a->line;

	*a = (struct h1_answer){.transfer = transfer, .body = body, .line = line};
}

void h1_answer_free(struct h1_answer *a)
{
	free(a->line);
	a->line = NULL;
}

bool h1_answer_has_head(const struct h1_answer *a)
{
	return a->part > H1_PART_FIELDS;
}

// ---- the head

// "HTTP/1.1 200 OK" (RFC 9112 section 4); the space before an empty reason is often left out.
// Returns the status or -1.
static int status_parse(const char *line, size_t len)
{
	int status = 0;

	if (len < 12 || memcmp(line, "HTTP/1.", 7) || (line[7] != '0' && line[7] != '1') ||
		line[8] != ' ')
		return -1;
	for (unsigned i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9')
			return -1;
		status = status * 10 + (line[i] - '0');
	}
	return status >= 100 && (len == 12 || line[12] == ' ') ? status : -1;
}

static enum http_error take_status(struct h1_answer *a, const char *line, size_t len)
{
	struct http_reply *reply = &a->transfer->reply;
	int status = status_parse(line, len);

	if (status < 0 || http_has_controls(line, len))
		return HTTP_ERR_bad_reply;
	if (http_trailer_take(a->transfer, len))
		return HTTP_ERR_head_too_large;
	if (status == 101)
		return HTTP_ERR_bad_status; // no request asks for another protocol
	http_reply_status(reply, status);
	a->old = line[7] == '0';
	a->part = H1_PART_FIELDS;
	return HTTP_ERR_none;
}

// RFC 9112 section 6.3.
static enum http_error body_begin(struct h1_answer *a)
{
	const struct http_reply *reply = &a->transfer->reply;
	const char *length = reply->field[HTTP_FIELD_CONTENT_LENGTH];

	if (reply->status == 204 || reply->status == 304) {
		a->part = H1_PART_WHOLE;
	} else if (reply->field[HTTP_FIELD_TRANSFER_ENCODING]) {
		if (a->old)
			return HTTP_ERR_bad_reply;
		a->part = H1_PART_CHUNK_SIZE;
	} else if (length) {
		a->left = strtoull(length, NULL, 10); // not above body_max
		a->part = a->left ? H1_PART_BODY : H1_PART_WHOLE;
	} else {
		a->keeps = false;
		a->part = H1_PART_TO_END;
	}
	return HTTP_ERR_none;
}

// An empty line ends the head.
static enum http_error head_end(struct h1_answer *a)
{
	struct http_reply *reply = &a->transfer->reply;
	struct http_persistence says;

	if (reply->status < 200) {
		a->part = H1_PART_STATUS;
		return HTTP_ERR_none;
	}
	http_reply_persistence(reply, &says);
	a->keeps = !says.close && (!a->old || says.keep);
	a->for_ms = says.timeout_ms;
	enum http_error error = body_begin(a);
	return error ? error : http_head_take(a->transfer);
}

// ---- chunks (RFC 9112 section 7.1)

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static enum http_error take_chunk_size(struct h1_answer *a, const char *line, size_t len)
{
	uint64_t size = 0;
	size_t at = 0;
	int digit;

	for (; at < len && (digit = hex_digit(line[at])) >= 0; at++) {
		if (size >> 59)
			return HTTP_ERR_bad_reply;
		size = size << 4 | (unsigned)digit;
	}
	size_t digits = at;
	while (at < len && line[at] == ' ')
		at++;
	if (!digits || (at < len && line[at] != ';') || http_has_controls(line, len))
		return HTTP_ERR_bad_reply;
	// Extensions mean nothing to us, but there must not be too many.
	if (http_trailer_take(a->transfer, len - digits))
		return HTTP_ERR_head_too_large;
	a->left = size;
	a->part = size ? H1_PART_CHUNK : H1_PART_TRAILER;
	return HTTP_ERR_none;
}

static enum http_error take_trailer(struct h1_answer *a, const char *line, size_t len)
{
	if (!len) {
		a->part = H1_PART_WHOLE;
		return HTTP_ERR_none;
	}
	if (http_trailer_take(a->transfer, len))
		return HTTP_ERR_head_too_large;
	return http_trailer_check(line, len);
}

// ---- lines and bytes

// Without its end.
static enum http_error take_line(struct h1_answer *a, const char *line, size_t len)
{
	switch (a->part) {
	case H1_PART_STATUS:
		return take_status(a, line, len);
	case H1_PART_FIELDS:
		return len ? http_reply_header(&a->transfer->reply, line, len) : head_end(a);
	case H1_PART_CHUNK_SIZE:
		return take_chunk_size(a, line, len);
	case H1_PART_CHUNK_END:
		a->part = H1_PART_CHUNK_SIZE;
		return len ? HTTP_ERR_bad_reply : HTTP_ERR_none;
	default:
		return take_trailer(a, line, len);
	}
}

// Keeps the beginning of a line whose end did not come yet.
static enum http_error line_keep(struct h1_answer *a, const char *data, size_t len)
{
	static const char version[] = "HTTP/1.";
	size_t at = a->line_len;

	if (len > HTTP_REPLY_HEAD - at)
		return HTTP_ERR_head_too_large;
	// What is no status line may never end.
	for (size_t i = 0; a->part == H1_PART_STATUS && i < len && at + i < 7; i++)
		if (data[i] != version[at + i])
			return HTTP_ERR_bad_reply;
	if (!a->line)
		a->line = malloc(HTTP_REPLY_HEAD);
	if (!a->line)
		return HTTP_ERR_no_memory;
	memcpy(a->line + at, data, len);
	a->line_len += len;
	return HTTP_ERR_none;
}

// Lines end with CR LF; a CR or LF alone is refused.
static enum http_error lines_take(struct h1_answer *a, const char *data, size_t len, size_t *taken)
{
	const char *end = memchr(data, '\n', len);
	size_t n = end ? (size_t)(end - data) : len;

	*taken = end ? n + 1 : n;
	if (!end || a->line_len) {
		enum http_error error = line_keep(a, data, n);

		if (error || !end)
			return error;
		data = a->line;
		n = a->line_len;
		a->line_len = 0;
	}
	if (!n || data[n - 1] != '\r')
		return HTTP_ERR_bad_reply;
	return take_line(a, data, n - 1);
}

static enum http_error bytes_take(struct h1_answer *a, const char *data, size_t len, size_t *taken)
{
	bool counted = a->part != H1_PART_TO_END;

	*taken = counted && a->left < len ? a->left : len;
	if (counted)
		a->left -= *taken;
	if (counted && !a->left)
		a->part = a->part == H1_PART_CHUNK ? H1_PART_CHUNK_END : H1_PART_WHOLE;
	return http_body_take(a->body, a->transfer, data, *taken);
}

enum http_error h1_answer_take(struct h1_answer *a, const void *data, size_t len, size_t *taken)
{
	const char *at = data;
	size_t left = len, n = 0;
	enum http_error error = HTTP_ERR_none;

	a->begun |= len > 0;
	for (; left && a->part != H1_PART_WHOLE && !error; at += n, left -= n) {
		bool bytes = a->part == H1_PART_BODY || a->part == H1_PART_TO_END ||
			a->part == H1_PART_CHUNK;

		error = bytes ? bytes_take(a, at, left, &n) : lines_take(a, at, left, &n);
	}
	*taken = len - left;
	return error;
}

enum http_error h1_answer_end(struct h1_answer *a)
{
	if (a->part == H1_PART_TO_END)
		a->part = H1_PART_WHOLE;
	return a->part == H1_PART_WHOLE ? HTTP_ERR_none : HTTP_ERR_reset;
}
