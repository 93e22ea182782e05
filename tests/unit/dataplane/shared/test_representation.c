// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/representation.h"

#include <rte_rcu_qsbr.h>

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>

// ---- keys

static struct keyed_hash hash;

struct options {
	uint8_t bytes[2048];
	struct coap_writer writer;
	struct coap_body body;
};

static void begin(struct options *o)
{
	coap_writer_init(&o->writer, o->bytes, sizeof(o->bytes));
}

static struct coap_body *end(struct options *o)
{
	cr_assert(coap_body_parse(&o->body, o->bytes, coap_writer_len(&o->writer)) == COAP_OK);
	return &o->body;
}

static struct dp_rep_key key_of(const struct dp_rep_asker *asker, struct options *o)
{
	struct dp_rep_key key;

	memset(&key, 0, sizeof(key));
	cr_assert(dp_rep_key_make(&key, &hash, asker, end(o)));
	return key;
}

static bool same(const struct dp_rep_key *a, const struct dp_rep_key *b)
{
	bool is = a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);

	if (is)
		cr_assert(a->hash == b->hash);
	return is;
}

static const struct dp_rep_asker shared = {.route = 7, .code = COAP_GET, .shared = true};

static struct options *path(struct options *o)
{
	begin(o);
	coap_write_option(&o->writer, COAP_OPT_URI_PATH, "a", 1);
	coap_write_option(&o->writer, COAP_OPT_URI_PATH, "bc", 2);
	return o;
}

Test(representation_key, who_asks_where)
{
	struct options o;

	keyed_hash_init(&hash);
	struct dp_rep_key key = key_of(&shared, path(&o));
	struct dp_rep_asker other = shared;

	other.route = 8;
	struct dp_rep_key k = key_of(&other, path(&o));
	cr_expect(!same(&key, &k), "route");
	other = shared;
	other.code = COAP_FETCH;
	k = key_of(&other, path(&o));
	cr_expect(!same(&key, &k), "method");
	other = shared;
	other.context = 9;
	other.generation = 3;
	k = key_of(&other, path(&o));
	cr_expect(same(&key, &k), "a shared answer is everybody's");
	other.shared = false;
	struct dp_rep_key mine = key_of(&other, path(&o));
	cr_expect(!same(&key, &mine), "one device's is not the shared one");
	other.generation = 4;
	k = key_of(&other, path(&o));
	cr_expect(!same(&mine, &k), "generation");
	other.generation = 3;
	other.context = 10;
	k = key_of(&other, path(&o));
	cr_expect(!same(&mine, &k), "context");
	other = (struct dp_rep_asker){.route = 7, .code = COAP_GET};
	k = key_of(&other, path(&o));
	cr_expect(!same(&key, &k), "the first context of all is a device");
}

Test(representation_key, options_that_do_not_count)
{
	static const uint16_t left_out[] = {COAP_OPT_ETAG, COAP_OPT_OBSERVE, COAP_OPT_BLOCK2,
		COAP_OPT_SIZE2, COAP_OPT_SIZE1, COAP_OPT_ECHO, COAP_OPT_NO_RESPONSE,
		COAP_OPT_HOP_LIMIT, 0x1c + 32 * 9};
	struct options o;

	keyed_hash_init(&hash);
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++) {
		begin(&o);
		coap_write_option(&o.writer, COAP_OPT_URI_HOST, "h", 1);
		if (left_out[i] < COAP_OPT_URI_PATH)
			coap_write_option(&o.writer, left_out[i], "x", 1);
		coap_write_option(&o.writer, COAP_OPT_URI_PATH, "a", 1);
		if (left_out[i] > COAP_OPT_URI_PATH)
			coap_write_option(&o.writer, left_out[i], "x", 1);
		struct dp_rep_key with = key_of(&shared, &o);

		begin(&o);
		coap_write_option(&o.writer, COAP_OPT_URI_HOST, "h", 1);
		coap_write_option(&o.writer, COAP_OPT_URI_PATH, "a", 1);
		struct dp_rep_key without = key_of(&shared, &o);
		cr_expect(same(&with, &without), "option %u", left_out[i]);
	}
}

Test(representation_key, options_that_count)
{
	static const uint16_t counted[] = {COAP_OPT_URI_HOST, COAP_OPT_URI_PORT, COAP_OPT_URI_PATH,
		COAP_OPT_CONTENT_FORMAT, COAP_OPT_URI_QUERY, COAP_OPT_ACCEPT, COAP_OPT_REQUEST_TAG,
		60000};
	struct dp_rep_key keys[2 * sizeof(counted) / sizeof(counted[0])];
	unsigned n = 0;
	struct options o;

	keyed_hash_init(&hash);
	for (size_t i = 0; i < sizeof(counted) / sizeof(counted[0]); i++)
		for (unsigned value = 1; value < 3; value++) {
			begin(&o);
			coap_write_option_uint(&o.writer, counted[i], value);
			keys[n++] = key_of(&shared, &o);
		}
	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < i; j++)
			cr_expect(!same(&keys[i], &keys[j]), "%u and %u", i, j);
}

