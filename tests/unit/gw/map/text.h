// SPDX-License-Identifier: BSD-3-Clause
// CoAP messages as one line of text, for tables of the mapping.

#ifndef POSTERN_TESTS_UNIT_GW_MAP_TEXT_H
#define POSTERN_TESTS_UNIT_GW_MAP_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define TEXT_BODY_MAX 16384

// Encodes a request from "GET path=a query=b etag=0102 accept=50 |payload": the method's name or
// number, options by name (values as text; etag, if-match and pathx as hex; accept, cf and size1 as
// numbers; or 1234=hex), payload. Sets *code, writes what stands behind the code, returns its
// length.
size_t text_request(const char *line, uint8_t *code, uint8_t body[TEXT_BODY_MAX]);

// Renders an OSCORE plaintext: "2.05 etag=0102 lpath=a cf=50 max-age=0 |payload". Valid until the
// next call.
const char *text_answer(const uint8_t *plaintext, size_t len);

#endif
