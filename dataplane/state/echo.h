// SPDX-License-Identifier: BSD-3-Clause
// Values of the Echo option (RFC 9175) for a context whose window is unknown (RFC 8613 appendix
// B.1.2), or that is suspected to start its numbers again (suspicion.c), and for routes that ask
// for freshness (fresh.c). Nothing is kept for them: time and a MAC under a key that is random per
// start, over the context, its generation and a phase, so that none outlives a crash, a resync or
// the phase it was made for. The phase is the count of unknown windows, has its highest bit set for
// a suspicion, or is DP_ECHO_FRESH.

#ifndef POSTERN_DATAPLANE_STATE_ECHO_H
#define POSTERN_DATAPLANE_STATE_ECHO_H

#include "dataplane/shared/context.h"

#include <sodium.h>

#define DP_ECHO_LEN    16               // bytes: time, MAC
#define DP_ECHO_AGE_MS UINT64_C(120000) // above MAX_TRANSMIT_WAIT (RFC 7252 section 4.8.2)
#define DP_ECHO_FRESH  (UINT64_C(1) << 62)
#define DP_ECHO_NONE   UINT64_MAX // age of a value that is not ours

struct dp_echo_key {
	uint8_t key[crypto_shorthash_KEYBYTES];
};

static inline void dp_echo_mac(const struct dp_echo_key *key, uint32_t context, uint32_t generation,
	uint64_t phase, uint64_t time_ms, uint8_t mac[crypto_shorthash_BYTES])
{
	struct {
		uint64_t time_ms;
		uint32_t context;
		uint32_t generation;
		uint64_t phase;
	} input = {time_ms, context, generation, phase};

	crypto_shorthash(mac, (const uint8_t *)&input, sizeof(input), key->key);
}

static inline void dp_echo_make(const struct dp_echo_key *key, uint32_t context,
	uint32_t generation, uint64_t phase, uint64_t now_ms, uint8_t echo[DP_ECHO_LEN])
{
	memcpy(echo, &now_ms, sizeof(now_ms));
	dp_echo_mac(key, context, generation, phase, now_ms, echo + sizeof(now_ms));
}

// The age of a value in milliseconds, or DP_ECHO_NONE if it was not made for this.
static inline uint64_t dp_echo_age(const struct dp_echo_key *key, uint32_t context,
	uint32_t generation, uint64_t phase, uint64_t now_ms, const uint8_t *echo, size_t len)
{
	uint8_t mac[crypto_shorthash_BYTES];
	uint64_t time_ms;

	if (len != DP_ECHO_LEN)
		return DP_ECHO_NONE;
	memcpy(&time_ms, echo, sizeof(time_ms));
	if (time_ms > now_ms)
		return DP_ECHO_NONE;
	dp_echo_mac(key, context, generation, phase, time_ms, mac);
	return sodium_memcmp(mac, echo + sizeof(time_ms), sizeof(mac)) ? DP_ECHO_NONE
								       : now_ms - time_ms;
}

static inline bool dp_echo_valid(const struct dp_echo_key *key, uint32_t context,
	uint32_t generation, uint64_t phase, uint64_t now_ms, const uint8_t *echo, size_t len)
{
	return dp_echo_age(key, context, generation, phase, now_ms, echo, len) <= DP_ECHO_AGE_MS;
}

#endif
