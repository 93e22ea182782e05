// SPDX-License-Identifier: BSD-3-Clause
// Hash tables of entries of their own, whose chains nobody can make long: what is hashed is keyed,
// and of those that have one kid at most EDHOC_CANDIDATES_MAX are looked at.

#include "gw/handshake/credentials.h"

#include "crypto/keyed_hash.h"
#include "gw/handshake/names.h"
#include "gw/handshake/uses.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUCKETS_MIN 64 // a power of two
#define SIFT_CHAINS 64 // of credentials in use that are looked at in one go

// What entries are found by.
enum by { BY_ID, BY_KID, BY_DIGEST, BY_COUNT };

// A device of the store. Without kid it is in no chain of BY_KID.
struct entry {
	struct entry *next[BY_COUNT];
	struct credential_owner owner;
	bool x509;
	uint16_t item_len;
	uint8_t kid_len;
	uint8_t bytes[]; // the item, then the kid
};

struct credentials {
	// Held for reading while rules and list are used; main alone writes. Taken before `lock`.
	pthread_rwlock_t trust_lock;
	struct trust *trust;
	struct revoked *revoked;
	// Of all below.
	pthread_mutex_t lock;
	struct entry **bucket[BY_COUNT]; // [buckets] each
	uint32_t buckets;                // a power of two
	uint32_t count;
	struct keyed_hash hash;
	struct names names; // of devices of the store
	struct uses uses;
	struct credentials_watch watch;
};

// Main does not wait for ever while threads without end verify certificates.
static void trust_lock_init(pthread_rwlock_t *lock)
{
	pthread_rwlockattr_t attr;

	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(lock, &attr);
	pthread_rwlockattr_destroy(&attr);
}

struct credentials *credentials_create(void)
{
	struct credentials *credentials = calloc(1, sizeof(*credentials));
	bool made = credentials;

	if (!made)
		return NULL;
	// The first conversion of a certificate's time reads a file, which the threads may not.
	tzset();
	trust_lock_init(&credentials->trust_lock);
	pthread_mutex_init(&credentials->lock, NULL);
	keyed_hash_init(&credentials->hash);
	credentials->buckets = BUCKETS_MIN;
	for (unsigned by = 0; by < BY_COUNT; by++) {
		credentials->bucket[by] = calloc(BUCKETS_MIN, sizeof(struct entry *));
		made &= credentials->bucket[by] != NULL;
	}
	made &= !names_init(&credentials->names);
	made &= !uses_init(&credentials->uses);
	if (made)
		return credentials;
	credentials_free(credentials);
	return NULL;
}

void credentials_free(struct credentials *credentials)
{
	if (!credentials)
		return;
	for (uint32_t i = 0; credentials->bucket[BY_ID] && i < credentials->buckets; i++) {
		for (struct entry *next = credentials->bucket[BY_ID][i], *entry; (entry = next);) {
			next = entry->next[BY_ID];
			free(entry);
		}
	}
	for (unsigned by = 0; by < BY_COUNT; by++)
		free(credentials->bucket[by]);
	names_fini(&credentials->names);
	uses_fini(&credentials->uses);
	trust_free(credentials->trust);
	revoked_free(credentials->revoked);
	pthread_mutex_destroy(&credentials->lock);
	pthread_rwlock_destroy(&credentials->trust_lock);
	free(credentials);
}

void credentials_watch(struct credentials *credentials, const struct credentials_watch *watch)
{
	credentials->watch = *watch;
}

// Tells who uses what is lost, outside of the lock, since it may drop it. Main alone changes what
// is used, so that no lock is needed to look at it.
static void tell_lost(struct credentials *credentials)
{
	const struct credentials_watch *watch = &credentials->watch;
	uint64_t id;

	while ((id = uses_next_lost(&credentials->uses)))
		if (watch->gone)
			watch->gone(watch->arg, id);
}

// --- Tables

static struct entry **chain_id(const struct credentials *credentials, uint64_t id)
{
	const uint64_t hash = keyed_hash_words(&credentials->hash, id, BY_ID);

	return &credentials->bucket[BY_ID][hash & (credentials->buckets - 1)];
}

