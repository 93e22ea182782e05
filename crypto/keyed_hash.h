// SPDX-License-Identifier: BSD-3-Clause
// A 64-bit hash under a secret key, for hash tables whose keys an attacker can choose.
//
// A CRC with a secret start value does not do: it is linear, so two inputs that collide under one
// start value collide under all of them. This hash has two steps.
//
// - NH of UMAC (RFC 4418 section 5.2) with words of 64 bits: the sum of products of pairs of words,
//   each word with a key word added, plus the length. Two different inputs have the same 128 bits
//   for at most 2 in 2^64 of the keys, whatever the inputs are; this is proven (Black, Halevi,
//   Krawczyk, Krovetz, Rogaway: UMAC, Crypto '99).
// - A multiplication of the two halves under two more key words, both halves of its product
//   combined. It makes the bits that a table uses depend on all 128, and it is not linear.
//
// An attacker who sees no hashes finds no collisions faster than by random inputs. For the first
// step that is proven; for the low bits of the second it is an assumption, which test_keyed_hash
// tries on structured inputs. The hash is neither a MAC nor a random function: an attacker who sees
// many hashes may find the key. So no hash leaves the process, each table has a key of its own, and
// the most that a table shows is that two inputs share a bucket.
//
// Cycles a hash on Zen 4, in a burst of 16-byte inputs: CRC 0.8, this 2.0, SipHash-1-3 15,
// libsodium's SipHash-2-4 26. With 255 bytes: this 33, libsodium 189. Two rounds of AES take 0.8,
// but need AES-NI, which code outside crypto/'s kernels is not compiled for.

#ifndef POSTERN_CRYPTO_KEYED_HASH_H
#define POSTERN_CRYPTO_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEYED_HASH_MAX 256 // bytes of an input

// A key: secret, random, never changed while a table uses it.
struct keyed_hash {
	uint64_t last[2];                  // of the second step
	uint64_t word[KEYED_HASH_MAX / 8]; // of the first
};

// Fills in a new random key.
void keyed_hash_init(struct keyed_hash *key);

static inline uint64_t keyed_hash_read8(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint32_t keyed_hash_read4(const uint8_t *bytes)
{
	uint32_t word;

	memcpy(&word, bytes, sizeof(word));
	return word;
}

static inline uint64_t keyed_hash_finish(const struct keyed_hash *key, unsigned __int128 sum)
{
	unsigned __int128 product = (unsigned __int128)((uint64_t)sum ^ key->last[0]) *
		((uint64_t)(sum >> 64) ^ key->last[1]);

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline unsigned __int128 keyed_hash_pair(
	const struct keyed_hash *key, unsigned at, uint64_t first, uint64_t second)
{
	return (unsigned __int128)(first + key->word[at]) * (second + key->word[at + 1]);
}

// The first step for less than 16 bytes: reads them as two words that may overlap.
static inline unsigned __int128 keyed_hash_short(
	const struct keyed_hash *key, const uint8_t *bytes, size_t len)
{
	if (len >= 8)
		return keyed_hash_pair(
			key, 0, keyed_hash_read8(bytes), keyed_hash_read8(bytes + len - 8));
	if (len >= 4)
		return keyed_hash_pair(
			key, 0, keyed_hash_read4(bytes), keyed_hash_read4(bytes + len - 4));
	if (!len)
		return keyed_hash_pair(key, 0, 0, 0);
	return keyed_hash_pair(key, 0, bytes[0], (uint32_t)bytes[len / 2] << 8 | bytes[len - 1]);
}

// Hashes len bytes, of which only the first KEYED_HASH_MAX count (and len itself). Faster if len is
// a constant.
static inline uint64_t keyed_hash(const struct keyed_hash *key, const void *input, size_t len)
{
	const uint8_t *bytes = input;
	unsigned __int128 sum = len;
	size_t i = 0;

	if (len > KEYED_HASH_MAX)
		len = KEYED_HASH_MAX;
	if (len < 16)
		return keyed_hash_finish(key, sum + keyed_hash_short(key, bytes, len));
	for (; i + 16 <= len; i += 16)
		sum += keyed_hash_pair(
			key, i / 8, keyed_hash_read8(bytes + i), keyed_hash_read8(bytes + i + 8));
	if (i < len) // the last 16 bytes, some of them again
		sum += keyed_hash_pair(key, i / 8, keyed_hash_read8(bytes + len - 16),
			keyed_hash_read8(bytes + len - 8));
	return keyed_hash_finish(key, sum);
}

// Hashes two words. The result differs from keyed_hash() of the same 16 bytes.
static inline uint64_t keyed_hash_words(
	const struct keyed_hash *key, uint64_t first, uint64_t second)
{
	return keyed_hash_finish(key, keyed_hash_pair(key, 0, first, second));
}

#endif
