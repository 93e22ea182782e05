// SPDX-License-Identifier: BSD-3-Clause
// AES-CCM with VAES on 512-bit registers: 16 lanes, lane 4 r + j is quarter j of register r.

#include "crypto/ccm_registers512.h"

#include <immintrin.h>
#include <string.h>

#define LANES      16
#define HALVES     2
#define LANES_FUSE 1
#define SPILL_ROOM 1024

struct lanes {
	__m512i r0, r1, r2, r3;
};

INLINE __m512i join(__m128i a, __m128i b, __m128i c, __m128i d)
{
	__m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
	__m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(c), d, 1);

	return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

#define BLOCK_AT(p) _mm_loadu_si128((const __m128i *)(p))
#define lanes_load(P)                                                                     \
	((struct lanes){                                                                  \
		join(BLOCK_AT(P(0)), BLOCK_AT(P(1)), BLOCK_AT(P(2)), BLOCK_AT(P(3))),     \
		join(BLOCK_AT(P(4)), BLOCK_AT(P(5)), BLOCK_AT(P(6)), BLOCK_AT(P(7))),     \
		join(BLOCK_AT(P(8)), BLOCK_AT(P(9)), BLOCK_AT(P(10)), BLOCK_AT(P(11))),   \
		join(BLOCK_AT(P(12)), BLOCK_AT(P(13)), BLOCK_AT(P(14)), BLOCK_AT(P(15))), \
	})

INLINE void pair_store(uint8_t *a, uint8_t *b, __m256i x)
{
	_mm_storeu_si128((__m128i *)a, _mm256_castsi256_si128(x));
	_mm_storeu_si128((__m128i *)b, _mm256_extracti128_si256(x, 1));
}

INLINE void split_store(uint8_t *a, uint8_t *b, uint8_t *c, uint8_t *d, __m512i x)
{
	pair_store(a, b, _mm512_castsi512_si256(x));
	pair_store(c, d, _mm512_extracti64x4_epi64(x, 1));
}

#define lanes_store(P, x)                                        \
	do {                                                     \
		split_store(P(0), P(1), P(2), P(3), (x).r0);     \
		split_store(P(4), P(5), P(6), P(7), (x).r1);     \
		split_store(P(8), P(9), P(10), P(11), (x).r2);   \
		split_store(P(12), P(13), P(14), P(15), (x).r3); \
	} while (0)

#define EIGHT_AT(p) _mm_loadl_epi64((const __m128i *)(p))
#define lanes_load_8(P)                                                                   \
	((struct lanes){                                                                  \
		join(EIGHT_AT(P(0)), EIGHT_AT(P(1)), EIGHT_AT(P(2)), EIGHT_AT(P(3))),     \
		join(EIGHT_AT(P(4)), EIGHT_AT(P(5)), EIGHT_AT(P(6)), EIGHT_AT(P(7))),     \
		join(EIGHT_AT(P(8)), EIGHT_AT(P(9)), EIGHT_AT(P(10)), EIGHT_AT(P(11))),   \
		join(EIGHT_AT(P(12)), EIGHT_AT(P(13)), EIGHT_AT(P(14)), EIGHT_AT(P(15))), \
	})

INLINE void split_store_8(uint8_t *a, uint8_t *b, uint8_t *c, uint8_t *d, __m512i x)
{
	_mm_storel_epi64((__m128i *)a, _mm512_castsi512_si128(x));
	_mm_storel_epi64((__m128i *)b, _mm512_extracti32x4_epi32(x, 1));
	_mm_storel_epi64((__m128i *)c, _mm512_extracti32x4_epi32(x, 2));
	_mm_storel_epi64((__m128i *)d, _mm512_extracti32x4_epi32(x, 3));
}

#define lanes_store_8(P, x)                                        \
	do {                                                       \
		split_store_8(P(0), P(1), P(2), P(3), (x).r0);     \
		split_store_8(P(4), P(5), P(6), P(7), (x).r1);     \
		split_store_8(P(8), P(9), P(10), P(11), (x).r2);   \
		split_store_8(P(12), P(13), P(14), P(15), (x).r3); \
	} while (0)

