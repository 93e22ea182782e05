// SPDX-License-Identifier: BSD-3-Clause

#include "gw/edhoc/shard.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static struct shard_plan plan_make(unsigned id_len, unsigned bits)
{
	struct shard_plan plan = {.id_len = (uint8_t)id_len, .bits = (uint8_t)bits};

	cr_assert_geq(sodium_init(), 0);
	randombytes_buf(plan.key, sizeof(plan.key));
	return plan;
}

static uint32_t id_value(const uint8_t *id, unsigned len)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < len; i++)
		value = value << 8 | id[i];
	return value;
}

// Every pair has an identifier of its own, and each identifier leads back to its pair. Of the
// serials every step-th is tried.
static void bijective(unsigned id_len, unsigned bits, unsigned step)
{
	const struct shard_plan plan = plan_make(id_len, bits);
	const uint32_t all = 1U << 8 * id_len;
	uint8_t *seen = calloc(all, 1);

	cr_assert_eq((uint64_t)shard_serials(&plan) << bits, all);
	for (unsigned shard = 0; shard < 1U << bits; shard++)
		for (uint32_t serial = 0; serial < shard_serials(&plan); serial += step) {
			uint8_t id[SHARD_ID_MAX];
			unsigned back;
			uint32_t back_serial;

			shard_id_make(&plan, shard, serial, id);
			const uint32_t value = id_value(id, id_len);

			if (seen[value]++)
				cr_assert_fail("%u/%u: %x twice", shard, serial, value);
			shard_id_read(&plan, id, &back, &back_serial);
			if (back != shard || back_serial != serial ||
				shard_of(&plan, id, id_len) != shard)
				cr_assert_fail(
					"%u/%u leads to %u/%u", shard, serial, back, back_serial);
		}
	free(seen);
}

Test(edhoc_shard, identifiers_of_2_bytes_are_a_permutation)
{
	for (unsigned bits = 0; bits <= SHARD_BITS; bits++)
		bijective(2, bits, 1);
}

Test(edhoc_shard, identifiers_of_3_bytes_are_a_permutation)
{
	bijective(3, 4, 61);
}

Test(edhoc_shard, identifiers_of_4_bytes_lead_back)
{
	for (unsigned bits = 0; bits <= SHARD_BITS; bits++) {
		const struct shard_plan plan = plan_make(4, bits);
		const uint32_t serials = shard_serials(&plan);

		cr_assert_eq(serials, bits ? 1U << (32 - bits) : UINT32_MAX);
		for (unsigned i = 0; i < 20000; i++) {
			const unsigned shard = randombytes_uniform(1U << bits);
			const uint32_t serial = i == 0 ? 0
				: i == 1               ? serials - 1
						       : randombytes_uniform(serials);
			uint8_t id[SHARD_ID_MAX];
			unsigned back;
			uint32_t back_serial;

			shard_id_make(&plan, shard, serial, id);
			shard_id_read(&plan, id, &back, &back_serial);
			cr_assert(back == shard && back_serial == serial);
		}
	}
}

// Serials one behind the other give identifiers that are spread: none of the differences, shards or
// first bytes is had much more often than another.
Test(edhoc_shard, neighbours_have_nothing_in_common)
{
	enum { N = 65536 };
	const struct shard_plan plan = plan_make(3, 4);
	static unsigned first[256], difference[256];
	uint32_t before = 0;

	for (uint32_t serial = 0; serial < N; serial++) {
		uint8_t id[SHARD_ID_MAX];

		shard_id_make(&plan, 5, serial, id);
		const uint32_t value = id_value(id, 3);

		first[id[0]]++;
		difference[(value - before) >> 16 & 0xff]++;
		before = value;
	}
	// 256 each on the average, 16 the standard deviation.
	for (unsigned i = 0; i < 256; i++) {
		cr_assert(first[i] > 256 - 112 && first[i] < 256 + 112, "%u: %u", i, first[i]);
		cr_assert(difference[i] > 256 - 112 && difference[i] < 256 + 112);
	}
}

Test(edhoc_shard, another_key_is_another_permutation)
{
	const struct shard_plan one = plan_make(3, 2), other = plan_make(3, 2);
	unsigned alike = 0;

	for (uint32_t serial = 0; serial < 1000; serial++) {
		uint8_t id[2][SHARD_ID_MAX];

		shard_id_make(&one, 1, serial, id[0]);
		shard_id_make(&other, 1, serial, id[1]);
		alike += !memcmp(id[0], id[1], 3);
	}
	cr_assert_leq(alike, 3);
}

Test(edhoc_shard, kids_of_other_lengths_are_spread_by_a_hash)
{
	const struct shard_plan plan = plan_make(3, 3);
	unsigned of[8] = {0};

	for (unsigned i = 0; i < 8000; i++) {
		const uint8_t kid[4] = {(uint8_t)(i >> 8), (uint8_t)i, 1, 2};
		const unsigned shard = shard_of(&plan, kid, 2 + i % 2 * 2);

		cr_assert_lt(shard, 8);
		cr_assert_eq(shard, shard_of(&plan, kid, 2 + i % 2 * 2));
		of[shard]++;
	}
	for (unsigned i = 0; i < 8; i++)
		cr_assert(of[i] > 800 && of[i] < 1200, "%u", of[i]);
	cr_assert_lt(shard_of(&plan, NULL, 0), 8);
}

// The permutation of a key is the same in every release: identifiers outlive the program.
Test(edhoc_shard, the_permutation_is_fixed)
{
	struct shard_plan plan = {.id_len = 3, .bits = 4};
	uint8_t id[SHARD_ID_MAX];

	for (unsigned i = 0; i < SHARD_KEY_LEN; i++)
		plan.key[i] = (uint8_t)i;
	shard_id_make(&plan, 5, 12345, id);
	cr_assert_eq(id_value(id, 3), 0xd3bc7c);
	plan.id_len = 2;
	shard_id_make(&plan, 15, 4095, id);
	cr_assert_eq(id_value(id, 2), 0x488);
	plan.id_len = 4;
	shard_id_make(&plan, 0, 0, id);
	cr_assert_eq(id_value(id, 4), 0x47fe512f);
	cr_assert_eq(shard_of(&plan, (const uint8_t *)"device", 6), 4);
}
