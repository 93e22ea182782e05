// SPDX-License-Identifier: BSD-3-Clause
// The Initiator's side of a handshake (RFC 9528) as payloads of CoAP (appendix A.2). No I/O and no
// clock: the caller sends each payload and hands over the answer.

#ifndef POSTERN_GW_TOOLS_COAP_HANDSHAKE_H
#define POSTERN_GW_TOOLS_COAP_HANDSHAKE_H

#include "base/error.h"
#include "gw/edhoc/initiator.h"
#include "gw/tools/coap/identity_file.h"

// Content-Formats (RFC 9528 section 10.9): with a connection identifier before it, and without.
#define HANDSHAKE_FORMAT_CID 65
#define HANDSHAKE_FORMAT     64

#define HANDSHAKE_PAYLOAD_MAX (EDHOC_MESSAGE_MAX + 1 + EDHOC_CONNECTION_MAX)

struct handshake {
	// Written by the caller before handshake_begin().
	const struct identity *identity;
	struct edhoc_engine *engine;

	struct edhoc_session session;
	struct edhoc_done done; // after message_2
	unsigned suites;        // of SUITES_I: so many of the identity's, up to the selected one
	unsigned refused;       // suites, bit i: the gateway says that it does not want suite i
	uint8_t payload[HANDSHAKE_PAYLOAD_MAX]; // what is sent next
	size_t payload_len;
	size_t message_at; // of message_3 in the payload: behind C_R
};

enum handshake_step {
	HANDSHAKE_SEND,   // the payload is message_1
	HANDSHAKE_FINISH, // the payload is message_3, and `done` has the keys
	HANDSHAKE_FAILED, // *f has the words
};

// Makes message_1.
enum handshake_step handshake_begin(struct handshake *h, struct error *f)
	__attribute__((warn_unused_result));
// Takes what answers message_1: message_2, or an error message (2.04 or not).
enum handshake_step handshake_take_2(struct handshake *h, const uint8_t *bytes, size_t len,
	struct error *f) __attribute__((warn_unused_result));
// Takes message_4. Returns 0, or -EBADMSG if it is none of this handshake.
int handshake_take_4(struct handshake *h, const uint8_t *bytes, size_t len, struct error *f)
	__attribute__((warn_unused_result));
// What an error message says, in words. Nothing of it is authenticated.
void handshake_error_say(const uint8_t *bytes, size_t len, struct error *f);
void handshake_wipe(struct handshake *h);

#endif
