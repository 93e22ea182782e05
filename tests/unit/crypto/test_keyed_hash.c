// SPDX-License-Identifier: BSD-3-Clause
// The keyed hash of tables: what is prepared under one key is worth nothing under another, and
// inputs with a structure spread like random ones.

#include "crypto/keyed_hash.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdlib.h>

#define BUCKETS 1024
#define INPUTS  (16 * BUCKETS)

// A bucket of INPUTS random inputs has more than this once in 10^17 times (Poisson, mean 16).
#define BUCKET_MAX 64

// Inputs by which a CRC, a multiplication or a plain NH could be led into few buckets.
enum structure { COUNTING, HIGH_BITS, BOTH_WORDS, EQUAL_WORDS, STEPS, STRUCTURE_COUNT };

static void input_make(enum structure structure, uint64_t i, uint64_t word[2])
{
	word[0] = word[1] = 0;
	switch (structure) {
	case COUNTING:
		word[0] = i;
		break;
	case HIGH_BITS:
		word[0] = i << 48;
		break;
	case BOTH_WORDS:
		word[0] = i;
		word[1] = -i;
		break;
	case EQUAL_WORDS:
		word[0] = word[1] = i * UINT64_C(0x0001000100010001);
		break;
	default:
		word[1] = i * UINT64_C(0x100000001);
		break;
	}
}

static unsigned fullest_bucket(enum structure structure, unsigned shift)
{
	static unsigned bucket[BUCKETS];
	struct keyed_hash key;
	unsigned most = 0;

	keyed_hash_init(&key);
	memset(bucket, 0, sizeof(bucket));
	for (uint64_t i = 0; i < INPUTS; i++) {
		uint64_t word[2];

		input_make(structure, i, word);
		uint64_t hash = keyed_hash(&key, word, sizeof(word));
		unsigned n = ++bucket[(hash >> shift) % BUCKETS];

		most = n > most ? n : most;
	}
	return most;
}

Test(keyed_hash, structured_inputs_spread_like_random_ones)
{
	static const unsigned shifts[] = {0, 16, 24, 54};

	cr_assert_geq(sodium_init(), 0);
	for (enum structure s = 0; s < STRUCTURE_COUNT; s++)
		for (unsigned k = 0; k < sizeof(shifts) / sizeof(shifts[0]); k++)
			for (unsigned key = 0; key < 20; key++) {
				unsigned most = fullest_bucket(s, shifts[k]);

				cr_assert_lt(most, BUCKET_MAX, "structure %d, bits from %u: %u", s,
					shifts[k], most);
			}
}

// Pairs that collide in so many bits under one key; returns how many do under another too.
static unsigned collide_again(unsigned bits, unsigned len, unsigned wanted)
{
	uint64_t mask = (UINT64_C(1) << bits) - 1;
	uint64_t first[32] = {1}, second[32] = {0};
	struct keyed_hash key, other;
	unsigned found = 0, again = 0;

	keyed_hash_init(&key);
	keyed_hash_init(&other);
	uint64_t hash = keyed_hash(&key, first, len) & mask;

	for (uint64_t i = 2; found < wanted; i++) {
		second[0] = i;
		if ((keyed_hash(&key, second, len) & mask) != hash)
			continue;
		found++;
		again += (keyed_hash(&other, first, len) & mask) ==
			(keyed_hash(&other, second, len) & mask);
	}
	return again;
}

Test(keyed_hash, prepared_collisions_are_none_under_another_key)
{
	static const unsigned lens[] = {12, 16, 40, 255};

	cr_assert_geq(sodium_init(), 0);
	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		unsigned again = collide_again(12, lens[i], 512);

		// Expected: 512 / 4096. More than 8 by chance: once in 10^13 times.
		cr_expect_leq(again, 8, "length %u: %u of 512", lens[i], again);
	}
}

Test(keyed_hash, every_byte_and_the_length_count)
{
	uint8_t input[KEYED_HASH_MAX + 1] = {0};
	struct keyed_hash key;

	cr_assert_geq(sodium_init(), 0);
	keyed_hash_init(&key);
	for (unsigned len = 0; len <= KEYED_HASH_MAX; len++) {
		uint64_t hash = keyed_hash(&key, input, len);

		cr_assert_neq(hash, keyed_hash(&key, input, len + 1), "length %u", len);
		for (unsigned i = 0; i < len; i++) {
			input[i] = 0x80;
			cr_assert_neq(hash, keyed_hash(&key, input, len), "byte %u of %u", i, len);
			input[i] = 0;
		}
		input[len] = 1; // behind the end
		cr_assert_eq(hash, keyed_hash(&key, input, len), "length %u", len);
		input[len] = 0;
	}
}
