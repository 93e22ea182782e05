// SPDX-License-Identifier: BSD-3-Clause
// Whether a sender has shown that it receives at the address that it sends from: by an Echo option
// outside of OSCORE (RFC 9175 section 2.4). Nothing is remembered: the value is a time and a MAC
// over it and the endpoint.

#ifndef POSTERN_GW_HANDSHAKE_REACH_H
#define POSTERN_GW_HANDSHAKE_REACH_H

#include "dataplane/shared/flow.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REACH_KEY_LEN 32
#define REACH_LEN     12  // bytes of a value
#define REACH_S       120 // how long one is good

void reach_make(const uint8_t key[REACH_KEY_LEN], const struct dp_flow *flow, uint64_t now_s,
	uint8_t value[REACH_LEN]);
bool reach_good(const uint8_t key[REACH_KEY_LEN], const struct dp_flow *flow, uint64_t now_s,
	const uint8_t *value, size_t len) __attribute__((warn_unused_result));

#endif