// A mask for each lane; masked-out bytes are neither read nor written. Messages of one length,
// which are frequent, share a mask, so that it is not loaded for each.
struct some {
	_Alignas(32) __mmask16 lane[LANES];
	bool same;
};

INLINE void some_left(struct some *some, const uint16_t *len, unsigned before)
{
	const __m256i one = _mm256_set1_epi16(1), all = _mm256_load_si256((const __m256i *)len);
	__m256i left = _mm256_subs_epu16(all, _mm256_set1_epi16(before));

	// A shift by 16 and more leaves 0, and 0 - 1 is a mask of all bytes.
	_mm256_store_si256(
		(__m256i *)some->lane, _mm256_sub_epi16(_mm256_sllv_epi16(one, left), one));
	some->same = !_mm256_cmpneq_epi16_mask(all, _mm256_set1_epi16(len[0]));
	// The compiler shall read masks from there, not pick them out of the register.
	__asm__ volatile("" : "+m"(some->lane));
}

#define LOAD_FOUR(P, i, a, b, c, d)                                            \
	join(_mm_maskz_loadu_epi8(a, P(i)), _mm_maskz_loadu_epi8(b, P(i + 1)), \
		_mm_maskz_loadu_epi8(c, P(i + 2)), _mm_maskz_loadu_epi8(d, P(i + 3)))
#define LOAD_EACH(P, m, i) LOAD_FOUR(P, i, (m)[i], (m)[i + 1], (m)[i + 2], (m)[i + 3])
#define LOAD_SAME(P, m, i) LOAD_FOUR(P, i, m, m, m, m)
#define lanes_load_some(P, some)                                                              \
	((some)->same ? (struct lanes){LOAD_SAME(P, (some)->lane[0], 0),                      \
				LOAD_SAME(P, (some)->lane[0], 4),                             \
				LOAD_SAME(P, (some)->lane[0], 8),                             \
				LOAD_SAME(P, (some)->lane[0], 12)}                            \
		      : (struct lanes){LOAD_EACH(P, (some)->lane, 0),                         \
				LOAD_EACH(P, (some)->lane, 4), LOAD_EACH(P, (some)->lane, 8), \
				LOAD_EACH(P, (some)->lane, 12)})

#define STORE_FOUR(P, i, a, b, c, d, x)                                             \
	do {                                                                        \
		_mm_mask_storeu_epi8(P(i), a, _mm512_castsi512_si128(x));           \
		_mm_mask_storeu_epi8(P(i + 1), b, _mm512_extracti32x4_epi32(x, 1)); \
		_mm_mask_storeu_epi8(P(i + 2), c, _mm512_extracti32x4_epi32(x, 2)); \
		_mm_mask_storeu_epi8(P(i + 3), d, _mm512_extracti32x4_epi32(x, 3)); \
	} while (0)
#define STORE_EACH(P, m, i, x) STORE_FOUR(P, i, (m)[i], (m)[i + 1], (m)[i + 2], (m)[i + 3], x)
#define STORE_SAME(P, m, i, x) STORE_FOUR(P, i, m, m, m, m, x)
#define lanes_store_some(P, some, x)                             \
	do {                                                     \
		if ((some)->same) {                              \
			const __mmask16 same = (some)->lane[0];  \
                                                                 \
			STORE_SAME(P, same, 0, (x).r0);          \
			STORE_SAME(P, same, 4, (x).r1);          \
			STORE_SAME(P, same, 8, (x).r2);          \
			STORE_SAME(P, same, 12, (x).r3);         \
		} else {                                         \
			STORE_EACH(P, (some)->lane, 0, (x).r0);  \
			STORE_EACH(P, (some)->lane, 4, (x).r1);  \
			STORE_EACH(P, (some)->lane, 8, (x).r2);  \
			STORE_EACH(P, (some)->lane, 12, (x).r3); \
		}                                                \
	} while (0)

// The masks of four lanes are the mask of a register.
INLINE __m512i keep_some(const __mmask16 *lane, __m512i x)
{
	__mmask64 mask;

	memcpy(&mask, lane, sizeof(mask));
	return _mm512_maskz_mov_epi8(mask, x);
}