static struct entry **chain_kid(
	const struct credentials *credentials, const uint8_t *kid, size_t len)
{
	const uint64_t hash = keyed_hash(&credentials->hash, kid, len);

	return &credentials->bucket[BY_KID][hash & (credentials->buckets - 1)];
}

// By its first 8 bytes, which the shorter hash of x5t has, too.
static struct entry **chain_digest(const struct credentials *credentials, const uint8_t *digest)
{
	uint64_t first;

	memcpy(&first, digest, sizeof(first));
	const uint64_t hash = keyed_hash_words(&credentials->hash, first, BY_DIGEST);

	return &credentials->bucket[BY_DIGEST][hash & (credentials->buckets - 1)];
}

static struct entry **chain_of(
	const struct credentials *credentials, const struct entry *entry, enum by by)
{
	switch (by) {
	case BY_ID:
		return chain_id(credentials, entry->owner.id);
	case BY_KID:
		return entry->kid_len
			? chain_kid(credentials, entry->bytes + entry->item_len, entry->kid_len)
			: NULL;
	default:
		return chain_digest(credentials, entry->owner.mark.digest);
	}
}

static void entry_link(struct credentials *credentials, struct entry *entry, enum by by)
{
	struct entry **chain = chain_of(credentials, entry, by);

	if (!chain)
		return;
	entry->next[by] = *chain;
	*chain = entry;
}

static void entry_unlink(struct credentials *credentials, struct entry *entry)
{
	for (unsigned by = 0; by < BY_COUNT; by++) {
		struct entry **at = chain_of(credentials, entry, by);

		if (!at)
			continue;
		while (*at != entry)
			at = &(*at)->next[by];
		*at = entry->next[by];
	}
	credentials->count--;
}

// With twice as many chains; without memory the chains only become longer.
static void grow(struct credentials *credentials)
{
	const uint32_t before = credentials->buckets;
	struct entry **old[BY_COUNT], **made[BY_COUNT];
	bool all = true;

	for (unsigned by = 0; by < BY_COUNT; by++) {
		old[by] = credentials->bucket[by];
		made[by] = calloc(2 * (size_t)before, sizeof(struct entry *));
		all &= made[by] != NULL;
	}
	if (all) {
		credentials->buckets = 2 * before;
		memcpy(credentials->bucket, made, sizeof(made));
	}
	for (uint32_t i = 0; all && i < before; i++) {
		for (struct entry *next = old[BY_ID][i], *entry; (entry = next);) {
			next = entry->next[BY_ID];
			for (unsigned by = 0; by < BY_COUNT; by++)
				entry_link(credentials, entry, by);
		}
	}
	for (unsigned by = 0; by < BY_COUNT; by++)
		free(all ? old[by] : made[by]);
}

static struct entry *entry_find(const struct credentials *credentials, uint64_t id)
{
	struct entry *entry = *chain_id(credentials, id);

	while (entry && entry->owner.id != id)
		entry = entry->next[BY_ID];
	return entry;
}

// --- Devices of the store

static void owner_set(struct credential_owner *owner, const struct device_settings *settings)
{
	memcpy(owner->policy, settings->policy, sizeof(owner->policy));
	owner->max_message = settings->max_message;
	owner->max_in_flight = settings->max_in_flight;
}

static struct entry *entry_make(const struct credential_row *row)
{
	struct entry *entry = calloc(1, sizeof(*entry) + row->item.len + row->kid.len);

	assert(row->item.len <= EDHOC_CREDENTIAL_MAX && row->kid.len <= EDHOC_KID_MAX);
	if (!entry)
		return NULL;
	entry->owner.id = row->id;
	strncpy(entry->owner.name, row->name, DEVICE_NAME_MAX);
	owner_set(&entry->owner, row->settings);
	entry->x509 = row->x509;
	entry->item_len = (uint16_t)row->item.len;
	entry->kid_len = (uint8_t)row->kid.len;
	memcpy(entry->bytes, row->item.data, row->item.len);
	if (row->kid.len)
		memcpy(entry->bytes + row->item.len, row->kid.data, row->kid.len);
	// What cannot be read is found by nothing that a device sends.
	if (!credential_mark_read((struct edhoc_bytes){entry->bytes, entry->item_len}, row->x509,
		    &entry->owner.mark))
		entry->kid_len = 0;
	return entry;
}

