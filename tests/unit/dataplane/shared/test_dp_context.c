// SPDX-License-Identifier: BSD-3-Clause
// The context table: full, found, removed, never the same generation again, wiped.

#include "dataplane/shared/context.h"
#include "dataplane/shared/exchange.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>
#include <errno.h>

#define MANY 100000

static void key_of(const struct dp_context_table *table, struct dp_context_key *key, uint32_t n)
{
	uint8_t kid[4] = {n >> 24, n >> 16, n >> 8, n};

	// The same kid with and without an ID Context names two devices.
	dp_context_key_make(table, key, kid, sizeof(kid), n % 2, kid, sizeof(kid));
	if (n % 2)
		key->kid[3] &= ~1;
}

static int add(struct dp_context_table *table, const struct dp_context_key *key, enum aead_alg alg,
	uint8_t secret, uint32_t *index, uint32_t *generation)
{
	struct osc_keys keys;
	const struct dp_context_params params = {
		.alg = alg, .sender_id_len = 1, .keys = &keys, .window_known = true};

	memset(&keys, secret, sizeof(keys));
	int rc = dp_context_place(table, key, NULL, index, generation);

	if (rc)
		return rc;
	cr_assert_eq(dp_context_live(&table->context[*index]), 0, "placed, not published");
	dp_context_publish(table, *index, &params);
	cr_assert_eq(dp_context_live(&table->context[*index]), *generation);
	return 0;
}

static void retire(struct dp_context_table *table, const struct dp_context_key *key, uint32_t index)
{
	dp_context_unlink(table, key);
	table->context[index].generation++;
	dp_context_release(table, index);
}

// Made in one word or byte by byte, a key is the same, whatever follows the kid.
Test(dp_context, a_short_key_is_the_key)
{
	struct dp_context_key key, word;
	uint8_t bytes[16];

	for (unsigned len = 0; len <= OSC_KID_LEN_MAX; len++)
		for (unsigned fill = 0; fill < 256; fill++)
			for (unsigned at = 0; at < 8; at++) {
				for (unsigned i = 0; i < sizeof(bytes); i++)
					bytes[i] = fill + 37 * i;
				memset(&word, 0x55, sizeof(word));
				dp_context_key_make(NULL, &key, bytes + at, len, false, NULL, 0);
				dp_context_key_short(&word, bytes + at, len);
				cr_assert_arr_eq(&word, &key, sizeof(key));
			}
}

Test(dp_context, a_full_table_finds_everyone_and_takes_no_more)
{
	static uint32_t index[MANY], generation[MANY];
	static bool taken[MANY];
	struct dp_context_key key;
	uint32_t more, again;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(MANY);

	cr_assert_not_null(table);
	memset(taken, 0, sizeof(taken));
	for (uint32_t i = 0; i < MANY; i++) {
		key_of(table, &key, i);
		cr_assert_eq(add(table, &key, AEAD_AES_CCM_16_64_128, i, &index[i], &generation[i]),
			0, "%u of %u", i, MANY);
		cr_assert_lt(index[i], table->entries);
		cr_assert_not(taken[index[i]]);
		taken[index[i]] = true;
	}
	key_of(table, &key, MANY);
	cr_expect_eq(dp_context_place(table, &key, NULL, &more, &again), -ENOSPC);
	for (uint32_t i = 0; i < MANY; i++) {
		key_of(table, &key, i);
		cr_assert_eq(dp_context_find(table, &key), index[i]);
	}
	key_of(table, &key, 5);
	cr_expect_eq(dp_context_place(table, &key, NULL, &more, &again), -ENOSPC);
	// Every third goes, and others come in their places.
	for (uint32_t i = 0; i < MANY; i += 3) {
		key_of(table, &key, i);
		retire(table, &key, index[i]);
		cr_assert_eq(dp_context_find(table, &key), -ENOENT);
	}
	key_of(table, &key, 5);
	cr_expect_eq(dp_context_place(table, &key, NULL, &more, &again), -EEXIST);
	for (uint32_t i = 0; i < MANY; i += 3) {
		key_of(table, &key, MANY + i);
		cr_assert_eq(add(table, &key, AEAD_AES_CCM_16_64_128, i, &more, &again), 0);
		cr_assert_gt(again, 1, "generations of an index only rise");
		cr_assert(again & 1);
	}
	cr_expect_eq(table->count, MANY);
	for (uint32_t i = 0; i < MANY; i++) {
		key_of(table, &key, i);
		cr_assert_eq(dp_context_find(table, &key), i % 3 ? (int64_t)index[i] : -ENOENT);
	}
	dp_context_table_free(table);
}

