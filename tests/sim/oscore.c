// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/oscore.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// --- keys (sections 3.2.1 and 5.2) ------------------------------------------------------------

static void hmac(
	uint8_t out[32], const uint8_t *key, size_t key_len, const uint8_t *data, size_t len)
{
	crypto_auth_hmacsha256_state state;

	crypto_auth_hmacsha256_init(&state, key, key_len);
	crypto_auth_hmacsha256_update(&state, data, len);
	crypto_auth_hmacsha256_final(&state, out);
}

static uint8_t *put_bytes(uint8_t *to, const uint8_t *bytes, size_t len)
{
	*to++ = 0x40 | len;
	memcpy(to, bytes, len);
	return to + len;
}

static void derive(const struct client *client, const uint8_t prk[32], const uint8_t *id,
	size_t id_len, const char *what, uint8_t *out, size_t len)
{
	uint8_t info[64] = {0x85}, block[32];
	uint8_t *to = put_bytes(info + 1, id, id_len);

	if (client->has_context)
		to = put_bytes(to, client->context, client->context_len);
	else
		*to++ = 0xf6;
	*to++ = 10;
	*to++ = 0x60 | strlen(what);
	to = mempcpy(to, what, strlen(what));
	*to++ = len;
	*to++ = 1; // of HKDF: the first block
	hmac(block, prk, 32, info, to - info);
	memcpy(out, block, len);
}

void client_derive(struct client *client)
{
	static const uint8_t no_salt[32];
	uint8_t prk[32];

	hmac(prk, no_salt, 0, client->secret, sizeof(client->secret));
	derive(client, prk, client->kid, client->kid_len, "Key", client->sender_key, 16);
	derive(client, prk, client->gateway, client->gateway_len, "Key", client->recipient_key, 16);
	derive(client, prk, (const uint8_t *)"", 0, "IV", client->common_iv, CLIENT_NONCE);
}

static void nonce_make(const struct client *client, const uint8_t *id, size_t id_len, uint64_t piv,
	uint8_t nonce[CLIENT_NONCE])
{
	uint8_t plain[CLIENT_NONCE] = {id_len};

	memcpy(plain + 8 - id_len, id, id_len);
	for (unsigned i = 0; i < 5; i++)
		plain[8 + i] = piv >> 8 * (4 - i);
	for (unsigned i = 0; i < CLIENT_NONCE; i++)
		nonce[i] = plain[i] ^ client->common_iv[i];
}

static size_t piv_put(uint8_t *to, uint64_t piv)
{
	size_t len = 1;

	while (len < 5 && piv >> 8 * len)
		len++;
	for (size_t i = 0; i < len; i++)
		to[i] = piv >> 8 * (len - 1 - i);
	return len;
}

// --- AES-CCM (section 5.4 has the additional data) --------------------------------------------

static size_t aad_make(const struct client *client, uint64_t request_piv, uint8_t *aad)
{
	static const uint8_t head[] = {0x83, 0x68, 'E', 'n', 'c', 'r', 'y', 'p', 't', '0', 0x40};
	uint8_t external[64] = {0x85, 1, 0x81, 10}, piv[5];
	uint8_t *to = put_bytes(external + 4, client->kid, client->kid_len);

	to = put_bytes(to, piv, piv_put(piv, request_piv));
	*to++ = 0x40;
	memcpy(aad, head, sizeof(head));
	return put_bytes(aad + sizeof(head), external, to - external) - aad;
}

static EVP_CIPHER_CTX *cipher(bool seal)
{
	static EVP_CIPHER_CTX *context[2];

	if (!context[seal]) {
		context[seal] = EVP_CIPHER_CTX_new();
		if (!context[seal] ||
			EVP_CipherInit_ex(
				context[seal], EVP_aes_128_ccm(), NULL, NULL, NULL, seal) != 1 ||
			EVP_CIPHER_CTX_ctrl(
				context[seal], EVP_CTRL_AEAD_SET_IVLEN, CLIENT_NONCE, NULL) != 1)
			abort();
	}
	return context[seal];
}

struct ccm {
	const uint8_t *key, *nonce;
	uint8_t aad[96];
	size_t aad_len;
};

static bool ccm(bool seal, const struct ccm *with, const uint8_t *in, size_t len, uint8_t *out,
	uint8_t tag[CLIENT_TAG])
{
	EVP_CIPHER_CTX *context = cipher(seal);
	int n;

	if (EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, CLIENT_TAG, seal ? NULL : tag) !=
			1 ||
		EVP_CipherInit_ex(context, NULL, NULL, with->key, with->nonce, seal) != 1 ||
		EVP_CipherUpdate(context, NULL, &n, NULL, (int)len) != 1 ||
		EVP_CipherUpdate(context, NULL, &n, with->aad, (int)with->aad_len) != 1)
		abort();
	if (EVP_CipherUpdate(context, out, &n, in, (int)len) != 1)
		return false;
	return !seal || EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CLIENT_TAG, tag) == 1;
}

// --- messages ---------------------------------------------------------------------------------

size_t client_seal(const struct client *client, uint64_t piv, bool says_context,
	const uint8_t *plain, size_t len, uint8_t *option, size_t *option_len, uint8_t *payload)
{
	uint8_t nonce[CLIENT_NONCE];
	struct ccm with = {.key = client->sender_key, .nonce = nonce};
	uint8_t *to = option + 1;
	size_t piv_len = piv_put(to, piv);

	says_context &= client->has_context;
	option[0] = piv_len | 0x08 | (says_context ? 0x10 : 0);
	to += piv_len;
	if (says_context) {
		*to++ = client->context_len;
		to = mempcpy(to, client->context, client->context_len);
	}
	to = mempcpy(to, client->kid, client->kid_len);
	*option_len = to - option;
	nonce_make(client, client->kid, client->kid_len, piv, nonce);
	with.aad_len = aad_make(client, piv, with.aad);
	if (!ccm(true, &with, plain, len, payload, payload + len))
		abort();
	return len + CLIENT_TAG;
}

bool client_open(const struct client *client, uint64_t request_piv, const uint8_t *option,
	size_t option_len, const uint8_t *payload, size_t len, struct client_opened *opened)
{
	uint8_t flags = option_len ? option[0] : 0;
	struct ccm with = {.key = client->recipient_key, .nonce = opened->nonce};
	size_t piv_len = flags & 7;

	opened->has_piv = piv_len != 0;
	opened->piv = 0;
	if (piv_len > 5 || flags & 0xf0 || option_len < (option_len ? 1 : 0) + piv_len ||
		len <= CLIENT_TAG || len > CLIENT_ROOM + CLIENT_TAG)
		return false;
	for (size_t i = 0; i < piv_len; i++)
		opened->piv = opened->piv << 8 | option[1 + i];
	if (piv_len) {
		// Its kid is that of the gateway: there are clients which take it from there.
		if (!(flags & 8) || option_len - 1 - piv_len != client->gateway_len ||
			memcmp(option + 1 + piv_len, client->gateway, client->gateway_len))
			return false;
		nonce_make(
			client, client->gateway, client->gateway_len, opened->piv, opened->nonce);
	} else {
		nonce_make(client, client->kid, client->kid_len, request_piv, opened->nonce);
	}
	uint8_t tag[CLIENT_TAG];

	with.aad_len = aad_make(client, request_piv, with.aad);
	opened->len = len - CLIENT_TAG;
	memcpy(tag, payload + opened->len, CLIENT_TAG);
	return ccm(false, &with, payload, opened->len, opened->plain, tag);
}
