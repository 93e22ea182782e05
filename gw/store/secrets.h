// SPDX-License-Identifier: BSD-3-Clause
// The keys that are derived from the store's own key. That key is random and sealed under the
// key-encryption key, so the hashes of retired keys stay valid when the key-encryption key changes.

#ifndef POSTERN_GW_STORE_SECRETS_H
#define POSTERN_GW_STORE_SECRETS_H

#include "gw/store/kek.h"
#include "gw/store/store.h"

#include <sodium.h>

struct store_secrets {
	uint8_t seal[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	uint8_t hash[crypto_generichash_KEYBYTES];
	uint8_t fingerprint[crypto_generichash_KEYBYTES];
	uint8_t window[crypto_generichash_KEYBYTES];
	uint8_t machine[crypto_generichash_KEYBYTES];
	uint8_t state[crypto_generichash_KEYBYTES];
	uint8_t shard[STORE_SHARD_KEY_LEN];
};

void store_secrets_derive(struct store_secrets *secrets, const uint8_t key[KEK_LEN]);

#endif
