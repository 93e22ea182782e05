// SPDX-License-Identifier: BSD-3-Clause

#include "gw/batch/json.h"

#include "base/utf8.h"

#include <string.h>

#define EMBED_DEPTH  16
#define EMBED_NAMES  64
#define NUMBER_MAX   64  // characters
#define DIGITS_MAX   18  // of an integer
#define EXPONENT_MAX 240 // with NUMBER_MAX digits in front still below 1e308

// What may come next.
enum {
	VALUE,        // at the start, behind a colon, and behind a comma in an array
	FIRST_VALUE,  // behind [: or its end
	FIRST_MEMBER, // behind {: or its end
	COMMA,        // behind a value: or the end of what is open
	NOTHING,      // behind the last value
	FAILED,
};

void json_init(struct json *json, const uint8_t *text, size_t len, unsigned depth_max)
{
	*json = (struct json){.at = text,
		.end = len ? text + len : text,
		.depth_max = (uint8_t)depth_max,
		.expect = VALUE};
}

void json_init_loose(struct json *json, const uint8_t *text, size_t len)
{
	json_init(json, text, len, JSON_DEPTH_MAX);
	json->loose = true;
}

static enum json_token fail(struct json *json)
{
	json->expect = FAILED;
	return TOKEN_BAD;
}

