// SPDX-License-Identifier: BSD-3-Clause
// X25519 of eight keys at once. Internal to crypto/; callers include crypto/ecc.h.

#ifndef POSTERN_CRYPTO_X25519_H
#define POSTERN_CRYPTO_X25519_H

#include <stdint.h>

#define X25519_LANES 8

// X25519 (RFC 7748) of eight scalars with eight points, 32 bytes each, with AVX-512 IFMA: ecc.c
// calls it only if the CPU has that. An out may be a scalar or a point. Zeros are for the caller to
// refuse.
void x25519_ifma(uint8_t *const out[X25519_LANES], const uint8_t *const scalars[X25519_LANES],
	const uint8_t *const points[X25519_LANES]);

#endif
