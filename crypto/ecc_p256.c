// SPDX-License-Identifier: BSD-3-Clause
// The functions EC_POINT_*() instead of EVP_PKEY_derive() and EVP_PKEY_verify(): these need an
// EVP_PKEY for each key of a peer, and making one takes 13 us, half of a scalar multiplication.
// EC_POINT_mul() with one scalar is what OpenSSL's ECDH does, too; on x86-64 and aarch64 its time
// does not depend on the scalar.

#include "crypto/ecc_p256.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>
#include <stdlib.h>
#include <string.h>

#define POINT_LEN (1 + 2 * ECC_LEN) // uncompressed (SEC 1 section 2.3.3)

struct ecc_p256 {
	EC_GROUP *group;
	const BIGNUM *order; // of group
	EC_POINT *point, *product;
	BIGNUM *scalar; // a private key, during a call
	BIGNUM *x;
};

struct ecc_p256_signer {
	EVP_PKEY *key;
	EVP_PKEY_CTX *sign;
};

struct ecc_p256 *ecc_p256_create(void)
{
	struct ecc_p256 *p256 = calloc(1, sizeof(*p256));

	if (!p256)
		return NULL;
	p256->group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	if (p256->group) {
		p256->order = EC_GROUP_get0_order(p256->group);
		p256->point = EC_POINT_new(p256->group);
		p256->product = EC_POINT_new(p256->group);
	}
	p256->scalar = BN_new();
	p256->x = BN_new();
	if (!p256->point || !p256->product || !p256->scalar || !p256->x) {
		ecc_p256_free(p256);
		return NULL;
	}
	BN_set_flags(p256->scalar, BN_FLG_CONSTTIME);
	return p256;
}

void ecc_p256_free(struct ecc_p256 *p256)
{
	if (!p256)
		return;
	EC_POINT_clear_free(p256->point);
	EC_POINT_clear_free(p256->product);
	BN_clear_free(p256->scalar);
	BN_clear_free(p256->x);
	EC_GROUP_free(p256->group);
	free(p256);
}

// Reads a private key, which is in [1, order).
static int scalar_read(struct ecc_p256 *p256, const uint8_t secret[ECC_LEN])
{
	if (!BN_bin2bn(secret, ECC_LEN, p256->scalar))
		return -EIO;
	return BN_is_zero(p256->scalar) || BN_cmp(p256->scalar, p256->order) >= 0 ? -EINVAL : 0;
}

// Reads a point and checks that it is on the curve.
static int point_read(struct ecc_p256 *p256, const struct ecc_public *public)
{
	uint8_t bytes[POINT_LEN] = {POINT_CONVERSION_UNCOMPRESSED};

	memcpy(bytes + 1, public->x, ECC_LEN);
	memcpy(bytes + 1 + ECC_LEN, public->y, ECC_LEN);
	return EC_POINT_oct2point(p256->group, p256->point, bytes, sizeof(bytes), NULL) == 1
		? 0
		: -EINVAL;
}

// Overwrites what is left of a private key and of a secret point. The contexts that held what was
// between are wiped by BN_CTX_free().
static void wipe(struct ecc_p256 *p256)
{
	BN_clear(p256->scalar);
	BN_clear(p256->x);
	if (EC_POINT_copy(p256->product, EC_GROUP_get0_generator(p256->group)) != 1)
		abort(); // cannot be: it has the room
}

int ecc_p256_public(struct ecc_p256 *p256, const uint8_t secret[ECC_LEN], struct ecc_public *public)
{
	uint8_t bytes[POINT_LEN];
	BN_CTX *ctx = BN_CTX_new();
	int err = ctx ? scalar_read(p256, secret) : -EIO;

	if (!err &&
		(EC_POINT_mul(p256->group, p256->product, p256->scalar, NULL, NULL, ctx) != 1 ||
			EC_POINT_point2oct(p256->group, p256->product,
				POINT_CONVERSION_UNCOMPRESSED, bytes, sizeof(bytes),
				ctx) != sizeof(bytes)))
		err = -EIO;
	if (!err) {
		memcpy(public->x, bytes + 1, ECC_LEN);
		memcpy(public->y, bytes + 1 + ECC_LEN, ECC_LEN);
	}
	wipe(p256);
	BN_CTX_free(ctx);
	return err;
}

int ecc_p256_y(struct ecc_p256 *p256, bool odd, struct ecc_public *public)
{
	uint8_t bytes[POINT_LEN] = {POINT_CONVERSION_COMPRESSED | odd};

	memcpy(bytes + 1, public->x, ECC_LEN);
	if (EC_POINT_oct2point(p256->group, p256->point, bytes, 1 + ECC_LEN, NULL) != 1)
		return -EINVAL;
	if (EC_POINT_point2oct(p256->group, p256->point, POINT_CONVERSION_UNCOMPRESSED, bytes,
		    sizeof(bytes), NULL) != sizeof(bytes))
		return -EIO;
	memcpy(public->y, bytes + 1 + ECC_LEN, ECC_LEN);
	return 0;
}

bool ecc_p256_valid(struct ecc_p256 *p256, const struct ecc_public *public)
{
	return !point_read(p256, public);
}

