// SPDX-License-Identifier: BSD-3-Clause
// Reads and writes sequences of deterministically encoded CBOR (RFC 8949 section 4.2.1, RFC 8742),
// the only encoding that EDHOC has (RFC 9528 section 1.5). What EDHOC does not use is refused:
// indefinite lengths, tags, floats, simple values but false, true and null.

#ifndef POSTERN_GW_EDHOC_CBOR_H
#define POSTERN_GW_EDHOC_CBOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDHOC_CBOR_DEPTH_MAX 6 // arrays and maps inside each other

// The major types of RFC 8949 section 3.1.
enum edhoc_cbor_type {
	EDHOC_CBOR_UINT = 0,   // value
	EDHOC_CBOR_NEGINT = 1, // -1 - value
	EDHOC_CBOR_BYTES = 2,  // value bytes at data
	EDHOC_CBOR_TEXT = 3,   // value bytes at data, UTF-8 without 0 at the end
	EDHOC_CBOR_ARRAY = 4,  // value items, the first at data
	EDHOC_CBOR_MAP = 5,    // value pairs of items, the first at data
	EDHOC_CBOR_SIMPLE = 7, // value
};

#define EDHOC_CBOR_FALSE 20
#define EDHOC_CBOR_TRUE  21

struct edhoc_cbor {
	enum edhoc_cbor_type type;
	uint64_t value;
	const uint8_t *data;
};

// What is left of a sequence. It must stay as it is while items of it are used.
struct edhoc_reader {
	const uint8_t *at, *end;
};

static inline struct edhoc_reader edhoc_reader(const uint8_t *bytes, size_t len)
{
	return (struct edhoc_reader){bytes, len ? bytes + len : bytes};
}

static inline size_t edhoc_reader_left(const struct edhoc_reader *reader)
{
	return (size_t)(reader->end - reader->at);
}

// Each takes what it names off the front, or returns false if that is not there; the reader is not
// to be used any more then.

// The next item, of an array or map only its head: its items come next.
bool edhoc_read(struct edhoc_reader *reader, struct edhoc_cbor *item)
	__attribute__((warn_unused_result));
// The next item with all that is in it, whose bytes are from *item to reader->at. The keys of its
// maps must be in order (section 4.2.1), each of them there once.
bool edhoc_read_whole(struct edhoc_reader *reader, const uint8_t **item)
	__attribute__((warn_unused_result));
bool edhoc_read_int(struct edhoc_reader *reader, int64_t *value)
	__attribute__((warn_unused_result));
bool edhoc_read_bytes(struct edhoc_reader *reader, const uint8_t **data, size_t *len)
	__attribute__((warn_unused_result));
// A byte string that is written as an integer if it is one byte which encodes an integer (RFC 9528
// section 3.3.2). The other form of it is refused.
bool edhoc_read_identifier(struct edhoc_reader *reader, const uint8_t **data, size_t *len)
	__attribute__((warn_unused_result));

// Writes into room that the caller has. What does not fit sets `failed`.
struct edhoc_writer {
	uint8_t *start, *at, *end;
	bool failed;
};

static inline struct edhoc_writer edhoc_writer(uint8_t *room, size_t len)
{
	return (struct edhoc_writer){room, room, room + len, false};
}

static inline size_t edhoc_writer_len(const struct edhoc_writer *writer)
{
	return (size_t)(writer->at - writer->start);
}

void edhoc_write_head(struct edhoc_writer *writer, enum edhoc_cbor_type type, uint64_t value);
void edhoc_write_int(struct edhoc_writer *writer, int64_t value);
void edhoc_write_bytes(struct edhoc_writer *writer, const uint8_t *data, size_t len);
void edhoc_write_identifier(struct edhoc_writer *writer, const uint8_t *data, size_t len);
// Bytes that are CBOR already.
void edhoc_write_raw(struct edhoc_writer *writer, const uint8_t *data, size_t len);

#endif
