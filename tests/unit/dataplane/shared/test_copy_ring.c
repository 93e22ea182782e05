// SPDX-License-Identifier: BSD-3-Clause

#include "dataplane/shared/copy_ring.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#define BYTES   4096
#define RECORDS 20000

static uint32_t len_of(uint32_t number)
{
	return 4 + number * 7 % 900;
}

static bool put(struct dp_copy_ring *ring, uint32_t number)
{
	uint8_t *record = dp_copy_ring_put(ring, len_of(number));

	if (!record)
		return false;
	memset(record, number & 0xff, len_of(number));
	memcpy(record, &number, 4);
	return true;
}

// Takes the next record, which must be this one.
static bool take(struct dp_copy_ring *ring, uint32_t number)
{
	uint32_t len, found;
	const uint8_t *record = dp_copy_ring_peek(ring, &len);

	if (!record)
		return false;
	memcpy(&found, record, 4);
	cr_assert_eq(found, number);
	cr_assert_eq(len, len_of(number));
	for (uint32_t i = 4; i < len; i++)
		cr_assert_eq(record[i], number & 0xff);
	dp_copy_ring_pop(ring);
	return true;
}

Test(copy_ring, records_come_out_as_they_went_in_and_what_has_no_room_is_counted)
{
	struct dp_copy_ring *ring = dp_copy_ring_create(BYTES);
	uint32_t in = 0, out = 0;
	uint64_t lost = 0;

	cr_assert_not_null(ring);
	for (unsigned round = 0; round < 1000; round++) {
		while (put(ring, in))
			in++;
		cr_assert_eq(dp_copy_ring_lost(ring), ++lost);
		if (round % 5 == 1)
			cr_assert(!take(ring, out), "nothing is there before it is published");
		dp_copy_ring_publish(ring);
		for (unsigned n = 0; n < 1 + round % 3; n++)
			cr_assert(take(ring, out++));
		while (round % 5 == 0 && take(ring, out))
			out++;
	}
	while (take(ring, out))
		out++;
	cr_assert_eq(in, out);
	dp_copy_ring_free(ring);
	dp_copy_ring_free(NULL);
	cr_assert_null(dp_copy_ring_create(BYTES - 1));
	cr_assert_eq(errno, EINVAL);
	cr_assert_null(dp_copy_ring_create(BYTES / 2));
}

Test(copy_ring, records_are_forgotten_from_a_mark_on)
{
	struct dp_copy_ring *ring = dp_copy_ring_create(BYTES);

	cr_assert_not_null(ring);
	for (uint32_t number = 0; number < 1000; number++) {
		cr_assert(put(ring, number));
		uint64_t mark = dp_copy_ring_mark(ring);

		cr_assert(put(ring, number + 5));
		cr_assert(put(ring, number + 7));
		dp_copy_ring_forget(ring, mark);
		dp_copy_ring_publish(ring);
		cr_assert(take(ring, number));
		cr_assert(!take(ring, 0));
	}
	cr_assert_eq(dp_copy_ring_lost(ring), 0);
	dp_copy_ring_free(ring);
}

Test(copy_ring, what_was_read_is_wiped)
{
	struct dp_copy_ring *ring = dp_copy_ring_create(BYTES);
	const uint8_t *record;
	uint32_t len;

	cr_assert_not_null(ring);
	cr_assert(put(ring, 0xff));
	dp_copy_ring_publish(ring);
	record = dp_copy_ring_peek(ring, &len);
	cr_assert_not_null(record);
	cr_assert_eq(record[len - 1], 0xff);
	dp_copy_ring_pop(ring);
	for (uint32_t i = 0; i < len; i++)
		cr_assert_eq(record[i], 0);
	dp_copy_ring_free(ring);
}

static void *producer(void *arg)
{
	for (uint32_t number = 0; number < RECORDS; number++) {
		while (!put(arg, number))
			dp_copy_ring_publish(arg);
		if (number % 3 == 0 || number == RECORDS - 1)
			dp_copy_ring_publish(arg);
	}
	return NULL;
}

Test(copy_ring, one_thread_puts_and_another_takes)
{
	struct dp_copy_ring *ring = dp_copy_ring_create(BYTES);
	pthread_t thread;

	cr_assert_not_null(ring);
	cr_assert_eq(pthread_create(&thread, NULL, producer, ring), 0);
	for (uint32_t number = 0; number < RECORDS;)
		number += take(ring, number);
	cr_assert_eq(pthread_join(thread, NULL), 0);
	dp_copy_ring_free(ring);
}
