// SPDX-License-Identifier: BSD-3-Clause
// A short hash under a secret key, for tables whose keys strangers can choose.
//
// A CRC with a secret start value is no such thing: it is linear, so two inputs that collide under
// one start value collide under all of them. Here the hash has two parts.
//
// - NH of UMAC (RFC 4418 section 5.2) with words of 64 bits: the sum of products of pairs of words,
//   each word with a key word added, plus the length. Two different inputs have the same 128 bits
//   for at most 2 in 2^64 of the keys, whatever the inputs are; this is proven (Black, Halevi,
//   Krawczyk, Krovetz, Rogaway: UMAC, Crypto '99).
// - A multiplication of the two halves under two more key words, both halves of its product
//   combined. It makes the bits that a table uses depend on all 128, and it is not linear.
//
// Who sees no hashes cannot do better with prepared inputs than with random ones: the first part
// is proven, and that equal low bits of the second part cannot be prepared is an assumption that
// test_keyed_hash tries on structured inputs. It is no message authentication and no random
// function: who sees many hashes may find the key. So a hash never leaves the process, each table
// has a key of its own, and a table shows others at most that two inputs share a place.
//
// Measured on Zen 4, cycles a hash in a burst for 16 bytes: CRC 0.8, this 2.0, SipHash-1-3 15,
// SipHash-2-4 of libsodium 26; for 255 bytes 33 and libsodium 189. Two rounds of AES take 0.8, but
// are not in the instructions that all of postern may use.

#ifndef POSTERN_CRYPTO_KEYED_HASH_H
#define POSTERN_CRYPTO_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define KEYED_HASH_MAX 256 // bytes of an input

struct keyed_hash {
	uint64_t last[2];
	uint64_t word[KEYED_HASH_MAX / 8];
};

// Draws a new random key.
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

// Of less than 16 bytes: two words that hold all of them, some twice.
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

// Hashes at most KEYED_HASH_MAX bytes; what is beyond is not looked at. A length that the compiler
// knows makes it faster.
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

// Hashes two words. Not the hash of the same 16 bytes.
static inline uint64_t keyed_hash_words(
	const struct keyed_hash *key, uint64_t first, uint64_t second)
{
	return keyed_hash_finish(key, keyed_hash_pair(key, 0, first, second));
}

#endif