static void blanks_skip(struct json *json)
{
	while (json->at < json->end &&
		(*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
		json->at++;
}

static void value_over(struct json *json)
{
	json->expect = json->depth ? COMMA : NOTHING;
}

// ---- strings

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// The four digits of \u, or -1.
static int unit_read(const uint8_t *at, const uint8_t *end)
{
	int unit = 0;

	if (end - at < 4)
		return -1;
	for (unsigned i = 0; i < 4; i++) {
		int digit = hex_value(at[i]);

		if (digit < 0)
			return -1;
		unit = unit << 4 | digit;
	}
	return unit;
}

// Code points that no text has (Unicode section 23.7).
static bool is_noncharacter(uint32_t c)
{
	return (c & 0xfffe) == 0xfffe || (c >= 0xfdd0 && c <= 0xfdef);
}

// Reads an escape, at the character behind the backslash. Returns its length without the backslash,
// 0 if it is none. *c: the code point.
static unsigned escape_read(const uint8_t *at, const uint8_t *end, uint32_t *c)
{
	static const char plain[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	const char *found;

	if (at == end)
		return 0;
	if (*at != 'u') {
		found = *at ? strchr(plain, *at) : NULL;
		*c = found ? (uint32_t)meant[found - plain] : 0;
		return found ? 1 : 0;
	}
	int high = unit_read(at + 1, end);
	if (high <= 0 || (high >= 0xdc00 && high <= 0xdfff))
		return 0;
	*c = (uint32_t)high;
	if (high < 0xd800 || high > 0xdbff)
		return is_noncharacter(*c) ? 0 : 5;
	if (end - at < 11 || at[5] != '\\' || at[6] != 'u')
		return 0;
	int low = unit_read(at + 7, end);
	if (low < 0xdc00 || low > 0xdfff)
		return 0;
	*c = 0x10000 + (((uint32_t)high & 0x3ff) << 10 | ((uint32_t)low & 0x3ff));
	return is_noncharacter(*c) ? 0 : 11;
}

// Length of a character beyond ASCII, 0 if it is none or may not be there.
static unsigned wide_len(const uint8_t *at, size_t left)
{
	unsigned len = utf8_len(at, left);

	// U+FDD0 to U+FDEF, and the last two of each plane.
	if (len == 3 && at[0] == 0xef &&
		((at[1] == 0xb7 && at[2] >= 0x90 && at[2] <= 0xaf) ||
			(at[1] == 0xbf && at[2] >= 0xbe)))
		return 0;
	if (len == 4 && (at[1] & 0x0f) == 0x0f && at[2] == 0xbf && at[3] >= 0xbe)
		return 0;
	return len;
}

typedef uint8_t bytes16 __attribute__((vector_size(16)));

// How many of the next 16 bytes are ASCII without controls, quotes and backslashes.
static inline unsigned plain_16(const uint8_t *at)
{
	bytes16 b, odd;
	uint64_t half[2];

	memcpy(&b, at, 16);
	odd = (bytes16)((b < 0x20) | (b > 0x7f) | (b == '"') | (b == '\\'));
	memcpy(half, &odd, 16);
	if (half[0])
		return (unsigned)__builtin_ctzll(half[0]) / 8;
	return half[1] ? 8 + (unsigned)__builtin_ctzll(half[1]) / 8 : 16;
}

static inline const uint8_t *plain_skip(const uint8_t *at, const uint8_t *end)
{
	while (end - at >= 16) {
		unsigned n = plain_16(at);

		at += n;
		if (n < 16)
			return at;
	}
	while (at < end && *at >= 0x20 && *at < 0x80 && *at != '"' && *at != '\\')
		at++;
	return at;
}

// The same where any character may be there.
static unsigned loose_len(const uint8_t *at, const uint8_t *end)
{
	if (*at != '\\')
		return 1;
	if (end - at < 2)
		return 0;
	if (at[1] == 'u')
		return unit_read(at + 2, end) < 0 ? 0 : 6;
	return at[1] && strchr("\"\\/bfnrt", at[1]) ? 2 : 0;
}

// Reads a string, at its quote.
static bool string_read(struct json *json)
{
	const uint8_t *at = json->at + 1, *end = json->end;
	uint32_t c;

	json->text = at;
	json->escaped = false;
	for (;;) {
		unsigned n;

		at = plain_skip(at, end);
		if (at == end || *at < 0x20)
			return false;
		if (*at == '"')
			break;
		json->escaped |= *at == '\\';
		if (json->loose) {
			n = loose_len(at, end);
		} else if (*at == '\\') {
			n = escape_read(at + 1, end, &c);
			at += n ? 1 : 0;
		} else {
			n = wide_len(at, (size_t)(end - at));
		}
		if (!n)
			return false;
		at += n;
	}
	json->len = (size_t)(at - json->text);
	json->at = at + 1;
	return true;
}

static unsigned utf8_put(uint8_t *at, uint32_t c)
{
	unsigned len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
	static const uint8_t lead[] = {0, 0, 0xc0, 0xe0, 0xf0};

	for (unsigned i = len; i-- > 1; c >>= 6)
		at[i] = (uint8_t)(0x80 | (c & 0x3f));
	at[0] = (uint8_t)(lead[len] | c);
	return len;
}

size_t json_unescape(const struct json *json, uint8_t *buf, size_t room)
{
	const uint8_t *at = json->text, *end = at + json->len;
	size_t len = 0;

	while (at < end) {
		uint32_t c;

		if (room - len < 4 && (room - len < (size_t)(end - at)))
			return SIZE_MAX;
		if (*at != '\\') {
			buf[len++] = *at++;
			continue;
		}
		unsigned n = escape_read(at + 1, end, &c);
		if (!n)
			return SIZE_MAX;
		at += 1 + n;
		len += utf8_put(buf + len, c);
	}
	return len;
}

bool json_is(const struct json *json, const char *text)
{
	return json->len == strlen(text) && !memcmp(json->text, text, json->len);
}

// ---- numbers

static const uint8_t *digits_skip(const uint8_t *at, const uint8_t *end)
{
	while (at < end && *at >= '0' && *at <= '9')
		at++;
	return at;
}

// RFC 8259 section 6.
static bool number_read(struct json *json)
{
	const uint8_t *at = json->at, *end = json->end, *digits;
	bool whole = true;

	json->text = at;
	at += *at == '-';
	digits = at;
	at = digits_skip(at, end);
	if (at == digits || (*digits == '0' && at - digits > 1))
		return false;
	size_t count = (size_t)(at - digits);
	if (at < end && *at == '.') {
		digits = ++at;
		at = digits_skip(at, end);
		if (at == digits)
			return false;
		whole = false;
	}
	if (at < end && (*at | 0x20) == 'e') {
		unsigned exponent = 0;

		at++;
		at += at < end && (*at == '+' || *at == '-');
		digits = at;
		for (; at < end && *at >= '0' && *at <= '9' && at - digits < NUMBER_MAX; at++)
			exponent = exponent > EXPONENT_MAX ? exponent : exponent * 10 + *at - '0';
		if (json->loose)
			at = digits_skip(at, end);
		if (at == digits || (exponent > EXPONENT_MAX && !json->loose))
			return false;
		whole = false;
	}
	json->len = (size_t)(at - json->text);
	json->at = at;
	return json->loose || (json->len <= NUMBER_MAX && (!whole || count <= DIGITS_MAX));
}

// ---- tokens

static enum json_token word_read(
	struct json *json, const char *word, size_t len, enum json_token token)
{
	if ((size_t)(json->end - json->at) < len || memcmp(json->at, word, len))
		return fail(json);
	json->at += len;
	value_over(json);
	return token;
}

// Goes behind a list or object, at its bracket.
static enum json_token brackets_pass(struct json *json)
{
	size_t open = 0;

	while (json->at < json->end) {
		uint8_t c = *json->at;

		if (c == '"') {
			if (!string_read(json))
				break;
			continue;
		}
		json->at++;
		open += c == '[' || c == '{';
		open -= c == ']' || c == '}';
		if (!open) {
			value_over(json);
			return TOKEN_NULL;
		}
	}
	return fail(json);
}

static enum json_token open_read(struct json *json, bool object)
{
	if (json->depth == json->depth_max)
		return json->loose ? brackets_pass(json) : fail(json);
	json->objects =
		(json->objects & ~(UINT64_C(1) << json->depth)) | (uint64_t)object << json->depth;
	json->depth++;
	json->at++;
	json->expect = object ? FIRST_MEMBER : FIRST_VALUE;
	return object ? TOKEN_OBJECT : TOKEN_ARRAY;
}

static enum json_token value_read(struct json *json)
{
	switch (*json->at) {
	case '"':
		if (!string_read(json))
			return fail(json);
		value_over(json);
		return TOKEN_STRING;
	case '{':
		return open_read(json, true);
	case '[':
		return open_read(json, false);
	case 't':
		return word_read(json, "true", 4, TOKEN_TRUE);
	case 'f':
		return word_read(json, "false", 5, TOKEN_FALSE);
	case 'n':
		return word_read(json, "null", 4, TOKEN_NULL);
	default:
		if (!number_read(json))
			return fail(json);
		value_over(json);
		return TOKEN_NUMBER;
	}
}

// A name and the colon behind it.
static enum json_token name_read(struct json *json)
{
	if (*json->at != '"' || !string_read(json))
		return fail(json);
	blanks_skip(json);
	if (json->at == json->end || *json->at != ':')
		return fail(json);
	json->at++;
	json->expect = VALUE;
	return TOKEN_NAME;
}

static enum json_token close_read(struct json *json, bool object)
{
	json->at++;
	json->depth--;
	value_over(json);
	return object ? TOKEN_OBJECT_END : TOKEN_ARRAY_END;
}

enum json_token json_next(struct json *json)
{
	blanks_skip(json);
	if (json->expect == FAILED)
		return TOKEN_BAD;
	if (json->at == json->end)
		return json->expect == NOTHING ? TOKEN_END : fail(json);
	bool object = json->depth && json->objects >> (json->depth - 1) & 1;
	if (json->expect == COMMA) {
		if (*json->at == (object ? '}' : ']'))
			return close_read(json, object);
		if (*json->at != ',')
			return fail(json);
		json->at++;
		blanks_skip(json);
		if (json->at == json->end)
			return fail(json);
		return object ? name_read(json) : value_read(json);
	}
	switch (json->expect) {
	case FIRST_MEMBER:
		return *json->at == '}' ? close_read(json, true) : name_read(json);
	case FIRST_VALUE:
		return *json->at == ']' ? close_read(json, false) : value_read(json);
	case VALUE:
		return value_read(json);
	default:
		return fail(json);
	}
}

bool json_skip(struct json *json, enum json_token token)
{
	unsigned depth = 0;

	for (;;) {
		switch (token) {
		case TOKEN_BAD:
		case TOKEN_END:
			return false;
		case TOKEN_OBJECT:
		case TOKEN_ARRAY:
			depth++;
			break;
		case TOKEN_OBJECT_END:
		case TOKEN_ARRAY_END:
			depth--;
			break;
		default:
			break;
		}
		if (!depth && token != TOKEN_NAME)
			return true;
		token = json_next(json);
	}
}

// ---- what may be embedded

struct name {
	const uint8_t *text;
	uint32_t len;
	uint32_t depth;
};

struct names {
	unsigned count;
	struct name name[EMBED_NAMES];
};

// Whether the name is the first of its object with these bytes.
static bool name_new(struct names *names, const struct json *json)
{
	const struct name new = {json->text, (uint32_t)json->len, json->depth};

	if (json->escaped || names->count == EMBED_NAMES)
		return false;
	for (unsigned i = names->count; i-- > 0 && names->name[i].depth == new.depth;)
		if (names->name[i].len == new.len &&
			!memcmp(names->name[i].text, new.text, new.len))
			return false;
	names->name[names->count++] = new;
	return true;
}

bool json_embeds(const uint8_t *text, size_t len)
{
	struct names names;
	struct json json;

	names.count = 0;
	json_init(&json, text, len, EMBED_DEPTH);
	for (;;) {
		switch (json_next(&json)) {
		case TOKEN_BAD:
			return false;
		case TOKEN_END:
			return true;
		case TOKEN_NAME:
			if (!name_new(&names, &json))
				return false;
			break;
		case TOKEN_OBJECT_END: // its names were one level deeper
			while (names.count && names.name[names.count - 1].depth > json.depth)
				names.count--;
			break;
		default:
			break;
		}
	}
}

// ---- text

bool json_text_fits(const uint8_t *text, size_t len, size_t *size)
{
	const uint8_t *at = text, *end = text + len;
	size_t extra = 2;

	for (;;) {
		at = plain_skip(at, end);
		if (at == end)
			break;
		if (*at >= 0x80) {
			unsigned n = wide_len(at, (size_t)(end - at));

			if (!n)
				return false;
			at += n;
			continue;
		}
		if (!*at)
			return false;
		extra += *at < 0x20 ? 5 : 1; // \u00XX, or a backslash in front
		at++;
	}
	*size = len + extra;
	return true;
}

uint8_t *json_text_put(uint8_t *at, const uint8_t *text, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	*at++ = '"';
	for (size_t i = 0; i < len; i++) {
		uint8_t c = text[i];

		if (c < 0x20) {
			memcpy(at, "\\u00", 4);
			at[4] = (uint8_t)digits[c >> 4];
			at[5] = (uint8_t)digits[c & 15];
			at += 6;
			continue;
		}
		if (c == '"' || c == '\\')
			*at++ = '\\';
		*at++ = c;
	}
	*at++ = '"';
	return at;
}
