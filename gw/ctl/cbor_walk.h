// SPDX-License-Identifier: BSD-3-Clause
// Bounded reading of one CBOR item (RFC 8949) from untrusted bytes.
//
// ctl_cbor_walk() checks a whole message; after that the other functions read it where it lies,
// without allocation or copy (so a secret in it stands in one place only). The message must stay
// as it is meanwhile. What the control socket does not use is refused: indefinite lengths, tags,
// floats, simple values but true, false and null.
//
// libcbor's tree builder is not used: it allocates what a length promises before the bytes are
// there, and 9a 3f ff ff ff makes it take gigabytes.

#ifndef POSTERN_GW_CTL_CBOR_WALK_H
#define POSTERN_GW_CTL_CBOR_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CTL_CBOR_DEPTH_MAX 8    // arrays and maps inside each other
#define CTL_CBOR_ITEMS_MAX 8192 // in a message
#define CTL_CBOR_KEYS_MAX  64   // in a map

enum ctl_cbor_verdict {
	CTL_CBOR_OK,
	CTL_CBOR_TRUNCATED, // ends inside an item, or a length is more than the bytes left
	CTL_CBOR_TRAILING,  // bytes behind the item
	CTL_CBOR_MALFORMED, // not CBOR
	CTL_CBOR_REFUSED,   // CBOR, but a kind of item that is not used here
	CTL_CBOR_TOO_DEEP,
	CTL_CBOR_TOO_MANY, // items, or keys of a map
	CTL_CBOR_BAD_KEY,  // a key of a map is no text, or stands in it twice
	CTL_CBOR_BAD_TEXT, // not UTF-8
	CTL_CBOR_VERDICT_COUNT,
};

// Words for people.
const char *ctl_cbor_verdict_text(enum ctl_cbor_verdict verdict);

// Checks that data holds exactly one item within the bounds above.
enum ctl_cbor_verdict ctl_cbor_walk(const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));

enum ctl_cbor_type {
	CTL_CBOR_UINT,   // value
	CTL_CBOR_NEGINT, // -1 - value
	CTL_CBOR_BYTES,  // value bytes at data
	CTL_CBOR_TEXT,   // value bytes at data, UTF-8 without 0 at the end
	CTL_CBOR_ARRAY,  // value items, the first at data
	CTL_CBOR_MAP,    // value pairs of items, the first at data
	CTL_CBOR_BOOL,   // value is 0 or 1
	CTL_CBOR_NULL,
};

// An item of a message that passed ctl_cbor_walk(), lying in that message.
struct ctl_cbor {
	enum ctl_cbor_type type;
	uint64_t value;
	const uint8_t *data;
	const uint8_t *end; // of the message
};

// The item of a message that passed ctl_cbor_walk().
struct ctl_cbor ctl_cbor_root(const uint8_t *data, size_t len);

// Reads arrays and maps from the first item to the last; a map gives its keys and values in turn.
struct ctl_cbor_iter {
	const uint8_t *at;
	const uint8_t *end;
	uint64_t left; // items
};

struct ctl_cbor_iter ctl_cbor_iter(const struct ctl_cbor *array_or_map);
// False at the end.
bool ctl_cbor_next(struct ctl_cbor_iter *iter, struct ctl_cbor *item);
// Finds the value of a key. False if the map does not have it; *value is unchanged then.
bool ctl_cbor_find(const struct ctl_cbor *map, const char *key, struct ctl_cbor *value);
// Whether the item is this text.
bool ctl_cbor_is_text(const struct ctl_cbor *item, const char *text);

// Replaces each byte that makes the text no UTF-8 by '?'.
void ctl_utf8_repair(uint8_t *text, size_t len);

#endif
