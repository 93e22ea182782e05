// SPDX-License-Identifier: BSD-3-Clause
// The bounds of bodies: of a device, of all, and who gives way.

#include "tests/unit/gw/body/bed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <sodium.h>
#include <string.h>

#define MEMORY (256u << 10)

static struct bed bed;

static void setup(void)
{
	bed_init(&bed, MEMORY, 4);
	bed.limits.max_body = 64 << 20;
}

static void teardown(void)
{
	bed_fini(&bed);
}

TestSuite(body_memory, .init = setup, .fini = teardown);

#define BYTES bytes_of_body

static struct ask of(uint32_t context, const char *tag)
{
	return (struct ask){
		.context = context, .generation = 1, .code = COAP_PUT, .path = "x", .tag = tag};
}

// Sends the first `blocks` blocks of 1 KB of a longer body. false: one of them was refused.
static bool begin(struct ask ask, uint32_t blocks)
{
	for (uint32_t num = 0; num < blocks; num++) {
		bed_block(&bed, ask, BYTES, BODY_MOST, num, 6);
		cr_assert(body_stat(bed.table, BODY_STAT_bytes) <= MEMORY);
		if (bed.reply.code != COAP_CONTINUE)
			return false;
	}
	return true;
}

static bool is_there(struct ask ask, uint32_t next)
{
	bed_block(&bed, ask, BYTES, BODY_MOST, next, 6);
	return bed.reply.code == COAP_CONTINUE;
}

Test(body_memory, a_devices_oldest_body_gives_way_to_its_fifth)
{
	const char *const tags[] = {"a", "b", "c", "d", "e"};

	cr_assert(begin(of(2, "other"), 1));
	for (unsigned i = 0; i < 4; i++)
		cr_assert(begin(of(1, tags[i]), 1));
	cr_assert(is_there(of(1, "a"), 1)); // used, and still the oldest
	cr_assert(begin(of(1, "e"), 1));
	cr_assert(not(is_there(of(1, "a"), 2)));
	for (unsigned i = 1; i < 5; i++)
		cr_assert(is_there(of(1, tags[i]), 1));
	cr_assert(is_there(of(2, "other"), 1));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_evicted_own), 1));
}

Test(body_memory, a_device_all_of_whose_bodies_are_asked_for_waits)
{
	struct body *asking[4];
	char tag[2] = "a";

	for (unsigned i = 0; i < 4; i++, tag[0]++) {
		cr_assert(eq(int, bed_upload(&bed, of(1, tag), BYTES, 40, 0), BODY_ASK));
		asking[i] = bed.body;
	}
	cr_assert(not(begin(of(1, tag), 1)));
	cr_assert(eq(u8, bed.reply.code, COAP_SERVICE_UNAVAILABLE));
	cr_assert(begin(of(2, tag), 1));
	for (unsigned i = 0; i < 4; i++)
		bed_answered(&bed, asking[i], COAP_CHANGED, NULL, 0);
	cr_assert(begin(of(1, tag), 1));
}

Test(body_memory, charged_is_what_is_there_and_not_what_is_promised)
{
	struct ask ask = of(1, "a");

	ask.size1 = 65536;
	bed_block(&bed, ask, BYTES, BODY_MOST, 0, 6);
	cr_assert(eq(u8, bed.reply.code, COAP_CONTINUE));
	cr_assert(body_stat(bed.table, BODY_STAT_bytes) < 4096);
}

Test(body_memory, a_device_holds_at_most_half)
{
	cr_assert(begin(of(1, "a"), 40));
	cr_assert(not(begin(of(1, "b"), 100)));
	cr_assert(eq(u8, bed.reply.code, COAP_SERVICE_UNAVAILABLE));
	cr_assert(is_there(of(1, "a"), 40));
}

// Waiting would not help.
Test(body_memory, a_body_that_never_fits_is_too_large)
{
	struct ask ask = of(1, "a");

	cr_assert(begin(ask, 64));
	cr_assert(not(begin(ask, 200)));
	cr_assert(eq(u8, bed.reply.code, COAP_REQUEST_ENTITY_TOO_LARGE));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
	uint32_t most = bed.reply.size1;

	ask.size1 = most;
	cr_assert(begin(ask, most / 1024));
	ask.size1 = most + 1;
	bed_block(&bed, ask, BYTES, BODY_MOST, 0, 6);
	cr_assert(eq(u8, bed.reply.code, COAP_REQUEST_ENTITY_TOO_LARGE));
}

// Devices 1 to count begin a body of so many blocks each.
static void fill(uint32_t count, uint32_t blocks)
{
	for (uint32_t i = 1; i <= count; i++)
		cr_assert(begin(of(i, NULL), blocks));
}

