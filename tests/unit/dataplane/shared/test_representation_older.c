// SPDX-License-Identifier: BSD-3-Clause
// Versions that another one took the place of, kept for observers who have their first block.

#include "dataplane/shared/representation.h"

#include <rte_rcu_qsbr.h>

#include <criterion/criterion.h>

static struct dp_reps *reps;
static struct dp_rep_table *table;

static void setup(void)
{
	reps = dp_reps_create(1, 4096, NULL);
	cr_assert(reps);
	table = &reps->table[0];
}

static void teardown(void)
{
	dp_reps_free(reps);
}

TestSuite(representation_older, .init = setup, .fini = teardown);

static struct dp_rep_key numbered(unsigned number)
{
	static const struct dp_rep_asker shared = {.route = 7, .code = COAP_GET, .shared = true};
	struct coap_writer w;
	struct coap_body body;
	struct dp_rep_key key;
	uint8_t bytes[16];

	coap_writer_init(&w, bytes, sizeof(bytes));
	coap_write_option_uint(&w, COAP_OPT_URI_QUERY, number);
	cr_assert(coap_body_parse(&body, bytes, coap_writer_len(&w)) == COAP_OK);
	cr_assert(dp_rep_key_make(&key, &reps->keys, &shared, &body));
	return key;
}

static uint32_t put(const struct dp_rep_key *key, const char *payload, uint64_t now)
{
	uint32_t slot = dp_rep_place(table, key->hash, key->bytes, key->len, NULL, NULL);
	struct dp_representation *rep = dp_rep_make(key, (uint32_t)strlen(payload));

	cr_assert(rep && slot != DP_INDEX_NONE);
	rep->code = COAP_CONTENT;
	rep->content_format = DP_REP_NO_FORMAT;
	rep->stored_ms = now;
	memcpy(rep->bytes + rep->key_len, payload, strlen(payload));
	dp_rep_publish(table, slot, rep);
	return slot;
}

static bool is_version(const struct dp_rep_key *key, uint64_t version, const char *payload)
{
	uint32_t slot;
	const struct dp_representation *rep = dp_rep_find(table, key, &slot);

	rep = dp_rep_version(rep, version);
	if (!payload || !rep)
		return !payload && !rep;
	return rep->payload_len == strlen(payload) &&
		!memcmp(dp_rep_payload(rep), payload, rep->payload_len);
}

// Publishes one of which a worker sends the first block. Returns its version.
static uint64_t begun(const struct dp_rep_key *key, const char *payload, uint64_t now)
{
	uint32_t slot = put(key, payload, now);

	dp_rep_begin(table, slot);
	return dp_rep_at(table, slot)->version;
}

Test(representation_older, a_version_stays_for_those_who_began_with_it)
{
	struct dp_rep_key key = numbered(1);

	table->older_max = 1 << 20;
	uint64_t one = begun(&key, "one", 1000);
	size_t bytes = table->bytes;
	uint64_t two = begun(&key, "two", 2000);

	cr_expect(is_version(&key, one, "one"));
	cr_expect(is_version(&key, two, "two"));
	cr_expect(table->bytes == 2 * bytes && table->older_bytes == bytes);
	// The same once more is no other version, and what is behind it stays.
	cr_expect(begun(&key, "two", 3000) == two);
	cr_expect(is_version(&key, one, "one"));
	cr_expect_eq(dp_rep_older_due_ms(table), 2000 + DP_REP_OLDER_MS);
	uint64_t three = begun(&key, "three", 4000);

	cr_expect(is_version(&key, one, "one") && is_version(&key, two, "two"));
	// Two at most.
	uint64_t four = begun(&key, "four", 5000);

	cr_expect(is_version(&key, one, NULL) && is_version(&key, two, "two"));
	cr_expect(is_version(&key, three, "three") && is_version(&key, four, "four"));
	cr_expect_eq(table->older_bytes, 2 * bytes + strlen("three") - strlen("two"));
	dp_rep_older_turn(table, 4000 + DP_REP_OLDER_MS - 1);
	cr_expect(is_version(&key, two, "two"));
	dp_rep_older_turn(table, 4000 + DP_REP_OLDER_MS);
	cr_expect(is_version(&key, two, NULL) && is_version(&key, three, "three"));
	dp_rep_older_turn(table, 5000 + DP_REP_OLDER_MS);
	cr_expect(is_version(&key, three, NULL) && is_version(&key, four, "four"));
	cr_expect(!table->older_bytes);
	cr_expect_eq(dp_rep_older_due_ms(table), UINT64_MAX);
}