INLINE struct lanes lanes_keep_some(const struct some *some, struct lanes x)
{
	return (struct lanes){keep_some(some->lane, x.r0), keep_some(some->lane + 4, x.r1),
		keep_some(some->lane + 8, x.r2), keep_some(some->lane + 12, x.r3)};
}

// The masks of four lanes are the mask of a register here too.
struct choice {
	_Alignas(32) __mmask16 lane[LANES];
};

INLINE struct choice lanes_above(const uint16_t *values, unsigned x)
{
	struct choice above;

	_mm256_store_si256((__m256i *)above.lane,
		_mm256_movm_epi16(_mm256_cmpgt_epu16_mask(
			_mm256_load_si256((const __m256i *)values), _mm256_set1_epi16(x))));
	return above;
}

INLINE __m512i quarter_select(const __mmask16 *lane, __m512i x, __m512i y)
{
	__mmask64 mask;

	memcpy(&mask, lane, sizeof(mask));
	return _mm512_mask_mov_epi8(y, mask, x);
}

INLINE struct lanes lanes_select(const struct choice *choice, struct lanes x, struct lanes y)
{
	const __mmask16 *lane = choice->lane;

	return (struct lanes){quarter_select(lane, x.r0, y.r0),
		quarter_select(lane + 4, x.r1, y.r1), quarter_select(lane + 8, x.r2, y.r2),
		quarter_select(lane + 12, x.r3, y.r3)};
}

// Two bits for each lane, one for each half of it.
INLINE uint32_t halves_differ(struct lanes x, struct lanes y)
{
	return (uint32_t)_mm512_cmpneq_epi64_mask(x.r0, y.r0) |
		(uint32_t)_mm512_cmpneq_epi64_mask(x.r1, y.r1) << 8 |
		(uint32_t)_mm512_cmpneq_epi64_mask(x.r2, y.r2) << 16 |
		(uint32_t)_mm512_cmpneq_epi64_mask(x.r3, y.r3) << 24;
}

INLINE uint64_t lanes_differ_8(struct lanes x, struct lanes y)
{
	return _pext_u32(halves_differ(x, y), 0x55555555);
}

INLINE uint64_t lanes_differ_16(struct lanes x, struct lanes y)
{
	const uint32_t halves = halves_differ(x, y);

	return _pext_u32(halves | halves >> 1, 0x55555555);
}

INLINE struct lanes lanes_xor(struct lanes x, struct lanes y)
{
	return (struct lanes){_mm512_xor_si512(x.r0, y.r0), _mm512_xor_si512(x.r1, y.r1),
		_mm512_xor_si512(x.r2, y.r2), _mm512_xor_si512(x.r3, y.r3)};
}

INLINE __m512i xor3(__m512i x, __m512i y, __m512i z)
{
	return _mm512_ternarylogic_epi64(x, y, z, 0x96);
}

INLINE struct lanes lanes_xor3(struct lanes x, struct lanes y, struct lanes z)
{
	return (struct lanes){xor3(x.r0, y.r0, z.r0), xor3(x.r1, y.r1, z.r1),
		xor3(x.r2, y.r2, z.r2), xor3(x.r3, y.r3, z.r3)};
}

INLINE struct lanes lanes_aesenc(struct lanes x, struct lanes key)
{
	return (struct lanes){_mm512_aesenc_epi128(x.r0, key.r0),
		_mm512_aesenc_epi128(x.r1, key.r1), _mm512_aesenc_epi128(x.r2, key.r2),
		_mm512_aesenc_epi128(x.r3, key.r3)};
}

INLINE struct lanes lanes_aesenclast(struct lanes x, struct lanes key)
{
	return (struct lanes){_mm512_aesenclast_epi128(x.r0, key.r0),
		_mm512_aesenclast_epi128(x.r1, key.r1), _mm512_aesenclast_epi128(x.r2, key.r2),
		_mm512_aesenclast_epi128(x.r3, key.r3)};
}

