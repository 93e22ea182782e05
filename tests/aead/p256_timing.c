// SPDX-License-Identifier: BSD-3-Clause
// Constant time of P-256 by measurement, after dudect (Reparaz, Balasch, Verbauwhede 2017): eight
// keys at once are timed in random order. The classes are small scalars against random ones, the
// base point, which has small multiples, against random points, and small scalars of the base
// point. Speaks TAP.
//
// usage: p256_timing [planted] (planted: success is that a leak of the scalars is seen)

#include "crypto/p256.h"
#include "tests/aead/welch.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#define SETS     32    // of each class that are prepared
#define MEASURED 20000 // multiplications of eight

struct set {
	uint8_t scalars[P256_LANES][32], xs[P256_LANES][32], ys[P256_LANES][32];
	uint8_t outs[P256_LANES][32], out_ys[P256_LANES][32];
	const uint8_t *s[P256_LANES], *x[P256_LANES], *y[P256_LANES];
	uint8_t *o[P256_LANES], *oy[P256_LANES];
};

static struct set sets[2][SETS];
static struct p256_base *base;

enum question { SCALARS, POINTS, BASE, QUESTIONS };

// Makes random keys, or those with a scalar of 1 to 255.
static bool keys_make(struct set *set, bool small)
{
	randombytes_buf(set->scalars, sizeof(set->scalars));
	for (unsigned i = 0; i < P256_LANES; i++) {
		set->s[i] = set->scalars[i];
		set->x[i] = set->xs[i];
		set->y[i] = set->ys[i];
		set->o[i] = set->outs[i];
		set->oy[i] = set->out_ys[i];
		if (small)
			memset(set->scalars[i], 0, 31);
		set->scalars[i][31] |= 1;
	}
	return p256_ifma_public(base, set->o, set->oy, set->s) == 0xff;
}

static bool set_make(struct set *set, enum question question, int class)
{
	if (!keys_make(set, class && question == POINTS))
		return false;
	memcpy(set->xs, set->outs, sizeof(set->xs));
	memcpy(set->ys, set->out_ys, sizeof(set->ys));
	return keys_make(set, class && question != POINTS);
}

static double measure(enum question question)
{
	static struct sample samples[MEASURED];
	unsigned ignored, good = 0xff;

	for (int class = 0; class < 2; class ++)
		for (unsigned i = 0; i < SETS; i++)
			while (!set_make(&sets[class][i], question, class))
				;
	for (unsigned i = 0; i < MEASURED; i++) {
		const int class = (int)randombytes_uniform(2);
		struct set *set = &sets[class][randombytes_uniform(SETS)];
		uint64_t start;

		// Both classes come from the cache.
		for (size_t at = 0; at < sizeof(*set); at += 64)
			(void)*(volatile uint8_t *)((uint8_t *)set + at);
		start = __rdtscp(&ignored);
		if (question == BASE)
			good &= p256_ifma_public(base, set->o, set->oy, set->s);
		else
			good &= p256_ifma_shared(set->o, set->s, set->x, set->y);
		samples[i] = (struct sample){__rdtscp(&ignored) - start, class};
	}
	return good == 0xff ? welch(samples, MEASURED) : 1e9;
}

int main(int argc, char **argv)
{
	static const char *const questions[] = {"scalars", "points", "scalars of the base point"};
	const bool planted = argc > 1 && !strcmp(argv[1], "planted");
	const bool here = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
	int bad = 0;

	printf("1..%d\n", QUESTIONS);
	base = here ? p256_base_create() : NULL;
	for (enum question question = SCALARS; question < QUESTIONS; question++) {
		const bool leaks = planted && question == SCALARS;
		bool ok = false;
		double t = 0;

		if (!here) {
			printf("ok %d - %s # SKIP this CPU has no AVX-512 IFMA\n", question + 1,
				questions[question]);
			continue;
		}
		for (unsigned try = 0; try < WELCH_TRIES && !ok; try++) {
			t = measure(question);
			ok = leaks ? t >= WELCH_T_LIMIT : t < WELCH_T_LIMIT;
		}
		printf("%sok %d - %s: |t| = %.1f\n", ok ? "" : "not ", question + 1,
			questions[question], t);
		bad += !ok;
	}
	p256_base_free(base);
	return bad != 0;
}
