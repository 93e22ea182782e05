// SPDX-License-Identifier: BSD-3-Clause

#include "gw/device/json_text.h"

#include <sodium.h>
#include <string.h>

bool json_text_fail(struct json_text *cursor, const char *why)
{
	error_set(cursor->error, 0, "%s", why);
	return false;
}

void json_text_skip(struct json_text *cursor)
{
	while (cursor->at < cursor->end && *cursor->at != 0 && strchr(" \t\r\n", *cursor->at))
		cursor->line += *cursor->at++ == '\n';
}

bool json_text_accept(struct json_text *cursor, char c)
{
	json_text_skip(cursor);
	if (cursor->at == cursor->end || *cursor->at != c)
		return false;
	cursor->at++;
	return true;
}

static bool hex4(struct json_text *cursor, unsigned *value)
{
	uint8_t bytes[2];
	const char *end;

	if (cursor->end - cursor->at < 4 ||
		sodium_hex2bin(bytes, 2, cursor->at, 4, NULL, NULL, &end) != 0 ||
		end != cursor->at + 4)
		return json_text_fail(cursor, "\\u without four hex digits");
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

static bool unicode_escape(struct json_text *cursor, char **to)
{
	unsigned c = 0, low = 0;

	if (!hex4(cursor, &c))
		return false;
	if (c >= 0xdc00 && c < 0xe000)
		return json_text_fail(cursor, "half of a surrogate pair");
	if (c >= 0xd800 && c < 0xdc00) {
		if (cursor->end - cursor->at < 2 || cursor->at[0] != '\\' || cursor->at[1] != 'u')
			return json_text_fail(cursor, "half of a surrogate pair");
		cursor->at += 2;
		if (!hex4(cursor, &low))
			return false;
		if (low < 0xdc00 || low >= 0xe000)
			return json_text_fail(cursor, "half of a surrogate pair");
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
	}
	*to = utf8_put(*to, c);
	return true;
}

static bool escape(struct json_text *cursor, char **to)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";

	char c = *cursor->at++;
	if (c == 'u')
		return unicode_escape(cursor, to);
	const char *known = c != 0 ? strchr(from, c) : NULL;
	if (known == NULL)
		return json_text_fail(cursor, "an unknown escape in a string");
	*(*to)++ = into[known - from];
	return true;
}

bool json_text_string(struct json_text *cursor, char **text, size_t *len)
{
	char *to = cursor->at;

	*text = to;
	while (cursor->at < cursor->end && *cursor->at != '"') {
		char c = *cursor->at++;
		if ((unsigned char)c < 0x20)
			return json_text_fail(cursor, "a control character in a string");
		if (c != '\\')
			*to++ = c;
		else if (cursor->at == cursor->end || !escape(cursor, &to))
			return false;
	}
	if (cursor->at == cursor->end)
		return json_text_fail(cursor, "a string without end");
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

static bool word(struct json_text *cursor, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, text, len) != 0)
		return false;
	cursor->at += len;
	return true;
}

bool json_text_value(struct json_text *cursor, enum record_kind *kind, char **text, size_t *len)
{
	json_text_skip(cursor);
	*text = cursor->at;
	if (json_text_accept(cursor, '"')) {
		*kind = RECORD_STRING;
		return json_text_string(cursor, text, len);
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
		return json_text_fail(cursor, "a list or an object where a value must be");
	return json_text_fail(cursor, "not a value of JSON");
}
