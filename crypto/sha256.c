// SPDX-License-Identifier: BSD-3-Clause

// OpenSSL 3.0 deprecates these functions in favour of EVP. But a digest of EVP has its state on the
// heap, so that a hash could fail, and a short message takes half as long again.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "crypto/sha256.h"

#include <sodium.h>
#include <string.h>

#define BLOCK_LEN  64
#define INNER_BYTE 0x36
#define OUTER_BYTE 0x5c

_Static_assert(SHA256_LEN == SHA256_DIGEST_LENGTH && BLOCK_LEN == SHA256_CBLOCK, "SHA-256");

void sha256_init(struct sha256 *sha)
{
	SHA256_Init(&sha->state);
}

void sha256_update(struct sha256 *sha, const uint8_t *bytes, size_t len)
{
	if (len)
		SHA256_Update(&sha->state, bytes, len);
}

void sha256_final(struct sha256 *sha, uint8_t hash[SHA256_LEN])
{
	SHA256_Final(hash, &sha->state);
	sodium_memzero(sha, sizeof(*sha));
}

void sha256(uint8_t hash[SHA256_LEN], const uint8_t *bytes, size_t len)
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, bytes, len);
	sha256_final(&sha, hash);
}

static void padded_init(struct sha256 *sha, const uint8_t key[BLOCK_LEN], uint8_t byte)
{
	uint8_t padded[BLOCK_LEN];

	for (unsigned i = 0; i < BLOCK_LEN; i++)
		padded[i] = key[i] ^ byte;
	sha256_init(sha);
	sha256_update(sha, padded, BLOCK_LEN);
	sodium_memzero(padded, sizeof(padded));
}

void hmac_sha256_init(struct hmac_sha256 *hmac, const uint8_t *key, size_t len)
{
	uint8_t whole[BLOCK_LEN] = {0};

	if (len > BLOCK_LEN)
		sha256(whole, key, len);
	else if (len)
		memcpy(whole, key, len);
	padded_init(&hmac->inner, whole, INNER_BYTE);
	padded_init(&hmac->outer, whole, OUTER_BYTE);
	sodium_memzero(whole, sizeof(whole));
}

void hmac_sha256_update(struct hmac_sha256 *hmac, const uint8_t *bytes, size_t len)
{
	sha256_update(&hmac->inner, bytes, len);
}

void hmac_sha256_final(struct hmac_sha256 *hmac, uint8_t mac[SHA256_LEN])
{
	uint8_t inner[SHA256_LEN];

	sha256_final(&hmac->inner, inner);
	sha256_update(&hmac->outer, inner, sizeof(inner));
	sha256_final(&hmac->outer, mac);
	sodium_memzero(inner, sizeof(inner));
}
