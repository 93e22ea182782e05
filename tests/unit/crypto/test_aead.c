// SPDX-License-Identifier: BSD-3-Clause
// What crypto/aead.h promises about batches, for every engine and algorithm.

#include "tests/unit/crypto/aead_vectors.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

// Around every boundary of blocks and counters, and the longest that fits into a jumbo frame and
// into struct aead_op.
static const size_t lengths[] = {0, 1, 7, 8, 9, 15, 16, 17, 23, 24, 31, 32, 33, 47, 48, 49, 63, 64,
	65, 79, 80, 96, 100, 127, 128, 129, 160, 200, 255, 256, 257, 512, 1000, 1024, 1152, 1472,
	4095, 4096, 4097, 9000, 65000};
// As CCM counts them, these are 0, 1, 1, 1, 2, ... blocks with the 2-byte prefix.
static const size_t aad_lengths[] = {0, 1, 13, 14, 15, 20, 24, 30, 31, 46, 47, 62, 64, 100, 300};
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void lengths_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa), *oracle = engine_for("openssl");

	for (enum aead_alg alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		struct aead_vectors vectors = {.alg = alg};

		for (unsigned i = 0; i < COUNT_OF(lengths); i++) {
			for (unsigned k = 0; k < COUNT_OF(aad_lengths); k++)
				aead_vectors_add_random(
					&vectors, oracle, lengths[i], aad_lengths[k]);
		}
		// Neighbours of all lengths, as a burst from many devices has them.
		for (size_t i = vectors.count - 1; i > 0; i--) {
			size_t k = randombytes_uniform(i + 1);
			struct aead_vector swapped = vectors.list[i];

			vectors.list[i] = vectors.list[k];
			vectors.list[k] = swapped;
		}
		aead_vectors_check(engine, &vectors);
		aead_vectors_free(&vectors);
	}
	aead_engine_free(engine);
	aead_engine_free(oracle);
}

#define SUBSETS_OF 8 // messages of which every subset fails

// Each message's failure is its own: every subset of a small batch, failing by its tag, its
// ciphertext or its AAD.
static void subsets_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa), *oracle = engine_for("openssl");

	for (enum aead_alg alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		struct aead_vectors good = {.alg = alg}, bad = {.alg = alg};

		for (unsigned i = 0; i < 2 * SUBSETS_OF; i++)
			aead_vectors_add_random(i < SUBSETS_OF ? &good : &bad, oracle,
				1 + randombytes_uniform(80), 1 + randombytes_uniform(40));
		for (unsigned i = 0; i < SUBSETS_OF; i++) {
			struct aead_vector *v = &bad.list[i];
			const uint8_t bit = 1 << randombytes_uniform(8);

			v->valid = false;
			if (i % 4 == 1)
				v->sealed[randombytes_uniform(v->len)] ^= bit;
			else if (i % 4 == 2)
				v->aad[randombytes_uniform(v->aad_len)] ^= bit;
			else
				v->sealed[v->len + randombytes_uniform(aead_algs[alg].tag_len)] ^=
					bit;
		}
		for (unsigned n = 1; n <= SUBSETS_OF; n++) {
			for (unsigned mask = 0; mask < 1u << n; mask++) {
				const struct aead_vector *list[SUBSETS_OF];

				for (unsigned i = 0; i < n; i++)
					list[i] = mask & 1u << i ? &bad.list[i] : &good.list[i];
				aead_batch_check(engine, alg, list, n, false, mask & 1);
			}
		}
		aead_vectors_free(&good);
		aead_vectors_free(&bad);
	}
	aead_engine_free(engine);
	aead_engine_free(oracle);
}

// A batch of any size, whose messages fall into groups of lanes in any way.
static void sizes_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa), *oracle = engine_for("openssl");

	for (unsigned n = 1; n <= AEAD_BATCH_MAX; n++) {
		for (unsigned spread = 1; spread <= 100; spread += 33) {
			struct aead_vectors vectors = {.alg = AEAD_AES_CCM_16_64_128};
			const struct aead_vector *list[AEAD_BATCH_MAX];

			for (unsigned i = 0; i < n; i++)
				aead_vectors_add_random(&vectors, oracle,
					randombytes_uniform(spread),
					12 + randombytes_uniform(spread));
			for (unsigned i = 0; i < n; i++)
				list[i] = &vectors.list[i];
			for (unsigned way = 0; way < 4; way++)
				aead_batch_check(
					engine, AEAD_AES_CCM_16_64_128, list, n, way & 1, way & 2);
			aead_vectors_free(&vectors);
		}
	}
	aead_engine_free(engine);
	aead_engine_free(oracle);
}

