// SPDX-License-Identifier: BSD-3-Clause
// HKDF with SHA-256 (RFC 5869): one key is extracted, and as many are expanded of it as are wanted.

#ifndef POSTERN_CRYPTO_HKDF_H
#define POSTERN_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

#define HKDF_PRK_LEN 32                   // bytes of a pseudorandom key
#define HKDF_OUT_MAX (255 * HKDF_PRK_LEN) // bytes that one expansion can give

// A piece of an input that does not lie in one place.
struct hkdf_part {
	const uint8_t *data; // NULL is allowed if len is 0
	size_t len;
};

// Extracts a pseudorandom key of the input keying material `ikm` (section 2.2). An empty salt
// counts as 32 zeros; salt and ikm may be NULL if their length is 0. prk may be the salt or the
// ikm.
void hkdf_sha256_extract(uint8_t prk[HKDF_PRK_LEN], const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len);
// Derives out_len bytes, at most HKDF_OUT_MAX, of it (section 2.3). The info is its parts one
// behind the other. out must not overlap prk or the info. Returns 0, or -EINVAL if out_len is too
// large.
int hkdf_sha256_expand(uint8_t *out, size_t out_len, const uint8_t prk[HKDF_PRK_LEN],
	const struct hkdf_part *info, unsigned n_parts) __attribute__((warn_unused_result));

#endif
