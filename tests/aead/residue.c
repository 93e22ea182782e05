// SPDX-License-Identifier: BSD-3-Clause
// Batches leave no secrets on the dead stack and in vector registers: round keys, key stream,
// plaintext, the tag that a forger would want. Each batch runs on a stack of its own that is
// searched afterwards. Nor does the engine keep any, once it is wiped. Speaks TAP.

#include "crypto/aead.h"
#include "crypto/aead_engine.h"

#include <errno.h>
#include <openssl/aes.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define STACK_SIZE   (256 * 1024)
#define MESSAGES     AEAD_BATCH_MAX
#define LEN          200 // bytes at most
#define AAD_BLOCKS   2
#define PATTERN_LEN  8 // bytes: the half of a register that no accident repeats
#define PATTERNS_MAX 4096

static uint8_t patterns[PATTERNS_MAX][PATTERN_LEN];
static const char *pattern_names[PATTERNS_MAX];
static unsigned pattern_count;

static void pattern_add(const char *name, const uint8_t *data)
{
	if (pattern_count == PATTERNS_MAX)
		abort();
	memcpy(patterns[pattern_count], data, PATTERN_LEN);
	pattern_names[pattern_count++] = name;
}

static void patterns_add(const char *name, const uint8_t *data, size_t len)
{
	for (size_t at = 0; at + PATTERN_LEN <= len; at += PATTERN_LEN)
		pattern_add(name, data + at);
}

struct job {
	struct aead_engine *engine;
	enum aead_alg alg;
	bool sealing, plant;
	unsigned count;
	uint8_t registers[32 * 64];
};

static struct aead_op ops[MESSAGES];
static uint8_t key[16], aad[16 * AAD_BLOCKS], plain[LEN];
static uint8_t inputs[MESSAGES][LEN + 16], outputs[MESSAGES][LEN + 16];

static void registers_save(uint8_t *to)
{
#ifdef __x86_64__
	if (!__builtin_cpu_supports("avx2"))
		return;
#define SAVE(n) "vmovdqu %%ymm" #n ", 64*" #n "(%0)\n\t"
	__asm__ volatile(SAVE(0) SAVE(1) SAVE(2) SAVE(3) SAVE(4) SAVE(5) SAVE(6) SAVE(7) SAVE(8)
				 SAVE(9) SAVE(10) SAVE(11) SAVE(12) SAVE(13) SAVE(14) SAVE(15)
			 :
			 : "r"(to)
			 : "memory");
#undef SAVE
	if (!__builtin_cpu_supports("avx512f"))
		return;
#define SAVE(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%0)\n\t"
	__asm__ volatile(SAVE(16) SAVE(17) SAVE(18) SAVE(19) SAVE(20) SAVE(21) SAVE(22) SAVE(
		23) SAVE(24) SAVE(25) SAVE(26) SAVE(27) SAVE(28) SAVE(29) SAVE(30) SAVE(31)
			 :
			 : "r"(to)
			 : "memory");
#undef SAVE
#endif
}

// A new thread starts with the registers of the one that made it.
static void registers_clear(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx2"))
		__asm__ volatile("vzeroall");
	if (!__builtin_cpu_supports("avx512f"))
		return;
#define CLEAR(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n\t"
	__asm__ volatile(CLEAR(16) CLEAR(17) CLEAR(18) CLEAR(19) CLEAR(20) CLEAR(21) CLEAR(22)
				 CLEAR(23) CLEAR(24) CLEAR(25) CLEAR(26) CLEAR(27) CLEAR(28)
					 CLEAR(29) CLEAR(30) CLEAR(31)
			 :);
#undef CLEAR
#endif
}

static void *job_run(void *data)
{
	struct job *job = data;

	registers_clear();
	if (job->sealing)
		aead_seal_batch(job->engine, job->alg, ops, job->count);
	else
		aead_open_batch(job->engine, job->alg, ops, job->count);
	registers_save(job->registers);
	if (job->plant) {
		// The end of the thread writes over the first of them; how many, the CPU decides.
		volatile uint8_t left[1024 * sizeof(key)];

		for (unsigned i = 0; i < sizeof(left); i++)
			left[i] = key[i % sizeof(key)];
	}
	return NULL;
}

// How many patterns are in the memory; names the first ones.
static unsigned search(const char *where, const uint8_t *memory, size_t len, bool quiet)
{
	unsigned hits = 0;

	for (unsigned p = 0; p < pattern_count; p++) {
		const uint8_t *hit = memmem(memory, len, patterns[p], PATTERN_LEN);

		if (hit && hits++ < 4 && !quiet)
			printf("# %s on the %s, %zu bytes from its top\n", pattern_names[p], where,
				(size_t)(memory + len - hit));
	}
	return hits;
}

// Round keys of AES-128 (FIPS 197 section 5.2) as bytes.
static void round_keys(uint8_t out[176])
{
	AES_KEY schedule;

	// OpenSSL's words are big-endian on every machine.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
	AES_set_encrypt_key(key, 128, &schedule);
#pragma GCC diagnostic pop
	memcpy(out, schedule.rd_key, 176);
}

