// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/edhoc/certs.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define MUST(what)               \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

struct certs_ca {
	EVP_PKEY *key;
	X509 *cert;
	char pem[4096];
};

static void name_add(X509_NAME *name, const char *type, const char *value)
{
	if (value)
		MUST(X509_NAME_add_entry_by_txt(
			name, type, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0));
}

static void extension_add(X509 *cert, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);

	MUST(extension && X509_add_ext(cert, extension, -1));
	X509_EXTENSION_free(extension);
}

static X509 *cert_start(const char *cn, EVP_PKEY *key, int64_t not_before, int64_t not_after)
{
	static long serial;
	X509 *cert = X509_new();

	MUST(cert && X509_set_version(cert, X509_VERSION_3));
	MUST(ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial));
	MUST(ASN1_TIME_set(X509_getm_notBefore(cert), not_before ?: CERTS_NOT_BEFORE));
	MUST(ASN1_TIME_set(X509_getm_notAfter(cert), not_after ?: CERTS_NOT_AFTER));
	name_add(X509_get_subject_name(cert), "CN", cn);
	MUST(X509_set_pubkey(cert, key));
	return cert;
}

struct certs_ca *certs_ca_make(const char *name, const struct certs_ca *parent)
{
	struct certs_ca *ca = calloc(1, sizeof(*ca));
	BIO *bio = BIO_new(BIO_s_mem());

	MUST(ca && bio);
	ca->key = EVP_EC_gen("P-256");
	ca->cert = cert_start(name, ca->key, 0, 0);
	extension_add(ca->cert, NID_basic_constraints, "critical,CA:TRUE");
	extension_add(ca->cert, NID_key_usage, "critical,keyCertSign");
	X509_set_issuer_name(ca->cert, X509_get_subject_name(parent ? parent->cert : ca->cert));
	MUST(X509_sign(ca->cert, parent ? parent->key : ca->key, EVP_sha256()));
	MUST(PEM_write_bio_X509(bio, ca->cert));
	MUST(BIO_read(bio, ca->pem, sizeof(ca->pem) - 1) > 0);
	BIO_free(bio);
	return ca;
}

void certs_ca_free(struct certs_ca *ca)
{
	X509_free(ca->cert);
	EVP_PKEY_free(ca->key);
	free(ca);
}

const char *certs_ca_pem(const struct certs_ca *ca)
{
	return ca->pem;
}

static void cert_write(struct edhoc_writer *writer, X509 *cert)
{
	unsigned char *der = NULL;
	const int len = i2d_X509(cert, &der);

	MUST(len > 0);
	edhoc_write_bytes(writer, der, (size_t)len);
	OPENSSL_free(der);
}

void certs_ca_item(struct edhoc_writer *writer, const struct certs_ca *ca)
{
	cert_write(writer, ca->cert);
}

static EVP_PKEY *key_of(const struct ecc_public *public)
{
	uint8_t point[1 + 2 * ECC_LEN] = {4};
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	if (public->curve != ECC_P256)
		return EVP_PKEY_new_raw_public_key(
			public->curve == ECC_X25519 ? EVP_PKEY_X25519 : EVP_PKEY_ED25519, NULL,
			public->x, ECC_LEN);
	memcpy(point + 1, public->x, ECC_LEN);
	memcpy(point + 1 + ECC_LEN, public->y, ECC_LEN);
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	MUST(ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

void certs_make(struct edhoc_writer *writer, const struct certs_request *request)
{
	EVP_PKEY *key = key_of(request->key);
	X509 *cert =
		cert_start(request->cn ?: "device", key, request->not_before, request->not_after);

	name_add(X509_get_subject_name(cert), "CN", request->cn_again);
	name_add(X509_get_subject_name(cert), "serialNumber", request->serial_number);
	if (request->serial)
		MUST(ASN1_INTEGER_set(X509_get_serialNumber(cert), request->serial));
	if (request->alt)
		extension_add(cert, NID_subject_alt_name, request->alt);
	if (request->is_ca)
		extension_add(cert, NID_basic_constraints, "critical,CA:TRUE");
	if (request->usage)
		extension_add(cert, NID_key_usage, request->usage);
	if (request->critical_unknown) {
		ASN1_OBJECT *oid = OBJ_txt2obj("1.2.3.4.5", 1);
		ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
		X509_EXTENSION *extension;

		MUST(oid && value && ASN1_OCTET_STRING_set(value, (const uint8_t *)"\5", 2));
		extension = X509_EXTENSION_create_by_OBJ(NULL, oid, 1, value);
		MUST(extension && X509_add_ext(cert, extension, -1));
		X509_EXTENSION_free(extension);
		ASN1_OCTET_STRING_free(value);
		ASN1_OBJECT_free(oid);
	}
	X509_set_issuer_name(cert, X509_get_subject_name(request->ca->cert));
	MUST(X509_sign(cert, request->ca->key, EVP_sha256()));
	cert_write(writer, cert);
	X509_free(cert);
	EVP_PKEY_free(key);
}

void certs_leaf(struct edhoc_writer *writer, const struct ecc_pair *pair)
{
	struct certs_ca *ca = certs_ca_make("nobody", NULL);

	certs_make(writer, &(struct certs_request){.key = &pair->public, .ca = ca});
	certs_ca_free(ca);
}
