// SPDX-License-Identifier: BSD-3-Clause
// What a peer sent, on its way to a terminal: nothing of it may be a command there, or turn what is
// read around.

#ifndef POSTERN_GW_TOOLS_COAP_PRINTABLE_H
#define POSTERN_GW_TOOLS_COAP_PRINTABLE_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

// Writes a text, with line feeds and tabs, and with \xNN for each byte that may not be seen as it
// is (base/utf8.h).
void printable_write(FILE *out, const uint8_t *bytes, size_t len);

#endif
