// SPDX-License-Identifier: BSD-3-Clause
// HKDF with SHA-256 (RFC 5869), over libsodium's HMAC.

#ifndef POSTERN_CRYPTO_HKDF_H
#define POSTERN_CRYPTO_HKDF_H

#include <stddef.h>
#include <stdint.h>

// Derives out_len bytes, at most 255 * 32, from the input keying material `ikm`. An empty salt
// counts as 32 zeros (RFC 5869 section 2.2); salt, ikm and info may be NULL if their length is 0.
// Returns 0, or -EINVAL if out_len is too large.
int hkdf_sha256(uint8_t *out, size_t out_len, const uint8_t *salt, size_t salt_len,
	const uint8_t *ikm, size_t ikm_len, const uint8_t *info, size_t info_len)
	__attribute__((warn_unused_result));

#endif
