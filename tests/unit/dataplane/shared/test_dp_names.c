// SPDX-License-Identifier: BSD-3-Clause
// The names of contexts: found by whom they are of, whatever else there is, with hashes that are as
// they should be and with ones that all collide; and slots that stay a name's until its release.

#include "dataplane/shared/names.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

// Keys of the hash. For the small names of these tests all but the first are none.
static const struct key {
	const char *what;
	bool random;
	bool one_hash; // so that a name that nobody has may be taken for another
	uint64_t word, last;
} hash_keys[] = {
	{"a random key", true, false, 0, 0},
	{"one home for all, and most hashes differ", false, false, 1, 1},
	{"one hash for all", false, true, 0, 0},
};

#define KEYS (sizeof(hash_keys) / sizeof(hash_keys[0]))

static void names_make(struct dp_names *names, uint32_t entries, const struct key *key)
{
	cr_assert_eq(dp_names_init(names, entries), 0);
	if (key->random)
		return;
	memset(&names->hash, 0, sizeof(names->hash));
	names->hash.word[1] = key->word;
	names->hash.last[1] = key->last;
}

// An ID Context of 0 is none.
static struct dp_context_key name_of(uint32_t kid, uint64_t id_context)
{
	struct dp_context_key key = {.kid_len = 3, .id_context = id_context};

	memcpy(key.kid, &kid, 3);
	return key;
}

static uint32_t find(const struct dp_names *names, uint32_t kid, uint64_t id_context)
{
	struct dp_context_key key = name_of(kid, id_context);
	uint32_t index = dp_names_find(names, &key);
	uint64_t hash = dp_names_hash(names, &key);

	// Both halves agree, whether the first one knows or not.
	cr_assert_eq(dp_names_far(names, &key, hash), index);
	return index;
}

static uint32_t random_below(uint64_t *state, uint32_t n)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (*state >> 32) * n >> 32;
}

// Whether nothing is left: no name, nothing kept, no reach.
static bool is_empty(const struct dp_names *names)
{
	for (uint32_t b = 0; b < names->buckets; b++) {
		if (names->bucket[b].reach)
			return false;
		for (unsigned i = 0; i < DP_NAME_WAYS; i++)
			if (names->bucket[b].hash[i] != DP_NAME_FREE)
				return false;
	}
	return true;
}

// --- against a plain table -------------------------------------------------------------------

#define KIDS    9
#define OF_KID  5            // the first of them without ID Context
#define SECOND  (OF_KID + 1) // added to an ID Context: its other spelling
#define ENTRIES 24
#define GRACE   5 // steps after which what left is released
#define STEPS   60000

struct model {
	struct dp_names names;
	const struct key *key;
	int64_t index[KIDS][OF_KID]; // -1: not there
	int64_t retiring[GRACE];     // -1: none
	bool taken[ENTRIES];         // indices that are there or retire
	bool second[KIDS][OF_KID];   // it has another spelling
	unsigned count;
	unsigned full, aliases, seconds;
};

// Whom (kid, none) names: who has no ID Context, else the only one.
static int64_t alias_of(const int64_t index[OF_KID])
{
	int64_t one = -1;
	unsigned count = 0;

	if (index[0] >= 0)
		return index[0];
	for (unsigned n = 1; n < OF_KID; n++)
		if (index[n] >= 0) {
			one = index[n];
			count++;
		}
	return count == 1 ? one : -1;
}

static bool has_kid(const int64_t index[OF_KID])
{
	for (unsigned n = 0; n < OF_KID; n++)
		if (index[n] >= 0)
			return true;
	return false;
}

// The other spelling is of the same context, and main finds that by it; where there is none it is
// nobody's.
static void second_check(struct model *m, unsigned kid, unsigned n)
{
	const struct dp_context_key key = name_of(kid, n + SECOND);
	int64_t wanted = m->second[kid][n] ? m->index[kid][n] : -1;
	uint32_t found = find(&m->names, kid, n + SECOND);

	cr_assert_eq(
		dp_names_own(&m->names, &key), wanted < 0 ? -ENOENT : wanted, "%s", m->key->what);
	if (wanted >= 0 || !m->key->one_hash)
		cr_assert_eq(found, wanted < 0 ? DP_INDEX_NONE : (uint32_t)wanted,
			"%s: (%u, second %u)", m->key->what, kid, n);
}

