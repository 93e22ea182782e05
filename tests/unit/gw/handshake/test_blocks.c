// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC that come in blocks: what of them is kept, for whom, and for how long.

#include "gw/handshake/blocks.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define SZX  6
#define SIZE 1024

static struct blocks *blocks;
static uint64_t now_ms = 500000;
static uint8_t data[BLOCKS_BYTES + 2 * SIZE];
static struct blocks_taken taken; // by take()

static void begin(void)
{
	blocks = blocks_create();
	cr_assert_not_null(blocks);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 + i / 256);
}

static void end(void)
{
	blocks_free(blocks);
}

TestSuite(blocks, .init = begin, .fini = end);

// Device number `host` of a network.
static struct blocks_key key(uint16_t network, uint16_t host, uint8_t tag)
{
	struct blocks_key key = {.network = network, .tag = {tag}};

	memcpy(key.endpoint, &network, sizeof(network));
	memcpy(key.endpoint + 2, &host, sizeof(host));
	return key;
}

static enum blocks_verdict take(
	const struct blocks_key *of, uint32_t num, bool more, const uint8_t *bytes, size_t len)
{
	const struct coap_block block = {.num = num, .szx = SZX, .more = more};

	taken = blocks_take(blocks, of, &block, (struct edhoc_bytes){bytes, len}, 0, now_ms);
	return taken.verdict;
}

// Block `num` of data[].
static enum blocks_verdict next(const struct blocks_key *of, uint32_t num, bool more)
{
	return take(of, num, more, data + num * SIZE, SIZE);
}

Test(blocks, a_message_is_what_its_blocks_are)
{
	const struct blocks_key a = key(1, 1, 0), b = key(1, 1, 1), c = key(1, 2, 0);

	// Of three that come at once.
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_eq(next(&a, i, true), BLOCKS_NEXT);
		cr_expect_eq(take(&b, i, true, data + 9 + i * SIZE, SIZE), BLOCKS_NEXT);
		cr_expect_eq(take(&c, i, true, data + 99 + i * SIZE, SIZE), BLOCKS_NEXT);
	}
	cr_assert_eq(take(&a, 3, false, data + 3 * SIZE, 5), BLOCKS_WHOLE);
	cr_assert_eq(taken.whole.len, 3 * SIZE + 5);
	cr_expect_arr_eq(taken.whole.data, data, taken.whole.len);
	cr_assert_eq(take(&b, 3, false, data + 9 + 3 * SIZE, SIZE), BLOCKS_WHOLE);
	cr_assert_eq(taken.whole.len, BLOCKS_BYTES);
	cr_expect_arr_eq(taken.whole.data, data + 9, taken.whole.len);
	cr_assert_eq(take(&c, 3, false, data + 99 + 3 * SIZE, 1), BLOCKS_WHOLE);
	cr_expect_arr_eq(taken.whole.data, data + 99, taken.whole.len);
	// Once more, for its answer may have been lost.
	cr_assert_eq(take(&a, 3, false, data + 3 * SIZE, 5), BLOCKS_WHOLE);
	cr_expect_arr_eq(taken.whole.data, data, taken.whole.len);
}

