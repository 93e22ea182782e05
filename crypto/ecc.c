// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/ecc.h"

#include "crypto/ecc_p256.h"
#include "crypto/sha256.h"
#include "crypto/x25519.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ECC_LEN == crypto_scalarmult_BYTES && ECC_LEN == crypto_sign_SEEDBYTES &&
		ECC_SIGNATURE_LEN == crypto_sign_BYTES,
	"libsodium's lengths");

struct ecc_engine {
	struct ecc_p256 *p256;
	bool ifma;
};

struct ecc_signer {
	struct ecc_p256_signer *p256; // NULL: Ed25519
	uint8_t ed25519[crypto_sign_SECRETKEYBYTES];
};

static const char *const isa_names[] = {"ifma512", "none", NULL};

const char *const *ecc_isa_names(void)
{
	return isa_names;
}

static bool has_ifma(void)
{
#ifdef __x86_64__
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
#else
	return false;
#endif
}

struct ecc_engine *ecc_engine_create(const char *isa)
{
	const bool ifma = isa ? !strcmp(isa, "ifma512") : has_ifma();
	struct ecc_engine *engine;

	if (isa && !ifma && strcmp(isa, "none")) {
		errno = EINVAL;
		return NULL;
	}
	if (ifma && !has_ifma()) {
		errno = ENOTSUP;
		return NULL;
	}
	engine = calloc(1, sizeof(*engine));
	if (!engine || !(engine->p256 = ecc_p256_create())) {
		free(engine);
		errno = ENOMEM;
		return NULL;
	}
	engine->ifma = ifma;
	return engine;
}

void ecc_engine_free(struct ecc_engine *engine)
{
	if (engine)
		ecc_p256_free(engine->p256);
	free(engine);
}

int ecc_pair_from_secret(struct ecc_engine *engine, enum ecc_curve curve,
	const uint8_t secret[ECC_LEN], struct ecc_pair *pair)
{
	uint8_t whole[crypto_sign_SECRETKEYBYTES];

	memset(pair, 0, sizeof(*pair));
	pair->public.curve = curve;
	memcpy(pair->secret, secret, ECC_LEN);
	switch (curve) {
	case ECC_P256:
		return ecc_p256_public(engine->p256, secret, &pair->public);
	case ECC_X25519:
		return crypto_scalarmult_base(pair->public.x, secret) ? -EIO : 0;
	case ECC_ED25519:
		crypto_sign_seed_keypair(pair->public.x, whole, secret);
		sodium_memzero(whole, sizeof(whole));
		return 0;
	}
	return -EINVAL;
}

int ecc_pair_make(struct ecc_engine *engine, enum ecc_curve curve, struct ecc_pair *pair)
{
	uint8_t secret[ECC_LEN];
	int err;

	// One in 2^32 random numbers is no private key of P-256.
	do {
		randombytes_buf(secret, sizeof(secret));
		err = ecc_pair_from_secret(engine, curve, secret, pair);
	} while (err == -EINVAL && curve == ECC_P256);
	sodium_memzero(secret, sizeof(secret));
	return err;
}

// Eight X25519 with AVX-512 IFMA. Places without one of the n repeat the first one, into a room of
// their own.
static void ifma_run(uint8_t *const *out, const uint8_t *const *scalars,
	const uint8_t *const *points, unsigned n)
{
	uint8_t *outs[X25519_LANES], unused[ECC_LEN] = {0};
	const uint8_t *all_scalars[X25519_LANES], *all_points[X25519_LANES];

	for (unsigned i = 0; i < X25519_LANES; i++) {
		outs[i] = i < n ? out[i] : unused;
		all_scalars[i] = scalars[i < n ? i : 0];
		all_points[i] = points[i < n ? i : 0];
	}
#ifdef __x86_64__
	x25519_ifma(outs, all_scalars, all_points);
#endif
	sodium_memzero(unused, sizeof(unused));
}

int ecc_pairs_make(
	struct ecc_engine *engine, enum ecc_curve curve, struct ecc_pair *const *pairs, unsigned n)
{
	static const uint8_t base[ECC_LEN] = {9};
	const uint8_t *scalars[X25519_LANES] = {0}, *points[X25519_LANES] = {0};
	uint8_t *out[X25519_LANES] = {0};
	int err = 0;

	if (curve != ECC_X25519 || !engine->ifma || n < 2) {
		for (unsigned i = 0; i < n && !err; i++)
			err = ecc_pair_make(engine, curve, pairs[i]);
		return err;
	}
	for (unsigned first = 0; first < n; first += X25519_LANES) {
		const unsigned some = n - first < X25519_LANES ? n - first : X25519_LANES;

		for (unsigned i = 0; i < some; i++) {
			struct ecc_pair *pair = pairs[first + i];

			memset(pair, 0, sizeof(*pair));
			pair->public.curve = ECC_X25519;
			randombytes_buf(pair->secret, ECC_LEN);
			scalars[i] = pair->secret;
			points[i] = base;
			out[i] = pair->public.x;
		}
		ifma_run(out, scalars, points, some);
	}
	return 0;
}

