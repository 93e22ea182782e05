// SPDX-License-Identifier: BSD-3-Clause
// Lanes that have no key of their own repeat the first one, into a room that nobody reads.

#include "crypto/ecc_ifma.h"

#include "crypto/p256.h"
#include "crypto/x25519.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(ECC_IFMA_LANES == X25519_LANES && ECC_IFMA_LANES == P256_LANES, "lanes");

struct ecc_ifma {
	struct p256_base *base;
};

struct lanes {
	uint8_t *x[ECC_IFMA_LANES], *y[ECC_IFMA_LANES]; // written
	const uint8_t *scalar[ECC_IFMA_LANES];
	const uint8_t *of_x[ECC_IFMA_LANES], *of_y[ECC_IFMA_LANES]; // a point
	uint8_t unused_x[ECC_LEN], unused_y[ECC_LEN];
};

#ifdef __x86_64__

bool ecc_ifma_here(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
}

static struct p256_base *base_create(void)
{
	return p256_base_create();
}

static void base_free(struct p256_base *base)
{
	p256_base_free(base);
}

static unsigned p256_shared(struct lanes *lanes)
{
	return p256_ifma_shared(lanes->x, lanes->scalar, lanes->of_x, lanes->of_y);
}

static unsigned p256_public(const struct p256_base *base, struct lanes *lanes)
{
	return p256_ifma_public(base, lanes->x, lanes->y, lanes->scalar);
}

static unsigned p256_y(struct lanes *lanes, bool odd)
{
	return p256_ifma_y(lanes->y, lanes->of_x, odd ? UINT8_MAX : 0);
}

static void x25519(struct lanes *lanes)
{
	x25519_ifma(lanes->x, lanes->scalar, lanes->of_x);
}

#else // nothing of this is called

bool ecc_ifma_here(void)
{
	return false;
}

static struct p256_base *base_create(void)
{
	return NULL;
}

static void base_free(struct p256_base *base)
{
}

static unsigned p256_shared(struct lanes *lanes)
{
	return 0;
}

static unsigned p256_public(const struct p256_base *base, struct lanes *lanes)
{
	return 0;
}

static unsigned p256_y(struct lanes *lanes, bool odd)
{
	return 0;
}

static void x25519(struct lanes *lanes)
{
}

#endif

struct ecc_ifma *ecc_ifma_create(void)
{
	struct ecc_ifma *ifma = calloc(1, sizeof(*ifma));

	if (ifma && !(ifma->base = base_create())) {
		free(ifma);
		return NULL;
	}
	return ifma;
}

void ecc_ifma_free(struct ecc_ifma *ifma)
{
	if (ifma)
		base_free(ifma->base);
	free(ifma);
}

static void lanes_fill(struct lanes *lanes, unsigned n)
{
	for (unsigned i = n; i < ECC_IFMA_LANES; i++) {
		lanes->x[i] = lanes->unused_x;
		lanes->y[i] = lanes->unused_y;
		lanes->scalar[i] = lanes->scalar[0];
		lanes->of_x[i] = lanes->of_x[0];
		lanes->of_y[i] = lanes->of_y[0];
	}
}

void ecc_ifma_shared(struct ecc_job *const *jobs, unsigned n)
{
	struct lanes lanes = {0};
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		lanes.x[i] = jobs[i]->shared;
		lanes.scalar[i] = jobs[i]->pair->secret;
		lanes.of_x[i] = jobs[i]->public->x;
		lanes.of_y[i] = jobs[i]->public->y;
	}
	lanes_fill(&lanes, n);
	if (jobs[0]->public->curve == ECC_P256) {
		good = p256_shared(&lanes);
	} else {
		x25519(&lanes);
		// Points of small order have no other output (RFC 7748 section 6.1).
		for (unsigned i = 0; i < n; i++)
			good |= (unsigned)!sodium_is_zero(jobs[i]->shared, ECC_LEN) << i;
	}
	for (unsigned i = 0; i < n; i++)
		jobs[i]->err = good >> i & 1 ? 0 : -EINVAL;
	sodium_memzero(lanes.unused_x, ECC_LEN);
}

int ecc_ifma_pairs(const struct ecc_ifma *ifma, enum ecc_curve curve, struct ecc_pair *const *pairs,
	unsigned n)
{
	static const uint8_t base[ECC_LEN] = {9}; // of X25519
	struct lanes lanes = {0};
	const unsigned all = (1U << n) - 1;
	unsigned good = all;

	for (unsigned i = 0; i < n; i++) {
		struct ecc_pair *pair = pairs[i];

		memset(pair, 0, sizeof(*pair));
		pair->public.curve = curve;
		randombytes_buf(pair->secret, ECC_LEN);
		lanes.x[i] = pair->public.x;
		lanes.y[i] = pair->public.y;
		lanes.scalar[i] = pair->secret;
		lanes.of_x[i] = base;
	}
	lanes_fill(&lanes, n);
	if (curve == ECC_P256)
		good = p256_public(ifma->base, &lanes);
	else
		x25519(&lanes);
	if ((good & all) == all)
		return 0;
	for (unsigned i = 0; i < n; i++)
		sodium_memzero(pairs[i], sizeof(*pairs[i]));
	return -EINVAL;
}

void ecc_ifma_y(struct ecc_public *const *publics, bool odd, int *errs, unsigned n)
{
	struct lanes lanes = {0};
	unsigned good;

	for (unsigned i = 0; i < n; i++) {
		lanes.y[i] = publics[i]->y;
		lanes.of_x[i] = publics[i]->x;
	}
	lanes_fill(&lanes, n);
	good = p256_y(&lanes, odd);
	for (unsigned i = 0; i < n; i++)
		errs[i] = good >> i & 1 ? 0 : -EINVAL;
}
