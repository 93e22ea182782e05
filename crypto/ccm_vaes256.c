// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM with VAES on 256-bit registers: 16 lanes, lane 2 r + j is half j of register r.

#include "crypto/ccm_bytes.h"

#include <immintrin.h>

#define LANES      16
#define HALVES     1
#define LANES_FUSE 0

struct lanes {
	__m256i r0, r1, r2, r3, r4, r5, r6, r7;
};

#define BLOCK_AT(p) _mm_loadu_si128((const __m128i *)(p))
#define JOIN(P, i)  _mm256_set_m128i(BLOCK_AT(P(i + 1)), BLOCK_AT(P(i)))
#define lanes_load(P)                                                                            \
	((struct lanes){JOIN(P, 0), JOIN(P, 2), JOIN(P, 4), JOIN(P, 6), JOIN(P, 8), JOIN(P, 10), \
		JOIN(P, 12), JOIN(P, 14)})

#define SPLIT(P, i, x)                                                   \
	(_mm_storeu_si128((__m128i *)(P(i)), _mm256_castsi256_si128(x)), \
		_mm_storeu_si128((__m128i *)(P(i + 1)), _mm256_extracti128_si256(x, 1)))
#define lanes_store(P, x)                                                                    \
	(SPLIT(P, 0, (x).r0), SPLIT(P, 2, (x).r1), SPLIT(P, 4, (x).r2), SPLIT(P, 6, (x).r3), \
		SPLIT(P, 8, (x).r4), SPLIT(P, 10, (x).r5), SPLIT(P, 12, (x).r6),             \
		SPLIT(P, 14, (x).r7))

#define EIGHT_AT(p)  _mm_loadl_epi64((const __m128i *)(p))
#define JOIN_8(P, i) _mm256_set_m128i(EIGHT_AT(P(i + 1)), EIGHT_AT(P(i)))
#define lanes_load_8(P)                                                                       \
	((struct lanes){JOIN_8(P, 0), JOIN_8(P, 2), JOIN_8(P, 4), JOIN_8(P, 6), JOIN_8(P, 8), \
		JOIN_8(P, 10), JOIN_8(P, 12), JOIN_8(P, 14)})

#define SPLIT_8(P, i, x)                                                 \
	(_mm_storel_epi64((__m128i *)(P(i)), _mm256_castsi256_si128(x)), \
		_mm_storel_epi64((__m128i *)(P(i + 1)), _mm256_extracti128_si256(x, 1)))
#define lanes_store_8(P, x)                                                           \
	(SPLIT_8(P, 0, (x).r0), SPLIT_8(P, 2, (x).r1), SPLIT_8(P, 4, (x).r2),         \
		SPLIT_8(P, 6, (x).r3), SPLIT_8(P, 8, (x).r4), SPLIT_8(P, 10, (x).r5), \
		SPLIT_8(P, 12, (x).r6), SPLIT_8(P, 14, (x).r7))

SOME_STRUCT;

#define SOME_AT(P, some, i)   block_load_some(P(i), (some)->lane[i])
#define SOME_JOIN(P, some, i) _mm256_set_m128i(SOME_AT(P, some, i + 1), SOME_AT(P, some, i))
#define lanes_load_some(P, some)                                                             \
	((struct lanes){SOME_JOIN(P, some, 0), SOME_JOIN(P, some, 2), SOME_JOIN(P, some, 4), \
		SOME_JOIN(P, some, 6), SOME_JOIN(P, some, 8), SOME_JOIN(P, some, 10),        \
		SOME_JOIN(P, some, 12), SOME_JOIN(P, some, 14)})

#define SOME_SPLIT(P, some, i, x)                                            \
	(block_store_some(P(i), (some)->lane[i], _mm256_castsi256_si128(x)), \
		block_store_some(P(i + 1), (some)->lane[i + 1], _mm256_extracti128_si256(x, 1)))
#define lanes_store_some(P, some, x)                                             \
	(SOME_SPLIT(P, some, 0, (x).r0), SOME_SPLIT(P, some, 2, (x).r1),         \
		SOME_SPLIT(P, some, 4, (x).r2), SOME_SPLIT(P, some, 6, (x).r3),  \
		SOME_SPLIT(P, some, 8, (x).r4), SOME_SPLIT(P, some, 10, (x).r5), \
		SOME_SPLIT(P, some, 12, (x).r6), SOME_SPLIT(P, some, 14, (x).r7))

INLINE __m256i keep_some(const uint8_t *lane, __m256i x)
{
	return _mm256_and_si256(x, _mm256_set_m128i(block_mask(lane[1]), block_mask(lane[0])));
}