Test(dp_context, generations_of_an_index_only_rise)
{
	struct dp_context_key key;
	uint32_t last[8] = {0};
	uint32_t index, generation;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(1);

	cr_assert_not_null(table);
	for (uint32_t i = 0; i < 1000; i++) {
		key_of(table, &key, i);
		cr_assert_eq(add(table, &key, AEAD_AES_CCM_16_64_128, 1, &index, &generation), 0);
		cr_assert_lt(index, 8);
		cr_assert_gt(generation, last[index]);
		last[index] = generation;
		retire(table, &key, index);
		cr_assert_eq(dp_context_live(&table->context[index]), 0);
	}
	dp_context_table_free(table);
}

static bool all_zero(const void *bytes, size_t len)
{
	return sodium_is_zero(bytes, len);
}

Test(dp_context, keys_are_wiped_when_a_place_is_released)
{
	struct dp_context_key key;
	uint32_t index, generation;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(8);

	cr_assert_not_null(table);
	for (unsigned alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		bool is_long = aead_algs[alg].key_len > DP_KEY_INLINE;

		key_of(table, &key, alg);
		cr_assert_eq(add(table, &key, alg, 0xa5, &index, &generation), 0);
		const struct dp_context *ctx = &table->context[index];
		const struct dp_long_keys *keys = &table->long_keys[index];

		cr_expect_eq(!(ctx->flags & DP_CONTEXT_LONG_KEYS), !is_long);
		for (unsigned i = 0; i < aead_algs[alg].key_len; i++) {
			cr_assert_eq(dp_context_recipient_key(table, ctx)[i], 0xa5);
			cr_assert_eq(dp_context_sender_key(table, ctx)[i], 0xa5);
		}
		cr_expect_neq(all_zero(keys, sizeof(*keys)), is_long);
		retire(table, &key, index);
		cr_expect(all_zero(keys, sizeof(*keys)), "256-bit keys stay behind");
		cr_expect(all_zero(ctx->recipient_key, sizeof(ctx->recipient_key)));
		cr_expect(all_zero(ctx->sender_key, sizeof(ctx->sender_key)));
		cr_expect(all_zero(ctx->common_iv, sizeof(ctx->common_iv)));
	}
	dp_context_table_free(table);
}

Test(dp_context, a_line_of_the_side_table_is_wiped)
{
	struct dp_context_key key;
	uint32_t index, generation;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(8);

	cr_assert_not_null(table);
	for (unsigned i = 0; i < 3; i++) {
		key_of(table, &key, i);
		cr_assert_eq(add(table, &key, AEAD_AES_CCM_16_64_128, 1, &index, &generation), 0);
		struct dp_side *side = &table->side[index];

		cr_expect(all_zero(side, sizeof(*side)), "of a device that was there before");
		dp_context_resync(table, index, 0);
		cr_expect_eq(side->unknown_phases, 1);
		memset(side, 0xa5, sizeof(*side));
		retire(table, &key, index);
		cr_expect(all_zero(side, sizeof(*side)), "stays behind");
	}
	dp_context_table_free(table);
}

Test(dp_context, a_key_names_length_kid_and_id_context)
{
	static const uint8_t kid[OSC_KID_LEN_MAX] = {0};
	struct dp_context_key keys[2 * (OSC_KID_LEN_MAX + 1) + 1];
	unsigned n = 0;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(1);

	cr_assert_not_null(table);
	// Kids of zeros differ in length alone; no ID Context is not an empty one.
	for (unsigned len = 0; len <= OSC_KID_LEN_MAX; len++) {
		dp_context_key_make(table, &keys[n++], kid, len, false, NULL, 0);
		dp_context_key_make(table, &keys[n++], kid, len, true, kid, 0);
	}
	dp_context_key_make(table, &keys[n++], kid, 0, true, kid, 1);
	for (unsigned i = 0; i < n; i++)
		for (unsigned k = 0; k < i; k++)
			cr_expect(memcmp(&keys[i], &keys[k], sizeof(keys[i])), "%u and %u", i, k);
	dp_context_table_free(table);
}

