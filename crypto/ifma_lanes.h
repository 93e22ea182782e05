// SPDX-License-Identifier: BSD-3-Clause
// Eight lanes of 64 bits for x25519_ifma.c and p256_ifma.c: AVX-512 IFMA, or the same in plain C
// with -DIFMA_PLAIN, for Valgrind, which does not know these instructions, and for a check of the
// bounds of all factors.

#ifndef POSTERN_CRYPTO_IFMA_LANES_H
#define POSTERN_CRYPTO_IFMA_LANES_H

#include <stdint.h>
#include <string.h>

// Checks and sanitizers make so much of what is inlined that to compile it takes minutes.
#if defined(IFMA_PLAIN) || defined(IFMA_CALLS)
#define INLINE static __attribute__((noinline, unused))
#else
#define INLINE static inline __attribute__((always_inline))
#endif

#define IFMA_LANES 8

typedef uint64_t lanes __attribute__((vector_size(64)));
typedef int64_t lanes_signed __attribute__((vector_size(64)));
typedef uint8_t lanes_mask; // a bit a lane

INLINE lanes lanes_set(uint64_t value)
{
	return (lanes){value, value, value, value, value, value, value, value};
}

// Word i of each of the eight strings.
INLINE lanes lanes_load(const uint8_t *const bytes[IFMA_LANES], unsigned i)
{
	uint64_t words[IFMA_LANES];
	lanes word;

	for (unsigned lane = 0; lane < IFMA_LANES; lane++)
		memcpy(&words[lane], bytes[lane] + 8 * i, 8);
	memcpy(&word, words, sizeof(word));
	return word;
}

#ifndef IFMA_PLAIN
#include <immintrin.h>

// sum + the low 52 bits of a * b, or sum + the bits above these; a and b below 2^52.
INLINE lanes lanes_madd_low(lanes sum, lanes a, lanes b)
{
	return (lanes)_mm512_madd52lo_epu64((__m512i)sum, (__m512i)a, (__m512i)b);
}

INLINE lanes lanes_madd_high(lanes sum, lanes a, lanes b)
{
	return (lanes)_mm512_madd52hi_epu64((__m512i)sum, (__m512i)a, (__m512i)b);
}

// Bit `bit` of each lane.
INLINE lanes_mask lanes_bit(lanes a, unsigned bit)
{
	return _mm512_test_epi64_mask(
		(__m512i)a, _mm512_set1_epi64((long long)(UINT64_C(1) << bit)));
}

// Which lanes are 0.
INLINE lanes_mask lanes_zero(lanes a)
{
	return _mm512_testn_epi64_mask((__m512i)a, (__m512i)a);
}

// Of each lane a, or b where the mask has its bit.
INLINE lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
	return (lanes)_mm512_mask_blend_epi64(mask, (__m512i)a, (__m512i)b);
}

// For each lane the one of 16 numbers that the low four bits of `which` name.
INLINE lanes lanes_of_16(const lanes numbers[2], lanes which)
{
	return (lanes)_mm512_permutex2var_epi64(
		(__m512i)numbers[0], (__m512i)which, (__m512i)numbers[1]);
}

INLINE void lanes_registers_wipe(void)
{
	__asm__ volatile("vzeroall\n\t"
			 "vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\t"
			 "vpxorq %%zmm18, %%zmm18, %%zmm18\n\tvpxorq %%zmm19, %%zmm19, %%zmm19\n\t"
			 "vpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
			 "vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\t"
			 "vpxorq %%zmm24, %%zmm24, %%zmm24\n\tvpxorq %%zmm25, %%zmm25, %%zmm25\n\t"
			 "vpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
			 "vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\t"
			 "vpxorq %%zmm30, %%zmm30, %%zmm30\n\tvpxorq %%zmm31, %%zmm31, %%zmm31"
			 :
			 :
			 : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
			 "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",
			 "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23", "xmm24",
			 "xmm25", "xmm26", "xmm27", "xmm28", "xmm29", "xmm30", "xmm31");
}

#else

#define LOW_52(a) ((a) & ((UINT64_C(1) << 52) - 1))

#ifndef IFMA_CHECK // a program that looks for factors that are too large has its own
#define IFMA_CHECK(rule)
#endif

INLINE lanes lanes_madd_low(lanes sum, lanes a, lanes b)
{
	for (unsigned i = 0; i < IFMA_LANES; i++) {
		IFMA_CHECK(a[i] == LOW_52(a[i]) && b[i] == LOW_52(b[i]));
		sum[i] += LOW_52(LOW_52(a[i]) * LOW_52(b[i]));
	}
	return sum;
}

INLINE lanes lanes_madd_high(lanes sum, lanes a, lanes b)
{
	for (unsigned i = 0; i < IFMA_LANES; i++)
		sum[i] += (uint64_t)((unsigned __int128)LOW_52(a[i]) * LOW_52(b[i]) >> 52);
	return sum;
}

INLINE lanes_mask lanes_bit(lanes a, unsigned bit)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < IFMA_LANES; i++)
		mask |= (unsigned)(a[i] >> bit & 1) << i;
	return (lanes_mask)mask;
}

INLINE lanes_mask lanes_zero(lanes a)
{
	return (lanes_mask)~lanes_bit(a | -a, 63);
}

INLINE lanes lanes_choose(lanes_mask mask, lanes a, lanes b)
{
	for (unsigned i = 0; i < IFMA_LANES; i++)
		a[i] ^= (a[i] ^ b[i]) & -(uint64_t)(mask >> i & 1);
	return a;
}

INLINE lanes lanes_of_16(const lanes numbers[2], lanes which)
{
	lanes out = lanes_set(0);

	for (unsigned i = 0; i < 16; i++)
		out = lanes_choose(lanes_zero((which & 15) ^ lanes_set(i)), out,
			lanes_set(numbers[i / 8][i % 8]));
	return out;
}

INLINE void lanes_registers_wipe(void)
{
}

#endif

#endif
