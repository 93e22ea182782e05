// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/responder.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define JOBS_MAX 64 // of one call of ecc_shared_batch()

// Finds the y of each G_X that has only an x.
static void peers_complete(struct edhoc_engine *engine, struct edhoc_shared *shared, unsigned n)
{
	struct ecc_public *publics[JOBS_MAX];
	unsigned of[JOBS_MAX], waiting = 0;
	int errs[JOBS_MAX];

	for (unsigned i = 0; i < n; i++) {
		if (shared[i].peer_is_x) {
			of[waiting] = i;
			publics[waiting++] = &shared[i].peer;
		}
		if (waiting < JOBS_MAX && i + 1 < n)
			continue;
		ecc_publics_from_x(engine->ecc, publics, errs, waiting);
		for (unsigned k = 0; k < waiting; k++)
			shared[of[k]].err = errs[k];
		waiting = 0;
	}
}

void edhoc_shared_run(struct edhoc_engine *engine, struct edhoc_shared *shared, unsigned n)
{
	struct ecc_job *jobs[JOBS_MAX];
	unsigned waiting = 0;

	peers_complete(engine, shared, n);
	for (unsigned i = 0; i < n; i++) {
		for (unsigned k = 0; k < shared[i].n && !shared[i].err; k++)
			jobs[waiting++] = &shared[i].jobs[k];
		if (waiting > JOBS_MAX - 2 || i + 1 == n) {
			ecc_shared_batch(engine->ecc, jobs, waiting);
			waiting = 0;
		}
	}
}

// What failed first.
static enum edhoc_result jobs_result(const struct edhoc_shared *shared, enum edhoc_result bad_key)
{
	int err = shared->err;

	for (unsigned i = 0; i < shared->n && !err; i++)
		err = shared->jobs[i].err;
	if (err)
		return err == -EINVAL ? bad_key : EDHOC_FAILED;
	return EDHOC_OK;
}

enum edhoc_result edhoc_message_2_begin(
	const struct edhoc_message_2 *message, struct edhoc_shared *shared)
{
	const struct edhoc_message_1 *message_1 = message->message_1;
	const unsigned method = (unsigned)message_1->method, suite = (unsigned)message_1->suite;
	const struct edhoc_identity *identity = message->identity;
	const struct edhoc_suite *of = &edhoc_suites[suite];

	memset(shared, 0, sizeof(*shared));
	if (!edhoc_credential_fits(&identity->credential, method, suite, EDHOC_RESPONDER) ||
		message->ephemeral->public.curve != of->agreement ||
		edhoc_connection_equal(&message->c_r, &message_1->c_i))
		return EDHOC_FAILED;
	shared->peer.curve = of->agreement;
	memcpy(shared->peer.x, message_1->g_x.data, ECC_LEN);
	shared->peer_is_x = of->agreement == ECC_P256;
	shared->jobs[shared->n++] =
		(struct ecc_job){.pair = message->ephemeral, .public = &shared->peer};
	if (edhoc_static_dh(method, EDHOC_RESPONDER))
		shared->jobs[shared->n++] =
			(struct ecc_job){.pair = &identity->pair, .public = &shared->peer};
	return EDHOC_OK;
}

// Derives PRK_2e and PRK_3e2m from the transcript and the shared secrets.
static void prk_make(const struct edhoc_shared *shared, const uint8_t th_2[EDHOC_HASH_LEN],
	uint8_t prk_2e[EDHOC_HASH_LEN], uint8_t prk_3e2m[EDHOC_HASH_LEN])
{
	hkdf_sha256_extract(prk_2e, th_2, EDHOC_HASH_LEN, shared->jobs[0].shared, ECC_LEN);
	if (shared->n > 1)
		edhoc_prk_next(prk_3e2m, prk_2e, EDHOC_SALT_3E2M, th_2, shared->jobs[1].shared);
	else
		memcpy(prk_3e2m, prk_2e, EDHOC_HASH_LEN);
}

// Writes (G_Y || CIPHERTEXT_2) around a plaintext. Encrypts it in out.
static enum edhoc_result message_2_write(struct edhoc_writer *out, const uint8_t g_y[ECC_LEN],
	struct edhoc_bytes plaintext, const uint8_t prk_2e[EDHOC_HASH_LEN],
	const uint8_t th_2[EDHOC_HASH_LEN])
{
	uint8_t keystream[EDHOC_MESSAGE_MAX];
	const struct edhoc_writer before = *out;

	edhoc_write_head(out, EDHOC_CBOR_BYTES, ECC_LEN + plaintext.len);
	edhoc_write_raw(out, g_y, ECC_LEN);
	edhoc_kdf_th(prk_2e, EDHOC_KEYSTREAM_2, th_2, keystream, plaintext.len);
	for (size_t i = 0; i < plaintext.len; i++)
		keystream[i] ^= plaintext.data[i];
	edhoc_write_raw(out, keystream, plaintext.len);
	sodium_memzero(keystream, plaintext.len);
	if (out->failed || out->at - before.at > EDHOC_MESSAGE_MAX) {
		*out = before;
		return EDHOC_TOO_LONG;
	}
	return EDHOC_OK;
}

