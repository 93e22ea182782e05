// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM and AES-GCM by OpenSSL: one message after the other. Ciphers are fetched and contexts
// prepared when the engine is made, one context for each algorithm and direction, so that a
// message costs no fetch and no allocation.
//
// A context holds the expanded key of its last message until its next message, or until the engine
// is freed; OpenSSL wipes it then.

#include "crypto/aead_engine.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>

struct aead_openssl {
	EVP_CIPHER_CTX *open[AEAD_ALG_COUNT];
	EVP_CIPHER_CTX *seal[AEAD_ALG_COUNT];
};

// What OpenSSL calls the ciphers of the algorithms that it serves.
static const struct {
	const char *name; // NULL: OpenSSL does not serve it
	bool is_ccm;      // else it is GCM; OpenSSL wants other calls for each
} ciphers[AEAD_ALG_COUNT] = {
	[AEAD_AES_CCM_16_64_128] = {"AES-128-CCM", true},
	[AEAD_AES_CCM_16_128_128] = {"AES-128-CCM", true},
	[AEAD_AES_128_GCM] = {"AES-128-GCM", false},
	[AEAD_AES_256_GCM] = {"AES-256-GCM", false},
};

static EVP_CIPHER_CTX *ctx_create(const EVP_CIPHER *cipher, enum aead_alg alg, bool sealing)
{
	const struct aead_alg_info *info = &aead_algs[alg];
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

	if (!ctx)
		return NULL;
	if (EVP_CipherInit_ex2(ctx, cipher, NULL, NULL, sealing, NULL) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_IVLEN, info->nonce_len, NULL) != 1)
		goto err;
	// CCM writes the tag's length into its first block, so it must know it beforehand.
	if (ciphers[alg].is_ccm &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, info->tag_len, NULL) != 1)
		goto err;
	return ctx;
err:
	EVP_CIPHER_CTX_free(ctx);
	return NULL;
}

struct aead_openssl *aead_openssl_create(void)
{
	struct aead_openssl *openssl = calloc(1, sizeof(*openssl));

	if (!openssl)
		return NULL;
	for (unsigned alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		EVP_CIPHER *cipher;

		if (!ciphers[alg].name)
			continue;
		cipher = EVP_CIPHER_fetch(NULL, ciphers[alg].name, NULL);
		if (cipher) {
			openssl->open[alg] = ctx_create(cipher, alg, false);
			openssl->seal[alg] = ctx_create(cipher, alg, true);
			EVP_CIPHER_free(cipher); // the contexts hold references
		}
		if (!openssl->open[alg] || !openssl->seal[alg]) {
			aead_openssl_free(openssl);
			errno = cipher ? ENOMEM : ENOTSUP;
			return NULL;
		}
	}
	return openssl;
}

void aead_openssl_free(struct aead_openssl *openssl)
{
	if (!openssl)
		return;
	for (unsigned alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		EVP_CIPHER_CTX_free(openssl->open[alg]);
		EVP_CIPHER_CTX_free(openssl->seal[alg]);
	}
	free(openssl);
}

static bool ccm_open(EVP_CIPHER_CTX *ctx, const struct aead_op *op, unsigned tag_len)
{
	int n;

	return EVP_CIPHER_CTX_ctrl(
		       ctx, EVP_CTRL_AEAD_SET_TAG, tag_len, (void *)(op->in + op->len)) == 1 &&
		EVP_DecryptInit_ex2(ctx, NULL, op->key, op->b0 + 1, NULL) == 1 &&
		EVP_DecryptUpdate(ctx, NULL, &n, NULL, op->len) == 1 &&
		(!op->aad_len ||
			EVP_DecryptUpdate(ctx, NULL, &n, aead_op_aad(op), op->aad_len) == 1) &&
		EVP_DecryptUpdate(ctx, op->out, &n, op->in, op->len) == 1;
}

static bool ccm_seal(EVP_CIPHER_CTX *ctx, const struct aead_op *op, unsigned tag_len)
{
	int n;

	return EVP_EncryptInit_ex2(ctx, NULL, op->key, op->b0 + 1, NULL) == 1 &&
		EVP_EncryptUpdate(ctx, NULL, &n, NULL, op->len) == 1 &&
		(!op->aad_len ||
			EVP_EncryptUpdate(ctx, NULL, &n, aead_op_aad(op), op->aad_len) == 1) &&
		EVP_EncryptUpdate(ctx, op->out, &n, op->in, op->len) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, tag_len, op->out + op->len) == 1;
}

static bool gcm_open(EVP_CIPHER_CTX *ctx, const struct aead_op *op, unsigned tag_len)
{
	uint8_t tag[AEAD_TAG_MAX]; // where the block of EVP_DecryptFinal would go: GCM has none
	int n;

	return EVP_DecryptInit_ex2(ctx, NULL, op->key, op->b0 + 1, NULL) == 1 &&
		(!op->aad_len ||
			EVP_DecryptUpdate(ctx, NULL, &n, aead_op_aad(op), op->aad_len) == 1) &&
		(!op->len || EVP_DecryptUpdate(ctx, op->out, &n, op->in, op->len) == 1) &&
		EVP_CIPHER_CTX_ctrl(
			ctx, EVP_CTRL_AEAD_SET_TAG, tag_len, (void *)(op->in + op->len)) == 1 &&
		EVP_DecryptFinal_ex(ctx, tag, &n) == 1;
}

static bool gcm_seal(EVP_CIPHER_CTX *ctx, const struct aead_op *op, unsigned tag_len)
{
	int n;

	return EVP_EncryptInit_ex2(ctx, NULL, op->key, op->b0 + 1, NULL) == 1 &&
		(!op->aad_len ||
			EVP_EncryptUpdate(ctx, NULL, &n, aead_op_aad(op), op->aad_len) == 1) &&
		(!op->len || EVP_EncryptUpdate(ctx, op->out, &n, op->in, op->len) == 1) &&
		EVP_EncryptFinal_ex(ctx, op->out + op->len, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, tag_len, op->out + op->len) == 1;
}

static unsigned openssl_open(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	EVP_CIPHER_CTX *ctx = engine->openssl->open[alg];
	bool (*open)(EVP_CIPHER_CTX *, const struct aead_op *, unsigned) =
		ciphers[alg].is_ccm ? ccm_open : gcm_open;
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		bool ok = open(ctx, &ops[i], aead_algs[alg].tag_len);

		if (!ok)
			sodium_memzero(ops[i].out, ops[i].len);
		ops[i].result = ok ? AEAD_OK : AEAD_FAILED;
		good += ok;
	}
	return good;
}

static unsigned openssl_seal(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	const unsigned tag_len = aead_algs[alg].tag_len;
	EVP_CIPHER_CTX *ctx = engine->openssl->seal[alg];
	bool (*seal)(EVP_CIPHER_CTX *, const struct aead_op *, unsigned) =
		ciphers[alg].is_ccm ? ccm_seal : gcm_seal;
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		bool ok = seal(ctx, &ops[i], tag_len);

		if (!ok)
			sodium_memzero(ops[i].out, ops[i].len + tag_len);
		ops[i].result = ok ? AEAD_OK : AEAD_FAILED;
		good += ok;
	}
	return good;
}

const struct aead_impl aead_openssl_impl = {"openssl", openssl_open, openssl_seal, NULL};
