// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/schedule.h"

#include "crypto/sha256.h"
#include "gw/edhoc/cbor.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(EDHOC_HASH_LEN == SHA256_LEN && EDHOC_HASH_LEN == HKDF_PRK_LEN, "SHA-256");
_Static_assert(EDHOC_TAG_MAX == AEAD_TAG_MAX, "the longest tag");

#define HASH_HEAD "\x58\x20" // of a byte string of EDHOC_HASH_LEN bytes

void edhoc_hash(uint8_t hash[EDHOC_HASH_LEN], const struct edhoc_bytes *parts, unsigned n)
{
	struct sha256 sha;

	sha256_init(&sha);
	for (unsigned i = 0; i < n; i++)
		sha256_update(&sha, parts[i].data, parts[i].len);
	sha256_final(&sha, hash);
}

void edhoc_th_2(uint8_t th_2[EDHOC_HASH_LEN], const uint8_t g_y[ECC_LEN],
	const uint8_t hash_1[EDHOC_HASH_LEN])
{
	edhoc_hash(th_2,
		(const struct edhoc_bytes[]){{(const uint8_t *)HASH_HEAD, 2}, {g_y, ECC_LEN},
			{(const uint8_t *)HASH_HEAD, 2}, {hash_1, EDHOC_HASH_LEN}},
		4);
}

void edhoc_th_next(uint8_t next[EDHOC_HASH_LEN], const uint8_t th[EDHOC_HASH_LEN],
	struct edhoc_bytes plaintext, struct edhoc_bytes cred)
{
	edhoc_hash(next,
		(const struct edhoc_bytes[]){
			{(const uint8_t *)HASH_HEAD, 2}, {th, EDHOC_HASH_LEN}, plaintext, cred},
		4);
}

void edhoc_kdf(const uint8_t prk[EDHOC_HASH_LEN], unsigned label, const struct edhoc_bytes *context,
	unsigned n, uint8_t *out, size_t out_len)
{
	uint8_t before[16], behind[9];
	struct edhoc_writer writer = edhoc_writer(before, sizeof(before));
	struct hkdf_part info[2 + EDHOC_KDF_PARTS_MAX];
	size_t context_len = 0;

	assert(n <= EDHOC_KDF_PARTS_MAX);
	for (unsigned i = 0; i < n; i++) {
		info[1 + i] = (struct hkdf_part){context[i].data, context[i].len};
		context_len += context[i].len;
	}
	// info = (label, context as byte string, length).
	edhoc_write_int(&writer, label);
	edhoc_write_head(&writer, EDHOC_CBOR_BYTES, context_len);
	info[0] = (struct hkdf_part){before, edhoc_writer_len(&writer)};
	assert(!writer.failed);
	writer = edhoc_writer(behind, sizeof(behind));
	edhoc_write_int(&writer, (int64_t)out_len);
	info[1 + n] = (struct hkdf_part){behind, edhoc_writer_len(&writer)};

	const int err = hkdf_sha256_expand(out, out_len, prk, info, 2 + n);

	assert(!err);
	(void)err;
}

void edhoc_kdf_th(const uint8_t prk[EDHOC_HASH_LEN], enum edhoc_label label,
	const uint8_t th[EDHOC_HASH_LEN], uint8_t *out, size_t out_len)
{
	edhoc_kdf(prk, label, &(const struct edhoc_bytes){th, EDHOC_HASH_LEN}, 1, out, out_len);
}

void edhoc_prk_next(uint8_t next[HKDF_PRK_LEN], const uint8_t prk[HKDF_PRK_LEN],
	enum edhoc_label salt_label, const uint8_t th[EDHOC_HASH_LEN],
	const uint8_t shared[ECC_LEN])
{
	uint8_t salt[EDHOC_HASH_LEN];

	edhoc_kdf_th(prk, salt_label, th, salt, sizeof(salt));
	hkdf_sha256_extract(next, salt, sizeof(salt), shared, ECC_LEN);
	sodium_memzero(salt, sizeof(salt));
}

// The key with the nonce, and the op for both. The AAD is [ "Encrypt0", h'', TH ].
struct sealing_op {
	uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE_MAX];
	uint8_t aad[48];
	struct aead_op op;
};

static void op_prepare(struct sealing_op *made, const struct edhoc_sealing *sealing,
	const uint8_t *in, size_t len, uint8_t *out)
{
	static const uint8_t head[] = {0, 45, 0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0',
		0x40, 0x58, EDHOC_HASH_LEN};
	const enum aead_alg alg = sealing->suite->aead;

	memset(made, 0, sizeof(*made));
	memcpy(made->aad, head, sizeof(head));
	memcpy(made->aad + sizeof(head), sealing->th, EDHOC_HASH_LEN);
	edhoc_kdf_th(
		sealing->prk, sealing->key_label, sealing->th, made->key, aead_algs[alg].key_len);
	edhoc_kdf_th(sealing->prk, sealing->iv_label, sealing->th, made->nonce,
		aead_algs[alg].nonce_len);
	made->op = (struct aead_op){
		.key = made->key,
		.aad = made->aad,
		.in = in,
		.out = out,
		.aad_len = sizeof(head) - 2 + EDHOC_HASH_LEN,
		.len = (uint16_t)len,
	};
	aead_op_nonce(&made->op, alg, made->nonce);
}

bool edhoc_seal(struct aead_engine *engine, const struct edhoc_sealing *sealing,
	const uint8_t *plaintext, size_t len, uint8_t *out)
{
	struct sealing_op made;

	assert(len <= UINT16_MAX - EDHOC_TAG_MAX);
	op_prepare(&made, sealing, plaintext, len, out);
	const bool sealed = aead_seal_batch(engine, sealing->suite->aead, &made.op, 1) == 1;

	sodium_memzero(&made, sizeof(made));
	return sealed;
}

bool edhoc_open(struct aead_engine *engine, const struct edhoc_sealing *sealing,
	const uint8_t *ciphertext, size_t len, uint8_t *plaintext)
{
	struct sealing_op made;

	assert(len <= UINT16_MAX - EDHOC_TAG_MAX);
	op_prepare(&made, sealing, ciphertext, len, plaintext);
	const bool opened = aead_open_batch(engine, sealing->suite->aead, &made.op, 1) == 1;

	sodium_memzero(&made, sizeof(made));
	return opened;
}
