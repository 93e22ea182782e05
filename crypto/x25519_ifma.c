// SPDX-License-Identifier: BSD-3-Clause
// X25519 (RFC 7748) of eight keys at once, with AVX-512 IFMA: the Montgomery ladder of section 5
// with a key in each of the eight lanes.
//
// A field element is five limbs of 51 bits. The multiplication of IFMA takes the low 52 bits of its
// factors and gives the low or the high 52 bits of their product, so the rule for everything below
// is: limbs of a factor are below 2^52. They are, in bits:
//
//     product     its columns are below 15 * 2^52, and folded (2^255 = 19) below 20 * 2^56 < 2^61;
//                 one parallel carry leaves limbs below 2^51 + 19 * 2^10 < 2^52
//     sum         below 2^53, after a carry below 2^51 + 19 * 4
//     difference  4p is added, so it is positive and below 2^54; after a carry below 2^51 + 19 * 8
//
// No branch and no address depends on a key or a point: the bits of the scalars are masks.

#include "crypto/ifma_lanes.h"
#include "crypto/x25519.h"

#include <string.h>

#define LIMBS     5
#define LIMB_BITS 51
#define LIMB_MASK ((UINT64_C(1) << LIMB_BITS) - 1)
#define A24       121665 // (486662 - 2) / 4

struct fe {
	lanes limb[LIMBS];
};

// --- the field

// 19 times a number below 2^59.
INLINE lanes lanes_19(lanes a)
{
	return (a << 4) + (a << 1) + a;
}

// One carry of each limb to the next at the same time. Limbs below 2^61 become those of a factor.
INLINE void carry(struct fe *out, const lanes c[LIMBS])
{
	out->limb[0] = (c[0] & LIMB_MASK) + lanes_19(c[LIMBS - 1] >> LIMB_BITS);
	for (unsigned i = 1; i < LIMBS; i++)
		out->limb[i] = (c[i] & LIMB_MASK) + (c[i - 1] >> LIMB_BITS);
}

// Folds the columns of a product, low[k] + 2 high[k - 1] being column k, and carries.
INLINE void product(struct fe *out, const lanes low[2 * LIMBS - 1], const lanes high[2 * LIMBS - 1])
{
	lanes c[LIMBS];

	for (unsigned i = 0; i < LIMBS; i++) {
		lanes above = high[i + LIMBS - 1] << 1; // column i + 5

		if (i + LIMBS < 2 * LIMBS - 1)
			above += low[i + LIMBS];
		c[i] = low[i] + lanes_19(above);
		if (i)
			c[i] += high[i - 1] << 1;
	}
	carry(out, c);
}

INLINE void mul(struct fe *out, const struct fe *a, const struct fe *b)
{
	lanes low[2 * LIMBS - 1], high[2 * LIMBS - 1];

	for (unsigned k = 0; k < 2 * LIMBS - 1; k++)
		low[k] = high[k] = lanes_set(0);
	for (unsigned i = 0; i < LIMBS; i++)
		for (unsigned k = 0; k < LIMBS; k++) {
			low[i + k] = lanes_madd_low(low[i + k], a->limb[i], b->limb[k]);
			high[i + k] = lanes_madd_high(high[i + k], a->limb[i], b->limb[k]);
		}
	product(out, low, high);
}

INLINE void square(struct fe *out, const struct fe *a)
{
	lanes low[2 * LIMBS - 1], high[2 * LIMBS - 1];

	for (unsigned k = 0; k < 2 * LIMBS - 1; k++)
		low[k] = high[k] = lanes_set(0);
	// Products of two different limbs are there twice.
	for (unsigned i = 0; i < LIMBS; i++)
		for (unsigned k = i + 1; k < LIMBS; k++) {
			low[i + k] = lanes_madd_low(low[i + k], a->limb[i], a->limb[k]);
			high[i + k] = lanes_madd_high(high[i + k], a->limb[i], a->limb[k]);
		}
	for (unsigned k = 0; k < 2 * LIMBS - 1; k++) {
		low[k] <<= 1;
		high[k] <<= 1;
	}
	for (unsigned i = 0; i < LIMBS; i++) {
		low[2 * i] = lanes_madd_low(low[2 * i], a->limb[i], a->limb[i]);
		high[2 * i] = lanes_madd_high(high[2 * i], a->limb[i], a->limb[i]);
	}
	product(out, low, high);
}

