// SPDX-License-Identifier: BSD-3-Clause
// Writes CBOR in its preferred serialization (RFC 8949 section 4.1) into a buffer of a fixed size.
// Running out of room sets `full`, after which nothing more is written.

#ifndef POSTERN_GW_TRANSLATE_CBOR_WRITE_H
#define POSTERN_GW_TRANSLATE_CBOR_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Major types, RFC 8949 section 3.1.
#define TR_CBOR_UINT   0
#define TR_CBOR_NEGINT 1
#define TR_CBOR_BYTES  2
#define TR_CBOR_TEXT   3
#define TR_CBOR_ARRAY  4
#define TR_CBOR_MAP    5

#define TR_CBOR_FALSE 0xf4
#define TR_CBOR_TRUE  0xf5
#define TR_CBOR_NULL  0xf6

struct tr_cbor {
	uint8_t *at;
	uint8_t *end;
	bool full;
};

void tr_cbor_put(struct tr_cbor *out, const void *bytes, size_t len);
void tr_cbor_byte(struct tr_cbor *out, uint8_t byte);
// The head of an item: a major type and its argument.
void tr_cbor_head(struct tr_cbor *out, unsigned major, uint64_t argument);
void tr_cbor_integer(struct tr_cbor *out, int64_t value);
// In as few bytes, 2, 4 or 8, as hold the very value. It is finite.
void tr_cbor_double(struct tr_cbor *out, double value);

#endif
