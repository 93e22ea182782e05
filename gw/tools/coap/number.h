// SPDX-License-Identifier: BSD-3-Clause
// Numbers and bytes as people type them.

#ifndef POSTERN_GW_TOOLS_COAP_NUMBER_H
#define POSTERN_GW_TOOLS_COAP_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Decimal digits and nothing else, at most max.
bool number_parse(const char *text, uint64_t max, uint64_t *value)
	__attribute__((warn_unused_result));
// Seconds with up to three decimals ("2", "0.25") as milliseconds, at most a day.
bool seconds_parse(const char *text, unsigned *ms) __attribute__((warn_unused_result));

// Decodes pairs of hexadecimal digits into out[room]. Returns the number of bytes, or -1 for
// anything else or too many.
int hex_parse(const char *text, uint8_t *out, size_t room) __attribute__((warn_unused_result));
// Writes len bytes as 2 * len digits and an end. Returns text.
char *hex_format(char *text, const uint8_t *bytes, size_t len);

#endif
