// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/hkdf.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define HASH_LEN crypto_auth_hmacsha256_BYTES

int hkdf_sha256(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len)
{
	crypto_auth_hmacsha256_state hmac;
	uint8_t prk[HASH_LEN], block[HASH_LEN];

	// libsodium takes no NULL, also for no bytes.
	salt = salt ? salt : block;
	info = info ? info : block;
	if (out_len > 255 * HASH_LEN)
		return -EINVAL;

	// Extract. HMAC pads a short key with zeros, so an empty salt is a salt of zeros already.
	crypto_auth_hmacsha256_init(&hmac, salt, salt_len);
	crypto_auth_hmacsha256_update(&hmac, ikm, ikm_len);
	crypto_auth_hmacsha256_final(&hmac, prk);

	// Expand: T(i) = HMAC(PRK, T(i-1) | info | i).
	for (uint8_t i = 1; out_len; i++) {
		size_t take = out_len < HASH_LEN ? out_len : HASH_LEN;

		crypto_auth_hmacsha256_init(&hmac, prk, sizeof(prk));
		if (i > 1)
			crypto_auth_hmacsha256_update(&hmac, block, sizeof(block));
		crypto_auth_hmacsha256_update(&hmac, info, info_len);
		crypto_auth_hmacsha256_update(&hmac, &i, 1);
		crypto_auth_hmacsha256_final(&hmac, block);
		memcpy(out, block, take);
		out += take;
		out_len -= take;
	}
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&hmac, sizeof(hmac));
	return 0;
}
