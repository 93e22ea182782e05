// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/edhoc/bed.h"

#include "tests/unit/gw/edhoc/certs.h"
#include "tests/unit/hex.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

struct edhoc_engine bed_engine(void)
{
	struct edhoc_engine engine;

	MUST(sodium_init() >= 0);
	engine.aead = aead_engine_create(NULL);
	engine.ecc = ecc_engine_create(NULL);
	MUST(engine.aead && engine.ecc);
	return engine;
}

void bed_engine_free(struct edhoc_engine *engine)
{
	aead_engine_free(engine->aead);
	ecc_engine_free(engine->ecc);
}

void bed_hex(struct bed_bytes *bytes, const char *hex)
{
	uint8_t *decoded = hex_decode(hex, &bytes->len);

	MUST(bytes->len <= BED_ROOM);
	memcpy(bytes->data, decoded, bytes->len);
	free(decoded);
}

struct edhoc_bytes bed_view(const struct bed_bytes *bytes)
{
	return (struct edhoc_bytes){bytes->data, bytes->len};
}

enum ecc_curve bed_curve(unsigned method, unsigned suite, enum edhoc_role role)
{
	return edhoc_static_dh(method, role) ? edhoc_suites[suite].agreement
					     : edhoc_suites[suite].signature;
}

static void credential_read(struct bed_end *end, struct edhoc_engine *engine, bool x509,
	struct edhoc_credential *credential)
{
	const struct edhoc_bytes item = bed_view(&end->item);

	MUST((x509 ? edhoc_credential_from_x509(engine, item, credential)
		   : edhoc_credential_from_ccs(engine, item, credential)) == EDHOC_OK);
}

void bed_end_make(struct bed_end *end, struct edhoc_engine *engine, enum ecc_curve curve,
	enum bed_kind kind, const uint8_t secret[ECC_LEN], uint8_t kid)
{
	static const enum edhoc_id_cred_kind kinds[] = {
		[BED_CCS_KID] = EDHOC_ID_KID,
		[BED_CCS_VALUE] = EDHOC_ID_KCCS,
		[BED_X5T] = EDHOC_ID_X5T,
		[BED_X5CHAIN] = EDHOC_ID_X5CHAIN,
	};
	const bool x509 = kind >= BED_X5T;
	struct edhoc_writer writer = edhoc_writer(end->item.data, BED_ROOM);
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;
	struct ecc_pair pair;

	MUST(!ecc_pair_from_secret(engine->ecc, curve, secret, &pair));
	if (x509)
		certs_leaf(&writer, &pair);
	else
		edhoc_ccs_write(&writer, &pair.public, (struct edhoc_bytes){(void *)"dev", 3},
			(struct edhoc_bytes){&kid, 1});
	MUST(!writer.failed);
	end->item.len = edhoc_writer_len(&writer);
	credential_read(end, engine, x509, &credential);

	writer = edhoc_writer(end->id_cred.data, BED_ROOM);
	MUST(edhoc_id_cred_make(&id_cred, kinds[kind], &credential,
		     (struct edhoc_bytes){&kid, kind == BED_CCS_KID}, &writer) == EDHOC_OK);
	end->id_cred.len = edhoc_writer_len(&writer);
	MUST(edhoc_identity_init(&end->identity, engine, &credential, &id_cred, secret) ==
		EDHOC_OK);
	sodium_memzero(&pair, sizeof(pair));
}

void bed_end_take(struct bed_end *end, struct edhoc_engine *engine, const char *secret,
	const char *cred, const char *id_cred, bool x509)
{
	struct edhoc_credential credential;
	struct edhoc_id_cred name = {.kind = EDHOC_ID_KID};
	struct edhoc_reader reader;
	struct bed_bytes key;

	bed_hex(&key, secret);
	bed_hex(&end->item, cred);
	bed_hex(&end->id_cred, id_cred);
	credential_read(end, engine, x509, &credential);
	reader = edhoc_reader(end->id_cred.data, end->id_cred.len);
	if (x509) {
		MUST(edhoc_id_cred_read(&reader, &name) == EDHOC_OK);
	} else { // {4: kid}
		reader.at += 2;
		MUST(edhoc_read_bytes(&reader, &name.value.data, &name.value.len));
	}
	MUST(edhoc_identity_init(&end->identity, engine, &credential, &name, key.data) == EDHOC_OK);
}

void bed_end_free(struct bed_end *end)
{
	edhoc_identity_fini(&end->identity);
}

enum edhoc_result bed_message_1(
	struct bed_run *run, struct edhoc_engine *engine, unsigned method, unsigned suite)
{
	struct bed_bytes *out = &run->message[1];
	struct edhoc_writer writer = edhoc_writer(out->data, BED_ROOM);
	const int64_t selected = suite;
	struct ecc_pair ephemeral;

	MUST(!ecc_pair_make(engine->ecc, edhoc_suites[suite].agreement, &ephemeral));
	const enum edhoc_result result =
		edhoc_message_1_make(&(struct edhoc_start){.method = method,
					     .suites = &selected,
					     .n_suites = 1,
					     .c_i = {1, {1}},
					     .ephemeral = &ephemeral},
			&run->initiator, &writer);

	MUST(sodium_is_zero((const uint8_t *)&ephemeral, sizeof(ephemeral)));
	out->len = edhoc_writer_len(&writer);
	return result;
}