Test(body_memory, delivered_bodies_give_way_first)
{
	struct ask get = {.context = 100, .generation = 1, .code = COAP_GET, .path = "x"};

	fill(5, 32);
	cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
	bed_serve(&bed, bed_keep(&bed, COAP_CONTENT, BYTES, 60000));
	get.block2 = true;
	get.num2 = 58;
	get.szx2 = 6;
	cr_assert(eq(int, bed_ask(&bed, &get), BODY_SERVE));
	bed_serve(&bed, bed.body);
	cr_assert(begin(of(200, NULL), 60));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_evicted_delivered), 1));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_evicted_largest), 0));
	for (uint32_t i = 1; i <= 5; i++)
		cr_assert(is_there(of(i, NULL), 31));
}

Test(body_memory, idle_bodies_give_way_next_the_longest_unused_first)
{
	fill(3, 64);
	bed.now_ms += KEEP_MS / 2;
	cr_assert(is_there(of(1, NULL), 63)); // used again
	bed.now_ms += KEEP_MS / 2;
	cr_assert(begin(of(200, NULL), 60));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_evicted_idle), 1));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_evicted_largest), 0));
	cr_assert(is_there(of(1, NULL), 63));
	cr_assert(not(is_there(of(2, NULL), 63)));
	cr_assert(is_there(of(3, NULL), 63));
}

Test(body_memory, then_the_oldest_of_who_holds_most)
{
	fill(24, 4);
	cr_assert(begin(of(100, "a"), 32));
	cr_assert(begin(of(100, "b"), 32));
	cr_assert(begin(of(100, "c"), 32));
	for (uint32_t i = 200; body_stat(bed.table, BODY_STAT_evicted_largest) == 0; i++)
		cr_assert(begin(of(i, NULL), 4));
	cr_assert(not(is_there(of(100, "a"), 32)));
	for (uint32_t i = 1; i <= 24; i++)
		cr_assert(is_there(of(i, NULL), 3));
}

// Else those who begin would only push each other out, and nobody's body would be completed.
Test(body_memory, a_body_of_one_block_takes_no_place_of_its_like)
{
	uint32_t i = 1;

	while (i < MEMORY / 1024 && begin(of(i, NULL), 1))
		i++;
	cr_assert(eq(u8, bed.reply.code, COAP_SERVICE_UNAVAILABLE));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_evicted_largest), 0));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), i - 1));
}

Test(body_memory, who_would_hold_most_gets_no_more)
{
	fill(47, 4);
	cr_assert(not(begin(of(5000, NULL), 64)));
	cr_assert(eq(u8, bed.reply.code, COAP_SERVICE_UNAVAILABLE));
	for (uint32_t i = 1; i <= 47; i++)
		cr_assert(is_there(of(i, NULL), 3));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 47));
}

Test(body_memory, answers_that_are_still_arriving_are_charged)
{
	struct body_claim claim = {0}, other = {0};

	cr_assert(body_claim(bed.table, &claim, 1, 1, 100000));
	cr_assert(body_claim(bed.table, &claim, 1, 1, 50000)); // no less
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 100000));
	cr_assert(not(body_claim(bed.table, &claim, 1, 1, MEMORY / 2 + 1)));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 100000));
	cr_assert(body_claim(bed.table, &other, 2, 1, 120000));
	struct body_claim third = {0};
	cr_assert(not(body_claim(bed.table, &third, 3, 1, 100000)));
	cr_assert(eq(sz, third.bytes, 0));
	body_unclaim(bed.table, &claim);
	body_unclaim(bed.table, &claim);
	cr_assert(body_claim(bed.table, &third, 3, 1, 100000));
	body_unclaim(bed.table, &third);
	body_unclaim(bed.table, &other);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
}

Test(body_memory, an_answer_for_which_there_is_no_memory_leaves_its_code)
{
	static uint8_t large[MEMORY];
	const struct body_answer answer = {
		.code = COAP_CHANGED, .payload = large, .payload_len = sizeof(large)};

	cr_assert(eq(int, bed_upload(&bed, of(1, "a"), BYTES, 40, 0), BODY_ASK));
	struct body *body = bed.body;
	cr_assert(not(body_answered(bed.table, body, &answer, bed.now_ms)));
	bed_serve(&bed, body);
	cr_assert(eq(u8, bed.code, COAP_CHANGED));
	cr_assert(eq(u16, bed.answer.payload_len, 0));
	cr_assert(eq(int, bed_block(&bed, of(1, "a"), BYTES, 40, 2, 0), BODY_SERVE));
}