Test(blocks, order_and_other_bytes)
{
	const struct blocks_key a = key(1, 1, 0);

	cr_expect_eq(next(&a, 1, true), BLOCKS_INCOMPLETE);
	cr_expect_eq(blocks_count(blocks), 0);
	cr_expect_eq(next(&a, 0, true), BLOCKS_NEXT);
	cr_expect_eq(next(&a, 2, true), BLOCKS_INCOMPLETE);
	cr_expect_eq(next(&a, 0, true), BLOCKS_NEXT);
	cr_expect_eq(next(&a, 1, true), BLOCKS_NEXT);
	cr_expect_eq(take(&a, 1, true, data, SIZE), BLOCKS_INCOMPLETE);
	cr_expect_eq(next(&a, 1, false), BLOCKS_INCOMPLETE, "it was none that ends");
	cr_expect_eq(next(&a, 2, false), BLOCKS_WHOLE);
	cr_expect_eq(next(&a, 2, true), BLOCKS_INCOMPLETE, "it was one that ends");
	cr_expect_eq(next(&a, 3, false), BLOCKS_INCOMPLETE, "nothing comes behind it");
	cr_expect_eq(take(&a, 2, false, data + 2 * SIZE, SIZE - 1), BLOCKS_INCOMPLETE);
	// Block 0 begins anew.
	cr_expect_eq(take(&a, 0, true, data + 1, SIZE), BLOCKS_NEXT);
	cr_expect_eq(next(&a, 2, false), BLOCKS_INCOMPLETE);
	cr_expect_eq(take(&a, 1, false, data + 5, 1), BLOCKS_WHOLE);
	cr_expect_eq(taken.whole.len, SIZE + 1);
}

Test(blocks, no_byte_more_than_there_is_room)
{
	const struct blocks_key a = key(1, 1, 0);
	const struct coap_block first = {.more = true};
	const uint32_t last = BLOCKS_BYTES / SIZE - 1;

	for (uint32_t i = 0; i < last; i++)
		cr_assert_eq(next(&a, i, true), BLOCKS_NEXT);
	cr_expect_eq(next(&a, last, true), BLOCKS_TOO_LARGE, "at least a byte follows");
	cr_expect_eq(next(&a, last + 1, false), BLOCKS_TOO_LARGE);
	cr_expect_eq(take(&a, COAP_BLOCK_NUM_MAX, false, data, 1), BLOCKS_TOO_LARGE);
	cr_expect_eq(next(&a, last, false), BLOCKS_WHOLE);
	cr_expect_eq(taken.whole.len, BLOCKS_BYTES);
	// As its sender says, before there is anything of it.
	taken = blocks_take(blocks, &(struct blocks_key){.tag = {9}}, &first,
		(struct edhoc_bytes){data, 16}, BLOCKS_BYTES + 1, now_ms);
	cr_expect_eq(taken.verdict, BLOCKS_TOO_LARGE);
	cr_expect_eq(blocks_count(blocks), 1);
	cr_expect_eq(take(&a, 0, true, data, SIZE - 1), BLOCKS_BAD);
	cr_expect_eq(take(&a, 0, false, data, SIZE + 1), BLOCKS_BAD);
	cr_expect_eq(take(&a, 0, false, data, 0), BLOCKS_BAD);
}

Test(blocks, an_endpoint_has_two_messages)
{
	const struct blocks_key tags[] = {key(1, 1, 0), key(1, 1, 1), key(1, 1, 2)};

	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(next(&tags[i], 0, true), BLOCKS_NEXT);
		cr_expect_eq(taken.gave_way, i == 2);
	}
	cr_expect_eq(blocks_count(blocks), BLOCKS_OWN);
	cr_expect_eq(next(&tags[0], 1, true), BLOCKS_INCOMPLETE, "the oldest has gone");
	cr_expect_eq(next(&tags[1], 1, true), BLOCKS_NEXT);
	cr_expect_eq(next(&tags[2], 1, true), BLOCKS_NEXT);
}

// Takes all places of the share of a network, from host 1 on.
static void fill(uint16_t network)
{
	for (uint16_t i = 1; i <= BLOCKS_SHARE; i++) {
		const struct blocks_key one = key(network, i, 0);

		cr_assert_eq(next(&one, 0, true), BLOCKS_NEXT);
	}
}

