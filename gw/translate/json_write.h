// SPDX-License-Identifier: BSD-3-Clause
// Writes JSON values into a buffer of a fixed size. Running out of room sets `full`, after which
// nothing more is written.

#ifndef POSTERN_GW_TRANSLATE_JSON_WRITE_H
#define POSTERN_GW_TRANSLATE_JSON_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tr_json {
	char *at;
	char *end;
	bool full;
};

void tr_json_put(struct tr_json *out, const char *text, size_t len);
void tr_json_char(struct tr_json *out, char c);

// The inside of a string. false if it is not UTF-8.
bool tr_json_text(struct tr_json *out, const uint8_t *text, size_t len)
	__attribute__((warn_unused_result));

// Base64url without padding (RFC 4648 section 5) of bytes that come in parts. Starts as all zeros.
struct tr_base64 {
	uint8_t rest[3];
	unsigned count; // bytes in rest
};

void tr_base64_put(struct tr_json *out, struct tr_base64 *base64, const uint8_t *bytes, size_t len);
void tr_base64_end(struct tr_json *out, struct tr_base64 *base64);

void tr_json_integer(struct tr_json *out, bool negative, uint64_t magnitude);
// A text of 17 digits at most that reads as the same double, with a fraction or an exponent so that
// it is told from an integer. The value is finite.
void tr_json_double(struct tr_json *out, double value);
// mantissa times 10 to the power of exponent, exactly (RFC 8949 section 3.4.4); |mantissa| is at
// most TR_INT_MAX. false if a reader's double would become infinite, or 0 though it is not.
bool tr_json_decimal(struct tr_json *out, bool negative, uint64_t mantissa, int64_t exponent)
	__attribute__((warn_unused_result));

#endif