// Values with the same bytes in a row, in other pieces.
Test(representation_key, pieces_do_not_flow_together)
{
	static const char *const pieces[][3] = {
		{"ab", "", NULL}, {"a", "b", NULL}, {"", "ab", NULL}, {"ab", NULL}, {"a", "", "b"}};
	struct dp_rep_key keys[sizeof(pieces) / sizeof(pieces[0])];
	struct options o;

	keyed_hash_init(&hash);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		begin(&o);
		for (unsigned j = 0; j < 3 && pieces[i][j]; j++)
			coap_write_option(
				&o.writer, COAP_OPT_URI_QUERY, pieces[i][j], strlen(pieces[i][j]));
		keys[i] = key_of(&shared, &o);
		for (size_t j = 0; j < i; j++)
			cr_expect(!same(&keys[i], &keys[j]), "%zu and %zu", i, j);
	}
}

Test(representation_key, payload_of_fetch)
{
	const struct dp_rep_asker fetch = {.route = 7, .code = COAP_FETCH, .shared = true};
	struct dp_rep_key keys[3];
	struct options o;

	keyed_hash_init(&hash);
	for (unsigned i = 0; i < 3; i++) {
		path(&o);
		coap_write_payload(&o.writer, "ab", i);
		keys[i] = key_of(&fetch, &o);
		for (unsigned j = 0; j < i; j++)
			cr_expect(!same(&keys[i], &keys[j]), "%u and %u", i, j);
	}
	path(&o);
	coap_write_payload(&o.writer, "ab", 2);
	struct dp_rep_key with = key_of(&shared, &o), without = key_of(&shared, path(&o));
	cr_expect(same(&with, &without), "that of GET means nothing");
}

Test(representation_key, too_long)
{
	uint8_t value[255];
	struct options o;
	struct dp_rep_key key;

	keyed_hash_init(&hash);
	memset(value, 'v', sizeof(value));
	for (size_t len = 255, n = 1; n < 6; n++) {
		path(&o);
		for (size_t i = 0; i < n; i++)
			coap_write_option(&o.writer, COAP_OPT_URI_QUERY, value, len);
		bool made = dp_rep_key_make(&key, &hash, &shared, end(&o));

		cr_expect(
			made == (3 * 8 + 16 + 16 + n * (8 + len + 1) <= DP_REP_KEY_MAX), "%zu", n);
	}
}

// Bytes behind the first block of the hash count.
Test(representation_key, long_keys_spread)
{
	struct dp_rep_key keys[64];
	struct options o;

	keyed_hash_init(&hash);
	for (unsigned i = 0; i < 64; i++) {
		uint8_t value[255] = {0};

		begin(&o);
		for (unsigned j = 0; j < 3; j++) {
			value[254] = (uint8_t)(j == 2 ? i : 0);
			coap_write_option(&o.writer, COAP_OPT_URI_QUERY, value, sizeof(value));
		}
		keys[i] = key_of(&shared, &o);
		for (unsigned j = 0; j < i; j++)
			cr_expect(keys[i].hash != keys[j].hash, "%u and %u", i, j);
	}
}

Test(representation_key, path_hash)
{
	struct options a, b;

	keyed_hash_init(&hash);
	path(&a);
	coap_write_option(&a.writer, COAP_OPT_URI_QUERY, "q", 1);
	coap_write_option_uint(&a.writer, COAP_OPT_ACCEPT, 60);
	path(&b);
	cr_expect(dp_rep_path_hash(&hash, end(&a)) == dp_rep_path_hash(&hash, end(&b)),
		"whatever the query");
	begin(&b);
	coap_write_option(&b.writer, COAP_OPT_URI_PATH, "ab", 2);
	coap_write_option(&b.writer, COAP_OPT_URI_PATH, "c", 1);
	cr_expect(dp_rep_path_hash(&hash, end(&a)) != dp_rep_path_hash(&hash, end(&b)));
}

// ---- the table, without workers

static struct dp_reps *reps;
static struct dp_rep_table *table;

static void setup(void)
{
	reps = dp_reps_create(2, 4096, NULL);
	cr_assert(reps);
	table = &reps->table[0];
}

static void teardown(void)
{
	dp_reps_free(reps);
}

TestSuite(representation, .init = setup, .fini = teardown);

