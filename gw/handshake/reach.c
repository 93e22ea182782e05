// SPDX-License-Identifier: BSD-3-Clause

#include "gw/handshake/reach.h"

#include <endian.h>
#include <sodium.h>
#include <string.h>

_Static_assert(REACH_KEY_LEN == crypto_generichash_KEYBYTES, "a keyed BLAKE2b");

// The second that values show is counted from one that only the key tells: they would say since
// when the machine runs (RFC 9175 section 6).
static uint32_t second_of(const uint8_t key[REACH_KEY_LEN], uint64_t now_s)
{
	uint8_t hash[crypto_generichash_BYTES_MIN];
	uint32_t first;

	crypto_generichash(hash, sizeof(hash), NULL, 0, key, REACH_KEY_LEN);
	memcpy(&first, hash, sizeof(first));
	return first + (uint32_t)now_s;
}

static void make_at(const uint8_t key[REACH_KEY_LEN], const struct dp_flow *flow, uint32_t second,
	uint8_t value[REACH_LEN])
{
	const uint32_t time = htobe32(second);
	crypto_generichash_state state;
	uint8_t mac[crypto_generichash_BYTES_MIN];

	crypto_generichash_init(&state, key, REACH_KEY_LEN, sizeof(mac));
	crypto_generichash_update(&state, (const uint8_t *)&time, sizeof(time));
	crypto_generichash_update(&state, (const uint8_t *)flow, DP_ENDPOINT_LEN);
	crypto_generichash_final(&state, mac, sizeof(mac));
	memcpy(value, &time, sizeof(time));
	memcpy(value + sizeof(time), mac, REACH_LEN - sizeof(time));
}

void reach_make(const uint8_t key[REACH_KEY_LEN], const struct dp_flow *flow, uint64_t now_s,
	uint8_t value[REACH_LEN])
{
	make_at(key, flow, second_of(key, now_s), value);
}

bool reach_good(const uint8_t key[REACH_KEY_LEN], const struct dp_flow *flow, uint64_t now_s,
	const uint8_t *value, size_t len)
{
	uint8_t good[REACH_LEN];
	uint32_t time;

	if (len != REACH_LEN)
		return false;
	memcpy(&time, value, sizeof(time));
	time = be32toh(time);
	if (second_of(key, now_s) - time >= REACH_S)
		return false;
	make_at(key, flow, time, good);
	return !sodium_memcmp(good, value, REACH_LEN);
}
