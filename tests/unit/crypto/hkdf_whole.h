// SPDX-License-Identifier: BSD-3-Clause
// HKDF from the input keying material to the output in one step, as vectors have it.

#ifndef POSTERN_TESTS_UNIT_CRYPTO_HKDF_WHOLE_H
#define POSTERN_TESTS_UNIT_CRYPTO_HKDF_WHOLE_H

#include "crypto/hkdf.h"

static inline int hkdf_whole(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len)
{
	const struct hkdf_part part = {info, info_len};
	uint8_t prk[HKDF_PRK_LEN];

	hkdf_sha256_extract(prk, salt, salt_len, ikm, ikm_len);
	return hkdf_sha256_expand(out, out_len, prk, &part, 1);
}

#endif
