// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM with AES-NI on 128-bit registers: eight lanes, one in each register.

#include "crypto/ccm_bytes.h"

#include <immintrin.h>

#define LANES      8
#define HALVES     1
#define LANES_FUSE 0

struct lanes {
	__m128i r0, r1, r2, r3, r4, r5, r6, r7;
};

#define BLOCK_AT(p) _mm_loadu_si128((const __m128i *)(p))
#define lanes_load(P)                                                                   \
	((struct lanes){BLOCK_AT(P(0)), BLOCK_AT(P(1)), BLOCK_AT(P(2)), BLOCK_AT(P(3)), \
		BLOCK_AT(P(4)), BLOCK_AT(P(5)), BLOCK_AT(P(6)), BLOCK_AT(P(7))})

#define STORE(p, x) _mm_storeu_si128((__m128i *)(p), x)
#define lanes_store(P, x)                                                                    \
	(STORE(P(0), (x).r0), STORE(P(1), (x).r1), STORE(P(2), (x).r2), STORE(P(3), (x).r3), \
		STORE(P(4), (x).r4), STORE(P(5), (x).r5), STORE(P(6), (x).r6),               \
		STORE(P(7), (x).r7))

#define EIGHT_AT(p) _mm_loadl_epi64((const __m128i *)(p))
#define lanes_load_8(P)                                                                 \
	((struct lanes){EIGHT_AT(P(0)), EIGHT_AT(P(1)), EIGHT_AT(P(2)), EIGHT_AT(P(3)), \
		EIGHT_AT(P(4)), EIGHT_AT(P(5)), EIGHT_AT(P(6)), EIGHT_AT(P(7))})

#define STORE_8(p, x) _mm_storel_epi64((__m128i *)(p), x)
#define lanes_store_8(P, x)                                                          \
	(STORE_8(P(0), (x).r0), STORE_8(P(1), (x).r1), STORE_8(P(2), (x).r2),        \
		STORE_8(P(3), (x).r3), STORE_8(P(4), (x).r4), STORE_8(P(5), (x).r5), \
		STORE_8(P(6), (x).r6), STORE_8(P(7), (x).r7))

SOME_STRUCT;

#define SOME_AT(P, some, i) block_load_some(P(i), (some)->lane[i])
#define lanes_load_some(P, some)                                                       \
	((struct lanes){SOME_AT(P, some, 0), SOME_AT(P, some, 1), SOME_AT(P, some, 2), \
		SOME_AT(P, some, 3), SOME_AT(P, some, 4), SOME_AT(P, some, 5),         \
		SOME_AT(P, some, 6), SOME_AT(P, some, 7)})

#define SOME_STORE(P, some, i, x) block_store_some(P(i), (some)->lane[i], x)
#define lanes_store_some(P, some, x)                                            \
	(SOME_STORE(P, some, 0, (x).r0), SOME_STORE(P, some, 1, (x).r1),        \
		SOME_STORE(P, some, 2, (x).r2), SOME_STORE(P, some, 3, (x).r3), \
		SOME_STORE(P, some, 4, (x).r4), SOME_STORE(P, some, 5, (x).r5), \
		SOME_STORE(P, some, 6, (x).r6), SOME_STORE(P, some, 7, (x).r7))

INLINE struct lanes lanes_keep_some(const struct some *some, struct lanes x)
{
	const uint8_t *lane = some->lane;

	return (struct lanes){_mm_and_si128(x.r0, block_mask(lane[0])),
		_mm_and_si128(x.r1, block_mask(lane[1])), _mm_and_si128(x.r2, block_mask(lane[2])),
		_mm_and_si128(x.r3, block_mask(lane[3])), _mm_and_si128(x.r4, block_mask(lane[4])),
		_mm_and_si128(x.r5, block_mask(lane[5])), _mm_and_si128(x.r6, block_mask(lane[6])),
		_mm_and_si128(x.r7, block_mask(lane[7]))};
}

// SSE compares signed numbers.
INLINE __m128i words_above(__m128i x, __m128i y)
{
	const __m128i bias = _mm_set1_epi16((short)0x8000);

	return _mm_cmpgt_epi16(_mm_xor_si128(x, bias), _mm_xor_si128(y, bias));
}