int ecc_public_from_sign(
	struct ecc_engine *engine, const uint8_t x[ECC_LEN], bool odd, struct ecc_public *public)
{
	public->curve = ECC_P256;
	memcpy(public->x, x, ECC_LEN);
	return ecc_p256_y(engine->p256, odd, public);
}

int ecc_public_from_x(
	struct ecc_engine *engine, const uint8_t x[ECC_LEN], struct ecc_public *public)
{
	return ecc_public_from_sign(engine, x, false, public);
}

bool ecc_public_valid(struct ecc_engine *engine, const struct ecc_public *public)
{
	return public->curve != ECC_P256 || ecc_p256_valid(engine->p256, public);
}

int ecc_shared(struct ecc_engine *engine, const struct ecc_pair *pair,
	const struct ecc_public *public, uint8_t shared[ECC_LEN])
{
	if (pair->public.curve != public->curve || public->curve == ECC_ED25519)
		return -EINVAL;
	if (public->curve == ECC_P256)
		return ecc_p256_shared(engine->p256, pair->secret, public, shared);
	// libsodium refuses an output of zeros, and points of small order before that.
	if (!crypto_scalarmult(shared, pair->secret, public->x))
		return 0;
	sodium_memzero(shared, ECC_LEN);
	return -EINVAL;
}

// The same as ecc_shared() for 2 to 8 jobs of X25519.
static void jobs_ifma(struct ecc_job *const *jobs, unsigned n)
{
	const uint8_t *scalars[X25519_LANES] = {0}, *points[X25519_LANES] = {0};
	uint8_t *out[X25519_LANES] = {0};

	for (unsigned i = 0; i < n; i++) {
		scalars[i] = jobs[i]->pair->secret;
		points[i] = jobs[i]->public->x;
		out[i] = jobs[i]->shared;
	}
	ifma_run(out, scalars, points, n);
	// Points of small order have no other output (RFC 7748 section 6.1).
	for (unsigned i = 0; i < n; i++)
		jobs[i]->err = sodium_is_zero(jobs[i]->shared, ECC_LEN) ? -EINVAL : 0;
}

void ecc_shared_batch(struct ecc_engine *engine, struct ecc_job *const *jobs, unsigned n)
{
	struct ecc_job *waiting[X25519_LANES];
	unsigned waits = 0;

	for (unsigned i = 0; i < n; i++) {
		struct ecc_job *job = jobs[i];
		const bool x25519 =
			job->pair->public.curve == ECC_X25519 && job->public->curve == ECC_X25519;

		if (!engine->ifma || !x25519)
			job->err = ecc_shared(engine, job->pair, job->public, job->shared);
		else
			waiting[waits++] = job;
		if (waits == X25519_LANES) {
			jobs_ifma(waiting, waits);
			waits = 0;
		}
	}
	// Eight take as long as one of libsodium's.
	if (waits == 1)
		waiting[0]->err = ecc_shared(
			engine, waiting[0]->pair, waiting[0]->public, waiting[0]->shared);
	else if (waits)
		jobs_ifma(waiting, waits);
}

struct ecc_signer *ecc_signer_create(const struct ecc_pair *pair)
{
	struct ecc_signer *signer;

	if (pair->public.curve == ECC_X25519) {
		errno = EINVAL;
		return NULL;
	}
	signer = calloc(1, sizeof(*signer));
	if (!signer)
		return NULL;
	if (pair->public.curve == ECC_P256) {
		signer->p256 = ecc_p256_signer_create(pair);
		if (!signer->p256) {
			free(signer);
			errno = EINVAL;
			return NULL;
		}
		return signer;
	}
	memcpy(signer->ed25519, pair->secret, ECC_LEN);
	memcpy(signer->ed25519 + ECC_LEN, pair->public.x, ECC_LEN);
	return signer;
}

void ecc_signer_free(struct ecc_signer *signer)
{
	if (!signer)
		return;
	ecc_p256_signer_free(signer->p256);
	sodium_memzero(signer, sizeof(*signer));
	free(signer);
}

int ecc_sign(struct ecc_signer *signer, const uint8_t *msg, size_t len,
	uint8_t signature[ECC_SIGNATURE_LEN])
{
	if (!signer->p256)
		return crypto_sign_detached(signature, NULL, msg, len, signer->ed25519) ? -EIO : 0;
	uint8_t digest[SHA256_LEN];

	sha256(digest, msg, len);
	return ecc_p256_sign(signer->p256, digest, signature);
}

int ecc_verify(struct ecc_engine *engine, const struct ecc_public *public, const uint8_t *msg,
	size_t len, const uint8_t signature[ECC_SIGNATURE_LEN])
{
	uint8_t digest[SHA256_LEN];

	switch (public->curve) {
	case ECC_P256:
		sha256(digest, msg, len);
		return ecc_p256_verify(engine->p256, public, digest, signature);
	case ECC_ED25519:
		return crypto_sign_verify_detached(signature, msg, len, public->x) ? -EINVAL : 0;
	}
	return -EINVAL;
}
