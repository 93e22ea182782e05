// SPDX-License-Identifier: BSD-3-Clause
// Content-Format and media type, both ways (RFC 7252 section 12.3, RFC 8075 section 6).

#ifndef POSTERN_GW_MAP_MEDIA_H
#define POSTERN_GW_MAP_MEDIA_H

#include "gw/http/text.h"
#include "gw/map/tables.h"

#define MAP_FORMAT_NONE  (-1)
#define MAP_FORMAT_CODED (-2) // its Content-Encoding has no Content-Format
#define MAP_FORMAT_OSCORE \
	10001 // never the format of a message inside OSCORE (RFC 8613 section 11.3)
#define MAP_FORMAT_BINARY          42
#define MAP_FORMAT_CONCISE_PROBLEM 257 // RFC 9290

// The table's row of a number, or NULL.
const struct map_format *map_format_find(uint16_t number);
// The media type of any number; "application/coap-payload;cf=n" if it is not in the table
// (RFC 8075 section 6.2).
void map_format_write(struct http_text *text, uint16_t number);

// The number of a Content-Type and a Content-Encoding (NULL if not given): by the table, then by
// the table without parameters, then by the loose table. MAP_FORMAT_OSCORE is returned, not
// refused; MAP_FORMAT_CODED if no format has this encoding. A malformed type, and text in another
// charset than UTF-8, count as application/octet-stream.
int map_format_of(const char *content_type, const char *content_encoding);
// Whether a Content-Format is one of text/..., whose payloads are UTF-8.
bool map_format_is_text(int number);
// Whether its payloads are UTF-8: text/..., JSON, XML and link-format, none of them compressed.
bool map_format_is_utf8(int number);
// Whether a Content-Type is HTML of any kind. NULL is not.
bool map_type_is_html(const char *content_type);

#endif
