// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC to both roles, error messages, credentials and their names. The first byte says
// what the rest is.
//
// The sessions have fixed keys, so the mutator decrypts message_2, 3 and 4, changes the plaintext
// and encrypts it again: otherwise hardly any input would come behind the tag.

#include "gw/edhoc/x509.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/gw/edhoc/bed.h"

#include <sodium.h>
#include <string.h>

enum kind {
	MESSAGE_1,
	MESSAGE_2,
	MESSAGE_3,
	MESSAGE_4,
	ERROR,
	PAYLOAD,
	CCS,
	X509_ITEM,
	ID_CRED,
	KINDS
};

// A handshake of method 3 with suite 2 up to each of its messages.
static struct {
	struct edhoc_engine engine;
	struct bed_end initiator, responder;
	struct edhoc_session before_2, before_3; // of the Initiator and the Responder
	struct edhoc_done done;
	struct edhoc_opened opened_2;
	struct bed_bytes message_1, message_2, message_3, plaintext_2, plaintext_3;
} fixed;

static struct ecc_pair pair_of(const char *text)
{
	uint8_t secret[ECC_LEN] = {0};
	struct ecc_pair pair;

	strncpy((char *)secret, text, sizeof(secret) - 1);
	FUZZ_CHECK(!ecc_pair_from_secret(fixed.engine.ecc, ECC_P256, secret, &pair));
	return pair;
}

static struct edhoc_writer writer_of(struct bed_bytes *bytes)
{
	return edhoc_writer(bytes->data, sizeof(bytes->data));
}

static void start_once(void)
{
	struct ecc_pair x, y;
	struct edhoc_message_1 parsed;
	struct edhoc_session session;
	struct edhoc_writer writer = writer_of(&fixed.message_1);
	struct edhoc_opened opened;

	if (fixed.engine.ecc)
		return;
	fixed.engine = bed_engine();
	x = pair_of("ephemeral of the initiator");
	y = pair_of("ephemeral of the responder");
	bed_end_make(&fixed.initiator, &fixed.engine, ECC_P256, BED_CCS_KID,
		(const uint8_t *)"the secret key of the initiator", 0x11);
	bed_end_make(&fixed.responder, &fixed.engine, ECC_P256, BED_CCS_KID,
		(const uint8_t *)"the secret key of the responder", 0xaa);
	FUZZ_CHECK(edhoc_message_1_make(
			   &(struct edhoc_start){3, (const int64_t[]){2}, 1, {1, {1}}, &x, {0}},
			   &session, &writer) == EDHOC_OK);
	fixed.message_1.len = edhoc_writer_len(&writer);
	fixed.before_2 = session;
	FUZZ_CHECK(edhoc_message_1_parse(&parsed, fixed.message_1.data, fixed.message_1.len) ==
		EDHOC_OK);
	writer = writer_of(&fixed.message_2);
	FUZZ_CHECK(edhoc_message_2_make(&fixed.engine,
			   &(struct edhoc_message_2){
				   &parsed, &fixed.responder.identity, {1, {2}}, &y, {0}},
			   &fixed.before_3, &writer) == EDHOC_OK);
	fixed.message_2.len = edhoc_writer_len(&writer);
	FUZZ_CHECK(
		edhoc_message_2_open(&fixed.engine, &session, fixed.message_2.data,
			fixed.message_2.len, fixed.plaintext_2.data, &fixed.opened_2) == EDHOC_OK);
	fixed.plaintext_2.len = fixed.opened_2.bytes.len;
	FUZZ_CHECK(edhoc_message_2_verify(&fixed.engine, &session, &fixed.opened_2,
			   &fixed.responder.identity.credential) == EDHOC_OK);
	writer = writer_of(&fixed.message_3);
	FUZZ_CHECK(edhoc_message_3_make(&fixed.engine, &session, &fixed.initiator.identity,
			   (struct edhoc_bytes){0}, &writer, &fixed.done) == EDHOC_OK);
	fixed.message_3.len = edhoc_writer_len(&writer);
	FUZZ_CHECK(edhoc_message_3_open(&fixed.engine, &fixed.before_3, fixed.message_3.data,
			   fixed.message_3.len, fixed.plaintext_3.data, &opened) == EDHOC_OK);
	fixed.plaintext_3.len = opened.bytes.len;
}

