// SPDX-License-Identifier: BSD-3-Clause
// X25519 of eight keys at once, against libsodium and OpenSSL. Built twice: with the kernel as it
// ships, and with the same in plain C, which also checks that no factor is 2^52 or more.

#include "crypto/x25519.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LEN 32

static uint8_t scalars[X25519_LANES][LEN], points[X25519_LANES][LEN], outs[X25519_LANES][LEN];

// Whether the kernel can run here.
static bool runs(void)
{
#ifdef IFMA_PLAIN
	return true;
#else
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
#endif
}

static void run(void)
{
	const uint8_t *s[X25519_LANES], *p[X25519_LANES];
	uint8_t *o[X25519_LANES];

	for (unsigned i = 0; i < X25519_LANES; i++) {
		s[i] = scalars[i];
		p[i] = points[i];
		o[i] = outs[i];
	}
	x25519_ifma(o, s, p);
}

// What OpenSSL says; zeros if it refuses.
static void openssl_multiply(uint8_t out[LEN], const uint8_t *scalar, const uint8_t *point)
{
	EVP_PKEY *own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, scalar, LEN);
	EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, point, LEN);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
	size_t len = LEN;

	cr_assert(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1);
	if (EVP_PKEY_derive(ctx, out, &len) != 1)
		memset(out, 0, LEN);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(own);
	EVP_PKEY_free(peer);
}

static void check(bool with_openssl)
{
	uint8_t expected[LEN];

	run();
	for (unsigned i = 0; i < X25519_LANES; i++) {
		// libsodium writes nothing of use where it refuses.
		if (crypto_scalarmult(expected, scalars[i], points[i]))
			memset(expected, 0, LEN);
		cr_assert_arr_eq(outs[i], expected, LEN, "lane %u", i);
		if (!with_openssl)
			continue;
		openssl_multiply(expected, scalars[i], points[i]);
		cr_assert_arr_eq(outs[i], expected, LEN, "lane %u, OpenSSL", i);
	}
}

static void begin(void)
{
	cr_assert_geq(sodium_init(), 0);
	if (!runs())
		cr_skip("this CPU has no AVX-512 IFMA");
}

TestSuite(x25519, .init = begin);

Test(x25519, random_keys_and_points)
{
#ifdef IFMA_PLAIN
	const unsigned rounds = 60;
#else
	const unsigned rounds = 3000;
#endif

	for (unsigned round = 0; round < rounds; round++) {
		randombytes_buf(scalars, sizeof(scalars));
		randombytes_buf(points, sizeof(points));
		check(round % 20 == 0);
	}
}

// A number near 2^(51 i), near p, 2p and 2^255, or of small order, and with bit 255.
static void special_point(uint8_t out[LEN], unsigned of)
{
	static const uint8_t small[][LEN] = {
		{0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f,
			0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62,
			0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00},
		{0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83,
			0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22,
			0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57},
	};

	memset(out, 0, LEN);
	if (of < 40) { // small numbers
		out[0] = (uint8_t)of;
	} else if (of < 80) { // about p and 2^255
		memset(out, 0xff, LEN);
		out[0] = (uint8_t)(0xff - (of - 40));
		out[31] = 0x7f;
	} else if (of < 120) { // 2^(51 i) - 1 and others about the limbs
		const unsigned bit = 51 * (1 + of % 4) - (of / 4 % 3);

		for (unsigned i = 0; i < bit && of % 2; i++)
			out[i / 8] |= (uint8_t)(1 << i % 8);
		out[bit / 8] |= (uint8_t)(1 << bit % 8);
	} else {
		memcpy(out, small[of % 2], LEN);
	}
	if (of % 3 == 2)
		out[31] |= 0x80; // which is not looked at
}

Test(x25519, special_points)
{
	for (unsigned first = 0; first < 128; first += X25519_LANES) {
		for (unsigned i = 0; i < X25519_LANES; i++) {
			randombytes_buf(scalars[i], LEN);
			special_point(points[i], first + i);
		}
		check(first % 32 == 0);
	}
}

Test(x25519, special_scalars)
{
	for (unsigned first = 0; first < 64; first += X25519_LANES) {
		for (unsigned i = 0; i < X25519_LANES; i++) {
			memset(scalars[i], i % 2 ? 0xff : 0, LEN);
			scalars[i][(first + i) / 2] ^= (uint8_t)(1 << i);
			randombytes_buf(points[i], LEN);
		}
		check(false);
	}
}

