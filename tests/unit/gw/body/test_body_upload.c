// SPDX-License-Identifier: BSD-3-Clause
// Bodies that devices send: RFC 7959 sections 2.2 to 2.5 and 2.9, RFC 9175 section 3.3.

#include "tests/unit/gw/body/bed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct bed bed;
static const struct ask put = {.context = 7, .generation = 1, .code = COAP_PUT, .path = "big"};

static void setup(void)
{
	bed_init(&bed, 4 << 20, 4);
}

static void teardown(void)
{
	bed_fini(&bed);
}

TestSuite(body_upload, .init = setup, .fini = teardown);

#define BYTES bytes_of_body

static void expect_continue(enum body_action action, uint32_t num, uint8_t szx)
{
	cr_assert(eq(int, action, BODY_REFUSE));
	cr_assert(eq(u8, bed.reply.code, COAP_CONTINUE));
	cr_assert(bed.reply.has_block1 && bed.reply.block1.more);
	cr_assert(eq(u32, bed.reply.block1.num, num));
	cr_assert(eq(u8, bed.reply.block1.szx, szx));
	cr_assert(not(bed.reply.has_size1 || bed.reply.diagnostic || bed.reply.has_max_age));
}

static void expect_refused(enum body_action action, uint8_t code)
{
	cr_assert(eq(int, action, BODY_REFUSE));
	cr_assert(eq(u8, bed.reply.code, code));
}

static void end(struct body *body)
{
	bed_answered(&bed, body, COAP_CHANGED, NULL, 0);
}

Test(body_upload, blocks_of_every_size_make_the_body)
{
	for (uint8_t szx = 0; szx <= COAP_SZX_MAX; szx++) {
		size_t size = coap_block_size(szx);
		const size_t lens[] = {
			size + 1, 2 * size - 1, 2 * size, 2 * size + 1, 20 * size + 7};

		for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			size_t blocks = (lens[i] + size - 1) / size;

			for (uint32_t num = 0; num < blocks - 1; num++)
				expect_continue(
					bed_block(&bed, put, BYTES, lens[i], num, szx), num, szx);
			cr_assert(eq(int, bed_block(&bed, put, BYTES, lens[i], blocks - 1, szx),
				BODY_ASK));
			cr_assert(eq(sz, bed.body->bytes.len, lens[i]));
			cr_assert(not(memcmp(bed.body->bytes.at, BYTES, lens[i])));
			end(bed.body);
		}
	}
}

Test(body_upload, a_reserved_size_is_4_00)
{
	struct ask ask = put;

	ask.block1 = ask.m1 = true;
	ask.szx1 = COAP_SZX_RESERVED;
	cr_assert(not(bed_read(&bed, &ask)));
	ask = put;
	ask.block2 = true;
	ask.szx2 = COAP_SZX_RESERVED;
	cr_assert(not(bed_read(&bed, &ask)));
}

Test(body_upload, block1_of_a_method_without_payload_is_4_00)
{
	for (uint8_t code = COAP_GET; code <= COAP_IPATCH; code++) {
		struct ask ask = put;

		ask.code = code;
		ask.block1 = true;
		cr_assert(eq(int, bed_read(&bed, &ask), code != COAP_GET && code != COAP_DELETE));
	}
}

Test(body_upload, a_block_and_a_later_block_in_one_are_4_00)
{
	struct ask ask = put;

	ask.block1 = ask.block2 = true;
	cr_assert(bed_read(&bed, &ask));
	ask.num2 = 1;
	cr_assert(not(bed_read(&bed, &ask)));
}

