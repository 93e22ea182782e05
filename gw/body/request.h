// SPDX-License-Identifier: BSD-3-Clause
// What the Block options of a request say, and to which body it belongs (RFC 7959 section 2, RFC
// 9175 section 3).

#ifndef POSTERN_GW_BODY_REQUEST_H
#define POSTERN_GW_BODY_REQUEST_H

#include "dataplane/coap/block.h"

#define BODY_KEY_LEN    16 // bytes
#define BODY_NO_FORMAT  UINT32_MAX
#define BODY_SECRET_LEN 16

// A request, as far as bodies are concerned. It points into the caller's message.
struct body_request {
	uint32_t context; // index in the context table, with its generation
	uint32_t generation;
	uint64_t route; // which one took it: a block belongs to a body of its route only
	uint8_t code;
	bool has_block1;
	bool has_block2;
	bool has_size1;
	bool if_none_match;
	struct coap_block block1;
	struct coap_block block2;
	uint32_t size1;
	uint32_t content_format; // or BODY_NO_FORMAT
	const struct coap_body *message;
	// Keyed hash of code and options (without those that differ from block to block), set for
	// requests for which there may be a body.
	uint8_t key[BODY_KEY_LEN];
	// FETCH with a payload: of payload and Content-Format; else all zeros.
	uint8_t digest[BODY_KEY_LEN];
};

// Reads a parsed request of this method. false: 4.00, since it has a reserved SZX (RFC 7959 section
// 2.2), Block1 with a method that has no payload, or asks for a later block of an answer while it
// sends a block.
bool body_request_read(struct body_request *request, const uint8_t secret[BODY_SECRET_LEN],
	uint8_t code, const struct coap_body *message) __attribute__((warn_unused_result));
// Sets request->key and request->digest, which body_request_read() does only where it is certain
// that there is, or will be, a body: the answer to any request may turn out to be large.
void body_request_name(struct body_request *request, const uint8_t secret[BODY_SECRET_LEN]);

// Copies the encoded options of a request to out, without those that say which block it is: Block1,
// Block2, Size1, Size2, Request-Tag. They are not longer than before. false: there is no room.
bool body_options_whole(const struct coap_body *message, uint8_t *out, size_t room, uint16_t *len)
	__attribute__((warn_unused_result));

// Whether a request is for a block, or is one, that is not whole in itself.
static inline bool body_request_is_part(const struct body_request *r)
{
	return (r->has_block1 && (r->block1.num || r->block1.more)) ||
		(r->has_block2 && r->block2.num);
}

// Whether a request is the first block of a longer body, or such a body is opened again.
static inline bool body_request_opens(const struct body_request *r)
{
	return r->has_block1 && !r->block1.num && r->block1.more;
}

// The digest of a FETCH with this payload.
void body_digest(uint8_t digest[BODY_KEY_LEN], const uint8_t secret[BODY_SECRET_LEN],
	uint32_t content_format, const uint8_t *payload, size_t len);

#endif