static bool within(struct edhoc_bytes part, const uint8_t *bytes, size_t len)
{
	return !part.len || (part.data >= bytes && part.data + part.len <= bytes + len);
}

static void message_1(const uint8_t *bytes, size_t len)
{
	static uint8_t out[EDHOC_MESSAGE_MAX + 16];
	struct edhoc_message_1 parsed;
	struct edhoc_writer writer;
	struct edhoc_session session;
	struct ecc_pair y;

	if (edhoc_message_1_parse(&parsed, bytes, len) != EDHOC_OK)
		return;
	// The encoding is deterministic: what was read is written as it was.
	writer = edhoc_writer(out, sizeof(out));
	edhoc_write_int(&writer, parsed.method);
	if (parsed.n_suites > 1)
		edhoc_write_head(&writer, EDHOC_CBOR_ARRAY, parsed.n_suites);
	edhoc_write_raw(&writer, parsed.suites.data, parsed.suites.len);
	edhoc_write_bytes(&writer, parsed.g_x.data, parsed.g_x.len);
	if (parsed.fault != EDHOC_IDENTIFIER) {
		edhoc_write_identifier(&writer, parsed.c_i.bytes, parsed.c_i.len);
		edhoc_write_raw(&writer, parsed.ead.data, parsed.ead.len);
		FUZZ_CHECK(!writer.failed && edhoc_writer_len(&writer) == len);
	}
	FUZZ_CHECK(!memcmp(out, bytes, edhoc_writer_len(&writer)));
	if (edhoc_message_1_check(&parsed, 1 << 3, 1 << 2) != EDHOC_OK)
		return;
	FUZZ_CHECK(parsed.method == 3 && parsed.suite == 2 && parsed.g_x.len == ECC_LEN);
	y = pair_of("another ephemeral one");
	writer = edhoc_writer(out, sizeof(out));
	if (edhoc_message_2_make(&fixed.engine,
		    &(struct edhoc_message_2){
			    &parsed, &fixed.responder.identity, {4, {2, 3, 4, 5}}, &y, {0}},
		    &session, &writer) == EDHOC_OK)
		FUZZ_CHECK(edhoc_connection_equal(&session.c_i, &parsed.c_i));
}

// The credential that a plaintext names; false: none.
static bool credential_find(const struct edhoc_id_cred *id_cred, const struct bed_end *peer,
	struct edhoc_credential *credential)
{
	struct edhoc_bytes chain[EDHOC_CHAIN_MAX];
	uint8_t room[EDHOC_KID_MAP_MAX];
	const unsigned n =
		id_cred->kind == EDHOC_ID_X5CHAIN ? edhoc_id_cred_chain(id_cred, chain) : 0;

	FUZZ_CHECK(edhoc_id_cred_map(id_cred, room).len);
	switch (id_cred->kind) {
	case EDHOC_ID_KCCS:
		return edhoc_credential_from_ccs(&fixed.engine, id_cred->value, credential) ==
			EDHOC_OK;
	case EDHOC_ID_X5CHAIN:
		return n &&
			edhoc_credential_from_x509(&fixed.engine, chain[0], credential) == EDHOC_OK;
	case EDHOC_ID_X5T:
		FUZZ_CHECK(!edhoc_id_cred_is_hash_of(id_cred, &peer->identity.credential));
		return false;
	case EDHOC_ID_KID:
		*credential = peer->identity.credential;
		return true;
	}
	FUZZ_CHECK(false);
	return false;
}

static void plaintext_check(const struct edhoc_opened *opened, enum edhoc_role from)
{
	static uint8_t out[EDHOC_MESSAGE_MAX];
	struct edhoc_writer writer = edhoc_writer(out, sizeof(out));

	edhoc_plaintext_write(&writer, &opened->plaintext, from);
	FUZZ_CHECK(!writer.failed && edhoc_writer_len(&writer) == opened->bytes.len &&
		!memcmp(out, opened->bytes.data, opened->bytes.len));
}