// a + A24 * b.
INLINE void add_mul_a24(struct fe *out, const struct fe *a, const struct fe *b)
{
	const lanes factor = lanes_set(A24);
	lanes c[LIMBS], high[LIMBS];

	for (unsigned i = 0; i < LIMBS; i++) {
		c[i] = lanes_madd_low(a->limb[i], b->limb[i], factor);
		high[i] = lanes_madd_high(lanes_set(0), b->limb[i], factor) << 1;
	}
	c[0] += lanes_19(high[LIMBS - 1]);
	for (unsigned i = 1; i < LIMBS; i++)
		c[i] += high[i - 1];
	carry(out, c);
}

INLINE void add(struct fe *out, const struct fe *a, const struct fe *b)
{
	lanes c[LIMBS];

	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = a->limb[i] + b->limb[i];
	carry(out, c);
}

INLINE void sub(struct fe *out, const struct fe *a, const struct fe *b)
{
	lanes c[LIMBS];

	// Limbs of 4p are above those of a factor.
	for (unsigned i = 0; i < LIMBS; i++)
		c[i] = a->limb[i] + 4 * (i ? LIMB_MASK : LIMB_MASK - 18) - b->limb[i];
	carry(out, c);
}

// Exchanges a and b where the mask says so.
INLINE void swap(lanes_mask mask, struct fe *a, struct fe *b)
{
	for (unsigned i = 0; i < LIMBS; i++) {
		const lanes was = a->limb[i];

		a->limb[i] = lanes_choose(mask, was, b->limb[i]);
		b->limb[i] = lanes_choose(mask, b->limb[i], was);
	}
}

// Two of the long sequences are functions, or the code does not fit into the cache.
static __attribute__((noinline)) void mul_once(
	struct fe *out, const struct fe *a, const struct fe *b)
{
	mul(out, a, b);
}

static __attribute__((noinline)) void square_times(struct fe *out, const struct fe *a, unsigned n)
{
	struct fe value = *a;

	for (unsigned i = 0; i < n; i++)
		square(&value, &value);
	*out = value;
}

// 1 / a = a^(p - 2), p - 2 = 2^255 - 21; 0 of 0.
static void invert(struct fe *out, const struct fe *a)
{
	struct fe t0, t1, t2, t3;

	square_times(&t0, a, 1);   // 2
	square_times(&t1, &t0, 2); // 8
	mul_once(&t1, a, &t1);     // 9
	mul_once(&t0, &t0, &t1);   // 11
	square_times(&t2, &t0, 1); // 22
	mul_once(&t1, &t1, &t2);   // 2^5 - 1
	square_times(&t2, &t1, 5);
	mul_once(&t1, &t2, &t1); // 2^10 - 1
	square_times(&t2, &t1, 10);
	mul_once(&t2, &t2, &t1); // 2^20 - 1
	square_times(&t3, &t2, 20);
	mul_once(&t2, &t3, &t2); // 2^40 - 1
	square_times(&t2, &t2, 10);
	mul_once(&t1, &t2, &t1); // 2^50 - 1
	square_times(&t2, &t1, 50);
	mul_once(&t2, &t2, &t1); // 2^100 - 1
	square_times(&t3, &t2, 100);
	mul_once(&t2, &t3, &t2); // 2^200 - 1
	square_times(&t2, &t2, 50);
	mul_once(&t1, &t2, &t1); // 2^250 - 1
	square_times(&t1, &t1, 5);
	mul_once(out, &t1, &t0); // 2^255 - 21
}

// --- bytes

// Reads u, without its highest bit (RFC 7748 section 5).
static void fe_load(struct fe *out, const uint8_t *const bytes[X25519_LANES])
{
	lanes word[4];

	for (unsigned i = 0; i < 4; i++)
		word[i] = lanes_load(bytes, i);
	out->limb[0] = word[0] & LIMB_MASK;
	out->limb[1] = (word[0] >> 51 | word[1] << 13) & LIMB_MASK;
	out->limb[2] = (word[1] >> 38 | word[2] << 26) & LIMB_MASK;
	out->limb[3] = (word[2] >> 25 | word[3] << 39) & LIMB_MASK;
	out->limb[4] = word[3] >> 12 & LIMB_MASK;
}

