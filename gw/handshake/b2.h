// SPDX-License-Identifier: BSD-3-Clause
// The server's steps of RFC 8613 appendix B.2, as functions over one message. They keep nothing,
// and know neither clock, store nor network.
//
// R2 is a nonce and a MAC over it (appendix B.2.1), so that the gateway remembers no run of the
// protocol. The MAC is also over the device, over how often the device has got a new context up to
// now, and over the minute: with a request #2 that is served this number rises, and every other R2
// that was given out for the device, and each copy of the request, is worth nothing any more.

#ifndef POSTERN_GW_HANDSHAKE_B2_H
#define POSTERN_GW_HANDSHAKE_B2_H

#include "crypto/aead.h"
#include "dataplane/coap/message.h"
#include "dataplane/oscore/context.h"
#include "dataplane/oscore/option.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define B2_NONCE_LEN   8 // bytes
#define B2_MAC_LEN     8
#define B2_R2_LEN      (B2_NONCE_LEN + B2_MAC_LEN)
#define B2_ID_MAX      64                      // bytes of an ID Context that B.2 makes
#define B2_ID1_MAX     (B2_ID_MAX - B2_R2_LEN) // of one that is extended by an R2
#define B2_MAC_KEY_LEN 32
#define B2_SLOT_S      60 // an R2 is good for the rest of its minute and the whole next one
#define B2_TOKEN_MAX   64 // bytes of a token that is answered
// Bytes of a response #1: header, extended token length and token; the OSCORE option with its
// header, Partial IV, kid context and kid; payload marker, code and tag.
#define B2_RESPONSE_MAX \
	(4 + 1 + B2_TOKEN_MAX + 2 + (3 + 1 + B2_R2_LEN + OSC_KID_LEN_MAX) + 1 + 1 + AEAD_TAG_MAX)

struct b2 {
	struct aead_engine *engine;      // the owner makes and frees it
	uint8_t mac_key[B2_MAC_KEY_LEN]; // random, new at each start; the owner wipes it
};

// A device with `rederive: b2`. It has the Master Secret: the owner wipes it.
struct b2_device {
	uint64_t id;              // of the device, or of these secrets of it
	uint64_t count;           // how often it got a new context up to now
	uint64_t fingerprint;     // of the keys in use
	struct osc_params params; // the ID Context is that of the context in use
};

// An OSCORE request. What it points to is the datagram.
struct b2_request {
	struct coap_msg msg;
	struct osc_option option;
};

// The ID Context that a kid context stands for.
struct b2_id {
	uint8_t len;
	uint8_t bytes[B2_ID_MAX];
};

enum b2_kind {
	B2_REQUEST_1, // its kid context is an R1, or the ID Context of a context that nobody knows
	B2_REQUEST_2, // it begins with an R2 that was given to this device and is good
	B2_MALFORMED, // no request with a token and a kid context as B.2 has them
	B2_TOO_LONG,  // the ID Contexts made of it would be longer than B2_ID_MAX
};

// Parses a datagram. False if it is no OSCORE request with kid, Partial IV and ciphertext, or its
// token is longer than B2_TOKEN_MAX.
bool b2_parse(struct b2_request *request, const uint8_t *datagram, size_t len)
	__attribute__((warn_unused_result));
// Which step a request is for, by its kid context alone: nothing is verified. *id is ID1 or ID3.
enum b2_kind b2_kind(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, uint64_t now_s, struct b2_id *id)
	__attribute__((warn_unused_result));
// Verifies a request under the context with this ID Context, whose keys are in *keys if it returns
// true. The plaintext goes to room[], which has as many bytes as the datagram, and is wiped. The
// caller wipes *keys.
bool b2_verify(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, const struct b2_id *id, uint8_t *room,
	struct osc_keys *keys) __attribute__((warn_unused_result));
// Makes a new R2, with a random nonce, for one response #1.
void b2_r2_make(
	const struct b2 *b2, const struct b2_device *device, uint64_t now_s, uint8_t r2[B2_R2_LEN]);
// Whether this R2 was made for the device as it is now, and not too long ago.
bool b2_r2_good(const struct b2 *b2, const struct b2_device *device, uint64_t now_s,
	const uint8_t r2[B2_R2_LEN]) __attribute__((warn_unused_result));
// Writes response #1 to a verified request of the context with ID1: 4.01 without more, protected
// with the Partial IV 0 of the context ID2 = R2 || ID1, so r2 must be of this call alone. The
// message id of an answer to a NON is 0. Returns its length, or 0 if ID1 is too long or the library
// fails.
size_t b2_respond(const struct b2 *b2, const struct b2_device *device,
	const struct b2_request *request, const struct b2_id *id1, const uint8_t r2[B2_R2_LEN],
	uint8_t out[B2_RESPONSE_MAX]) __attribute__((warn_unused_result));

#endif