Test(blocks, a_network_has_its_share)
{
	const struct blocks_key more = key(1, 999, 0), other = key(2, 1, 0), first = key(1, 1, 0);
	const struct blocks_key second = key(1, 2, 0);

	fill(1);
	cr_expect_eq(next(&more, 0, true), BLOCKS_FULL);
	cr_expect_eq(next(&other, 0, true), BLOCKS_NEXT);
	cr_expect_eq(blocks_count(blocks), BLOCKS_SHARE + 1);
	now_ms += BLOCKS_LATE_MS - 1;
	cr_expect_eq(next(&first, 1, true), BLOCKS_NEXT);
	cr_expect_eq(next(&more, 0, true), BLOCKS_FULL, "none of them is late");
	now_ms++;
	cr_expect_eq(next(&more, 0, true), BLOCKS_NEXT);
	cr_expect(taken.gave_way);
	cr_expect_eq(next(&first, 2, true), BLOCKS_NEXT, "it was the last to move");
	cr_expect_eq(next(&second, 1, true), BLOCKS_INCOMPLETE, "the one of longest ago has gone");
	cr_expect_eq(next(&other, 1, true), BLOCKS_NEXT, "one of another network stays");
}

Test(blocks, all_places_are_bounded_and_those_that_move_stay)
{
	const struct blocks_key more = key(9, 1, 0), first = key(1, 1, 0);

	for (uint16_t network = 1; network <= BLOCKS_PLACES / BLOCKS_SHARE; network++)
		fill(network);
	cr_expect_eq(blocks_count(blocks), BLOCKS_PLACES);
	cr_expect_eq(next(&more, 0, true), BLOCKS_FULL);
	// One that is complete gives way at once, and nothing is lost by it.
	cr_expect_eq(next(&first, 1, false), BLOCKS_WHOLE);
	cr_expect_eq(next(&more, 0, true), BLOCKS_NEXT);
	cr_expect_not(taken.gave_way);
	cr_expect_eq(blocks_count(blocks), BLOCKS_PLACES);
	cr_expect_eq(next(&first, 0, true), BLOCKS_FULL);
	// One that goes on and on, too, after its time.
	for (unsigned i = 0; i < BLOCKS_WAIT_MS / BLOCKS_LATE_MS; i++) {
		now_ms += BLOCKS_LATE_MS - 1;
		for (uint16_t network = 1; network <= BLOCKS_PLACES / BLOCKS_SHARE; network++)
			for (uint16_t host = 1; host <= BLOCKS_SHARE; host++) {
				const struct blocks_key one = key(network, host, 0);

				if (network > 1 || host > 1)
					cr_assert_eq(next(&one, 0, true), BLOCKS_NEXT);
			}
		cr_assert_eq(next(&more, 0, true), BLOCKS_NEXT);
		cr_expect_eq(next(&first, 0, true), BLOCKS_FULL);
	}
	now_ms += BLOCKS_LATE_MS - 1;
	for (uint16_t host = 1; host <= 2; host++) {
		const struct blocks_key one = key(2, host, 0);

		cr_assert_eq(next(&one, 0, true), BLOCKS_NEXT);
	}
	cr_expect_eq(next(&first, 0, true), BLOCKS_NEXT);
	cr_expect(taken.gave_way);
}

Test(blocks, what_does_not_go_on_ends)
{
	const struct blocks_key a = key(1, 1, 0), b = key(1, 2, 0), c = key(1, 3, 0);

	cr_expect_eq(next(&a, 0, true), BLOCKS_NEXT);
	cr_expect_eq(next(&b, 0, true), BLOCKS_NEXT);
	cr_expect_eq(next(&c, 0, true), BLOCKS_NEXT);
	cr_expect_eq(next(&c, 1, false), BLOCKS_WHOLE);
	now_ms += BLOCKS_WAIT_MS - 1;
	cr_expect_eq(blocks_turn(blocks, now_ms), 0);
	cr_expect_eq(next(&a, 0, true), BLOCKS_NEXT, "a copy shows that it goes on");
	cr_expect_eq(next(&b, 2, true), BLOCKS_INCOMPLETE, "and this shows nothing");
	now_ms++;
	cr_expect_eq(blocks_turn(blocks, now_ms), 1, "the complete one was not given up");
	cr_expect_eq(blocks_count(blocks), 1);
	cr_expect_eq(next(&b, 1, true), BLOCKS_INCOMPLETE);
	cr_expect_eq(next(&a, 1, true), BLOCKS_NEXT);
}

