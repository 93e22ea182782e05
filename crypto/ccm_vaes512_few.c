// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM for few messages, four or eight at once in 128-bit registers, for CPUs with VAES and
// AVX-512: a wide kernel takes as long for one message as for sixteen.

#include "crypto/ccm_registers512.h"

#include <immintrin.h>

#define LANES      4
#define HALVES     2
#define LANES_FUSE 1
#define SPILL_ROOM 1024

struct lanes {
	__m128i r0, r1, r2, r3;
};

#define BLOCK_AT(p) _mm_loadu_si128((const __m128i *)(p))
#define lanes_load(P) \
	((struct lanes){BLOCK_AT(P(0)), BLOCK_AT(P(1)), BLOCK_AT(P(2)), BLOCK_AT(P(3))})

#define STORE(p, x) _mm_storeu_si128((__m128i *)(p), x)
#define lanes_store(P, x) \
	(STORE(P(0), (x).r0), STORE(P(1), (x).r1), STORE(P(2), (x).r2), STORE(P(3), (x).r3))

#define EIGHT_AT(p) _mm_loadl_epi64((const __m128i *)(p))
#define lanes_load_8(P) \
	((struct lanes){EIGHT_AT(P(0)), EIGHT_AT(P(1)), EIGHT_AT(P(2)), EIGHT_AT(P(3))})

#define STORE_8(p, x) _mm_storel_epi64((__m128i *)(p), x)
#define lanes_store_8(P, x) \
	(STORE_8(P(0), (x).r0), STORE_8(P(1), (x).r1), STORE_8(P(2), (x).r2), STORE_8(P(3), (x).r3))

// A mask for each lane; masked-out bytes are neither read nor written.
struct some {
	__mmask16 lane[LANES];
};

INLINE void some_left(struct some *some, const uint16_t *len, unsigned before)
{
	for (unsigned i = 0; i < LANES; i++) {
		unsigned left = len[i] > before ? len[i] - before : 0;

		some->lane[i] = _bzhi_u32(0xffff, left < 16 ? left : 16);
	}
}

#define SOME_AT(P, some, i) _mm_maskz_loadu_epi8((some)->lane[i], P(i))
#define lanes_load_some(P, some)                                                       \
	((struct lanes){SOME_AT(P, some, 0), SOME_AT(P, some, 1), SOME_AT(P, some, 2), \
		SOME_AT(P, some, 3)})

#define SOME_STORE(P, some, i, x) _mm_mask_storeu_epi8(P(i), (some)->lane[i], x)
#define lanes_store_some(P, some, x)                                     \
	(SOME_STORE(P, some, 0, (x).r0), SOME_STORE(P, some, 1, (x).r1), \
		SOME_STORE(P, some, 2, (x).r2), SOME_STORE(P, some, 3, (x).r3))

INLINE struct lanes lanes_keep_some(const struct some *some, struct lanes x)
{
	return (struct lanes){_mm_maskz_mov_epi8(some->lane[0], x.r0),
		_mm_maskz_mov_epi8(some->lane[1], x.r1), _mm_maskz_mov_epi8(some->lane[2], x.r2),
		_mm_maskz_mov_epi8(some->lane[3], x.r3)};
}

struct choice {
	__mmask16 lane[LANES]; // all bytes or none
};

INLINE struct choice lanes_above(const uint16_t *values, unsigned x)
{
	struct choice above;

	for (unsigned i = 0; i < LANES; i++)
		above.lane[i] = values[i] > x ? 0xffff : 0;
	return above;
}

INLINE struct lanes lanes_select(const struct choice *choice, struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_mask_mov_epi8(y.r0, choice->lane[0], x.r0),
		_mm_mask_mov_epi8(y.r1, choice->lane[1], x.r1),
		_mm_mask_mov_epi8(y.r2, choice->lane[2], x.r2),
		_mm_mask_mov_epi8(y.r3, choice->lane[3], x.r3)};
}

// Two bits for each lane, one for each half of it.
INLINE uint32_t halves_differ(struct lanes x, struct lanes y)
{
	return (uint32_t)_mm_cmpneq_epi64_mask(x.r0, y.r0) |
		(uint32_t)_mm_cmpneq_epi64_mask(x.r1, y.r1) << 2 |
		(uint32_t)_mm_cmpneq_epi64_mask(x.r2, y.r2) << 4 |
		(uint32_t)_mm_cmpneq_epi64_mask(x.r3, y.r3) << 6;
}

INLINE uint64_t lanes_differ_8(struct lanes x, struct lanes y)
{
	return _pext_u32(halves_differ(x, y), 0x55);
}

INLINE uint64_t lanes_differ_16(struct lanes x, struct lanes y)
{
	const uint32_t halves = halves_differ(x, y);

	return _pext_u32(halves | halves >> 1, 0x55);
}