enum edhoc_result bed_message_2(
	struct bed_run *run, struct edhoc_engine *engine, const struct bed_end *responder)
{
	struct bed_bytes *out = &run->message[2];
	struct edhoc_writer writer = edhoc_writer(out->data, BED_ROOM);
	struct edhoc_message_1 parsed;
	struct ecc_pair ephemeral;
	enum edhoc_result result =
		edhoc_message_1_parse(&parsed, run->message[1].data, run->message[1].len);

	if (result == EDHOC_OK)
		result = edhoc_message_1_check(&parsed, 0xf, 0xf);
	if (result != EDHOC_OK)
		return result;
	MUST(!ecc_pair_make(engine->ecc, edhoc_suites[parsed.suite].agreement, &ephemeral));
	result = edhoc_message_2_make(engine,
		&(struct edhoc_message_2){.message_1 = &parsed,
			.identity = &responder->identity,
			.c_r = {1, {2}},
			.ephemeral = &ephemeral},
		&run->responder, &writer);
	MUST(result == EDHOC_FAILED || result == EDHOC_KEY ||
		sodium_is_zero((const uint8_t *)&ephemeral, sizeof(ephemeral)));
	out->len = edhoc_writer_len(&writer);
	return result;
}

// The credential that an opened message names: by value that which is in it, of a reference that of
// the end if it is meant.
static enum edhoc_result credential_find(struct edhoc_engine *engine,
	const struct edhoc_id_cred *id_cred, const struct bed_end *end,
	struct edhoc_credential *credential)
{
	struct edhoc_bytes chain[EDHOC_CHAIN_MAX];

	switch (id_cred->kind) {
	case EDHOC_ID_KCCS:
		return edhoc_credential_from_ccs(engine, id_cred->value, credential);
	case EDHOC_ID_X5CHAIN:
		if (!edhoc_id_cred_chain(id_cred, chain))
			return EDHOC_MALFORMED;
		return edhoc_credential_from_x509(engine, chain[0], credential);
	case EDHOC_ID_X5T:
		if (!edhoc_id_cred_is_hash_of(id_cred, &end->identity.credential))
			return EDHOC_UNKNOWN;
		break;
	case EDHOC_ID_KID:
		if (id_cred->value.len != end->identity.id_cred.value.len ||
			memcmp(id_cred->value.data, end->identity.id_cred.value.data,
				id_cred->value.len))
			return EDHOC_UNKNOWN;
		break;
	}
	*credential = end->identity.credential;
	return EDHOC_OK;
}

enum edhoc_result bed_message_3(struct bed_run *run, struct edhoc_engine *engine,
	const struct bed_end *initiator, const struct bed_end *responder)
{
	struct bed_bytes *out = &run->message[3];
	struct edhoc_writer writer = edhoc_writer(out->data, BED_ROOM);
	struct edhoc_credential credential;
	struct edhoc_opened opened;
	enum edhoc_result result = edhoc_message_2_open(engine, &run->initiator,
		run->message[2].data, run->message[2].len, run->plaintext[2].data, &opened);

	run->plaintext[2].len = opened.bytes.len;
	if (result == EDHOC_OK)
		result = credential_find(engine, &opened.plaintext.id_cred, responder, &credential);
	if (result == EDHOC_OK)
		result = edhoc_message_2_verify(engine, &run->initiator, &opened, &credential);
	if (result != EDHOC_OK)
		return result;
	result = edhoc_message_3_make(engine, &run->initiator, &initiator->identity,
		(struct edhoc_bytes){0}, &writer, &run->initiator_done);
	out->len = edhoc_writer_len(&writer);
	return result;
}

enum edhoc_result bed_message_4(
	struct bed_run *run, struct edhoc_engine *engine, const struct bed_end *initiator)
{
	struct bed_bytes *out = &run->message[4];
	struct edhoc_writer writer = edhoc_writer(out->data, BED_ROOM);
	struct edhoc_credential credential;
	struct edhoc_opened opened;
	enum edhoc_result result = edhoc_message_3_open(engine, &run->responder,
		run->message[3].data, run->message[3].len, run->plaintext[3].data, &opened);

	run->plaintext[3].len = opened.bytes.len;
	if (result == EDHOC_OK)
		result = credential_find(engine, &opened.plaintext.id_cred, initiator, &credential);
	if (result == EDHOC_OK)
		result = edhoc_message_3_verify(
			engine, &run->responder, &opened, &credential, &run->responder_done);
	if (result != EDHOC_OK)
		return result;
	result = edhoc_message_4_make(
		engine, &run->responder_done, (struct edhoc_bytes){0}, &writer);
	out->len = edhoc_writer_len(&writer);
	return result;
}

enum edhoc_result bed_finish(struct bed_run *run, struct edhoc_engine *engine)
{
	uint8_t room[BED_ROOM];
	struct edhoc_bytes ead;

	return edhoc_message_4_open(engine, &run->initiator_done, run->message[4].data,
		run->message[4].len, room, &ead);
}

void bed_run(struct bed_run *run, struct edhoc_engine *engine, unsigned method, unsigned suite,
	const struct bed_end *initiator, const struct bed_end *responder)
{
	MUST(bed_message_1(run, engine, method, suite) == EDHOC_OK);
	MUST(bed_message_2(run, engine, responder) == EDHOC_OK);
	MUST(bed_message_3(run, engine, initiator, responder) == EDHOC_OK);
	MUST(bed_message_4(run, engine, initiator) == EDHOC_OK);
	MUST(bed_finish(run, engine) == EDHOC_OK);
}
