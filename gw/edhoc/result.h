// SPDX-License-Identifier: BSD-3-Clause
// How a step of EDHOC ends, and the error message that tells the peer (RFC 9528 section 6).

#ifndef POSTERN_GW_EDHOC_RESULT_H
#define POSTERN_GW_EDHOC_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum edhoc_result {
	EDHOC_OK,
	// Of the peer's message.
	EDHOC_MALFORMED,  // not the sequence of deterministic CBOR that it should be
	EDHOC_METHOD,     // not supported
	EDHOC_SUITE,      // not supported, or the Initiator would rather have another one of ours
	EDHOC_IDENTIFIER, // a connection identifier that OSCORE cannot use
	EDHOC_KEY,        // G_X or G_Y is no point of the curve, or one of small order
	EDHOC_EAD,        // a critical item that nobody here knows
	EDHOC_FORGED,     // tag, MAC or signature does not verify
	EDHOC_ID_CRED,    // an ID_CRED of a kind that is not supported
	EDHOC_UNKNOWN,    // a reference to a credential that we do not have
	EDHOC_CREDENTIAL, // a credential that cannot be read, or is not for this method and suite
	EDHOC_UNTRUSTED,  // a credential without a valid chain, or at the wrong time
	// Of ours.
	EDHOC_TOO_LONG, // what would be sent does not fit
	EDHOC_FAILED,   // a library failed, or the caller's parameters do not go together
	EDHOC_RESULT_COUNT,
};

// Words for a log.
const char *edhoc_result_text(enum edhoc_result result);
// Whether the failure is this end's own: CoAP code 5.00 instead of 4.00 (appendix A.2.3).
bool edhoc_result_is_ours(enum edhoc_result result);

// The error codes of section 6.
enum edhoc_error_code {
	EDHOC_ERROR_UNSPECIFIED = 1,
	EDHOC_ERROR_SUITE = 2,
	EDHOC_ERROR_CREDENTIAL = 3,
};

#define EDHOC_ERROR_MAX 64 // bytes of an error message of ours

// Writes the error message for a result; suites is the set of ours (bit i: suite i), for
// EDHOC_SUITE. What can only fail behind the decryption of message_3 has one text, except that an
// unknown credential is told if `tell_unknown`. Returns its length.
size_t edhoc_error_write(
	enum edhoc_result result, unsigned suites, bool tell_unknown, uint8_t out[EDHOC_ERROR_MAX]);

#define EDHOC_ERROR_SUITES_MAX 16

// An error message of the peer. Nothing of it is authenticated.
struct edhoc_error {
	int64_t code;
	unsigned n_suites; // SUITES_R, with EDHOC_ERROR_SUITE
	int64_t suites[EDHOC_ERROR_SUITES_MAX];
	const uint8_t *text; // with EDHOC_ERROR_UNSPECIFIED; in the message
	size_t text_len;
};

// Whether bytes, where message_2, 3 or 4 is expected, are an error message: these begin with a byte
// string, it with an integer.
bool edhoc_is_error(const uint8_t *bytes, size_t len);
// False if it is malformed; also with ERR_CODE 0, which is never sent (section 6.1).
bool edhoc_error_parse(struct edhoc_error *error, const uint8_t *bytes, size_t len)
	__attribute__((warn_unused_result));

#endif
