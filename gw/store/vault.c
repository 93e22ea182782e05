// SPDX-License-Identifier: BSD-3-Clause
// A hash table of entries of their own. A lock guards it: who opens a secret copies the sealed
// bytes under the lock, and opens them without.

#include "gw/store/vault.h"

#include "gw/store/row.h"
#include "gw/store/seal.h"
#include "gw/store/secrets.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64 // a power of two

struct entry {
	struct entry *next;
	uint64_t id, fingerprint;
	uint32_t rederived;
	enum aead_alg alg;
	bool has_id_context;
	uint8_t device_id_len, gateway_id_len, id_context_len, sealed_len;
	uint8_t device_id[OSC_KID_LEN_MAX];
	uint8_t gateway_id[OSC_KID_LEN_MAX];
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	uint8_t sealed[DEVICE_SEALED_MAX];
};

struct vault {
	pthread_mutex_t lock;
	uint8_t *seal;         // sodium_malloc()ed: the key that secrets are sealed under
	struct entry **bucket; // [buckets], chains
	uint32_t buckets;      // a power of two
	uint32_t count;
	uint8_t hash[crypto_shorthash_KEYBYTES];
};

struct vault *vault_create(const struct store *store)
{
	struct vault *vault = calloc(1, sizeof(*vault));

	if (vault == NULL)
		return NULL;
	pthread_mutex_init(&vault->lock, NULL);
	randombytes_buf(vault->hash, sizeof(vault->hash));
	vault->seal = sodium_malloc(sizeof(store->secrets->seal));
	vault->buckets = BUCKETS_MIN;
	vault->bucket = calloc(vault->buckets, sizeof(struct entry *));
	if (vault->seal == NULL || vault->bucket == NULL) {
		vault_free(vault);
		return NULL;
	}
	memcpy(vault->seal, store->secrets->seal, sizeof(store->secrets->seal));
	sodium_mprotect_readonly(vault->seal);
	return vault;
}

static void entry_free(struct entry *entry)
{
	sodium_memzero(entry, sizeof(*entry));
	free(entry);
}

void vault_free(struct vault *vault)
{
	if (vault == NULL)
		return;
	for (uint32_t i = 0; vault->bucket != NULL && i < vault->buckets; i++) {
		for (struct entry *next = vault->bucket[i], *entry; (entry = next) != NULL;) {
			next = entry->next;
			entry_free(entry);
		}
	}
	free(vault->bucket);
	sodium_free(vault->seal);
	pthread_mutex_destroy(&vault->lock);
	free(vault);
}

static struct entry **chain_of(const struct vault *vault, const uint8_t *device_id, uint8_t len)
{
	uint64_t hash;

	_Static_assert(sizeof(hash) == crypto_shorthash_BYTES, "one word");
	crypto_shorthash((uint8_t *)&hash, device_id, len, vault->hash);
	return &vault->bucket[hash & (vault->buckets - 1)];
}

// The place of the entry, or of the end of its chain.
static struct entry **entry_find(const struct vault *vault, const uint8_t *device_id, uint8_t len)
{
	struct entry **at = chain_of(vault, device_id, len);

	while (*at != NULL &&
		((*at)->device_id_len != len || memcmp((*at)->device_id, device_id, len) != 0))
		at = &(*at)->next;
	return at;
}

// With twice as many chains; without memory the chains only become longer.
static void grow(struct vault *vault)
{
	uint32_t before = vault->buckets;
	struct entry **old = vault->bucket;
	struct entry **bucket = calloc(2 * (size_t)before, sizeof(struct entry *));

	if (bucket == NULL)
		return;
	vault->bucket = bucket;
	vault->buckets = 2 * before;
	for (uint32_t i = 0; i < before; i++) {
		for (struct entry *next = old[i], *entry; (entry = next) != NULL;) {
			struct entry **to = chain_of(vault, entry->device_id, entry->device_id_len);

			next = entry->next;
			entry->next = *to;
			*to = entry;
		}
	}
	free(old);
}

static void entry_fill(struct entry *entry, const struct device_keyed *device)
{
	entry->id = device->id;
	entry->rederived = device->rederived;
	entry->fingerprint = device->fingerprint;
	entry->alg = device->alg;
	entry->has_id_context = device->has_id_context;
	entry->device_id_len = device->device_id_len;
	entry->gateway_id_len = device->gateway_id_len;
	entry->id_context_len = device->id_context_len;
	entry->sealed_len = device->sealed_len;
	memcpy(entry->device_id, device->device_id, sizeof(entry->device_id));
	memcpy(entry->gateway_id, device->gateway_id, sizeof(entry->gateway_id));
	memcpy(entry->id_context, device->id_context, sizeof(entry->id_context));
	memcpy(entry->sealed, device->sealed, sizeof(entry->sealed));
}

int vault_put(struct vault *vault, const struct device_keyed *device)
{
	if (device->rederive == DEVICE_REDERIVE_NONE)
		return 0;
	assert(device->sealed_len > 0 && device->sealed_len <= DEVICE_SEALED_MAX);
	struct entry *fresh = calloc(1, sizeof(*fresh));

	if (fresh == NULL)
		return -ENOMEM;
	pthread_mutex_lock(&vault->lock);
	if (vault->count >= vault->buckets)
		grow(vault);
	struct entry **at = entry_find(vault, device->device_id, device->device_id_len);

	if (*at == NULL) {
		*at = fresh;
		fresh = NULL;
		vault->count++;
	}
	entry_fill(*at, device);
	pthread_mutex_unlock(&vault->lock);
	free(fresh);
	return 0;
}

void vault_take(struct vault *vault, const uint8_t *device_id, uint8_t len, uint64_t id)
{
	struct entry *gone = NULL;

	pthread_mutex_lock(&vault->lock);
	struct entry **at = entry_find(vault, device_id, len);

	if (*at != NULL && (*at)->id == id) {
		gone = *at;
		*at = gone->next;
		vault->count--;
	}
	pthread_mutex_unlock(&vault->lock);
	if (gone != NULL)
		entry_free(gone);
}

uint32_t vault_count(const struct vault *vault)
{
	return vault->count;
}

// What the secret is bound to.
static void row_of(const struct entry *entry, struct store_row *row)
{
	memset(row, 0, sizeof(*row));
	row->id = entry->id;
	row->alg = entry->alg;
	row->rederive = DEVICE_REDERIVE_B2;
	row->has_id_context = entry->has_id_context;
	row->device_id_len = entry->device_id_len;
	row->gateway_id_len = entry->gateway_id_len;
	row->id_context_len = entry->id_context_len;
	row->secret_len = entry->sealed_len;
	memcpy(row->device_id, entry->device_id, sizeof(row->device_id));
	memcpy(row->gateway_id, entry->gateway_id, sizeof(row->gateway_id));
	memcpy(row->id_context, entry->id_context, sizeof(row->id_context));
	memcpy(row->secret, entry->sealed, entry->sealed_len);
}

bool vault_open(
	struct vault *vault, const uint8_t *device_id, uint8_t len, struct vault_device *device)
{
	struct store_row row;

	memset(device, 0, sizeof(*device));
	pthread_mutex_lock(&vault->lock);
	const struct entry *entry = *entry_find(vault, device_id, len);
	bool found = entry != NULL;

	if (found) {
		row_of(entry, &row);
		device->id = entry->id;
		device->rederived = entry->rederived;
		device->fingerprint = entry->fingerprint;
	}
	pthread_mutex_unlock(&vault->lock);
	if (found && seal_open_secret_by(vault->seal, &row, &device->params) == 0)
		return true;
	sodium_memzero(device, sizeof(*device));
	return false;
}
