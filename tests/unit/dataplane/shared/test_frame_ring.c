// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/frame_ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX 200
#define FRAMES    1000000

Test(frame_ring, full_empty_and_sizes)
{
	struct dp_frame_ring *ring = dp_frame_ring_create(5, FRAME_MAX);
	uint8_t frame[FRAME_MAX + 1] = {0};
	const uint8_t *out;
	uint16_t port_id, len;

	cr_assert_not_null(ring);
	// Positions go around many times; the ring holds 8 frames, 5 rounded up.
	for (unsigned round = 0; round < 100; round++) {
		cr_assert_null(dp_frame_ring_peek(ring, &port_id, &len));
		for (unsigned i = 0; i < 8; i++) {
			frame[0] = i;
			cr_assert(dp_frame_ring_push(ring, i + 3, frame, i * 25));
		}
		cr_assert_not(dp_frame_ring_push(ring, 0, frame, 1), "full");
		for (unsigned i = 0; i < 8; i++) {
			out = dp_frame_ring_peek(ring, &port_id, &len);
			cr_assert_not_null(out);
			cr_assert_eq(out, dp_frame_ring_peek(ring, &port_id, &len),
				"stays until popped");
			cr_assert_eq(port_id, i + 3);
			cr_assert_eq(len, i * 25);
			cr_assert(!len || out[0] == i);
			dp_frame_ring_pop(ring);
		}
	}
	cr_assert(dp_frame_ring_push(ring, 0, frame, FRAME_MAX));
	cr_assert_not(dp_frame_ring_push(ring, 0, frame, FRAME_MAX + 1), "longer than a slot");
	dp_frame_ring_free(ring);
	dp_frame_ring_free(NULL);

	cr_assert_null(dp_frame_ring_create(0, FRAME_MAX));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(dp_frame_ring_create(8, 0));
	cr_assert_eq(errno, EINVAL);
}

// Every byte and the length of a frame follow from its number.
static uint16_t frame_make(uint32_t number, uint8_t frame[FRAME_MAX])
{
	uint16_t len = 4 + number * 7 % (FRAME_MAX - 4);

	memset(frame, number * 31 & 0xff, len);
	memcpy(frame, &number, 4);
	return len;
}

static void *produce(void *arg)
{
	uint8_t frame[FRAME_MAX];

	for (uint32_t i = 0; i < FRAMES; i++) {
		uint16_t len = frame_make(i, frame);

		while (!dp_frame_ring_push(arg, i & 0xffff, frame, len))
			sched_yield();
	}
	return NULL;
}

Test(frame_ring, two_threads_lose_and_mix_nothing)
{
	struct dp_frame_ring *ring = dp_frame_ring_create(64, FRAME_MAX);
	uint8_t want[FRAME_MAX];
	pthread_t producer;

	cr_assert_eq(pthread_create(&producer, NULL, produce, ring), 0);
	for (uint32_t i = 0; i < FRAMES; i++) {
		uint16_t port_id, len, want_len = frame_make(i, want);
		const uint8_t *out;

		while (!(out = dp_frame_ring_peek(ring, &port_id, &len)))
			sched_yield();
		if (port_id != (i & 0xffff) || len != want_len || memcmp(out, want, len))
			cr_assert_fail("frame %u", i);
		dp_frame_ring_pop(ring);
	}
	pthread_join(producer, NULL);
	dp_frame_ring_free(ring);
}
