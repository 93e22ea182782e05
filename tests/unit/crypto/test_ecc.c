// SPDX-License-Identifier: BSD-3-Clause
// Keys of elliptic curves, against OpenSSL's EVP functions, which are not what the code calls.

#include "crypto/ecc.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <string.h>

static struct ecc_engine *engine;

static void begin(void)
{
	cr_assert_geq(sodium_init(), 0);
	engine = ecc_engine_create(NULL);
	cr_assert_not_null(engine);
}

static void end(void)
{
	ecc_engine_free(engine);
}

TestSuite(ecc, .init = begin, .fini = end);

static EVP_PKEY *public_key(const struct ecc_public *public)
{
	static const int types[] = {
		[ECC_X25519] = EVP_PKEY_X25519, [ECC_ED25519] = EVP_PKEY_ED25519};
	uint8_t point[1 + 2 * ECC_LEN] = {4};
	EVP_PKEY_CTX *ctx;
	EVP_PKEY *key = NULL;

	if (public->curve != ECC_P256)
		return EVP_PKEY_new_raw_public_key(types[public->curve], NULL, public->x, ECC_LEN);
	memcpy(point + 1, public->x, ECC_LEN);
	memcpy(point + 1 + ECC_LEN, public->y, ECC_LEN);
	OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)"P-256", 0),
		OSSL_PARAM_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)),
		OSSL_PARAM_END,
	};
	ctx = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	cr_assert(EVP_PKEY_fromdata_init(ctx) == 1 &&
		EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

// A new key of OpenSSL's, with its public half.
static EVP_PKEY *openssl_key(enum ecc_curve curve, struct ecc_public *public)
{
	EVP_PKEY *key = curve == ECC_P256
		? EVP_EC_gen("P-256")
		: EVP_PKEY_Q_keygen(NULL, NULL, curve == ECC_X25519 ? "X25519" : "ED25519");
	uint8_t point[1 + 2 * ECC_LEN];
	size_t len = ECC_LEN;

	cr_assert_not_null(key);
	memset(public, 0, sizeof(*public));
	public->curve = curve;
	if (curve != ECC_P256) {
		cr_assert_eq(EVP_PKEY_get_raw_public_key(key, public->x, &len), 1);
		return key;
	}
	cr_assert_eq(EVP_PKEY_get_octet_string_param(
			     key, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point), &len),
		1);
	memcpy(public->x, point + 1, ECC_LEN);
	memcpy(public->y, point + 1 + ECC_LEN, ECC_LEN);
	return key;
}

static void shared_agrees(enum ecc_curve curve)
{
	for (int i = 0; i < 100; i++) {
		uint8_t ours[ECC_LEN], theirs[ECC_LEN];
		struct ecc_public peer;
		struct ecc_pair pair;
		EVP_PKEY *key = openssl_key(curve, &peer), *our_key;
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
		size_t len = sizeof(theirs);

		cr_assert_eq(ecc_pair_make(engine, curve, &pair), 0);
		cr_assert(ecc_public_valid(engine, &pair.public));
		cr_assert_eq(ecc_shared(engine, &pair, &peer, ours), 0);
		our_key = public_key(&pair.public);
		cr_assert(EVP_PKEY_derive_init(ctx) == 1 &&
			EVP_PKEY_derive_set_peer(ctx, our_key) == 1 &&
			EVP_PKEY_derive(ctx, theirs, &len) == 1);
		cr_assert_arr_eq(ours, theirs, ECC_LEN);
		EVP_PKEY_CTX_free(ctx);
		EVP_PKEY_free(key);
		EVP_PKEY_free(our_key);
	}
}

Test(ecc, ecdh_of_p256_agrees_with_openssl)
{
	shared_agrees(ECC_P256);
}

Test(ecc, x25519_agrees_with_openssl)
{
	shared_agrees(ECC_X25519);
}

