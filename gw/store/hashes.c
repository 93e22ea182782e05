// SPDX-License-Identifier: BSD-3-Clause
// Keyed hashes. The store compares derived keys by their hashes, without keeping keys in clear, and
// finds rows that were changed on the disk by tags.

#include "gw/store/hashes.h"

#include "crypto/hkdf.h"
#include "gw/store/row.h"
#include "gw/store/secrets.h"
#include "gw/store/state.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

void store_key_hash(const struct store *store, uint8_t hash[STORE_HASH_LEN], const uint8_t *key,
	enum aead_alg alg)
{
	crypto_generichash(hash, STORE_HASH_LEN, key, aead_algs[alg].key_len, store->secrets->hash,
		sizeof(store->secrets->hash));
}

static void id_update(crypto_generichash_state *state, const uint8_t *id, uint8_t len)
{
	crypto_generichash_update(state, &len, 1);
	crypto_generichash_update(state, id, len);
}

void store_secret_hash(
	const struct store *store, uint8_t hash[STORE_HASH_LEN], const struct osc_params *params)
{
	static const char what[] = "secret";
	uint8_t prk[HKDF_PRK_LEN];
	crypto_generichash_state state;
	unsigned len = params->sender_id_len < params->recipient_id_len ? params->sender_id_len
									: params->recipient_id_len;
	int order = memcmp(params->sender_id, params->recipient_id, len);
	bool swap = order > 0 || (order == 0 && params->sender_id_len > params->recipient_id_len);

	hkdf_sha256_extract(
		prk, params->salt, params->salt_len, params->secret, params->secret_len);
	crypto_generichash_init(
		&state, store->secrets->hash, sizeof(store->secrets->hash), STORE_HASH_LEN);
	crypto_generichash_update(&state, (const uint8_t *)what, sizeof(what));
	crypto_generichash_update(&state, prk, sizeof(prk));
	if (swap)
		id_update(&state, params->recipient_id, params->recipient_id_len);
	id_update(&state, params->sender_id, params->sender_id_len);
	if (!swap)
		id_update(&state, params->recipient_id, params->recipient_id_len);
	crypto_generichash_final(&state, hash, STORE_HASH_LEN);
	sodium_memzero(prk, sizeof(prk));
	sodium_memzero(&state, sizeof(state));
}

uint64_t store_fingerprint(
	const struct store *store, const struct store_row *row, const struct osc_keys *keys)
{
	crypto_generichash_state state;
	uint8_t hash[crypto_generichash_BYTES_MIN];
	uint64_t fingerprint;

	crypto_generichash_init(&state, store->secrets->fingerprint,
		sizeof(store->secrets->fingerprint), sizeof(hash));
	crypto_generichash_update(&state, keys->recipient_key, sizeof(keys->recipient_key));
	crypto_generichash_update(&state, (const uint8_t *)&row->has_id_context, 1);
	crypto_generichash_update(&state, row->id_context, row->id_context_len);
	crypto_generichash_final(&state, hash, sizeof(hash));
	sodium_memzero(&state, sizeof(state));
	memcpy(&fingerprint, hash, sizeof(fingerprint));
	return be64toh(fingerprint);
}

void store_window_tag(const struct store *store, uint8_t tag[STORE_TAG_LEN],
	const uint8_t token[STORE_TOKEN_LEN], const struct store_window *window)
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	struct {
		uint64_t id, next, bits;
		uint8_t token[STORE_TOKEN_LEN];
	} data = {htobe64(window->id), htobe64(window->window.next), htobe64(window->window.bits),
		{0}};

	memcpy(data.token, token, STORE_TOKEN_LEN);
	crypto_generichash(hash, sizeof(hash), (const uint8_t *)&data, sizeof(data),
		store->secrets->window, sizeof(store->secrets->window));
	memcpy(tag, hash, STORE_TAG_LEN);
}

static void state_tag(sqlite3_context *context, int count, sqlite3_value **values)
{
	const struct store_secrets *secrets = sqlite3_user_data(context);
	uint8_t hash[crypto_generichash_BYTES_MIN];
	crypto_generichash_state state;

	crypto_generichash_init(&state, secrets->state, sizeof(secrets->state), sizeof(hash));
	for (int i = 0; i < count; i++) {
		// As bytes; their number and type keep two lists from being one.
		int type = sqlite3_value_type(values[i]);
		const void *data = sqlite3_value_blob(values[i]);
		uint64_t head[] = {htobe64(type), htobe64(sqlite3_value_bytes(values[i]))};

		crypto_generichash_update(&state, (const uint8_t *)head, sizeof(head));
		if (data != NULL)
			crypto_generichash_update(&state, data, sqlite3_value_bytes(values[i]));
	}
	crypto_generichash_final(&state, hash, sizeof(hash));
	sqlite3_result_blob(context, hash, STORE_TAG_LEN, SQLITE_TRANSIENT);
}

int store_functions(struct store *store, sqlite3 *db)
{
	return sqlite3_create_function(db, "state_tag", -1,
		       SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, store->secrets,
		       state_tag, NULL, NULL) == SQLITE_OK
		? 0
		: -ENOMEM;
}
