// SPDX-License-Identifier: BSD-3-Clause
// The plaintexts of answers that have to do with blocks.

#ifndef POSTERN_GW_BODY_ANSWER_H
#define POSTERN_GW_BODY_ANSWER_H

#include "gw/body/bytes.h"
#include "gw/body/request.h"

#define BODY_ETAG_MAX 8

// An answer as it came from a backend, with a payload of any size. It points into the caller's.
struct body_answer {
	uint8_t code;
	uint8_t etag_len; // 0: none
	uint8_t etag[BODY_ETAG_MAX];
	bool has_max_age;
	uint32_t max_age;
	// Encoded options, all others but Block1, Block2 and Size2.
	const uint8_t *options;
	uint16_t options_len;
	const uint8_t *payload;
	size_t payload_len;
};

// An answer as it is kept; its payload is the body's bytes.
struct body_kept {
	uint8_t code;
	uint8_t etag_len;
	bool etag_made; // by us, only for blocks
	bool has_max_age;
	int8_t szx; // of its blocks; -1: not known yet
	uint8_t etag[BODY_ETAG_MAX];
	uint32_t max_age; // at answered_ms
	uint64_t answered_ms;
	uint8_t *options;
	uint16_t options_len;
};

// A part of an answer, and what its options say of it.
struct body_part {
	bool has_block1;
	bool has_block2;
	bool has_size2;
	struct coap_block block1;
	struct coap_block block2;
	uint32_t size2;
	const uint8_t *payload;
	size_t payload_len;
};

// Writes a part of an answer. Returns its length, or 0 if it does not fit.
uint16_t body_part_write(
	const struct body_answer *answer, const struct body_part *part, uint8_t *out, size_t room);

// An answer that says what became of a block; its payload is a diagnostic.
struct body_reply {
	uint8_t code;
	bool has_block1;
	bool has_size1;
	bool has_max_age;
	struct coap_block block1;
	uint32_t size1;
	uint32_t max_age;
	const char *diagnostic; // or NULL
};

// Writes it, without what does not fit. Returns its length; room is at least 1.
uint16_t body_reply_write(const struct body_reply *reply, uint8_t *out, size_t room);

#endif
