// SPDX-License-Identifier: BSD-3-Clause
// Points of P-256, y^2 = x^3 - 3x + b, in eight lanes: (X, Y, Z) stands for x = X / Z^2 and
// y = Y / Z^3 (Jacobian coordinates).
//
// A scalar is written with 52 digits of 5 bits that are odd, from -31 to 31. Of k in [1, n), where
// n is the order of the base point, k or n - k is odd; call that k. Digit i is
//
//     d(i) = ((k >> 5i | 1) mod 64) - 32     for i < 51;     d(51) = k >> 255 | 1 = 1
//
// and after digit i the sum has a(i) = k >> 5i | 1 times the point: a(i) = 32 a(i + 1) + d(i).
//
// The formulas below are wrong for the point at infinity, and the addition for a point and itself
// or its negative. Neither happens, whatever the key, to any point of the curve: each has the order
// n, which is a prime. 2, 3 and the other digits are no multiples of it. For the sums, 32 a(i + 1)
// would have to be d(i) or -d(i) modulo n:
//
//     i > 0   32 a(i + 1) is at least 32 and below 2^251 + 64, so it is neither d(i) nor n - d(i)
//     i = 0   -d(0): then k = 32 a(1) + d(0) would be 0 modulo n.
//             d(0): then k = 2 d(0) modulo n. k is odd, so d(0) < 0 and k = n + 2 d(0). As
//             k = d(0) + 32 modulo 64, d(0) would be 32 - n = 15 modulo 64, which is none below 0
//
// What is not on the curve is multiplied, too, and then not given out. No branch and no address
// depends on a key or a point: all 16 multiples of a point are read for each digit, or are in
// registers.

#include "crypto/p256.h"
#include "crypto/p256_field.h"

#include <stdlib.h>

#define DIGITS     52
#define DIGIT_BITS 5
#define MULTIPLES  16 // 1, 3, 5 to 31

struct point {
	struct fe x, y, z; // x, y: below 2.01, z: below 2.7
};

struct affine {
	struct fe x, y;
};

static const uint64_t curve_b[LIMBS] = {
	0xdf6229c4bddfd, 0xca8843090d89c, 0x212ed6acf005c, 0x83415a220abf7, 0x0c30061dd4874};
static const uint64_t base_x[LIMBS] = {
	0x30d418a9143c1, 0xc4fedb60179e7, 0x62251075ba95f, 0x5c669fb732b77, 0x08905f76b5375};
static const uint64_t base_y[LIMBS] = {
	0x5357ce95560a8, 0x43a19e45cddf2, 0x21f3258b4ab8e, 0xd8552e88688dd, 0x0571ff18a5885};
static const uint64_t order[LIMBS] = { // not in Montgomery's form
	0x9cac2fc632551, 0xada7179e84f3b, 0xfffffffbce6fa, 0x0000fffffffff, 0x0ffffffff0000};

// --- points

static __attribute__((noinline)) void point_double(struct point *p)
{
	struct fe delta, gamma, beta, alpha, sum, difference;
	lanes t[COLUMNS], *c;

	fe_square(&delta, &p->z);                   // 1.46
	fe_square(&gamma, &p->y);                   // 1.26
	fe_multiply(&beta, &p->x, &gamma);          // 1.16
	fe_add(&sum, &p->x, &delta);                // 3.5
	fe_subtract(&difference, &p->x, &delta, 2); // 4.1
	columns_multiply(t, &p->y, &p->z);
	c = columns_reduce(t);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] <<= 1;
	fe_settle(&p->z, c); // 2 * (2.01 * 2.7 / 16 + 1), below 2.7
	columns_multiply(t, &sum, &difference);
	c = columns_reduce(t);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] += c[i] << 1;
	fe_settle(&alpha, c); // 5.7
	columns_square(t, &alpha);
	c = columns_reduce(t);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] -= beta.limb[i] << 3;
	fe_settle_folded(&p->x, c); // alpha^2 - 8 beta
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = (beta.limb[i] << 2) - p->x.limb[i] + 3 * fe_p[i];
	fe_settle(&difference, c); // 7.7
	columns_square(t, &gamma);
	for (unsigned i = 0; i < COLUMNS; i++)
		t[i] = -(t[i] << 3);
	columns_add(t, &alpha, &difference);
	fe_settle_folded(&p->y, columns_reduce(t)); // alpha (4 beta - x) - 8 gamma^2
}

// a * b - less, for less below 1.99.
INLINE void multiply_less(
	struct fe *out, const struct fe *a, const struct fe *b, const struct fe *less, unsigned k)
{
	lanes t[COLUMNS], *c;

	columns_multiply(t, a, b);
	c = columns_reduce(t);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] += k * fe_p[i] - less->limb[i];
	fe_settle(out, c);
}

