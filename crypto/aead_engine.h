// SPDX-License-Identifier: BSD-3-Clause
// What an engine is made of: for each algorithm, the implementation that serves it. aead.c picks
// among the implementations listed here; none of them registers itself. Internal to crypto/;
// callers see crypto/aead.h.

#ifndef POSTERN_CRYPTO_AEAD_ENGINE_H
#define POSTERN_CRYPTO_AEAD_ENGINE_H

#include "crypto/aead_algs.h"

#include <stdbool.h>

struct aead_engine;

// Opens or seals a batch as crypto/aead.h says, 1 <= n <= AEAD_BATCH_MAX: sets every op's result,
// zeroes what failed, returns how many are AEAD_OK.
typedef unsigned aead_batch_fn(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n);

struct aead_impl {
	const char *name;
	aead_batch_fn *open;
	aead_batch_fn *seal;
};

// Kernels are one straight line each, made of many small functions.
#define INLINE static inline __attribute__((always_inline))

struct aead_openssl; // cipher contexts, see aead_openssl.c

struct aead_engine {
	struct aead_impl impl[AEAD_ALG_COUNT];
	struct aead_openssl *openssl;
};

// AES-CCM over many messages at once; only where the CPU has the instruction set.
extern const struct aead_impl aead_ccm_vaes512;
extern const struct aead_impl aead_ccm_vaes512_few; // for vaes512
extern const struct aead_impl aead_ccm_vaes256;
extern const struct aead_impl aead_ccm_aesni;

// Algorithms that OpenSSL serves: the CCMs (as fallback and oracle) and the GCMs.
extern const struct aead_impl aead_openssl_impl;
// NULL and errno (ENOMEM or ENOTSUP) on failure.
struct aead_openssl *aead_openssl_create(void);
void aead_openssl_free(struct aead_openssl *openssl);

extern const struct aead_impl aead_sodium_chacha20_poly1305;
// Only where crypto_aead_aes256gcm_is_available().
extern const struct aead_impl aead_sodium_aes256gcm;

// The AAD alone, without the length that CCM puts before it.
static inline const uint8_t *aead_op_aad(const struct aead_op *op)
{
	return op->aad_len ? op->aad + 2 : NULL;
}

#endif
