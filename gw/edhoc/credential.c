// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/credential.h"

#include "gw/edhoc/x509.h"

#include <string.h>

// Claims of a CWT (RFC 8392, RFC 8747) and parameters of a COSE_Key (RFC 9052, RFC 9053).
enum { CLAIM_SUB = 2, CLAIM_EXP = 4, CLAIM_NBF = 5, CLAIM_CNF = 8, CNF_COSE_KEY = 1 };
enum { KEY_KTY = 1, KEY_KID = 2, KEY_ALG = 3, KEY_OPS = 4, KEY_CRV = -1, KEY_X = -2, KEY_Y = -3 };
enum { KTY_OKP = 1, KTY_EC2 = 2, CRV_P256 = 1, CRV_X25519 = 4, CRV_ED25519 = 6 };
enum { ALG_ES256 = -7, ALG_EDDSA = -8, OP_VERIFY = 2 };

struct cose_key {
	int64_t kty, crv, alg;
	bool has_alg, has_ops, ops_verify;
	const uint8_t *x, *y; // ECC_LEN bytes each; y NULL: compressed
	bool has_y, y_odd;
	struct edhoc_bytes kid;
};

// Takes a byte string of a coordinate's length.
static bool coordinate_read(struct edhoc_reader *reader, const uint8_t **bytes)
{
	size_t len;

	return edhoc_read_bytes(reader, bytes, &len) && len == ECC_LEN;
}

static bool y_read(struct edhoc_reader *reader, struct cose_key *key)
{
	struct edhoc_reader ahead = *reader;
	struct edhoc_cbor item;

	key->has_y = true;
	if (!edhoc_read(&ahead, &item))
		return false;
	if (item.type != EDHOC_CBOR_SIMPLE)
		return coordinate_read(reader, &key->y);
	*reader = ahead;
	key->y_odd = item.value == EDHOC_CBOR_TRUE;
	return item.value == EDHOC_CBOR_TRUE || item.value == EDHOC_CBOR_FALSE;
}

// key_ops: operations with names instead of numbers are none of those that count here.
static bool ops_read(struct edhoc_reader *reader, struct cose_key *key)
{
	struct edhoc_cbor ops, op;

	if (!edhoc_read(reader, &ops) || ops.type != EDHOC_CBOR_ARRAY)
		return false;
	key->has_ops = true;
	for (uint64_t i = 0; i < ops.value; i++) {
		if (!edhoc_read(reader, &op) ||
			(op.type != EDHOC_CBOR_UINT && op.type != EDHOC_CBOR_TEXT))
			return false;
		key->ops_verify |= op.type == EDHOC_CBOR_UINT && op.value == OP_VERIFY;
	}
	return true;
}

static bool parameter_read(struct edhoc_reader *reader, struct cose_key *key)
{
	const uint8_t *whole;
	int64_t label;
	struct edhoc_reader name = *reader;

	// A label may be a text, which none of those that count is.
	if (!edhoc_read_int(reader, &label)) {
		*reader = name;
		return edhoc_read_whole(reader, &whole) && edhoc_read_whole(reader, &whole);
	}
	switch (label) {
	case KEY_KTY:
		return edhoc_read_int(reader, &key->kty);
	case KEY_KID:
		return edhoc_read_bytes(reader, &key->kid.data, &key->kid.len);
	case KEY_ALG:
		key->has_alg = true;
		return edhoc_read_int(reader, &key->alg);
	case KEY_OPS:
		return ops_read(reader, key);
	case KEY_CRV:
		return edhoc_read_int(reader, &key->crv);
	case KEY_X:
		return coordinate_read(reader, &key->x);
	case KEY_Y:
		return y_read(reader, key);
	default: // also one of a private key, which has no business here
		return label > KEY_Y && edhoc_read_whole(reader, &whole);
	}
}

