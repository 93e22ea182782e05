// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/initiator.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

enum edhoc_result edhoc_message_1_make(
	const struct edhoc_start *start, struct edhoc_session *session, struct edhoc_writer *out)
{
	const int64_t suite = start->n_suites ? start->suites[start->n_suites - 1] : -1;
	uint8_t *from = out->at;

	memset(session, 0, sizeof(*session));
	if (suite < 0 || suite >= EDHOC_SUITE_COUNT)
		return EDHOC_SUITE;
	if (start->method >= EDHOC_METHOD_COUNT ||
		start->ephemeral->public.curve != edhoc_suites[suite].agreement)
		return EDHOC_FAILED;
	session->method = (uint8_t)start->method;
	session->suite = (uint8_t)suite;
	session->c_i = start->c_i;
	session->ephemeral = *start->ephemeral;
	sodium_memzero(start->ephemeral, sizeof(*start->ephemeral));

	edhoc_write_int(out, start->method);
	if (start->n_suites > 1)
		edhoc_write_head(out, EDHOC_CBOR_ARRAY, start->n_suites);
	for (unsigned i = 0; i < start->n_suites; i++)
		edhoc_write_int(out, start->suites[i]);
	edhoc_write_bytes(out, session->ephemeral.public.x, ECC_LEN);
	edhoc_write_identifier(out, session->c_i.bytes, session->c_i.len);
	edhoc_write_raw(out, start->ead.data, start->ead.len);
	if (out->failed || out->at - from > EDHOC_MESSAGE_MAX) {
		sodium_memzero(session, sizeof(*session));
		return EDHOC_TOO_LONG;
	}
	edhoc_hash(session->th, &(const struct edhoc_bytes){from, (size_t)(out->at - from)}, 1);
	return EDHOC_OK;
}

// Reads G_Y and makes TH_2 and PRK_2e.
static enum edhoc_result g_y_take(struct edhoc_engine *engine, const struct edhoc_session *session,
	const uint8_t g_y[ECC_LEN], struct edhoc_opened *opened)
{
	uint8_t shared[ECC_LEN];
	int err = 0;

	opened->peer.curve = edhoc_suites[session->suite].agreement;
	memcpy(opened->peer.x, g_y, ECC_LEN);
	if (opened->peer.curve == ECC_P256)
		err = ecc_public_from_x(engine->ecc, g_y, &opened->peer);
	if (!err)
		err = ecc_shared(engine->ecc, &session->ephemeral, &opened->peer, shared);
	if (err)
		return err == -EINVAL ? EDHOC_KEY : EDHOC_FAILED;
	edhoc_th_2(opened->th, g_y, session->th);
	hkdf_sha256_extract(opened->prk, opened->th, EDHOC_HASH_LEN, shared, sizeof(shared));
	sodium_memzero(shared, sizeof(shared));
	return EDHOC_OK;
}

enum edhoc_result edhoc_message_2_open(struct edhoc_engine *engine,
	const struct edhoc_session *session, const uint8_t *message, size_t len, uint8_t *room,
	struct edhoc_opened *opened)
{
	struct edhoc_bytes content;
	enum edhoc_result result;

	memset(opened, 0, sizeof(*opened));
	if (!edhoc_message_bytes(&content, message, len) || content.len < ECC_LEN)
		return EDHOC_MALFORMED;
	result = g_y_take(engine, session, content.data, opened);
	if (result != EDHOC_OK)
		return result;
	content.data += ECC_LEN;
	content.len -= ECC_LEN;
	opened->bytes = (struct edhoc_bytes){room, content.len};
	edhoc_kdf_th(opened->prk, EDHOC_KEYSTREAM_2, opened->th, room, content.len);
	for (size_t i = 0; i < content.len; i++)
		room[i] ^= content.data[i];
	result = edhoc_plaintext_parse(&opened->plaintext, opened->bytes, EDHOC_RESPONDER,
		session->method, session->suite);
	// The ids of an OSCORE context differ (section 3.3.3).
	if (result == EDHOC_OK && edhoc_connection_equal(&opened->plaintext.c_r, &session->c_i))
		return EDHOC_IDENTIFIER;
	return result;
}

enum edhoc_result edhoc_message_2_verify(struct edhoc_engine *engine, struct edhoc_session *session,
	const struct edhoc_opened *opened, const struct edhoc_credential *credential)
{
	uint8_t shared[ECC_LEN], prk_3e2m[EDHOC_HASH_LEN];
	enum edhoc_result result;
	int err;

	if (!edhoc_credential_fits(credential, session->method, session->suite, EDHOC_RESPONDER))
		return EDHOC_CREDENTIAL;
	memcpy(prk_3e2m, opened->prk, sizeof(prk_3e2m));
	if (edhoc_static_dh(session->method, EDHOC_RESPONDER)) {
		err = ecc_shared(engine->ecc, &session->ephemeral, &credential->key, shared);
		if (err) {
			sodium_memzero(prk_3e2m, sizeof(prk_3e2m));
			return err == -EINVAL ? EDHOC_CREDENTIAL : EDHOC_FAILED;
		}
		edhoc_prk_next(prk_3e2m, opened->prk, EDHOC_SALT_3E2M, opened->th, shared);
		sodium_memzero(shared, sizeof(shared));
	}
	result = edhoc_proof_check(
		&(struct edhoc_proof){
			.method = session->method,
			.suite = session->suite,
			.from = EDHOC_RESPONDER,
			.c_r = &opened->plaintext.c_r,
			.id_cred = &opened->plaintext.id_cred,
			.credential = credential,
			.th = opened->th,
			.prk = prk_3e2m,
			.ead = opened->plaintext.ead,
		},
		engine, opened->plaintext.proof);
	if (result == EDHOC_OK) {
		session->c_r = opened->plaintext.c_r;
		edhoc_th_next(session->th, opened->th, opened->bytes, credential->item);
		memcpy(session->prk, prk_3e2m, EDHOC_HASH_LEN);
		session->peer = opened->peer;
	}
	sodium_memzero(prk_3e2m, sizeof(prk_3e2m));
	return result;
}

