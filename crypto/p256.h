// SPDX-License-Identifier: BSD-3-Clause
// P-256 of eight keys at once, with AVX-512 IFMA: ecc.c calls these only if the CPU has that.
// Internal to crypto/; callers include crypto/ecc.h. Numbers are of 32 bytes, the highest first.

#ifndef POSTERN_CRYPTO_P256_H
#define POSTERN_CRYPTO_P256_H

#include <stdint.h>

#define P256_LANES 8

typedef uint8_t p256_mask; // a bit a lane

// Multiples of the base point G. A table of 64 KB, which holds no secret.
struct p256_base;

// NULL without memory.
struct p256_base *p256_base_create(void);
// NULL is allowed.
void p256_base_free(struct p256_base *base);

// ECDH: the x of scalar * (x, y). Returns the lanes whose scalar is in [1, n) and whose point is on
// the curve; the others get zeros. An out may be what is read.
p256_mask p256_ifma_shared(uint8_t *const out[P256_LANES], const uint8_t *const scalars[P256_LANES],
	const uint8_t *const x[P256_LANES], const uint8_t *const y[P256_LANES])
	__attribute__((warn_unused_result));

// The point of a private key. Returns the lanes whose scalar is in [1, n); the others get zeros.
p256_mask p256_ifma_public(const struct p256_base *base, uint8_t *const x[P256_LANES],
	uint8_t *const y[P256_LANES], const uint8_t *const scalars[P256_LANES])
	__attribute__((warn_unused_result));

// The y of x, odd for the lanes that `odd` has. Returns the lanes that have one; the others get
// zeros.
p256_mask p256_ifma_y(uint8_t *const y[P256_LANES], const uint8_t *const x[P256_LANES],
	p256_mask odd) __attribute__((warn_unused_result));

#endif
