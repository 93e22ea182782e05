// SPDX-License-Identifier: BSD-3-Clause
// JSON by RFC 8259, piece by piece, decoded where it stands: no copy of a secret is made.

#ifndef POSTERN_GW_DEVICE_JSON_TEXT_H
#define POSTERN_GW_DEVICE_JSON_TEXT_H

#include "gw/device/record.h"

struct json_text {
	char *at, *end; // *end is 0
	struct error *error;
	uint64_t line; // line feeds passed over
};

// False, and *error says why.
bool json_text_fail(struct json_text *cursor, const char *why);
void json_text_skip(struct json_text *cursor); // blanks
// Passes over blanks and this character; false if something else is there.
bool json_text_accept(struct json_text *cursor, char c);
// Decodes a string, which never takes more bytes, and ends it with 0. cursor->at is behind the
// first quote. False, and *error says why.
bool json_text_string(struct json_text *cursor, char **text, size_t *len);
// A string, number, true, false or null, which is RECORD_ABSENT. Numbers and words have no 0 at
// their end: a blank, comma or brace follows, and the caller may write the 0 when it has read that.
bool json_text_value(struct json_text *cursor, enum record_kind *kind, char **text, size_t *len);

#endif