static void message_2(const uint8_t *bytes, size_t len, uint8_t *room)
{
	struct edhoc_session session = fixed.before_2;
	struct edhoc_credential credential;
	struct edhoc_opened opened;

	if (edhoc_message_2_open(&fixed.engine, &session, bytes, len, room, &opened) != EDHOC_OK)
		return;
	plaintext_check(&opened, EDHOC_RESPONDER);
	if (!credential_find(&opened.plaintext.id_cred, &fixed.responder, &credential))
		return;
	// Nobody but the Responder makes one that verifies, and it has made one only.
	if (edhoc_message_2_verify(&fixed.engine, &session, &opened, &credential) == EDHOC_OK)
		FUZZ_CHECK(len == fixed.message_2.len && !memcmp(bytes, fixed.message_2.data, len));
	else
		FUZZ_CHECK(!memcmp(&session, &fixed.before_2, sizeof(session)));
}

static void message_3(const uint8_t *bytes, size_t len, uint8_t *room)
{
	struct edhoc_credential credential;
	struct edhoc_opened opened;
	struct edhoc_done done;

	if (edhoc_message_3_open(&fixed.engine, &fixed.before_3, bytes, len, room, &opened) !=
		EDHOC_OK)
		return;
	plaintext_check(&opened, EDHOC_INITIATOR);
	if (!credential_find(&opened.plaintext.id_cred, &fixed.initiator, &credential))
		return;
	if (edhoc_message_3_verify(&fixed.engine, &fixed.before_3, &opened, &credential, &done) ==
		EDHOC_OK)
		FUZZ_CHECK(len == fixed.message_3.len &&
			!memcmp(bytes, fixed.message_3.data, len) &&
			!memcmp(&done, &fixed.done, sizeof(done)));
}

static void names(const uint8_t *bytes, size_t len)
{
	struct edhoc_reader reader = edhoc_reader(bytes, len);
	struct edhoc_credential credential;
	struct edhoc_id_cred id_cred;

	if (edhoc_id_cred_read(&reader, &id_cred) == EDHOC_OK)
		credential_find(&id_cred, &fixed.initiator, &credential);
}

static void payload(const uint8_t *bytes, size_t len)
{
	struct edhoc_connection c_r;
	struct edhoc_bytes one, other;

	if (edhoc_payload_split(bytes, len, &c_r, &one) != EDHOC_PREFIX_NONE)
		FUZZ_CHECK(one.len && within(one, bytes, len));
	if (edhoc_combined_split(bytes, len, &one, &other))
		FUZZ_CHECK(one.len + other.len == len && within(other, bytes, len));
}