Test(x25519, each_lane_has_its_own)
{
	uint8_t before[X25519_LANES][LEN];

	randombytes_buf(scalars, sizeof(scalars));
	randombytes_buf(points, sizeof(points));
	run();
	memcpy(before, outs, sizeof(outs));
	for (unsigned lane = 0; lane < X25519_LANES; lane++) {
		scalars[lane][5] ^= 1;
		points[(lane + 1) % X25519_LANES][5] ^= 1;
		run();
		for (unsigned i = 0; i < X25519_LANES; i++)
			cr_assert_eq(!memcmp(outs[i], before[i], LEN),
				i != lane && i != (lane + 1) % X25519_LANES);
		scalars[lane][5] ^= 1;
		points[(lane + 1) % X25519_LANES][5] ^= 1;
	}
}

Test(x25519, an_out_may_be_a_scalar_or_a_point)
{
	const uint8_t *s[X25519_LANES], *p[X25519_LANES];
	uint8_t *o[X25519_LANES], expected[X25519_LANES][LEN];

	randombytes_buf(scalars, sizeof(scalars));
	randombytes_buf(points, sizeof(points));
	run();
	memcpy(expected, outs, sizeof(outs));
	for (unsigned i = 0; i < X25519_LANES; i++) {
		s[i] = scalars[i];
		p[i] = points[i];
		o[i] = i % 2 ? scalars[i] : points[i];
	}
	x25519_ifma(o, s, p);
	for (unsigned i = 0; i < X25519_LANES; i++)
		cr_assert_arr_eq(o[i], expected[i], LEN);
}

// RFC 7748 section 5.2: a thousand times, each with the result of the one before.
Test(x25519, iterated)
{
#ifdef IFMA_PLAIN
	const unsigned rounds = 1;
	static const char *const expected =
		"422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
#else
	const unsigned rounds = 1000;
	static const char *const expected =
		"684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51";
#endif
	char hex[2 * LEN + 1];

	for (unsigned i = 0; i < X25519_LANES; i++) {
		memset(scalars[i], 0, LEN);
		memset(points[i], 0, LEN);
		scalars[i][0] = points[i][0] = 9;
	}
	for (unsigned round = 0; round < rounds; round++) {
		run();
		memcpy(points, scalars, sizeof(points));
		memcpy(scalars, outs, sizeof(scalars));
	}
	for (unsigned i = 0; i < X25519_LANES; i++)
		cr_assert_str_eq(sodium_bin2hex(hex, sizeof(hex), scalars[i], LEN), expected);
}

// Sanitizers keep copies of their own, and plain C is not what ships.
#if !defined(IFMA_PLAIN) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define STACK_SIZE (256 * 1024)

static void *run_once(void *arg)
{
	run();
	return arg;
}

static bool is_in(const uint8_t *memory, size_t len, const uint8_t *bytes)
{
	return memmem(memory, len, bytes, 8);
}

Test(x25519, nothing_is_left_on_the_stack)
{
	uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	cr_assert_neq(stack, MAP_FAILED);
	for (unsigned round = 0; round < 20; round++) {
		randombytes_buf(scalars, sizeof(scalars));
		randombytes_buf(points, sizeof(points));
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, stack, STACK_SIZE);
		cr_assert_eq(pthread_create(&thread, &attr, run_once, NULL), 0);
		pthread_join(thread, NULL);
		pthread_attr_destroy(&attr);
		for (unsigned i = 0; i < X25519_LANES; i++)
			for (unsigned at = 0; at < LEN; at += 8) {
				cr_assert_not(is_in(stack, STACK_SIZE, scalars[i] + at));
				cr_assert_not(is_in(stack, STACK_SIZE, outs[i] + at));
			}
		// The limbs of the first lane's result: 51 bits in 8 bytes.
		for (unsigned limb = 0; limb < 5; limb++) {
			uint64_t value = 0;

			for (unsigned bit = 51 * limb; bit < 51 * (limb + 1); bit++)
				value |= (uint64_t)(outs[0][bit / 8] >> bit % 8 & 1)
					<< (bit - 51 * limb);
			cr_assert_not(is_in(stack, STACK_SIZE, (const uint8_t *)&value));
		}
	}
	munmap(stack, STACK_SIZE);
}
#endif