// The end of each addition: u and s are the x and y of p, h and r what the other's are more, all
// with a common Z. h and r: below 4.3.
INLINE void add_end(struct point *p, const struct fe *u, const struct fe *s, const struct fe *h,
	const struct fe *r)
{
	struct fe hh, hhh, v, difference;
	lanes t[COLUMNS], *c;

	fe_square(&hh, h);
	fe_multiply(&v, u, &hh);
	fe_multiply(&hhh, h, &hh);
	columns_square(t, r);
	c = columns_reduce(t);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] -= hhh.limb[i] + (v.limb[i] << 1);
	fe_settle_folded(&p->x, c);             // r^2 - h^3 - 2 v
	fe_subtract(&difference, &v, &p->x, 3); // 4.3
	columns_multiply(t, s, &hhh);
	for (unsigned i = 0; i < COLUMNS; i++)
		t[i] = -t[i];
	columns_add(t, r, &difference);
	fe_settle_folded(&p->y, columns_reduce(t)); // r (v - x) - s h^3
}

// p += q. The y of q: below 3.1.
static __attribute__((noinline)) void point_add(struct point *p, const struct point *q)
{
	struct fe zz1, zz2, zzz, u, s, h, r;

	fe_square(&zz1, &p->z);                // 1.46
	fe_square(&zz2, &q->z);                // 1.46
	fe_multiply(&u, &p->x, &zz2);          // 1.2
	multiply_less(&h, &q->x, &zz1, &u, 2); // 3.2
	fe_multiply(&zzz, &q->z, &zz2);        // 1.25
	fe_multiply(&s, &p->y, &zzz);          // 1.2
	fe_multiply(&zzz, &p->z, &zz1);        // 1.25
	multiply_less(&r, &q->y, &zzz, &s, 2); // 3.3
	fe_multiply(&zzz, &p->z, &q->z);       // 1.46
	fe_multiply(&p->z, &zzz, &h);          // 1.3
	add_end(p, &u, &s, &h, &r);
}

// The same for q with Z = 1.
static __attribute__((noinline)) void point_add_affine(struct point *p, const struct affine *q)
{
	struct fe zz, zzz, h, r, u = p->x, s = p->y;

	fe_square(&zz, &p->z);                 // 1.46
	multiply_less(&h, &q->x, &zz, &u, 3);  // 4.2
	fe_multiply(&zzz, &p->z, &zz);         // 1.25
	multiply_less(&r, &q->y, &zzz, &s, 3); // 4.3
	fe_multiply(&p->z, &p->z, &h);         // 1.8
	add_end(p, &u, &s, &h, &r);
}

// x^3 - 3x + b, below 2.2.
static void curve_value(struct fe *out, const struct fe *x)
{
	struct fe t;
	lanes columns[COLUMNS], *c;

	columns_square(columns, x);
	c = columns_reduce(columns);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] -= lanes_set(3 * fe_one[i]);
	fe_settle_folded(&t, c);
	columns_multiply(columns, &t, x);
	c = columns_reduce(columns);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] += lanes_set(curve_b[i]);
	fe_settle(out, c);
}

// Whether y^2 is the value, which is below 2.9.
static lanes_mask is_root(const struct fe *y, const struct fe *value)
{
	struct fe difference;

	fe_square(&difference, y);
	fe_subtract(&difference, &difference, value, 3);
	return fe_zero(&difference);
}

// The multiples 1, 3, 5 to 31 of a point.
static void multiples_make(struct point multiple[MULTIPLES], const struct point *p)
{
	struct point twice = *p;

	point_double(&twice);
	multiple[0] = *p;
	for (unsigned i = 1; i < MULTIPLES; i++) {
		multiple[i] = multiple[i - 1];
		point_add(&multiple[i], &twice);
	}
}

// --- scalars

struct scalar {
	struct fe limbs;     // odd
	lanes_mask negative; // it was n less this
};

// Returns the lanes whose scalar is in [1, n).
static lanes_mask scalar_load(struct scalar *out, const uint8_t *const bytes[P256_LANES])
{
	struct fe number, rest;
	lanes c[LIMBS];

	limbs_load(&number, bytes);
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = order[i] - number.limb[i];
	fe_settle(&rest, c);
	out->negative = (lanes_mask)~lanes_bit(number.limb[0], 0);
	fe_choose(&out->limbs, out->negative, &number, &rest);
	return (lanes_mask) ~(
		lanes_bit(rest.limb[LIMBS - 1], 63) | limbs_zero(&rest) | limbs_zero(&number));
}

