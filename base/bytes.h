// SPDX-License-Identifier: BSD-3-Clause
// Copies tokens, ids and tags. Most have a few bytes, and for these a call of memcpy() with a
// length that the compiler does not know costs more than the copy.

#ifndef POSTERN_BASE_BYTES_H
#define POSTERN_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Copies a range that is one to two words long as its first word and its last, which may overlap.
#define BYTES_COPY_WORDS(type, dst, src, len)                               \
	do {                                                                \
		type head_, tail_;                                          \
		memcpy(&head_, (src), sizeof(type));                        \
		memcpy(&tail_, (src) + (len) - sizeof(type), sizeof(type)); \
		memcpy((dst), &head_, sizeof(type));                        \
		memcpy((dst) + (len) - sizeof(type), &tail_, sizeof(type)); \
	} while (0)

// Copies len bytes; the ranges do not overlap. src may be NULL if len is 0.
static inline void bytes_copy(uint8_t *dst, const uint8_t *src, size_t len)
{
	if (len > 16)
		memcpy(dst, src, len);
	else if (len >= 8)
		BYTES_COPY_WORDS(uint64_t, dst, src, len);
	else if (len >= 4)
		BYTES_COPY_WORDS(uint32_t, dst, src, len);
	else if (len >= 2)
		BYTES_COPY_WORDS(uint16_t, dst, src, len);
	else if (len)
		*dst = *src;
}

#undef BYTES_COPY_WORDS

#endif
