// SPDX-License-Identifier: BSD-3-Clause
// Random bytes of a loop, and times that are spread by them. Private to the loop.

#ifndef POSTERN_GW_UPSTREAM_RANDOM_H
#define POSTERN_GW_UPSTREAM_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct up_loop;

#define UP_RETRY_SECONDS 5 // least Max-Age of 5.03 and 4.29 where nothing else is said

// Fresh random bytes, at most 64, valid until the next call.
const uint8_t *up_random_take(struct up_loop *loop, size_t len);
uint32_t up_random_32(struct up_loop *loop);
// A Max-Age that spreads the times at which devices come back.
uint32_t up_retry_seconds(struct up_loop *loop);

#endif
