// SPDX-License-Identifier: BSD-3-Clause
// What carries EDHOC: CoAP messages (RFC 9528 appendix A.2) and the combined request (RFC 9668).

#ifndef POSTERN_GW_HANDSHAKE_CARRIER_H
#define POSTERN_GW_HANDSHAKE_CARRIER_H

#include "dataplane/coap/block.h"
#include "dataplane/coap/message.h"
#include "dataplane/oscore/option.h"
#include "gw/edhoc/message.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CARRIER_TOKEN_MAX 64 // bytes of a token that is answered
#define CARRIER_CID_EDHOC 65 // Content-Format of requests: a connection identifier goes before
#define CARRIER_EDHOC     64 // and of answers
#define CARRIER_TAG_LEN   16

// A message of EDHOC, as it came. What it points to is the datagram.
struct carrier {
	struct coap_msg msg;
	struct coap_option echo; // len 0: there is none
	// One of the blocks that make a message (RFC 7959). Nothing of what follows is set then but
	// `message`, which is the block, until carrier_complete().
	bool part;
	struct coap_block block;
	uint32_t size; // of all blocks, as Size1 says; 0: it is not said
	// The answer is asked for in blocks, and this one of them. Without a payload there is no
	// message: what was answered before is fetched on (RFC 7959 section 3.3).
	bool asks, fetches;
	struct coap_block asked;
	enum edhoc_prefix prefix;
	struct edhoc_connection c_r; // of EDHOC_PREFIX_C_R, and of a combined request
	struct edhoc_bytes message;
	struct edhoc_bytes ciphertext; // of a combined request
};

// Reads a request to /.well-known/edhoc. Returns 0, the code of the error that it is answered with,
// or -1 if it is not answered.
int carrier_read(struct carrier *carrier, const uint8_t *datagram, size_t len)
	__attribute__((warn_unused_result));
// What tells the message that a part is of from others of its endpoint: a hash of its Request-Tags
// (RFC 9175 section 3.2), of which there may be none.
void carrier_tag(const struct carrier *carrier, uint8_t tag[CARRIER_TAG_LEN]);
// The last part came, and this is the payload. Returns 0 or the code of an error.
int carrier_complete(struct carrier *carrier, struct edhoc_bytes whole)
	__attribute__((warn_unused_result));
// The same as carrier_read() with a combined request.
int carrier_read_combined(struct carrier *carrier, const uint8_t *datagram, size_t len)
	__attribute__((warn_unused_result));
// What is left of a combined request when message_3 is taken out (RFC 9668 section 3.3): an OSCORE
// request, shorter than the datagram. Returns its length.
size_t carrier_strip(const struct carrier *carrier, uint8_t *out, size_t room)
	__attribute__((warn_unused_result));

// What a message is answered with, beside its payload.
struct carrier_answer {
	uint8_t code;
	bool edhoc;                     // the payload is EDHOC: say so
	uint32_t max_age_s;             // 0: not said
	uint32_t size_max;              // of a request, in bytes; 0: not said
	const struct coap_block *block; // that the payload is, of a larger one; NULL: it is all
	uint32_t size;                  // of the larger one; 0: not said
	const uint8_t *echo;            // NULL: none
	size_t echo_len;
	struct edhoc_bytes payload;
};

#define CARRIER_ANSWER_HEAD (4 + 1 + CARRIER_TOKEN_MAX + 3 + 3 + 5 + 5 + 6 + 6 + 16 + 1)

// Writes an answer: an ACK to a CON, a NON with message id 0 otherwise. It has the Block1 of its
// request (RFC 7959 section 2.3). Returns its length, 0 if there is no room.
size_t carrier_answer(const struct coap_msg *request, const struct carrier_answer *answer,
	uint8_t *out, size_t room) __attribute__((warn_unused_result));

#endif
