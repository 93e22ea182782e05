// SPDX-License-Identifier: BSD-3-Clause
// Base64 with padding (RFC 4648 section 4).

#ifndef POSTERN_GW_BATCH_BASE64_H
#define POSTERN_GW_BATCH_BASE64_H

#include <stddef.h>
#include <stdint.h>

static inline size_t base64_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

// Writes base64_len(len) characters, without a 0 at the end. Returns behind them.
uint8_t *base64_put(uint8_t *at, const uint8_t *bytes, size_t len);

#endif