INLINE struct lanes lanes_keep_some(const struct some *some, struct lanes x)
{
	return (struct lanes){keep_some(some->lane, x.r0), keep_some(some->lane + 2, x.r1),
		keep_some(some->lane + 4, x.r2), keep_some(some->lane + 6, x.r3),
		keep_some(some->lane + 8, x.r4), keep_some(some->lane + 10, x.r5),
		keep_some(some->lane + 12, x.r6), keep_some(some->lane + 14, x.r7)};
}

// AVX2 compares signed numbers.
INLINE __m256i words_above(__m256i x, __m256i y)
{
	const __m256i bias = _mm256_set1_epi16((short)0x8000);

	return _mm256_cmpgt_epi16(_mm256_xor_si256(x, bias), _mm256_xor_si256(y, bias));
}

// Bit i is of lane i.
struct choice {
	unsigned lanes;
};

INLINE struct choice lanes_above(const uint16_t *values, unsigned x)
{
	__m256i above =
		words_above(_mm256_load_si256((const __m256i *)values), _mm256_set1_epi16(x));

	return (struct choice){_mm_movemask_epi8(_mm_packs_epi16(
		_mm256_castsi256_si128(above), _mm256_extracti128_si256(above, 1)))};
}

// Bit j of on selects half j.
INLINE __m256i half_select(unsigned on, __m256i x, __m256i y)
{
	const long long low = -(long long)(on & 1), high = -(long long)(on >> 1 & 1);

	return _mm256_blendv_epi8(y, x, _mm256_set_epi64x(high, high, low, low));
}

INLINE struct lanes lanes_select(const struct choice *choice, struct lanes x, struct lanes y)
{
	const unsigned on = choice->lanes;

	return (struct lanes){half_select(on, x.r0, y.r0), half_select(on >> 2, x.r1, y.r1),
		half_select(on >> 4, x.r2, y.r2), half_select(on >> 6, x.r3, y.r3),
		half_select(on >> 8, x.r4, y.r4), half_select(on >> 10, x.r5, y.r5),
		half_select(on >> 12, x.r6, y.r6), half_select(on >> 14, x.r7, y.r7)};
}

// Two bits for each lane, one for each half of it.
INLINE uint32_t vector_differs(__m256i x, __m256i y)
{
	return ~_mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpeq_epi64(x, y))) & 0xf;
}

INLINE uint32_t halves_differ(struct lanes x, struct lanes y)
{
	return vector_differs(x.r0, y.r0) | vector_differs(x.r1, y.r1) << 4 |
		vector_differs(x.r2, y.r2) << 8 | vector_differs(x.r3, y.r3) << 12 |
		vector_differs(x.r4, y.r4) << 16 | vector_differs(x.r5, y.r5) << 20 |
		vector_differs(x.r6, y.r6) << 24 | vector_differs(x.r7, y.r7) << 28;
}

LANES_DIFFER

INLINE struct lanes lanes_xor(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm256_xor_si256(x.r0, y.r0), _mm256_xor_si256(x.r1, y.r1),
		_mm256_xor_si256(x.r2, y.r2), _mm256_xor_si256(x.r3, y.r3),
		_mm256_xor_si256(x.r4, y.r4), _mm256_xor_si256(x.r5, y.r5),
		_mm256_xor_si256(x.r6, y.r6), _mm256_xor_si256(x.r7, y.r7)};
}

INLINE struct lanes lanes_xor3(struct lanes x, struct lanes y, struct lanes z)
{
	return lanes_xor(lanes_xor(x, y), z);
}

INLINE struct lanes lanes_aesenc(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm256_aesenc_epi128(x.r0, y.r0), _mm256_aesenc_epi128(x.r1, y.r1),
		_mm256_aesenc_epi128(x.r2, y.r2), _mm256_aesenc_epi128(x.r3, y.r3),
		_mm256_aesenc_epi128(x.r4, y.r4), _mm256_aesenc_epi128(x.r5, y.r5),
		_mm256_aesenc_epi128(x.r6, y.r6), _mm256_aesenc_epi128(x.r7, y.r7)};
}

INLINE struct lanes lanes_aesenclast(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm256_aesenclast_epi128(x.r0, y.r0),
		_mm256_aesenclast_epi128(x.r1, y.r1), _mm256_aesenclast_epi128(x.r2, y.r2),
		_mm256_aesenclast_epi128(x.r3, y.r3), _mm256_aesenclast_epi128(x.r4, y.r4),
		_mm256_aesenclast_epi128(x.r5, y.r5), _mm256_aesenclast_epi128(x.r6, y.r6),
		_mm256_aesenclast_epi128(x.r7, y.r7)};
}

