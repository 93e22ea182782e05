// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/oscore.h"

#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define DERIVED 4096 // clients whose keys are remembered

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
	*to++ = len < 24 ? 0x40 | len : 0x58;
	if (len >= 24)
		*to++ = len;
	memcpy(to, bytes, len);
	return to + len;
}

static void derive(const struct client *client, const uint8_t prk[32], const uint8_t *id,
	size_t id_len, const char *what, uint8_t *out, size_t len)
{
	uint8_t info[64 + CLIENT_ID2] = {0x85}, block[32];
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

void client_extend(const struct client *client, const uint8_t r2[CLIENT_R2], const uint8_t *context,
	size_t len, struct client *extended)
{
	if (CLIENT_R2 + len > CLIENT_ID2)
		abort();
	*extended = *client;
	extended->has_context = true;
	extended->context_len = CLIENT_R2 + len;
	memcpy(extended->context, r2, CLIENT_R2);
	memcpy(extended->context + CLIENT_R2, context, len);
	client_derive(extended);
}

static void client_derive_anew(struct client *client)
{
	static const uint8_t no_salt[32];
	uint8_t prk[32];

	hmac(prk, no_salt, 0, client->secret, sizeof(client->secret));
	derive(client, prk, client->kid, client->kid_len, "Key", client->sender_key, 16);
	derive(client, prk, client->gateway, client->gateway_len, "Key", client->recipient_key, 16);
	derive(client, prk, (const uint8_t *)"", 0, "IV", client->common_iv, CLIENT_NONCE);
}

// Schedules begin with the same keys.
void client_derive(struct client *client)
{
	static struct client derived[DERIVED];
	const size_t from_len = offsetof(struct client, device);
	uint32_t hash = 0;

	for (unsigned i = 0; i < sizeof(client->secret); i++)
		hash = (hash ^ client->secret[i]) * UINT32_C(0x9e3779b1);
	for (unsigned i = 0; i < client->context_len; i++)
		hash = (hash ^ client->context[i]) * UINT32_C(0x9e3779b1);
	struct client *before = &derived[hash >> 20];

	if (!before->kid_len || memcmp(before, client, from_len)) {
		*before = *client;
		client_derive_anew(before);
	}
	memcpy(client->sender_key, before->sender_key, sizeof(client->sender_key));
	memcpy(client->recipient_key, before->recipient_key, sizeof(client->recipient_key));
	memcpy(client->common_iv, before->common_iv, sizeof(client->common_iv));
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

size_t client_seal(const struct client *client, uint64_t piv, enum client_says says,
	const uint8_t *plain, size_t len, uint8_t *option, size_t *option_len, uint8_t *payload)
{
	uint8_t nonce[CLIENT_NONCE];
	struct ccm with = {.key = client->sender_key, .nonce = nonce};
	uint8_t *to = option + 1;
	size_t piv_len = piv_put(to, piv);

	if (!client->has_context)
		says = CLIENT_SAYS_NOTHING;
	option[0] = piv_len | 0x08 | (says ? 0x10 : 0);
	to += piv_len;
	if (says) {
		uint8_t *size = to++;

		to = says == CLIENT_SAYS_BYTES ? put_bytes(to, client->context, client->context_len)
					       : mempcpy(to, client->context, client->context_len);
		*size = to - size - 1;
	}
	to = mempcpy(to, client->kid, client->kid_len);
	*option_len = to - option;
	nonce_make(client, client->kid, client->kid_len, piv, nonce);
	with.aad_len = aad_make(client, piv, with.aad);
	if (!ccm(true, &with, plain, len, payload, payload + len))
		abort();
	return len + CLIENT_TAG;
}

// What an option of an answer says. false: none that a gateway sends.
struct option {
	size_t piv_len, context_len, kid_len;
	const uint8_t *piv, *context, *kid; // context: NULL: none
};

static bool option_read(struct option *said, const uint8_t *option, size_t len)
{
	const uint8_t *end = option + len;

	*said = (struct option){0};
	if (!len)
		return true;
	said->piv_len = option[0] & 7;
	said->piv = option + 1;
	if (said->piv_len > 5 || option[0] & 0xe0 || len < 1 + said->piv_len)
		return false;
	said->kid = said->piv + said->piv_len;
	if (option[0] & 0x10) {
		if (said->kid == end || said->kid + 1 + said->kid[0] > end)
			return false;
		said->context_len = said->kid[0];
		said->context = said->kid + 1;
		said->kid = said->context + said->context_len;
	}
	said->kid_len = end - said->kid;
	return option[0] & 8 || !said->kid_len;
}

const uint8_t *client_r2(const uint8_t *option, size_t option_len)
{
	struct option said;

	if (!option_read(&said, option, option_len) || !said.context ||
		said.context_len != 1 + CLIENT_R2 || said.context[0] != (0x40 | CLIENT_R2))
		return NULL;
	return said.context + 1;
}

bool client_open(const struct client *client, uint64_t request_piv, const uint8_t *option,
	size_t option_len, const uint8_t *payload, size_t len, struct client_opened *opened)
{
	struct ccm with = {.key = client->recipient_key, .nonce = opened->nonce};
	struct option said;

	if (!option_read(&said, option, option_len) || len <= CLIENT_TAG ||
		len > CLIENT_ROOM + CLIENT_TAG)
		return false;
	opened->has_piv = said.piv_len != 0;
	opened->piv = 0;
	for (size_t i = 0; i < said.piv_len; i++)
		opened->piv = opened->piv << 8 | said.piv[i];
	if (opened->has_piv) {
		// Its kid is that of the gateway: there are clients which take it from there.
		if (said.kid_len != client->gateway_len ||
			memcmp(said.kid, client->gateway, client->gateway_len))
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
