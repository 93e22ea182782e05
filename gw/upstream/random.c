// SPDX-License-Identifier: BSD-3-Clause

#include "gw/upstream/random.h"

#include "gw/upstream/call.h"

#include <sodium.h>
#include <string.h>

// A system call a hundred requests instead of one each.
const uint8_t *up_random_take(struct up_loop *loop, size_t len)
{
	if (loop->random_used + len > UP_RANDOM_ROOM) {
		randombytes_buf(loop->random, UP_RANDOM_ROOM);
		loop->random_used = 0;
	}
	const uint8_t *bytes = loop->random + loop->random_used;
	loop->random_used += len;
	return bytes;
}

uint32_t up_random_32(struct up_loop *loop)
{
	uint32_t random;

	memcpy(&random, up_random_take(loop, sizeof(random)), sizeof(random));
	return random;
}

uint32_t up_retry_seconds(struct up_loop *loop)
{
	return UP_RETRY_SECONDS + *up_random_take(loop, 1) % (UP_RETRY_SECONDS + 1);
}
