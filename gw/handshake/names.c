// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS_MIN 64 // a power of two

int names_init(struct names *names)
{
	keyed_hash_init(&names->hash);
	names->slots = SLOTS_MIN;
	names->count = 0;
	names->slot = calloc(names->slots, sizeof(*names->slot));
	return names->slot ? 0 : -ENOMEM;
}

void names_fini(struct names *names)
{
	free(names->slot);
}

static uint64_t hash_of(const struct names *names, const char *name)
{
	const uint64_t hash = keyed_hash(&names->hash, name, strlen(name));

	return hash ? hash : 1;
}

// The place of a hash, or the empty one where it would be.
static uint32_t slot_find(const struct names *names, uint64_t hash)
{
	const uint32_t mask = names->slots - 1;
	uint32_t at = (uint32_t)hash & mask;

	while (names->slot[at] && names->slot[at] != hash)
		at = (at + 1) & mask;
	return at;
}

static int grow(struct names *names)
{
	const struct names before = *names;

	names->slots *= 2;
	names->slot = calloc(names->slots, sizeof(*names->slot));
	if (!names->slot) {
		*names = before;
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < before.slots; i++)
		if (before.slot[i])
			names->slot[slot_find(names, before.slot[i])] = before.slot[i];
	free(before.slot);
	return 0;
}

int names_put(struct names *names, const char *name)
{
	const uint64_t hash = hash_of(names, name);

	if (2 * (names->count + 1) > names->slots && grow(names))
		return -ENOMEM;
	uint64_t *slot = &names->slot[slot_find(names, hash)];

	names->count += !*slot;
	*slot = hash;
	return 0;
}

// Moves those behind an empty place forward that would not be found behind it.
static void hole_close(struct names *names, uint32_t hole)
{
	const uint32_t mask = names->slots - 1;

	for (uint32_t at = (hole + 1) & mask; names->slot[at]; at = (at + 1) & mask) {
		const uint32_t home = (uint32_t)names->slot[at] & mask;

		if (((at - home) & mask) < ((at - hole) & mask))
			continue;
		names->slot[hole] = names->slot[at];
		names->slot[at] = 0;
		hole = at;
	}
}

void names_take(struct names *names, const char *name)
{
	const uint32_t at = slot_find(names, hash_of(names, name));

	if (!names->slot[at])
		return;
	names->slot[at] = 0;
	names->count--;
	hole_close(names, at);
}

bool names_has(const struct names *names, const char *name)
{
	return names->slot[slot_find(names, hash_of(names, name))];
}