// Messages of one size but for one, wherever it stands and whatever differs.
static void one_other_check(const char *isa)
{
	static const unsigned counts[] = {2, 8, 9, 16, 17, 31, 32, 33, 63, 64};
	static const size_t others[][2] = {
		{21, 24}, {40, 24}, {0, 24}, {20, 25}, {20, 40}, {20, 0}};
	struct aead_engine *engine = engine_for(isa), *oracle = engine_for("openssl");
	struct aead_vectors alike = {.alg = AEAD_AES_CCM_16_64_128};
	struct aead_vectors other = {.alg = AEAD_AES_CCM_16_64_128};
	const struct aead_vector *list[AEAD_BATCH_MAX];

	for (unsigned i = 0; i < AEAD_BATCH_MAX; i++)
		aead_vectors_add_random(&alike, oracle, 20, 24);
	for (unsigned i = 0; i < COUNT_OF(others); i++)
		aead_vectors_add_random(&other, oracle, others[i][0], others[i][1]);
	for (unsigned i = 0; i < AEAD_BATCH_MAX; i++)
		list[i] = &alike.list[i];
	for (unsigned c = 0; c < COUNT_OF(counts); c++) {
		const unsigned n = counts[c];

		aead_batch_check(engine, alike.alg, list, n, true, true);
		aead_batch_check(engine, alike.alg, list, n, false, false);
		for (unsigned place = 0; place < n; place++) {
			list[place] = &other.list[place % other.count];
			aead_batch_check(engine, alike.alg, list, n, true, false);
			aead_batch_check(engine, alike.alg, list, n, false, true);
			list[place] = &alike.list[place];
		}
		for (unsigned i = 0; i < other.count; i++) {
			list[n - 1] = &other.list[i];
			aead_batch_check(engine, alike.alg, list, n, false, true);
		}
		list[n - 1] = &alike.list[n - 1];
	}
	aead_vectors_free(&alike);
	aead_vectors_free(&other);
	aead_engine_free(engine);
	aead_engine_free(oracle);
}

// Every bit of a tag counts.
static void tag_bits_check(const char *isa)
{
	struct aead_engine *engine = engine_for(isa), *oracle = engine_for("openssl");

	for (enum aead_alg alg = 0; alg < AEAD_ALG_COUNT; alg++) {
		struct aead_vectors vectors = {.alg = alg};
		const unsigned bits = aead_algs[alg].tag_len * 8;

		for (unsigned bit = 0; bit < bits; bit++) {
			struct aead_vector *v;

			aead_vectors_add_random(&vectors, oracle, 20, 20);
			v = &vectors.list[bit];
			v->sealed[v->len + bit / 8] ^= 1 << bit % 8;
			v->valid = false;
		}
		aead_vectors_check(engine, &vectors);
		aead_vectors_free(&vectors);
	}
	aead_engine_free(engine);
	aead_engine_free(oracle);
}

// Two engines at once do not disturb each other, and an empty batch is fine.
static void engines_check(const char *isa)
{
	struct aead_engine *a = engine_for(isa), *b = engine_for(isa);
	struct aead_vectors vectors = {.alg = AEAD_AES_CCM_16_64_128};

	cr_assert_eq(aead_open_batch(a, AEAD_AES_CCM_16_64_128, NULL, 0), 0);
	cr_assert_eq(aead_seal_batch(a, AEAD_AES_CCM_16_64_128, NULL, 0), 0);
	cr_assert_str_eq(aead_engine_name(a, AEAD_AES_CCM_16_64_128), isa);
	cr_assert_str_eq(aead_engine_name(a, AEAD_AES_CCM_16_128_128), isa);
	aead_vectors_add_random(&vectors, a, 20, 20);
	aead_engine_free(a);
	aead_vectors_check(b, &vectors);
	aead_vectors_free(&vectors);
	aead_engine_free(b);
}

#define TESTS_OF(isa)                         \
	Test(aead, lengths_##isa)             \
	{                                     \
		lengths_check(#isa);          \
	}                                     \
	Test(aead, subsets_of_failures_##isa) \
	{                                     \
		subsets_check(#isa);          \
	}                                     \
	Test(aead, every_batch_size_##isa)    \
	{                                     \
		sizes_check(#isa);            \
	}                                     \
	Test(aead, one_of_another_size_##isa) \
	{                                     \
		one_other_check(#isa);        \
	}                                     \
	Test(aead, every_tag_bit_##isa)       \
	{                                     \
		tag_bits_check(#isa);         \
	}                                     \
	Test(aead, engines_##isa)             \
	{                                     \
		engines_check(#isa);          \
	}
AEAD_EACH_ISA(TESTS_OF)

Test(aead, names_and_numbers)
{
	enum aead_alg alg;

	cr_assert_eq(aead_alg_from_cose(10, &alg), 0);
	cr_assert_eq(alg, AEAD_AES_CCM_16_64_128);
	cr_assert_eq(aead_alg_from_cose(24, &alg), 0);
	cr_assert_eq(alg, AEAD_CHACHA20_POLY1305);
	cr_assert_eq(aead_alg_from_cose(2, &alg), -ENOTSUP);
	cr_assert_eq(aead_alg_from_name("aes-ccm-16-128-128", &alg), 0);
	cr_assert_eq(alg, AEAD_AES_CCM_16_128_128);
	cr_assert_eq(aead_alg_from_name("AES-CCM-16-64-12", &alg), -ENOTSUP);
	for (unsigned i = 0; i < AEAD_ALG_COUNT; i++) {
		cr_assert_leq(aead_algs[i].key_len, AEAD_KEY_MAX);
		cr_assert_leq(aead_algs[i].nonce_len, AEAD_NONCE_MAX);
		cr_assert_leq(aead_algs[i].tag_len, AEAD_TAG_MAX);
	}
}

Test(aead, forced_instruction_set)
{
	struct aead_engine *engine;

	cr_assert_null(aead_engine_create("avx1024"));
	cr_assert_eq(errno, EINVAL);
	setenv("POSTERN_ISA", "openssl", 1);
	engine = aead_engine_create(NULL);
	cr_assert_str_eq(aead_engine_name(engine, AEAD_AES_CCM_16_64_128), "openssl");
	aead_engine_free(engine);
	setenv("POSTERN_ISA", "avx1024", 1);
	cr_assert_null(aead_engine_create(NULL));
	cr_assert_eq(errno, EINVAL);
	setenv("POSTERN_ISA", "", 1);
	engine = aead_engine_create(NULL);
	cr_assert_not_null(engine);
	aead_engine_free(engine);
	aead_engine_free(NULL);
}