// The lanes whose digit is below 0. *which is the place of its multiple.
INLINE lanes_mask digit_read(lanes *which, const struct scalar *scalar, unsigned digit)
{
	const unsigned from = DIGIT_BITS * digit + 1;
	const unsigned limb = from / LIMB_BITS, bit = from % LIMB_BITS;
	const lanes *limbs = scalar->limbs.limb;
	lanes bits = limbs[limb] >> bit;
	lanes_mask negative;

	if (bit > LIMB_BITS - DIGIT_BITS)
		bits |= limbs[limb + 1] << (LIMB_BITS - bit);
	bits &= 2 * MULTIPLES - 1;
	negative = (lanes_mask)~lanes_bit(bits, DIGIT_BITS - 1);
	*which = lanes_choose(negative, bits, ~bits) & (MULTIPLES - 1);
	return negative;
}

INLINE void negate(struct fe *y, lanes_mask where)
{
	struct fe zero, minus;

	for (unsigned i = 0; i < LIMBS; i++)
		zero.limb[i] = lanes_set(0);
	fe_subtract(&minus, &zero, y, 3);
	fe_choose(y, where, y, &minus);
}

// Reads all multiples.
INLINE void multiple_choose(struct point *out, const struct point multiple[MULTIPLES], lanes which)
{
	*out = multiple[0];
	for (unsigned i = 1; i < MULTIPLES; i++) {
		const lanes_mask here = lanes_zero(which ^ lanes_set(i));

		fe_choose(&out->x, here, &out->x, &multiple[i].x);
		fe_choose(&out->y, here, &out->y, &multiple[i].y);
		fe_choose(&out->z, here, &out->z, &multiple[i].z);
	}
}

// p times the scalar.
static void multiply(struct point *p, const struct scalar *scalar)
{
	struct point multiple[MULTIPLES], one;

	multiples_make(multiple, p);
	for (unsigned digit = DIGITS - 1; digit-- > 0;) {
		lanes which;
		const lanes_mask negative = digit_read(&which, scalar, digit);

		for (unsigned i = 0; i < DIGIT_BITS; i++)
			point_double(p);
		multiple_choose(&one, multiple, which);
		negate(&one.y, negative);
		point_add(p, &one);
	}
}

// --- multiples of the base point

struct p256_base {
	lanes number[DIGITS][2 * LIMBS][2]; // for each digit x and y of 16 multiples, by limbs
};

// Multiplies each multiple's Z away: with the inverse of the product of all.
static void multiples_flatten(struct point multiple[MULTIPLES])
{
	struct fe product[MULTIPLES], inverse, one, square;

	product[0] = multiple[0].z;
	for (unsigned i = 1; i < MULTIPLES; i++)
		fe_multiply_once(&product[i], &product[i - 1], &multiple[i].z);
	fe_invert(&inverse, &product[MULTIPLES - 1]);
	for (unsigned i = MULTIPLES; i-- > 0;) {
		one = inverse;
		if (i) {
			fe_multiply_once(&one, &inverse, &product[i - 1]);
			fe_multiply_once(&inverse, &inverse, &multiple[i].z);
		}
		fe_multiply_once(&square, &one, &one);
		fe_multiply_once(&multiple[i].x, &multiple[i].x, &square);
		fe_multiply_once(&square, &square, &one);
		fe_multiply_once(&multiple[i].y, &multiple[i].y, &square);
	}
}

// The multiples of eight digits, or of the last four.
static void base_fill(struct p256_base *base, unsigned first, const struct point *point)
{
	struct point multiple[MULTIPLES];

	multiples_make(multiple, point);
	multiples_flatten(multiple);
	for (unsigned lane = 0; lane < P256_LANES && first + lane < DIGITS; lane++)
		for (unsigned i = 0; i < MULTIPLES; i++)
			for (unsigned k = 0; k < LIMBS; k++) {
				lanes(*number)[2] = base->number[first + lane];

				number[k][i / 8][i % 8] = multiple[i].x.limb[k][lane];
				number[LIMBS + k][i / 8][i % 8] = multiple[i].y.limb[k][lane];
			}
}

struct p256_base *p256_base_create(void)
{
	struct p256_base *base = aligned_alloc(64, sizeof(*base));
	struct point point, some;

	if (!base)
		return NULL;
	fe_set(&point.x, base_x);
	fe_set(&point.y, base_y);
	fe_set(&point.z, fe_one);
	some = point;
	for (unsigned digit = 0; digit < DIGITS; digit++) {
		const lanes_mask lane = (lanes_mask)(1 << digit % P256_LANES);

		fe_choose(&some.x, lane, &some.x, &point.x);
		fe_choose(&some.y, lane, &some.y, &point.y);
		fe_choose(&some.z, lane, &some.z, &point.z);
		if (digit % P256_LANES == P256_LANES - 1 || digit == DIGITS - 1)
			base_fill(base, digit / P256_LANES * P256_LANES, &some);
		for (unsigned i = 0; i < DIGIT_BITS; i++)
			point_double(&point);
	}
	return base;
}

