// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/uses.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS_MIN 64 // a power of two

int uses_init(struct uses *uses)
{
	keyed_hash_init(&uses->hash);
	uses->buckets = BUCKETS_MIN;
	uses->by_id = calloc(BUCKETS_MIN, sizeof(*uses->by_id));
	uses->by_name = calloc(BUCKETS_MIN, sizeof(*uses->by_name));
	return uses->by_id && uses->by_name ? 0 : -ENOMEM;
}

void uses_fini(struct uses *uses)
{
	for (uint32_t i = 0; uses->by_id && i < uses->buckets; i++) {
		for (struct use *next = uses->by_id[i], *use; (use = next);) {
			next = use->next;
			free(use);
		}
	}
	free(uses->by_id);
	free(uses->by_name);
}

static struct use **chain_id(const struct uses *uses, uint64_t id)
{
	return &uses->by_id[keyed_hash_words(&uses->hash, id, 0) & (uses->buckets - 1)];
}

static struct use **chain_name(const struct uses *uses, const char *name)
{
	return &uses->by_name[keyed_hash(&uses->hash, name, strlen(name)) & (uses->buckets - 1)];
}

static struct use *find(const struct uses *uses, uint64_t id)
{
	struct use *use = *chain_id(uses, id);

	while (use && use->owner.id != id)
		use = use->next;
	return use;
}

const struct use *uses_find(const struct uses *uses, uint64_t id)
{
	const struct use *use = find(uses, id);

	return use && !use->lost ? use : NULL;
}

const struct use *uses_find_name(const struct uses *uses, const char *name)
{
	const struct use *use = *chain_name(uses, name);

	while (use && strcmp(use->owner.name, name) != 0)
		use = use->next_name;
	return use;
}

static void link_id(struct uses *uses, struct use *use)
{
	struct use **chain = chain_id(uses, use->owner.id);

	use->next = *chain;
	*chain = use;
}

// One that is lost has no name.
static void link_name(struct uses *uses, struct use *use)
{
	struct use **chain = chain_name(uses, use->owner.name);

	if (use->lost)
		return;
	use->next_name = *chain;
	*chain = use;
}

static void unlink_name(struct uses *uses, struct use *use)
{
	struct use **at = chain_name(uses, use->owner.name);

	if (use->lost)
		return;
	while (*at != use)
		at = &(*at)->next_name;
	*at = use->next_name;
}

// With twice as many chains; without memory the chains only become longer. What is in a chain goes
// to that or to a new one behind all others, so that uses_sift() passes over none.
static void grow(struct uses *uses)
{
	const struct uses before = *uses;
	struct use **by_id = calloc(2 * (size_t)before.buckets, sizeof(*by_id));
	struct use **by_name = calloc(2 * (size_t)before.buckets, sizeof(*by_name));

	if (!by_id || !by_name) {
		free(by_id);
		free(by_name);
		return;
	}
	uses->by_id = by_id;
	uses->by_name = by_name;
	uses->buckets *= 2;
	for (uint32_t i = 0; i < before.buckets; i++) {
		for (struct use *next = before.by_id[i], *use; (use = next);) {
			next = use->next;
			link_id(uses, use);
			link_name(uses, use);
		}
	}
	free(before.by_id);
	free(before.by_name);
}

int uses_add(struct uses *uses, const struct credential_owner *owner)
{
	struct use *use = find(uses, owner->id);

	if (use) {
		if (use->lost)
			return -EKEYREVOKED;
		use->count++;
		return 0;
	}
	use = calloc(1, sizeof(*use));
	if (!use)
		return -ENOMEM;
	if (uses->count >= uses->buckets)
		grow(uses);
	use->owner = *owner;
	use->count = 1;
	link_id(uses, use);
	link_name(uses, use);
	uses->count++;
	return 0;
}

void uses_drop(struct uses *uses, uint64_t id)
{
	struct use *use = find(uses, id);
	struct use **at = chain_id(uses, id);

	if (!use || --use->count)
		return;
	unlink_name(uses, use);
	while (*at != use)
		at = &(*at)->next;
	*at = use->next;
	for (at = &uses->lost; *at; at = &(*at)->next_lost) {
		if (*at == use) {
			*at = use->next_lost;
			break;
		}
	}
	uses->count--;
	free(use);
}

static void lose(struct uses *uses, struct use *use)
{
	if (use->lost)
		return;
	unlink_name(uses, use);
	use->lost = true;
	use->next_lost = uses->lost;
	uses->lost = use;
}

void uses_lose(struct uses *uses, uint64_t id)
{
	struct use *use = find(uses, id);

	if (use)
		lose(uses, use);
}

void uses_sift_begin(struct uses *uses)
{
	uses->sifting = true;
	uses->sift = 0;
}

bool uses_sift(struct uses *uses, uint32_t chains,
	bool (*passes)(const void *arg, const struct credential_owner *owner), const void *arg)
{
	for (; uses->sifting && chains; chains--) {
		for (struct use *use = uses->by_id[uses->sift]; use; use = use->next)
			if (!passes(arg, &use->owner))
				lose(uses, use);
		uses->sifting = ++uses->sift < uses->buckets;
	}
	return uses->sifting;
}

uint64_t uses_next_lost(struct uses *uses)
{
	struct use *use = uses->lost;

	if (!use)
		return 0;
	uses->lost = use->next_lost;
	return use->owner.id;
}

bool uses_update(
	struct uses *uses, const struct credential_owner *owner, struct credential_owner *used)
{
	struct use *use = find(uses, owner->id);

	if (!use || use->lost)
		return false;
	const int64_t not_before = use->owner.not_before, not_after = use->owner.not_after;

	unlink_name(uses, use);
	use->owner = *owner;
	use->owner.not_before = not_before;
	use->owner.not_after = not_after;
	link_name(uses, use);
	*used = use->owner;
	return true;
}
