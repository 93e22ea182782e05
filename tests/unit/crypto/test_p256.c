// SPDX-License-Identifier: BSD-3-Clause
// P-256 of eight keys at once, against OpenSSL. Built twice: with the kernel as it ships, and with
// the same in plain C, which also checks that no factor is 2^52 or more.

#include "crypto/p256.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>
#include <pthread.h>
#include <sodium.h>
#include <string.h>
#include <sys/mman.h>

#define LEN 32

#ifdef IFMA_PLAIN
#define TIMES(n) ((n) / 20)
#else
#define TIMES(n) (n)
#endif

static uint8_t scalars[P256_LANES][LEN], xs[P256_LANES][LEN], ys[P256_LANES][LEN];
static uint8_t outs[P256_LANES][LEN], out_ys[P256_LANES][LEN];
static struct p256_base *base;
static EC_GROUP *group;
static EC_POINT *point, *product;
static BIGNUM *one, *x, *y, *p;
static const BIGNUM *order;
static BN_CTX *ctx;

// Whether the kernel can run here.
static bool runs(void)
{
#ifdef IFMA_PLAIN
	return true;
#else
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512ifma");
#endif
}

static void begin(void)
{
	cr_assert_geq(sodium_init(), 0);
	if (!runs())
		cr_skip("this CPU has no AVX-512 IFMA");
	ctx = BN_CTX_new();
	group = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	order = EC_GROUP_get0_order(group);
	point = EC_POINT_new(group);
	product = EC_POINT_new(group);
	one = BN_new();
	x = BN_new();
	y = BN_new();
	p = BN_new();
	cr_assert(EC_GROUP_get_curve(group, p, NULL, NULL, ctx));
	base = p256_base_create();
	cr_assert_not_null(base);
}

static void end(void)
{
	p256_base_free(base);
	EC_POINT_free(point);
	EC_POINT_free(product);
	BN_free(one);
	BN_free(x);
	BN_free(y);
	BN_free(p);
	EC_GROUP_free(group);
	BN_CTX_free(ctx);
}

TestSuite(p256, .init = begin, .fini = end);

#define POINTERS(type, name, of)                                    \
	type *name[P256_LANES];                                     \
	for (unsigned lane_of = 0; lane_of < P256_LANES; lane_of++) \
	name[lane_of] = (of)[lane_of]

static p256_mask run(void)
{
	POINTERS(const uint8_t, s, scalars);
	POINTERS(const uint8_t, px, xs);
	POINTERS(const uint8_t, py, ys);
	POINTERS(uint8_t, o, outs);

	return p256_ifma_shared(o, s, px, py);
}

static p256_mask run_public(void)
{
	POINTERS(const uint8_t, s, scalars);
	POINTERS(uint8_t, o, outs);
	POINTERS(uint8_t, oy, out_ys);

	return p256_ifma_public(base, o, oy, s);
}

static p256_mask run_y(p256_mask odd)
{
	POINTERS(const uint8_t, px, xs);
	POINTERS(uint8_t, oy, out_ys);

	return p256_ifma_y(oy, px, odd);
}

static void number_write(uint8_t out[LEN], const BIGNUM *number)
{
	cr_assert_eq(BN_bn2binpad(number, out, LEN), LEN);
}

// A multiple of the base point.
static void point_write(unsigned lane, const BIGNUM *times)
{
	cr_assert(EC_POINT_mul(group, point, times, NULL, NULL, ctx) &&
		EC_POINT_get_affine_coordinates(group, point, x, y, ctx));
	number_write(xs[lane], x);
	number_write(ys[lane], y);
}

static void point_random(unsigned lane)
{
	uint8_t bytes[LEN];

	randombytes_buf(bytes, LEN);
	BN_bin2bn(bytes, LEN, one);
	point_write(lane, one);
}

static bool scalar_good(unsigned lane)
{
	BN_bin2bn(scalars[lane], LEN, one);
	return !BN_is_zero(one) && BN_cmp(one, order) < 0;
}

// Whether OpenSSL takes x and y, both below p and on the curve.
static bool point_good(unsigned lane)
{
	uint8_t bytes[1 + 2 * LEN] = {POINT_CONVERSION_UNCOMPRESSED};

	memcpy(bytes + 1, xs[lane], LEN);
	memcpy(bytes + 1 + LEN, ys[lane], LEN);
	return EC_POINT_oct2point(group, point, bytes, sizeof(bytes), ctx) == 1;
}