static void other_kinds(enum kind kind, const uint8_t *bytes, size_t len, uint8_t *room)
{
	const struct edhoc_bytes item = {bytes, len};
	struct edhoc_credential credential;
	struct edhoc_bytes ead;
	struct edhoc_error error;

	switch (kind) {
	case MESSAGE_4:
		if (edhoc_message_4_open(&fixed.engine, &fixed.done, bytes, len, room, &ead) ==
			EDHOC_OK)
			FUZZ_CHECK(edhoc_ead_check(ead) == EDHOC_OK);
		break;
	case ERROR:
		if (edhoc_error_parse(&error, bytes, len))
			FUZZ_CHECK(edhoc_is_error(bytes, len) &&
				error.n_suites <= EDHOC_ERROR_SUITES_MAX &&
				within((struct edhoc_bytes){error.text, error.text_len}, bytes,
					len));
		break;
	case CCS:
		if (edhoc_credential_from_ccs(&fixed.engine, item, &credential) == EDHOC_OK)
			FUZZ_CHECK(credential.uses && within(credential.subject, bytes, len) &&
				within(credential.kid, bytes, len) &&
				ecc_public_valid(fixed.engine.ecc, &credential.key));
		break;
	case X509_ITEM:
		if (edhoc_credential_from_x509(&fixed.engine, item, &credential) == EDHOC_OK)
			FUZZ_CHECK(credential.uses &&
				ecc_public_valid(fixed.engine.ecc, &credential.key));
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	start_once();
	if (!len)
		return 0;
	const enum kind kind = data[0] % KINDS;

	len--;
	// Exact copies, so that a sanitizer sees one byte too many.
	uint8_t *copy = malloc(len ?: 1), *room = malloc(len ?: 1);

	memcpy(copy, data + 1, len);
	switch (kind) {
	case MESSAGE_1:
		message_1(copy, len);
		break;
	case MESSAGE_2:
		message_2(copy, len, room);
		break;
	case MESSAGE_3:
		message_3(copy, len, room);
		break;
	case PAYLOAD:
		payload(copy, len);
		break;
	case ID_CRED:
		names(copy, len);
		break;
	default:
		other_kinds(kind, copy, len, room);
	}
	free(copy);
	free(room);
	return 0;
}

static const struct edhoc_sealing sealings[] = {
	[MESSAGE_3] = {&edhoc_suites[2], fixed.before_3.prk, fixed.before_3.th, EDHOC_K_3,
		EDHOC_IV_3},
	[MESSAGE_4] = {&edhoc_suites[2], fixed.done.prk_4e3m, fixed.done.th_4, EDHOC_K_4,
		EDHOC_IV_4},
};

// Writes the plaintext of a message to out[]. Returns its length; of a message that does not
// decrypt what the fixed one has.
static size_t plaintext_of(enum kind kind, const uint8_t *message, size_t len, uint8_t *out)
{
	const struct bed_bytes *own = kind == MESSAGE_2 ? &fixed.plaintext_2
		: kind == MESSAGE_3                     ? &fixed.plaintext_3
							: NULL;
	struct edhoc_bytes content;

	if (edhoc_message_bytes(&content, message, len)) {
		if (kind == MESSAGE_2 && content.len > ECC_LEN &&
			!memcmp(content.data, fixed.message_2.data + 2, ECC_LEN)) {
			len = content.len - ECC_LEN;
			edhoc_kdf_th(
				fixed.opened_2.prk, EDHOC_KEYSTREAM_2, fixed.opened_2.th, out, len);
			for (size_t i = 0; i < len; i++)
				out[i] ^= content.data[ECC_LEN + i];
			return len;
		}
		if (kind != MESSAGE_2 && content.len >= 8 &&
			edhoc_open(fixed.engine.aead, &sealings[kind], content.data,
				content.len - 8, out))
			return content.len - 8;
	}
	if (own)
		memcpy(out, own->data, own->len);
	return own ? own->len : 0;
}

// The message of a plaintext. Returns its length, 0 if there is no room.
static size_t message_of(
	enum kind kind, const uint8_t *plaintext, size_t len, uint8_t *out, size_t max)
{
	static uint8_t sealed[EDHOC_MESSAGE_MAX + ECC_LEN];
	struct edhoc_writer writer = edhoc_writer(out, max);

	if (kind == MESSAGE_2) {
		memcpy(sealed, fixed.message_2.data + 2, ECC_LEN);
		edhoc_kdf_th(fixed.opened_2.prk, EDHOC_KEYSTREAM_2, fixed.opened_2.th,
			sealed + ECC_LEN, len);
		for (size_t i = 0; i < len; i++)
			sealed[ECC_LEN + i] ^= plaintext[i];
		edhoc_write_bytes(&writer, sealed, ECC_LEN + len);
	} else {
		FUZZ_CHECK(edhoc_seal(fixed.engine.aead, &sealings[kind], plaintext, len, sealed));
		edhoc_write_bytes(&writer, sealed, len + 8);
	}
	return writer.failed ? 0 : edhoc_writer_len(&writer);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t len, size_t max, unsigned seed)
{
	static uint8_t plaintext[EDHOC_MESSAGE_MAX];
	size_t plaintext_len, made;

	start_once();
	const enum kind kind = len ? data[0] % KINDS : MESSAGE_1;

	if (kind < MESSAGE_2 || kind > MESSAGE_4 || seed % 8 == 0 || len > 2048 || max < 3000)
		return LLVMFuzzerMutate(data, len, max);
	plaintext_len = plaintext_of(kind, data + 1, len - 1, plaintext);
	plaintext_len = LLVMFuzzerMutate(plaintext, plaintext_len, 2048);
	made = message_of(kind, plaintext, plaintext_len, data + 1, max - 1);
	return made ? made + 1 : len;
}