static struct dp_rep_key numbered(unsigned number)
{
	struct dp_rep_key key;
	struct options o;
	char query[16];

	memset(&key, 0, sizeof(key));
	path(&o);
	coap_write_option(&o.writer, COAP_OPT_URI_QUERY, query,
		(size_t)snprintf(query, sizeof(query), "%u", number));
	cr_assert(dp_rep_key_make(&key, &reps->keys, &shared, end(&o)));
	return key;
}

// A number whose key has the home of another one.
static struct dp_rep_key neighbour(const struct dp_rep_key *key, unsigned *number)
{
	for (;;) {
		struct dp_rep_key other = numbered(++*number);

		if (dp_rep_home(table, other.hash) == dp_rep_home(table, key->hash))
			return other;
	}
}

static uint32_t put(const struct dp_rep_key *key, const char *payload, uint64_t now)
{
	uint32_t slot = dp_rep_place(table, key->hash, key->bytes, key->len, NULL, NULL);

	if (slot == DP_INDEX_NONE)
		return slot;
	const struct dp_representation *before = dp_rep_at(table, slot);

	if (before && before->hash != key->hash && !dp_rep_evict(table, slot))
		return DP_INDEX_NONE;
	struct dp_representation *rep = dp_rep_make(key, (uint32_t)strlen(payload));

	cr_assert(rep);
	rep->code = COAP_CONTENT;
	rep->content_format = DP_REP_NO_FORMAT;
	rep->stored_ms = now;
	rep->fresh_ms = now + 1000;
	memcpy(rep->bytes + rep->key_len, payload, strlen(payload));
	dp_rep_publish(table, slot, rep);
	return slot;
}

Test(representation, found_by_its_key)
{
	struct dp_rep_key one = numbered(1), two = numbered(2);
	uint32_t slot = UINT32_MAX;

	cr_assert(!dp_rep_find(table, &one, &slot));
	put(&one, "first", 10);
	const struct dp_representation *rep = dp_rep_find(table, &one, &slot);

	cr_assert(rep);
	cr_expect(dp_rep_at(table, slot) == rep);
	cr_expect(rep->payload_len == 5 && !memcmp(dp_rep_payload(rep), "first", 5));
	cr_expect(!dp_rep_find(table, &two, &slot));
	cr_expect(!dp_rep_find(&reps->table[1], &one, &slot), "of one loop");
	cr_expect(table->count == 1);
	cr_expect(table->bytes == dp_rep_bytes(rep));
}

// Two keys with one hash, as far as the table sees.
Test(representation, compared_in_full)
{
	struct dp_rep_key one = numbered(1), two = numbered(2);
	uint32_t slot;

	two.hash = one.hash;
	put(&one, "first", 10);
	cr_expect(!dp_rep_find(table, &two, &slot));
	two.hash = one.hash;
	two.len = one.len - 1;
	cr_expect(!dp_rep_find(table, &two, &slot));
}

Test(representation, versions)
{
	struct dp_rep_key key = numbered(1);
	uint32_t slot = put(&key, "first", 10);
	uint64_t version = dp_rep_at(table, slot)->version;

	cr_expect(version);
	cr_expect(put(&key, "first", 20) == slot);
	cr_expect(dp_rep_at(table, slot)->version == version, "it says the same");
	cr_expect(dp_rep_at(table, slot)->stored_ms == 20);
	put(&key, "other", 30);
	cr_expect(dp_rep_at(table, slot)->version > version);
	cr_expect(table->count == 1);
}

Test(representation, stale_by_time_and_by_change)
{
	struct dp_rep_key key = numbered(1);
	uint32_t slot = put(&key, "first", 10);
	const struct dp_representation *rep = dp_rep_at(table, slot);

	cr_expect(dp_rep_is_fresh(reps, rep, 10));
	cr_expect(dp_rep_is_fresh(reps, rep, 1009));
	cr_expect(!dp_rep_is_fresh(reps, rep, 1010));
	dp_rep_epoch_raise(reps, rep->epoch_index + 1);
	cr_expect(dp_rep_is_fresh(reps, rep, 10), "another path");
	dp_rep_epoch_raise(reps, rep->epoch_index);
	cr_expect(!dp_rep_is_fresh(reps, rep, 10));
}

