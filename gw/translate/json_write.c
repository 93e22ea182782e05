// SPDX-License-Identifier: BSD-3-Clause

#include "gw/translate/json_write.h"

#include "base/utf8.h"
#include "gw/translate/translate.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX   20  // of a uint64_t
#define EXPONENT_MAX 400 // beyond it a mantissa up to TR_INT_MAX is infinite or 0
#define POINT_MAX    20  // digits behind a point; with more of them an exponent is shorter

void tr_json_put(struct tr_json *out, const char *text, size_t len)
{
	if (out->full || (size_t)(out->end - out->at) < len) {
		out->full = true;
		return;
	}
	memcpy(out->at, text, len);
	out->at += len;
}

void tr_json_char(struct tr_json *out, char c)
{
	if (out->full || out->at == out->end) {
		out->full = true;
		return;
	}
	*out->at++ = c;
}

// Writes the escape of a character that has one (RFC 8259 section 7).
static void escape_put(struct tr_json *out, uint8_t c)
{
	static const char digits[] = "0123456789abcdef";
	static const char letters[0x20] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};

	if (c >= 0x20 || letters[c]) {
		const char two[] = {'\\', c >= 0x20 ? (char)c : letters[c]};

		tr_json_put(out, two, sizeof(two));
		return;
	}
	const char six[] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};
	tr_json_put(out, six, sizeof(six));
}

bool tr_json_text(struct tr_json *out, const uint8_t *text, size_t len)
{
	const uint8_t *plain = text, *at = text, *end = text + len;

	while (at < end) {
		uint8_t c = *at;

		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			at++;
			continue;
		}
		if (c >= 0x80) {
			unsigned n = utf8_len(at, (size_t)(end - at));

			if (!n)
				return false;
			at += n;
			continue;
		}
		tr_json_put(out, (const char *)plain, (size_t)(at - plain));
		escape_put(out, c);
		plain = ++at;
	}
	tr_json_put(out, (const char *)plain, (size_t)(end - plain));
	return true;
}

// Writes 2 to 4 characters for 1 to 3 bytes; what is not there counts as 0.
static void base64_group(struct tr_json *out, const uint8_t bytes[3], unsigned count)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	uint32_t bits = (uint32_t)bytes[0] << 16 | (uint32_t)bytes[1] << 8 | bytes[2];
	char four[4];

	for (unsigned i = 0; i < 4; i++)
		four[i] = digits[bits >> (18 - 6 * i) & 63];
	tr_json_put(out, four, count + 1);
}

void tr_base64_put(struct tr_json *out, struct tr_base64 *base64, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len && !out->full; i++) {
		base64->rest[base64->count++] = bytes[i];
		if (base64->count == 3) {
			base64_group(out, base64->rest, 3);
			*base64 = (struct tr_base64){.count = 0};
		}
	}
}

void tr_base64_end(struct tr_json *out, struct tr_base64 *base64)
{
	if (base64->count)
		base64_group(out, base64->rest, base64->count);
}

static unsigned digits_of(uint64_t value, char digits[DIGITS_MAX])
{
	char backwards[DIGITS_MAX];
	unsigned n = 0;

	do {
		backwards[n++] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	for (unsigned i = 0; i < n; i++)
		digits[i] = backwards[n - 1 - i];
	return n;
}

void tr_json_integer(struct tr_json *out, bool negative, uint64_t magnitude)
{
	char digits[DIGITS_MAX];

	if (negative)
		tr_json_char(out, '-');
	tr_json_put(out, digits, digits_of(magnitude, digits));
}

// Writes mantissa / 10^places with a point.
static void pointed_put(struct tr_json *out, bool negative, uint64_t mantissa, unsigned places)
{
	static const char zeros[POINT_MAX] = "00000000000000000000";
	char digits[DIGITS_MAX];
	unsigned n = digits_of(mantissa, digits);

	if (negative)
		tr_json_char(out, '-');
	if (n > places) {
		tr_json_put(out, digits, n - places);
		tr_json_char(out, '.');
		tr_json_put(out, digits + n - places, places);
		return;
	}
	tr_json_put(out, "0.", 2);
	tr_json_put(out, zeros, places - n);
	tr_json_put(out, digits, n);
}

// Most readings are a few digits. The quotient of two integers that are doubles is rounded as the
// text that it is would be read, so the text is right if the quotient is the value.
static bool double_put_short(struct tr_json *out, double value)
{
	static const double powers[] = {1e1, 1e2, 1e3, 1e4, 1e5, 1e6};
	double magnitude = fabs(value);

	for (unsigned i = 0; i < sizeof(powers) / sizeof(powers[0]); i++) {
		double scaled = nearbyint(magnitude * powers[i]);

		if (scaled > 1e15)
			return false;
		if (scaled / powers[i] == magnitude) {
			pointed_put(out, signbit(value), (uint64_t)scaled, i + 1);
			return true;
		}
	}
	return false;
}

void tr_json_double(struct tr_json *out, double value)
{
	char text[40];
	int len = 0;

	if (double_put_short(out, value))
		return;
	for (int precision = 15; precision <= 17; precision++) {
		len = snprintf(text, sizeof(text), "%.*g", precision, value);
		if (strtod(text, NULL) == value)
			break;
	}
	tr_json_put(out, text, (size_t)len);
	if (!strpbrk(text, ".e"))
		tr_json_put(out, ".0", 2);
}

bool tr_json_decimal(struct tr_json *out, bool negative, uint64_t mantissa, int64_t exponent)
{
	char text[64];

	if (!mantissa) {
		tr_json_char(out, '0');
		return true;
	}
	if (exponent < -EXPONENT_MAX || exponent > EXPONENT_MAX)
		return false;
	if (exponent == 0) {
		tr_json_integer(out, negative, mantissa);
		return true;
	}
	if (exponent < 0 && exponent >= -POINT_MAX) {
		pointed_put(out, negative, mantissa, (unsigned)-exponent);
		return true;
	}
	int len = snprintf(text, sizeof(text), "%s%" PRIu64 "e%" PRId64, negative ? "-" : "",
		mantissa, exponent);
	double value = strtod(text, NULL);
	if (!isfinite(value) || value == 0)
		return false;
	tr_json_put(out, text, (size_t)len);
	return true;
}
