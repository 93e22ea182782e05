// SPDX-License-Identifier: BSD-3-Clause
// Seals the secrets of a device with XChaCha20-Poly1305, bound to the row that they belong to.

#include "gw/store/seal.h"

#include "gw/store/row.h"
#include "gw/store/secrets.h"
#include "gw/store/state.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#define NONCE_LEN crypto_aead_xchacha20poly1305_ietf_NPUBBYTES

void seal(uint8_t *sealed, const uint8_t *data, size_t len, const uint8_t *aad, size_t aad_len,
	const uint8_t *key)
{
	randombytes_buf(sealed, NONCE_LEN);
	crypto_aead_xchacha20poly1305_ietf_encrypt(
		sealed + NONCE_LEN, NULL, data, len, aad, aad_len, NULL, sealed, key);
}

int seal_open(uint8_t *data, const uint8_t *sealed, size_t sealed_len, const uint8_t *aad,
	size_t aad_len, const uint8_t *key)
{
	if (sealed_len < SEAL_OVERHEAD)
		return -EBADMSG;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(data, NULL, NULL, sealed + NONCE_LEN,
		    sealed_len - NONCE_LEN, aad, aad_len, sealed, key) != 0)
		return -EBADMSG;
	return 0;
}

enum blob { BLOB_KEYS = 'k', BLOB_SECRET = 's' };

// What a blob may be bound to. A row whose device is as all were in version 1 of the schema has the
// first form, so that their blobs stay as they are. Devices that derive contexts have the third
// one, those with a credential the last one.
enum blob_form {
	BLOB_PLAIN = 1,
	BLOB_WITH_POLICY = 2,
	BLOB_WITH_REDERIVE = 3,
	BLOB_WITH_CREDENTIAL = 4,
};

#define AAD_MAX                                                                                 \
	(1 + 1 + 8 + 4 + 4 + 3 + 2 * OSC_KID_LEN_MAX + OSC_ID_CONTEXT_LEN_MAX + 1 + 1 + 1 + 8 + \
		1 + 4 + STORE_HASH_LEN + DEVICE_DIGEST_LEN + DEVICE_NAME_MAX + 1)

static enum blob_form blob_form(const struct store_row *row, enum blob blob)
{
	if (row->credential_len > 0)
		return BLOB_WITH_CREDENTIAL;
	if (row->rederive != DEVICE_REDERIVE_NONE)
		return BLOB_WITH_REDERIVE;
	return blob == BLOB_KEYS &&
			(row->recovery != DEVICE_ECHO || row->own_piv != DEVICE_OWN_PIV_AUTO ||
				row->mark != 0 || row->resync)
		? BLOB_WITH_POLICY
		: BLOB_PLAIN;
}

// What a blob is bound to: its kind and format, the row's id (a new one whenever the keys change,
// so it also stands for their version), all that the keys depend on, and for the keys the run_base,
// how the device recovers, its mark, and the contexts that it derived: one that was set back in the
// file leaves a device that does not load.
static size_t blob_aad(uint8_t aad[AAD_MAX], const struct store_row *row, enum blob blob)
{
	uint64_t id = htobe64(row->id);
	uint32_t alg = htobe32(aead_algs[row->alg].cose);
	uint32_t run_base = htobe32(blob == BLOB_KEYS ? row->run_base : 0);
	enum blob_form form = blob_form(row, blob);
	uint8_t *to = aad;

	assert(row->device_id_len <= OSC_KID_LEN_MAX && row->gateway_id_len <= OSC_KID_LEN_MAX);
	*to++ = blob;
	*to++ = form;
	to = mempcpy(to, &id, sizeof(id));
	to = mempcpy(to, &alg, sizeof(alg));
	to = mempcpy(to, &run_base, sizeof(run_base));
	*to++ = row->device_id_len;
	to = mempcpy(to, row->device_id, row->device_id_len);
	*to++ = row->gateway_id_len;
	to = mempcpy(to, row->gateway_id, row->gateway_id_len);
	// The secret of a device that derives contexts stays as it is when its ID Context changes.
	if (blob == BLOB_SECRET && form == BLOB_WITH_REDERIVE)
		return to - aad;
	*to++ = row->has_id_context;
	to = mempcpy(to, row->id_context, row->id_context_len);
	if (form != BLOB_PLAIN) {
		uint64_t mark = htobe64(row->mark);

		*to++ = row->recovery;
		*to++ = row->own_piv;
		*to++ = row->resync;
		to = mempcpy(to, &mark, sizeof(mark));
	}
	// Whose name is changed in the file is another device.
	if (form == BLOB_WITH_CREDENTIAL && blob == BLOB_KEYS) {
		to = mempcpy(to, row->digest, DEVICE_DIGEST_LEN);
		to = mempcpy(to, row->name, strlen(row->name) + 1);
	}
	if (form == BLOB_WITH_REDERIVE) {
		uint32_t rederived = htobe32(row->rederived);

		*to++ = row->rederive;
		to = mempcpy(to, &rederived, sizeof(rederived));
		to = mempcpy(to, row->secret_hash, STORE_HASH_LEN);
	}
	return to - aad;
}

