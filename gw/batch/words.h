// SPDX-License-Identifier: BSD-3-Clause
// Names, numbers and times as records have them. Private to this folder.

#ifndef POSTERN_GW_BATCH_WORDS_H
#define POSTERN_GW_BATCH_WORDS_H

#include "gw/http/text.h"

#include <stdint.h>
#include <string.h>

// The device's name, as it stands in the header Device-Id.
void word_device_put(struct http_text *text, const char *name);
// The fingerprint in hex.
void word_fingerprint_put(struct http_text *text, uint64_t fingerprint);

static inline uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

#define PUT_TEXT(at, text) put((at), (text), sizeof(text) - 1)

#define PIV_DIGITS 13 // of the largest Partial IV, 2^40 - 1

// The 13 digits of a Partial IV.
void word_piv_digits(uint64_t piv, uint8_t digits[PIV_DIGITS]);
// Where a number begins in them.
static inline unsigned piv_start(const uint8_t digits[PIV_DIGITS])
{
	unsigned start = 0;

	while (start < PIV_DIGITS - 1 && digits[start] == '0')
		start++;
	return start;
}

#define TIME_LEN 27 // 2026-01-01T00:00:00.042000Z

// RFC 3339, in UTC.
void word_time_put(uint8_t at[TIME_LEN], uint64_t unix_ms);

#endif