// PRK_4e3m of the Initiator, which knows G_Y.
static enum edhoc_result prk_4e3m_make(struct edhoc_engine *engine,
	const struct edhoc_session *session, const struct edhoc_identity *identity,
	uint8_t prk_4e3m[EDHOC_HASH_LEN])
{
	uint8_t shared[ECC_LEN];

	memcpy(prk_4e3m, session->prk, EDHOC_HASH_LEN);
	if (!edhoc_static_dh(session->method, EDHOC_INITIATOR))
		return EDHOC_OK;
	if (ecc_shared(engine->ecc, &identity->pair, &session->peer, shared))
		return EDHOC_FAILED;
	edhoc_prk_next(prk_4e3m, session->prk, EDHOC_SALT_4E3M, session->th, shared);
	sodium_memzero(shared, sizeof(shared));
	return EDHOC_OK;
}

// Seals PLAINTEXT_3 and makes what follows from it.
static enum edhoc_result message_3_compose(struct edhoc_engine *engine,
	const struct edhoc_session *session, const struct edhoc_plaintext *plaintext,
	const struct edhoc_credential *credential, const uint8_t prk_4e3m[EDHOC_HASH_LEN],
	struct edhoc_writer *out, struct edhoc_done *done)
{
	const struct edhoc_suite *suite = &edhoc_suites[session->suite];
	const struct edhoc_sealing sealing = {
		.suite = suite,
		.prk = session->prk,
		.th = session->th,
		.key_label = EDHOC_K_3,
		.iv_label = EDHOC_IV_3,
	};
	uint8_t room[EDHOC_MESSAGE_MAX - EDHOC_TAG_MAX - 3], sealed[EDHOC_MESSAGE_MAX];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));

	edhoc_plaintext_write(&writer, plaintext, EDHOC_INITIATOR);
	if (writer.failed)
		return EDHOC_TOO_LONG;
	const struct edhoc_bytes bytes = {room, edhoc_writer_len(&writer)};

	if (!edhoc_seal(engine->aead, &sealing, bytes.data, bytes.len, sealed))
		return EDHOC_FAILED;
	edhoc_write_bytes(out, sealed, bytes.len + aead_algs[suite->aead].tag_len);
	if (!out->failed)
		edhoc_finish(done, session, prk_4e3m, session->th, bytes, credential->item);
	sodium_memzero(room, bytes.len);
	return out->failed ? EDHOC_TOO_LONG : EDHOC_OK;
}

enum edhoc_result edhoc_message_3_make(struct edhoc_engine *engine, struct edhoc_session *session,
	const struct edhoc_identity *identity, struct edhoc_bytes ead, struct edhoc_writer *out,
	struct edhoc_done *done)
{
	uint8_t prk_4e3m[EDHOC_HASH_LEN], proof[ECC_SIGNATURE_LEN];
	const struct edhoc_plaintext plaintext = {
		.id_cred = identity->id_cred,
		.proof = {proof, edhoc_proof_len(session->method, session->suite, EDHOC_INITIATOR)},
		.ead = ead,
	};
	enum edhoc_result result;

	memset(done, 0, sizeof(*done));
	if (!edhoc_credential_fits(
		    &identity->credential, session->method, session->suite, EDHOC_INITIATOR))
		return EDHOC_FAILED;
	result = prk_4e3m_make(engine, session, identity, prk_4e3m);
	if (result == EDHOC_OK)
		result = edhoc_proof_make(
			&(struct edhoc_proof){
				.method = session->method,
				.suite = session->suite,
				.from = EDHOC_INITIATOR,
				.id_cred = &identity->id_cred,
				.credential = &identity->credential,
				.th = session->th,
				.prk = prk_4e3m,
				.ead = ead,
			},
			identity->signer, proof);
	if (result == EDHOC_OK)
		result = message_3_compose(
			engine, session, &plaintext, &identity->credential, prk_4e3m, out, done);
	sodium_memzero(prk_4e3m, sizeof(prk_4e3m));
	sodium_memzero(session, sizeof(*session));
	return result;
}

enum edhoc_result edhoc_message_4_open(struct edhoc_engine *engine, const struct edhoc_done *done,
	const uint8_t *message, size_t len, uint8_t *room, struct edhoc_bytes *ead)
{
	const struct edhoc_suite *suite = &edhoc_suites[done->suite];
	const struct edhoc_sealing sealing = {
		.suite = suite,
		.prk = done->prk_4e3m,
		.th = done->th_4,
		.key_label = EDHOC_K_4,
		.iv_label = EDHOC_IV_4,
	};
	const size_t tag_len = aead_algs[suite->aead].tag_len;
	struct edhoc_bytes ciphertext;

	if (!edhoc_message_bytes(&ciphertext, message, len) || ciphertext.len < tag_len)
		return EDHOC_MALFORMED;
	*ead = (struct edhoc_bytes){room, ciphertext.len - tag_len};
	if (!edhoc_open(engine->aead, &sealing, ciphertext.data, ead->len, room))
		return EDHOC_FORGED;
	return edhoc_ead_check(*ead);
}