#define vector_t          __m256i
#define vector_aesenc     _mm256_aesenc_epi128
#define vector_aesenclast _mm256_aesenclast_epi128

INLINE __m256i vector_once(__m256i x)
{
	__asm__("" : "+x"(x));
	return x;
}

// Keeps the nonce in bytes 1 to 13 and puts L - 1 before it and zeros behind it.
INLINE __m256i counter(__m256i b0)
{
	const __m256i nonce = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0));
	const __m256i flags = _mm256_broadcastsi128_si256(_mm_setr_epi32(1, 0, 0, 0));

	return _mm256_or_si256(_mm256_and_si256(b0, nonce), flags);
}

INLINE struct lanes lanes_counter(struct lanes b0)
{
	return (struct lanes){counter(b0.r0), counter(b0.r1), counter(b0.r2), counter(b0.r3),
		counter(b0.r4), counter(b0.r5), counter(b0.r6), counter(b0.r7)};
}

INLINE struct lanes lanes_count(struct lanes a0, unsigned i)
{
	const __m256i big_endian = _mm256_broadcastsi128_si256(
		_mm_setr_epi32(0, 0, 0, (i & 0xff) << 24 | (i & 0xff00) << 8));

	return (struct lanes){_mm256_xor_si256(a0.r0, big_endian),
		_mm256_xor_si256(a0.r1, big_endian), _mm256_xor_si256(a0.r2, big_endian),
		_mm256_xor_si256(a0.r3, big_endian), _mm256_xor_si256(a0.r4, big_endian),
		_mm256_xor_si256(a0.r5, big_endian), _mm256_xor_si256(a0.r6, big_endian),
		_mm256_xor_si256(a0.r7, big_endian)};
}

// The words of the current round keys, sliced: w0 holds word 0 of eight lanes, and so on. This way
// the S-box of eight lanes is one instruction.
struct slices {
	__m256i w0, w1, w2, w3;
};

struct schedule {
	struct slices low, high; // of r0 to r3, of r4 to r7
};

// Transposes the 4 x 4 words that each half of four registers makes: from lanes to slices and back.
INLINE struct slices transpose(struct slices x)
{
	__m256i a = _mm256_unpacklo_epi32(x.w0, x.w1), b = _mm256_unpackhi_epi32(x.w0, x.w1);
	__m256i c = _mm256_unpacklo_epi32(x.w2, x.w3), d = _mm256_unpackhi_epi32(x.w2, x.w3);

	return (struct slices){_mm256_unpacklo_epi64(a, c), _mm256_unpackhi_epi64(a, c),
		_mm256_unpacklo_epi64(b, d), _mm256_unpackhi_epi64(b, d)};
}

INLINE struct schedule schedule_start(struct lanes key)
{
	return (struct schedule){transpose((struct slices){key.r0, key.r1, key.r2, key.r3}),
		transpose((struct slices){key.r4, key.r5, key.r6, key.r7})};
}

INLINE struct slices slices_next(struct slices w, int rcon)
{
	// RotWord, and ShiftRows undone, so that AESENCLAST is SubWord and the xor of rcon.
	const __m256i rotate = _mm256_broadcastsi128_si256(
		_mm_setr_epi8(1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12, 13, 10, 7, 0));

	w.w0 = _mm256_xor_si256(w.w0,
		_mm256_aesenclast_epi128(
			_mm256_shuffle_epi8(w.w3, rotate), _mm256_set1_epi32(rcon)));
	w.w1 = _mm256_xor_si256(w.w1, w.w0);
	w.w2 = _mm256_xor_si256(w.w2, w.w1);
	w.w3 = _mm256_xor_si256(w.w3, w.w2);
	return w;
}

INLINE struct schedule schedule_next(struct schedule w, int rcon)
{
	return (struct schedule){slices_next(w.low, rcon), slices_next(w.high, rcon)};
}

INLINE struct lanes schedule_key(struct schedule w)
{
	const struct slices low = transpose(w.low), high = transpose(w.high);

	return (struct lanes){low.w0, low.w1, low.w2, low.w3, high.w0, high.w1, high.w2, high.w3};
}

INLINE void registers_wipe(void)
{
	__asm__ volatile("vzeroall"
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
}

#ifndef CCM_LANES_H // tests plant leaks
#define CCM_LANES_H "crypto/ccm_lanes.h"
#endif
#include CCM_LANES_H
#include "crypto/ccm_batch.h"

const struct aead_impl aead_ccm_vaes256 = {"vaes256", ccm_open, ccm_seal, secrets_wipe};
