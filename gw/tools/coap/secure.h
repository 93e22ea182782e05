// SPDX-License-Identifier: BSD-3-Clause
// A client's request sealed and its answer opened (RFC 8613 sections 8.1 and 8.4).

#ifndef POSTERN_GW_TOOLS_COAP_SECURE_H
#define POSTERN_GW_TOOLS_COAP_SECURE_H

#include "base/error.h"
#include "crypto/aead.h"
#include "dataplane/coap/message.h"
#include "dataplane/oscore/context.h"
#include "dataplane/oscore/protect.h"
#include "gw/tools/coap/options.h"

#define DATAGRAM_MAX 65507 // bytes of UDP payload over IPv4

struct request {
	enum coap_type type;
	uint8_t code;
	uint16_t mid;
	const uint8_t *token;
	size_t token_len;
	const struct option_list *options;
	const uint8_t *payload;
	size_t payload_len;
	// Outside of what is sealed; len 0: there is none.
	const uint8_t *echo;
	size_t echo_len;
	const uint8_t *message_3; // of EDHOC, which goes with the request (RFC 9668)
	size_t message_3_len;
};

// How one message was protected, for people who want to see it.
struct protection {
	uint64_t piv;
	bool has_piv; // in this message
	uint8_t nonce[AEAD_NONCE_MAX];
	uint8_t nonce_len;
	uint16_t ciphertext_len; // with the tag
};

struct session {
	const struct osc_params *params;
	const struct osc_keys *keys;
	struct aead_engine *engine;
	bool send_id_context; // if there is one
	// Instead of the ID Context; NULL: none.
	const uint8_t *kid_context;
	uint8_t kid_context_len;
};

// Encodes a request without protection. Returns bytes written to datagram[DATAGRAM_MAX] or
// -EMSGSIZE.
int request_encode(const struct request *request, uint8_t *datagram, struct error *f)
	__attribute__((warn_unused_result));
// Encodes a request under the Partial IV piv, which no other request of these keys may have.
int request_seal(const struct session *session, const struct request *request, uint64_t piv,
	uint8_t *datagram, struct protection *protection, struct error *f)
	__attribute__((warn_unused_result));

enum answer_verdict {
	ANSWER_OK,
	ANSWER_UNPROTECTED,  // no OSCORE option; body and code are those of the outer message
	ANSWER_BAD_OPTION,   // more than one, malformed, or of another peer
	ANSWER_NOT_VERIFIED, // the tag is wrong
	ANSWER_BAD_CONTENT,  // what was sealed is no response
};

struct answer {
	uint8_t code;
	struct coap_body body; // points into the message, or into plaintext
	struct protection protection;
	uint8_t *plaintext; // DATAGRAM_MAX bytes, the caller's
};

// Opens the answer to the request of request_piv.
enum answer_verdict answer_open(const struct session *session, uint64_t request_piv,
	const struct coap_msg *msg, struct answer *answer) __attribute__((warn_unused_result));

#endif
