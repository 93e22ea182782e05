// SPDX-License-Identifier: BSD-3-Clause
// Parses and writes CoAP messages over UDP (RFC 7252 section 3; RFC 8974 for long tokens). Nothing
// is copied or allocated: a parsed message points into its datagram, which the caller keeps.

#ifndef POSTERN_DATAPLANE_COAP_MESSAGE_H
#define POSTERN_DATAPLANE_COAP_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COAP_PORT           5683
#define COAP_TOKEN_MAX      65804 // bytes, RFC 8974 section 2.1
#define COAP_EMPTY_LEN      4     // bytes of an Empty message
#define COAP_VERSION        1
#define COAP_PAYLOAD_MARK   0xff
#define COAP_CODE(c, dd)    ((c) << 5 | (dd))
#define COAP_CODE_CLASS(c)  ((c) >> 5)
#define COAP_CODE_DETAIL(c) ((c)&0x1f)

enum coap_type {
	COAP_CON = 0,
	COAP_NON = 1,
	COAP_ACK = 2,
	COAP_RST = 3,
};

// RFC 7252 section 12.1, RFC 7959, RFC 8132, RFC 8516, RFC 8768, RFC 9177.
enum coap_code {
	COAP_EMPTY = 0,
	COAP_GET = COAP_CODE(0, 1),
	COAP_POST = COAP_CODE(0, 2),
	COAP_PUT = COAP_CODE(0, 3),
	COAP_DELETE = COAP_CODE(0, 4),
	COAP_FETCH = COAP_CODE(0, 5),
	COAP_PATCH = COAP_CODE(0, 6),
	COAP_IPATCH = COAP_CODE(0, 7),
	COAP_CREATED = COAP_CODE(2, 1),
	COAP_DELETED = COAP_CODE(2, 2),
	COAP_VALID = COAP_CODE(2, 3),
	COAP_CHANGED = COAP_CODE(2, 4),
	COAP_CONTENT = COAP_CODE(2, 5),
	COAP_CONTINUE = COAP_CODE(2, 31),
	COAP_BAD_REQUEST = COAP_CODE(4, 0),
	COAP_UNAUTHORIZED = COAP_CODE(4, 1),
	COAP_BAD_OPTION = COAP_CODE(4, 2),
	COAP_FORBIDDEN = COAP_CODE(4, 3),
	COAP_NOT_FOUND = COAP_CODE(4, 4),
	COAP_METHOD_NOT_ALLOWED = COAP_CODE(4, 5),
	COAP_NOT_ACCEPTABLE = COAP_CODE(4, 6),
	COAP_REQUEST_ENTITY_INCOMPLETE = COAP_CODE(4, 8),
	COAP_CONFLICT = COAP_CODE(4, 9),
	COAP_PRECONDITION_FAILED = COAP_CODE(4, 12),
	COAP_REQUEST_ENTITY_TOO_LARGE = COAP_CODE(4, 13),
	COAP_UNSUPPORTED_CONTENT_FORMAT = COAP_CODE(4, 15),
	COAP_UNPROCESSABLE_ENTITY = COAP_CODE(4, 22),
	COAP_TOO_MANY_REQUESTS = COAP_CODE(4, 29),
	COAP_INTERNAL_SERVER_ERROR = COAP_CODE(5, 0),
	COAP_NOT_IMPLEMENTED = COAP_CODE(5, 1),
	COAP_BAD_GATEWAY = COAP_CODE(5, 2),
	COAP_SERVICE_UNAVAILABLE = COAP_CODE(5, 3),
	COAP_GATEWAY_TIMEOUT = COAP_CODE(5, 4),
	COAP_PROXYING_NOT_SUPPORTED = COAP_CODE(5, 5),
	COAP_HOP_LIMIT_REACHED = COAP_CODE(5, 8),
};

// Returns "GET" .. "iPATCH" for the codes 0.01 to 0.07, NULL for others.
const char *coap_method_name(uint8_t code);
// Returns the code of a method name, in any case, or COAP_EMPTY if there is no such method.
uint8_t coap_method_from_name(const char *name);
// Returns a response code's name in the IANA registry, e.g. "Content" for 2.05, or NULL.
const char *coap_code_name(uint8_t code);

