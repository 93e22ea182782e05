// SPDX-License-Identifier: BSD-3-Clause
// The responses #1 of the last minutes, so that a copy of a request gets the same bytes: a second
// one would end the run that the first one began. A kid has a share of 16.

#ifndef POSTERN_GW_HANDSHAKE_KEPT_H
#define POSTERN_GW_HANDSHAKE_KEPT_H

#include "gw/handshake/b2.h"

#include <stdint.h>

#define KEPT_MS       247000 // EXCHANGE_LIFETIME (RFC 7252 section 4.8.2)
#define KEPT_OF_A_KID 16

struct kept;

// What tells a message from all others: a keyed hash over endpoint and bytes.
struct kept_name {
	uint8_t bytes[16];
};

// For about so many devices. NULL and errno on failure.
struct kept *kept_create(uint32_t devices);
void kept_free(struct kept *kept);
void kept_name(const struct kept *kept, const uint8_t *endpoint, size_t endpoint_len,
	const uint8_t *message, size_t len, struct kept_name *name);
// The answer to a message of this kid, or NULL; it is there until the next kept_add().
const uint8_t *kept_find(const struct kept *kept, const uint8_t *kid, uint8_t kid_len,
	const struct kept_name *name, uint64_t now_ms, size_t *len);
// Keeps an answer, in the place of the kid's oldest one.
void kept_add(struct kept *kept, const uint8_t *kid, uint8_t kid_len, const struct kept_name *name,
	uint64_t now_ms, const uint8_t *answer, size_t len);

#endif
