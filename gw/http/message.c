// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/message.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

void http_header_add_line(
	struct http_request *req, const char *line, uint16_t name_len, uint16_t len)
{
	if (req->header_count == HTTP_HEADERS_MAX) {
		req->text.failed = true;
		return;
	}
	req->header[req->header_count++] = (struct http_header){line, name_len, len};
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
	[HTTP_FIELD_CONNECTION] = NAME("connection"),
	[HTTP_FIELD_CONTENT_ENCODING] = NAME("content-encoding"),
	[HTTP_FIELD_CONTENT_LENGTH] = NAME("content-length"),
	[HTTP_FIELD_CONTENT_TYPE] = NAME("content-type"),
	[HTTP_FIELD_DATE] = NAME("date"),
	[HTTP_FIELD_ETAG] = NAME("etag"),
	[HTTP_FIELD_EXPIRES] = NAME("expires"),
	[HTTP_FIELD_KEEP_ALIVE] = NAME("keep-alive"),
	[HTTP_FIELD_LAST_MODIFIED] = NAME("last-modified"),
	[HTTP_FIELD_LOCATION] = NAME("location"),
	[HTTP_FIELD_OSCORE] = NAME("oscore"),
	[HTTP_FIELD_RETRY_AFTER] = NAME("retry-after"),
	[HTTP_FIELD_TRANSFER_ENCODING] = NAME("transfer-encoding"),
	[HTTP_FIELD_UPLOAD_LIMIT] = NAME("upload-limit"),
	[HTTP_FIELD_VARY] = NAME("vary"),
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

#define LENGTH_DIGITS 19 // of a Content-Length, without zeros in front: fewer than 2^64 has

static enum http_error framing_check(const struct http_reply *reply)
{
	const char *length = reply->field[HTTP_FIELD_CONTENT_LENGTH];
	const char *transfer = reply->field[HTTP_FIELD_TRANSFER_ENCODING];

	if (length &&
		(!*length || length[strspn(length, "0123456789")] ||
			strlen(length + strspn(length, "0")) > LENGTH_DIGITS))
		return HTTP_ERR_bad_reply;
	if (transfer && (length || strcasecmp(transfer, "chunked")))
		return HTTP_ERR_bad_reply;
	return HTTP_ERR_none;
}

// Of a header given twice the first counts, but these are lists over all of their lines; OSCORE is
// none, so that two of them are no value of it.
static bool is_list(enum http_reply_field field)
{
	return field == HTTP_FIELD_CACHE_CONTROL || field == HTTP_FIELD_CONNECTION ||
		field == HTTP_FIELD_OSCORE || field == HTTP_FIELD_VARY;
}

static enum http_error field_set(
	struct http_reply *reply, enum http_reply_field field, const char *value, size_t len)
{
	const char *before = reply->field[field];
	char *start = reply->text.at;