// Bit i is of lane i.
struct choice {
	unsigned lanes;
};

INLINE struct choice lanes_above(const uint16_t *values, unsigned x)
{
	__m128i above = words_above(_mm_load_si128((const __m128i *)values), _mm_set1_epi16(x));

	return (struct choice){_mm_movemask_epi8(_mm_packs_epi16(above, _mm_setzero_si128()))};
}

// Bit 0 of on selects.
INLINE __m128i block_select(unsigned on, __m128i x, __m128i y)
{
	return _mm_blendv_epi8(y, x, _mm_set1_epi32(-(int)(on & 1)));
}

INLINE struct lanes lanes_select(const struct choice *choice, struct lanes x, struct lanes y)
{
	const unsigned on = choice->lanes;

	return (struct lanes){block_select(on >> 0, x.r0, y.r0), block_select(on >> 1, x.r1, y.r1),
		block_select(on >> 2, x.r2, y.r2), block_select(on >> 3, x.r3, y.r3),
		block_select(on >> 4, x.r4, y.r4), block_select(on >> 5, x.r5, y.r5),
		block_select(on >> 6, x.r6, y.r6), block_select(on >> 7, x.r7, y.r7)};
}

// Two bits for each lane, one for each half of it.
INLINE uint32_t vector_differs(__m128i x, __m128i y)
{
	return ~_mm_movemask_pd(_mm_castsi128_pd(_mm_cmpeq_epi64(x, y))) & 0x3;
}

INLINE uint32_t halves_differ(struct lanes x, struct lanes y)
{
	return vector_differs(x.r0, y.r0) | vector_differs(x.r1, y.r1) << 2 |
		vector_differs(x.r2, y.r2) << 4 | vector_differs(x.r3, y.r3) << 6 |
		vector_differs(x.r4, y.r4) << 8 | vector_differs(x.r5, y.r5) << 10 |
		vector_differs(x.r6, y.r6) << 12 | vector_differs(x.r7, y.r7) << 14;
}

LANES_DIFFER

INLINE struct lanes lanes_xor(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_xor_si128(x.r0, y.r0), _mm_xor_si128(x.r1, y.r1),
		_mm_xor_si128(x.r2, y.r2), _mm_xor_si128(x.r3, y.r3), _mm_xor_si128(x.r4, y.r4),
		_mm_xor_si128(x.r5, y.r5), _mm_xor_si128(x.r6, y.r6), _mm_xor_si128(x.r7, y.r7)};
}

INLINE struct lanes lanes_xor3(struct lanes x, struct lanes y, struct lanes z)
{
	return lanes_xor(lanes_xor(x, y), z);
}

INLINE struct lanes lanes_aesenc(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_aesenc_si128(x.r0, y.r0), _mm_aesenc_si128(x.r1, y.r1),
		_mm_aesenc_si128(x.r2, y.r2), _mm_aesenc_si128(x.r3, y.r3),
		_mm_aesenc_si128(x.r4, y.r4), _mm_aesenc_si128(x.r5, y.r5),
		_mm_aesenc_si128(x.r6, y.r6), _mm_aesenc_si128(x.r7, y.r7)};
}

INLINE struct lanes lanes_aesenclast(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm_aesenclast_si128(x.r0, y.r0), _mm_aesenclast_si128(x.r1, y.r1),
		_mm_aesenclast_si128(x.r2, y.r2), _mm_aesenclast_si128(x.r3, y.r3),
		_mm_aesenclast_si128(x.r4, y.r4), _mm_aesenclast_si128(x.r5, y.r5),
		_mm_aesenclast_si128(x.r6, y.r6), _mm_aesenclast_si128(x.r7, y.r7)};
}

#define vector_t          __m128i
#define vector_aesenc     _mm_aesenc_si128
#define vector_aesenclast _mm_aesenclast_si128

INLINE __m128i vector_once(__m128i x)
{
	__asm__("" : "+x"(x));
	return x;
}