enum coap_option_number {
	COAP_OPT_IF_MATCH = 1,
	COAP_OPT_URI_HOST = 3,
	COAP_OPT_ETAG = 4,
	COAP_OPT_IF_NONE_MATCH = 5,
	COAP_OPT_OBSERVE = 6,
	COAP_OPT_URI_PORT = 7,
	COAP_OPT_LOCATION_PATH = 8,
	COAP_OPT_OSCORE = 9,
	COAP_OPT_URI_PATH = 11,
	COAP_OPT_CONTENT_FORMAT = 12,
	COAP_OPT_MAX_AGE = 14,
	COAP_OPT_URI_QUERY = 15,
	COAP_OPT_HOP_LIMIT = 16,
	COAP_OPT_ACCEPT = 17,
	COAP_OPT_Q_BLOCK1 = 19,
	COAP_OPT_LOCATION_QUERY = 20,
	COAP_OPT_EDHOC = 21,
	COAP_OPT_BLOCK2 = 23,
	COAP_OPT_BLOCK1 = 27,
	COAP_OPT_SIZE2 = 28,
	COAP_OPT_Q_BLOCK2 = 31,
	COAP_OPT_PROXY_URI = 35,
	COAP_OPT_PROXY_SCHEME = 39,
	COAP_OPT_SIZE1 = 60,
	COAP_OPT_ECHO = 252,
	COAP_OPT_NO_RESPONSE = 258,
	COAP_OPT_REQUEST_TAG = 292,
};

// RFC 7252 section 5.4.6.
#define COAP_OPT_IS_CRITICAL(number) ((number)&1)
#define COAP_OPT_IS_UNSAFE(number)   ((number)&2)

// Why a datagram is no CoAP message. RFC 7252 section 3: a receiver silently ignores one of another
// version (COAP_BAD_VERSION); all others are message format errors.
enum coap_verdict {
	COAP_OK = 0,
	COAP_BAD_VERSION,
	COAP_BAD_TKL,           // token length nibble 15
	COAP_TRUNCATED,         // header, token, or an option runs past the end
	COAP_BAD_OPTION_NIBBLE, // delta or length nibble 15 that is not the payload marker
	COAP_BAD_OPTION_NUMBER, // the sum of deltas exceeds 65535
	COAP_EMPTY_PAYLOAD,     // a payload marker and nothing behind it
	COAP_BAD_EMPTY,         // code 0.00 with a token, options or a payload
	COAP_TOO_LONG,          // more than 65535 bytes, which no datagram holds
	COAP_MANY_OPTIONS,      // more options than the caller reads
	COAP_VERDICT_COUNT,
};

// Returns a short name with hyphens, e.g. "bad-token-length".
const char *coap_verdict_name(enum coap_verdict verdict);

struct coap_option {
	uint16_t number; // enum coap_option_number or any other
	uint16_t len;    // bytes
	const uint8_t *value;
};

// Options and payload: what outer messages and OSCORE plaintexts have in common (RFC 8613 section
// 5.3). The parser has checked all options, so iterating over them cannot fail.
struct coap_body {
	const uint8_t *options; // encoded
	const uint8_t *payload; // behind the payload marker; NULL if there is no marker
	uint16_t options_len;   // bytes
	uint16_t payload_len;   // bytes
	uint16_t option_count;
	uint16_t oscore_len;   // bytes of the first OSCORE option's value
	const uint8_t *oscore; // the first OSCORE option's value, NULL if there is none
	uint8_t oscore_count;  // OSCORE options; 255 stands for 255 and more
	bool has_edhoc;        // there is an EDHOC option (RFC 9668 section 3.1)
	bool has_block;        // there is a Block1, Block2, Q-Block1 or Q-Block2 option
};

struct coap_msg {
	uint8_t type;       // enum coap_type
	uint8_t code;       // enum coap_code or any other
	uint16_t mid;       // host order
	uint16_t token_len; // bytes, at most 65535: no datagram holds a longer one
	const uint8_t *token;
	struct coap_body body;
};

// Parses one datagram. On a verdict other than COAP_OK the message is undefined, but for type, code
// and mid, which a RST needs: they are set if the datagram has four bytes and version 1.
enum coap_verdict coap_msg_parse(struct coap_msg *msg, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));
// The same, but returns COAP_MANY_OPTIONS for more than options_max options, which bounds the cost.
enum coap_verdict coap_msg_parse_max(struct coap_msg *msg, const uint8_t *data, size_t len,
	uint16_t options_max) __attribute__((warn_unused_result));
// Where a datagram is malformed that coap_msg_parse_max() refused, in bytes from its start: the
// first byte of the option, or of the field, that is wrong or runs past the end.
size_t coap_msg_bad_at(const uint8_t *data, size_t len, uint16_t options_max);
// Parses options and payload: the bytes behind the token of a message, or behind the code of an
// OSCORE plaintext.
enum coap_verdict coap_body_parse(struct coap_body *body, const uint8_t *data, size_t len)
	__attribute__((warn_unused_result));
