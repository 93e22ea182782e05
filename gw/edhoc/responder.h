// SPDX-License-Identifier: BSD-3-Clause
// The Responder's steps (RFC 9528 sections 5.2.3, 5.3.2, 5.4.3, 5.5.2).
//
// What takes long, the ECDH, is a step of its own, so that the scalar multiplications of many
// handshakes can be done at once: begin, edhoc_shared_run() over many, finish.

#ifndef POSTERN_GW_EDHOC_RESPONDER_H
#define POSTERN_GW_EDHOC_RESPONDER_H

#include "gw/edhoc/session.h"

// ECDH between a begin and a finish. Holds secrets; finish wipes it.
struct edhoc_shared {
	unsigned n;
	struct ecc_public peer; // G_X
	bool peer_is_x;         // its y is to be found
	int err;                // that it has none
	struct ecc_job jobs[2];
};

// Makes the shared secrets of n handshakes.
void edhoc_shared_run(struct edhoc_engine *engine, struct edhoc_shared *shared, unsigned n);

// What message_2 is made of.
struct edhoc_message_2 {
	const struct edhoc_message_1 *message_1; // that edhoc_message_1_check() took
	const struct edhoc_identity *identity;   // fits method and suite
	struct edhoc_connection c_r;             // not C_I
	// New, of the suite's curve, for this message alone. Finish moves it into the session and
	// wipes it here.
	struct ecc_pair *ephemeral;
	struct edhoc_bytes ead; // EAD_2
};

// EDHOC_FAILED if what is given does not go together.
enum edhoc_result edhoc_message_2_begin(const struct edhoc_message_2 *message,
	struct edhoc_shared *shared) __attribute__((warn_unused_result));
// Writes message_2, or returns EDHOC_KEY if G_X is no point. Its bytes must be kept for repeated
// requests: it is never made again (section 7). *session is what message_3 needs.
enum edhoc_result edhoc_message_2_finish(const struct edhoc_message_2 *message,
	struct edhoc_shared *shared, struct edhoc_session *session, struct edhoc_writer *out)
	__attribute__((warn_unused_result));
// All three steps.
enum edhoc_result edhoc_message_2_make(struct edhoc_engine *engine,
	const struct edhoc_message_2 *message, struct edhoc_session *session,
	struct edhoc_writer *out) __attribute__((warn_unused_result));

// Decrypts message_3 to room[], which has len bytes. The session stays as it is, since anybody can
// send a message_3. With EDHOC_OK the caller looks for the credential of opened->plaintext.id_cred;
// with EDHOC_FORGED the message was not made by who has the keys of the session.
enum edhoc_result edhoc_message_3_open(struct edhoc_engine *engine,
	const struct edhoc_session *session, const uint8_t *message, size_t len, uint8_t *room,
	struct edhoc_opened *opened) __attribute__((warn_unused_result));
// With the Initiator's credential, whose validity the caller has checked. EDHOC_CREDENTIAL if it is
// not for this method and suite. begin and finish may be called again with another credential.
enum edhoc_result edhoc_message_3_begin(const struct edhoc_session *session,
	const struct edhoc_credential *credential, struct edhoc_shared *shared)
	__attribute__((warn_unused_result));
// EDHOC_FORGED if the Initiator does not have the private key of the credential.
enum edhoc_result edhoc_message_3_finish(struct edhoc_engine *engine,
	const struct edhoc_session *session, const struct edhoc_opened *opened,
	const struct edhoc_credential *credential, struct edhoc_shared *shared,
	struct edhoc_done *done) __attribute__((warn_unused_result));
// Begin, ECDH and finish.
enum edhoc_result edhoc_message_3_verify(struct edhoc_engine *engine,
	const struct edhoc_session *session, const struct edhoc_opened *opened,
	const struct edhoc_credential *credential, struct edhoc_done *done)
	__attribute__((warn_unused_result));

// Writes message_4. Once for each session: its bytes are kept like those of message_2.
enum edhoc_result edhoc_message_4_make(struct edhoc_engine *engine, const struct edhoc_done *done,
	struct edhoc_bytes ead, struct edhoc_writer *out) __attribute__((warn_unused_result));

#endif
