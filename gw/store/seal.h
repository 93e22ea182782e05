// SPDX-License-Identifier: BSD-3-Clause
// Seals the secrets of a device with XChaCha20-Poly1305, bound to the row that they belong to.

#ifndef POSTERN_GW_STORE_SEAL_H
#define POSTERN_GW_STORE_SEAL_H

#include "dataplane/oscore/context.h"

#include <sodium.h>
#include <stddef.h>
#include <stdint.h>

#define SEAL_OVERHEAD \
	(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define SEAL_SECRET_MAX (SEAL_OVERHEAD + 2 + 2 * OSC_SECRET_LEN_MAX)
#define SEAL_KEYS_MAX   (SEAL_OVERHEAD + 2 * AEAD_KEY_MAX + AEAD_NONCE_MAX)

struct store;
struct store_row;

// Seals len bytes into len + SEAL_OVERHEAD: nonce, ciphertext, tag.
void seal(uint8_t *sealed, const uint8_t *data, size_t len, const uint8_t *aad, size_t aad_len,
	const uint8_t *key);
// Opens sealed_len bytes into sealed_len - SEAL_OVERHEAD. -EBADMSG.
int seal_open(uint8_t *data, const uint8_t *sealed, size_t sealed_len, const uint8_t *aad,
	size_t aad_len, const uint8_t *key) __attribute__((warn_unused_result));
// Seals derived keys into row->keys. All other fields that they are bound to are set before.
void seal_keys(const struct store *store, struct store_row *row, const struct osc_keys *keys);
// Opens the keys of a row. -EBADMSG if the keys, or what they are bound to, were changed on the
// disk.
int seal_open_keys(const struct store *store, const struct store_row *row, struct osc_keys *keys)
	__attribute__((warn_unused_result));
// The same for Master Secret and Master Salt, in row->secret.
void seal_secret(const struct store *store, struct store_row *row, const struct osc_params *params);
int seal_open_secret(const struct store *store, const struct store_row *row,
	struct osc_params *params) __attribute__((warn_unused_result));
// The same by the key that secrets are sealed under.
int seal_open_secret_by(const uint8_t *key, const struct store_row *row, struct osc_params *params)
	__attribute__((warn_unused_result));

#endif
