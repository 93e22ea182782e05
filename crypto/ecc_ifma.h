// SPDX-License-Identifier: BSD-3-Clause
// What ecc.c does for up to eight keys at once with AVX-512 IFMA. Internal to crypto/; callers
// include crypto/ecc.h.

#ifndef POSTERN_CRYPTO_ECC_IFMA_H
#define POSTERN_CRYPTO_ECC_IFMA_H

#include "crypto/ecc.h"

#define ECC_IFMA_LANES 8

struct ecc_ifma;

// Whether this CPU has it.
bool ecc_ifma_here(void);
// NULL without memory.
struct ecc_ifma *ecc_ifma_create(void);
// NULL is allowed.
void ecc_ifma_free(struct ecc_ifma *ifma);

// The same as ecc_shared() for n jobs of one curve, which is P-256 or X25519.
void ecc_ifma_shared(struct ecc_job *const *jobs, unsigned n);
// Makes n pairs of P-256 or X25519. -EINVAL if a random number was no private key: then nothing is
// made.
int ecc_ifma_pairs(const struct ecc_ifma *ifma, enum ecc_curve curve, struct ecc_pair *const *pairs,
	unsigned n) __attribute__((warn_unused_result));
// Writes the y of n points of P-256, odd ones or even ones. errs[i]: 0, or -EINVAL without such a
// y, which is 0 then.
void ecc_ifma_y(struct ecc_public *const *publics, bool odd, int *errs, unsigned n);

#endif
