// SPDX-License-Identifier: BSD-3-Clause
// A Feistel network over two halves of 4 * id_len bits each, its round function SipHash-2-4 with
// the number of the round in the input. Any round function makes it a permutation. For domains as
// small as these nothing is proven with few rounds; FF1 of NIST SP 800-38G takes 10.

#include "gw/edhoc/shard.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define ROUNDS 12

_Static_assert(SHARD_KEY_LEN == 2 * crypto_shorthash_KEYBYTES, "one for rounds, one for kids");

static uint32_t round_value(const struct shard_plan *plan, unsigned round, uint32_t half)
{
	const uint8_t input[] = {(uint8_t)round, plan->id_len, (uint8_t)(half >> 8), (uint8_t)half};
	uint8_t hash[crypto_shorthash_BYTES];

	crypto_shorthash(hash, input, sizeof(input), plan->key);
	return (uint32_t)hash[0] << 8 | hash[1];
}

uint32_t shard_serials(const struct shard_plan *plan)
{
	const uint64_t serials = UINT64_C(1) << (8 * plan->id_len - plan->bits);

	return serials > UINT32_MAX ? UINT32_MAX : (uint32_t)serials;
}

void shard_id_make(const struct shard_plan *plan, unsigned shard, uint32_t serial, uint8_t *id)
{
	const unsigned half_bits = 4U * plan->id_len;
	const uint32_t mask = (1U << half_bits) - 1;
	const uint64_t value = (uint64_t)shard << (8 * plan->id_len - plan->bits) | serial;
	uint32_t left = (uint32_t)(value >> half_bits), right = (uint32_t)value & mask;

	assert(plan->id_len >= SHARD_ID_MIN && plan->id_len <= SHARD_ID_MAX);
	assert(plan->bits <= SHARD_BITS && !(shard >> plan->bits) && serial < shard_serials(plan));
	for (unsigned round = 0; round < ROUNDS; round++) {
		const uint32_t next = (left ^ round_value(plan, round, right)) & mask;

		left = right;
		right = next;
	}
	const uint64_t out = (uint64_t)left << half_bits | right;

	for (unsigned i = 0; i < plan->id_len; i++)
		id[i] = (uint8_t)(out >> 8 * (plan->id_len - 1U - i));
}

void shard_id_read(
	const struct shard_plan *plan, const uint8_t *id, unsigned *shard, uint32_t *serial)
{
	const unsigned half_bits = 4U * plan->id_len, serial_bits = 8U * plan->id_len - plan->bits;
	const uint32_t mask = (1U << half_bits) - 1;
	uint64_t value = 0;

	for (unsigned i = 0; i < plan->id_len; i++)
		value = value << 8 | id[i];
	uint32_t left = (uint32_t)(value >> half_bits), right = (uint32_t)value & mask;

	for (unsigned round = ROUNDS; round-- > 0;) {
		const uint32_t before = (right ^ round_value(plan, round, left)) & mask;

		right = left;
		left = before;
	}
	value = (uint64_t)left << half_bits | right;
	*shard = (unsigned)(value >> serial_bits);
	*serial = (uint32_t)(value & ((UINT64_C(1) << serial_bits) - 1));
}

unsigned shard_of(const struct shard_plan *plan, const uint8_t *kid, size_t len)
{
	uint8_t hash[crypto_shorthash_BYTES];
	unsigned shard;
	uint32_t serial;

	if (len == plan->id_len) {
		shard_id_read(plan, kid, &shard, &serial);
		return shard;
	}
	crypto_shorthash(hash, kid, len, plan->key + crypto_shorthash_KEYBYTES);
	return hash[0] & ((1U << plan->bits) - 1);
}