void p256_base_free(struct p256_base *base)
{
	free(base);
}

// The base point times the scalar.
static void multiply_base(
	struct point *p, const struct p256_base *base, const struct scalar *scalar)
{
	struct affine one;
	lanes which;

	// The first digit is 1.
	for (unsigned k = 0; k < LIMBS; k++) {
		p->x.limb[k] = lanes_set(base->number[DIGITS - 1][k][0][0]);
		p->y.limb[k] = lanes_set(base->number[DIGITS - 1][LIMBS + k][0][0]);
	}
	fe_set(&p->z, fe_one);
	for (unsigned digit = DIGITS - 1; digit-- > 0;) {
		const lanes_mask negative = digit_read(&which, scalar, digit);

		for (unsigned k = 0; k < LIMBS; k++) {
			one.x.limb[k] = lanes_of_16(base->number[digit][k], which);
			one.y.limb[k] = lanes_of_16(base->number[digit][LIMBS + k], which);
		}
		negate(&one.y, negative);
		point_add_affine(p, &one);
	}
}

// --- what is called

static __attribute__((noinline)) lanes_mask shared_make(uint8_t *const out[P256_LANES],
	const uint8_t *const scalars[P256_LANES], const uint8_t *const x[P256_LANES],
	const uint8_t *const y[P256_LANES])
{
	struct scalar scalar;
	struct point p;
	struct fe t;
	lanes_mask good = scalar_load(&scalar, scalars);

	good &= fe_load(&p.x, x);
	good &= fe_load(&p.y, y);
	curve_value(&t, &p.x);
	good &= is_root(&p.y, &t);
	fe_set(&p.z, fe_one);
	multiply(&p, &scalar);
	fe_invert(&t, &p.z);
	fe_multiply_once(&t, &t, &t);
	fe_multiply_once(&p.x, &p.x, &t);
	fe_store(out, &p.x, good);
	return good;
}

static __attribute__((noinline)) lanes_mask public_make(const struct p256_base *base,
	uint8_t *const x[P256_LANES], uint8_t *const y[P256_LANES],
	const uint8_t *const scalars[P256_LANES])
{
	struct scalar scalar;
	struct point p;
	struct fe inverse, t;
	const lanes_mask good = scalar_load(&scalar, scalars);

	multiply_base(&p, base, &scalar);
	fe_invert(&inverse, &p.z);
	fe_multiply_once(&t, &inverse, &inverse);
	fe_multiply_once(&p.x, &p.x, &t);
	fe_multiply_once(&t, &t, &inverse);
	fe_multiply_once(&p.y, &p.y, &t);
	negate(&p.y, scalar.negative);
	fe_store(x, &p.x, good);
	fe_store(y, &p.y, good);
	return good;
}

// Bytes of stack in which keys or points may have been, more than the frames of the functions above
// and what they call.
#define SPILL_ROOM 32768

static __attribute__((noinline)) void spills_wipe(void)
{
	uint8_t spills[SPILL_ROOM];

	memset(spills, 0, sizeof(spills));
	__asm__ volatile("" : : "r"(spills) : "memory");
}

p256_mask p256_ifma_shared(uint8_t *const out[P256_LANES], const uint8_t *const scalars[P256_LANES],
	const uint8_t *const x[P256_LANES], const uint8_t *const y[P256_LANES])
{
	const lanes_mask good = shared_make(out, scalars, x, y);

	spills_wipe();
	lanes_registers_wipe();
	return good;
}

p256_mask p256_ifma_public(const struct p256_base *base, uint8_t *const x[P256_LANES],
	uint8_t *const y[P256_LANES], const uint8_t *const scalars[P256_LANES])
{
	const lanes_mask good = public_make(base, x, y, scalars);

	spills_wipe();
	lanes_registers_wipe();
	return good;
}

p256_mask p256_ifma_y(
	uint8_t *const y[P256_LANES], const uint8_t *const x[P256_LANES], p256_mask odd)
{
	struct fe number, value, root, minus, zero;
	lanes c[LIMBS];
	lanes_mask good = fe_load(&number, x);

	curve_value(&value, &number);
	fe_root(&root, &value);
	good &= is_root(&root, &value);
	fe_leave(&root, &root);
	// 0 is no root: no point has the order 2.
	for (unsigned i = 0; i < LIMBS; i++) {
		zero.limb[i] = lanes_set(0);
		c[i] = zero.limb[i] + fe_p[i] - root.limb[i];
	}
	fe_settle(&minus, c);
	fe_choose(&root, lanes_bit(root.limb[0], 0) ^ odd, &root, &minus);
	limbs_store(y, &root, good);
	return good;
}
