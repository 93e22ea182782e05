// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/passthrough.h"

#include "crypto/keyed_hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PLACES_EACH 4 // for an entry, at least
#define PROBES_MAX  8 // places that a look-up compares: with more another key is taken

_Static_assert(UINT8_MAX <= KEYED_HASH_MAX, "all of a kid context counts");

struct dp_pass_table {
	struct keyed_hash hash;
	uint32_t mask;
	unsigned probes; // that the entry farthest from its home needs
	uint16_t *place; // [mask + 1] number of the entry + 1; 0: free
	struct dp_pass entry[];
};

// Of a kid with one kid context, or with any.
static uint64_t name_hash(const struct dp_pass_table *table, const uint8_t *kid, uint8_t kid_len,
	bool has_kid_context, const uint8_t *kid_context, uint8_t kid_context_len)
{
	uint64_t words[2] = {0};

	memcpy(words, kid, kid_len);
	words[0] = words[0] << 8 | kid_len;
	if (has_kid_context)
		words[1] = keyed_hash(&table->hash, kid_context, kid_context_len) | 1;
	return keyed_hash_words(&table->hash, words[0], words[1]);
}

static uint64_t entry_hash(const struct dp_pass_table *table, const struct dp_pass *pass)
{
	return name_hash(table, pass->kid, pass->kid_len, pass->has_kid_context, pass->kid_context,
		pass->kid_context_len);
}

// false: some entry is too far from its home.
static bool fill(struct dp_pass_table *table, unsigned count)
{
	memset(table->place, 0, (table->mask + (size_t)1) * sizeof(table->place[0]));
	keyed_hash_init(&table->hash);
	table->probes = 0;
	for (unsigned i = 0; i < count; i++) {
		uint64_t at = entry_hash(table, &table->entry[i]);
		unsigned probes = 1;

		while (table->place[at & table->mask]) {
			at++;
			if (++probes > PROBES_MAX)
				return false;
		}
		table->place[at & table->mask] = (uint16_t)(i + 1);
		if (probes > table->probes)
			table->probes = probes;
	}
	return true;
}

struct dp_pass_table *dp_pass_table_create(const struct dp_pass *entries, unsigned count)
{
	struct dp_pass_table *table = calloc(1, sizeof(*table) + count * sizeof(table->entry[0]));
	uint32_t places = 16;

	assert(count && count < UINT16_MAX);
	if (!table)
		return NULL;
	while (places < PLACES_EACH * count)
		places *= 2;
	table->mask = places - 1;
	table->place = malloc(places * sizeof(table->place[0]));
	if (!table->place) {
		free(table);
		return NULL;
	}
	memcpy(table->entry, entries, count * sizeof(table->entry[0]));
	while (!fill(table, count)) // at a load of a quarter this is seldom
		;
	return table;
}

void dp_pass_table_free(struct dp_pass_table *table)
{
	if (!table)
		return;
	free(table->place);
	free(table);
}

static bool is_named(
	const struct dp_pass *pass, const struct osc_option *option, bool has_kid_context)
{
	if (pass->kid_len != option->kid_len || memcmp(pass->kid, option->kid, option->kid_len) ||
		pass->has_kid_context != has_kid_context)
		return false;
	return !has_kid_context ||
		(pass->kid_context_len == option->kid_context_len &&
			!memcmp(pass->kid_context, option->kid_context, option->kid_context_len));
}

static const struct dp_pass *find(
	const struct dp_pass_table *table, const struct osc_option *option, bool has_kid_context)
{
	uint64_t at = name_hash(table, option->kid, option->kid_len, has_kid_context,
		option->kid_context, option->kid_context_len);

	for (unsigned i = 0; i < table->probes; i++, at++) {
		uint16_t place = table->place[at & table->mask];

		if (!place)
			return NULL;
		if (is_named(&table->entry[place - 1], option, has_kid_context))
			return &table->entry[place - 1];
	}
	return NULL;
}

const struct dp_pass *dp_pass_find(
	const struct dp_pass_table *table, const struct osc_option *option)
{
	const struct dp_pass *pass = NULL;

	if (option->kid_len > OSC_KID_LEN_MAX)
		return NULL;
	if (option->has_kid_context)
		pass = find(table, option, true);
	return pass ? pass : find(table, option, false);
}