static void model_check(struct model *m)
{
	for (unsigned kid = 0; kid < KIDS; kid++) {
		for (unsigned n = 0; n < OF_KID; n++) {
			const struct dp_context_key key = name_of(kid, n);
			int64_t wanted = n ? m->index[kid][n] : alias_of(m->index[kid]);
			bool is_name = n ? wanted >= 0 : has_kid(m->index[kid]);
			uint32_t found = find(&m->names, kid, n);

			cr_assert_eq(dp_names_own(&m->names, &key),
				m->index[kid][n] < 0 ? -ENOENT : m->index[kid][n], "%s",
				m->key->what);
			// A name that is there has priority over chance; see names.h.
			if (is_name || !m->key->one_hash)
				cr_assert_eq(found, wanted < 0 ? DP_INDEX_NONE : (uint32_t)wanted,
					"%s: (%u, %u)", m->key->what, kid, n);
			second_check(m, kid, n);
		}
	}
}

static void model_join(struct model *m, unsigned kid, unsigned n, bool has_second)
{
	const struct dp_context_key key = name_of(kid, n), second = name_of(kid, n + SECOND);
	uint32_t index;
	int rc = dp_names_join(&m->names, &key, has_second ? &second : NULL, &index);

	if (m->count == ENTRIES) {
		cr_assert_eq(rc, -EAGAIN);
		m->full++;
		return;
	}
	cr_assert_eq(rc, 0, "%s: %u of %u", m->key->what, m->count, ENTRIES);
	cr_assert_lt(index, (uint32_t)ENTRIES);
	cr_assert_not(m->taken[index], "an index is given once");
	m->taken[index] = true;
	m->index[kid][n] = index;
	m->second[kid][n] = has_second;
	m->seconds += has_second;
	m->count++;
}

static void model_release(struct model *m, unsigned at)
{
	int64_t index = m->retiring[at];

	if (index < 0)
		return;
	dp_names_release(&m->names, index);
	m->taken[index] = false;
	m->retiring[at] = -1;
	m->count--;
}

static void model_leave(struct model *m, unsigned kid, unsigned n, unsigned at)
{
	dp_names_leave(&m->names, m->index[kid][n]);
	m->retiring[at] = m->index[kid][n];
	m->index[kid][n] = -1;
	m->second[kid][n] = false;
}

static void model_run(struct model *m, uint64_t state)
{
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned kid = random_below(&state, KIDS), n = random_below(&state, OF_KID);
		// For a while it fills, and then it empties.
		unsigned often = step / 500 % 2 ? 12 : 5;

		model_release(m, step % GRACE);
		if (m->index[kid][n] < 0)
			model_join(m, kid, n, random_below(&state, 2));
		else if (random_below(&state, 16) < often)
			model_leave(m, kid, n, step % GRACE);
		m->aliases += m->index[kid][0] < 0 && alias_of(m->index[kid]) >= 0;
		model_check(m);
	}
	for (unsigned at = 0; at < GRACE; at++)
		model_release(m, at);
	for (unsigned kid = 0; kid < KIDS; kid++)
		for (unsigned n = 0; n < OF_KID; n++)
			if (m->index[kid][n] >= 0) {
				model_leave(m, kid, n, 0);
				model_check(m);
				model_release(m, 0);
			}
}

Test(dp_names, agree_with_a_plain_table)
{
	for (unsigned k = 0; k < KEYS; k++) {
		static struct model m;

		m = (struct model){.key = &hash_keys[k]};
		memset(m.index, -1, sizeof(m.index));
		memset(m.retiring, -1, sizeof(m.retiring));
		names_make(&m.names, ENTRIES, m.key);
		model_run(&m, 88172645463325252 + k);
		cr_expect_gt(m.full, 100u);
		cr_expect_gt(m.aliases, 100u);
		cr_expect_gt(m.seconds, 1000u);
		cr_expect(is_empty(&m.names), "%s: something stays", m.key->what);
		dp_names_fini(&m.names);
	}
}

// --- a full table ----------------------------------------------------------------------------

#define MANY 200000

static uint32_t many[MANY];

