// SPDX-License-Identifier: BSD-3-Clause

#include "crypto/aead.h"

#include "crypto/aead_engine.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#ifdef __x86_64__
#include <cpuid.h>
#endif

// Which implementation each algorithm has on each instruction set. Only the CCMs differ; GCM and
// ChaCha20/Poly1305 always use a library. "openssl" uses OpenSSL for all that it can do, so that
// tests on a CPU with VAES also reach the code that CPUs without it run.
struct aead_isa {
	const char *name;
	bool (*available)(void);
	const struct aead_impl *ccm;
};

static bool always(void)
{
	return true;
}

#ifdef __x86_64__

// clang 14 does not know the name for __builtin_cpu_supports().
static bool has_vaes(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && ecx & bit_VAES;
}

static bool has_vaes512(void)
{
	return has_vaes() && __builtin_cpu_supports("avx512f") &&
		__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
		__builtin_cpu_supports("bmi2");
}

static bool has_vaes256(void)
{
	return has_vaes() && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("popcnt");
}

static bool has_aesni(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("sse4.1") &&
		__builtin_cpu_supports("popcnt");
}

#define X86_ISA(name)                               \
	{                                           \
#name, has_##name, &aead_ccm_##name \
	}

#else

static bool never(void)
{
	return false;
}

#define X86_ISA(name)              \
	{                          \
#name, never, NULL \
	}

#endif

// Fastest first.
static const struct aead_isa isas[] = {
	X86_ISA(vaes512),
	X86_ISA(vaes256),
	X86_ISA(aesni),
	{"openssl", always, &aead_openssl_impl},
};
#define ISA_COUNT (sizeof(isas) / sizeof(isas[0]))

static const char *const isa_names[ISA_COUNT + 1] = {"vaes512", "vaes256", "aesni", "openssl"};

const char *const *aead_isa_names(void)
{
	return isa_names;
}

// Finds an instruction set by its name. Returns NULL and sets errno on failure: EINVAL for an
// unknown name, ENOTSUP for one that this CPU lacks.
static const struct aead_isa *isa_pick(const char *name)
{
	for (unsigned i = 0; i < ISA_COUNT; i++) {
		if (name && strcmp(isas[i].name, name) != 0)
			continue;
		if (isas[i].available())
			return &isas[i];
		if (name) {
			errno = ENOTSUP;
			return NULL;
		}
	}
	errno = EINVAL;
	return NULL;
}

struct aead_engine *aead_engine_create(const char *isa)
{
	const struct aead_isa *picked;
	struct aead_engine *engine;
	const char *forced = getenv("POSTERN_ISA");

	if (!isa && forced && *forced)
		isa = forced;
	picked = isa_pick(isa);
	if (!picked)
		return NULL;
	if (sodium_init() < 0) {
		errno = ENOTSUP;
		return NULL;
	}
	engine = aligned_alloc(_Alignof(struct aead_engine), sizeof(*engine));
	if (!engine)
		return NULL;
	memset(engine, 0, sizeof(*engine));
	engine->openssl = aead_openssl_create();
	if (!engine->openssl) {
		free(engine);
		return NULL;
	}
	engine->impl[AEAD_AES_CCM_16_64_128] = *picked->ccm;
	engine->impl[AEAD_AES_CCM_16_128_128] = *picked->ccm;
	engine->impl[AEAD_AES_128_GCM] = aead_openssl_impl;
	engine->impl[AEAD_AES_256_GCM] =
		crypto_aead_aes256gcm_is_available() ? aead_sodium_aes256gcm : aead_openssl_impl;
	engine->impl[AEAD_CHACHA20_POLY1305] = aead_sodium_chacha20_poly1305;
	return engine;
}

void aead_engine_free(struct aead_engine *engine)
{
	if (!engine)
		return;
	aead_engine_wipe(engine);
	aead_openssl_free(engine->openssl);
	free(engine);
}

void aead_engine_wipe_later(struct aead_engine *engine)
{
	engine->wipe_later = true;
}

void aead_engine_wipe(struct aead_engine *engine)
{
	if (!engine->secrets_len)
		return;
	engine->impl[AEAD_AES_CCM_16_64_128].wipe(engine->secrets, engine->secrets_len);
	engine->secrets_len = 0;
}

const char *aead_engine_name(const struct aead_engine *engine, enum aead_alg alg)
{
	return engine->impl[alg].name;
}

static unsigned batch_end(struct aead_engine *engine, unsigned good)
{
	if (!engine->wipe_later)
		aead_engine_wipe(engine);
	return good;
}

unsigned aead_open_batch(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	assert(n <= AEAD_BATCH_MAX);
	return n ? batch_end(engine, engine->impl[alg].open(engine, alg, ops, n)) : 0;
}

unsigned aead_seal_batch(
	struct aead_engine *engine, enum aead_alg alg, struct aead_op *ops, unsigned n)
{
	assert(n <= AEAD_BATCH_MAX);
	return n ? batch_end(engine, engine->impl[alg].seal(engine, alg, ops, n)) : 0;
}
