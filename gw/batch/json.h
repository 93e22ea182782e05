// SPDX-License-Identifier: BSD-3-Clause
// A strict reader of JSON (RFC 8259), one token at a time, without copying or allocating. It takes
// nothing that two readers could understand differently; what it takes besides is said below.

#ifndef POSTERN_GW_BATCH_JSON_H
#define POSTERN_GW_BATCH_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MAX 64 // lists and maps inside each other; fewer if the caller says so

enum json_token {
	TOKEN_BAD, // not JSON; so are all tokens behind it
	TOKEN_END, // behind the one value of the text
	TOKEN_OBJECT,
	TOKEN_OBJECT_END,
	TOKEN_ARRAY,
	TOKEN_ARRAY_END,
	TOKEN_NAME, // of a member; its value is the next token
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_TRUE,
	TOKEN_FALSE,
	TOKEN_NULL,
};

// Strings are well-formed UTF-8 with whole surrogate pairs, without NUL and noncharacters (RFC 7493
// section 2.1). Numbers are finite as doubles and no longer than 64 characters; integers have at
// most 18 digits, so that they fit 64 bits.
struct json {
	const uint8_t *at, *end;
	const uint8_t *text; // of NAME and STRING, without quotes; of NUMBER
	size_t len;
	bool escaped; // the string has a backslash
	// The rest is the reader's own.
	bool loose;
	uint64_t objects; // bit n: what is open at depth n is an object
	uint8_t depth, depth_max;
	uint8_t expect;
};

// depth_max: at most JSON_DEPTH_MAX.
void json_init(struct json *json, const uint8_t *text, size_t len, unsigned depth_max);
// For what a server wrote around pieces of what devices sent: strings may have any escapes and any
// bytes but controls, numbers any size, and what is deeper than JSON_DEPTH_MAX comes as one NULL of
// which only the end is looked for.
void json_init_loose(struct json *json, const uint8_t *text, size_t len);
enum json_token json_next(struct json *json);
// Reads the rest of a value whose first token this is. false: not JSON.
bool json_skip(struct json *json, enum json_token token);

// Whether the token is a NAME or STRING with these bytes, and no escapes.
bool json_is(const struct json *json, const char *text);
// The value of a STRING, escapes resolved, written to buf. Returns its length, or SIZE_MAX if room
// is too small or an escape is no character.
size_t json_unescape(const struct json *json, uint8_t *buf, size_t room);

// Whether the text may stand in the JSON of others, whoever reads it: one value of I-JSON
// (RFC 7493), depth at most 16, each object without two equal names and without escapes in names,
// and with at most 64 names in it and the objects around it.
bool json_embeds(const uint8_t *text, size_t len);

// Whether len bytes may be a JSON string once control characters, quotes and backslashes are
// escaped. *size: bytes of that string with its quotes.
bool json_text_fits(const uint8_t *text, size_t len, size_t *size);
// Writes that string. Returns behind it.
uint8_t *json_text_put(uint8_t *at, const uint8_t *text, size_t len);

#endif
