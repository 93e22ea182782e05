// SPDX-License-Identifier: BSD-3-Clause
// Hexadecimal test data.

#ifndef POSTERN_TESTS_UNIT_HEX_H
#define POSTERN_TESTS_UNIT_HEX_H

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Decodes hex digits, skipping blanks, into a buffer from malloc(); *len is its length in bytes.
// Aborts on anything else: test data that cannot be read must not look like a test that passed.
static inline uint8_t *hex_decode(const char *hex, size_t *len)
{
	uint8_t *out = malloc(strlen(hex) / 2 + 1);
	size_t digits = 0;

	for (const char *c = hex; *c; c++) {
		unsigned value;

		if (isspace((unsigned char)*c))
			continue;
		if (!out || sscanf((char[]){*c, 0}, "%x", &value) != 1) {
			fprintf(stderr, "not hex: %s\n", hex);
			abort();
		}
		if (digits % 2 == 0)
			out[digits / 2] = value << 4;
		else
			out[digits / 2] |= value;
		digits++;
	}
	if (digits % 2) {
		fprintf(stderr, "odd number of hex digits: %s\n", hex);
		abort();
	}
	*len = digits / 2;
	return out;
}

#endif
