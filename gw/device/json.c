// SPDX-License-Identifier: BSD-3-Clause
// JSON by RFC 8259, as far as a list of devices has it: objects of strings, numbers, true, false
// and null, in an array or one after the other. An own parser, so that the input may be of any
// size, a depth is a number, and no copy of a secret is left on the heap.

#include "gw/device/record.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

// The text of one object, from { to }.
struct cursor {
	char *at, *end;
	struct error *error;
};

static bool fail(struct cursor *cursor, const char *why)
{
	error_set(cursor->error, 0, "%s", why);
	return false;
}

static void skip_blank(struct cursor *cursor)
{
	while (cursor->at < cursor->end && *cursor->at != 0 && strchr(" \t\r\n", *cursor->at))
		cursor->at++;
}

static bool accept(struct cursor *cursor, char c)
{
	skip_blank(cursor);
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

static bool hex4(struct cursor *cursor, unsigned *value)
{
	uint8_t bytes[2];
	const char *end;

	if (cursor->end - cursor->at < 4 ||
		sodium_hex2bin(bytes, 2, cursor->at, 4, NULL, NULL, &end) != 0 ||
		end != cursor->at + 4)
		return fail(cursor, "\\u without four hex digits");
	*value = bytes[0] << 8 | bytes[1];
	cursor->at += 4;
	return true;
}

static char *utf8_put(char *to, unsigned c)
{
	if (c < 0x80) {
		*to++ = c;
	} else if (c < 0x800) {
		*to++ = 0xc0 | c >> 6;
		*to++ = 0x80 | (c & 0x3f);
	} else if (c < 0x10000) {
		*to++ = 0xe0 | c >> 12;
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	} else {
		*to++ = 0xf0 | c >> 18;
		*to++ = 0x80 | (c >> 12 & 0x3f);
		*to++ = 0x80 | (c >> 6 & 0x3f);
		*to++ = 0x80 | (c & 0x3f);
	}
	return to;
}

static bool unicode_escape(struct cursor *cursor, char **to)
{
	unsigned c, low;

	if (!hex4(cursor, &c))
		return false;
	if (c >= 0xdc00 && c < 0xe000)
		return fail(cursor, "half of a surrogate pair");
	if (c >= 0xd800 && c < 0xdc00) {
		if (cursor->end - cursor->at < 2 || cursor->at[0] != '\\' || cursor->at[1] != 'u')
			return fail(cursor, "half of a surrogate pair");
		cursor->at += 2;
		if (!hex4(cursor, &low))
			return false;
		if (low < 0xdc00 || low >= 0xe000)
			return fail(cursor, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = utf8_put(*to, c);
	return true;
}

static bool escape(struct cursor *cursor, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";

	char c = *cursor->at++;
	if (c == 'u')
		return unicode_escape(cursor, to);
	const char *known = c != 0 ? strchr(from, c) : NULL;
	if (known == NULL)
		return fail(cursor, "an unknown escape in a string");
	*(*to)++ = into[known - from];
	return true;
}

// Decodes in place, which never takes more bytes, and ends the text with 0. cursor->at is behind
// the first quote.
static bool string(struct cursor *cursor, char **text, size_t *len)
{
	char *to = cursor->at;

	*text = to;
	while (cursor->at < cursor->end && *cursor->at != '"') {
		char c = *cursor->at++;
		if ((unsigned char)c < 0x20)
			return fail(cursor, "a control character in a string");
		if (c != '\\')
			*to++ = c;
		else if (cursor->at == cursor->end || !escape(cursor, &to))
			return false;
	}
	if (cursor->at == cursor->end)
		return fail(cursor, "a string without end");
	cursor->at++;
	*len = to - *text;
	*to = 0;
	return true;
}

static size_t digits(const char *at)
{
	return strspn(at, "0123456789");
}

// Length of the number at `at`, 0 if it is none. The text ends with }, so it is never left.
static size_t number_len(const char *at)
{
	const char *c = at + (*at == '-');

	if (digits(c) == 0 || (*c == '0' && digits(c) > 1))
		return 0;
	c += digits(c);
	if (*c == '.') {
		if (digits(c + 1) == 0)
			return 0;
		c += 1 + digits(c + 1);
	}
	if (*c == 'e' || *c == 'E') {
		c++;
		c += *c == '+' || *c == '-';
		if (digits(c) == 0)
			return 0;
		c += digits(c);
	}
	return c - at;
}

static bool word(struct cursor *cursor, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, text, len) != 0)
		return false;
	cursor->at += len;
	return true;
}

// The value of a member, into *record unless it is null. Numbers and words are followed by a blank,
// comma or brace; the caller ends their text with 0 when it has read that.
static bool value(struct cursor *cursor, enum record_kind *kind, char **text, size_t *len)
{
	skip_blank(cursor);
	*text = cursor->at;
	if (accept(cursor, '"')) {
		*kind = RECORD_STRING;
		return string(cursor, text, len);
	}
	if (word(cursor, "true") || word(cursor, "false")) {
		*kind = RECORD_BOOL;
	} else if (word(cursor, "null")) {
		*kind = RECORD_ABSENT;
	} else {
		*kind = RECORD_NUMBER;
		cursor->at += number_len(cursor->at);
	}
	*len = cursor->at - *text;
	if (*len > 0)
		return true;
	if (*cursor->at == '{' || *cursor->at == '[')
		return fail(cursor, "a list or an object where a value must be");
	return fail(cursor, "not a value of JSON");
}

static bool member(struct cursor *cursor, struct record *record, unsigned *seen)
{
	char *key, *text;
	size_t key_len, len;
	enum record_kind kind;

	if (!accept(cursor, '"'))
		return fail(cursor, "the name of a value is missing");
	if (!string(cursor, &key, &key_len))
		return false;
	const struct device_attribute *attribute = device_attribute(key, key_len);
	if (attribute == NULL) {
		error_set(cursor->error, 0, "no value is named \"%.64s\"", key);
		return false;
	}
	unsigned column = attribute - device_attributes;
	if (*seen & 1u << column) {
		error_set(cursor->error, 0, "%s: is there twice", key);
		return false;
	}
	*seen |= 1u << column;
	if (!accept(cursor, ':'))
		return fail(cursor, "a colon is missing");
	if (!value(cursor, &kind, &text, &len))
		return false;
	record->value[column].kind = kind;
	record->value[column].text = text;
	record->value[column].len = len;
	return true;
}

static bool object(struct cursor *cursor, struct record *record)
{
	unsigned seen = 0;

	if (!accept(cursor, '{'))
		return fail(cursor, "not an object");
	if (accept(cursor, '}'))
		return true;
	do {
		if (!member(cursor, record, &seen))
			return false;
	} while (accept(cursor, ','));
	if (!accept(cursor, '}'))
		return fail(cursor, "a comma or the end of the object is missing");
	if (cursor->at != cursor->end)
		return fail(cursor, "braces that do not match");
	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (record->value[i].kind != RECORD_ABSENT)
			((char *)record->value[i].text)[record->value[i].len] = 0;
	}
	return true;
}

