// SPDX-License-Identifier: BSD-3-Clause
// Answers of HTTP/1.1, read by our parser and by http-parser: where ours takes one, the other takes
// the same bytes for one whole answer, with the same status, fields and body; and ours says the
// same however the bytes are cut.
//
// Ours is stricter. What it refuses and http-parser takes is no difference that matters. Where ours
// takes more, or reads differently, this file says so to http-parser beforehand:
// - 1xx, 204 and 304 have no body, whatever their head says (RFC 9112 section 6.3): http-parser is
// told
//   to skip it;
// - an interim answer that says "Connection: close" is followed by the final one all the same
//   (RFC 9110 section 15.2): each answer has a parser of its own;
// - http-parser takes a name that only begins with "Transfer-Encoding" for that, and no tab behind
//   the value of that or a Content-Length: such heads are not compared.
//
// The input is: a byte that picks how bytes are cut (0: not at all), and the bytes of a server,
// which closes the connection cleanly at the end.

#include "gw/http/h1_answer.h"
#include "tests/fuzz/fuzz.h"

#include <http_parser.h>
#include <string.h>
#include <strings.h>

#define BODY_KEEP 512  // bytes
#define BODY_MAX  2048 // bytes
#define LINES     64   // of a head that are compared
#define TEXT_ROOM 32768

static const char *const names[HTTP_FIELD_COUNT] = {
	[HTTP_FIELD_AGE] = "age",
	[HTTP_FIELD_CACHE_CONTROL] = "cache-control",
	[HTTP_FIELD_CONNECTION] = "connection",
	[HTTP_FIELD_CONTENT_ENCODING] = "content-encoding",
	[HTTP_FIELD_CONTENT_LENGTH] = "content-length",
	[HTTP_FIELD_CONTENT_TYPE] = "content-type",
	[HTTP_FIELD_DATE] = "date",
	[HTTP_FIELD_ETAG] = "etag",
	[HTTP_FIELD_EXPIRES] = "expires",
	[HTTP_FIELD_KEEP_ALIVE] = "keep-alive",
	[HTTP_FIELD_LAST_MODIFIED] = "last-modified",
	[HTTP_FIELD_LOCATION] = "location",
	[HTTP_FIELD_OSCORE] = "oscore",
	[HTTP_FIELD_RETRY_AFTER] = "retry-after",
	[HTTP_FIELD_TRANSFER_ENCODING] = "transfer-encoding",
	[HTTP_FIELD_UPLOAD_LIMIT] = "upload-limit",
	[HTTP_FIELD_VARY] = "vary",
};

// ---- ours

struct ours {
	struct http_transfer transfer;
	struct http_body body;
	struct h1_answer answer;
	enum http_error error;
	size_t taken;
};

// Each piece is a copy that ends where it ends. cut: 0, or the state of what picks their lengths.
static void ours_read(struct ours *o, const uint8_t *data, size_t len, unsigned cut)
{
	size_t taken = 0;

	memset(&o->body, 0, sizeof(o->body));
	o->transfer.body_keep = BODY_KEEP;
	o->transfer.body_max = BODY_MAX;
	o->answer.line = NULL;
	http_reply_init(&o->transfer.reply);
	h1_answer_start(&o->answer, &o->transfer, &o->body);
	o->error = HTTP_ERR_none;
	for (o->taken = 0; o->taken < len && !o->error; o->taken += taken) {
		size_t n = len - o->taken;

		cut = cut ? (cut * 1103515245u + 12345u) | 1 : 0;
		if (cut && n > 1 + (cut >> 16) % 24)
			n = 1 + (cut >> 16) % 24;
		uint8_t *piece = malloc(n);
		memcpy(piece, data + o->taken, n);
		o->error = h1_answer_take(&o->answer, piece, n, &taken);
		free(piece);
		FUZZ_CHECK(taken <= n);
		if (o->answer.part == H1_PART_WHOLE && !o->error) {
			o->taken += taken;
			return;
		}
		FUZZ_CHECK(o->error || taken == n);
	}
	if (!o->error)
		o->error = h1_answer_end(&o->answer);
}

static void ours_free(struct ours *o)
{
	h1_answer_free(&o->answer);
	free(o->body.bytes);
}

// ---- theirs

struct line {
	size_t name, name_len, value, value_len; // in text
};

struct theirs {
	struct line line[LINES];
	size_t lines, head_lines; // all, and those before a trailer
	bool in_value, too_many, complete;
	char text[TEXT_ROOM];
	size_t text_len;
	uint8_t body[BODY_KEEP];
	size_t body_len; // of all
};

static size_t text_add(struct theirs *t, const char *at, size_t len)
{
	size_t place = t->text_len;

	FUZZ_CHECK(len <= TEXT_ROOM - t->text_len);
	memcpy(t->text + place, at, len);
	t->text_len += len;
	return place;
}

static int on_name(http_parser *parser, const char *at, size_t len)
{
	struct theirs *t = parser->data;

	if (t->lines == 0 || t->in_value) {
		if (t->lines == LINES) {
			t->too_many = true;
			return 0;
		}
		t->line[t->lines++] = (struct line){.name = t->text_len};
	}
	t->in_value = false;
	text_add(t, at, len);
	t->line[t->lines - 1].name_len += len;
	return 0;
}

static int on_value(http_parser *parser, const char *at, size_t len)
{
	struct theirs *t = parser->data;
	struct line *line = &t->line[t->lines - 1];

	if (t->too_many)
		return 0;
	if (!t->in_value)
		line->value = t->text_len;
	t->in_value = true;
	text_add(t, at, len);
	line->value_len += len;
	return 0;
}