Test(body_memory, a_device_that_is_gone_takes_its_bodies_along)
{
	fill(2, 4);
	cr_assert(eq(int, bed_upload(&bed, of(1, "a"), BYTES, 40, 0), BODY_ASK));
	struct body *asking = bed.body;

	body_device_gone(bed.table, 1, 1);
	cr_assert(not(is_there(of(1, NULL), 4)));
	cr_assert(is_there(of(2, NULL), 4));
	bed_block(&bed, of(1, "a"), BYTES, 40, 2, 0);
	cr_assert(eq(u8, bed.reply.code, COAP_REQUEST_ENTITY_INCOMPLETE));
	bed_answered(&bed, asking, COAP_CHANGED, NULL, 0);
	bed_serve(&bed, asking);
	body_device_gone(bed.table, 1, 1);
	body_device_gone(bed.table, 2, 1);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
}

Test(body_memory, a_device_that_is_gone_leaves_the_bodies_of_its_next_generation)
{
	struct ask newer = of(1, "a");

	newer.generation = 3;
	cr_assert(begin(newer, 2));
	body_device_gone(bed.table, 1, 1);
	bed_block(&bed, newer, BYTES, BODY_MOST, 2, 6);
	cr_assert(eq(u8, bed.reply.code, COAP_CONTINUE));
	body_device_gone(bed.table, 1, 3);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_lost), 1));
}

// A body of a route that is dead, or of a device that is.
static bool is_dead(void *arg, const struct body *body)
{
	uint32_t context, generation;

	body_device(body, &context, &generation);
	return body->route == *(const uint64_t *)arg || context == 9;
}

static unsigned walk(uint64_t dead)
{
	unsigned calls = 1;
	size_t at = 0;

	while (!body_walk(bed.table, &at, 8, is_dead, &dead))
		calls++;
	return calls;
}

// bodies.md section 1: a body dies when a reload takes its route.
Test(body_memory, a_route_that_is_gone_takes_its_bodies_along)
{
	struct ask one = of(1, "a"), two = of(1, "b");

	one.route = 1;
	two.route = 2;
	cr_assert(begin(one, 2));
	cr_assert(begin(two, 2));
	cr_assert(begin(of(9, "c"), 2));
	struct ask moved = one; // the same request by another route

	moved.route = 3;
	cr_assert(not(is_there(moved, 2)));
	cr_assert(eq(u8, bed.reply.code, COAP_REQUEST_ENTITY_INCOMPLETE));
	cr_assert(is_there(one, 2));

	uint64_t opened = body_stat(bed.table, BODY_STAT_bodies);
	cr_assert(eq(u64, opened, 3));
	cr_assert(ge(uint, walk(1), 8), "no more than so many places in a call");
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 1));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_lost), 2));
	cr_assert(is_there(two, 2));
	cr_assert(not(is_there(one, 3)));
}

static const void *wiped;
static size_t wiped_len;

// In front of libsodium's.
void sodium_memzero(void *const bytes, const size_t len)
{
	memset(bytes, 0, len);
	__asm__ volatile("" : : "r"(bytes) : "memory");
	wiped = bytes;
	wiped_len = len;
}

Test(body_memory, bytes_are_wiped_when_they_move_and_when_they_go)
{
	struct body_bytes bytes = {0};
	const uint8_t *before;

	cr_assert(body_bytes_grow(&bytes, 10));
	body_bytes_add(&bytes, "0123456789", 10);
	before = bytes.at;
	cr_assert(body_bytes_grow(&bytes, BODY_BYTES_LEAST + 1));
	cr_assert(eq(int, 0, memcmp(bytes.at, "0123456789", 10)));
	cr_assert(wiped == before && wiped_len == 10);
	before = bytes.at;
	// Pages go back to the kernel, which clears them.
	cr_assert(body_bytes_grow(&bytes, BODY_BYTES_MAPPED * 3));
	cr_assert(wiped == before && wiped_len == 10);
	cr_assert(eq(int, 0, memcmp(bytes.at, "0123456789", 10)));
	cr_assert(bytes.room >= BODY_BYTES_MAPPED * 3 && bytes.room < BODY_BYTES_MAPPED * 4);
	cr_assert(body_bytes_grow(&bytes, 1));
	body_bytes_free(&bytes);
	cr_assert(eq(ptr, bytes.at, NULL));
	cr_assert(body_bytes_grow(&bytes, 10));
	body_bytes_add(&bytes, "0123456789", 10);
	before = bytes.at;
	body_bytes_free(&bytes);
	cr_assert(wiped == before && wiped_len == 10);
}
