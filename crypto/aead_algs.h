// SPDX-License-Identifier: BSD-3-Clause
// The AEAD algorithms that postern has, with their lengths and COSE numbers, and struct aead_op:
// one message of a batch. Files that only describe messages or devices include this header; files
// that seal and open include crypto/aead.h.

#ifndef POSTERN_CRYPTO_AEAD_ALGS_H
#define POSTERN_CRYPTO_AEAD_ALGS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define AEAD_KEY_MAX   32 // bytes
#define AEAD_NONCE_MAX 13 // bytes
#define AEAD_TAG_MAX   16 // bytes
#define AEAD_BATCH_MAX 64 // messages in one call

// The AEAD algorithms of RFC 9053 that postern speaks. The values are array indices of ours; the
// numbers of the COSE registry are in struct aead_alg_info.
enum aead_alg {
	AEAD_AES_CCM_16_64_128,  // COSE 10: 13-byte nonce, 8-byte tag; mandatory in RFC 8613
	AEAD_AES_CCM_16_128_128, // COSE 30: 13-byte nonce, 16-byte tag
	AEAD_AES_128_GCM,        // COSE 1: 12-byte nonce, 16-byte tag
	AEAD_AES_256_GCM,        // COSE 3: 12-byte nonce, 16-byte tag, 32-byte key
	AEAD_CHACHA20_POLY1305,  // COSE 24: 12-byte nonce, 16-byte tag, 32-byte key
	AEAD_ALG_COUNT,
};

struct aead_alg_info {
	const char *name; // as in the COSE registry, e.g. "AES-CCM-16-64-128"
	int cose;         // COSE algorithm number
	uint8_t key_len;  // bytes
	uint8_t nonce_len;
	uint8_t tag_len;
};

extern const struct aead_alg_info aead_algs[AEAD_ALG_COUNT];

// Finds an algorithm by its number in the COSE registry, or by its name there, in any case. Both
// set *alg and return 0, or return -ENOTSUP.
int aead_alg_from_cose(int cose, enum aead_alg *alg) __attribute__((warn_unused_result));
int aead_alg_from_name(const char *name, enum aead_alg *alg) __attribute__((warn_unused_result));

enum aead_result {
	AEAD_OK = 0,
	AEAD_FAILED = 1, // open: the tag does not verify; seal: the library failed
};

// One message of a batch; 64 bytes, so that each message of a batch is one cache line. The caller
// writes all of it but `result`.
//
// The caller owns all that is pointed to, and keeps it valid during the call. `in` and `out` are
// either equal or do not overlap. The engine reads and writes only the ranges named here.
struct aead_op {
	const uint8_t *key; // aead_algs[alg].key_len bytes, raw
	const uint8_t *aad; // as CCM authenticates it (RFC 3610 section 2.2): 2-byte big-endian
			    // length, the AAD, zeros up to a multiple of 16; unread if aad_len is 0
	const uint8_t *in;  // seal: len bytes; open: len bytes and the tag
	uint8_t *out;       // seal: len bytes and the tag; open: len bytes, zeroed on failure
	uint8_t b0[16];     // the nonce, as aead_op_nonce() writes it
	uint16_t aad_len;   // bytes of AAD, without prefix and padding; at most 0xfeff
	uint16_t len;       // bytes of plaintext
	uint8_t result;     // enum aead_result, written by the engine
	uint8_t pad[11];
};
_Static_assert(sizeof(struct aead_op) == 64, "one cache line a message");

// Puts a nonce of aead_algs[alg].nonce_len bytes into op->b0, in the form of CCM's first block (RFC
// 3610 section 2.2, L = 2); algorithms other than CCM read only the nonce, at b0[1]. The caller has
// set op->len and op->aad_len before.
static inline void aead_op_nonce(struct aead_op *op, enum aead_alg alg, const uint8_t *nonce)
{
	const struct aead_alg_info *info = &aead_algs[alg];

	op->b0[0] = (op->aad_len ? 0x40 : 0) | ((info->tag_len - 2) / 2) << 3 | 1;
	op->b0[13] = 0;
	memcpy(op->b0 + 1, nonce, info->nonce_len);
	op->b0[14] = op->len >> 8;
	op->b0[15] = op->len & 0xff;
}

#endif
