// SPDX-License-Identifier: BSD-3-Clause
// Text that is put together in a buffer of a fixed size, and what may stand in it.

#ifndef POSTERN_GW_HTTP_TEXT_H
#define POSTERN_GW_HTTP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Running out of room sets `failed`, after which nothing more is written.
struct http_text {
	char *at;
	char *end;
	bool failed;
};

void http_text_init(struct http_text *text, char *buf, size_t room);
void http_text_put(struct http_text *text, const void *bytes, size_t len);
void http_text_str(struct http_text *text, const char *str);
void http_text_char(struct http_text *text, char c);
void http_text_decimal(struct http_text *text, uint64_t value);
// Two lower-case digits a byte.
void http_text_hex(struct http_text *text, const uint8_t *bytes, size_t len);
// Bytes that are neither unreserved (RFC 3986 section 2.3) nor in `also` become %XX.
void http_text_percent(struct http_text *text, const uint8_t *bytes, size_t len, const char *also);
// Ends a string that starts at *start, and sets *start behind it. Returns the string, or NULL if
// the text failed.
const char *http_text_end(struct http_text *text, char **start);

// Well-formed UTF-8 (RFC 3629), control characters included.
bool http_utf8_valid(const uint8_t *bytes, size_t len);
// The largest length of at most `room` bytes that cuts no character in two. bytes are valid UTF-8.
size_t http_utf8_cut(const uint8_t *bytes, size_t len, size_t room);

#endif
