// SPDX-License-Identifier: BSD-3-Clause
// Numbers modulo p = 2^256 - 2^224 + 2^192 + 2^96 - 1 for p256_ifma.c, one in each of eight lanes.
//
// A number is five limbs of 52 bits, and is multiplied as Montgomery does with R = 2^260. The
// multiplication of IFMA takes the low 52 bits of its factors, so limbs of a factor are below 2^52.
// That leaves four bits above p: a factor may be anything below 16 * 2^256, and need not be below
// p. How large a number can be is said in units of 2^256, which are a little more than p:
//
//     product        of a and b: below a * b / 16 + 1
//     sum            below a + b
//     difference     below a + k, where k p is added and b is at most k (1 - 2^-32)
//     what is folded above 0.99, below 2.01, whatever it was, also if it was negative
//
// Between a multiplication and the carries, limbs are signed and may have up to 63 bits: ten
// products of 52 bits are below 2^56, and sums are made of a few of these. No branch and no address
// depends on a number.

#ifndef POSTERN_CRYPTO_P256_FIELD_H
#define POSTERN_CRYPTO_P256_FIELD_H

#include "crypto/ifma_lanes.h"

#define LIMBS     5
#define LIMB_BITS 52
#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)
#define COLUMNS   (2 * LIMBS)

struct fe {
	lanes limb[LIMBS];
};

static const uint64_t fe_p[LIMBS] = {
	0xfffffffffffff, 0x00fffffffffff, 0, 0x0001000000000, 0x0ffffffff0000};
// R and R^2, which are 1 and R in Montgomery's form.
static const uint64_t fe_one[LIMBS] = {
	0x0000000000010, 0xf000000000000, 0xfffffffffffff, 0xffeffffffffff, 0x00000000fffff};
static const uint64_t fe_rr[LIMBS] = {
	0x0000000000300, 0xffffffff00000, 0xffffefffffffb, 0xfdfffffffffff, 0x0000004ffffff};

INLINE void fe_set(struct fe *out, const uint64_t value[LIMBS])
{
	for (unsigned i = 0; i < LIMBS; i++)
		out->limb[i] = lanes_set(value[i]);
}

INLINE lanes lanes_above(lanes limb)
{
	return (lanes)((lanes_signed)limb >> LIMB_BITS);
}

// Carries from the first limb to the last. The number is not negative.
INLINE void fe_settle(struct fe *out, const lanes c[LIMBS])
{
	lanes limb = c[0];

	for (unsigned i = 0; i < LIMBS - 1; i++) {
		out->limb[i] = limb & LIMB_MASK;
		limb = c[i + 1] + lanes_above(limb);
	}
	out->limb[LIMBS - 1] = limb;
}

// The same for any number: takes it to the second p, and so below 2.01.
INLINE void fe_settle_folded(struct fe *out, lanes c[LIMBS])
{
	// p times this is what goes off. p = 2^256 - (2^224 - 2^192 - 2^96 + 1).
	const lanes times = (lanes)((lanes_signed)c[4] >> 48) - 1;

	c[0] += times;
	c[1] -= times << 44;
	c[3] -= times << 36;
	c[4] += (times << 16) - (times << 48);
	fe_settle(out, c);
}

// Adds the columns of a * b.
INLINE void columns_add(lanes t[COLUMNS], const struct fe *a, const struct fe *b)
{
	for (unsigned i = 0; i < LIMBS; i++)
		for (unsigned k = 0; k < LIMBS; k++) {
			t[i + k] = lanes_madd_low(t[i + k], a->limb[i], b->limb[k]);
			t[i + k + 1] = lanes_madd_high(t[i + k + 1], a->limb[i], b->limb[k]);
		}
}

INLINE void columns_multiply(lanes t[COLUMNS], const struct fe *a, const struct fe *b)
{
	for (unsigned k = 0; k < COLUMNS; k++)
		t[k] = lanes_set(0);
	columns_add(t, a, b);
}

INLINE void columns_square(lanes t[COLUMNS], const struct fe *a)
{
	for (unsigned k = 0; k < COLUMNS; k++)
		t[k] = lanes_set(0);
	// Products of two different limbs are there twice.
	for (unsigned i = 0; i < LIMBS; i++)
		for (unsigned k = i + 1; k < LIMBS; k++) {
			t[i + k] = lanes_madd_low(t[i + k], a->limb[i], a->limb[k]);
			t[i + k + 1] = lanes_madd_high(t[i + k + 1], a->limb[i], a->limb[k]);
		}
	for (unsigned k = 1; k < COLUMNS - 1; k++)
		t[k] <<= 1;
	for (unsigned i = 0; i < LIMBS; i++) {
		t[2 * i] = lanes_madd_low(t[2 * i], a->limb[i], a->limb[i]);
		t[2 * i + 1] = lanes_madd_high(t[2 * i + 1], a->limb[i], a->limb[i]);
	}
}

