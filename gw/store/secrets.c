// SPDX-License-Identifier: BSD-3-Clause
// The keys that are derived from the store's own key.

#include "gw/store/secrets.h"

void store_secrets_derive(struct store_secrets *secrets, const uint8_t key[KEK_LEN])
{
	static const char context[crypto_kdf_CONTEXTBYTES] = "pstrndev";

	crypto_kdf_derive_from_key(secrets->seal, sizeof(secrets->seal), 1, context, key);
	crypto_kdf_derive_from_key(secrets->hash, sizeof(secrets->hash), 2, context, key);
	crypto_kdf_derive_from_key(
		secrets->fingerprint, sizeof(secrets->fingerprint), 3, context, key);
	crypto_kdf_derive_from_key(secrets->window, sizeof(secrets->window), 4, context, key);
	crypto_kdf_derive_from_key(secrets->machine, sizeof(secrets->machine), 5, context, key);
	crypto_kdf_derive_from_key(secrets->state, sizeof(secrets->state), 6, context, key);
	crypto_kdf_derive_from_key(secrets->shard, sizeof(secrets->shard), 7, context, key);
}
