// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/hkdf.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(HKDF_PRK_LEN == crypto_auth_hmacsha256_BYTES, "HMAC with SHA-256");

// libsodium takes no NULL, also for no bytes.
static const uint8_t *some(const uint8_t *bytes)
{
	static const uint8_t none[1];

	return bytes ? bytes : none;
}

void hkdf_sha256_extract(uint8_t prk[HKDF_PRK_LEN], const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len)
{
	crypto_auth_hmacsha256_state hmac;

	// HMAC pads a short key with zeros, so an empty salt is a salt of zeros already.
	crypto_auth_hmacsha256_init(&hmac, some(salt), salt_len);
	crypto_auth_hmacsha256_update(&hmac, some(ikm), ikm_len);
	crypto_auth_hmacsha256_final(&hmac, prk);
	sodium_memzero(&hmac, sizeof(hmac));
}

int hkdf_sha256_expand(uint8_t *out, size_t out_len, const uint8_t prk[HKDF_PRK_LEN],
	const struct hkdf_part *info, unsigned n_parts)
{
	crypto_auth_hmacsha256_state keyed, hmac;
	uint8_t block[HKDF_PRK_LEN];

	if (out_len > HKDF_OUT_MAX)
		return -EINVAL;

	// T(i) = HMAC(PRK, T(i-1) | info | i).
	crypto_auth_hmacsha256_init(&keyed, prk, HKDF_PRK_LEN);
	for (uint8_t i = 1; out_len; i++) {
		size_t take = out_len < sizeof(block) ? out_len : sizeof(block);

		hmac = keyed;
		if (i > 1)
			crypto_auth_hmacsha256_update(&hmac, block, sizeof(block));
		for (unsigned k = 0; k < n_parts; k++)
			crypto_auth_hmacsha256_update(&hmac, some(info[k].data), info[k].len);
		crypto_auth_hmacsha256_update(&hmac, &i, 1);
		crypto_auth_hmacsha256_final(&hmac, block);
		memcpy(out, block, take);
		out += take;
		out_len -= take;
	}
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&keyed, sizeof(keyed));
	sodium_memzero(&hmac, sizeof(hmac));
	return 0;
}

int hkdf_sha256(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len)
{
	const struct hkdf_part part = {info, info_len};
	uint8_t prk[HKDF_PRK_LEN];
	int err;

	if (out_len > HKDF_OUT_MAX)
		return -EINVAL;
	hkdf_sha256_extract(prk, salt, salt_len, ikm, ikm_len);
	err = hkdf_sha256_expand(out, out_len, prk, &part, 1);
	sodium_memzero(prk, sizeof(prk));
	return err;
}
