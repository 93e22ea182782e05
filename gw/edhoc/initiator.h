// SPDX-License-Identifier: BSD-3-Clause
// The Initiator's steps (RFC 9528 sections 5.2.2, 5.3.3, 5.4.2, 5.5.3).

#ifndef POSTERN_GW_EDHOC_INITIATOR_H
#define POSTERN_GW_EDHOC_INITIATOR_H

#include "gw/edhoc/session.h"

// What message_1 is made of.
struct edhoc_start {
	unsigned method;
	// The suites of this Initiator that it would rather have than the selected one, the best
	// first, then the selected one.
	const int64_t *suites;
	unsigned n_suites;
	struct edhoc_connection c_i;
	struct ecc_pair *ephemeral; // new, for this message alone; is moved and wiped
	struct edhoc_bytes ead;     // EAD_1
};

// Writes message_1. EDHOC_SUITE if the selected suite is none of edhoc_suites[].
enum edhoc_result edhoc_message_1_make(
	const struct edhoc_start *start, struct edhoc_session *session, struct edhoc_writer *out)
	__attribute__((warn_unused_result));

// Decrypts message_2 to room[], which has len bytes. The caller looks for the credential of
// opened->plaintext.id_cred. An error message is to be seen before (edhoc_is_error()).
enum edhoc_result edhoc_message_2_open(struct edhoc_engine *engine,
	const struct edhoc_session *session, const uint8_t *message, size_t len, uint8_t *room,
	struct edhoc_opened *opened) __attribute__((warn_unused_result));
// With the Responder's credential, whose validity the caller has checked. With EDHOC_OK the session
// is ready for message_3; otherwise it stays as it is.
enum edhoc_result edhoc_message_2_verify(struct edhoc_engine *engine, struct edhoc_session *session,
	const struct edhoc_opened *opened, const struct edhoc_credential *credential)
	__attribute__((warn_unused_result));

// Writes message_3. Once for each session; wipes its ephemeral key.
enum edhoc_result edhoc_message_3_make(struct edhoc_engine *engine, struct edhoc_session *session,
	const struct edhoc_identity *identity, struct edhoc_bytes ead, struct edhoc_writer *out,
	struct edhoc_done *done) __attribute__((warn_unused_result));

// Decrypts message_4 to room[], which has len bytes; *ead is EAD_4.
enum edhoc_result edhoc_message_4_open(struct edhoc_engine *engine, const struct edhoc_done *done,
	const uint8_t *message, size_t len, uint8_t *room, struct edhoc_bytes *ead)
	__attribute__((warn_unused_result));

#endif