Test(representation, the_unused_give_way_and_the_observed_never)
{
	struct dp_rep_key key[DP_REP_WAYS + 3];
	unsigned number = 0;
	uint32_t slot[DP_REP_WAYS + 3], found;

	key[0] = numbered(0);
	for (unsigned i = 1; i < DP_REP_WAYS + 3; i++)
		key[i] = neighbour(&key[0], &number);
	for (unsigned i = 0; i < DP_REP_WAYS; i++) {
		slot[i] = put(&key[i], "x", i);
		cr_assert(dp_rep_find(table, &key[i], &found) && found == slot[i]);
	}
	// The oldest is used, the next is observed.
	dp_rep_use(table, slot[0]);
	cr_assert(dp_rep_pin(table, slot[1], key[1].hash));
	slot[DP_REP_WAYS] = put(&key[DP_REP_WAYS], "y", 100);
	cr_expect(slot[DP_REP_WAYS] == slot[2]);
	cr_expect(!dp_rep_find(table, &key[2], &found));
	cr_expect(table->count == DP_REP_WAYS);
	// All are observed: no room, and all are still there.
	for (unsigned i = 0; i < DP_REP_WAYS + 1; i++)
		if (i != 1 && i != 2)
			cr_assert(dp_rep_pin(table, slot[i], key[i].hash));
	cr_expect(put(&key[DP_REP_WAYS + 1], "z", 200) == DP_INDEX_NONE);
	cr_expect(!dp_rep_evict(table, slot[1]));
	cr_expect(dp_rep_find(table, &key[1], &found) && found == slot[1]);
	cr_expect(put(&key[1], "news", 200) == slot[1], "the same key has its slot");
	dp_rep_unpin(table, slot[1]);
	cr_expect(put(&key[DP_REP_WAYS + 1], "z", 200) == slot[1]);
}

// What is gone though it is observed leaves its slot to nobody else.
Test(representation, a_dropped_one_keeps_its_slot_while_it_is_observed)
{
	struct dp_rep_key key[DP_REP_WAYS + 1];
	unsigned number = 0;
	uint32_t slot, found;

	key[0] = numbered(0);
	for (unsigned i = 1; i < DP_REP_WAYS + 1; i++)
		key[i] = neighbour(&key[0], &number);
	slot = put(&key[0], "x", 1);
	cr_assert(dp_rep_pin(table, slot, key[0].hash));
	dp_rep_drop(table, slot);
	cr_expect(!dp_rep_find(table, &key[0], &found));
	for (unsigned i = 1; i < DP_REP_WAYS + 1; i++)
		cr_expect(put(&key[i], "y", 2) != slot);
	cr_expect(put(&key[0], "again", 3) == slot);
	dp_rep_drop(table, slot);
	dp_rep_unpin(table, slot);
	key[1] = neighbour(&key[0], &number);
	cr_expect(put(&key[1], "y", 2) == slot);
}

Test(representation, a_pin_needs_the_key)
{
	struct dp_rep_key one = numbered(1);
	uint32_t slot = put(&one, "x", 1);

	cr_expect(!dp_rep_pin(table, slot, one.hash + 1));
	dp_rep_drop(table, slot);
	cr_expect(!dp_rep_pin(table, slot, one.hash));
	cr_expect(!dp_rep_pins(table, slot));
	cr_expect(!table->bytes && !table->count);
}

// What a worker may be reading is freed when it has passed, and not before.
Test(representation, freed_when_workers_have_passed)
{
	struct rte_rcu_qsbr *qsbr = aligned_alloc(RTE_CACHE_LINE_SIZE, rte_rcu_qsbr_get_memsize(1));
	struct dp_reps *own;

	cr_assert(qsbr && !rte_rcu_qsbr_init(qsbr, 1));
	own = dp_reps_create(1, 64, qsbr);
	cr_assert(own);
	table = &own->table[0];
	rte_rcu_qsbr_thread_register(qsbr, 0);
	rte_rcu_qsbr_thread_online(qsbr, 0);
	struct dp_rep_key key = numbered(1);

	put(&key, "first", 1);
	size_t bytes = table->bytes;

	put(&key, "other", 2);
	dp_rep_reclaim(table);
	cr_expect(table->retired == 1 && table->bytes == 2 * bytes);
	rte_rcu_qsbr_quiescent(qsbr, 0);
	dp_rep_reclaim(table);
	cr_expect(!table->retired && table->bytes == bytes);
	dp_reps_free(own);
	free(qsbr);
}

Test(representation, many)
{
	uint32_t found;
	unsigned there = 0;

	for (unsigned i = 0; i < 20000; i++) {
		struct dp_rep_key key = numbered(i);

		put(&key, "payload", i);
	}
	for (unsigned i = 0; i < 20000; i++) {
		struct dp_rep_key key = numbered(i);
		const struct dp_representation *rep = dp_rep_find(table, &key, &found);

		there += rep != NULL;
		cr_expect(!rep || rep->stored_ms == i);
	}
	cr_expect(there == table->count);
	cr_expect(there > 4000 && there <= table->slots);
}
