// SPDX-License-Identifier: BSD-3-Clause
// The encoding of EDHOC's messages (RFC 9528 section 5): CBOR sequences <-> structs. Nothing here
// has a key.

#ifndef POSTERN_GW_EDHOC_MESSAGE_H
#define POSTERN_GW_EDHOC_MESSAGE_H

#include "gw/edhoc/credential.h"

#define EDHOC_MESSAGE_MAX 4096 // bytes of a message, either way
#define EDHOC_CONNECTION_MAX \
	7 // bytes of a connection identifier that OSCORE can use (RFC 8613
	  // section 3.3)

// A connection identifier: C_I or C_R.
struct edhoc_connection {
	uint8_t len;
	uint8_t bytes[EDHOC_CONNECTION_MAX];
};

bool edhoc_connection_equal(const struct edhoc_connection *a, const struct edhoc_connection *b);

// message_1. What it points to is in the message.
struct edhoc_message_1 {
	struct edhoc_bytes all;
	int64_t method;
	unsigned n_suites;         // SUITES_I
	struct edhoc_bytes suites; // n_suites integers
	int64_t suite;             // the last one: selected
	struct edhoc_bytes g_x;
	struct edhoc_connection c_i;
	struct edhoc_bytes ead;  // EAD_1
	enum edhoc_result fault; // what edhoc_message_1_check() says if method and suite are good:
				 // EDHOC_IDENTIFIER, EDHOC_EAD, or nothing
};

// Reads message_1: EDHOC_OK or EDHOC_MALFORMED.
enum edhoc_result edhoc_message_1_parse(struct edhoc_message_1 *message, const uint8_t *bytes,
	size_t len) __attribute__((warn_unused_result));
// Whether a Responder takes the message (section 5.2.3). Bit i of methods and suites: it has number
// i. The selected suite must be the first one in SUITES_I that it has; lengths are of that suite.
enum edhoc_result edhoc_message_1_check(const struct edhoc_message_1 *message, unsigned methods,
	unsigned suites) __attribute__((warn_unused_result));

// Checks a sequence of EAD items (section 3.8): EDHOC_EAD if one of them is critical, since we know
// none.
enum edhoc_result edhoc_ead_check(struct edhoc_bytes ead) __attribute__((warn_unused_result));
// Writes padding of len bytes, len != 0 (section 3.8.1).
void edhoc_padding_write(struct edhoc_writer *writer, size_t len);

// A message that is one byte string: message_2, 3 or 4. False if it is not exactly that.
bool edhoc_message_bytes(struct edhoc_bytes *content, const uint8_t *bytes, size_t len)
	__attribute__((warn_unused_result));

// PLAINTEXT_2 or PLAINTEXT_3, or what is to become of them. What it points to is in the plaintext.
struct edhoc_plaintext {
	struct edhoc_connection c_r; // of PLAINTEXT_2 only
	struct edhoc_id_cred id_cred;
	struct edhoc_bytes proof; // Signature_or_MAC
	struct edhoc_bytes ead;
};

// from is the role that has sent it: EDHOC_RESPONDER means PLAINTEXT_2. The proof must have the
// length that method and suite want. With EDHOC_ID_CRED the id_cred is of a kind that is not known.
enum edhoc_result edhoc_plaintext_parse(struct edhoc_plaintext *plaintext, struct edhoc_bytes bytes,
	enum edhoc_role from, unsigned method, unsigned suite) __attribute__((warn_unused_result));
void edhoc_plaintext_write(
	struct edhoc_writer *writer, const struct edhoc_plaintext *plaintext, enum edhoc_role from);
// Bytes of Signature_or_MAC.
size_t edhoc_proof_len(unsigned method, unsigned suite, enum edhoc_role from);

// What stands before the message in a payload of CoAP (appendix A.2).
enum edhoc_prefix {
	EDHOC_PREFIX_NONE, // malformed
	EDHOC_PREFIX_MESSAGE_1,
	EDHOC_PREFIX_C_R, // message_3, or an error message of the Initiator
};

// Splits a payload. *message is what follows the prefix; with EDHOC_PREFIX_C_R c_r is set.
enum edhoc_prefix edhoc_payload_split(const uint8_t *payload, size_t len,
	struct edhoc_connection *c_r, struct edhoc_bytes *message)
	__attribute__((warn_unused_result));
// Splits the payload of a combined request (RFC 9668 section 3.2.1): message_3, which is one byte
// string, and an OSCORE ciphertext, neither of them empty.
bool edhoc_combined_split(const uint8_t *payload, size_t len, struct edhoc_bytes *message_3,
	struct edhoc_bytes *ciphertext) __attribute__((warn_unused_result));

#endif