static bool cose_key_read(struct edhoc_reader *reader, struct cose_key *key)
{
	struct edhoc_cbor map;

	if (!edhoc_read(reader, &map) || map.type != EDHOC_CBOR_MAP)
		return false;
	for (uint64_t i = 0; i < map.value; i++)
		if (!parameter_read(reader, key))
			return false;
	return key->x;
}

static bool cnf_read(struct edhoc_reader *reader, struct cose_key *key)
{
	struct edhoc_cbor map;
	int64_t label;

	return edhoc_read(reader, &map) && map.type == EDHOC_CBOR_MAP && map.value == 1 &&
		edhoc_read_int(reader, &label) && label == CNF_COSE_KEY &&
		cose_key_read(reader, key);
}

static bool claim_read(
	struct edhoc_reader *reader, struct edhoc_credential *credential, struct cose_key *key)
{
	struct edhoc_reader name = *reader;
	struct edhoc_cbor item;
	const uint8_t *whole;
	int64_t label;

	if (!edhoc_read_int(reader, &label)) {
		*reader = name;
		return edhoc_read_whole(reader, &whole) && edhoc_read_whole(reader, &whole);
	}
	switch (label) {
	case CLAIM_SUB:
		if (!edhoc_read(reader, &item) || item.type != EDHOC_CBOR_TEXT)
			return false;
		credential->subject = (struct edhoc_bytes){item.data, (size_t)item.value};
		return true;
	case CLAIM_EXP: // on or after which it must not be accepted
		if (!edhoc_read_int(reader, &credential->not_after))
			return false;
		credential->not_after -= credential->not_after > INT64_MIN;
		return true;
	case CLAIM_NBF:
		return edhoc_read_int(reader, &credential->not_before);
	case CLAIM_CNF:
		return cnf_read(reader, key);
	default:
		return edhoc_read_whole(reader, &whole);
	}
}

// What the parameters of a COSE_Key say about its use; the curve decides where nothing is said.
static uint8_t key_uses(const struct cose_key *key, enum ecc_curve curve)
{
	uint8_t uses = curve == ECC_ED25519 ? EDHOC_USE_SIGN
		: curve == ECC_X25519       ? EDHOC_USE_AGREE
					    : EDHOC_USE_SIGN | EDHOC_USE_AGREE;

	if (key->has_alg) {
		const bool signs = key->alg == (curve == ECC_P256 ? ALG_ES256 : ALG_EDDSA);

		uses &= signs ? EDHOC_USE_SIGN : 0;
	}
	// Those of a public key of Diffie-Hellman are empty (RFC 9053 section 6.3.1).
	if (key->has_ops)
		uses &= key->ops_verify ? EDHOC_USE_SIGN : EDHOC_USE_AGREE;
	return uses;
}

static bool key_make(
	struct edhoc_engine *engine, const struct cose_key *key, struct ecc_public *public)
{
	memset(public, 0, sizeof(*public));
	memcpy(public->x, key->x, ECC_LEN);
	if (key->kty == KTY_EC2 && key->crv == CRV_P256) {
		public->curve = ECC_P256;
		if (!key->y)
			return !ecc_public_from_sign(engine->ecc, key->x, key->y_odd, public);
		memcpy(public->y, key->y, ECC_LEN);
		return ecc_public_valid(engine->ecc, public);
	}
	public->curve = key->crv == CRV_X25519 ? ECC_X25519 : ECC_ED25519;
	return key->kty == KTY_OKP && !key->has_y &&
		(key->crv == CRV_X25519 || key->crv == CRV_ED25519);
}

enum edhoc_result edhoc_credential_from_ccs(
	struct edhoc_engine *engine, struct edhoc_bytes item, struct edhoc_credential *credential)
{
	struct edhoc_reader reader = edhoc_reader(item.data, item.len);
	struct cose_key key = {0};
	struct edhoc_cbor map;
	const uint8_t *whole;

