// SPDX-License-Identifier: BSD-3-Clause
// The arithmetic of P-256's numbers in plain C, against OpenSSL's big numbers, with factors as
// large as they may be.

#define IFMA_CHECK(rule)                  \
	do {                              \
		if (!(rule))              \
			__builtin_trap(); \
	} while (0)
#include "crypto/p256_field.h"

#include <criterion/criterion.h>
#include <openssl/bn.h>
#include <sodium.h>

static BIGNUM *p, *r, *left, *right, *one, *two;
static BN_CTX *ctx;

static void begin(void)
{
	cr_assert_geq(sodium_init(), 0);
	ctx = BN_CTX_new();
	p = BN_new();
	r = BN_new();
	left = BN_new();
	right = BN_new();
	one = BN_new();
	two = BN_new();
	BN_hex2bn(&p, "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF");
	BN_set_bit(r, 260);
}

static void end(void)
{
	BN_free(p);
	BN_free(r);
	BN_free(left);
	BN_free(right);
	BN_free(one);
	BN_free(two);
	BN_CTX_free(ctx);
}

TestSuite(p256_field, .init = begin, .fini = end);

// What a lane stands for. Its limbs must be those of a factor.
static void number(BIGNUM *out, const struct fe *a, unsigned lane)
{
	BIGNUM *limb = BN_new();

	BN_zero(out);
	for (unsigned i = LIMBS; i-- > 0;) {
		cr_assert_leq(a->limb[i][lane], LIMB_MASK);
		BN_set_word(limb, a->limb[i][lane]);
		BN_lshift(out, out, LIMB_BITS);
		BN_add(out, out, limb);
	}
	BN_free(limb);
}

// Limbs of zeros, ones and random bits, in all mixtures; above: bits above 2^256.
static void fill(struct fe *out, unsigned above)
{
	for (unsigned i = 0; i < LIMBS; i++)
		for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
			const unsigned bits = i < LIMBS - 1 ? LIMB_BITS : 48 + above;
			uint64_t limb;

			randombytes_buf(&limb, sizeof(limb));
			switch (randombytes_uniform(5)) {
			case 0:
				limb = 0;
				break;
			case 1:
				limb = UINT64_MAX;
				break;
			case 2:
				limb = fe_p[i];
			}
			out->limb[i][lane] = limb & ((UINT64_C(1) << bits) - 1);
		}
}

// The number of a lane is what is expected, modulo p, and not above at_most / 16 * 2^256.
static void same(const struct fe *a, unsigned lane, const BIGNUM *expected, unsigned at_most)
{
	number(one, a, lane);
	BN_set_word(two, at_most);
	BN_lshift(two, two, 256);
	BN_lshift(left, one, 4);
	cr_assert_leq(BN_cmp(left, two), 0, "larger than it may be");
	BN_sub(left, one, expected);
	cr_assert(BN_mod(left, left, p, ctx));
	cr_assert(BN_is_zero(left));
}

Test(p256_field, products)
{
	struct fe a, b, out;

	for (unsigned round = 0; round < 3000; round++) {
		fill(&a, 4);
		fill(&b, round % 2 ? 3 : 0);
		for (unsigned square = 0; square < 2; square++) {
			if (square)
				fe_square(&out, &b);
			else
				fe_multiply_once(&out, &a, &b);
			for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
				number(one, square ? &b : &a, lane);
				number(two, &b, lane);
				BN_mod_mul(right, one, two, p, ctx);
				BN_mod_inverse(left, r, p, ctx);
				BN_mod_mul(right, right, left, p, ctx);
				same(&out, lane, right, round % 2 ? 16 * 9 : 32);
			}
		}
	}
}

Test(p256_field, sums_and_differences)
{
	struct fe a, b, out;

	for (unsigned round = 0; round < 3000; round++) {
		fill(&a, 2);
		fill(&b, 1);
		fe_add(&out, &a, &b);
		for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
			number(one, &a, lane);
			number(two, &b, lane);
			BN_add(right, one, two);
			same(&out, lane, right, 16 * 6);
		}
		fe_subtract(&out, &a, &b, 3); // b is below 2.1 p
		for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
			number(one, &a, lane);
			number(two, &b, lane);
			BN_sub(right, one, two);
			same(&out, lane, right, 16 * 7);
		}
	}
}

Test(p256_field, what_is_folded_is_small_and_not_negative)
{
	struct fe a, b, out;
	lanes c[LIMBS];

	for (unsigned round = 0; round < 3000; round++) {
		fill(&a, 4);
		fill(&b, 4);
		for (unsigned i = 0; i < LIMBS; i++)
			c[i] = a.limb[i] - (b.limb[i] << round % 4);
		fe_settle_folded(&out, c);
		for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
			number(one, &a, lane);
			number(two, &b, lane);
			BN_lshift(two, two, (int)round % 4);
			BN_sub(right, one, two);
			same(&out, lane, right, 33);
		}
	}
}

Test(p256_field, reading_and_writing)
{
	uint8_t bytes[IFMA_LANES][32], again[IFMA_LANES][32];
	const uint8_t *in[IFMA_LANES];
	uint8_t *out[IFMA_LANES];

	for (unsigned i = 0; i < IFMA_LANES; i++) {
		in[i] = bytes[i];
		out[i] = again[i];
	}
	for (unsigned round = 0; round < 2000; round++) {
		struct fe a;
		lanes_mask below;

		randombytes_buf(bytes, sizeof(bytes));
		for (unsigned i = 0; i < IFMA_LANES && round < 300; i++) {
			BN_copy(left, p); // about p, 0 and 2^256
			if (i % 4 == 1)
				BN_zero(left);
			if (i % 4 == 2)
				BN_set_bit(left, 256), BN_mask_bits(left, 256);
			BN_add_word(left, round);
			if (i >= 4 && !BN_is_zero(left))
				BN_sub_word(left, round < 150 ? 1 : 150);
			if (BN_is_negative(left) || BN_num_bits(left) > 256)
				BN_zero(left);
			cr_assert_eq(BN_bn2binpad(left, bytes[i], 32), 32);
		}
		below = fe_load(&a, in);
		fe_store(out, &a, 0x7f);
		for (unsigned i = 0; i < IFMA_LANES; i++) {
			BN_bin2bn(bytes[i], 32, left);
			cr_assert_eq(below >> i & 1, BN_cmp(left, p) < 0);
			cr_assert(BN_mod(right, left, p, ctx));
			if (i == 7)
				BN_zero(right);
			BN_bin2bn(again[i], 32, left);
			cr_assert_eq(BN_cmp(left, right), 0);
		}
	}
}

Test(p256_field, inverses_and_roots)
{
	struct fe a, out, back, square;

	for (unsigned round = 0; round < 40; round++) {
		fill(&a, 1);
		fe_invert(&out, &a);
		fe_multiply(&back, &out, &a);
		BN_mod(right, r, p, ctx);
		for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
			number(one, &a, lane);
			cr_assert(BN_mod(one, one, p, ctx));
			if (BN_is_zero(one))
				BN_zero(two);
			else
				BN_copy(two, right);
			BN_copy(right, two);
			same(&back, lane, right, 33);
			BN_mod(right, r, p, ctx);
		}
		fe_square(&square, &a);
		fe_root(&out, &square);
		fe_square(&back, &out);
		fe_subtract(&back, &back, &square, 3);
		cr_assert_eq(fe_zero(&back), 0xff);
	}
}
