// SPDX-License-Identifier: BSD-3-Clause
// The records of a batch: how a reading stands in the body of a request that carries many. No I/O,
// no allocation. docs/batches.md describes the formats to backends.
//
// A record is what the *way* says, which all readings of a device have in common that come with the
// same options, and what is the reading's own. The way is put in words once and copied from then
// on. Whatever the bytes of a payload are, the record ends where it ends, and what stands around it
// stays readable: what cannot be embedded is base64.

#ifndef POSTERN_GW_BATCH_RECORD_H
#define POSTERN_GW_BATCH_RECORD_H

#include "gw/conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What stands around the records. Records are written one behind the other, each with the `between`
// behind it; the last one's is replaced by `after`, which is not longer.
struct batch_form {
	const char *content_type;
	const char *before, *between, *after;
	uint8_t before_len, between_len, after_len;
	bool results;   // a success always has a result for each record
	bool cut;       // a batch that is refused has changed nothing, so halves may be tried
	bool exists_ok; // 409 says that a record came before, which is a success
};

const struct batch_form *batch_form_of(enum conf_batch_format format);

// What the way of a reading says.
struct batch_source {
	enum conf_batch_format format;
	const char *device;   // name, ends with 0
	const char *subject;  // path and query, percent-encoded; "" for none
	uint64_t fingerprint; // of the device's context
	int content_format;   // MAP_FORMAT_NONE for none
	uint8_t code;         // COAP_POST or COAP_PUT
};

enum batch_body {
	BATCH_BODY_BINARY,
	BATCH_BODY_JSON,
	BATCH_BODY_TEXT,
};

#define BATCH_WAY_ROOM 12288 // bytes of the longest way

// A way in words. Its room is the caller's: batch_way_size() bytes may be copied to keep it.
struct batch_way {
	enum conf_batch_format format : 8;
	enum batch_body body : 8;
	uint16_t id_len;  // bytes of what stands in front of the sequence number
	uint16_t all_len; // of all
	int32_t content_format;
	uint64_t fingerprint;
	uint8_t bytes[];
};

static inline size_t batch_way_size(const struct batch_way *way)
{
	return sizeof(*way) + way->all_len;
}

// Writes the way to `room` bytes at *way. false: there is not enough room.
bool batch_way_make(struct batch_way *way, size_t room, const struct batch_source *source)
	__attribute__((warn_unused_result));

struct batch_reading {
	uint64_t piv;     // of the request
	uint64_t unix_ms; // when it was received
	const uint8_t *payload;
	size_t len;
};

enum batch_put {
	BATCH_PUT_OK,
	BATCH_PUT_NO_ROOM,
	BATCH_PUT_BAD_TYPE,    // the format cannot hold this Content-Format
	BATCH_PUT_BAD_PAYLOAD, // the payload is not what its Content-Format says
};

// Writes a record, with what stands between two behind it, to at most `room` bytes. *len: bytes
// written.
enum batch_put batch_record_put(const struct batch_way *way, const struct batch_reading *reading,
	uint8_t *at, size_t room, size_t *len) __attribute__((warn_unused_result));

#endif
