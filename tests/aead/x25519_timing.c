// SPDX-License-Identifier: BSD-3-Clause
// Constant time of X25519 by measurement, after dudect (Reparaz, Balasch, Verbauwhede 2017): eight
// keys at once are timed in random order. The classes are scalars of few bits against random ones,
// and points of small order against random ones. Speaks TAP.
//
// usage: x25519_timing [planted] (planted: success is that a leak of the scalars is seen)

#include "crypto/x25519.h"
#include "tests/aead/welch.h"

#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <x86intrin.h>

#define SETS     32    // of each class that are prepared
#define MEASURED 20000 // multiplications of eight

struct set {
	uint8_t scalars[X25519_LANES][32], points[X25519_LANES][32], outs[X25519_LANES][32];
	const uint8_t *s[X25519_LANES], *p[X25519_LANES];
	uint8_t *o[X25519_LANES];
};

static struct set sets[2][SETS];

enum question { SCALARS, POINTS };

static void set_make(struct set *set, enum question question, int class)
{
	randombytes_buf(set->scalars, sizeof(set->scalars));
	randombytes_buf(set->points, sizeof(set->points));
	if (class && question == SCALARS)
		memset(set->scalars, 0, sizeof(set->scalars));
	if (class && question == POINTS)
		memset(set->points, 0, sizeof(set->points));
	for (unsigned i = 0; i < X25519_LANES; i++) {
		set->s[i] = set->scalars[i];
		set->p[i] = set->points[i];
		set->o[i] = set->outs[i];
	}
}

static double measure(enum question question)
{
	static struct sample samples[MEASURED];
	unsigned ignored;

	for (int class = 0; class < 2; class ++)
		for (unsigned i = 0; i < SETS; i++)
			set_make(&sets[class][i], question, class);
	for (unsigned i = 0; i < MEASURED; i++) {
		const int class = (int)randombytes_uniform(2);
		struct set *set = &sets[class][randombytes_uniform(SETS)];
		uint64_t start;

		// Both classes come from the cache.
		for (size_t at = 0; at < sizeof(*set); at += 64)
			(void)*(volatile uint8_t *)((uint8_t *)set + at);
		start = __rdtscp(&ignored);
		x25519_ifma(set->o, set->s, set->p);
		samples[i] = (struct sample){__rdtscp(&ignored) - start, class};
	}
	return welch(samples, MEASURED);
}

int main(int argc, char **argv)
{
	static const char *const questions[] = {"scalars", "points"};
	const bool planted = argc > 1 && !strcmp(argv[1], "planted");
	const bool here = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
	int bad = 0;

	printf("1..2\n");
	for (enum question question = SCALARS; question <= POINTS; question++) {
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
	return bad != 0;
}
