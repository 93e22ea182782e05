// SPDX-License-Identifier: BSD-3-Clause
// What a peer sent, on its way to a terminal: nothing of it may be a command there, or turn what is
// read around.

#ifndef POSTERN_GW_TOOLS_COAP_PRINTABLE_H
#define POSTERN_GW_TOOLS_COAP_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Length of the character in front of `left` bytes (at least 1) that a terminal may see as it is; 0
// if it may not: controls (C0, DEL, and C1, of which some terminals take commands), characters that
// change the direction of text or its lines, and what is no UTF-8.
unsigned printable_len(const uint8_t *bytes, size_t left);
// Writes a text, with line feeds and tabs, and with \xNN for each byte that may not be seen as it
// is.
void printable_write(FILE *out, const uint8_t *bytes, size_t len);

#endif
