// SPDX-License-Identifier: BSD-3-Clause
// EDHOC (RFC 9528): what both roles keep between messages, and what a handshake gives. Functions
// over bytes, which know neither clock nor network; the caller has the credentials.

#ifndef POSTERN_GW_EDHOC_SESSION_H
#define POSTERN_GW_EDHOC_SESSION_H

#include "dataplane/oscore/context.h"
#include "gw/edhoc/message.h"

// An own credential with its private key. The owner calls edhoc_identity_fini(). The bytes of
// credential and id_cred are the caller's.
struct edhoc_identity {
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;
	struct ecc_pair pair;
	struct ecc_signer *signer; // used by one thread only; NULL: the key agrees only
};

// EDHOC_CREDENTIAL if the private key is not that of the credential.
enum edhoc_result edhoc_identity_init(struct edhoc_identity *identity, struct edhoc_engine *engine,
	const struct edhoc_credential *credential, const struct edhoc_id_cred *id_cred,
	const uint8_t secret[ECC_LEN]) __attribute__((warn_unused_result));
// Wipes the private key.
void edhoc_identity_fini(struct edhoc_identity *identity);
// The first identity that this role can use; NULL: none.
const struct edhoc_identity *edhoc_identity_find(const struct edhoc_identity *identities,
	unsigned n, unsigned method, unsigned suite, enum edhoc_role role);

// A handshake between two messages. Holds secrets: the owner wipes it.
struct edhoc_session {
	uint8_t method;
	uint8_t suite;
	struct edhoc_connection c_i, c_r;
	struct ecc_pair ephemeral;   // own
	struct ecc_public peer;      // of an Initiator after message_2: G_Y
	uint8_t th[EDHOC_HASH_LEN];  // Initiator: H(message_1), then TH_3; Responder: TH_3
	uint8_t prk[EDHOC_HASH_LEN]; // PRK_3e2m; of an Initiator only after message_2
};

// A completed handshake. Holds secrets: the owner wipes it.
struct edhoc_done {
	uint8_t method;
	uint8_t suite;
	struct edhoc_connection c_i, c_r;
	uint8_t th_4[EDHOC_HASH_LEN];
	uint8_t prk_4e3m[EDHOC_HASH_LEN];
	uint8_t prk_out[EDHOC_HASH_LEN];
};

// EDHOC_Exporter (section 4.2.1).
void edhoc_export(const struct edhoc_done *done, unsigned label, struct edhoc_bytes context,
	uint8_t *out, size_t out_len);
// The parameters of the OSCORE context (appendix A.1), as `role` sees it. The caller wipes *params.
void edhoc_oscore(const struct edhoc_done *done, enum edhoc_role role, struct osc_params *params);

// A received message_2 or message_3, decrypted. plaintext points into the room that the caller
// gave. Holds secrets: the owner wipes it and the room.
struct edhoc_opened {
	struct edhoc_bytes bytes; // PLAINTEXT_2, PLAINTEXT_3
	struct edhoc_plaintext plaintext;
	uint8_t th[EDHOC_HASH_LEN];  // TH_2, TH_3
	uint8_t prk[EDHOC_HASH_LEN]; // PRK_2e, PRK_3e2m
	struct ecc_public peer;      // of message_2: G_Y
};

// For message_2 and message_3 alike: what Signature_or_MAC is over.
struct edhoc_proof {
	unsigned method, suite;
	enum edhoc_role from;
	const struct edhoc_connection *c_r; // of message_2 only
	const struct edhoc_id_cred *id_cred;
	const struct edhoc_credential *credential;
	const uint8_t *th, *prk; // TH_2 and PRK_3e2m, or TH_3 and PRK_4e3m
	struct edhoc_bytes ead;
};

// Writes Signature_or_MAC, edhoc_proof_len() bytes. signer may be NULL with a static key.
enum edhoc_result edhoc_proof_make(const struct edhoc_proof *proof, struct ecc_signer *signer,
	uint8_t out[ECC_SIGNATURE_LEN]) __attribute__((warn_unused_result));
// EDHOC_FORGED if these bytes are not the Signature_or_MAC.
enum edhoc_result edhoc_proof_check(const struct edhoc_proof *proof, struct edhoc_engine *engine,
	struct edhoc_bytes bytes) __attribute__((warn_unused_result));
// What both roles derive at the end (section 5.4), from TH_3 and PRK_4e3m.
void edhoc_finish(struct edhoc_done *done, const struct edhoc_session *session,
	const uint8_t prk_4e3m[EDHOC_HASH_LEN], const uint8_t th_3[EDHOC_HASH_LEN],
	struct edhoc_bytes plaintext_3, struct edhoc_bytes cred_i);

#endif