int credentials_put(struct credentials *credentials, const struct credential_row *row)
{
	struct entry *entry = entry_make(row);
	struct credential_owner owner;

	assert(row->id && !(row->id & CREDENTIAL_BY_RULE));
	if (!entry)
		return -ENOMEM;
	pthread_mutex_lock(&credentials->lock);
	struct entry *before = entry_find(credentials, row->id);

	if (before)
		entry_unlink(credentials, before);
	else if (credentials->count >= credentials->buckets)
		grow(credentials);
	for (unsigned by = 0; by < BY_COUNT; by++)
		entry_link(credentials, entry, by);
	credentials->count++;
	const bool used = before && uses_update(&credentials->uses, &entry->owner, &owner);

	pthread_mutex_unlock(&credentials->lock);
	free(before);
	if (used && credentials->watch.changed)
		credentials->watch.changed(credentials->watch.arg, &owner);
	return 0;
}

void credentials_take(struct credentials *credentials, uint64_t id)
{
	pthread_mutex_lock(&credentials->lock);
	struct entry *gone = entry_find(credentials, id);

	if (gone)
		entry_unlink(credentials, gone);
	uses_lose(&credentials->uses, id);
	pthread_mutex_unlock(&credentials->lock);
	free(gone);
	tell_lost(credentials);
}

void credentials_end(struct credentials *credentials, uint64_t id)
{
	pthread_mutex_lock(&credentials->lock);
	uses_lose(&credentials->uses, id);
	pthread_mutex_unlock(&credentials->lock);
	tell_lost(credentials);
}

uint32_t credentials_count(const struct credentials *credentials)
{
	return credentials->count;
}

int credentials_name_put(struct credentials *credentials, const char *name)
{
	pthread_mutex_lock(&credentials->lock);
	const int code = names_put(&credentials->names, name);
	const struct use *use = uses_find_name(&credentials->uses, name);

	if (!code && use && use->owner.rule)
		uses_lose(&credentials->uses, use->owner.id);
	pthread_mutex_unlock(&credentials->lock);
	tell_lost(credentials);
	return code;
}

void credentials_name_take(struct credentials *credentials, const char *name)
{
	pthread_mutex_lock(&credentials->lock);
	names_take(&credentials->names, name);
	pthread_mutex_unlock(&credentials->lock);
}

// --- Rules and what was revoked

// Whether a credential may be used, as far as rules and list are asked.
static bool passes(const void *arg, const struct credential_owner *owner)
{
	const struct credentials *credentials = arg;

	return !revoked_has_any(credentials->revoked, &owner->issuers) &&
		!revoked_has(credentials->revoked, &owner->mark) &&
		(!owner->rule || trust_has(credentials->trust, owner->rule));
}

void credentials_trust(
	struct credentials *credentials, struct trust *trust, struct revoked *revoked)
{
	pthread_rwlock_wrlock(&credentials->trust_lock);
	struct trust *old_trust = credentials->trust;
	struct revoked *old_revoked = credentials->revoked;
	credentials->trust = trust;
	credentials->revoked = revoked;
	pthread_rwlock_unlock(&credentials->trust_lock);
	trust_free(old_trust);
	revoked_free(old_revoked);
	uses_sift_begin(&credentials->uses);
}

bool credentials_sift(struct credentials *credentials)
{
	pthread_mutex_lock(&credentials->lock);
	const bool more = uses_sift(&credentials->uses, SIFT_CHAINS, passes, credentials);

	pthread_mutex_unlock(&credentials->lock);
	tell_lost(credentials);
	return more;
}

// --- Look-ups

// Whether an entry is named by an ID_CRED. The digest is that of what the ID_CRED has, or as much
// of it as that has.
static bool is_named(const struct entry *entry, const struct edhoc_id_cred *id_cred,
	const uint8_t *digest, size_t digest_len)
{
	if (id_cred->kind == EDHOC_ID_KID)
		return entry->kid_len == id_cred->value.len &&
			!memcmp(entry->bytes + entry->item_len, id_cred->value.data,
				entry->kid_len);
	return entry->x509 == (id_cred->kind != EDHOC_ID_KCCS) &&
		!memcmp(entry->owner.mark.digest, digest, digest_len);
}

