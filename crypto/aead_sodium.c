// SPDX-License-Identifier: BSD-3-Clause
// ChaCha20/Poly1305 (RFC 8439) and AES-256-GCM by libsodium: one message after the other.

#include "crypto/aead_engine.h"

#include <sodium.h>

static unsigned chacha_open(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		struct aead_op *op = &ops[i];
		bool ok = crypto_aead_chacha20poly1305_ietf_decrypt_detached(op->out, NULL, op->in,
				  op->len, op->in + op->len, aead_op_aad(op), op->aad_len,
				  op->b0 + 1, op->key) == 0;

		if (!ok)
			sodium_memzero(op->out, op->len);
		op->result = ok ? AEAD_OK : AEAD_FAILED;
		good += ok;
	}
	return good;
}

static unsigned chacha_seal(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		struct aead_op *op = &ops[i];

		crypto_aead_chacha20poly1305_ietf_encrypt_detached(op->out, op->out + op->len, NULL,
			op->in, op->len, aead_op_aad(op), op->aad_len, NULL, op->b0 + 1, op->key);
		op->result = AEAD_OK;
	}
	return n;
}

// The expanded key is kept here, not inside libsodium's call without "afternm", because that one
// leaves it on the stack.
static unsigned gcm_open(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	crypto_aead_aes256gcm_state state;
	unsigned good = 0;

	for (unsigned i = 0; i < n; i++) {
		struct aead_op *op = &ops[i];
		bool ok;

		crypto_aead_aes256gcm_beforenm(&state, op->key);
		ok = crypto_aead_aes256gcm_decrypt_detached_afternm(op->out, NULL, op->in, op->len,
			     op->in + op->len, aead_op_aad(op), op->aad_len, op->b0 + 1,
			     &state) == 0;
		if (!ok)
			sodium_memzero(op->out, op->len);
		op->result = ok ? AEAD_OK : AEAD_FAILED;
		good += ok;
	}
	sodium_memzero(&state, sizeof(state));
	return good;
}

static unsigned gcm_seal(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	crypto_aead_aes256gcm_state state;

	for (unsigned i = 0; i < n; i++) {
		struct aead_op *op = &ops[i];

		crypto_aead_aes256gcm_beforenm(&state, op->key);
		crypto_aead_aes256gcm_encrypt_detached_afternm(op->out, op->out + op->len, NULL,
			op->in, op->len, aead_op_aad(op), op->aad_len, NULL, op->b0 + 1, &state);
		op->result = AEAD_OK;
	}
	sodium_memzero(&state, sizeof(state));
	return n;
}

const struct aead_impl aead_sodium_chacha20_poly1305 = {
	"libsodium", chacha_open, chacha_seal, NULL};
const struct aead_impl aead_sodium_aes256gcm = {"libsodium", gcm_open, gcm_seal, NULL};
