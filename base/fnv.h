// SPDX-License-Identifier: BSD-3-Clause
// FNV-1a with 64 bits, for hash tables whose keys are the operator's. Who can choose keys can
// choose keys that collide: those of devices and strangers need crypto/keyed_hash.h.

#ifndef POSTERN_BASE_FNV_H
#define POSTERN_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FNV_EMPTY UINT64_C(0xcbf29ce484222325) // the hash of no bytes

// The hash of what `hash` is of, followed by these bytes.
static inline uint64_t fnv_add(uint64_t hash, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static inline uint64_t fnv_text(const char *text)
{
	return fnv_add(FNV_EMPTY, text, strlen(text));
}

#endif
