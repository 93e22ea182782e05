// SPDX-License-Identifier: BSD-3-Clause
// CoAP ETags are 1-8 bytes, HTTP entity tags are strings. A strong tag of 2-16 lower-case hex
// digits, an even number, is its bytes, both ways and without memory. Any other becomes a keyed
// hash of 8 bytes, and a bounded table remembers what it stands for. An ETag that the table has
// forgotten fails safe: as If-None-Match it matches nothing, so that the whole representation
// comes, and as If-Match it matches nothing, so that the method is not performed.

#ifndef POSTERN_GW_MAP_ETAG_H
#define POSTERN_GW_MAP_ETAG_H

#include "gw/http/text.h"

#define MAP_ETAG_MAX      8    // bytes, RFC 7252 section 5.10.6
#define MAP_ETAG_TEXT_MAX 115  // bytes of an entity tag without quotes; longer ones are dropped
#define MAP_ETAG_ENTRIES  4096 // remembered by a table
#define MAP_ETAG_KEY_LEN  16

struct map_etag {
	uint8_t len;
	uint8_t bytes[MAP_ETAG_MAX];
};

// What an ETag names: the representation that the backend sent, or one that was translated to a
// Content-Format, which is another and has another ETag (RFC 7252 section 5.10.6).
#define MAP_ETAG_AS_SENT (-1)

struct map_etags;

// All tables that serve the same devices need the same key. NULL if out of memory.
struct map_etags *map_etags_create(const uint8_t key[MAP_ETAG_KEY_LEN]);
void map_etags_free(struct map_etags *etags);

// The CoAP form of an ETag header, which is remembered if need be. A weak tag has none, unless
// `weak` (for a 304, whose tag was compared weakly). false if there is none.
bool map_etag_from_http(
	struct map_etags *etags, const char *value, bool weak, struct map_etag *etag);
// The same for an answer that was translated to a Content-Format: a keyed hash, always, which is
// remembered.
bool map_etag_from_translated(struct map_etags *etags, const char *value, bool weak,
	uint16_t format, struct map_etag *etag);
// Whether 1-8 bytes from a device name a representation of this format, or MAP_ETAG_AS_SENT. What
// the table has forgotten counts as the latter.
bool map_etag_is_of(const struct map_etags *etags, const uint8_t *bytes, size_t len, int format);
// Writes the entity tag, with its quotes, that 1-8 bytes from a device stand for, whatever
// representation they name.
void map_etag_to_http(
	const struct map_etags *etags, struct http_text *text, const uint8_t *bytes, size_t len);

#endif
