// SPDX-License-Identifier: BSD-3-Clause
// Messages of EDHOC that come in blocks, as a thread of handshakes takes them.

#include "dataplane/coap/block.h"
#include "tests/unit/gw/handshake/side_bed.h"

#include <criterion/criterion.h>

TestSuite(edhoc_parts, .init = side_begin, .fini = side_end);

#define BLOCK_SZX  0
#define BLOCK_SIZE 16U

// Sends block `num` of a payload, with this Echo.
static void send_block(const uint8_t *payload, size_t len, uint32_t num, const uint8_t *echo)
{
	const size_t at = num * BLOCK_SIZE, left = len - at;
	const struct coap_block block = {.num = num, .szx = BLOCK_SZX, .more = left > BLOCK_SIZE};
	struct coap_writer writer;

	head_write(&writer, COAP_CON);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, 65);
	coap_write_option_uint(&writer, COAP_OPT_BLOCK1, coap_block_value(&block));
	if (echo)
		coap_write_option(&writer, COAP_OPT_ECHO, echo, REACH_LEN);
	coap_write_payload(&writer, payload + at, block.more ? BLOCK_SIZE : left);
	request.len = coap_writer_len(&writer);
	again(DP_SLOW_EDHOC);
}

// The last answer is a challenge.
static void take_echo(uint8_t value[REACH_LEN])
{
	struct coap_option echo;

	cr_assert(answered());
	cr_assert_eq(said.code, COAP_UNAUTHORIZED);
	cr_expect_leq(answer.len, 3 * request.len);
	cr_assert(coap_option_find(&said.body, COAP_OPT_ECHO, &echo));
	cr_assert_eq(echo.len, REACH_LEN);
	memcpy(value, echo.value, REACH_LEN);
}

static void expect_block(uint8_t code, uint32_t num, bool more)
{
	struct coap_option option;
	struct coap_block block;

	cr_assert(answered());
	cr_expect_eq(said.code, code);
	cr_assert(coap_option_find(&said.body, COAP_OPT_BLOCK1, &option));
	cr_assert(coap_block_read(&block, &option));
	cr_expect(block.num == num && block.more == more && block.szx == BLOCK_SZX);
}

Test(edhoc_parts, a_message_3_in_blocks_is_one_message_3)
{
	uint8_t echo[REACH_LEN], payload[ROOM];

	// Blocks ask for an Echo all the same.
	side.echo = EDHOC_ECHO_NEVER;
	handshake_free(h);
	h = handshake_make(&conf);
	run_to_3();
	const struct edhoc_connection *c_r = &run.initiator_done.c_r;
	const size_t len = 1U + c_r->len + run.message[3].len;
	const uint32_t last = (uint32_t)((len - 1) / BLOCK_SIZE);

	payload[0] = (uint8_t)(0x40 | c_r->len);
	memcpy(payload + 1, c_r->bytes, c_r->len);
	memcpy(payload + 1 + c_r->len, run.message[3].data, run.message[3].len);
	cr_assert_geq(last, 1);
	send_block(payload, len, 0, NULL);
	take_echo(echo);
	for (uint32_t i = 0; i < last; i++) {
		send_block(payload, len, i, echo);
		expect_block(COAP_CONTINUE, i, true);
	}
	send_block(payload, len, last, NULL);
	take_echo(echo);
	expect_nothing_for_main();
	send_block(payload, len, last, echo);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	settle(b, true);
	expect_block(COAP_CHANGED, last, false);
	again(DP_SLOW_EDHOC);
	expect_block(COAP_CHANGED, last, false);
	expect_nothing_for_main();
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_agreed), 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_copies), 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_blocks), last);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_echo), 2);
}

Test(edhoc_parts, a_message_that_does_not_come_to_its_end_is_counted)
{
	static const uint8_t payload[100] = {0xf5};
	uint8_t echo[REACH_LEN];

	send_block(payload, sizeof(payload), 0, NULL);
	take_echo(echo);
	send_block(payload, sizeof(payload), 0, echo);
	expect_block(COAP_CONTINUE, 0, true);
	send_block(payload, sizeof(payload), 2, echo);
	expect_block(COAP_REQUEST_ENTITY_INCOMPLETE, 2, true);
	now_ms += 100000;
	handshake_turn(h, now_ms);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_blocks_timed_out), 1);
	send_block(payload, sizeof(payload), 1, echo);
	expect_block(COAP_REQUEST_ENTITY_INCOMPLETE, 1, true);
	// The Echo is good for 120 s.
	now_ms += 20000;
	send_block(payload, sizeof(payload), 0, echo);
	take_echo(echo);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_blocks_incomplete), 2);
}

// --- message_2 in blocks

#define ASK_SZX 1

