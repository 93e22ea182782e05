// SPDX-License-Identifier: BSD-3-Clause
// Published AEAD test vectors, run through an engine in every way that callers use.

#ifndef POSTERN_TESTS_UNIT_CRYPTO_AEAD_VECTORS_H
#define POSTERN_TESTS_UNIT_CRYPTO_AEAD_VECTORS_H

#include "crypto/aead.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The names of aead_isa_names(): tests are written once and exist once for each.
#define AEAD_EACH_ISA(X) X(vaes512) X(vaes256) X(aesni) X(openssl)

// An engine forced to one instruction set; skips the test where the CPU lacks it.
struct aead_engine *engine_for(const char *isa);

struct aead_vector {
	char name[80]; // where it is from, for messages
	uint8_t *key;
	uint8_t *nonce;
	uint8_t *aad;
	size_t aad_len;
	uint8_t *plain;  // len bytes; NULL if the source gives none for an invalid vector
	uint8_t *sealed; // len bytes and the tag
	size_t len;
	bool valid;
};

struct aead_vectors {
	enum aead_alg alg;
	struct aead_vector *list;
	size_t count;
};

// Appends a vector with its parts in hex, blanks allowed; asserts that their lengths suit the
// algorithm. plain may be NULL where valid is false.
void aead_vectors_add(struct aead_vectors *vectors, const char *name, const char *key,
	const char *nonce, const char *aad, const char *plain, const char *sealed, bool valid);
// Appends a vector of random key, nonce, AAD and plaintext that the oracle seals.
void aead_vectors_add_random(
	struct aead_vectors *vectors, struct aead_engine *oracle, size_t len, size_t aad_len);
void aead_vectors_free(struct aead_vectors *vectors);

// Asserts that the engine opens or seals these n <= AEAD_BATCH_MAX vectors as it must, in buffers
// that end at a page that faults. Vectors that are not valid cannot be sealed.
void aead_batch_check(struct aead_engine *engine, enum aead_alg alg,
	const struct aead_vector *const *list, unsigned n, bool seal, bool in_place);
// Asserts that the engine opens and seals every vector as given: alone and in batches with its
// neighbours, in place and out of place.
void aead_vectors_check(struct aead_engine *engine, const struct aead_vectors *vectors);

// aad as struct aead_op wants it, in a buffer from malloc() that *len is the size of.
uint8_t *aead_aad_prepare(const uint8_t *aad, size_t aad_len, size_t *len);

#endif