// OpenSSL verifies what we sign.
static bool openssl_verifies(const struct ecc_public *public, const uint8_t *msg, size_t len,
	const uint8_t signature[ECC_SIGNATURE_LEN])
{
	EVP_PKEY *key = public_key(public);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	const bool p256 = public->curve == ECC_P256;
	const uint8_t *bytes = signature;
	size_t bytes_len = ECC_SIGNATURE_LEN;
	uint8_t der[80], *at = der;

	if (p256) {
		ECDSA_SIG *pair = ECDSA_SIG_new();

		ECDSA_SIG_set0(
			pair, BN_bin2bn(signature, 32, NULL), BN_bin2bn(signature + 32, 32, NULL));
		bytes = der;
		bytes_len = (size_t)i2d_ECDSA_SIG(pair, &at);
		ECDSA_SIG_free(pair);
	}
	cr_assert_eq(EVP_DigestVerifyInit(ctx, NULL, p256 ? EVP_sha256() : NULL, NULL, key), 1);
	const bool good = EVP_DigestVerify(ctx, bytes, bytes_len, msg, len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	return good;
}

static void signatures_agree(enum ecc_curve curve)
{
	uint8_t msg[300], signature[ECC_SIGNATURE_LEN];

	for (size_t len = 0; len < sizeof(msg); len += 23) {
		struct ecc_pair pair;
		struct ecc_signer *signer;

		randombytes_buf(msg, sizeof(msg));
		cr_assert_eq(ecc_pair_make(engine, curve, &pair), 0);
		signer = ecc_signer_create(&pair);
		cr_assert_not_null(signer);
		cr_assert_eq(ecc_sign(signer, msg, len, signature), 0);
		cr_assert(openssl_verifies(&pair.public, msg, len, signature));
		cr_assert_eq(ecc_verify(engine, &pair.public, msg, len, signature), 0);
		for (unsigned bit = 0; bit < 8 * ECC_SIGNATURE_LEN; bit += 7) {
			signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
			cr_assert_eq(
				ecc_verify(engine, &pair.public, msg, len, signature), -EINVAL);
			signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		if (len) {
			msg[len / 2] ^= 1;
			cr_assert_eq(
				ecc_verify(engine, &pair.public, msg, len, signature), -EINVAL);
		}
		ecc_signer_free(signer);
	}
}

Test(ecc, es256_agrees_with_openssl)
{
	signatures_agree(ECC_P256);
}

Test(ecc, ed25519_agrees_with_openssl)
{
	signatures_agree(ECC_ED25519);
}

Test(ecc, x25519_refuses_points_of_small_order)
{
	static const uint8_t points[][ECC_LEN] = {
		{0},
		{1},
		{0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			0xff, 0xff, 0xff, 0xff, 0xff, 0x7f},
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
			0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62,
			0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
	};
	uint8_t shared[ECC_LEN];
	struct ecc_pair pair;

	cr_assert_eq(ecc_pair_make(engine, ECC_X25519, &pair), 0);
	for (unsigned i = 0; i < sizeof(points) / sizeof(*points); i++) {
		struct ecc_public public = {.curve = ECC_X25519};

		memcpy(public.x, points[i], ECC_LEN);
		memset(shared, 0xee, sizeof(shared));
		cr_assert_eq(ecc_shared(engine, &pair, &public, shared), -EINVAL);
		cr_assert(sodium_is_zero(shared, sizeof(shared)));
	}
}

Test(ecc, p256_refuses_what_is_not_on_the_curve)
{
	uint8_t shared[ECC_LEN];
	struct ecc_pair pair, other;

	cr_assert_eq(ecc_pair_make(engine, ECC_P256, &pair), 0);
	cr_assert_eq(ecc_pair_make(engine, ECC_P256, &other), 0);
	other.public.y[31] ^= 1;
	cr_assert_not(ecc_public_valid(engine, &other.public));
	cr_assert_eq(ecc_shared(engine, &pair, &other.public, shared), -EINVAL);
	cr_assert(sodium_is_zero(shared, sizeof(shared)));
	memset(&other.public.x, 0, 2 * ECC_LEN);
	cr_assert_eq(ecc_shared(engine, &pair, &other.public, shared), -EINVAL);
	memset(&other.public.x, 0xff, ECC_LEN);
	cr_assert_eq(ecc_public_from_x(engine, other.public.x, &other.public), -EINVAL);
}

Test(ecc, one_x_has_two_points_with_one_secret)
{
	uint8_t even[ECC_LEN], odd[ECC_LEN];
	struct ecc_public one, two;
	struct ecc_pair pair, peer;

	cr_assert_eq(ecc_pair_make(engine, ECC_P256, &pair), 0);
	cr_assert_eq(ecc_pair_make(engine, ECC_P256, &peer), 0);
	cr_assert_eq(ecc_public_from_sign(engine, peer.public.x, false, &one), 0);
	cr_assert_eq(ecc_public_from_sign(engine, peer.public.x, true, &two), 0);
	cr_assert(!(one.y[31] & 1) && two.y[31] & 1);
	cr_assert(!memcmp(one.y, peer.public.y, ECC_LEN) || !memcmp(two.y, peer.public.y, ECC_LEN));
	cr_assert(!ecc_shared(engine, &pair, &one, even) && !ecc_shared(engine, &pair, &two, odd));
	cr_assert_arr_eq(even, odd, ECC_LEN);
}

Test(ecc, private_keys_of_p256_are_in_range)
{
	// The order of the group.
	static const uint8_t order[ECC_LEN] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3,
		0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
	uint8_t secret[ECC_LEN] = {0};
	struct ecc_pair pair;

	cr_assert_eq(ecc_pair_from_secret(engine, ECC_P256, secret, &pair), -EINVAL);
	cr_assert_eq(ecc_pair_from_secret(engine, ECC_P256, order, &pair), -EINVAL);
	memcpy(secret, order, ECC_LEN);
	secret[31]--;
	cr_assert_eq(ecc_pair_from_secret(engine, ECC_P256, secret, &pair), 0);
}

Test(ecc, keys_are_used_for_what_they_are)
{
	uint8_t shared[ECC_LEN], signature[ECC_SIGNATURE_LEN] = {0};
	struct ecc_pair x, ed, p;

	cr_assert(!ecc_pair_make(engine, ECC_X25519, &x) &&
		!ecc_pair_make(engine, ECC_ED25519, &ed) && !ecc_pair_make(engine, ECC_P256, &p));
	cr_assert_eq(ecc_shared(engine, &x, &p.public, shared), -EINVAL);
	cr_assert_eq(ecc_shared(engine, &ed, &ed.public, shared), -EINVAL);
	cr_assert_null(ecc_signer_create(&x));
	cr_assert_eq(ecc_verify(engine, &x.public, shared, 0, signature), -EINVAL);
	p.public.y[0] ^= 1;
	cr_assert_null(ecc_signer_create(&p), "a public half that is none");
}

// Spoils a job that is to be refused: a scalar or a point of P-256, or a point of small order.
static void spoil(struct ecc_pair *pair, struct ecc_public *peer, unsigned how)
{
	if (peer->curve == ECC_X25519)
		memset(peer->x, 0, ECC_LEN);
	else if (how % 4 == 0)
		peer->y[ECC_LEN - 1] ^= 1;
	else if (how % 4 == 1)
		memset(peer->x, 0xff, ECC_LEN);
	else
		memset(pair->secret, how % 4 == 2 ? 0 : 0xff, ECC_LEN);
}

// Jobs of both curves (mixed of five are of P-256), of which some are refused, and some are of a
// key of another curve than the point.
static void batch_agrees(struct ecc_engine *batch, unsigned n, unsigned mixed)
{
	enum { N = 67 };
	static struct ecc_pair pairs[N];
	static struct ecc_public peers[N];
	static struct ecc_job jobs[N];
	static struct ecc_job *list[N];

	for (unsigned i = 0; i < n; i++) {
		const enum ecc_curve curve = i % 5 < mixed ? ECC_P256 : ECC_X25519;
		struct ecc_pair peer;

		cr_assert(!ecc_pair_make(engine, curve, &pairs[i]) &&
			!ecc_pair_make(engine, curve, &peer));
		peers[i] = peer.public;
		if (i % 7 == n % 7)
			spoil(&pairs[i], &peers[i], i / 7 + n);
		if (i % 13 == 12)
			pairs[i].public.curve = ECC_ED25519;
		jobs[i] = (struct ecc_job){&pairs[i], &peers[i], {0xee}, 1};
		list[i] = &jobs[i];
	}
	ecc_shared_batch(batch, list, n);
	for (unsigned i = 0; i < n; i++) {
		const bool bad = i % 7 == n % 7 || i % 13 == 12;
		uint8_t alone[ECC_LEN];

		cr_assert_eq(ecc_shared(engine, &pairs[i], &peers[i], alone), jobs[i].err,
			"job %u of %u", i, n);
		cr_assert_eq(jobs[i].err, bad ? -EINVAL : 0, "job %u of %u", i, n);
		if (!bad)
			cr_assert_arr_eq(alone, jobs[i].shared, ECC_LEN, "job %u of %u", i, n);
		else if (i % 13 != 12)
			cr_assert(sodium_is_zero(jobs[i].shared, ECC_LEN), "job %u of %u", i, n);
	}
}

static void batches_agree(const char *isa)
{
	struct ecc_engine *batch = ecc_engine_create(isa);

	if (!batch)
		cr_assert_eq(errno, ENOTSUP);
	for (unsigned n = 1; batch && n <= 67; n += n < 18 ? 1 : 7)
		for (unsigned mixed = 0; mixed <= 5; mixed++)
			batch_agrees(batch, n, mixed);
	ecc_engine_free(batch);
}

Test(ecc, a_batch_is_what_its_jobs_are_alone)
{
	for (const char *const *isa = ecc_isa_names(); *isa; isa++)
		batches_agree(*isa);
	errno = 0;
	cr_assert_null(ecc_engine_create("sse9"));
	cr_assert_eq(errno, EINVAL);
}

Test(ecc, pairs_that_are_made_together_are_different_and_right)
{
	enum { N = 19 };

	for (const char *const *isa = ecc_isa_names(); *isa; isa++) {
		struct ecc_engine *batch = ecc_engine_create(*isa);
		struct ecc_pair pairs[N], *list[N], again;

		for (unsigned i = 0; i < N; i++)
			list[i] = &pairs[i];
		for (enum ecc_curve curve = ECC_P256; batch && curve <= ECC_ED25519; curve++) {
			memset(pairs, 0xee, sizeof(pairs));
			cr_assert_eq(ecc_pairs_make(batch, curve, list, N), 0);
			for (unsigned i = 0; i < N; i++) {
				cr_assert_eq(ecc_pair_from_secret(
						     engine, curve, pairs[i].secret, &again),
					0);
				cr_assert(!memcmp(&again, &pairs[i], sizeof(again)));
				cr_assert(!i || memcmp(&pairs[i], &pairs[i - 1], sizeof(again)));
			}
		}
		ecc_engine_free(batch);
	}
}

// Some of n have no y; one by one and together it is the same.
Test(ecc, points_of_x_are_found_together_as_alone)
{
	enum { N = 19 };

	for (const char *const *isa = ecc_isa_names(); *isa; isa++) {
		struct ecc_engine *batch = ecc_engine_create(*isa);
		struct ecc_public publics[N], *list[N], alone, odd;
		unsigned found = 0;
		int errs[N];

		for (unsigned n = 1; batch && n <= N; n++) {
			for (unsigned i = 0; i < n; i++) {
				memset(&publics[i], 0xee, sizeof(publics[i]));
				publics[i].curve = ECC_P256;
				randombytes_buf(publics[i].x, ECC_LEN);
				if (i % 6 == 5)
					memset(publics[i].x, 0xff, ECC_LEN - n % 9);
				list[i] = &publics[i];
			}
			ecc_publics_from_x(batch, list, errs, n);
			for (unsigned i = 0; i < n; i++) {
				cr_assert_eq(
					ecc_public_from_x(batch, publics[i].x, &alone), errs[i]);
				cr_assert(errs[i] == 0 || errs[i] == -EINVAL);
				if (errs[i])
					continue;
				cr_assert(ecc_public_valid(engine, &publics[i]));
				cr_assert_not(publics[i].y[ECC_LEN - 1] & 1);
				cr_assert(!memcmp(&alone, &publics[i], sizeof(alone)));
				cr_assert_eq(ecc_public_from_sign(batch, alone.x, true, &odd), 0);
				cr_assert(odd.y[ECC_LEN - 1] & 1);
				cr_assert(ecc_public_valid(engine, &odd));
				found++;
			}
		}
		cr_assert(!batch || found > 20);
		ecc_engine_free(batch);
	}
}