int ecc_p256_shared(struct ecc_p256 *p256, const uint8_t secret[ECC_LEN],
	const struct ecc_public *public, uint8_t shared[ECC_LEN])
{
	BN_CTX *ctx = BN_CTX_new();
	int err = ctx ? scalar_read(p256, secret) : -EIO;

	if (!err)
		err = point_read(p256, public);
	// The order is a prime, so the product is never the point at infinity.
	if (!err &&
		(EC_POINT_mul(p256->group, p256->product, NULL, p256->point, p256->scalar, ctx) !=
				1 ||
			EC_POINT_get_affine_coordinates(
				p256->group, p256->product, p256->x, NULL, ctx) != 1 ||
			BN_bn2binpad(p256->x, shared, ECC_LEN) != ECC_LEN))
		err = -EIO;
	if (err)
		OPENSSL_cleanse(shared, ECC_LEN);
	wipe(p256);
	BN_CTX_free(ctx);
	return err;
}

// The equation of ECDSA (FIPS 186-4 section 6.4.2) for r and s in [1, order) and the digest e:
// x(e/s G + r/s Q) = r. All of it is public.
static int equation(struct ecc_p256 *p256, const BIGNUM *r, const BIGNUM *s, BIGNUM *e, BN_CTX *ctx)
{
	BIGNUM *u1 = BN_CTX_get(ctx), *u2 = BN_CTX_get(ctx), *x = BN_CTX_get(ctx);

	if (!x || !BN_mod_inverse(u2, s, p256->order, ctx) ||
		!BN_mod_mul(u1, e, u2, p256->order, ctx) ||
		!BN_mod_mul(u2, r, u2, p256->order, ctx) ||
		EC_POINT_mul(p256->group, p256->product, u1, p256->point, u2, ctx) != 1)
		return -EIO;
	if (EC_POINT_is_at_infinity(p256->group, p256->product))
		return -EINVAL;
	if (EC_POINT_get_affine_coordinates(p256->group, p256->product, x, NULL, ctx) != 1 ||
		!BN_nnmod(x, x, p256->order, ctx))
		return -EIO;
	return BN_cmp(x, r) ? -EINVAL : 0;
}

int ecc_p256_verify(struct ecc_p256 *p256, const struct ecc_public *public,
	const uint8_t digest[32], const uint8_t signature[ECC_SIGNATURE_LEN])
{
	BN_CTX *ctx = BN_CTX_new();
	int err = point_read(p256, public);

	if (!ctx)
		return -EIO;
	BN_CTX_start(ctx);
	BIGNUM *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *e = BN_CTX_get(ctx);

	if (!err &&
		(!e || !BN_bin2bn(signature, ECC_LEN, r) ||
			!BN_bin2bn(signature + ECC_LEN, ECC_LEN, s) || !BN_bin2bn(digest, 32, e)))
		err = -EIO;
	if (!err &&
		(BN_is_zero(r) || BN_is_zero(s) || BN_cmp(r, p256->order) >= 0 ||
			BN_cmp(s, p256->order) >= 0))
		err = -EINVAL;
	if (!err)
		err = equation(p256, r, s, e, ctx);
	BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	return err;
}

static EVP_PKEY *key_make(const struct ecc_pair *pair)
{
	uint8_t point[POINT_LEN] = {POINT_CONVERSION_UNCOMPRESSED};
	BIGNUM *secret = BN_secure_new();
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	memcpy(point + 1, pair->public.x, ECC_LEN);
	memcpy(point + 1 + ECC_LEN, pair->public.y, ECC_LEN);
	if (secret && build && ctx && BN_bin2bn(pair->secret, ECC_LEN, secret) &&
		OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) &&
		OSSL_PARAM_BLD_push_octet_string(
			build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) &&
		OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, secret) &&
		(params = OSSL_PARAM_BLD_to_param(build)) && EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	BN_clear_free(secret);
	return key;
}

struct ecc_p256_signer *ecc_p256_signer_create(const struct ecc_pair *pair)
{
	struct ecc_p256_signer *signer = calloc(1, sizeof(*signer));

	if (!signer)
		return NULL;
	signer->key = key_make(pair);
	signer->sign = signer->key ? EVP_PKEY_CTX_new(signer->key, NULL) : NULL;
	if (!signer->sign || EVP_PKEY_sign_init(signer->sign) != 1) {
		ecc_p256_signer_free(signer);
		return NULL;
	}
	return signer;
}

void ecc_p256_signer_free(struct ecc_p256_signer *signer)
{
	if (!signer)
		return;
	EVP_PKEY_CTX_free(signer->sign);
	EVP_PKEY_free(signer->key);
	free(signer);
}

int ecc_p256_sign(struct ecc_p256_signer *signer, const uint8_t digest[32],
	uint8_t signature[ECC_SIGNATURE_LEN])
{
	uint8_t der[80];
	const uint8_t *at = der;
	size_t len = sizeof(der);
	ECDSA_SIG *pair;
	int err = -EIO;

	if (EVP_PKEY_sign(signer->sign, der, &len, digest, 32) != 1)
		return -EIO;
	pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
	if (pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair), signature, ECC_LEN) == ECC_LEN &&
		BN_bn2binpad(ECDSA_SIG_get0_s(pair), signature + ECC_LEN, ECC_LEN) == ECC_LEN)
		err = 0;
	ECDSA_SIG_free(pair);
	return err;
}
