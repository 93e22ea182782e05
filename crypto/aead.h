// SPDX-License-Identifier: BSD-3-Clause
// AEAD over batches of independent messages, each with its own key.
//
// A caller fills an array of struct aead_op and hands the whole batch to aead_open_batch() or
// aead_seal_batch(). Every op of one call has the same algorithm; keys, lengths and AADs are
// free. The engine behind the call is picked once, when the struct aead_engine is made.

#ifndef POSTERN_CRYPTO_AEAD_H
#define POSTERN_CRYPTO_AEAD_H

#include "crypto/aead_algs.h"

struct aead_engine;

// Makes an engine for one thread: it holds prepared contexts and is not to be shared. isa is NULL
// for the fastest that the CPU has, or a name of aead_isa_names(). NULL and errno on failure:
// EINVAL for an unknown name, ENOTSUP when this CPU or build lacks it, ENOMEM.
struct aead_engine *aead_engine_create(const char *isa);
// Wipes and frees; NULL is allowed.
void aead_engine_free(struct aead_engine *engine);
// Name of the implementation that serves an algorithm, e.g. "openssl".
const char *aead_engine_name(const struct aead_engine *engine, enum aead_alg alg);
// Names that aead_engine_create() knows, fastest first, ended by NULL.
const char *const *aead_isa_names(void);

// Opens (verifies and decrypts) n <= AEAD_BATCH_MAX messages. Each op's result is set; no
// plaintext of a message that failed is left in its out. Returns how many are AEAD_OK.
unsigned aead_open_batch(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n);
// Seals n <= AEAD_BATCH_MAX messages. Returns how many are AEAD_OK: fewer than n only if a library
// below failed, and then the out of the failed ones is zeroed and must not be sent.
unsigned aead_seal_batch(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n);

#endif