static enum parse_verdict object_end(struct json *json, struct record *record, struct error *error)
{
	memset(record, 0, sizeof(*record));
	record->line = json->first_line;
	json->state = json->in_array ? JSON_ARRAY_NEXT : JSON_STREAM;
	if (json->len > RECORD_LEN_MAX) {
		error_set(error, 0, "the object is too long");
		return PARSE_BAD_RECORD;
	}
	json->row[json->len] = 0;
	struct cursor cursor = {json->row, json->row + json->len, error};
	return object(&cursor, record) ? PARSE_RECORD : PARSE_BAD_RECORD;
}

// Takes one character of an object, whatever is in it. True at its end.
static bool take(struct json *json, char c)
{
	if (json->len < RECORD_LEN_MAX)
		json->row[json->len] = c;
	if (json->len <= RECORD_LEN_MAX)
		json->len++;
	if (json->in_string) {
		if (json->escaped)
			json->escaped = false;
		else if (c == '\\')
			json->escaped = true;
		else if (c == '"')
			json->in_string = false;
		return false;
	}
	if (c == '"')
		json->in_string = true;
	else if (c == '{' || c == '[')
		json->depth++;
	else if (c == '}' || c == ']')
		json->depth--;
	return json->depth == 0;
}

// Takes one character between objects. False if it cannot stand there.
static bool between(struct json *json, char c)
{
	if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
		return true;
	bool value_allowed = json->state != JSON_ARRAY_NEXT && json->state != JSON_DONE;
	if (c == '{' && value_allowed) {
		json->state = JSON_OBJECT;
		json->len = 0;
		json->depth = 0;
		json->in_string = false;
		json->escaped = false;
		json->first_line = json->line + 1;
		take(json, c);
		return true;
	}
	if (c == '[' && json->state == JSON_START) {
		json->in_array = true;
		json->state = JSON_ARRAY_FIRST;
		return true;
	}
	if (c == ',' && json->state == JSON_ARRAY_NEXT) {
		json->state = JSON_ARRAY_VALUE;
		return true;
	}
	if (c == ']' && (json->state == JSON_ARRAY_NEXT || json->state == JSON_ARRAY_FIRST)) {
		json->state = JSON_DONE;
		return true;
	}
	return false;
}

static enum parse_verdict input_end(struct json *json, struct error *error)
{
	switch (json->state) {
	case JSON_STREAM:
	case JSON_DONE:
		return PARSE_END;
	case JSON_OBJECT:
		error_set(error, 0, "the object that begins on line %llu has no end",
			(unsigned long long)json->first_line);
		return PARSE_BROKEN;
	case JSON_START:
		error_set(error, 0, "the file is empty");
		return PARSE_BROKEN;
	default:
		error_set(error, 0, "the list has no end");
		return PARSE_BROKEN;
	}
}

enum parse_verdict json_parse(
	struct json *json, struct parse_input *input, struct record *record, struct error *error)
{
	while (input->used < input->len) {
		char c = input->data[input->used++];
		if (json->state == JSON_OBJECT) {
			if (take(json, c))
				return object_end(json, record, error);
		} else if (!between(json, c)) {
			error_set(error, 0,
				json->state == JSON_START
					? "line %llu: not JSON: it must begin with [ or {"
					: "line %llu: not JSON: an object, a comma or the end of "
					  "the list must be here",
				(unsigned long long)json->line + 1);
			return PARSE_BROKEN;
		}
		json->line += c == '\n';
	}
	return input->last ? input_end(json, error) : PARSE_NEED_DATA;
}
