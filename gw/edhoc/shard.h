// SPDX-License-Identifier: BSD-3-Clause
// Connection identifiers that say which gateway of a fleet made them: a permutation of (shard,
// serial) under a key that the fleet shares. A program in front of the fleet finds the owner
// without a table; who does not have the key learns neither shard nor serial, and cannot tell the
// next identifier.

#ifndef POSTERN_GW_EDHOC_SHARD_H
#define POSTERN_GW_EDHOC_SHARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SHARD_KEY_LEN 32
#define SHARD_ID_MIN  2 // bytes of an identifier
#define SHARD_ID_MAX  4
#define SHARD_BITS    8 // at most

// What the gateways of a fleet have in common. The owner wipes it.
struct shard_plan {
	uint8_t key[SHARD_KEY_LEN]; // random, kept for good
	uint8_t id_len;             // SHARD_ID_MIN to SHARD_ID_MAX
	uint8_t bits;               // there are 2^bits shards; 0 to SHARD_BITS
};

// How many serials a shard has; UINT32_MAX if there is one shard with identifiers of 4 bytes.
uint32_t shard_serials(const struct shard_plan *plan);
// Makes the identifier, id_len bytes, of a serial below shard_serials() and a shard below 2^bits.
// Different ones are made of different pairs.
void shard_id_make(const struct shard_plan *plan, unsigned shard, uint32_t serial, uint8_t *id);
// What an identifier of id_len bytes was made of.
void shard_id_read(
	const struct shard_plan *plan, const uint8_t *id, unsigned *shard, uint32_t *serial);
// The shard that a kid belongs to: of a kid of id_len bytes, whoever made it, as above; of another
// one a keyed hash of its bytes. The kid context has no part in it, since RFC 8613 appendix B.2
// changes that in the middle of the protocol.
unsigned shard_of(const struct shard_plan *plan, const uint8_t *kid, size_t len);

#endif