// Fills *session, whose prk is PRK_3e2m, and writes message_2.
static enum edhoc_result message_2_compose(const struct edhoc_message_2 *message,
	const uint8_t th_2[EDHOC_HASH_LEN], const uint8_t prk_2e[EDHOC_HASH_LEN],
	struct edhoc_session *session, struct edhoc_writer *out)
{
	uint8_t proof[ECC_SIGNATURE_LEN], room[EDHOC_MESSAGE_MAX - ECC_LEN];
	struct edhoc_writer writer = edhoc_writer(room, sizeof(room));
	const struct edhoc_identity *identity = message->identity;
	struct edhoc_plaintext plaintext = {
		.c_r = message->c_r,
		.id_cred = identity->id_cred,
		.proof = {proof, edhoc_proof_len(session->method, session->suite, EDHOC_RESPONDER)},
		.ead = message->ead,
	};
	enum edhoc_result result = edhoc_proof_make(
		&(struct edhoc_proof){
			.method = session->method,
			.suite = session->suite,
			.from = EDHOC_RESPONDER,
			.c_r = &message->c_r,
			.id_cred = &identity->id_cred,
			.credential = &identity->credential,
			.th = th_2,
			.prk = session->prk,
			.ead = message->ead,
		},
		identity->signer, proof);

	if (result != EDHOC_OK)
		return result;
	edhoc_plaintext_write(&writer, &plaintext, EDHOC_RESPONDER);
	if (writer.failed)
		return EDHOC_TOO_LONG;
	const struct edhoc_bytes bytes = {room, edhoc_writer_len(&writer)};

	edhoc_th_next(session->th, th_2, bytes, identity->credential.item);
	result = message_2_write(out, message->ephemeral->public.x, bytes, prk_2e, th_2);
	sodium_memzero(room, bytes.len);
	return result;
}

enum edhoc_result edhoc_message_2_finish(const struct edhoc_message_2 *message,
	struct edhoc_shared *shared, struct edhoc_session *session, struct edhoc_writer *out)
{
	uint8_t hash_1[EDHOC_HASH_LEN], th_2[EDHOC_HASH_LEN], prk_2e[EDHOC_HASH_LEN];
	const struct edhoc_message_1 *message_1 = message->message_1;
	enum edhoc_result result = jobs_result(shared, EDHOC_KEY);

	memset(session, 0, sizeof(*session));
	if (result == EDHOC_OK) {
		session->method = (uint8_t)message_1->method;
		session->suite = (uint8_t)message_1->suite;
		session->c_i = message_1->c_i;
		session->c_r = message->c_r;
		session->ephemeral = *message->ephemeral;
		edhoc_hash(hash_1, &message_1->all, 1);
		edhoc_th_2(th_2, message->ephemeral->public.x, hash_1);
		prk_make(shared, th_2, prk_2e, session->prk);
		result = message_2_compose(message, th_2, prk_2e, session, out);
		sodium_memzero(prk_2e, sizeof(prk_2e));
	}
	if (result != EDHOC_OK)
		sodium_memzero(session, sizeof(*session));
	sodium_memzero(message->ephemeral, sizeof(*message->ephemeral));
	sodium_memzero(shared, sizeof(*shared));
	return result;
}

enum edhoc_result edhoc_message_2_make(struct edhoc_engine *engine,
	const struct edhoc_message_2 *message, struct edhoc_session *session,
	struct edhoc_writer *out)
{
	struct edhoc_shared shared;
	const enum edhoc_result result = edhoc_message_2_begin(message, &shared);

	if (result != EDHOC_OK)
		return result;
	edhoc_shared_run(engine, &shared, 1);
	return edhoc_message_2_finish(message, &shared, session, out);
}

enum edhoc_result edhoc_message_3_open(struct edhoc_engine *engine,
	const struct edhoc_session *session, const uint8_t *message, size_t len, uint8_t *room,
	struct edhoc_opened *opened)
{
	const struct edhoc_suite *suite = &edhoc_suites[session->suite];
	const struct edhoc_sealing sealing = {
		.suite = suite,
		.prk = session->prk,
		.th = session->th,
		.key_label = EDHOC_K_3,
		.iv_label = EDHOC_IV_3,
	};
	const size_t tag_len = aead_algs[suite->aead].tag_len;
	struct edhoc_bytes ciphertext;

