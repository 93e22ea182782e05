// SPDX-License-Identifier: BSD-3-Clause
// Elliptic-curve keys as COSE uses them (RFC 9053): key agreement on P-256 and X25519, signatures
// ES256 and EdDSA with Ed25519. OpenSSL has P-256, libsodium has the two others (its Ed25519 is
// twice as fast as OpenSSL's); key agreement of many at once has kernels of its own.

#ifndef POSTERN_CRYPTO_ECC_H
#define POSTERN_CRYPTO_ECC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ECC_LEN           32 // bytes of a coordinate, a private key, a shared secret
#define ECC_SIGNATURE_LEN 64 // r || s, or R || S

enum ecc_curve {
	ECC_P256,    // ECDH and ES256
	ECC_X25519,  // ECDH
	ECC_ED25519, // EdDSA
};

struct ecc_public {
	uint8_t curve;      // enum ecc_curve
	uint8_t x[ECC_LEN]; // P-256: big-endian; otherwise the encoded key
	uint8_t y[ECC_LEN]; // P-256 only
};

// A private key with its public one. The owner wipes it.
struct ecc_pair {
	struct ecc_public public;
	uint8_t secret[ECC_LEN]; // P-256: big-endian scalar; X25519: scalar; Ed25519: seed
};

// What OpenSSL prepares once. Used by one thread only.
struct ecc_engine;

// isa names an implementation out of ecc_isa_names(); NULL takes the fastest that this CPU has.
// NULL and errno on failure: EINVAL if the name is unknown, ENOTSUP if this CPU lacks it, ENOMEM.
struct ecc_engine *ecc_engine_create(const char *isa);
// "ifma512": P-256 and X25519 of eight at once; "none": one after the other. Ended by NULL.
const char *const *ecc_isa_names(void);
// NULL is allowed.
void ecc_engine_free(struct ecc_engine *engine);

// All that return int return 0, -EINVAL if what they were given is no key, point or signature, or
// -EIO if the library fails.

// Makes a new random key pair.
int ecc_pair_make(struct ecc_engine *engine, enum ecc_curve curve, struct ecc_pair *pair)
	__attribute__((warn_unused_result));
// The same for each of n pairs.
int ecc_pairs_make(struct ecc_engine *engine, enum ecc_curve curve, struct ecc_pair *const *pairs,
	unsigned n) __attribute__((warn_unused_result));
// Makes the pair of a private key.
int ecc_pair_from_secret(struct ecc_engine *engine, enum ecc_curve curve,
	const uint8_t secret[ECC_LEN], struct ecc_pair *pair) __attribute__((warn_unused_result));
// Finds one of the two points of P-256 with this x (RFC 9528 appendix B).
int ecc_public_from_x(struct ecc_engine *engine, const uint8_t x[ECC_LEN],
	struct ecc_public *public) __attribute__((warn_unused_result));
// The same for the x of each of n points, whose y is written. errs[i]: what ecc_public_from_x()
// returns.
void ecc_publics_from_x(
	struct ecc_engine *engine, struct ecc_public *const *publics, int *errs, unsigned n);
// The same as ecc_public_from_x(), with the lowest bit of y.
int ecc_public_from_sign(struct ecc_engine *engine, const uint8_t x[ECC_LEN], bool odd,
	struct ecc_public *public) __attribute__((warn_unused_result));
// Whether a point of P-256 lies on the curve; true for other curves.
bool ecc_public_valid(struct ecc_engine *engine, const struct ecc_public *public)
	__attribute__((warn_unused_result));

// ECDH: the x-coordinate of P-256, or X25519, whose all-zero output is refused (RFC 7748 section
// 6.1). Both keys are of the same curve. A point that is not on the curve is refused.
int ecc_shared(struct ecc_engine *engine, const struct ecc_pair *pair,
	const struct ecc_public *public, uint8_t shared[ECC_LEN])
	__attribute__((warn_unused_result));

// One ECDH of many. The owner wipes it.
struct ecc_job {
	const struct ecc_pair *pair;
	const struct ecc_public *public;
	uint8_t shared[ECC_LEN]; // written
	int err;                 // written: what ecc_shared() returns
};

// The same as ecc_shared() for each of n jobs.
void ecc_shared_batch(struct ecc_engine *engine, struct ecc_job *const *jobs, unsigned n);

// A private key that is ready to sign. Used by one thread only.
struct ecc_signer;

// NULL and errno: EINVAL if the pair is none, or of X25519.
struct ecc_signer *ecc_signer_create(const struct ecc_pair *pair);
// Wipes the key. NULL is allowed.
void ecc_signer_free(struct ecc_signer *signer);
int ecc_sign(struct ecc_signer *signer, const uint8_t *msg, size_t len,
	uint8_t signature[ECC_SIGNATURE_LEN]) __attribute__((warn_unused_result));
// Returns -EINVAL if the signature is none of this message.
int ecc_verify(struct ecc_engine *engine, const struct ecc_public *public, const uint8_t *msg,
	size_t len, const uint8_t signature[ECC_SIGNATURE_LEN]) __attribute__((warn_unused_result));

#endif
