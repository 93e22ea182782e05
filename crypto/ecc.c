// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/ecc.h"

#include "crypto/ecc_ifma.h"
#include "crypto/ecc_p256.h"
#include "crypto/sha256.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ECC_LEN == crypto_scalarmult_BYTES && ECC_LEN == crypto_sign_SEEDBYTES &&
		ECC_SIGNATURE_LEN == crypto_sign_BYTES,
	"libsodium's lengths");

struct ecc_engine {
	struct ecc_p256 *p256;
	struct ecc_ifma *ifma; // NULL: not used
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

struct ecc_engine *ecc_engine_create(const char *isa)
{
	const bool ifma = isa ? !strcmp(isa, "ifma512") : ecc_ifma_here();
	struct ecc_engine *engine;

	if (isa && !ifma && strcmp(isa, "none")) {
		errno = EINVAL;
		return NULL;
	}
	if (ifma && !ecc_ifma_here()) {
		errno = ENOTSUP;
		return NULL;
	}
	engine = calloc(1, sizeof(*engine));
	if (!engine || !(engine->p256 = ecc_p256_create()) ||
		(ifma && !(engine->ifma = ecc_ifma_create()))) {
		ecc_engine_free(engine);
		errno = ENOMEM;
		return NULL;
	}
	return engine;
}

void ecc_engine_free(struct ecc_engine *engine)
{
	if (!engine)
		return;
	ecc_p256_free(engine->p256);
	ecc_ifma_free(engine->ifma);
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

int ecc_pairs_make(
	struct ecc_engine *engine, enum ecc_curve curve, struct ecc_pair *const *pairs, unsigned n)
{
	int err = 0;

	if (curve == ECC_ED25519 || !engine->ifma || n < 2) {
		for (unsigned i = 0; i < n && !err; i++)
			err = ecc_pair_make(engine, curve, pairs[i]);
		return err;
	}
	for (unsigned first = 0; first < n; first += ECC_IFMA_LANES) {
		const unsigned some = n - first < ECC_IFMA_LANES ? n - first : ECC_IFMA_LANES;

		// One in 2^32 random numbers is no private key of P-256.
		do
			err = ecc_ifma_pairs(engine->ifma, curve, pairs + first, some);
		while (err);
	}
	return 0;
}

int ecc_public_from_sign(
	struct ecc_engine *engine, const uint8_t x[ECC_LEN], bool odd, struct ecc_public *public)
{
	int err;

	public->curve = ECC_P256;
	memcpy(public->x, x, ECC_LEN);
	if (!engine->ifma)
		return ecc_p256_y(engine->p256, odd, public);
	// Eight take half as long as one of OpenSSL's.
	ecc_ifma_y(&public, odd, &err, 1);
	return err;
}

int ecc_public_from_x(
	struct ecc_engine *engine, const uint8_t x[ECC_LEN], struct ecc_public *public)
{
	return ecc_public_from_sign(engine, x, false, public);
}

void ecc_publics_from_x(
	struct ecc_engine *engine, struct ecc_public *const *publics, int *errs, unsigned n)
{
	for (unsigned i = 0; i < n && !engine->ifma; i++)
		errs[i] = ecc_p256_y(engine->p256, false, publics[i]);
	for (unsigned first = 0; first < n && engine->ifma; first += ECC_IFMA_LANES)
		ecc_ifma_y(publics + first, false, errs + first,
			n - first < ECC_IFMA_LANES ? n - first : ECC_IFMA_LANES);
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

// Jobs of a curve that wait until there are as many as lanes.
struct waiting {
	struct ecc_job *job[ECC_IFMA_LANES];
	unsigned n;
};

static void waiting_run(struct ecc_engine *engine, struct waiting *waiting)
{
	struct ecc_job *first = waiting->job[0];

	// Eight take longer than one, but less than two.
	if (waiting->n == 1)
		first->err = ecc_shared(engine, first->pair, first->public, first->shared);
	else if (waiting->n)
		ecc_ifma_shared(waiting->job, waiting->n);
	waiting->n = 0;
}

void ecc_shared_batch(struct ecc_engine *engine, struct ecc_job *const *jobs, unsigned n)
{
	struct waiting waiting[] = {[ECC_P256] = {.n = 0}, [ECC_X25519] = {.n = 0}};

	for (unsigned i = 0; i < n; i++) {
		struct ecc_job *job = jobs[i];
		const enum ecc_curve curve = job->public->curve;

		if (!engine->ifma || job->pair->public.curve != curve || curve == ECC_ED25519) {
			job->err = ecc_shared(engine, job->pair, job->public, job->shared);
			continue;
		}
		waiting[curve].job[waiting[curve].n++] = job;
		if (waiting[curve].n == ECC_IFMA_LANES)
			waiting_run(engine, &waiting[curve]);
	}
	waiting_run(engine, &waiting[ECC_P256]);
	waiting_run(engine, &waiting[ECC_X25519]);
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