// --- Answers, which are fetched in blocks

static bool keep(const struct blocks_key *of, size_t from, size_t len)
{
	return blocks_keep(blocks, of, (struct edhoc_bytes){data + from, len}, now_ms);
}

static bool is(struct edhoc_bytes kept, size_t from, size_t len)
{
	return kept.len == len && !memcmp(kept.data, data + from, len);
}

Test(blocks, an_answer_is_kept_for_its_endpoint)
{
	const struct blocks_key a = key(1, 1, 0), b = key(1, 1, 1), c = key(1, 2, 0);

	cr_assert(keep(&a, 0, 2000));
	cr_expect(is(blocks_kept(blocks, &a), 0, 2000));
	cr_expect(is(blocks_newest(blocks, a.endpoint), 0, 2000));
	cr_expect_eq(blocks_kept(blocks, &b).len, 0);
	cr_expect_eq(blocks_kept(blocks, &c).len, 0);
	cr_expect_eq(blocks_newest(blocks, c.endpoint).len, 0, "another endpoint gets none of it");
	cr_assert(keep(&c, 5, BLOCKS_BYTES));
	cr_assert(keep(&b, 9, 1500));
	cr_expect(is(blocks_newest(blocks, a.endpoint), 9, 1500), "that which came last");
	cr_expect(is(blocks_newest(blocks, c.endpoint), 5, BLOCKS_BYTES));
	cr_expect(is(blocks_kept(blocks, &a), 0, 2000));
	cr_assert(keep(&a, 3, 1600));
	cr_expect(is(blocks_kept(blocks, &a), 3, 1600), "under one key there is one");
	cr_expect_eq(blocks_count(blocks), 3);
}

Test(blocks, an_answer_ends_with_its_time)
{
	const struct blocks_key a = key(1, 1, 0);

	cr_assert(keep(&a, 0, 2000));
	now_ms += BLOCKS_WAIT_MS - 1;
	(void)blocks_newest(blocks, a.endpoint);
	cr_expect_eq(blocks_turn(blocks, now_ms), 0);
	cr_expect(is(blocks_kept(blocks, &a), 0, 2000));
	cr_expect_eq(blocks_turn(blocks, now_ms + 1), 0, "it was complete");
	cr_expect_eq(blocks_kept(blocks, &a).len, 0);
	cr_expect_eq(blocks_newest(blocks, a.endpoint).len, 0);
}

// Shares are those of messages that come: two of an endpoint, a quarter of a network.
Test(blocks, an_answer_takes_the_place_of_the_oldest_of_its_network)
{
	struct blocks_key of[BLOCKS_SHARE];
	const struct blocks_key other = key(2, 1, 0), more = key(1, 5000, 0);
	const struct blocks_key third[] = {key(3, 1, 0), key(3, 1, 1), key(3, 1, 2)};

	cr_assert(keep(&other, 1, 2000));
	for (uint16_t i = 0; i < BLOCKS_SHARE; i++) {
		of[i] = key(1, i, 0);
		cr_assert(keep(&of[i], i, 1500));
	}
	cr_assert(keep(&more, 7, 1500));
	cr_expect_eq(blocks_kept(blocks, &of[0]).len, 0);
	for (uint16_t i = 1; i < BLOCKS_SHARE; i++)
		cr_expect(is(blocks_kept(blocks, &of[i]), i, 1500));
	cr_expect(is(blocks_kept(blocks, &other), 1, 2000), "nobody else loses anything");
	cr_expect_eq(blocks_count(blocks), BLOCKS_SHARE + 1);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(keep(&third[i], i, 1500));
	cr_expect_eq(blocks_kept(blocks, &third[0]).len, 0);
	cr_expect(is(blocks_kept(blocks, &third[1]), 1, 1500));
}
