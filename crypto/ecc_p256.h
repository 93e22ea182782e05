// SPDX-License-Identifier: BSD-3-Clause
// P-256 over OpenSSL's arithmetic. Internal to crypto/; callers include crypto/ecc.h, which says
// what the functions return.

#ifndef POSTERN_CRYPTO_ECC_P256_H
#define POSTERN_CRYPTO_ECC_P256_H

#include "crypto/ecc.h"

struct ecc_p256;
struct ecc_p256_signer;

struct ecc_p256 *ecc_p256_create(void);
void ecc_p256_free(struct ecc_p256 *p256);
// Writes the point of a private key.
int ecc_p256_public(
	struct ecc_p256 *p256, const uint8_t secret[ECC_LEN], struct ecc_public *public);
// Writes y for x.
int ecc_p256_y(struct ecc_p256 *p256, bool odd, struct ecc_public *public);
bool ecc_p256_valid(struct ecc_p256 *p256, const struct ecc_public *public);
int ecc_p256_shared(struct ecc_p256 *p256, const uint8_t secret[ECC_LEN],
	const struct ecc_public *public, uint8_t shared[ECC_LEN]);
int ecc_p256_verify(struct ecc_p256 *p256, const struct ecc_public *public,
	const uint8_t digest[32], const uint8_t signature[ECC_SIGNATURE_LEN]);

struct ecc_p256_signer *ecc_p256_signer_create(const struct ecc_pair *pair);
void ecc_p256_signer_free(struct ecc_p256_signer *signer);
int ecc_p256_sign(struct ecc_p256_signer *signer, const uint8_t digest[32],
	uint8_t signature[ECC_SIGNATURE_LEN]);

#endif