// Copies the credentials of the store that an ID_CRED names.
static unsigned stored_find(struct credentials *credentials, const struct edhoc_id_cred *id_cred,
	const uint8_t *digest, size_t digest_len,
	struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX])
{
	const enum by by = id_cred->kind == EDHOC_ID_KID ? BY_KID : BY_DIGEST;
	unsigned n = 0;

	pthread_mutex_lock(&credentials->lock);
	const struct entry *entry = by == BY_KID
		? *chain_kid(credentials, id_cred->value.data, id_cred->value.len)
		: *chain_digest(credentials, digest);

	for (; entry && n < EDHOC_CANDIDATES_MAX; entry = entry->next[by]) {
		if (!is_named(entry, id_cred, digest, digest_len))
			continue;
		struct edhoc_candidate *candidate = &candidates[n++];

		candidate->owner = entry->owner;
		candidate->credential.x509 = entry->x509;
		candidate->credential.item = (struct edhoc_bytes){candidate->item, entry->item_len};
		memcpy(candidate->item, entry->bytes, entry->item_len);
	}
	pthread_mutex_unlock(&credentials->lock);
	return n;
}

// Whether a rule's device may have this name. A certificate that is in use gives way to one that
// was issued later. *other is the id of the one that gives way; 0: none.
static bool name_is_free(
	struct credentials *credentials, const struct credential_owner *owner, uint64_t *other)
{
	const struct use *use = uses_find_name(&credentials->uses, owner->name);

	*other = use && use->owner.rule && use->owner.id != owner->id ? use->owner.id : 0;
	return !names_has(&credentials->names, owner->name) &&
		(!*other || use->owner.not_before < owner->not_before);
}

// A certificate that is not in the store, but of an authority that there is a rule for.
static unsigned rule_find(struct credentials *credentials, const struct edhoc_bytes *chain,
	unsigned n, int64_t now_s, struct edhoc_candidate *candidate, enum edhoc_result *result)
{
	struct credential_owner *owner = &candidate->owner;
	struct trust_name name;

	*result = trust_find(credentials->trust, chain, n, now_s, &name);
	if (*result != EDHOC_OK)
		return 0;
	*result = EDHOC_CREDENTIAL;
	memset(owner, 0, sizeof(*owner));
	if (chain->len > EDHOC_CREDENTIAL_MAX || !credential_mark_read(*chain, true, &owner->mark))
		return 0;
	owner->issuers = name.issuers;
	memcpy(&owner->id, owner->mark.digest, sizeof(owner->id));
	owner->id |= CREDENTIAL_BY_RULE;
	owner->rule = name.rule;
	memcpy(owner->name, name.name, sizeof(owner->name));
	memcpy(owner->policy, name.policy, sizeof(owner->policy));
	candidate->credential.x509 = true;
	candidate->credential.item = (struct edhoc_bytes){candidate->item, chain->len};
	memcpy(candidate->item, chain->data, chain->len);
	return 1;
}

// Reads what was found, and looks whether it may be used now.
static enum edhoc_result candidate_check(struct credentials *credentials,
	struct edhoc_engine *engine, struct edhoc_candidate *candidate, int64_t now_s)
{
	struct credential_owner *owner = &candidate->owner;
	struct edhoc_credential *credential = &candidate->credential;
	const struct edhoc_bytes item = {candidate->item, credential->item.len};
	const enum edhoc_result result = credential->x509
		? edhoc_credential_from_x509(engine, item, credential)
		: edhoc_credential_from_ccs(engine, item, credential);
	uint64_t other;

	if (result != EDHOC_OK)
		return result;
	owner->not_before = credential->not_before;
	owner->not_after = credential->not_after;
	if (!edhoc_credential_valid_at(credential, now_s) || !passes(credentials, owner))
		return EDHOC_UNTRUSTED;
	if (!owner->rule)
		return EDHOC_OK;
	pthread_mutex_lock(&credentials->lock);
	const bool is_free = name_is_free(credentials, owner, &other);

	pthread_mutex_unlock(&credentials->lock);
	return is_free ? EDHOC_OK : EDHOC_UNTRUSTED;
}