// The same with the limit of coap_msg_parse_max().
enum coap_verdict coap_body_parse_max(struct coap_body *body, const uint8_t *data, size_t len,
	uint16_t options_max) __attribute__((warn_unused_result));

#define COAP_OPT_NIBBLE_PLAIN 12 // highest nibble that stands for itself (RFC 7252 section 3.1)

// A position between the options of a parsed body, in the order of their numbers.
struct coap_option_iter {
	const uint8_t *at;
	const uint8_t *end;
	uint32_t number; // of the option before; 0 at the start
};

// Starts in front of the first option.
void coap_option_iter_init(struct coap_option_iter *iter, const struct coap_body *body);
// The slow path of coap_option_next(), for options with extension bytes. Not for other callers.
bool coap_option_next_checked(struct coap_option_iter *iter, struct coap_option *option);

// Sets *option to the next option, or returns false behind the last. Inline because the options of
// a request are walked several times; most have no extension bytes.
static inline bool coap_option_next(struct coap_option_iter *iter, struct coap_option *option)
{
	if (iter->at == iter->end)
		return false;
	unsigned delta = *iter->at >> 4, len = *iter->at & 0xf;

	if (delta > COAP_OPT_NIBBLE_PLAIN || len > COAP_OPT_NIBBLE_PLAIN ||
		len >= iter->end - iter->at || iter->number + delta > UINT16_MAX)
		return coap_option_next_checked(iter, option);
	iter->number += delta;
	option->number = (uint16_t)iter->number;
	option->len = (uint16_t)len;
	option->value = iter->at + 1;
	iter->at += 1 + len;
	return true;
}

// Sets *option to the first option of this number, or returns false if there is none.
bool coap_option_find(const struct coap_body *body, uint16_t number, struct coap_option *option);

// Reads an option's value as a uint (RFC 7252 section 3.2). False if it has more than four bytes.
bool coap_option_uint(const struct coap_option *option, uint32_t *value);

// Whether postern knows the option (enum coap_option_number).
bool coap_option_known(uint16_t number);
// Whether a value of `len` bytes is legal for the option (RFC 7252 table 4, and the RFCs of later
// options); false for an unknown one. RFC 7252 section 5.4.3 says how to treat illegal lengths.
bool coap_option_len_ok(uint16_t number, uint16_t len);
// Whether the option may occur more than once (RFC 7252 section 5.4.5).
bool coap_option_repeatable(uint16_t number);

// Writes a message or an OSCORE plaintext, front to back, into the caller's buffer. If the buffer
// is too small or an option comes out of order, `failed` is set and all further calls do nothing,
// so only coap_writer_len() at the end needs a check.
struct coap_writer {
	uint8_t *start;
	uint8_t *at;
	uint8_t *end;
	uint16_t number; // of the option before
	bool failed;
};

// Starts an empty message in buf, which has `room` bytes.
void coap_writer_init(struct coap_writer *w, uint8_t *buf, size_t room);
// Writes header and token; token_len is at most COAP_TOKEN_MAX (RFC 8974 section 2.1).
void coap_write_header(struct coap_writer *w, enum coap_type type, uint8_t code, uint16_t mid,
	const uint8_t *token, size_t token_len);
// Writes the code alone: an OSCORE plaintext begins with it (RFC 8613 section 5.3).
void coap_write_code(struct coap_writer *w, uint8_t code);
// Writes one option. The caller gives options in ascending order of their numbers.
void coap_write_option(struct coap_writer *w, uint16_t number, const void *value, size_t len);
// Writes a uint option in as few bytes as possible, none for 0 (RFC 7252 section 3.2).
void coap_write_option_uint(struct coap_writer *w, uint16_t number, uint32_t value);
// Writes the payload marker and the payload; neither if len is 0. Later writes fail.
void coap_write_payload(struct coap_writer *w, const void *payload, size_t len);
// Writes an Empty message (RFC 7252 section 4.1): an ACK, a RST or a ping.
static inline void coap_empty_make(uint8_t coap[COAP_EMPTY_LEN], enum coap_type type, uint16_t mid)
{
	coap[0] = (uint8_t)(COAP_VERSION << 6 | type << 4);
	coap[1] = COAP_EMPTY;
	coap[2] = (uint8_t)(mid >> 8);
	coap[3] = (uint8_t)mid;
}

// Returns the length of what was written in bytes, or 0 if a write failed.
size_t coap_writer_len(const struct coap_writer *w) __attribute__((warn_unused_result));

#endif
