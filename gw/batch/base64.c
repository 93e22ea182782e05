// SPDX-License-Identifier: BSD-3-Clause

#include "gw/batch/base64.h"

#include <string.h>

static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

// The two characters of each 12 bits, so that three bytes need two look-ups.
static uint16_t pairs[4096];

__attribute__((constructor)) static void pairs_make(void)
{
	for (unsigned i = 0; i < 4096; i++) {
		const char pair[2] = {digits[i >> 6], digits[i & 63]};

		memcpy(&pairs[i], pair, 2);
	}
}

uint8_t *base64_put(uint8_t *at, const uint8_t *bytes, size_t len)
{
	const uint8_t *end = bytes + len / 3 * 3;

	for (; bytes < end; bytes += 3, at += 4) {
		unsigned bits = (unsigned)bytes[0] << 16 | (unsigned)bytes[1] << 8 | bytes[2];

		memcpy(at, &pairs[bits >> 12], 2);
		memcpy(at + 2, &pairs[bits & 4095], 2);
	}
	if (len % 3 == 0)
		return at;
	unsigned bits = (unsigned)bytes[0] << 8 | (len % 3 == 2 ? bytes[1] : 0u);
	at[0] = (uint8_t)digits[bits >> 10];
	at[1] = (uint8_t)digits[bits >> 4 & 63];
	at[2] = len % 3 == 2 ? (uint8_t)digits[bits << 2 & 63] : '=';
	at[3] = '=';
	return at + 4;
}