// What OpenSSL says of a lane; zeros if it refuses.
static bool expect(unsigned lane, uint8_t out[LEN])
{
	memset(out, 0, LEN);
	if (!scalar_good(lane) || !point_good(lane))
		return false;
	cr_assert(EC_POINT_mul(group, product, NULL, point, one, ctx) &&
		EC_POINT_get_affine_coordinates(group, product, x, NULL, ctx));
	number_write(out, x);
	return true;
}

static void check(const char *what)
{
	const p256_mask good = run();
	uint8_t expected[LEN];

	for (unsigned i = 0; i < P256_LANES; i++) {
		cr_assert_eq(good >> i & 1, expect(i, expected), "%s, lane %u", what, i);
		cr_assert_arr_eq(outs[i], expected, LEN, "%s, lane %u", what, i);
	}
}

static void check_public(const char *what)
{
	const p256_mask good = run_public();
	uint8_t expected[LEN];

	for (unsigned i = 0; i < P256_LANES; i++) {
		const bool scalar = scalar_good(i);

		cr_assert_eq(good >> i & 1, scalar, "%s, lane %u", what, i);
		if (scalar)
			cr_assert(EC_POINT_mul(group, product, one, NULL, NULL, ctx) &&
				EC_POINT_get_affine_coordinates(group, product, x, y, ctx));
		else
			BN_zero(x), BN_zero(y);
		number_write(expected, x);
		cr_assert_arr_eq(outs[i], expected, LEN, "%s, lane %u", what, i);
		number_write(expected, y);
		cr_assert_arr_eq(out_ys[i], expected, LEN, "%s, lane %u", what, i);
	}
}

Test(p256, random_keys_and_points)
{
	for (unsigned round = 0; round < TIMES(600); round++) {
		randombytes_buf(scalars, sizeof(scalars));
		for (unsigned i = 0; i < P256_LANES; i++)
			point_random(i);
		check("random");
		check_public("random");
	}
}

#define SPECIAL_SCALARS 640

// Near 0, n, 2n and 2^256, powers of 2, and digits that are the largest and smallest.
static void special_scalar(uint8_t out[LEN], unsigned of)
{
	BN_zero(one);
	if (of < 72) {
		BN_set_word(one, of);
	} else if (of < 216) { // n - 72 to n + 71
		BN_copy(one, order);
		BN_add_word(one, of - 72);
		BN_sub_word(one, 72);
	} else if (of < 224) {
		BN_set_bit(one, 256);
		BN_sub_word(one, 1 + of - 216);
	} else if (of < 480) { // 2^i
		BN_set_bit(one, (int)of - 224);
	} else if (of < 496) { // 2^256 - n, which is near 2^224, (n - 1) / 2, n - 2^i
		BN_set_bit(one, 256);
		BN_sub(one, one, order);
		BN_add_word(one, of - 480);
		BN_sub_word(one, 8);
	} else if (of < 512) {
		BN_rshift1(one, order);
		BN_add_word(one, of - 496);
		BN_sub_word(one, 8);
	} else { // sum of +-1 or +-31 in each place of five bits
		BN_set_word(one, 1);
		for (unsigned i = 0; i < 51; i++) {
			const unsigned digit = randombytes_uniform(2) ? 31 : 1;

			BN_lshift(one, one, 5);
			if (randombytes_uniform(2))
				BN_add_word(one, digit);
			else
				BN_sub_word(one, digit);
		}
		if (of % 2)
			BN_sub(one, order, one);
		if (BN_is_negative(one))
			BN_add(one, one, order);
	}
	number_write(out, one);
}

static void special_scalars_fill(unsigned first)
{
	for (unsigned i = 0; i < P256_LANES; i++)
		special_scalar(scalars[i], first + i);
}

Test(p256, special_scalars_with_any_point)
{
	for (unsigned first = 0; first < SPECIAL_SCALARS; first += P256_LANES) {
		special_scalars_fill(first);
		for (unsigned i = 0; i < P256_LANES; i++)
			point_random(i);
		check("special scalar");
		check_public("special scalar");
	}
}

// y of a small x; false if there is none.
static bool point_at(unsigned lane, unsigned at, bool odd)
{
	BN_set_word(x, at);
	if (!EC_POINT_set_compressed_coordinates(group, point, x, odd, ctx))
		return false;
	cr_assert(EC_POINT_get_affine_coordinates(group, point, x, y, ctx));
	number_write(xs[lane], x);
	number_write(ys[lane], y);
	return true;
}

