// SPDX-License-Identifier: BSD-3-Clause
// The inside of an engine: one implementation for each algorithm, which aead.c picks out of those
// declared here. A new implementation is a line here and a line in the tables of aead.c. Internal
// to crypto/; callers include crypto/aead.h.

#ifndef POSTERN_CRYPTO_AEAD_ENGINE_H
#define POSTERN_CRYPTO_AEAD_ENGINE_H

#include "crypto/aead_algs.h"

#include <stdbool.h>

struct aead_engine;

// Opens or seals 1 <= n <= AEAD_BATCH_MAX messages: sets the result of each op, zeroes the out of
// those that fail, and returns how many are AEAD_OK.
typedef unsigned aead_batch_fn(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n);

struct aead_impl {
	const char *name; // for aead_engine_name()
	aead_batch_fn *open;
	aead_batch_fn *seal;
	// Zeroes the first len bytes of the engine's secrets, or some more; NULL if none are kept.
	void (*wipe)(uint8_t *secrets, size_t len);
};

// A kernel is written as many small functions, all of which end up in one.
#define INLINE static inline __attribute__((always_inline))

struct aead_openssl; // cipher contexts, see aead_openssl.c

// Room for what a kernel of CCM keeps of the messages it works on: round keys, key stream, MACs. It
// is no part of the stack, so that it can be wiped once after many batches.
#define AEAD_SECRETS_ROOM 7680 // bytes

struct aead_engine {
	struct aead_impl impl[AEAD_ALG_COUNT];
	struct aead_openssl *openssl;
	bool wipe_later;    // the caller calls aead_engine_wipe()
	size_t secrets_len; // bytes that were written since the last wiping
	_Alignas(64) uint8_t secrets[AEAD_SECRETS_ROOM];
};

// AES-CCM over many messages at once. aead.c picks one only if the CPU has its instruction set.
extern const struct aead_impl aead_ccm_vaes512;
extern const struct aead_impl aead_ccm_vaes512_few; // vaes512 passes few messages to it
extern const struct aead_impl aead_ccm_vaes256;
extern const struct aead_impl aead_ccm_aesni;

// OpenSSL: the GCMs, and the CCMs on CPUs without the kernels above and as a reference in tests.
extern const struct aead_impl aead_openssl_impl;
// Prepares a cipher context for each algorithm and direction. Returns NULL and sets errno to ENOMEM
// or ENOTSUP on failure.
struct aead_openssl *aead_openssl_create(void);
// Wipes and frees the contexts. NULL is allowed.
void aead_openssl_free(struct aead_openssl *openssl);

extern const struct aead_impl aead_sodium_chacha20_poly1305;
// aead.c picks it only if crypto_aead_aes256gcm_is_available().
extern const struct aead_impl aead_sodium_aes256gcm;

// Returns the AAD without the 2 bytes of length that CCM puts in front of it, NULL if it is empty.
static inline const uint8_t *aead_op_aad(const struct aead_op *op)
{
	return op->aad_len ? op->aad + 2 : NULL;
}

#endif