// Names that are not answered by their home, of a thousand; and the longest way of any.
static unsigned far_share(const struct dp_names *names, unsigned *longest)
{
	unsigned far = 0;

	*longest = 0;
	for (uint32_t b = 0; b < names->buckets; b++)
		if (names->bucket[b].reach > *longest)
			*longest = names->bucket[b].reach;
	for (uint32_t i = 0; i < MANY; i++) {
		struct dp_context_key key = name_of(i, i + 1);

		far += dp_names_near(names, dp_names_hash(names, &key)) == DP_NAME_FAR;
	}
	return far / (MANY / 1000);
}

Test(dp_names, a_full_table_finds_everyone_by_both_names)
{
	struct dp_names names;
	unsigned longest, far;
	uint32_t more;

	names_make(&names, MANY, &hash_keys[0]);
	cr_expect_leq(dp_names_bytes(&names), (size_t)MANY * 73, "%zu a context",
		dp_names_bytes(&names) / MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		struct dp_context_key key = name_of(i, i + 1);

		cr_assert_eq(dp_names_join(&names, &key, NULL, &many[i]), 0, "%u of %u", i, MANY);
	}
	const struct dp_context_key too_much = name_of(MANY, 1);

	cr_expect_eq(dp_names_join(&names, &too_much, NULL, &more), -EAGAIN);
	// Each of them is another after a while, and it is as fast as before.
	for (uint32_t round = 0; round < 3; round++) {
		for (uint32_t i = 0; i < MANY; i++) {
			cr_assert_eq(find(&names, i, i + 1), many[i]);
			cr_assert_eq(find(&names, i, 0), many[i]);
			cr_assert_eq(find(&names, i, i + 2), DP_INDEX_NONE);
			cr_assert_eq(find(&names, MANY + i, 0), DP_INDEX_NONE);
		}
		far = far_share(&names, &longest);
		cr_expect_leq(far, 150u, "%u of 1000 take more than one line", far);
		cr_expect_leq(longest, 16u, "one may take %u lines more", longest);
		for (uint32_t i = 0; i < MANY; i++) {
			struct dp_context_key key = name_of(i, i + 1);

			dp_names_leave(&names, many[i]);
			cr_assert_eq(find(&names, i, i + 1), DP_INDEX_NONE);
			cr_assert_eq(find(&names, i, 0), DP_INDEX_NONE);
			dp_names_release(&names, many[i]);
			cr_assert_eq(dp_names_join(&names, &key, NULL, &many[i]), 0);
		}
	}
	for (uint32_t i = 0; i < MANY; i++) {
		dp_names_leave(&names, many[i]);
		dp_names_release(&names, many[i]);
	}
	cr_expect(is_empty(&names));
	dp_names_fini(&names);
}

// As after a run of RFC 8613 appendix B.2 of every device.
Test(dp_names, a_full_table_finds_everyone_by_three_names)
{
	struct dp_names names;
	unsigned longest, far;

	names_make(&names, MANY, &hash_keys[0]);
	for (uint32_t i = 0; i < MANY; i++) {
		const struct dp_context_key key = name_of(i, i + 1);
		const struct dp_context_key second = name_of(i, MANY + i + 1);

		cr_assert_eq(
			dp_names_join(&names, &key, &second, &many[i]), 0, "%u of %u", i, MANY);
	}
	for (uint32_t i = 0; i < MANY; i++) {
		cr_assert_eq(find(&names, i, i + 1), many[i]);
		cr_assert_eq(find(&names, i, MANY + i + 1), many[i]);
		cr_assert_eq(find(&names, i, 0), many[i]);
		cr_assert_eq(find(&names, i, i + 2), DP_INDEX_NONE);
	}
	far = far_share(&names, &longest);
	cr_expect_leq(far, 400u, "%u of 1000 take more than one line", far);
	cr_expect_leq(longest, 24u, "one may take %u lines more", longest);
	for (uint32_t i = 0; i < MANY; i++) {
		dp_names_leave(&names, many[i]);
		dp_names_release(&names, many[i]);
	}
	cr_expect(is_empty(&names));
	dp_names_fini(&names);
}