// However the words of a key are made, they are its bytes.
Test(dp_context, a_key_holds_the_bytes_of_its_kid)
{
	static const uint8_t kid[] = {0xf1, 0x02, 0xe3, 0x04, 0xd5, 0x06, 0xc7};
	struct dp_context_key key, wanted;

	for (unsigned len = 0; len <= OSC_KID_LEN_MAX; len++) {
		// Of the right size, so that a sanitizer sees a byte too many.
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, kid, len);
		memset(&wanted, 0, sizeof(wanted));
		wanted.kid_len = len;
		memcpy(wanted.kid, kid, len);
		memset(&key, 0xff, sizeof(key));
		dp_context_key_make(NULL, &key, copy, len, false, NULL, 0);
		cr_expect(!memcmp(&key, &wanted, sizeof(key)), "%u bytes", len);
		free(copy);
	}
}

// The lowest bits choose the worker of a device.
Test(dp_context, kids_that_collide_in_one_table_do_not_in_another)
{
	enum { BUCKETS = 4096, KIDS = 1 << 18 };
	unsigned collide = 0, again = 0, bucket = 0;
	struct dp_context_key key;

	bed_eal_init();
	struct dp_context_table *one = dp_context_table_create(1);
	struct dp_context_table *other = dp_context_table_create(1);

	cr_assert(one && other);
	for (unsigned i = 0; i < KIDS; i++) {
		key_of(one, &key, 2 * i);
		if (dp_context_hash(one, &key) % BUCKETS)
			continue;
		if (!collide++)
			bucket = dp_context_hash(other, &key) % BUCKETS;
		else
			again += dp_context_hash(other, &key) % BUCKETS == bucket;
	}
	cr_expect_gt(collide, 10, "%u", collide);
	cr_expect_lt(again, 4, "%u of %u are together again", again, collide);
	dp_context_table_free(one);
	dp_context_table_free(other);
}

static bool possible(const struct dp_context_table *table, unsigned kid_len, int id_context_len)
{
	return dp_context_possible(
		table, kid_len, id_context_len >= 0, id_context_len < 0 ? 0 : id_context_len);
}

Test(dp_context, lengths_that_no_device_has_are_not_possible)
{
	static const uint8_t id[255];
	struct dp_context_key keys[3];
	uint32_t index[3], generation;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(8);

	cr_assert_not_null(table);
	dp_context_key_make(table, &keys[0], id, 3, false, NULL, 0);
	dp_context_key_make(table, &keys[1], id, 7, true, id, 255);
	dp_context_key_make(table, &keys[2], id, 3, true, id, 0);
	cr_expect_not(possible(table, 3, -1), "nobody is there");
	for (unsigned i = 0; i < 3; i++)
		cr_assert_eq(
			add(table, &keys[i], AEAD_AES_CCM_16_64_128, 1, &index[i], &generation), 0);
	for (unsigned kid_len = 0; kid_len < 256; kid_len++)
		for (int len = -1; len < 256; len++)
			cr_assert_eq(possible(table, kid_len, len),
				(kid_len == 3 || kid_len == 7) &&
					(len == -1 || len == 0 || len == 255),
				"%u, %d", kid_len, len);
	retire(table, &keys[2], index[2]);
	cr_expect_not(possible(table, 3, 0));
	cr_expect(possible(table, 3, -1), "another device has it still");
	retire(table, &keys[0], index[0]);
	retire(table, &keys[1], index[1]);
	for (unsigned kid_len = 0; kid_len < 256; kid_len++)
		cr_assert_not(possible(table, kid_len, -1), "%u", kid_len);
	dp_context_table_free(table);
}

#define KIDS   5
#define OF_KID 4 // the first of them without ID Context
#define TABLE  12
#define GRACE  3 // steps after which what was unlinked is released

