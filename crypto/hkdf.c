// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/hkdf.h"

#include "crypto/sha256.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

_Static_assert(HKDF_PRK_LEN == SHA256_LEN, "HMAC with SHA-256");

void hkdf_sha256_extract(uint8_t prk[HKDF_PRK_LEN], const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len)
{
	struct hmac_sha256 hmac;

	// HMAC pads a short key with zeros, so an empty salt is a salt of zeros already.
	hmac_sha256_init(&hmac, salt, salt_len);
	hmac_sha256_update(&hmac, ikm, ikm_len);
	hmac_sha256_final(&hmac, prk);
}

int hkdf_sha256_expand(uint8_t *out, size_t out_len, const uint8_t prk[HKDF_PRK_LEN],
	const struct hkdf_part *info, unsigned n_parts)
{
	struct hmac_sha256 keyed, hmac;
	uint8_t block[HKDF_PRK_LEN];

	if (out_len > HKDF_OUT_MAX)
		return -EINVAL;

	// T(i) = HMAC(PRK, T(i-1) | info | i).
	hmac_sha256_init(&keyed, prk, HKDF_PRK_LEN);
	for (uint8_t i = 1; out_len; i++) {
		size_t take = out_len < sizeof(block) ? out_len : sizeof(block);

		hmac = keyed;
		if (i > 1)
			hmac_sha256_update(&hmac, block, sizeof(block));
		for (unsigned k = 0; k < n_parts; k++)
			hmac_sha256_update(&hmac, info[k].data, info[k].len);
		hmac_sha256_update(&hmac, &i, 1);
		hmac_sha256_final(&hmac, block);
		memcpy(out, block, take);
		out += take;
		out_len -= take;
	}
	sodium_memzero(block, sizeof(block));
	sodium_memzero(&keyed, sizeof(keyed));
	return 0;
}
