// SPDX-License-Identifier: BSD-3-Clause
// Translates CBOR, written in hex, and JSON, from buffers that end where memory ends.

#ifndef POSTERN_TESTS_UNIT_GW_TRANSLATE_BED_H
#define POSTERN_TESTS_UNIT_GW_TRANSLATE_BED_H

#include "gw/translate/translate.h"

#define TR_BED_ROOM 65536

struct tr_bed {
	enum tr_verdict verdict;
	struct tr_fault fault;
	size_t len;
	char out[2 * TR_BED_ROOM + 1]; // JSON, or CBOR in lower-case hex; ends with 0
};

// Each returns bed->out if the verdict is TR_OK, else "what @ place", "too long" or "no memory".
// What they do to the bytes around the output is a failure.
const char *tr_bed_json(struct tr_bed *bed, enum tr_form form, const char *cbor_hex, size_t room);
const char *tr_bed_cbor(
	struct tr_bed *bed, enum tr_form form, const char *json, size_t len, size_t room);

#endif
