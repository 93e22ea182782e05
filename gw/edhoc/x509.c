// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/x509.h"

#include "gw/edhoc/cbor.h"
#include "gw/edhoc/credential.h"
#include "gw/edhoc/x509_inside.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AUTH_LEVEL 2 // OpenSSL's: at least 112 bits, so no SHA-1 in signatures

struct edhoc_trust {
	X509_STORE *store;
};

X509 *edhoc_x509_decode(struct edhoc_bytes der)
{
	const unsigned char *at = der.data;
	X509 *cert = der.len <= EDHOC_CREDENTIAL_MAX ? d2i_X509(NULL, &at, (long)der.len) : NULL;

	if (cert && at == der.data + der.len)
		return cert;
	X509_free(cert);
	ERR_clear_error();
	return NULL;
}

// Reads SubjectPublicKeyInfo (RFC 5480, RFC 8410).
static bool key_read(struct edhoc_engine *engine, const X509 *cert, struct ecc_public *key)
{
	ASN1_OBJECT *oid;
	const ASN1_OBJECT *curve;
	const unsigned char *bytes;
	const void *parameter;
	X509_ALGOR *algorithm;
	int len, type;

	memset(key, 0, sizeof(*key));
	if (!X509_PUBKEY_get0_param(&oid, &bytes, &len, &algorithm, X509_get_X509_PUBKEY(cert)))
		return false;
	X509_ALGOR_get0(NULL, &type, &parameter, algorithm);
	switch (OBJ_obj2nid(oid)) {
	case NID_X9_62_id_ecPublicKey:
		curve = parameter;
		key->curve = ECC_P256;
		if (type != V_ASN1_OBJECT || OBJ_obj2nid(curve) != NID_X9_62_prime256v1)
			return false;
		if (len == 1 + ECC_LEN && (*bytes & 0xfe) == 2)
			return !ecc_public_from_sign(engine->ecc, bytes + 1, *bytes & 1, key);
		if (len != 1 + 2 * ECC_LEN || *bytes != 4)
			return false;
		memcpy(key->x, bytes + 1, ECC_LEN);
		memcpy(key->y, bytes + 1 + ECC_LEN, ECC_LEN);
		return ecc_public_valid(engine->ecc, key);
	case NID_X25519:
	case NID_ED25519:
		key->curve = OBJ_obj2nid(oid) == NID_X25519 ? ECC_X25519 : ECC_ED25519;
		if (len != ECC_LEN)
			return false;
		memcpy(key->x, bytes, ECC_LEN);
		return true;
	}
	return false;
}

// A certificate without key usage allows what its curve does (RFC 5280 section 4.2.1.3).
static uint8_t uses_read(X509 *cert, enum ecc_curve curve)
{
	const uint32_t usage = X509_get_key_usage(cert);
	uint8_t uses = 0;

	if (usage & KU_DIGITAL_SIGNATURE && curve != ECC_X25519)
		uses |= EDHOC_USE_SIGN;
	if (usage & KU_KEY_AGREEMENT && curve != ECC_ED25519)
		uses |= EDHOC_USE_AGREE;
	return uses;
}

static bool time_read(const ASN1_TIME *from, int64_t *seconds)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(from, &tm) != 1)
		return false;
	*seconds = timegm(&tm);
	return true;
}

bool edhoc_x509_read(
	struct edhoc_engine *engine, struct edhoc_bytes der, struct edhoc_credential *credential)
{
	X509 *cert = edhoc_x509_decode(der);
	bool read;

	if (!cert)
		return false;
	read = key_read(engine, cert, &credential->key) &&
		time_read(X509_get0_notBefore(cert), &credential->not_before) &&
		time_read(X509_get0_notAfter(cert), &credential->not_after);
	// OpenSSL marks extensions that it cannot read, among them a malformed key usage.
	if (read && X509_get_extension_flags(cert) & EXFLAG_INVALID)
		read = false;
	if (read) {
		credential->uses = uses_read(cert, credential->key.curve);
		read = credential->uses;
	}
	X509_free(cert);
	ERR_clear_error();
	return read;
}

// Adds each certificate of a PEM file. Returns their number, -1 if there is something else.
static int anchors_read(X509_STORE *store, BIO *pem)
{
	int n = 0;
	X509 *cert;

	while ((cert = PEM_read_bio_X509(pem, NULL, NULL, NULL))) {
		const bool added = X509_STORE_add_cert(store, cert) == 1;

		X509_free(cert);
		if (!added)
			return -1;
		n++;
	}
	// The end of the file is an error of PEM, too.
	const unsigned long last = ERR_peek_last_error();

	return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE ? n
											       : -1;
}

struct edhoc_trust *edhoc_trust_create(const char *pem, size_t len)
{
	struct edhoc_trust *trust = calloc(1, sizeof(*trust));
	BIO *bio = len <= INT32_MAX ? BIO_new_mem_buf(pem, (int)len) : NULL;

	if (trust)
		trust->store = X509_STORE_new();
	const bool there = trust && trust->store && bio;
	const int n = there ? anchors_read(trust->store, bio) : 0;

	BIO_free(bio);
	ERR_clear_error();
	if (n > 0)
		return trust;
	edhoc_trust_free(trust);
	errno = there ? EINVAL : ENOMEM;
	return NULL;
}

void edhoc_trust_free(struct edhoc_trust *trust)
{
	if (trust)
		X509_STORE_free(trust->store);
	free(trust);
}

// The certificate of an item.
static X509 *item_decode(struct edhoc_bytes item)
{
	struct edhoc_reader reader = edhoc_reader(item.data, item.len);
	struct edhoc_bytes der;

	if (!edhoc_read_bytes(&reader, &der.data, &der.len) || edhoc_reader_left(&reader))
		return NULL;
	return edhoc_x509_decode(der);
}

static bool verify(struct edhoc_trust *trust, X509 *leaf, STACK_OF(X509) * others, int64_t now_s)
{
	X509_STORE_CTX *ctx = X509_STORE_CTX_new();
	bool verified = false;

	if (ctx && X509_STORE_CTX_init(ctx, trust->store, leaf, others) == 1) {
		X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);

		X509_VERIFY_PARAM_set_time(param, now_s);
		X509_VERIFY_PARAM_set_depth(param, EDHOC_CHAIN_MAX);
		X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
		// An anchor need not be a root; a leaf that is an anchor itself is trusted, too.
		X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
		verified = X509_verify_cert(ctx) == 1;
	}
	X509_STORE_CTX_free(ctx);
	return verified;
}

bool edhoc_trust_check(
	struct edhoc_trust *trust, const struct edhoc_bytes *chain, unsigned n, int64_t now_s)
{
	STACK_OF(X509) *others = sk_X509_new_null();
	X509 *leaf = n ? item_decode(chain[0]) : NULL;
	bool read = leaf && others;

	for (unsigned i = 1; read && i < n; i++) {
		X509 *cert = item_decode(chain[i]);

		read = cert && sk_X509_push(others, cert) > 0;
		if (!read)
			X509_free(cert);
	}
	const bool verified = read && verify(trust, leaf, others, now_s);

	sk_X509_pop_free(others, X509_free);
	X509_free(leaf);
	ERR_clear_error();
	return verified;
}
