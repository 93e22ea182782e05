// SPDX-License-Identifier: BSD-3-Clause
// Content-Formats by name (the CoAP Content-Formats registry of RFC 7252 section 12.3).

#ifndef POSTERN_GW_TOOLS_COAP_FORMATS_H
#define POSTERN_GW_TOOLS_COAP_FORMATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The media type of a number, or NULL.
const char *format_name(uint32_t number);
// Takes a media type ("application/json"), its last part ("json") or a number; false if it is none.
bool format_parse(const char *text, uint16_t *number) __attribute__((warn_unused_result));
// Walks over the table: the index-th entry, or NULL behind the last.
const char *format_at(size_t index, uint16_t *number);

#endif