// Keeps the nonce in bytes 1 to 13 and puts L - 1 before it and zeros behind it.
INLINE __m128i counter(__m128i b0)
{
	const __m128i nonce =
		_mm_setr_epi8(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0);
	const __m128i flags = _mm_setr_epi32(1, 0, 0, 0);

	return _mm_or_si128(_mm_and_si128(b0, nonce), flags);
}

INLINE struct lanes lanes_counter(struct lanes b0)
{
	return (struct lanes){counter(b0.r0), counter(b0.r1), counter(b0.r2), counter(b0.r3),
		counter(b0.r4), counter(b0.r5), counter(b0.r6), counter(b0.r7)};
}

INLINE struct lanes lanes_count(struct lanes a0, unsigned i)
{
	const __m128i big_endian = _mm_setr_epi32(0, 0, 0, (i & 0xff) << 24 | (i & 0xff00) << 8);

	return (struct lanes){_mm_xor_si128(a0.r0, big_endian), _mm_xor_si128(a0.r1, big_endian),
		_mm_xor_si128(a0.r2, big_endian), _mm_xor_si128(a0.r3, big_endian),
		_mm_xor_si128(a0.r4, big_endian), _mm_xor_si128(a0.r5, big_endian),
		_mm_xor_si128(a0.r6, big_endian), _mm_xor_si128(a0.r7, big_endian)};
}

// The words of the current round keys, sliced: w0 holds word 0 of four lanes, and so on. This way
// the S-box of four lanes is one instruction.
struct slices {
	__m128i w0, w1, w2, w3;
};

struct schedule {
	struct slices low, high; // of r0 to r3, of r4 to r7
};

// Transposes the 4 x 4 words of four registers: from lanes to slices and back.
INLINE struct slices transpose(struct slices x)
{
	__m128i a = _mm_unpacklo_epi32(x.w0, x.w1), b = _mm_unpackhi_epi32(x.w0, x.w1);
	__m128i c = _mm_unpacklo_epi32(x.w2, x.w3), d = _mm_unpackhi_epi32(x.w2, x.w3);

	return (struct slices){_mm_unpacklo_epi64(a, c), _mm_unpackhi_epi64(a, c),
		_mm_unpacklo_epi64(b, d), _mm_unpackhi_epi64(b, d)};
}

INLINE struct schedule schedule_start(struct lanes key)
{
	return (struct schedule){transpose((struct slices){key.r0, key.r1, key.r2, key.r3}),
		transpose((struct slices){key.r4, key.r5, key.r6, key.r7})};
}

INLINE struct slices slices_next(struct slices w, int rcon)
{
	// RotWord, and ShiftRows undone, so that AESENCLAST is SubWord and the xor of rcon.
	const __m128i rotate = _mm_setr_epi8(1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12, 13, 10, 7, 0);

	w.w0 = _mm_xor_si128(
		w.w0, _mm_aesenclast_si128(_mm_shuffle_epi8(w.w3, rotate), _mm_set1_epi32(rcon)));
	w.w1 = _mm_xor_si128(w.w1, w.w0);
	w.w2 = _mm_xor_si128(w.w2, w.w1);
	w.w3 = _mm_xor_si128(w.w3, w.w2);
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
	__asm__ volatile("pxor %%xmm0, %%xmm0\n\t"
			 "pxor %%xmm1, %%xmm1\n\t"
			 "pxor %%xmm2, %%xmm2\n\t"
			 "pxor %%xmm3, %%xmm3\n\t"
			 "pxor %%xmm4, %%xmm4\n\t"
			 "pxor %%xmm5, %%xmm5\n\t"
			 "pxor %%xmm6, %%xmm6\n\t"
			 "pxor %%xmm7, %%xmm7\n\t"
			 "pxor %%xmm8, %%xmm8\n\t"
			 "pxor %%xmm9, %%xmm9\n\t"
			 "pxor %%xmm10, %%xmm10\n\t"
			 "pxor %%xmm11, %%xmm11\n\t"
			 "pxor %%xmm12, %%xmm12\n\t"
			 "pxor %%xmm13, %%xmm13\n\t"
			 "pxor %%xmm14, %%xmm14\n\t"
			 "pxor %%xmm15, %%xmm15"
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

const struct aead_impl aead_ccm_aesni = {"aesni", ccm_open, ccm_seal, secrets_wipe};