// Divides by R, modulo p: adds p as often as makes the five low columns 0. Since p is -1 modulo
// 2^52, a column says how often itself; that p + 1 is added instead takes it off. Returns the
// limbs, without carries.
INLINE lanes *columns_reduce(lanes t[COLUMNS])
{
	const lanes p1 = lanes_set(fe_p[1] + 1), p3 = lanes_set(fe_p[3]), p4 = lanes_set(fe_p[4]);

	for (unsigned i = 0; i < LIMBS; i++) {
		const lanes times = t[i] & LIMB_MASK;

		t[i + 1] = lanes_madd_low(t[i + 1], times, p1) + lanes_above(t[i]);
		t[i + 2] = lanes_madd_high(t[i + 2], times, p1);
		t[i + 3] = lanes_madd_low(t[i + 3], times, p3);
		t[i + 4] = lanes_madd_high(t[i + 4], times, p3);
		t[i + 4] = lanes_madd_low(t[i + 4], times, p4);
		t[i + 5] = lanes_madd_high(t[i + 5], times, p4);
	}
	return t + LIMBS;
}

INLINE void fe_multiply(struct fe *out, const struct fe *a, const struct fe *b)
{
	lanes t[COLUMNS];

	columns_multiply(t, a, b);
	fe_settle(out, columns_reduce(t));
}

INLINE void fe_square(struct fe *out, const struct fe *a)
{
	lanes t[COLUMNS];

	columns_square(t, a);
	fe_settle(out, columns_reduce(t));
}

INLINE void fe_add(struct fe *out, const struct fe *a, const struct fe *b)
{
	lanes c[LIMBS];

	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = a->limb[i] + b->limb[i];
	fe_settle(out, c);
}

// a - b + k p.
INLINE void fe_subtract(struct fe *out, const struct fe *a, const struct fe *b, unsigned k)
{
	lanes c[LIMBS];

	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = a->limb[i] - b->limb[i] + k * fe_p[i];
	fe_settle(out, c);
}

// b where the mask says so.
INLINE void fe_choose(struct fe *out, lanes_mask mask, const struct fe *a, const struct fe *b)
{
	for (unsigned i = 0; i < LIMBS; i++)
		out->limb[i] = lanes_choose(mask, a->limb[i], b->limb[i]);
}

// a - less, if that is not negative. Returns for which lanes it is negative.
INLINE lanes_mask limbs_subtract(struct fe *out, const struct fe *a, const uint64_t less[LIMBS])
{
	struct fe difference;
	lanes_mask negative;
	lanes c[LIMBS];

	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = a->limb[i] - less[i];
	fe_settle(&difference, c);
	negative = lanes_bit(difference.limb[LIMBS - 1], 63);
	fe_choose(out, negative, &difference, a);
	return negative;
}

INLINE lanes_mask limbs_zero(const struct fe *a)
{
	lanes all = a->limb[0];

	for (unsigned i = 1; i < LIMBS; i++)
		all |= a->limb[i];
	return lanes_zero(all);
}

// Takes a number out of Montgomery's form, to below p.
INLINE void fe_leave(struct fe *out, const struct fe *a)
{
	static const uint64_t one[LIMBS] = {1};
	struct fe factor;

	fe_set(&factor, one);
	fe_multiply(out, a, &factor); // at most p, since a is below R
	(void)limbs_subtract(out, out, fe_p);
}

INLINE lanes_mask fe_zero(const struct fe *a)
{
	struct fe number;

	fe_leave(&number, a);
	return limbs_zero(&number);
}

// --- bytes, the highest first

INLINE lanes lanes_turned(lanes a)
{
	a = (a & UINT64_C(0x00ff00ff00ff00ff)) << 8 | (a >> 8 & UINT64_C(0x00ff00ff00ff00ff));
	a = (a & UINT64_C(0x0000ffff0000ffff)) << 16 | (a >> 16 & UINT64_C(0x0000ffff0000ffff));
	return a << 32 | a >> 32;
}

