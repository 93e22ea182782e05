// SPDX-License-Identifier: BSD-3-Clause

#include "gw/http/text.h"

#include "base/utf8.h"

#include <string.h>

static const char lower_digits[] = "0123456789abcdef";
static const char upper_digits[] = "0123456789ABCDEF"; // for %XX, RFC 3986 section 2.1

void http_text_init(struct http_text *text, char *buf, size_t room)
{
	*text = (struct http_text){.at = buf, .end = buf + room};
}

void http_text_put(struct http_text *text, const void *bytes, size_t len)
{
	if (text->failed || (size_t)(text->end - text->at) < len) {
		text->failed = true;
		return;
	}
	if (len)
		memcpy(text->at, bytes, len);
	text->at += len;
}

void http_text_str(struct http_text *text, const char *str)
{
	http_text_put(text, str, strlen(str));
}

void http_text_char(struct http_text *text, char c)
{
	if (text->failed || text->at == text->end) {
		text->failed = true;
		return;
	}
	*text->at++ = c;
}

void http_text_decimal(struct http_text *text, uint64_t value)
{
	char digits[20];
	unsigned n = sizeof(digits);

	do {
		digits[--n] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	http_text_put(text, digits + n, sizeof(digits) - n);
}

void http_text_hex(struct http_text *text, const uint8_t *bytes, size_t len)
{
	if (text->failed || (size_t)(text->end - text->at) < 2 * len) {
		text->failed = true;
		return;
	}
	for (size_t i = 0; i < len; i++) {
		*text->at++ = lower_digits[bytes[i] >> 4];
		*text->at++ = lower_digits[bytes[i] & 15];
	}
}

static bool is_unreserved(uint8_t c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		c == '-' || c == '.' || c == '_' || c == '~';
}

void http_text_percent(struct http_text *text, const uint8_t *bytes, size_t len, const char *also)
{
	for (size_t i = 0; i < len; i++) {
		size_t plain = i;

		while (i < len && is_unreserved(bytes[i]))
			i++;
		http_text_put(text, bytes + plain, i - plain);
		if (i == len)
			break;
		uint8_t c = bytes[i];
		if (c && strchr(also, c)) {
			http_text_char(text, (char)c);
			continue;
		}
		http_text_char(text, '%');
		http_text_char(text, upper_digits[c >> 4]);
		http_text_char(text, upper_digits[c & 15]);
	}
}

const char *http_text_end(struct http_text *text, char **start)
{
	const char *str = *start;

	http_text_char(text, 0);
	*start = text->at;
	return text->failed ? NULL : str;
}

// How many of the first bytes are ASCII, counted in words.
static size_t ascii_words(const uint8_t *bytes, size_t len)
{
	size_t at = 0;
	uint64_t word;

	for (; len - at >= sizeof(word); at += sizeof(word)) {
		memcpy(&word, bytes + at, sizeof(word));
		if (word & UINT64_C(0x8080808080808080))
			break;
	}
	return at;
}

bool http_utf8_valid(const uint8_t *bytes, size_t len)
{
	while (len) {
		size_t n = ascii_words(bytes, len);

		if (!n)
			n = utf8_len(bytes, len);
		if (!n)
			return false;
		bytes += n;
		len -= n;
	}
	return true;
}

size_t http_utf8_cut(const uint8_t *bytes, size_t len, size_t room)
{
	if (len <= room)
		return len;
	while (room && (bytes[room] & 0xc0) == 0x80)
		room--;
	return room;
}