Test(representation_older, a_version_that_nobody_began_with_goes)
{
	struct dp_rep_key key = numbered(1);

	table->older_max = 1 << 20;
	uint64_t one = begun(&key, "one", 0);
	uint64_t two = dp_rep_at(table, put(&key, "two", 0))->version;

	put(&key, "three", 0);
	cr_expect(is_version(&key, one, "one"));
	cr_expect(is_version(&key, two, NULL));
}

Test(representation_older, older_versions_go_with_their_entry)
{
	struct dp_rep_key key[2] = {numbered(1), numbered(2)};

	table->older_max = 1 << 20;
	for (unsigned i = 0; i < 2; i++) {
		begun(&key[i], "one", 0);
		begun(&key[i], "two", 0);
		begun(&key[i], "three", 0);
	}
	dp_rep_drop(table, put(&key[0], "three", 0));
	cr_expect(dp_rep_evict(table, put(&key[1], "three", 0)));
	cr_expect(!table->bytes && !table->older_bytes && !table->count);
	cr_expect_eq(dp_rep_older_due_ms(table), UINT64_MAX);
}

Test(representation_older, older_versions_have_room_of_their_own)
{
	struct dp_rep_key key[20];
	uint64_t version[20];
	unsigned there = 0;

	for (unsigned i = 0; i < 20; i++)
		key[i] = numbered(i);
	begun(&key[0], "nothing is kept", 0);
	begun(&key[0], "without room", 0);
	cr_expect(!table->older_bytes);
	table->older_max = 10 * table->bytes;
	for (unsigned i = 0; i < 20; i++) {
		version[i] = begun(&key[i], "one", 0);
		begun(&key[i], "two", 0);
	}
	cr_expect(table->older_bytes && table->older_bytes <= table->older_max);
	for (unsigned i = 0; i < 20; i++)
		there += is_version(&key[i], version[i], "one");
	cr_expect(there >= 9 && there < 20);
	cr_expect(is_version(&key[0], version[0], NULL), "the first gave way");
	cr_expect(is_version(&key[19], version[19], "one"));
}

// One that is read while it is kept, and one that was found behind what is replaced.
Test(representation_older, older_versions_are_freed_when_workers_have_passed)
{
	struct rte_rcu_qsbr *qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(1));
	struct dp_reps *own;

	cr_assert(qsbr && !rte_rcu_qsbr_init(qsbr, 1));
	own = dp_reps_create(1, 64, qsbr);
	cr_assert(own);
	table = &own->table[0];
	table->older_max = 1 << 20;
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	struct dp_rep_key key = numbered(1);
	uint64_t one = begun(&key, "one", 0);
	size_t bytes = table->bytes;

	begun(&key, "two", 0);
	dp_rep_reclaim(table);
	cr_expect(!table->retired && is_version(&key, one, "one"));
	dp_rep_older_turn(table, DP_REP_OLDER_MS);
	dp_rep_reclaim(table);
	cr_expect(table->retired == 1 && table->bytes == 2 * bytes);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	dp_rep_reclaim(table);
	cr_expect(!table->retired && table->bytes == bytes);
	begun(&key, "one", 0); // and is there when the table goes
	cr_expect(table->older_bytes);
	dp_reps_free(own);
	free(qsbr);
}