// The digest that an ID_CRED names a credential by, in *digest, and its length; 0: none.
static size_t digest_of(const struct edhoc_id_cred *id_cred, const struct edhoc_bytes *chain,
	unsigned n, uint8_t digest[EDHOC_HASH_LEN])
{
	struct credential_mark mark;

	switch (id_cred->kind) {
	case EDHOC_ID_KCCS:
		edhoc_hash(digest, &id_cred->value, 1);
		return EDHOC_HASH_LEN;
	case EDHOC_ID_X5T:
		memcpy(digest, id_cred->value.data, id_cred->value.len);
		return id_cred->value.len;
	case EDHOC_ID_X5CHAIN:
		if (!n || !credential_mark_read(chain[0], true, &mark))
			return 0;
		memcpy(digest, mark.digest, EDHOC_HASH_LEN);
		return EDHOC_HASH_LEN;
	default:
		return 0;
	}
}

static unsigned find(struct credentials *credentials, const struct edhoc_id_cred *id_cred,
	int64_t now_s, struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX],
	enum edhoc_result *result)
{
	struct edhoc_bytes chain[EDHOC_CHAIN_MAX];
	uint8_t digest[EDHOC_HASH_LEN];
	const unsigned n =
		id_cred->kind == EDHOC_ID_X5CHAIN ? edhoc_id_cred_chain(id_cred, chain) : 0;
	const size_t len = digest_of(id_cred, chain, n, digest);
	unsigned found = 0;

	*result = EDHOC_UNKNOWN;
	if (id_cred->kind == EDHOC_ID_KID || len)
		found = stored_find(credentials, id_cred, digest, len, candidates);
	if (!found && n)
		found = rule_find(credentials, chain, n, now_s, &candidates[0], result);
	return found;
}

unsigned credentials_find(struct credentials *credentials, struct edhoc_engine *engine,
	const struct edhoc_id_cred *id_cred, int64_t now_s,
	struct edhoc_candidate candidates[EDHOC_CANDIDATES_MAX], enum edhoc_result *result)
{
	unsigned good = 0;

	pthread_rwlock_rdlock(&credentials->trust_lock);
	const unsigned n = find(credentials, id_cred, now_s, candidates, result);

	for (unsigned i = 0; i < n; i++) {
		if (i != good)
			candidates[good] = candidates[i];
		const enum edhoc_result of =
			candidate_check(credentials, engine, &candidates[good], now_s);

		good += of == EDHOC_OK;
		if (of != EDHOC_OK)
			*result = of;
	}
	pthread_rwlock_unlock(&credentials->trust_lock);
	if (good)
		*result = EDHOC_OK;
	return good;
}

// --- What is in use

// Under the lock. Brings *owner up to date.
static int hold(struct credentials *credentials, struct credential_owner *owner, uint64_t *other)
{
	*other = 0;
	if (!passes(credentials, owner))
		return -EKEYREVOKED;
	if (!owner->rule) {
		const struct entry *entry = entry_find(credentials, owner->id);

		if (!entry)
			return -ENOENT;
		const int64_t not_before = owner->not_before, not_after = owner->not_after;

		*owner = entry->owner;
		owner->not_before = not_before;
		owner->not_after = not_after;
	} else if (!name_is_free(credentials, owner, other)) {
		return -EEXIST;
	}
	return uses_add(&credentials->uses, owner);
}

int credentials_hold(struct credentials *credentials, struct credential_owner *owner)
{
	uint64_t other;

	pthread_mutex_lock(&credentials->lock);
	const int code = hold(credentials, owner, &other);

	if (!code && other)
		uses_lose(&credentials->uses, other);
	pthread_mutex_unlock(&credentials->lock);
	tell_lost(credentials);
	return code;
}

const struct credential_owner *credentials_used(const struct credentials *credentials, uint64_t id)
{
	const struct use *use = uses_find(&credentials->uses, id);

	return use ? &use->owner : NULL;
}

const struct credential_owner *credentials_used_by(
	const struct credentials *credentials, const char *name)
{
	const struct use *use = uses_find_name(&credentials->uses, name);

	return use ? &use->owner : NULL;
}

void credentials_drop(struct credentials *credentials, uint64_t id)
{
	pthread_mutex_lock(&credentials->lock);
	uses_drop(&credentials->uses, id);
	pthread_mutex_unlock(&credentials->lock);
}