	memset(opened, 0, sizeof(*opened));
	if (!edhoc_message_bytes(&ciphertext, message, len) || ciphertext.len < tag_len)
		return EDHOC_MALFORMED;
	opened->bytes = (struct edhoc_bytes){room, ciphertext.len - tag_len};
	if (!edhoc_open(engine->aead, &sealing, ciphertext.data, opened->bytes.len, room))
		return EDHOC_FORGED;
	memcpy(opened->th, session->th, EDHOC_HASH_LEN);
	memcpy(opened->prk, session->prk, EDHOC_HASH_LEN);
	return edhoc_plaintext_parse(&opened->plaintext, opened->bytes, EDHOC_INITIATOR,
		session->method, session->suite);
}

enum edhoc_result edhoc_message_3_begin(const struct edhoc_session *session,
	const struct edhoc_credential *credential, struct edhoc_shared *shared)
{
	memset(shared, 0, sizeof(*shared));
	if (!edhoc_credential_fits(credential, session->method, session->suite, EDHOC_INITIATOR))
		return EDHOC_CREDENTIAL;
	if (edhoc_static_dh(session->method, EDHOC_INITIATOR))
		shared->jobs[shared->n++] =
			(struct ecc_job){.pair = &session->ephemeral, .public = &credential->key};
	return EDHOC_OK;
}

enum edhoc_result edhoc_message_3_finish(struct edhoc_engine *engine,
	const struct edhoc_session *session, const struct edhoc_opened *opened,
	const struct edhoc_credential *credential, struct edhoc_shared *shared,
	struct edhoc_done *done)
{
	uint8_t prk_4e3m[EDHOC_HASH_LEN];
	enum edhoc_result result = jobs_result(shared, EDHOC_CREDENTIAL);

	memset(done, 0, sizeof(*done));
	if (result != EDHOC_OK) {
		sodium_memzero(shared, sizeof(*shared));
		return result;
	}
	if (shared->n)
		edhoc_prk_next(
			prk_4e3m, opened->prk, EDHOC_SALT_4E3M, opened->th, shared->jobs[0].shared);
	else
		memcpy(prk_4e3m, opened->prk, EDHOC_HASH_LEN);
	result = edhoc_proof_check(
		&(struct edhoc_proof){
			.method = session->method,
			.suite = session->suite,
			.from = EDHOC_INITIATOR,
			.id_cred = &opened->plaintext.id_cred,
			.credential = credential,
			.th = opened->th,
			.prk = prk_4e3m,
			.ead = opened->plaintext.ead,
		},
		engine, opened->plaintext.proof);
	if (result == EDHOC_OK)
		edhoc_finish(done, session, prk_4e3m, opened->th, opened->bytes, credential->item);
	sodium_memzero(prk_4e3m, sizeof(prk_4e3m));
	sodium_memzero(shared, sizeof(*shared));
	return result;
}

enum edhoc_result edhoc_message_3_verify(struct edhoc_engine *engine,
	const struct edhoc_session *session, const struct edhoc_opened *opened,
	const struct edhoc_credential *credential, struct edhoc_done *done)
{
	struct edhoc_shared shared;
	const enum edhoc_result result = edhoc_message_3_begin(session, credential, &shared);

	if (result != EDHOC_OK)
		return result;
	edhoc_shared_run(engine, &shared, 1);
	return edhoc_message_3_finish(engine, session, opened, credential, &shared, done);
}

enum edhoc_result edhoc_message_4_make(struct edhoc_engine *engine, const struct edhoc_done *done,
	struct edhoc_bytes ead, struct edhoc_writer *out)
{
	const struct edhoc_suite *suite = &edhoc_suites[done->suite];
	const struct edhoc_sealing sealing = {
		.suite = suite,
		.prk = done->prk_4e3m,
		.th = done->th_4,
		.key_label = EDHOC_K_4,
		.iv_label = EDHOC_IV_4,
	};
	uint8_t sealed[EDHOC_MESSAGE_MAX];
	const size_t sealed_len = ead.len + aead_algs[suite->aead].tag_len;

	if (ead.len > sizeof(sealed) - EDHOC_TAG_MAX - 3)
		return EDHOC_TOO_LONG;
	if (!edhoc_seal(engine->aead, &sealing, ead.data, ead.len, sealed))
		return EDHOC_FAILED;
	edhoc_write_bytes(out, sealed, sealed_len);
	return out->failed ? EDHOC_TOO_LONG : EDHOC_OK;
}