#define SPECIAL_POINTS 96

// The base point and its negative, small multiples of both, and points with small x, of which 0 is.
static void special_point(unsigned lane, unsigned of)
{
	if (of < 33) {
		BN_set_word(one, of + 1);
		point_write(lane, one);
	} else if (of < 66) {
		BN_copy(one, order);
		BN_sub_word(one, of - 32);
		point_write(lane, one);
	} else if (!point_at(lane, (of - 66) / 2, of % 2)) {
		point_random(lane);
	}
}

Test(p256, special_points_with_special_scalars)
{
	cr_assert(point_at(0, 0, false), "0 is the x of a point");
	for (unsigned first = 0; first < SPECIAL_POINTS; first += P256_LANES)
		for (unsigned round = 0; round < TIMES(40); round++) {
			for (unsigned i = 0; i < P256_LANES; i++) {
				special_point(i, first + i);
				special_scalar(scalars[i], randombytes_uniform(SPECIAL_SCALARS));
			}
			check("special point");
		}
}

// Adds p to a number below 2^256 - p.
static void above_p(uint8_t number[LEN])
{
	BN_bin2bn(number, LEN, one);
	BN_add(one, one, p);
	number_write(number, one);
}

Test(p256, what_is_no_point_is_refused_alone)
{
	for (unsigned round = 0; round < TIMES(400); round++) {
		const p256_mask bad = (p256_mask)randombytes_random();
		p256_mask good;

		randombytes_buf(scalars, sizeof(scalars));
		for (unsigned i = 0; i < P256_LANES; i++) {
			point_random(i);
			if (!(bad >> i & 1))
				continue;
			switch (randombytes_uniform(8)) {
			case 0: // not on the curve
				ys[i][randombytes_uniform(LEN)] ^=
					(uint8_t)(1 << randombytes_uniform(8));
				break;
			case 1:
				xs[i][randombytes_uniform(LEN)] ^=
					(uint8_t)(1 << randombytes_uniform(8));
				break;
			case 2:
				memset(xs[i], 0, LEN);
				memset(ys[i], 0, LEN);
				break;
			case 3:
				memset(xs[i], 0xff, LEN);
				break;
			case 4:
				memset(ys[i], 0xff, LEN);
				break;
			case 5: // the x of a point, and p
				cr_assert(point_at(i, 5, round % 2));
				above_p(xs[i]);
				break;
			case 6:
				cr_assert(point_at(i, 0, round % 2));
				above_p(xs[i]);
				break;
			default:
				randombytes_buf(xs[i], LEN);
				randombytes_buf(ys[i], LEN);
			}
		}
		check("no point");
		good = run();
		cr_assert_eq(good, (p256_mask)~bad);
	}
}

Test(p256, y_above_p_is_refused)
{
	// The x of y = 5.
	static const char *const hex =
		"d7325d7646cd60d80a92738ceb345f844cffaf35841022cab176f692de8de1d7";

	randombytes_buf(scalars, sizeof(scalars));
	for (unsigned i = 0; i < P256_LANES; i++) {
		point_random(i);
		if (i > 2)
			continue;
		sodium_hex2bin(xs[i], LEN, hex, strlen(hex), NULL, NULL, NULL);
		memset(ys[i], 0, LEN);
		ys[i][LEN - 1] = 5;
	}
	above_p(ys[1]);
	number_write(ys[2], p);
	check("y above p");
	cr_assert_eq(run(), 0xf9);
}

Test(p256, y_of_x)
{
	for (unsigned round = 0; round < TIMES(2000); round++) {
		const p256_mask odd = (p256_mask)randombytes_random();
		p256_mask good;

		randombytes_buf(xs, sizeof(xs)); // half of them have no y
		for (unsigned i = 0; i < P256_LANES; i++)
			if (round < 64) // small, near p and near 2^256
				memset(xs[i], i % 2 ? 0xff : 0, LEN - 1);
		if (round < 64)
			number_write(xs[7], p), xs[7][LEN - 1] ^= (uint8_t)round;
		good = run_y(odd);
		for (unsigned i = 0; i < P256_LANES; i++) {
			uint8_t bytes[1 + LEN] = {(uint8_t)(2 | (odd >> i & 1))}, expected[LEN];
			bool found;

			memcpy(bytes + 1, xs[i], LEN);
			found = EC_POINT_oct2point(group, point, bytes, sizeof(bytes), ctx) == 1;
			BN_zero(y);
			if (found)
				cr_assert(EC_POINT_get_affine_coordinates(
					group, point, NULL, y, ctx));
			number_write(expected, y);
			cr_assert_eq(good >> i & 1, found);
			cr_assert_arr_eq(out_ys[i], expected, LEN);
		}
	}
}

