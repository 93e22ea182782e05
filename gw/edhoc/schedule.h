// SPDX-License-Identifier: BSD-3-Clause
// The key schedule of EDHOC (RFC 9528 section 4), its transcript hashes and what is made with its
// keys. All suites that we have use SHA-256.

#ifndef POSTERN_GW_EDHOC_SCHEDULE_H
#define POSTERN_GW_EDHOC_SCHEDULE_H

#include "crypto/aead.h"
#include "crypto/hkdf.h"
#include "gw/edhoc/suite.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EDHOC_HASH_LEN 32
#define EDHOC_TAG_MAX  16

// What a thread has for EDHOC. The owner makes and frees both.
struct edhoc_engine {
	struct aead_engine *aead;
	struct ecc_engine *ecc;
};

// Bytes that lie elsewhere.
struct edhoc_bytes {
	const uint8_t *data; // NULL is allowed if len is 0
	size_t len;
};

// info_label of EDHOC_KDF (section 4.1.2).
enum edhoc_label {
	EDHOC_KEYSTREAM_2 = 0,
	EDHOC_SALT_3E2M = 1,
	EDHOC_MAC_2 = 2,
	EDHOC_K_3 = 3,
	EDHOC_IV_3 = 4,
	EDHOC_SALT_4E3M = 5,
	EDHOC_MAC_3 = 6,
	EDHOC_PRK_OUT = 7,
	EDHOC_K_4 = 8,
	EDHOC_IV_4 = 9,
	EDHOC_PRK_EXPORTER = 10,
};

// The parts one behind the other.
void edhoc_hash(uint8_t hash[EDHOC_HASH_LEN], const struct edhoc_bytes *parts, unsigned n);
// Hashes byte strings as CBOR has them: TH_2 is of G_Y and H(message_1).
void edhoc_th_2(uint8_t th_2[EDHOC_HASH_LEN], const uint8_t g_y[ECC_LEN],
	const uint8_t hash_1[EDHOC_HASH_LEN]);
// TH_3 is of TH_2, PLAINTEXT_2 and CRED_R; TH_4 of TH_3, PLAINTEXT_3 and CRED_I.
void edhoc_th_next(uint8_t next[EDHOC_HASH_LEN], const uint8_t th[EDHOC_HASH_LEN],
	struct edhoc_bytes plaintext, struct edhoc_bytes cred);

#define EDHOC_KDF_PARTS_MAX 6

// EDHOC_KDF, the context being n <= EDHOC_KDF_PARTS_MAX parts; out_len <= HKDF_OUT_MAX.
void edhoc_kdf(const uint8_t prk[EDHOC_HASH_LEN], unsigned label, const struct edhoc_bytes *context,
	unsigned n, uint8_t *out, size_t out_len);
// The same with a transcript hash as context.
void edhoc_kdf_th(const uint8_t prk[EDHOC_HASH_LEN], enum edhoc_label label,
	const uint8_t th[EDHOC_HASH_LEN], uint8_t *out, size_t out_len);
// PRK_3e2m of PRK_2e, or PRK_4e3m of PRK_3e2m, with a static Diffie-Hellman key.
void edhoc_prk_next(uint8_t next[HKDF_PRK_LEN], const uint8_t prk[HKDF_PRK_LEN],
	enum edhoc_label salt_label, const uint8_t th[EDHOC_HASH_LEN],
	const uint8_t shared[ECC_LEN]);

// COSE_Encrypt0 of message_3 and message_4.
struct edhoc_sealing {
	const struct edhoc_suite *suite;
	const uint8_t *prk, *th; // EDHOC_HASH_LEN bytes each
	enum edhoc_label key_label, iv_label;
};

// len bytes of plaintext and the tag to out; false if the library failed.
bool edhoc_seal(struct aead_engine *engine, const struct edhoc_sealing *sealing,
	const uint8_t *plaintext, size_t len, uint8_t *out) __attribute__((warn_unused_result));
// len bytes of ciphertext without the tag, which follows; false if it does not verify.
bool edhoc_open(struct aead_engine *engine, const struct edhoc_sealing *sealing,
	const uint8_t *ciphertext, size_t len, uint8_t *plaintext)
	__attribute__((warn_unused_result));

#endif
