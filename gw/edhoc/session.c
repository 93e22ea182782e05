// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/session.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#define OSCORE_SALT_LEN 8 // bytes (appendix A.1)

// Sig_structure has three byte strings: a header map, the external AAD and a MAC. Both messages are
// at most EDHOC_MESSAGE_MAX bytes, so header map and EAD are together.
#define SIGNED_MAX (EDHOC_CREDENTIAL_MAX + EDHOC_MESSAGE_MAX + 128)

enum edhoc_result edhoc_identity_init(struct edhoc_identity *identity, struct edhoc_engine *engine,
	const struct edhoc_credential *credential, const struct edhoc_id_cred *id_cred,
	const uint8_t secret[ECC_LEN])
{
	const enum ecc_curve curve = credential->key.curve;

	memset(identity, 0, sizeof(*identity));
	identity->credential = *credential;
	identity->id_cred = *id_cred;
	const int err = ecc_pair_from_secret(engine->ecc, curve, secret, &identity->pair);

	if (err || memcmp(identity->pair.public.x, credential->key.x, ECC_LEN) ||
		memcmp(identity->pair.public.y, credential->key.y, ECC_LEN)) {
		edhoc_identity_fini(identity);
		return err == -EIO ? EDHOC_FAILED : EDHOC_CREDENTIAL;
	}
	if (credential->uses & EDHOC_USE_SIGN) {
		identity->signer = ecc_signer_create(&identity->pair);
		if (!identity->signer) {
			edhoc_identity_fini(identity);
			return EDHOC_FAILED;
		}
	}
	return EDHOC_OK;
}

void edhoc_identity_fini(struct edhoc_identity *identity)
{
	ecc_signer_free(identity->signer);
	sodium_memzero(identity, sizeof(*identity));
}

const struct edhoc_identity *edhoc_identity_find(const struct edhoc_identity *identities,
	unsigned n, unsigned method, unsigned suite, enum edhoc_role role)
{
	for (unsigned i = 0; i < n; i++)
		if (edhoc_credential_fits(&identities[i].credential, method, suite, role))
			return &identities[i];
	return NULL;
}

void edhoc_export(const struct edhoc_done *done, unsigned label, struct edhoc_bytes context,
	uint8_t *out, size_t out_len)
{
	uint8_t prk[EDHOC_HASH_LEN];

	edhoc_kdf(done->prk_out, EDHOC_PRK_EXPORTER, NULL, 0, prk, sizeof(prk));
	edhoc_kdf(prk, label, &context, 1, out, out_len);
	sodium_memzero(prk, sizeof(prk));
}

void edhoc_oscore(const struct edhoc_done *done, enum edhoc_role role, struct osc_params *params)
{
	const struct edhoc_connection *sender = role == EDHOC_INITIATOR ? &done->c_r : &done->c_i;
	const struct edhoc_connection *recipient =
		role == EDHOC_INITIATOR ? &done->c_i : &done->c_r;
	uint8_t prk[EDHOC_HASH_LEN];

	memset(params, 0, sizeof(*params));
	params->alg = edhoc_suites[done->suite].application;
	params->secret_len = aead_algs[params->alg].key_len;
	params->salt_len = OSCORE_SALT_LEN;
	// The exporter with labels 0 and 1.
	edhoc_kdf(done->prk_out, EDHOC_PRK_EXPORTER, NULL, 0, prk, sizeof(prk));
	edhoc_kdf(prk, 0, NULL, 0, params->secret, params->secret_len);
	edhoc_kdf(prk, 1, NULL, 0, params->salt, params->salt_len);
	sodium_memzero(prk, sizeof(prk));
	params->sender_id_len = sender->len;
	params->recipient_id_len = recipient->len;
	memcpy(params->sender_id, sender->bytes, sender->len);
	memcpy(params->recipient_id, recipient->bytes, recipient->len);
}

// What of a proof is encoded: C_R and TH as they stand in the contexts, and the header map.
struct encoded {
	uint8_t c_r[1 + EDHOC_CONNECTION_MAX];
	size_t c_r_len;
	uint8_t th[2 + EDHOC_HASH_LEN];
	uint8_t room[EDHOC_KID_MAP_MAX];
	struct edhoc_bytes map;
};

static void encode(struct encoded *encoded, const struct edhoc_proof *proof)
{
	struct edhoc_writer writer = edhoc_writer(encoded->c_r, sizeof(encoded->c_r));

	if (proof->c_r)
		edhoc_write_identifier(&writer, proof->c_r->bytes, proof->c_r->len);
	encoded->c_r_len = edhoc_writer_len(&writer);
	writer = edhoc_writer(encoded->th, sizeof(encoded->th));
	edhoc_write_bytes(&writer, proof->th, EDHOC_HASH_LEN);
	assert(!writer.failed);
	encoded->map = edhoc_id_cred_map(proof->id_cred, encoded->room);
}