INLINE struct lanes lanes_xor(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_xor_si128(x.r0, y.r0), _mm_xor_si128(x.r1, y.r1),
		_mm_xor_si128(x.r2, y.r2), _mm_xor_si128(x.r3, y.r3)};
}

INLINE __m128i xor3(__m128i x, __m128i y, __m128i z)
{
	return _mm_ternarylogic_epi64(x, y, z, 0x96);
}

INLINE struct lanes lanes_xor3(struct lanes x, struct lanes y, struct lanes z)
{
	return (struct lanes){xor3(x.r0, y.r0, z.r0), xor3(x.r1, y.r1, z.r1),
		xor3(x.r2, y.r2, z.r2), xor3(x.r3, y.r3, z.r3)};
}

INLINE struct lanes lanes_aesenc(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_aesenc_si128(x.r0, y.r0), _mm_aesenc_si128(x.r1, y.r1),
		_mm_aesenc_si128(x.r2, y.r2), _mm_aesenc_si128(x.r3, y.r3)};
}

INLINE struct lanes lanes_aesenclast(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_aesenclast_si128(x.r0, y.r0), _mm_aesenclast_si128(x.r1, y.r1),
		_mm_aesenclast_si128(x.r2, y.r2), _mm_aesenclast_si128(x.r3, y.r3)};
}

INLINE struct lanes lanes_once(struct lanes x)
{
	__asm__("" : "+x"(x.r0), "+x"(x.r1), "+x"(x.r2), "+x"(x.r3));
	return x;
}

// Keeps the nonce in bytes 1 to 13 and puts L - 1 before it and zeros behind it.
INLINE __m128i counter(__m128i b0)
{
	const __m128i nonce =
		_mm_setr_epi8(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0);

	return _mm_or_si128(_mm_and_si128(b0, nonce), _mm_setr_epi32(1, 0, 0, 0));
}

INLINE struct lanes lanes_counter(struct lanes b0)
{
	return (struct lanes){counter(b0.r0), counter(b0.r1), counter(b0.r2), counter(b0.r3)};
}

INLINE struct lanes lanes_count(struct lanes a0, unsigned i)
{
	const __m128i big_endian = _mm_setr_epi32(0, 0, 0, (i & 0xff) << 24 | (i & 0xff00) << 8);
	const struct lanes all = {big_endian, big_endian, big_endian, big_endian};

	return lanes_xor(a0, all);
}

// The words of the current round keys, sliced, as in ccm_vaes512.c.
struct schedule {
	__m128i w0, w1, w2, w3;
};

INLINE struct lanes transpose(__m128i a, __m128i b, __m128i c, __m128i d)
{
	__m128i ab_low = _mm_unpacklo_epi32(a, b), ab_high = _mm_unpackhi_epi32(a, b);
	__m128i cd_low = _mm_unpacklo_epi32(c, d), cd_high = _mm_unpackhi_epi32(c, d);

	return (struct lanes){_mm_unpacklo_epi64(ab_low, cd_low),
		_mm_unpackhi_epi64(ab_low, cd_low), _mm_unpacklo_epi64(ab_high, cd_high),
		_mm_unpackhi_epi64(ab_high, cd_high)};
}

INLINE struct schedule schedule_start(struct lanes key)
{
	struct lanes words = transpose(key.r0, key.r1, key.r2, key.r3);

	return (struct schedule){words.r0, words.r1, words.r2, words.r3};
}

INLINE struct schedule schedule_next(struct schedule w, int rcon)
{
	// RotWord, and ShiftRows undone, so that AESENCLAST is SubWord and the xor of rcon.
	const __m128i rotate = _mm_setr_epi8(1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12, 13, 10, 7, 0);
	__m128i t = _mm_aesenclast_si128(_mm_shuffle_epi8(w.w3, rotate), _mm_set1_epi32(rcon));
	__m128i w012 = xor3(w.w0, w.w1, w.w2);

	w.w3 = xor3(w012, w.w3, t);
	__asm__("" : "+x"(w.w3)); // first
	w.w0 = _mm_xor_si128(w.w0, t);
	w.w1 = _mm_xor_si128(w.w1, w.w0);
	w.w2 = _mm_xor_si128(w.w2, w.w1);
	return w;
}

INLINE struct lanes schedule_key(struct schedule w)
{
	return transpose(w.w0, w.w1, w.w2, w.w3);
}

#ifndef CCM_LANES_H // tests plant leaks
#define CCM_LANES_H "crypto/ccm_lanes.h"
#endif
#include CCM_LANES_H
#include "crypto/ccm_batch.h"

const struct aead_impl aead_ccm_vaes512_few = {"vaes512", ccm_open, ccm_seal, secrets_wipe};