static void name_of(
	const struct dp_context_table *table, struct dp_context_key *key, unsigned kid, unsigned n)
{
	uint8_t kids[] = {kid}, contexts[] = {n};

	dp_context_key_make(table, key, kids, 1, n != 0, contexts, n > 1);
}

// Whom (kid, none) names: who has no ID Context, else the only one.
static uint32_t alias_of(const int64_t index[OF_KID])
{
	uint32_t one = DP_INDEX_NONE, count = 0;

	if (index[0] >= 0)
		return index[0];
	for (unsigned n = 1; n < OF_KID; n++)
		if (index[n] >= 0) {
			one = index[n];
			count++;
		}
	return count == 1 ? one : DP_INDEX_NONE;
}

// Against a plain table, with places that come back later than names go.
Test(dp_context, names_follow_who_has_the_kid)
{
	int64_t index[KIDS][OF_KID], retiring[GRACE];
	unsigned count = 0, full = 0, again = 0, aliases = 0;
	uint64_t state = 88172645463325252;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(TABLE);

	memset(index, -1, sizeof(index));
	memset(retiring, -1, sizeof(retiring));
	for (unsigned step = 0; step < 200000; step++) {
		state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
		unsigned kid = (state >> 33) % KIDS, n = (state >> 43) % OF_KID;
		struct dp_context_key key;
		uint32_t at, generation;

		if (retiring[step % GRACE] >= 0)
			dp_context_release(table, retiring[step % GRACE]);
		retiring[step % GRACE] = -1;
		name_of(table, &key, kid, n);
		if (index[kid][n] < 0) {
			int rc = add(table, &key, AEAD_AES_CCM_16_64_128, 1, &at, &generation);

			full += rc == -ENOSPC;
			cr_assert_eq(rc, count < TABLE ? 0 : -ENOSPC);
			if (!rc) {
				index[kid][n] = at;
				count++;
			}
		} else if (state >> 60 < 9) {
			dp_context_unlink(table, &key);
			table->context[index[kid][n]].generation++;
			retiring[step % GRACE] = index[kid][n];
			index[kid][n] = -1;
			count--;
		} else {
			again += add(table, &key, 0, 1, &at, &generation) ==
				(count < TABLE ? -EEXIST : -ENOSPC);
		}
		for (n = 0; n < OF_KID; n++) {
			name_of(table, &key, kid, n);
			cr_assert_eq(dp_context_find(table, &key),
				index[kid][n] < 0 ? -ENOENT : index[kid][n]);
			cr_assert_eq(dp_names_find(&table->names, &key),
				n ? (uint32_t)index[kid][n] : alias_of(index[kid]), "step %u",
				step);
		}
		aliases += index[kid][0] < 0 && alias_of(index[kid]) != DP_INDEX_NONE;
	}
	cr_expect_gt(full, 100);
	cr_expect_gt(again, 100);
	cr_expect_gt(aliases, 100);
	dp_context_table_free(table);
}

// A device that is rotated in a full table needs its new place before the old one is free.
Test(dp_context, a_full_table_has_room_for_what_retires)
{
	uint32_t index[8], generation, retired[64], count = 0, last = 0;
	struct dp_context_key key;
	int rc;

	bed_eal_init();
	struct dp_context_table *table = dp_context_table_create(8);

	for (unsigned i = 0; i < 8; i++) {
		key_of(table, &key, i);
		cr_assert_eq(add(table, &key, 0, 1, &index[i], &generation), 0);
	}
	key_of(table, &key, 7);
	do {
		cr_assert_lt(count, 64u);
		dp_context_unlink(table, &key);
		retired[count++] = index[7];
		rc = dp_context_place(table, &key, NULL, &index[7], &generation);
	} while (!rc);
	cr_expect_eq(rc, -EAGAIN);
	cr_expect_geq(count, 16u);
	cr_expect_eq(dp_context_find(table, &key), -ENOENT);
	dp_context_release(table, retired[last++]);
	cr_expect_eq(dp_context_place(table, &key, NULL, &index[7], &generation), 0);
	cr_expect_eq(dp_context_find(table, &key), retired[0]);
	dp_context_table_free(table);
}
