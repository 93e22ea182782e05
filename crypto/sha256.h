// SPDX-License-Identifier: BSD-3-Clause
// SHA-256 (FIPS 180-4) and HMAC with it (RFC 2104), by OpenSSL's functions that have no heap and
// cannot fail: they use the CPU's instructions for SHA where it has them.

#ifndef POSTERN_CRYPTO_SHA256_H
#define POSTERN_CRYPTO_SHA256_H

#include <openssl/sha.h>
#include <stddef.h>
#include <stdint.h>

#define SHA256_LEN 32 // bytes of a hash and of a MAC

// A hash that is under way. The caller wipes one of secrets that it does not end.
struct sha256 {
	struct SHA256state_st state;
};

void sha256_init(struct sha256 *sha);
// bytes may be NULL if len is 0, here and below.
void sha256_update(struct sha256 *sha, const uint8_t *bytes, size_t len);
// Wipes the state. hash may be what was hashed.
void sha256_final(struct sha256 *sha, uint8_t hash[SHA256_LEN]);

void sha256(uint8_t hash[SHA256_LEN], const uint8_t *bytes, size_t len);

// A MAC that is under way. A copy of it goes on by itself, so that one key serves for many.
struct hmac_sha256 {
	struct sha256 inner, outer;
};

// Keys of any length. The caller wipes one that it does not end.
void hmac_sha256_init(struct hmac_sha256 *hmac, const uint8_t *key, size_t len);
void hmac_sha256_update(struct hmac_sha256 *hmac, const uint8_t *bytes, size_t len);
// Wipes the state. mac may be what was given.
void hmac_sha256_final(struct hmac_sha256 *hmac, uint8_t mac[SHA256_LEN]);

#endif