// Carries from the first limb to the last. Returns what is above 2^255.
INLINE lanes carry_along(lanes c[LIMBS])
{
	lanes over = lanes_set(0);

	for (unsigned i = 0; i < LIMBS; i++) {
		c[i] += over;
		over = c[i] >> LIMB_BITS;
		c[i] &= LIMB_MASK;
	}
	return over;
}

// Writes the value below p.
static void fe_store(uint8_t *const out[X25519_LANES], const struct fe *a)
{
	lanes c[LIMBS], word[4], over;

	memcpy(c, a->limb, sizeof(c));
	c[0] += lanes_19(carry_along(c));
	c[0] += lanes_19(carry_along(c)); // below 2^255 + 19 * 2, so below 2p
	// It is p or more if 19 more are 2^255 or more; then p goes off: 19 more without bit 255.
	over = lanes_set(19);
	for (unsigned i = 0; i < LIMBS; i++)
		over = (c[i] + over) >> LIMB_BITS;
	c[0] += lanes_19(over);
	(void)carry_along(c);

	word[0] = c[0] | c[1] << 51;
	word[1] = c[1] >> 13 | c[2] << 38;
	word[2] = c[2] >> 26 | c[3] << 25;
	word[3] = c[3] >> 39 | c[4] << 12;
	for (unsigned i = 0; i < 4; i++)
		for (unsigned lane = 0; lane < X25519_LANES; lane++) {
			const uint64_t one = word[i][lane];

			memcpy(out[lane] + 8 * i, &one, 8);
		}
}

// --- the ladder

struct ladder {
	struct fe x1, x2, z2, x3, z3;
};

static __attribute__((noinline)) void step(struct ladder *l)
{
	struct fe a, aa, b, bb, e, c, d, da, cb;

	add(&a, &l->x2, &l->z2);
	sub(&b, &l->x2, &l->z2);
	add(&c, &l->x3, &l->z3);
	sub(&d, &l->x3, &l->z3);
	mul(&da, &d, &a);
	mul(&cb, &c, &b);
	square(&aa, &a);
	square(&bb, &b);
	add(&c, &da, &cb);
	sub(&d, &da, &cb);
	square(&l->x3, &c);
	square(&d, &d);
	mul(&l->z3, &l->x1, &d);
	mul(&l->x2, &aa, &bb);
	sub(&e, &aa, &bb);
	add_mul_a24(&aa, &aa, &e);
	mul(&l->z2, &e, &aa);
}

static __attribute__((noinline)) void multiply(uint8_t *const out[X25519_LANES],
	const uint8_t *const scalars[X25519_LANES], const uint8_t *const points[X25519_LANES])
{
	lanes_mask last = 0;
	struct ladder l;
	lanes word[4];

	for (unsigned i = 0; i < 4; i++)
		word[i] = lanes_load(scalars, i);
	// decodeScalar25519 (RFC 7748 section 5).
	word[0] &= ~UINT64_C(7);
	word[3] = (word[3] & INT64_MAX) | UINT64_C(1) << 62;

	fe_load(&l.x1, points);
	l.x3 = l.x1;
	for (unsigned i = 0; i < LIMBS; i++) {
		l.x2.limb[i] = l.z3.limb[i] = lanes_set(i == 0);
		l.z2.limb[i] = lanes_set(0);
	}
	for (unsigned bit = 255; bit-- > 0;) {
		const lanes_mask now = lanes_bit(word[bit / 64], bit % 64);

		swap(now ^ last, &l.x2, &l.x3);
		swap(now ^ last, &l.z2, &l.z3);
		last = now;
		step(&l);
	}
	swap(last, &l.x2, &l.x3);
	swap(last, &l.z2, &l.z3);
	invert(&l.z2, &l.z2);
	mul_once(&l.x2, &l.x2, &l.z2);
	fe_store(out, &l.x2);
}

// Bytes of stack in which keys or points may have been, more than the frames of multiply() and what
// it calls.
#define SPILL_ROOM 12288

static __attribute__((noinline)) void spills_wipe(void)
{
	uint8_t spills[SPILL_ROOM];

	memset(spills, 0, sizeof(spills));
	__asm__ volatile("" : : "r"(spills) : "memory");
}

void x25519_ifma(uint8_t *const out[X25519_LANES], const uint8_t *const scalars[X25519_LANES],
	const uint8_t *const points[X25519_LANES])
{
	multiply(out, scalars, points);
	spills_wipe();
	lanes_registers_wipe();
}
