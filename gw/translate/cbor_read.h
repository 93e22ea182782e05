// SPDX-License-Identifier: BSD-3-Clause
// Reads CBOR one head at a time, with libcbor's streaming decoder. Nothing is copied or allocated.

#ifndef POSTERN_GW_TRANSLATE_CBOR_READ_H
#define POSTERN_GW_TRANSLATE_CBOR_READ_H

#include <stddef.h>
#include <stdint.h>

enum tr_kind {
	TR_KIND_UINT,        // value
	TR_KIND_NEGINT,      // -1 - value
	TR_KIND_BYTES,       // value bytes at data
	TR_KIND_TEXT,        // the same
	TR_KIND_ARRAY,       // of `value` items
	TR_KIND_MAP,         // of `value` pairs
	TR_KIND_BYTES_PARTS, // of indefinite length, as the next three
	TR_KIND_TEXT_PARTS,
	TR_KIND_ARRAY_OPEN,
	TR_KIND_MAP_OPEN,
	TR_KIND_TAG,   // number `value` of the item that follows
	TR_KIND_FLOAT, // real
	TR_KIND_BOOL,  // value
	TR_KIND_NULL,
	TR_KIND_UNDEFINED,
	TR_KIND_SIMPLE,    // a simple value without a meaning
	TR_KIND_BREAK,     // nothing that could be an item begins here and below
	TR_KIND_TRUNCATED, // no head: the item goes on behind the end
	TR_KIND_MALFORMED, // no head
};

struct tr_head {
	enum tr_kind kind;
	uint64_t value;
	double real;
	const uint8_t *data;
};

// Reads the head at *at, and the content of a string of definite length; *at moves behind them,
// unless there is no head. There may be no bytes left.
void tr_head_read(const uint8_t **at, const uint8_t *end, struct tr_head *head);

#endif