// MAC_2 or MAC_3 (sections 5.3.2 and 5.4.2). Returns its length.
static size_t mac_make(
	const struct edhoc_proof *proof, const struct encoded *encoded, uint8_t mac[EDHOC_HASH_LEN])
{
	const struct edhoc_bytes context[] = {
		{encoded->c_r, encoded->c_r_len},
		encoded->map,
		{encoded->th, sizeof(encoded->th)},
		proof->credential->item,
		proof->ead,
	};
	const size_t len = edhoc_static_dh(proof->method, proof->from)
		? edhoc_suites[proof->suite].mac_len
		: EDHOC_HASH_LEN;

	edhoc_kdf(proof->prk, proof->from == EDHOC_RESPONDER ? EDHOC_MAC_2 : EDHOC_MAC_3, context,
		sizeof(context) / sizeof(*context), mac, len);
	return len;
}

// Sig_structure (RFC 9052 section 4.4). Returns its length, 0 if it does not fit.
static size_t signed_make(const struct edhoc_proof *proof, const struct encoded *encoded,
	const uint8_t mac[EDHOC_HASH_LEN], uint8_t out[SIGNED_MAX])
{
	static const uint8_t head[] = "\x84\x6aSignature1";
	struct edhoc_writer writer = edhoc_writer(out, SIGNED_MAX);

	edhoc_write_raw(&writer, head, sizeof(head) - 1);
	edhoc_write_bytes(&writer, encoded->map.data, encoded->map.len);
	edhoc_write_head(&writer, EDHOC_CBOR_BYTES,
		sizeof(encoded->th) + proof->credential->item.len + proof->ead.len);
	edhoc_write_raw(&writer, encoded->th, sizeof(encoded->th));
	edhoc_write_raw(&writer, proof->credential->item.data, proof->credential->item.len);
	edhoc_write_raw(&writer, proof->ead.data, proof->ead.len);
	edhoc_write_bytes(&writer, mac, EDHOC_HASH_LEN);
	return writer.failed ? 0 : edhoc_writer_len(&writer);
}

enum edhoc_result edhoc_proof_make(
	const struct edhoc_proof *proof, struct ecc_signer *signer, uint8_t out[ECC_SIGNATURE_LEN])
{
	enum edhoc_result result = EDHOC_OK;
	uint8_t mac[EDHOC_HASH_LEN], message[SIGNED_MAX];
	struct encoded encoded;

	encode(&encoded, proof);
	const size_t mac_len = mac_make(proof, &encoded, mac);

	if (edhoc_static_dh(proof->method, proof->from)) {
		memcpy(out, mac, mac_len);
	} else {
		const size_t len = signed_make(proof, &encoded, mac, message);

		if (!len)
			result = EDHOC_TOO_LONG;
		else if (!signer || ecc_sign(signer, message, len, out))
			result = EDHOC_FAILED;
		sodium_memzero(message, len);
	}
	sodium_memzero(mac, sizeof(mac));
	return result;
}

enum edhoc_result edhoc_proof_check(
	const struct edhoc_proof *proof, struct edhoc_engine *engine, struct edhoc_bytes bytes)
{
	enum edhoc_result result = EDHOC_FORGED;
	uint8_t mac[EDHOC_HASH_LEN], message[SIGNED_MAX];
	struct encoded encoded;

	if (bytes.len != edhoc_proof_len(proof->method, proof->suite, proof->from))
		return EDHOC_FORGED;
	encode(&encoded, proof);
	const size_t mac_len = mac_make(proof, &encoded, mac);

	if (edhoc_static_dh(proof->method, proof->from)) {
		if (!sodium_memcmp(mac, bytes.data, mac_len))
			result = EDHOC_OK;
	} else {
		const size_t len = signed_make(proof, &encoded, mac, message);

		if (len &&
			!ecc_verify(engine->ecc, &proof->credential->key, message, len, bytes.data))
			result = EDHOC_OK;
		sodium_memzero(message, len);
	}
	sodium_memzero(mac, sizeof(mac));
	return result;
}

void edhoc_finish(struct edhoc_done *done, const struct edhoc_session *session,
	const uint8_t prk_4e3m[EDHOC_HASH_LEN], const uint8_t th_3[EDHOC_HASH_LEN],
	struct edhoc_bytes plaintext_3, struct edhoc_bytes cred_i)
{
	done->method = session->method;
	done->suite = session->suite;
	done->c_i = session->c_i;
	done->c_r = session->c_r;
	memcpy(done->prk_4e3m, prk_4e3m, EDHOC_HASH_LEN);
	edhoc_th_next(done->th_4, th_3, plaintext_3, cred_i);
	edhoc_kdf_th(done->prk_4e3m, EDHOC_PRK_OUT, done->th_4, done->prk_out, EDHOC_HASH_LEN);
}