static bool has_no_body(unsigned status)
{
	return status < 200 || status == 204 || status == 304;
}

static int on_head(http_parser *parser)
{
	struct theirs *t = parser->data;

	t->head_lines = t->lines;
	return has_no_body(parser->status_code);
}

static int on_body(http_parser *parser, const char *at, size_t len)
{
	struct theirs *t = parser->data;
	size_t keep = t->body_len < BODY_KEEP ? BODY_KEEP - t->body_len : 0;

	if (keep)
		memcpy(t->body + t->body_len, at, len < keep ? len : keep);
	t->body_len += len;
	return 0;
}

static int on_complete(http_parser *parser)
{
	struct theirs *t = parser->data;

	t->complete = true;
	http_parser_pause(parser, 1);
	return 0;
}

// Reads answers up to the first final one. Returns how many bytes they take; an answer that ends
// with the connection takes all.
static size_t theirs_read(struct theirs *t, http_parser *parser, const uint8_t *data, size_t len)
{
	static const http_parser_settings settings = {
		.on_header_field = on_name,
		.on_header_value = on_value,
		.on_headers_complete = on_head,
		.on_body = on_body,
		.on_message_complete = on_complete,
	};
	size_t at = 0;

	do {
		t->lines = t->text_len = t->body_len = 0;
		t->in_value = t->too_many = t->complete = false;
		http_parser_init(parser, HTTP_RESPONSE);
		parser->data = t;
		size_t n =
			http_parser_execute(parser, &settings, (const char *)data + at, len - at);

		if (HTTP_PARSER_ERRNO(parser) == HPE_OK && at + n == len)
			http_parser_execute(parser, &settings, NULL, 0);
		FUZZ_CHECK(t->complete);
		at += n;
	} while (parser->status_code < 200);
	return at;
}

// ---- both

static bool is_named(const struct line *line, const struct theirs *t, unsigned field)
{
	return line->name_len == strlen(names[field]) &&
		!strncasecmp(t->text + line->name, names[field], line->name_len);
}

// The value of a field as http-parser read it: of its first line, or of all if it is a list.
static bool value_of(const struct theirs *t, unsigned field, char *value)
{
	bool list = field == HTTP_FIELD_CACHE_CONTROL || field == HTTP_FIELD_CONNECTION ||
		field == HTTP_FIELD_OSCORE || field == HTTP_FIELD_VARY;
	bool found = false;

	*value = 0;
	for (size_t i = 0; i < t->head_lines && (!found || list); i++) {
		const struct line *line = &t->line[i];
		size_t len = line->value_len;
		const char *at = t->text + line->value;

		if (!is_named(line, t, field))
			continue;
		while (len && (*at == ' ' || *at == '\t'))
			at++, len--;
		while (len && (at[len - 1] == ' ' || at[len - 1] == '\t'))
			len--;
		if (found)
			strcat(value, ", ");
		strncat(value, at, len);
		found = true;
	}
	return found;
}

static void heads_compare(const struct ours *o, const struct theirs *t)
{
	static char value[TEXT_ROOM];

	for (unsigned i = 0; i < HTTP_FIELD_COUNT; i++) {
		const char *field = o->transfer.reply.field[i];
		bool found = value_of(t, i, value);

		FUZZ_CHECK(!field || (found && !strcmp(field, value)));
	}
}

static void both_compare(const uint8_t *data, size_t len, const struct ours *o)
{
	static struct theirs t;
	const struct http_reply *reply = &o->transfer.reply;
	http_parser parser;
	size_t taken = theirs_read(&t, &parser, data, len);

	FUZZ_CHECK(taken == o->taken);
	FUZZ_CHECK(parser.status_code == (unsigned)reply->status);
	FUZZ_CHECK(t.body_len == o->body.received);
	FUZZ_CHECK(reply->body_len == (t.body_len < BODY_KEEP ? t.body_len : BODY_KEEP));
	FUZZ_CHECK(reply->body_cut == (t.body_len > BODY_KEEP));
	FUZZ_CHECK(!reply->body_len || !memcmp(reply->body, t.body, reply->body_len));
	if (!t.too_many)
		heads_compare(o, &t);
}

static bool is_misread(const char *data, size_t len)
{
	static const char coding[] = "transfer-encoding", length[] = "content-length:";
	const size_t n = sizeof(coding) - 1, m = sizeof(length) - 1;

	for (size_t i = 0; i + n < len; i++) {
		bool is_coding = !strncasecmp(data + i, coding, n);

		if (is_coding && data[i + n] != ':')
			return true;
		if (!is_coding && strncasecmp(data + i, length, m))
			continue;
		const char *end = memchr(data + i, '\r', len - i);
		if (end && memchr(data + i, '\t', (size_t)(end - data) - i))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct ours whole, cut;

	if (len < 1)
		return 0;
	ours_read(&whole, data + 1, len - 1, 0);
	ours_read(&cut, data + 1, len - 1, data[0] | 1u);
	FUZZ_CHECK(whole.error == cut.error);
	FUZZ_CHECK(whole.error || whole.taken == cut.taken);
	FUZZ_CHECK(whole.error || whole.transfer.reply.status == cut.transfer.reply.status);
	FUZZ_CHECK(whole.error || whole.body.received == cut.body.received);
	if (!whole.error && !is_misread((const char *)data + 1, whole.taken))
		both_compare(data + 1, len - 1, &whole);
	ours_free(&whole);
	ours_free(&cut);
	return 0;
}