Test(dp_names, the_smallest_tables_are_full_only_when_they_are)
{
	for (uint32_t entries = 1; entries < 300; entries++) {
		struct dp_names names;
		struct dp_context_key key;
		uint32_t index;

		names_make(&names, entries, &hash_keys[0]);
		for (uint32_t i = 0; i < entries; i++) {
			key = name_of(i, 1);
			cr_assert_eq(dp_names_join(&names, &key, NULL, &index), 0, "%u of %u", i,
				entries);
		}
		key = name_of(entries, 1);
		cr_assert_eq(dp_names_join(&names, &key, NULL, &index), -EAGAIN);
		for (uint32_t i = 0; i < entries; i++)
			cr_assert_eq(find(&names, i, 0), find(&names, i, 1));
		dp_names_fini(&names);
	}
}

// --- beside readers --------------------------------------------------------------------------

// Where a hash stands, NULL for nowhere.
static const uint32_t *named_at(const struct dp_names *names, uint64_t hash)
{
	for (uint32_t b = 0; b < names->buckets; b++)
		for (unsigned i = 0; i < DP_NAME_WAYS; i++)
			if (names->bucket[b].hash[i] == dp_name_mark(hash))
				return &names->bucket[b].named[i];
	return NULL;
}

// A reader that has read the hash is anywhere before it reads the index, for as long as it likes.
Test(dp_names, who_read_a_hash_reads_its_own_index_until_the_release)
{
	for (unsigned k = 0; k < 2; k++) {
		const struct dp_context_key own = name_of(1, 1), shared = name_of(1, 0);
		struct dp_names names;
		uint32_t index, other;

		names_make(&names, ENTRIES, &hash_keys[k]);
		cr_assert_eq(dp_names_join(&names, &own, NULL, &index), 0);
		const uint32_t *by_own = named_at(&names, dp_names_hash(&names, &own));
		const uint32_t *by_shared = named_at(&names, dp_names_hash(&names, &shared));

		cr_assert(by_own && by_shared);
		dp_names_leave(&names, index);
		// It comes again, and others until there is no room, and all go.
		cr_assert_eq(dp_names_join(&names, &own, NULL, &other), 0);
		cr_assert_neq(other, index);
		cr_expect_eq(find(&names, 1, 0), other);
		for (uint32_t i = 2;; i++) {
			const struct dp_context_key key = name_of(i, 1);

			if (dp_names_join(&names, &key, NULL, &other))
				break;
		}
		for (uint32_t i = 0; i < ENTRIES; i++)
			if (i != index)
				dp_names_leave(&names, i);
		cr_expect_eq(*by_own & DP_NAME_INDEX, index);
		cr_expect_eq(*by_shared & DP_NAME_INDEX, index);
		cr_expect_eq(names.kin[index].key.id_context, 1);
		for (uint32_t i = 0; i < ENTRIES; i++)
			dp_names_release(&names, i);
		cr_expect(is_empty(&names));
		dp_names_fini(&names);
	}
}

// The first one is found by its hash alone until the second comes.
Test(dp_names, two_names_with_one_hash_are_two_devices)
{
	struct dp_names names;
	uint32_t first, second;
	const struct dp_context_key one = name_of(1, 0), two = name_of(2, 0);

	names_make(&names, ENTRIES, &hash_keys[2]);
	cr_assert_eq(dp_names_join(&names, &one, NULL, &first), 0);
	cr_expect_eq(find(&names, 1, 0), first);
	cr_expect_eq(dp_names_own(&names, &two), -ENOENT, "main compares in full");
	cr_assert_eq(dp_names_join(&names, &two, NULL, &second), 0);
	cr_assert_neq(first, second);
	cr_expect_eq(find(&names, 1, 0), first);
	cr_expect_eq(find(&names, 2, 0), second);
	cr_expect_eq(find(&names, 3, 0), DP_INDEX_NONE, "nobody is taken for either");
	dp_names_leave(&names, first);
	cr_expect_eq(find(&names, 1, 0), DP_INDEX_NONE);
	cr_expect_eq(find(&names, 2, 0), second);
	dp_names_release(&names, first);
	dp_names_fini(&names);
}

Test(dp_names, more_than_an_index_can_say_is_refused)
{
	struct dp_names names;

	cr_expect_eq(dp_names_init(&names, DP_NAME_INDEX + 1), -EINVAL);
	dp_names_fini(&names);
}
