// SPDX-License-Identifier: BSD-3-Clause
// Constant time by measurement, after dudect (Reparaz, Balasch, Verbauwhede 2017): batches of two
// classes are timed in random order, and Welch's t-test says whether their times differ. The
// classes are a fixed key and message against random ones, and tags that are wrong in their first
// byte against their last. Speaks TAP, two tests for each implementation, and reports |t|.
//
// A loaded machine makes outliers, so the slowest measurements are left out, and a test fails only
// if it fails three times; what really differs does.
//
// usage: timing [planted] (planted: success is that a leak is seen)

#include "crypto/aead.h"
#include "tests/aead/welch.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#define BATCH    32    // messages at most
#define LEN      24    // bytes
#define SETS     64    // batches of each class that are prepared
#define MEASURED 40000 // batches timed

struct set {
	uint8_t key[BATCH][16], plain[BATCH][LEN], sealed[BATCH][LEN + 16], out[BATCH][LEN + 16];
	struct aead_op op[BATCH];
};

static struct set sets[2][SETS];
static uint8_t aad[32] = {0, 24};

enum question { SECRETS, TAGS };

// Implementations; up to 8 messages vaes512 has a kernel of its own. Both do twice as many lanes at
// once as they have in one vector.
static const struct path {
	const char *isa;
	unsigned batch;
} paths[] = {{"vaes512", BATCH}, {"vaes512", 16}, {"vaes512", 8}, {"vaes512", 4}, {"vaes256", 16},
	{"aesni", 16}};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

static void set_make(struct aead_engine *engine, unsigned batch, struct set *set,
	enum question question, int class)
{
	const enum aead_alg alg = AEAD_AES_CCM_16_128_128;
	const uint8_t nonce[13] = {3};

	for (unsigned i = 0; i < batch; i++) {
		struct aead_op *op = &set->op[i];

		memset(set->key[i], 0x11, sizeof(set->key[i]));
		memset(set->plain[i], 0x22, sizeof(set->plain[i]));
		if (question == TAGS || class == 1) {
			randombytes_buf(set->key[i], sizeof(set->key[i]));
			randombytes_buf(set->plain[i], sizeof(set->plain[i]));
		}
		*op = (struct aead_op){.key = set->key[i],
			.aad = aad,
			.aad_len = 24,
			.in = set->plain[i],
			.out = set->sealed[i],
			.len = LEN};
		aead_op_nonce(op, alg, nonce);
	}
	aead_seal_batch(engine, alg, set->op, batch);
	for (unsigned i = 0; i < batch; i++) {
		set->op[i].in = set->sealed[i];
		set->op[i].out = set->out[i];
		if (question == TAGS)
			set->sealed[i][LEN + (class ? 15 : 0)] ^= 0x80;
	}
}

static double measure(struct aead_engine *engine, unsigned batch, enum question question)
{
	static struct sample samples[MEASURED];
	unsigned ignored;

	for (int class = 0; class < 2; class ++) {
		for (unsigned i = 0; i < SETS; i++)
			set_make(engine, batch, &sets[class][i], question, class);
	}
	for (unsigned i = 0; i < MEASURED; i++) {
		const int class = randombytes_uniform(2);
		struct set *set = &sets[class][randombytes_uniform(SETS)];
		uint64_t start;

		// Both classes come from the cache.
		for (size_t at = 0; at < sizeof(*set); at += 64)
			(void)*(volatile uint8_t *)((uint8_t *)set + at);
		start = __rdtscp(&ignored);
		aead_open_batch(engine, AEAD_AES_CCM_16_128_128, set->op, batch);
		samples[i] = (struct sample){__rdtscp(&ignored) - start, class};
	}
	return welch(samples, MEASURED);
}

int main(int argc, char **argv)
{
	static const char *const questions[] = {
		"key and message", "place of a wrong byte in a tag"};
	const bool planted = argc > 1 && strcmp(argv[1], "planted") == 0;
	unsigned n = 0, bad = 0;

	printf("1..%zu\n", 2 * PATHS);
	for (unsigned i = 0; i < PATHS; i++) {
		const struct path *path = &paths[i];
		struct aead_engine *engine = aead_engine_create(path->isa);

		for (enum question question = SECRETS; question <= TAGS; question++) {
			// What is planted is a tag comparison that ends early.
			const bool leaks = planted && question == TAGS;
			bool ok = false;
			double t = 0;

			n++;
			if (!engine) {
				printf("ok %u - %s by %u, %s # SKIP this CPU has no %s\n", n,
					path->isa, path->batch, questions[question], path->isa);
				continue;
			}
			for (unsigned try = 0; try < WELCH_TRIES && !ok; try++) {
				t = measure(engine, path->batch, question);
				ok = leaks ? t >= WELCH_T_LIMIT : t < WELCH_T_LIMIT;
			}
			printf("%sok %u - %s by %u, %s: |t| = %.1f\n", ok ? "" : "not ", n,
				path->isa, path->batch, questions[question], t);
			bad += !ok;
		}
		aead_engine_free(engine);
	}
	return bad != 0;
}