Test(body_upload, num_0_without_more_is_always_a_new_operation)
{
	struct ask ask = put;

	ask.block1 = true;
	ask.payload = BYTES;
	ask.len = 9;
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	// It ends one that is open,
	expect_continue(bed_block(&bed, put, BYTES, 40, 0, 0), 0, 0);
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	expect_refused(bed_block(&bed, put, BYTES, 40, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	// and the last block of one that was complete is not answered again.
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 40, 0), BODY_ASK));
	struct body *before = bed.body;
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	expect_refused(bed_block(&bed, put, BYTES, 40, 2, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	end(before);
	expect_refused(bed_block(&bed, put, BYTES, 40, 2, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
}

Test(body_upload, the_first_block_opens_again_from_the_start)
{
	for (uint32_t num = 0; num < 3; num++)
		expect_continue(bed_block(&bed, put, BYTES, 100, num, 0), num, 0);
	expect_continue(bed_block(&bed, put, BYTES + 512, 40, 0, 0), 0, 0);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 1));
	expect_refused(bed_block(&bed, put, BYTES, 100, 3, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_assert(eq(int, bed_upload(&bed, put, BYTES + 512, 40, 0), BODY_ASK));
	cr_assert(not(memcmp(bed.body->bytes.at, BYTES + 512, 40)));
	end(bed.body);
}

Test(body_upload, the_size_is_at_most_ours_and_the_offset_counts)
{
	bed.limits.payload_max = 64;
	// The device sends 256 bytes, is told 64, and goes on at block 4 of 64.
	expect_continue(bed_block(&bed, put, BYTES, 400, 0, 4), 0, 2);
	expect_continue(bed_block(&bed, put, BYTES, 400, 4, 2), 4, 2);
	expect_continue(bed_block(&bed, put, BYTES, 400, 5, 2), 5, 2);
	cr_assert(eq(int, bed_block(&bed, put, BYTES, 400, 6, 2), BODY_ASK));
	cr_assert(eq(sz, bed.body->bytes.len, 400));
	cr_assert(not(memcmp(bed.body->bytes.at, BYTES, 400)));
	end(bed.body);
}

Test(body_upload, a_gap_is_4_08_and_the_body_is_gone)
{
	expect_refused(bed_block(&bed, put, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
	expect_refused(bed_block(&bed, put, BYTES, 100, 2, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_refused(bed_block(&bed, put, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
	expect_refused(bed_block(&bed, put, BYTES, 100, 6, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 0));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
}

Test(body_upload, another_content_format_is_4_08)
{
	struct ask cbor = put, other = put;

	cbor.format = 61;
	other.format = 51;
	expect_continue(bed_block(&bed, cbor, BYTES, 100, 0, 0), 0, 0);
	expect_refused(bed_block(&bed, other, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_refused(bed_block(&bed, cbor, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_continue(bed_block(&bed, cbor, BYTES, 100, 0, 0), 0, 0);
	expect_refused(bed_block(&bed, put, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
}

Test(body_upload, a_block_has_its_size)
{
	struct ask ask = put;

	ask.block1 = ask.m1 = true;
	ask.szx1 = 1;
	ask.payload = BYTES;
	ask.len = 31;
	expect_refused(bed_ask(&bed, &ask), COAP_BAD_REQUEST);
	ask.len = 33;
	expect_refused(bed_ask(&bed, &ask), COAP_BAD_REQUEST);
	for (unsigned i = 0; i < 3; i++) {
		const struct {
			bool more;
			size_t len;
		} wrong[] = {{true, 31}, {true, 33}, {false, 33}};

		expect_continue(bed_block(&bed, put, BYTES, 100, 0, 1), 0, 1);
		ask.num1 = 1;
		ask.m1 = wrong[i].more;
		ask.len = wrong[i].len;
		ask.payload = BYTES + 32;
		expect_refused(bed_ask(&bed, &ask), COAP_REQUEST_ENTITY_INCOMPLETE);
		expect_refused(
			bed_block(&bed, put, BYTES, 100, 1, 1), COAP_REQUEST_ENTITY_INCOMPLETE);
	}
}

Test(body_upload, a_block_that_is_there_with_equal_bytes_is_2_31_again)
{
	for (uint32_t num = 0; num < 4; num++)
		expect_continue(bed_block(&bed, put, BYTES, 100, num, 0), num, 0);
	expect_continue(bed_block(&bed, put, BYTES, 100, 3, 0), 3, 0);
	expect_continue(bed_block(&bed, put, BYTES, 100, 1, 0), 1, 0);
	// In another size, too: the offset and the bytes count.
	expect_continue(bed_block(&bed, put, BYTES, 100, 1, 1), 1, 1);
	for (uint32_t num = 4; num < 6; num++)
		expect_continue(bed_block(&bed, put, BYTES, 100, num, 0), num, 0);
	cr_assert(eq(int, bed_block(&bed, put, BYTES, 100, 6, 0), BODY_ASK));
	cr_assert(eq(sz, bed.body->bytes.len, 100));
	cr_assert(not(memcmp(bed.body->bytes.at, BYTES, 100)));
	end(bed.body);
}

Test(body_upload, a_block_that_is_there_with_other_bytes_is_4_08)
{
	for (uint32_t num = 0; num < 3; num++)
		expect_continue(bed_block(&bed, put, BYTES, 100, num, 0), num, 0);
	expect_refused(
		bed_block(&bed, put, BYTES + 1024, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_refused(bed_block(&bed, put, BYTES, 100, 3, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	// A last block in the middle of what is there is none of this body.
	for (uint32_t num = 0; num < 3; num++)
		expect_continue(bed_block(&bed, put, BYTES, 100, num, 0), num, 0);
	expect_refused(bed_block(&bed, put, BYTES, 32, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
}

Test(body_upload, size1_beyond_max_body_is_4_13_at_the_first_block)
{
	struct ask ask = put;

	ask.size1 = MAX_BODY;
	expect_continue(bed_block(&bed, ask, BYTES, 100, 0, 0), 0, 0);
	ask.size1 = MAX_BODY + 1;
	expect_refused(bed_block(&bed, ask, BYTES, 100, 0, 0), COAP_REQUEST_ENTITY_TOO_LARGE);
	cr_assert(bed.reply.has_size1);
	cr_assert(eq(u32, bed.reply.size1, MAX_BODY));
	// The body of before is over, since this was its first block again.
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 0));
}

Test(body_upload, beyond_max_body_is_4_13)
{
	bed.limits.max_body = 100;
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 100, 0), BODY_ASK));
	end(bed.body);
	for (uint32_t num = 0; num < 6; num++)
		expect_continue(bed_block(&bed, put, BYTES, 101, num, 0), num, 0);
	expect_refused(bed_block(&bed, put, BYTES, 101, 6, 0), COAP_REQUEST_ENTITY_TOO_LARGE);
	cr_assert(bed.reply.has_size1);
	cr_assert(eq(u32, bed.reply.size1, 100));
	expect_refused(bed_block(&bed, put, BYTES, 100, 6, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	// One block, and no Block1 at all, are no more.
	bed.limits.max_body = 15;
	expect_refused(bed_block(&bed, put, BYTES, 40, 0, 0), COAP_REQUEST_ENTITY_TOO_LARGE);
	expect_refused(bed_block(&bed, put, BYTES, 16, 0, 0), COAP_REQUEST_ENTITY_TOO_LARGE);
}

// A block of a body that is longer than BYTES.
static enum body_action far_block(uint64_t at, uint8_t szx)
{
	struct ask ask = put;

	ask.block1 = ask.m1 = true;
	ask.szx1 = szx;
	ask.num1 = (uint32_t)(at / coap_block_size(szx));
	ask.payload = BYTES;
	ask.len = coap_block_size(szx);
	return bed_ask(&bed, &ask);
}

Test(body_upload, beyond_the_last_number_is_4_13)
{
	const uint64_t most = 16 << 20;
	uint64_t at = 0;

	bed_fini(&bed);
	bed_init(&bed, 128 << 20, 4);
	bed.limits.max_body = 32 << 20;
	for (; at < most - 1024; at += 1024)
		expect_continue(far_block(at, 6), (uint32_t)(at / 1024), 6);
	for (; at < most - 16; at += 16)
		expect_continue(far_block(at, 0), (uint32_t)(at / 16), 0);
	expect_refused(far_block(at, 0), COAP_REQUEST_ENTITY_TOO_LARGE);
	cr_assert(bed.reply.has_size1);
	expect_refused(far_block(at, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
}

// 16 bytes in each of 2^20 blocks are all that there are numbers for.
Test(body_upload, size1_beyond_the_last_number_is_4_13_at_the_first_block)
{
	struct ask ask = put;

	bed_fini(&bed);
	bed_init(&bed, 64 << 20, 4);
	bed.limits.max_body = 64 << 20;
	ask.size1 = (16 << 20) + 1;
	cr_assert(eq(int, bed_block(&bed, ask, BYTES, 40, 0, 0), BODY_REFUSE));
	cr_assert(eq(u8, bed.reply.code, COAP_REQUEST_ENTITY_TOO_LARGE));
	ask.size1 = 16 << 20;
	cr_assert(eq(int, bed_block(&bed, ask, BYTES, 40, 0, 0), BODY_REFUSE));
	cr_assert(eq(u8, bed.reply.code, COAP_CONTINUE));
}

Test(body_upload, no_memory_is_5_03_with_max_age)
{
	struct bed small;
	struct body_claim claim = {0}; // of an answer of the same device

	bed_init(&small, 8192, 4);
	cr_assert(body_claim(small.table, &claim, put.context, put.generation, 2048));
	cr_assert(eq(int, bed_block(&small, put, BYTES, 4096, 0, 6), BODY_REFUSE));
	cr_assert(eq(u8, small.reply.code, COAP_CONTINUE));
	cr_assert(eq(int, bed_block(&small, put, BYTES, 4096, 1, 6), BODY_REFUSE));
	cr_assert(eq(u8, small.reply.code, COAP_SERVICE_UNAVAILABLE));
	cr_assert(small.reply.has_max_age && small.reply.max_age);
	body_unclaim(small.table, &claim);
	cr_assert(eq(u64, body_stat(small.table, BODY_STAT_bytes), 0));
	cr_assert(eq(u64, body_stat(small.table, BODY_STAT_no_memory), 1));
	bed_fini(&small);
}

Test(body_upload, the_last_block_again_joins_the_fetch_and_then_gets_its_answer)
{
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 100, 0), BODY_ASK));
	struct body *body = bed.body;
	int owners;

	body->fetch = &owners;
	for (unsigned i = 0; i < 2; i++) {
		cr_assert(eq(int, bed_block(&bed, put, BYTES, 100, 6, 0), BODY_JOIN));
		cr_assert(eq(ptr, bed.body, body));
		cr_assert(eq(ptr, bed.body->fetch, (void *)&owners));
	}
	bed_answered(&bed, body, COAP_CHANGED, (const uint8_t *)"done", 4);
	for (unsigned i = 0; i < 2; i++) {
		bed.now_ms += KEEP_MS - 1;
		cr_assert(body_table_turn(bed.table, bed.now_ms) > bed.now_ms);
		cr_assert(eq(int, bed_block(&bed, put, BYTES, 100, 6, 0), BODY_SERVE));
		cr_assert(eq(ptr, bed.body, body));
		bed_serve(&bed, body);
		cr_assert(eq(u8, bed.code, COAP_CHANGED));
		cr_assert(eq(u16, bed.answer.payload_len, 4));
		struct coap_block block1 = bed_block_of(&bed, COAP_OPT_BLOCK1);
		cr_assert(block1.num == 6 && !block1.more && block1.szx == 0);
		cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_BLOCK2), NONE));
		cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_ETAG), NONE));
	}
	bed.now_ms += KEEP_MS;
	body_table_turn(bed.table, bed.now_ms);
	expect_refused(bed_block(&bed, put, BYTES, 100, 6, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_completed), 1));
}

Test(body_upload, another_last_block_is_4_08_and_harms_nothing)
{
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 100, 0), BODY_ASK));
	struct body *body = bed.body;

	expect_refused(
		bed_block(&bed, put, BYTES + 512, 100, 6, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_refused(bed_block(&bed, put, BYTES, 99, 6, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_refused(bed_block(&bed, put, BYTES, 100, 5, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_assert(eq(int, bed_block(&bed, put, BYTES, 100, 6, 0), BODY_JOIN));
	end(body);
	cr_assert(eq(int, bed_block(&bed, put, BYTES, 100, 6, 0), BODY_SERVE));
}

Test(body_upload, a_body_opened_since_ends_the_answer_to_the_last_block)
{
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 100, 0), BODY_ASK));
	struct body *before = bed.body;

	expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
	expect_refused(bed_block(&bed, put, BYTES, 100, 6, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	// The second is another operation, though its bytes are the same.
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 100, 0), BODY_ASK));
	cr_assert(ne(ptr, bed.body, before));
	struct body *second = bed.body;
	end(before);
	cr_assert(eq(int, bed_block(&bed, put, BYTES, 100, 6, 0), BODY_JOIN));
	cr_assert(eq(ptr, bed.body, second));
	end(second);
}

Test(body_upload, every_option_tells_bodies_apart_but_those_of_blocks)
{
	struct ask same[8], other[8];

	for (unsigned i = 0; i < 8; i++)
		same[i] = other[i] = put;
	same[0].size1 = 100;
	same[1].etag = "e";
	same[2].observe = true;
	same[3].no_response = true;
	same[4].hop_limit = true;
	same[5].echo = "echo";
	same[6].if_none_match = true;
	same[7].block2 = true;
	for (unsigned i = 0; i < 8; i++) {
		expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
		expect_continue(bed_block(&bed, same[i], BYTES, 100, 1, 0), 1, 0);
	}
	other[0].tag = "";
	other[1].tag = "t";
	other[2].query = "q";
	other[3].path = "bigger";
	other[4].accept = true;
	other[5].code = COAP_POST;
	other[6].context = 8;
	other[7].path = NULL;
	other[7].query = "big";
	for (unsigned i = 0; i < 8; i++) {
		expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
		expect_refused(bed_block(&bed, other[i], BYTES, 100, 1, 0),
			COAP_REQUEST_ENTITY_INCOMPLETE);
		expect_continue(bed_block(&bed, put, BYTES, 100, 1, 0), 1, 0);
	}
}

Test(body_upload, two_bodies_of_different_request_tags_do_not_mix)
{
	struct ask a = put, b = put;

	a.tag = "a";
	b.tag = "b";
	for (uint32_t num = 0; num < 6; num++) {
		expect_continue(bed_block(&bed, a, BYTES, 100, num, 0), num, 0);
		expect_continue(bed_block(&bed, b, BYTES + 4096, 100, num, 0), num, 0);
	}
	cr_assert(eq(int, bed_block(&bed, a, BYTES, 100, 6, 0), BODY_ASK));
	cr_assert(not(memcmp(bed.body->bytes.at, BYTES, 100)));
	end(bed.body);
	cr_assert(eq(int, bed_block(&bed, b, BYTES + 4096, 100, 6, 0), BODY_ASK));
	cr_assert(not(memcmp(bed.body->bytes.at, BYTES + 4096, 100)));
	end(bed.body);
}

Test(body_upload, another_generation_is_4_08)
{
	struct ask next = put, late = put;

	next.generation = 2;
	expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
	expect_refused(bed_block(&bed, next, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
	expect_continue(bed_block(&bed, next, BYTES, 100, 0, 0), 0, 0);
	// What is still under way of the generation before changes nothing.
	expect_refused(bed_block(&bed, late, BYTES, 100, 1, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	expect_refused(bed_block(&bed, late, BYTES, 100, 0, 0), COAP_SERVICE_UNAVAILABLE);
	expect_continue(bed_block(&bed, next, BYTES, 100, 1, 0), 1, 0);
}

Test(body_upload, if_none_match_of_the_first_block_holds_for_the_body)
{
	struct ask first = put;

	first.if_none_match = true;
	expect_continue(bed_block(&bed, first, BYTES, 40, 0, 0), 0, 0);
	expect_continue(bed_block(&bed, put, BYTES, 40, 1, 0), 1, 0);
	cr_assert(eq(int, bed_block(&bed, put, BYTES, 40, 2, 0), BODY_ASK));
	cr_assert(bed.body->if_none_match);
	end(bed.body);
	cr_assert(eq(int, bed_upload(&bed, put, BYTES, 40, 0), BODY_ASK));
	cr_assert(not(bed.body->if_none_match));
	end(bed.body);
}

Test(body_upload, a_body_that_nobody_goes_on_with_is_gone_after_idle)
{
	expect_continue(bed_block(&bed, put, BYTES, 100, 0, 0), 0, 0);
	bed.now_ms += IDLE_MS - 1;
	cr_assert(eq(u64, body_table_turn(bed.table, bed.now_ms), bed.now_ms + 1));
	expect_continue(bed_block(&bed, put, BYTES, 100, 1, 0), 1, 0);
	bed.now_ms += IDLE_MS;
	cr_assert(eq(u64, body_table_turn(bed.table, bed.now_ms), UINT64_MAX));
	expect_refused(bed_block(&bed, put, BYTES, 100, 2, 0), COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_expired), 1));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
}

// The last block comes just when the body's time is over: it is whole or gone, whoever is first.
Test(body_upload, bodies_5_a_body_that_times_out_at_its_last_block)
{
	for (unsigned turn_first = 0; turn_first < 2; turn_first++) {
		expect_continue(bed_block(&bed, put, BYTES, 40, 0, 0), 0, 0);
		expect_continue(bed_block(&bed, put, BYTES, 40, 1, 0), 1, 0);
		bed.now_ms += IDLE_MS - 1;
		cr_assert(eq(u64, body_table_turn(bed.table, bed.now_ms), bed.now_ms + 1));
		bed.now_ms++;
		if (turn_first) {
			(void)body_table_turn(bed.table, bed.now_ms);
			expect_refused(bed_block(&bed, put, BYTES, 40, 2, 0),
				COAP_REQUEST_ENTITY_INCOMPLETE);
			cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
			continue;
		}
		cr_assert(eq(int, bed_block(&bed, put, BYTES, 40, 2, 0), BODY_ASK));
		cr_assert(eq(sz, bed.body->bytes.len, 40));
		// Nobody takes its bytes while it is asked for.
		(void)body_table_turn(bed.table, bed.now_ms + 10 * IDLE_MS);
		cr_assert(eq(sz, bed.body->bytes.len, 40));
		end(bed.body);
		bed.now_ms += 20 * IDLE_MS;
		(void)body_table_turn(bed.table, bed.now_ms);
	}
}

Test(body_upload, fetch_is_one_fetch_whose_answer_is_found_without_its_payload)
{
	struct ask fetch = put;

	fetch.code = COAP_FETCH;
	cr_assert(eq(int, bed_upload(&bed, fetch, BYTES, 100, 0), BODY_ASK));
	bed_answered(&bed, bed.body, COAP_CONTENT, BYTES, 3000);
	struct body *body = bed.body;
	bed_serve(&bed, body);
	cr_assert(eq(u16, bed.answer.payload_len, 1024));
	fetch.block2 = true;
	fetch.num2 = 1;
	fetch.szx2 = 6;
	cr_assert(eq(int, bed_ask(&bed, &fetch), BODY_SERVE));
	cr_assert(eq(ptr, bed.body, body));
}
