// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/message.h"

#include <string.h>

// ---- requests

char *http_header_start(struct http_request *req, const char *name)
{
	char *start = req->text.at;

	http_text_str(&req->text, name);
	if (req->header_count == HTTP_HEADERS_MAX) {
		req->text.failed = true;
		return start;
	}
	req->header[req->header_count].name_len = (uint16_t)(req->text.at - start);
	http_text_put(&req->text, ": ", 2);
	return start;
}

void http_header_end(struct http_request *req, char *start)
{
	size_t len = (size_t)(req->text.at - start);
	const char *line = http_text_end(&req->text, &start);

	if (!line)
		return;
	struct http_header *header = &req->header[req->header_count++];
	header->line = line;
	header->len = (uint16_t)len;
}

void http_header_add(struct http_request *req, const char *name, const char *value)
{
	char *start = http_header_start(req, name);

	http_text_str(&req->text, value);
	http_header_end(req, start);
}

// ---- answers

#define NAME(text)                     \
	{                              \
		text, sizeof(text) - 1 \
	}

static const struct {
	const char *text;
	size_t len;
} field_names[HTTP_FIELD_COUNT] = {
	[HTTP_FIELD_AGE] = NAME("age"),
	[HTTP_FIELD_CACHE_CONTROL] = NAME("cache-control"),
	[HTTP_FIELD_CONTENT_ENCODING] = NAME("content-encoding"),
	[HTTP_FIELD_CONTENT_LENGTH] = NAME("content-length"),
	[HTTP_FIELD_CONTENT_TYPE] = NAME("content-type"),
	[HTTP_FIELD_DATE] = NAME("date"),
	[HTTP_FIELD_ETAG] = NAME("etag"),
	[HTTP_FIELD_EXPIRES] = NAME("expires"),
	[HTTP_FIELD_LOCATION] = NAME("location"),
	[HTTP_FIELD_RETRY_AFTER] = NAME("retry-after"),
	[HTTP_FIELD_TRANSFER_ENCODING] = NAME("transfer-encoding"),
	[HTTP_FIELD_UPLOAD_LIMIT] = NAME("upload-limit"),
};

void http_reply_init(struct http_reply *reply)
{
	reply->status = 0;
	reply->body = NULL;
	reply->body_len = 0;
	reply->body_cut = false;
	reply->head_len = 0;
	http_reply_status(reply, 0);
}

void http_reply_status(struct http_reply *reply, int status)
{
	reply->status = status;
	memset(reply->field, 0, sizeof(reply->field));
	http_text_init(&reply->text, reply->room, sizeof(reply->room));
}

void http_reply_drop(struct http_reply *reply, bool head)
{
	reply->body_len = 0;
	reply->body_cut = false;
	if (head)
		http_reply_status(reply, reply->status);
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t';
}

static enum http_error framing_check(const struct http_reply *reply)
{
	const char *length = reply->field[HTTP_FIELD_CONTENT_LENGTH];
	const char *transfer = reply->field[HTTP_FIELD_TRANSFER_ENCODING];

	if (length && (!*length || length[strspn(length, "0123456789")]))
		return HTTP_ERR_bad_reply;
	if (transfer && (length || strcasecmp(transfer, "chunked")))
		return HTTP_ERR_bad_reply;
	return HTTP_ERR_none;
}

// Of a header given twice the first counts; Cache-Control is a list over all of its lines.
static enum http_error field_set(
	struct http_reply *reply, enum http_reply_field field, const char *value, size_t len)
{
	const char *before = reply->field[field];
	char *start = reply->text.at;

	if (before && field == HTTP_FIELD_CONTENT_LENGTH)
		return strlen(before) == len && !memcmp(before, value, len) ? HTTP_ERR_none
									    : HTTP_ERR_bad_reply;
	if (before && field == HTTP_FIELD_TRANSFER_ENCODING)
		return HTTP_ERR_bad_reply;
	if (before && field != HTTP_FIELD_CACHE_CONTROL)
		return HTTP_ERR_none;
	if (before) {
		http_text_str(&reply->text, before);
		http_text_str(&reply->text, ", ");
	}
	http_text_put(&reply->text, value, len);
	reply->field[field] = http_text_end(&reply->text, &start);
	if (!reply->field[field])
		return HTTP_ERR_head_too_large;
	return framing_check(reply);
}

static bool has_controls(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((uint8_t)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f)
			return true;
	return false;
}

static enum http_error field_find(struct http_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	for (unsigned i = 0; i < HTTP_FIELD_COUNT; i++)
		if (field_names[i].len == name_len &&
			!strncasecmp(field_names[i].text, name, name_len))
			return field_set(reply, i, value, value_len);
	return HTTP_ERR_none;
}

enum http_error http_reply_field(struct http_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	reply->head_len += name_len + value_len;
	if (reply->head_len > HTTP_REPLY_HEAD)
		return HTTP_ERR_head_too_large;
	if (has_controls(value, value_len))
		return HTTP_ERR_bad_reply;
	return field_find(reply, name, name_len, value, value_len);
}

enum http_error http_reply_header(struct http_reply *reply, const char *line, size_t len)
{
	const char *colon = len ? memchr(line, ':', len) : NULL;

	reply->head_len += len;
	if (reply->head_len > HTTP_REPLY_HEAD)
		return HTTP_ERR_head_too_large;
	if (has_controls(line, len))
		return HTTP_ERR_bad_reply;
	if (!colon || colon == line || is_space(colon[-1]) || is_space(line[0]))
		return HTTP_ERR_bad_reply; // RFC 9112 sections 5.1, 5.2
	const char *value = colon + 1, *end = line + len;
	while (value < end && is_space(*value))
		value++;
	while (end > value && is_space(end[-1]))
		end--;
	return field_find(reply, line, (size_t)(colon - line), value, (size_t)(end - value));
}
