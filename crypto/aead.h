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

// Makes an engine, which holds prepared cipher contexts and is used by one thread only. isa names
// an instruction set out of aead_isa_names(); NULL takes the fastest that this CPU has. Returns
// NULL and sets errno on failure: EINVAL if the name is unknown, ENOTSUP if this CPU or build lacks
// it, ENOMEM.
struct aead_engine *aead_engine_create(const char *isa);
// Wipes the keys that the engine has expanded, and frees it. NULL is allowed.
void aead_engine_free(struct aead_engine *engine);
// The kernels of CCM keep round keys, key stream and MACs in memory of the engine, which is wiped
// at the end of each call of aead_open_batch() or aead_seal_batch(). A caller of many small batches
// may say that it wipes later: then the calls leave the memory as it is, and the caller must call
// aead_engine_wipe() when a burst is done, before its thread waits for anything. Workers do so at
// the end of each turn. Stack and registers are clean after each call in any case.
void aead_engine_wipe_later(struct aead_engine *engine);
void aead_engine_wipe(struct aead_engine *engine);
// Names the implementation that this engine uses for an algorithm, e.g. "openssl".
const char *aead_engine_name(const struct aead_engine *engine, enum aead_alg alg);
// Lists the names that aead_engine_create() takes, the fastest first, ended by NULL.
const char *const *aead_isa_names(void);

// Opens (verifies and decrypts) n <= AEAD_BATCH_MAX messages and sets the result of each op. The
// out of a message that fails is zeroed. Returns how many are AEAD_OK.
unsigned aead_open_batch(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n);
// Seals (encrypts and tags) n <= AEAD_BATCH_MAX messages and sets the result of each op. Returns
// how many are AEAD_OK: fewer than n only if OpenSSL or libsodium failed; the out of these is
// zeroed, and the caller must not send it.
unsigned aead_seal_batch(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n);

#endif
