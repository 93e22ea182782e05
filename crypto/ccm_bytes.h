// SPDX-License-Identifier: BSD-3-Clause
// Loads and stores of parts of a 16-byte block on instruction sets without masks, which touch no
// byte outside the part. Branches depend on the number of bytes only, which is public.

#ifndef POSTERN_CRYPTO_CCM_BYTES_H
#define POSTERN_CRYPTO_CCM_BYTES_H

#include "crypto/aead_engine.h"

#include <immintrin.h>
#include <string.h>

INLINE uint64_t load_8(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

INLINE uint32_t load_4(const uint8_t *p)
{
	uint32_t x;

	memcpy(&x, p, sizeof(x));
	return x;
}

// Reads n < 8 bytes, little-endian; the bytes above are zero.
INLINE uint64_t load_below_8(const uint8_t *p, unsigned n)
{
	if (n >= 4)
		return load_4(p) | (uint64_t)load_4(p + n - 4) << 8 * (n - 4);
	if (n == 0)
		return 0;
	return p[0] | (uint64_t)p[n / 2] << 8 * (n / 2) | (uint64_t)p[n - 1] << 8 * (n - 1);
}

// Loads n <= 16 bytes; the rest of the block is zero.
INLINE __m128i block_load_some(const uint8_t *p, unsigned n)
{
	if (n == 16)
		return _mm_loadu_si128((const __m128i *)p);
	if (n < 8)
		return _mm_set_epi64x(0, load_below_8(p, n));
	// The last 8 bytes overlap the first; two shifts, because one by 64 is undefined.
	return _mm_set_epi64x(load_8(p + n - 8) >> 8 * (15 - n) >> 8, load_8(p));
}

// Stores the first n <= 16 bytes of a block.
INLINE void block_store_some(uint8_t *p, unsigned n, __m128i x)
{
	const uint64_t low = _mm_cvtsi128_si64(x), high = _mm_extract_epi64(x, 1);

	if (n == 16) {
		_mm_storeu_si128((__m128i *)p, x);
	} else if (n >= 8) {
		const uint64_t last = n == 8 ? low : low >> 8 * (n - 8) | high << 8 * (16 - n);

		memcpy(p, &low, 8);
		memcpy(p + n - 8, &last, 8);
	} else if (n >= 4) {
		const uint32_t first = low, last = low >> 8 * (n - 4);

		memcpy(p, &first, 4);
		memcpy(p + n - 4, &last, 4);
	} else if (n) {
		p[0] = low;
		p[n / 2] = low >> 8 * (n / 2);
		p[n - 1] = low >> 8 * (n - 1);
	}
}

// A block with ones in its first n <= 16 bytes and zeros in the rest.
INLINE __m128i block_mask(unsigned n)
{
	static const uint8_t ones_zeros[32] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

	return _mm_loadu_si128((const __m128i *)(ones_zeros + 16 - n));
}

// struct some and some_left() of crypto/ccm_lanes.h: how many bytes each lane has left.
#define SOME_STRUCT                                                                    \
	struct some {                                                                  \
		uint8_t lane[LANES];                                                   \
	};                                                                             \
	INLINE void some_left(struct some *some, const uint16_t *len, unsigned before) \
	{                                                                              \
		for (unsigned i = 0; i < LANES; i++) {                                 \
			int left = len[i] - (int)before;                               \
                                                                                       \
			left = left < 0 ? 0 : left;                                    \
			some->lane[i] = left < 16 ? left : 16;                         \
		}                                                                      \
	}                                                                              \
	struct some

// Every other bit, moved together.
INLINE uint64_t even_bits(uint32_t x)
{
	x &= 0x55555555;
	x = (x | x >> 1) & 0x33333333;
	x = (x | x >> 2) & 0x0f0f0f0f;
	x = (x | x >> 4) & 0x00ff00ff;
	return (x | x >> 8) & 0xffff;
}

// lanes_differ_8() and lanes_differ_16() of crypto/ccm_lanes.h.
#define LANES_DIFFER                                                    \
	INLINE uint64_t lanes_differ_8(struct lanes x, struct lanes y)  \
	{                                                               \
		return even_bits(halves_differ(x, y));                  \
	}                                                               \
	INLINE uint64_t lanes_differ_16(struct lanes x, struct lanes y) \
	{                                                               \
		const uint32_t halves = halves_differ(x, y);            \
                                                                        \
		return even_bits(halves | halves >> 1);                 \
	}

#endif