Test(p256, each_lane_has_its_own)
{
	uint8_t before[P256_LANES][LEN];

	for (unsigned i = 0; i < P256_LANES; i++) {
		randombytes_buf(scalars[i], LEN);
		scalars[i][0] = 0; // below n
		point_random(i);
	}
	cr_assert_eq(run(), 0xff);
	memcpy(before, outs, sizeof(outs));
	for (unsigned lane = 0; lane < P256_LANES; lane++) {
		const unsigned next = (lane + 1) % P256_LANES;

		scalars[lane][5] ^= 1;
		point_random(next);
		cr_assert_eq(run(), 0xff);
		for (unsigned i = 0; i < P256_LANES; i++)
			cr_assert_eq(!memcmp(outs[i], before[i], LEN), i != lane && i != next);
		memcpy(before, outs, sizeof(outs));
	}
}

Test(p256, an_out_may_be_what_is_read)
{
	uint8_t expected[P256_LANES][LEN];

	for (unsigned i = 0; i < P256_LANES; i++) {
		randombytes_buf(scalars[i], LEN);
		point_random(i);
	}
	cr_assert_eq(run(), 0xff);
	memcpy(expected, outs, sizeof(outs));

	POINTERS(const uint8_t, s, scalars);
	POINTERS(const uint8_t, px, xs);
	POINTERS(const uint8_t, py, ys);
	uint8_t *o[P256_LANES];

	for (unsigned i = 0; i < P256_LANES; i++)
		o[i] = i % 3 == 0 ? scalars[i] : i % 3 == 1 ? xs[i] : ys[i];
	cr_assert_eq(p256_ifma_shared(o, s, px, py), 0xff);
	for (unsigned i = 0; i < P256_LANES; i++)
		cr_assert_arr_eq(o[i], expected[i], LEN);
}

// Sanitizers keep copies of their own, and plain C is not what ships.
#if !defined(IFMA_PLAIN) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define STACK_SIZE (256 * 1024)

static void *shared_once(void *arg)
{
	cr_assert_eq(run(), 0xff);
	return arg;
}

static void *public_once(void *arg)
{
	cr_assert_eq(run_public(), 0xff);
	return arg;
}

static bool is_in(const uint8_t *memory, size_t len, const void *bytes)
{
	return memmem(memory, len, bytes, 8);
}

// Whether the stack has eight bytes of a number, or a limb of it.
static bool is_left(const uint8_t *stack, const uint8_t number[LEN])
{
	for (unsigned limb = 0; limb < 5; limb++) {
		uint64_t value = 0;

		for (unsigned bit = 52 * limb; bit < 52 * (limb + 1) && bit < 256; bit++)
			value |= (uint64_t)(number[31 - bit / 8] >> bit % 8 & 1)
				<< (bit - 52 * limb);
		if (is_in(stack, STACK_SIZE, &value))
			return true;
	}
	for (unsigned at = 0; at < LEN; at += 8)
		if (is_in(stack, STACK_SIZE, number + at))
			return true;
	return false;
}

static void left_check(void *(*once)(void *))
{
	uint8_t *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	pthread_attr_t attr;
	pthread_t thread;

	cr_assert_neq(stack, MAP_FAILED);
	for (unsigned round = 0; round < 20; round++) {
		randombytes_buf(scalars, sizeof(scalars));
		for (unsigned i = 0; i < P256_LANES; i++)
			point_random(i);
		pthread_attr_init(&attr);
		pthread_attr_setstack(&attr, stack, STACK_SIZE);
		cr_assert_eq(pthread_create(&thread, &attr, once, NULL), 0);
		pthread_join(thread, NULL);
		pthread_attr_destroy(&attr);
		for (unsigned i = 0; i < P256_LANES; i++) {
			cr_assert_not(is_left(stack, scalars[i]));
			cr_assert_not(is_left(stack, outs[i]));
		}
	}
	munmap(stack, STACK_SIZE);
}

Test(p256, nothing_is_left_on_the_stack)
{
	left_check(shared_once);
	left_check(public_once);
}
#endif
