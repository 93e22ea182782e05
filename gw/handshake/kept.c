// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/kept.h"

#include "crypto/keyed_hash.h"
#include "dataplane/shared/memory.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define SETS_LEAST   256 // powers of two
#define SETS_MOST    32768
#define DEVICES_EACH 4 // that a set is for: not all derive contexts at once

_Static_assert(B2_RESPONSE_MAX <= UINT8_MAX, "a length has one byte");

struct entry {
	struct kept_name name;
	uint64_t at_ms; // when it was made + 1; 0: empty
	uint8_t len;
	uint8_t bytes[B2_RESPONSE_MAX];
};

struct set {
	struct entry entry[KEPT_OF_A_KID];
};

struct kept {
	struct set *sets; // mapped lazily by the kernel
	size_t count;
	struct keyed_hash kids;
	uint8_t key[crypto_generichash_KEYBYTES];
};

struct kept *kept_create(uint32_t devices)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return NULL;
	kept->count = SETS_LEAST;
	while (kept->count < SETS_MOST && kept->count * DEVICES_EACH < devices)
		kept->count *= 2;
	kept->sets = dp_map(kept->count * sizeof(struct set), DP_MAP_LAZY);
	if (!kept->sets) {
		free(kept);
		errno = ENOMEM;
		return NULL;
	}
	keyed_hash_init(&kept->kids);
	crypto_generichash_keygen(kept->key);
	return kept;
}

void kept_free(struct kept *kept)
{
	if (!kept)
		return;
	dp_unmap(kept->sets, kept->count * sizeof(struct set));
	sodium_memzero(kept, sizeof(*kept));
	free(kept);
}

void kept_name(const struct kept *kept, const uint8_t *endpoint, size_t endpoint_len,
	const uint8_t *message, size_t len, struct kept_name *name)
{
	crypto_generichash_state state;

	crypto_generichash_init(&state, kept->key, sizeof(kept->key), sizeof(name->bytes));
	crypto_generichash_update(&state, endpoint, endpoint_len);
	crypto_generichash_update(&state, message, len);
	crypto_generichash_final(&state, name->bytes, sizeof(name->bytes));
}

static struct set *set_of(const struct kept *kept, const uint8_t *kid, uint8_t kid_len)
{
	return &kept->sets[keyed_hash(&kept->kids, kid, kid_len) & (kept->count - 1)];
}

const uint8_t *kept_find(const struct kept *kept, const uint8_t *kid, uint8_t kid_len,
	const struct kept_name *name, uint64_t now_ms, size_t *len)
{
	const struct set *set = set_of(kept, kid, kid_len);

	for (unsigned i = 0; i < KEPT_OF_A_KID; i++) {
		const struct entry *entry = &set->entry[i];

		if (entry->at_ms && now_ms - (entry->at_ms - 1) < KEPT_MS &&
			!memcmp(&entry->name, name, sizeof(*name))) {
			*len = entry->len;
			return entry->bytes;
		}
	}
	return NULL;
}

void kept_add(struct kept *kept, const uint8_t *kid, uint8_t kid_len, const struct kept_name *name,
	uint64_t now_ms, const uint8_t *answer, size_t len)
{
	struct set *set = set_of(kept, kid, kid_len);
	struct entry *oldest = &set->entry[0];

	assert(len <= B2_RESPONSE_MAX);
	for (unsigned i = 1; i < KEPT_OF_A_KID; i++)
		if (set->entry[i].at_ms < oldest->at_ms)
			oldest = &set->entry[i];
	oldest->name = *name;
	oldest->at_ms = now_ms + 1;
	oldest->len = (uint8_t)len;
	memcpy(oldest->bytes, answer, len);
}
