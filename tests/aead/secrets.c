// SPDX-License-Identifier: BSD-3-Clause
// Constant time by Valgrind: keys and messages are marked undefined, so that memcheck reports each
// branch and each address that depends on them. Whether a tag was right is public, and is marked so
// where it is known. Valgrind 3.19 knows AES-NI and neither VAES nor AVX-512; those are measured by
// timing.c.
//
// Linked with a kernel that is built with declassify.h; run under valgrind --error-exitcode=1.

#include "crypto/aead_engine.h"

#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>

#define MESSAGES 20  // a full group and a partial one of eight lanes, twice
#define LEN_MAX  100 // bytes

const struct aead_alg_info aead_algs[AEAD_ALG_COUNT] = {
	[AEAD_AES_CCM_16_64_128] = {"AES-CCM-16-64-128", 10, 16, 13, 8},
	[AEAD_AES_CCM_16_128_128] = {"AES-CCM-16-128-128", 30, 16, 13, 16},
};

static uint8_t keys[MESSAGES][16], aads[MESSAGES][32];
static uint8_t plains[MESSAGES][LEN_MAX], sealed[MESSAGES][LEN_MAX + 16];
static uint8_t opened[MESSAGES][LEN_MAX + 16];

static void ops_make(struct aead_op *ops, enum aead_alg alg, uint8_t (*in)[LEN_MAX + 16])
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		const uint8_t nonce[13] = {i};

		memset(&ops[i], 0, sizeof(ops[i]));
		ops[i].key = keys[i];
		ops[i].aad = aads[i];
		ops[i].aad_len = 10 + i % 20;
		ops[i].len = 5 * i;
		ops[i].in = in ? in[i] : plains[i];
		ops[i].out = in ? opened[i] : sealed[i];
		aead_op_nonce(&ops[i], alg, nonce);
	}
}

static void run(enum aead_alg alg)
{
	static struct aead_engine engine;
	struct aead_op ops[MESSAGES];
	unsigned good;

	for (unsigned i = 0; i < MESSAGES; i++) {
		for (unsigned k = 0; k < 16; k++)
			keys[i][k] = rand();
		aads[i][1] = 10 + i % 20;
		VALGRIND_MAKE_MEM_UNDEFINED(keys[i], sizeof(keys[i]));
		VALGRIND_MAKE_MEM_UNDEFINED(plains[i], sizeof(plains[i]));
	}
	ops_make(ops, alg, NULL);
	aead_ccm_aesni.seal(&engine, alg, ops, MESSAGES);
	// Some that fail; the rest of a sealed message is public.
	for (unsigned i = 0; i < MESSAGES; i += 3)
		sealed[i][ops[i].len] ^= 1;
	ops_make(ops, alg, sealed);
	good = aead_ccm_aesni.open(&engine, alg, ops, MESSAGES);
	VALGRIND_MAKE_MEM_DEFINED(&good, sizeof(good));
	if (good != MESSAGES - (MESSAGES + 2) / 3)
		exit(2);
}

int main(void)
{
	run(AEAD_AES_CCM_16_64_128);
	run(AEAD_AES_CCM_16_128_128);
	return 0;
}