INLINE struct lanes lanes_once(struct lanes x)
{
	__asm__("" : "+v"(x.r0), "+v"(x.r1), "+v"(x.r2), "+v"(x.r3));
	return x;
}

// Keeps the nonce in bytes 1 to 13 and puts L - 1 before it and zeros behind it.
INLINE __m512i counter(__m512i b0)
{
	const __m512i nonce = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 0, 0));
	const __m512i flags = _mm512_broadcast_i32x4(_mm_setr_epi32(1, 0, 0, 0));

	return _mm512_ternarylogic_epi64(b0, nonce, flags, 0xea); // b0 & nonce | flags
}

INLINE struct lanes lanes_counter(struct lanes b0)
{
	return (struct lanes){counter(b0.r0), counter(b0.r1), counter(b0.r2), counter(b0.r3)};
}

INLINE struct lanes lanes_count(struct lanes a0, unsigned i)
{
	const __m512i big_endian = _mm512_broadcast_i32x4(
		_mm_setr_epi32(0, 0, 0, (i & 0xff) << 24 | (i & 0xff00) << 8));

	return (struct lanes){_mm512_xor_si512(a0.r0, big_endian),
		_mm512_xor_si512(a0.r1, big_endian), _mm512_xor_si512(a0.r2, big_endian),
		_mm512_xor_si512(a0.r3, big_endian)};
}

// The words of the current round key, sliced: w0 holds word 0 of all lanes, and so on. This way
// the S-box of 16 lanes is one instruction.
struct schedule {
	__m512i w0, w1, w2, w3;
};

// Transposes the 4 x 4 words that each quarter of four registers makes: from lanes to slices and
// back.
INLINE struct lanes transpose(__m512i a, __m512i b, __m512i c, __m512i d)
{
	__m512i ab_low = _mm512_unpacklo_epi32(a, b), ab_high = _mm512_unpackhi_epi32(a, b);
	__m512i cd_low = _mm512_unpacklo_epi32(c, d), cd_high = _mm512_unpackhi_epi32(c, d);

	return (struct lanes){_mm512_unpacklo_epi64(ab_low, cd_low),
		_mm512_unpackhi_epi64(ab_low, cd_low), _mm512_unpacklo_epi64(ab_high, cd_high),
		_mm512_unpackhi_epi64(ab_high, cd_high)};
}

INLINE struct schedule schedule_start(struct lanes key)
{
	struct lanes words = transpose(key.r0, key.r1, key.r2, key.r3);

	return (struct schedule){words.r0, words.r1, words.r2, words.r3};
}

INLINE struct schedule schedule_next(struct schedule w, int rcon)
{
	// RotWord, and ShiftRows undone, so that AESENCLAST is SubWord and the xor of rcon.
	const __m512i rotate = _mm512_broadcast_i32x4(
		_mm_setr_epi8(1, 14, 11, 4, 5, 2, 15, 8, 9, 6, 3, 12, 13, 10, 7, 0));
	__m512i t = _mm512_aesenclast_epi128(
		_mm512_shuffle_epi8(w.w3, rotate), _mm512_set1_epi32(rcon));
	// The next w3 does not wait for the other words: it is on the critical path.
	__m512i w012 = xor3(w.w0, w.w1, w.w2);

	w.w3 = xor3(w012, w.w3, t);
	__asm__("" : "+v"(w.w3)); // first
	w.w0 = _mm512_xor_si512(w.w0, t);
	w.w1 = _mm512_xor_si512(w.w1, w.w0);
	w.w2 = _mm512_xor_si512(w.w2, w.w1);
	return w;
}

INLINE struct lanes schedule_key(struct schedule w)
{
	return transpose(w.w0, w.w1, w.w2, w.w3);
}

#define LANES_FEW    8
#define LANES_FEW_BY aead_ccm_vaes512_few

#ifndef CCM_LANES_H // tests plant leaks
#define CCM_LANES_H "crypto/ccm_lanes.h"
#endif
#include CCM_LANES_H
#include "crypto/ccm_batch.h"

const struct aead_impl aead_ccm_vaes512 = {"vaes512", ccm_open, ccm_seal, secrets_wipe};