	// First the order and uniqueness of keys, on every level.
	if (item.len > EDHOC_CREDENTIAL_MAX || !edhoc_read_whole(&reader, &whole) ||
		edhoc_reader_left(&reader))
		return EDHOC_CREDENTIAL;
	memset(credential, 0, sizeof(*credential));
	credential->item = item;
	credential->not_before = INT64_MIN;
	credential->not_after = INT64_MAX;
	reader = edhoc_reader(item.data, item.len);
	if (!edhoc_read(&reader, &map) || map.type != EDHOC_CBOR_MAP)
		return EDHOC_CREDENTIAL;
	for (uint64_t i = 0; i < map.value; i++)
		if (!claim_read(&reader, credential, &key))
			return EDHOC_CREDENTIAL;
	if (!key.x || !key_make(engine, &key, &credential->key))
		return EDHOC_CREDENTIAL;
	credential->kid = key.kid;
	credential->uses = key_uses(&key, credential->key.curve);
	return credential->uses ? EDHOC_OK : EDHOC_CREDENTIAL;
}

void edhoc_ccs_write(struct edhoc_writer *writer, const struct ecc_public *key,
	struct edhoc_bytes subject, struct edhoc_bytes kid)
{
	const bool p256 = key->curve == ECC_P256;
	const int crv = p256 ? CRV_P256 : key->curve == ECC_X25519 ? CRV_X25519 : CRV_ED25519;

	// Keys in the order of their encodings: negative ones behind.
	edhoc_write_head(writer, EDHOC_CBOR_MAP, subject.len ? 2 : 1);
	if (subject.len) {
		edhoc_write_int(writer, CLAIM_SUB);
		edhoc_write_head(writer, EDHOC_CBOR_TEXT, subject.len);
		edhoc_write_raw(writer, subject.data, subject.len);
	}
	edhoc_write_int(writer, CLAIM_CNF);
	edhoc_write_head(writer, EDHOC_CBOR_MAP, 1);
	edhoc_write_int(writer, CNF_COSE_KEY);
	edhoc_write_head(writer, EDHOC_CBOR_MAP, 3U + p256 + !!kid.len);
	edhoc_write_int(writer, KEY_KTY);
	edhoc_write_int(writer, p256 ? KTY_EC2 : KTY_OKP);
	if (kid.len) {
		edhoc_write_int(writer, KEY_KID);
		edhoc_write_bytes(writer, kid.data, kid.len);
	}
	edhoc_write_int(writer, KEY_CRV);
	edhoc_write_int(writer, crv);
	edhoc_write_int(writer, KEY_X);
	edhoc_write_bytes(writer, key->x, ECC_LEN);
	if (p256) {
		edhoc_write_int(writer, KEY_Y);
		edhoc_write_bytes(writer, key->y, ECC_LEN);
	}
}

enum edhoc_result edhoc_credential_from_x509(
	struct edhoc_engine *engine, struct edhoc_bytes item, struct edhoc_credential *credential)
{
	struct edhoc_reader reader = edhoc_reader(item.data, item.len);
	struct edhoc_bytes der;

	if (item.len > EDHOC_CREDENTIAL_MAX || !edhoc_read_bytes(&reader, &der.data, &der.len) ||
		edhoc_reader_left(&reader))
		return EDHOC_CREDENTIAL;
	memset(credential, 0, sizeof(*credential));
	credential->item = item;
	credential->x509 = true;
	return edhoc_x509_read(engine, der, credential) ? EDHOC_OK : EDHOC_CREDENTIAL;
}

bool edhoc_credential_fits(const struct edhoc_credential *credential, unsigned method,
	unsigned suite, enum edhoc_role role)
{
	const struct edhoc_suite *of = &edhoc_suites[suite];

	return edhoc_static_dh(method, role)
		? credential->uses & EDHOC_USE_AGREE && credential->key.curve == of->agreement
		: credential->uses & EDHOC_USE_SIGN && credential->key.curve == of->signature;
}

bool edhoc_credential_valid_at(const struct edhoc_credential *credential, int64_t now_s)
{
	return credential->not_before <= now_s && now_s <= credential->not_after;
}