void seal_keys(const struct store *store, struct store_row *row, const struct osc_keys *keys)
{
	const struct aead_alg_info *alg = &aead_algs[row->alg];
	uint8_t plain[SEAL_KEYS_MAX - SEAL_OVERHEAD], aad[AAD_MAX];

	uint8_t *to = mempcpy(plain, keys->sender_key, alg->key_len);
	to = mempcpy(to, keys->recipient_key, alg->key_len);
	to = mempcpy(to, keys->common_iv, alg->nonce_len);
	size_t len = to - plain;
	seal(row->keys, plain, len, aad, blob_aad(aad, row, BLOB_KEYS), store->secrets->seal);
	row->keys_len = len + SEAL_OVERHEAD;
	sodium_memzero(plain, sizeof(plain));
}

int seal_open_keys(const struct store *store, const struct store_row *row, struct osc_keys *keys)
{
	const struct aead_alg_info *alg = &aead_algs[row->alg];
	uint8_t plain[SEAL_KEYS_MAX - SEAL_OVERHEAD], aad[AAD_MAX];

	if (row->keys_len != SEAL_OVERHEAD + 2 * alg->key_len + alg->nonce_len)
		return -EBADMSG;
	int code = seal_open(plain, row->keys, row->keys_len, aad, blob_aad(aad, row, BLOB_KEYS),
		store->secrets->seal);
	if (code == 0) {
		memset(keys, 0, sizeof(*keys));
		memcpy(keys->sender_key, plain, alg->key_len);
		memcpy(keys->recipient_key, plain + alg->key_len, alg->key_len);
		memcpy(keys->common_iv, plain + 2 * alg->key_len, alg->nonce_len);
	}
	sodium_memzero(plain, sizeof(plain));
	return code;
}

// Plaintext: length of the Master Secret, Master Secret, length of the Master Salt, Master Salt.
void seal_secret(const struct store *store, struct store_row *row, const struct osc_params *params)
{
	uint8_t plain[SEAL_SECRET_MAX - SEAL_OVERHEAD], aad[AAD_MAX];
	uint8_t *to = plain;

	assert(params->secret_len <= OSC_SECRET_LEN_MAX && params->salt_len <= OSC_SECRET_LEN_MAX);
	*to++ = params->secret_len;
	to = mempcpy(to, params->secret, params->secret_len);
	*to++ = params->salt_len;
	to = mempcpy(to, params->salt, params->salt_len);
	size_t len = to - plain;
	seal(row->secret, plain, len, aad, blob_aad(aad, row, BLOB_SECRET), store->secrets->seal);
	row->secret_len = len + SEAL_OVERHEAD;
	sodium_memzero(plain, sizeof(plain));
}

static int secret_parse(struct osc_params *params, const uint8_t *plain, size_t len)
{
	const uint8_t *end = plain + len;

	if (plain == end || *plain > OSC_SECRET_LEN_MAX || *plain >= end - plain - 1)
		return -EBADMSG;
	params->secret_len = *plain++;
	memcpy(params->secret, plain, params->secret_len);
	plain += params->secret_len;
	if (*plain > OSC_SECRET_LEN_MAX || *plain != end - plain - 1)
		return -EBADMSG;
	params->salt_len = *plain++;
	memcpy(params->salt, plain, params->salt_len);
	return 0;
}

int seal_open_secret(
	const struct store *store, const struct store_row *row, struct osc_params *params)
{
	return seal_open_secret_by(store->secrets->seal, row, params);
}

int seal_open_secret_by(const uint8_t *key, const struct store_row *row, struct osc_params *params)
{
	uint8_t plain[SEAL_SECRET_MAX - SEAL_OVERHEAD], aad[AAD_MAX];

	if (row->secret_len > SEAL_SECRET_MAX)
		return -EBADMSG;
	int code = seal_open(
		plain, row->secret, row->secret_len, aad, blob_aad(aad, row, BLOB_SECRET), key);
	if (code == 0)
		code = secret_parse(params, plain, row->secret_len - SEAL_OVERHEAD);
	sodium_memzero(plain, sizeof(plain));
	if (code != 0)
		return code;

	params->alg = row->alg;
	params->has_id_context = row->has_id_context;
	params->id_context_len = row->id_context_len;
	memcpy(params->id_context, row->id_context, row->id_context_len);
	params->sender_id_len = row->gateway_id_len;
	memcpy(params->sender_id, row->gateway_id, row->gateway_id_len);
	params->recipient_id_len = row->device_id_len;
	memcpy(params->recipient_id, row->device_id, row->device_id_len);
	return 0;
}