INLINE void limbs_load(struct fe *out, const uint8_t *const bytes[IFMA_LANES])
{
	lanes word[4]; // the lowest first

	for (unsigned i = 0; i < 4; i++)
		word[i] = lanes_turned(lanes_load(bytes, 3 - i));
	out->limb[0] = word[0] & LIMB_MASK;
	out->limb[1] = (word[0] >> 52 | word[1] << 12) & LIMB_MASK;
	out->limb[2] = (word[1] >> 40 | word[2] << 24) & LIMB_MASK;
	out->limb[3] = (word[2] >> 28 | word[3] << 36) & LIMB_MASK;
	out->limb[4] = word[3] >> 16;
}

// Reads a number into Montgomery's form. Returns for which lanes it is below p.
INLINE lanes_mask fe_load(struct fe *out, const uint8_t *const bytes[IFMA_LANES])
{
	struct fe number, rr;
	lanes_mask below;

	limbs_load(&number, bytes);
	below = limbs_subtract(out, &number, fe_p);
	fe_set(&rr, fe_rr);
	fe_multiply(out, &number, &rr);
	return below;
}

// Writes numbers below p; zeros for lanes that are not in the mask.
INLINE void limbs_store(uint8_t *const out[IFMA_LANES], const struct fe *a, lanes_mask mask)
{
	lanes word[4];

	word[0] = a->limb[0] | a->limb[1] << 52;
	word[1] = a->limb[1] >> 12 | a->limb[2] << 40;
	word[2] = a->limb[2] >> 24 | a->limb[3] << 28;
	word[3] = a->limb[3] >> 36 | a->limb[4] << 16;
	for (unsigned i = 0; i < 4; i++) {
		word[i] = lanes_turned(lanes_choose(mask, lanes_set(0), word[i]));
		for (unsigned lane = 0; lane < IFMA_LANES; lane++) {
			const uint64_t one = word[i][lane];

			memcpy(out[lane] + 8 * (3 - i), &one, 8);
		}
	}
}

INLINE void fe_store(uint8_t *const out[IFMA_LANES], const struct fe *a, lanes_mask mask)
{
	struct fe number;

	fe_leave(&number, a);
	limbs_store(out, &number, mask);
}

// --- powers. Two of the long sequences are functions, or the code does not fit into the cache.

static __attribute__((noinline)) void fe_multiply_once(
	struct fe *out, const struct fe *a, const struct fe *b)
{
	fe_multiply(out, a, b);
}

// a^(2^n) * b.
static __attribute__((noinline)) void fe_square_times(
	struct fe *out, const struct fe *a, unsigned n, const struct fe *b)
{
	struct fe value = *a;

	for (unsigned i = 0; i < n; i++)
		fe_square(&value, &value);
	fe_multiply(out, &value, b);
}

// a^(2^32 - 1), and a^(2^30 - 1).
static void fe_power_ones(struct fe *ones_32, struct fe *ones_30, const struct fe *a)
{
	struct fe ones_2, ones_3, t;

	fe_square_times(&ones_2, a, 1, a);
	fe_square_times(&ones_3, &ones_2, 1, a);
	fe_square_times(&t, &ones_3, 3, &ones_3); // 6
	fe_square_times(&t, &t, 6, &t);           // 12
	fe_square_times(&t, &t, 3, &ones_3);      // 15
	fe_square_times(ones_30, &t, 15, &t);     // 30
	fe_square_times(ones_32, ones_30, 2, &ones_2);
}

// 1 / a = a^(p - 2); 0 of 0.
static void fe_invert(struct fe *out, const struct fe *a)
{
	struct fe ones_32, ones_30, t;

	fe_power_ones(&ones_32, &ones_30, a);
	fe_square_times(&t, &ones_32, 32, a);   // ffffffff00000001
	fe_square_times(&t, &t, 128, &ones_32); // 000000000000000000000000ffffffff
	fe_square_times(&t, &t, 32, &ones_32);  // ffffffff
	fe_square_times(&t, &t, 30, &ones_30);
	fe_square_times(out, &t, 2, a); // fffffffd
}

// A square root of a, if it has one: a^((p + 1) / 4). The caller looks whether it is.
static void fe_root(struct fe *out, const struct fe *a)
{
	struct fe ones_32, ones_30, t, one;

	fe_power_ones(&ones_32, &ones_30, a);
	fe_set(&one, fe_one);
	fe_square_times(&t, &ones_32, 32, a); // 2^64 - 2^32 + 1
	fe_square_times(&t, &t, 96, a);       // 2^160 - 2^128 + 2^96 + 1
	fe_square_times(out, &t, 94, &one);
}

#endif
