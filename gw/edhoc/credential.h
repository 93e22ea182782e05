// SPDX-License-Identifier: BSD-3-Clause
// Authentication credentials and how messages name them (RFC 9528 section 3.5): CWT Claims Sets
// (CCS) by kid or by value, X.509 certificates by hash or by value.

#ifndef POSTERN_GW_EDHOC_CREDENTIAL_H
#define POSTERN_GW_EDHOC_CREDENTIAL_H

#include "gw/edhoc/cbor.h"
#include "gw/edhoc/result.h"
#include "gw/edhoc/schedule.h"

#define EDHOC_KID_MAX        32   // bytes of a kid
#define EDHOC_CREDENTIAL_MAX 4096 // bytes of a CRED_x
#define EDHOC_CHAIN_MAX      4    // certificates of an x5chain

// What a key may be used for.
enum edhoc_use {
	EDHOC_USE_SIGN = 1,
	EDHOC_USE_AGREE = 2,
};

// A credential, read. The bytes are elsewhere: in the store, or in a message.
struct edhoc_credential {
	struct edhoc_bytes item; // CRED_x: the CCS, or the certificate as a byte string
	bool x509;
	uint8_t uses; // enum edhoc_use
	struct ecc_public key;
	struct edhoc_bytes subject;    // of a CCS: claim sub, UTF-8; len 0: it has none
	struct edhoc_bytes kid;        // of a CCS: that of its COSE_Key; len 0: it has none
	int64_t not_before, not_after; // seconds since 1970; INT64_MIN and INT64_MAX: not bounded
};

// Reads a CCS: one item, a map with a claim cnf that has a COSE_Key.
enum edhoc_result edhoc_credential_from_ccs(struct edhoc_engine *engine, struct edhoc_bytes item,
	struct edhoc_credential *credential) __attribute__((warn_unused_result));
// Writes a CCS with a key. Without a subject and without a kid (len 0) it has none.
void edhoc_ccs_write(struct edhoc_writer *writer, const struct ecc_public *key,
	struct edhoc_bytes subject, struct edhoc_bytes kid);
// Reads a certificate: a byte string with its DER encoding. No signature is verified.
enum edhoc_result edhoc_credential_from_x509(struct edhoc_engine *engine, struct edhoc_bytes item,
	struct edhoc_credential *credential) __attribute__((warn_unused_result));
// Whether this role can authenticate itself with the credential.
bool edhoc_credential_fits(const struct edhoc_credential *credential, unsigned method,
	unsigned suite, enum edhoc_role role);
// now_s in seconds since 1970.
bool edhoc_credential_valid_at(const struct edhoc_credential *credential, int64_t now_s);

// The COSE header parameters that we know.
enum edhoc_id_cred_kind {
	EDHOC_ID_KID = 4,
	EDHOC_ID_KCCS = 14,
	EDHOC_ID_X5CHAIN = 33,
	EDHOC_ID_X5T = 34,
};

// The kind that files call kid, kccs, x5t or x5chain. False if it is none.
bool edhoc_id_cred_kind_read(const char *name, enum edhoc_id_cred_kind *kind)
	__attribute__((warn_unused_result));
// What they call it.
const char *edhoc_id_cred_kind_name(enum edhoc_id_cred_kind kind);
// The kind by which a credential is named in the fewest bytes.
enum edhoc_id_cred_kind edhoc_id_cred_briefest(const struct edhoc_credential *credential);

// COSE numbers of the hashes of x5t.
enum edhoc_x5t_alg {
	EDHOC_X5T_SHA256_64 = -15,
	EDHOC_X5T_SHA256 = -16,
};

// An ID_CRED_x.
struct edhoc_id_cred {
	enum edhoc_id_cred_kind kind;
	struct edhoc_bytes map;   // the header map as it is in the message; no data with a kid
	struct edhoc_bytes value; // kid: its bytes; x5t: the hash; otherwise the item
	enum edhoc_x5t_alg x5t_alg;
};

// Reads an ID_CRED_x as plaintexts have it, where a kid is written without its map.
enum edhoc_result edhoc_id_cred_read(struct edhoc_reader *reader, struct edhoc_id_cred *id_cred)
	__attribute__((warn_unused_result));
void edhoc_id_cred_write(struct edhoc_writer *writer, const struct edhoc_id_cred *id_cred);

#define EDHOC_KID_MAP_MAX (2 + 2 + EDHOC_KID_MAX)

// The header map itself, as transcripts have it: what id_cred points to, or in room[].
struct edhoc_bytes edhoc_id_cred_map(
	const struct edhoc_id_cred *id_cred, uint8_t room[EDHOC_KID_MAP_MAX]);
// The certificates of an x5chain as items, that of the sender first. Returns their number, 0 if it
// is malformed or has more than EDHOC_CHAIN_MAX.
unsigned edhoc_id_cred_chain(
	const struct edhoc_id_cred *id_cred, struct edhoc_bytes chain[EDHOC_CHAIN_MAX]);
// Whether an x5t names this certificate.
bool edhoc_id_cred_is_hash_of(
	const struct edhoc_id_cred *id_cred, const struct edhoc_credential *credential);

// How an own credential is named. The map is written to room[], which has as many bytes as the
// credential has and 64 more.
enum edhoc_result edhoc_id_cred_make(struct edhoc_id_cred *id_cred, enum edhoc_id_cred_kind kind,
	const struct edhoc_credential *credential, struct edhoc_bytes kid,
	struct edhoc_writer *room) __attribute__((warn_unused_result));
// The same by x5chain of several: 2 to EDHOC_CHAIN_MAX certificates, as items, the own one first.
// Returns EDHOC_OK or EDHOC_TOO_LONG.
enum edhoc_result edhoc_id_cred_chain_make(struct edhoc_id_cred *id_cred,
	const struct edhoc_bytes *items, unsigned n, struct edhoc_writer *room);

#endif