	// Even two lengths that are the same: they are a list (RFC 9110 section 8.6).
	if (before && (field == HTTP_FIELD_CONTENT_LENGTH || field == HTTP_FIELD_TRANSFER_ENCODING))
		return HTTP_ERR_bad_reply;
	if (before && !is_list(field))
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

bool http_has_controls(const char *text, size_t len)
{
	bool found = false;

	for (size_t i = 0; i < len; i++) // no early end: the compiler takes many at a time
		found |= ((uint8_t)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7f;
	return found;
}

static bool name_is(enum http_reply_field field, const char *name, size_t len)
{
	return field_names[field].len == len && !strncasecmp(field_names[field].text, name, len);
}

static enum http_error field_find(struct http_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	for (unsigned i = 0; i < HTTP_FIELD_COUNT; i++)
		if (name_is(i, name, name_len))
			return field_set(reply, i, value, value_len);
	return HTTP_ERR_none;
}

enum http_error http_reply_field(struct http_reply *reply, const char *name, size_t name_len,
	const char *value, size_t value_len)
{
	reply->head_len += name_len + value_len;
	if (reply->head_len > HTTP_REPLY_HEAD)
		return HTTP_ERR_head_too_large;
	if (http_has_controls(value, value_len))
		return HTTP_ERR_bad_reply;
	return field_find(reply, name, name_len, value, value_len);
}

// RFC 9110 section 5.6.2.
static bool is_token(const char *text, size_t len)
{
	static const char more[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < len; i++) {
		char c = text[i], letter = (char)(c | 0x20);

		if ((letter < 'a' || letter > 'z') && (c < '0' || c > '9') &&
			!memchr(more, c, sizeof(more) - 1))
			return false;
	}
	return len > 0;
}

// A line of a head or a trailer: returns the colon, or NULL for one that is none (RFC 9112 sections
// 5.1, 5.2).
static const char *line_split(const char *line, size_t len)
{
	const char *colon = len ? memchr(line, ':', len) : NULL;

	return colon && is_token(line, (size_t)(colon - line)) && !http_has_controls(line, len)
		? colon
		: NULL;
}

enum http_error http_trailer_check(const char *line, size_t len)
{
	const char *colon = line_split(line, len);
	size_t name_len = colon ? (size_t)(colon - line) : 0;

	return !colon || name_is(HTTP_FIELD_CONTENT_LENGTH, line, name_len) ||
			name_is(HTTP_FIELD_TRANSFER_ENCODING, line, name_len)
		? HTTP_ERR_bad_reply
		: HTTP_ERR_none;
}

enum http_error http_reply_header(struct http_reply *reply, const char *line, size_t len)
{
	const char *colon;

	reply->head_len += len;
	if (reply->head_len > HTTP_REPLY_HEAD)
		return HTTP_ERR_head_too_large;
	colon = line_split(line, len);
	if (!colon)
		return HTTP_ERR_bad_reply;
	const char *value = colon + 1, *end = line + len;
	while (value < end && is_space(*value))
		value++;
	while (end > value && is_space(end[-1]))
		end--;
	return field_find(reply, line, (size_t)(colon - line), value, (size_t)(end - value));
}

// ---- connections

// The next member of a list, without blanks around it; *at is set behind it. NULL: there is none.
static const char *list_next(const char **at, size_t *len)
{
	const char *start = *at + strspn(*at, " \t,");

	*len = strcspn(start, ",");
	*at = start + *len;
	while (*len && is_space(start[*len - 1]))
		--*len;
	return *len ? start : NULL;
}

static bool member_is(const char *member, size_t len, const char *name)
{
	return strlen(name) == len && !strncasecmp(member, name, len);
}

static void field_forget(struct http_reply *reply, const char *name, size_t len)
{
	for (unsigned i = 0; i < HTTP_FIELD_COUNT; i++)
		if (i != HTTP_FIELD_CONTENT_LENGTH && i != HTTP_FIELD_TRANSFER_ENCODING &&
			i != HTTP_FIELD_CONNECTION && i != HTTP_FIELD_KEEP_ALIVE &&
			member_is(name, len, field_names[i].text))
			reply->field[i] = NULL;
}

static uint32_t timeout_parse(const char *keep_alive)
{
	const char *member;
	size_t len;

	while ((member = list_next(&keep_alive, &len))) {
		unsigned long seconds;

		if (len < 9 || strncasecmp(member, "timeout=", 8) || member[8] < '0' ||
			member[8] > '9')
			continue;
		seconds = strtoul(member + 8, NULL, 10);
		if (!seconds)
			return 1;
		return seconds > UINT32_MAX / 1000 ? UINT32_MAX : (uint32_t)seconds * 1000;
	}
	return 0;
}

void http_reply_persistence(struct http_reply *reply, struct http_persistence *says)
{
	const char *at = reply->field[HTTP_FIELD_CONNECTION], *member;
	const char *keep_alive = reply->field[HTTP_FIELD_KEEP_ALIVE];
	size_t len;

	*says = (struct http_persistence){0};
	while (at && (member = list_next(&at, &len))) {
		if (member_is(member, len, "close"))
			says->close = true;
		else if (member_is(member, len, "keep-alive"))
			says->keep = true;
		else
			field_forget(reply, member, len);
	}
	if (keep_alive)
		says->timeout_ms = timeout_parse(keep_alive);
}
