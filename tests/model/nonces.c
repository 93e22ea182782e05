// SPDX-License-Identifier: BSD-3-Clause

#include "tests/model/nonces.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define NONCES (1 << 20) // more than twice as many as a run of the model uses

static struct {
	uint8_t nonce[16]; // hash of key and nonce
	uint8_t sealed[16];
} nonces[NONCES];

bool nonce_seals(const uint8_t key[AEAD_KEY_MAX], const uint8_t nonce[AEAD_NONCE_MAX],
	const uint8_t sealed[16])
{
	static const uint8_t zero[16];
	uint8_t id[16];
	crypto_generichash_state hash;
	uint32_t at;

	crypto_generichash_init(&hash, NULL, 0, sizeof(id));
	crypto_generichash_update(&hash, key, AEAD_KEY_MAX);
	crypto_generichash_update(&hash, nonce, AEAD_NONCE_MAX);
	crypto_generichash_final(&hash, id, sizeof(id));
	memcpy(&at, id, sizeof(at));
	for (unsigned tries = 0; tries < NONCES; tries++, at++) {
		at %= NONCES;
		if (!memcmp(nonces[at].nonce, zero, 16)) {
			memcpy(nonces[at].nonce, id, 16);
			memcpy(nonces[at].sealed, sealed, 16);
			return true;
		}
		if (!memcmp(nonces[at].nonce, id, 16))
			return !memcmp(nonces[at].sealed, sealed, 16);
	}
	abort();
}