// All lanes have one key, so that slices of words are words repeated.
static void patterns_make(const uint8_t *sealed, unsigned len, unsigned tag_len)
{
	uint8_t keys[176], stream[LEN], twice[8];

	pattern_count = 0;
	round_keys(keys);
	patterns_add("a round key", keys, sizeof(keys));
	for (unsigned word = 0; word < sizeof(keys); word += 4) {
		memcpy(twice, keys + word, 4);
		memcpy(twice + 4, keys + word, 4);
		pattern_add("a slice of round keys", twice);
	}
	patterns_add("plaintext", plain, len);
	for (unsigned i = 0; i < len; i++)
		stream[i] = plain[i] ^ sealed[i];
	patterns_add("key stream", stream, len);
	patterns_add("a right tag", sealed + len, tag_len);
}

// Messages of len bytes and a little less.
static void batch_prepare(enum aead_alg alg, bool sealing, unsigned len, struct aead_engine *maker)
{
	const unsigned tag_len = aead_algs[alg].tag_len;
	uint8_t nonce[13] = {7}, sealed[LEN + 16];
	struct aead_op op = {.key = key, .aad = aad, .in = plain, .out = sealed};

	op.aad_len = 24;
	op.len = len;
	aead_op_nonce(&op, alg, nonce);
	if (aead_seal_batch(maker, alg, &op, 1) != 1)
		abort();
	patterns_make(sealed, len, tag_len);
	for (unsigned i = 0; i < MESSAGES; i++) {
		ops[i] = op;
		ops[i].len = len - i % 3;
		aead_op_nonce(&ops[i], alg, nonce);
		memcpy(inputs[i], sealing ? plain : sealed, len + (sealing ? 0 : tag_len));
		ops[i].in = inputs[i];
		ops[i].out = outputs[i];
		// Every other one is refused: what it would have opened to must not be found.
		inputs[i][len] ^= !sealing && i % 2;
	}
}

static bool batch_clean(
	struct aead_engine *engine, enum aead_alg alg, bool sealing, unsigned count, bool plant)
{
	static struct job job;
	uint8_t *stack =
		mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;
	unsigned hits;

	job = (struct job){engine, alg, sealing, plant, count, {0}};
	if (stack == MAP_FAILED || pthread_attr_init(&attr) ||
		pthread_attr_setstack(&attr, stack, STACK_SIZE) ||
		pthread_create(&thread, &attr, job_run, &job) || pthread_join(thread, NULL))
		abort();
	hits = search("stack", stack, STACK_SIZE, plant) +
		search("registers", job.registers, sizeof(job.registers), plant);
	if (engine->wipe_later)
		aead_engine_wipe(engine);
	hits += search("engine", engine->secrets, sizeof(engine->secrets), plant);
	munmap(stack, STACK_SIZE);
	return hits == 0;
}

static bool engine_clean(struct aead_engine *engine, struct aead_engine *maker)
{
	static const unsigned lens[] = {12, 30, 44, 60, LEN};  // one to four blocks, and many
	static const unsigned counts[] = {MESSAGES, 12, 7, 3}; // a way of each kernel
	bool clean = true;

	for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (unsigned way = 0; way < 4; way++) {
			const enum aead_alg alg =
				way & 1 ? AEAD_AES_CCM_16_128_128 : AEAD_AES_CCM_16_64_128;

			batch_prepare(alg, way & 2, lens[i], maker);
			for (unsigned k = 0; k < sizeof(counts) / sizeof(counts[0]); k++)
				clean &= batch_clean(engine, alg, way & 2, counts[k], false);
		}
	}
	return clean;
}

// Before it is wiped, the engine has what the search looks for.
static bool secrets_seen(struct aead_engine *engine, struct aead_engine *maker)
{
	batch_prepare(AEAD_AES_CCM_16_64_128, true, 30, maker);
	aead_seal_batch(engine, AEAD_AES_CCM_16_64_128, ops, MESSAGES);
	return search("engine", engine->secrets, sizeof(engine->secrets), true) >= 11;
}

int main(void)
{
	static const char *const isas[] = {"vaes512", "vaes256", "aesni"};
	struct aead_engine *maker = aead_engine_create("openssl");
	unsigned bad = 0, n = 0;

	if (!maker)
		return 1;
	randombytes_buf(key, sizeof(key));
	randombytes_buf(aad + 2, 24);
	aad[1] = 24;
	randombytes_buf(plain, sizeof(plain));
	printf("1..5\n");
	for (unsigned i = 0; i < 3; i++) {
		struct aead_engine *engine = aead_engine_create(isas[i]);
		bool clean;

		n++;
		if (!engine && errno == ENOTSUP) {
			printf("ok %u - %s # SKIP this CPU has no %s\n", n, isas[i], isas[i]);
			continue;
		}
		clean = engine && engine_clean(engine, maker);
		if (engine) {
			aead_engine_wipe_later(engine);
			clean &= engine_clean(engine, maker) && secrets_seen(engine, maker);
		}
		printf("%sok %u - %s leaves nothing\n", clean ? "" : "not ", n, isas[i]);
		bad += !clean;
		aead_engine_free(engine);
	}
	// The search itself finds what is there.
	batch_prepare(AEAD_AES_CCM_16_64_128, false, LEN, maker);
	if (batch_clean(maker, AEAD_AES_CCM_16_64_128, false, MESSAGES, true)) {
		printf("not ");
		bad++;
	}
	printf("ok 4 - a planted key is found\n");
	memcpy(maker->secrets + 100, key, sizeof(key));
	if (search("engine", maker->secrets, sizeof(maker->secrets), true) == 0) {
		printf("not ");
		bad++;
	}
	printf("ok 5 - a key in the engine is found\n");
	aead_engine_free(maker);
	return bad != 0;
}