// Sends message_1 of run, or without it a request for a block of what was answered.
static void ask(bool with_1, uint32_t num, uint8_t szx, const uint8_t *echo)
{
	const struct coap_block block = {.num = num, .szx = szx};
	uint8_t payload[ROOM] = {0xf5};
	struct coap_writer writer;

	memcpy(payload + 1, run.message[1].data, run.message[1].len);
	head_write(&writer, COAP_CON);
	coap_write_option(&writer, COAP_OPT_URI_PATH, ".well-known", 11);
	coap_write_option(&writer, COAP_OPT_URI_PATH, "edhoc", 5);
	coap_write_option_uint(&writer, COAP_OPT_CONTENT_FORMAT, 65);
	coap_write_option_uint(&writer, COAP_OPT_BLOCK2, coap_block_value(&block));
	if (echo)
		coap_write_option(&writer, COAP_OPT_ECHO, echo, REACH_LEN);
	if (with_1)
		coap_write_payload(&writer, payload, 1 + run.message[1].len);
	request.len = coap_writer_len(&writer);
	again(DP_SLOW_EDHOC);
}

static void expect_code(uint8_t code)
{
	cr_assert(answered());
	cr_expect_eq(said.code, code);
}

// Takes a block of message_2 behind those that there are. Whether more are to come.
static bool take_block(uint32_t num)
{
	struct coap_option option;
	struct coap_block block;

	expect_code(COAP_CHANGED);
	cr_assert(coap_option_find(&said.body, COAP_OPT_BLOCK2, &option));
	cr_assert(coap_block_read(&block, &option));
	cr_expect(block.num == num && block.szx == ASK_SZX);
	cr_expect(block.more ? said.body.payload_len == 32 : said.body.payload_len <= 32);
	cr_expect_eq(coap_option_find(&said.body, COAP_OPT_SIZE2, &option), !num);
	memcpy(run.message[2].data + 32 * num, said.body.payload, said.body.payload_len);
	run.message[2].len = 32 * num + said.body.payload_len;
	return block.more;
}

// Up to the first block of message_2; its endpoint has shown itself.
static void ask_first(uint8_t echo[REACH_LEN])
{
	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	ask(true, 0, ASK_SZX, NULL);
	take_echo(echo);
	ask(true, 0, ASK_SZX, echo);
	cr_assert(take_block(0));
}

Test(edhoc_parts, a_message_2_is_fetched_in_blocks)
{
	uint8_t echo[REACH_LEN], other[REACH_LEN];
	uint32_t num = 0;

	// Places are not for who is not there.
	side.echo = EDHOC_ECHO_NEVER;
	handshake_free(h);
	h = handshake_make(&conf);
	ask_first(echo);
	ask(true, 0, ASK_SZX, echo); // a copy
	cr_assert(take_block(0));
	do
		ask(false, ++num, ASK_SZX, echo);
	while (take_block(num));
	cr_expect_geq(num, 1);
	ask(false, num, ASK_SZX, NULL);
	take_echo(other);
	ask(false, num + 1, ASK_SZX, echo);
	expect_error(COAP_BAD_REQUEST, 1);
	ask(false, COAP_BLOCK_NUM_MAX, 6, echo);
	expect_error(COAP_BAD_REQUEST, 1);
	ask(false, 0, COAP_SZX_RESERVED, echo);
	expect_error(COAP_BAD_REQUEST, 1);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 1);
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
	send_3(&run.message[3]);
	struct handshake_born *b = born(HANDSHAKE_AGREED);

	expect_session(b->session);
	settle(b, true);
	expect_code(COAP_CHANGED);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_blocks_given), num + 2);
}

Test(edhoc_parts, another_endpoint_fetches_nothing)
{
	uint8_t echo[REACH_LEN];

	ask_first(echo);
	flow.remote_port++;
	ask(false, 1, ASK_SZX, echo);
	take_echo(echo);
	ask(false, 1, ASK_SZX, echo);
	expect_code(COAP_REQUEST_ENTITY_INCOMPLETE);
	ask(true, 1, ASK_SZX, echo); // with the same message_1, which is another one's here
	expect_code(COAP_REQUEST_ENTITY_INCOMPLETE);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_blocks_incomplete), 2);
	cr_expect_eq(side_stat(HANDSHAKE_STAT_edhoc_answered), 1);
}

Test(edhoc_parts, what_is_not_kept_any_more_is_not_fetched)
{
	uint8_t echo[REACH_LEN];

	ask_first(echo);
	now_ms += 100000;
	handshake_turn(h, now_ms);
	ask(false, 1, ASK_SZX, echo);
	expect_code(COAP_REQUEST_ENTITY_INCOMPLETE);
}

// A block that is all there is, and what only a message_1 may ask for.
Test(edhoc_parts, who_asks_for_blocks_that_are_larger_gets_all)
{
	struct coap_option option;
	struct coap_block block;

	cr_assert_eq(bed_message_1(&run, &engine, METHOD, SUITE), EDHOC_OK);
	ask(true, 0, 6, NULL);
	take_2();
	cr_assert(coap_option_find(&said.body, COAP_OPT_BLOCK2, &option));
	cr_assert(coap_block_read(&block, &option));
	cr_expect(!block.num && !block.more && block.szx == 6);
	cr_assert_eq(bed_message_3(&run, &engine, &initiator, &responder), EDHOC_OK);
}
