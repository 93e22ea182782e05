// SPDX-License-Identifier: BSD-3-Clause
// Bodies in blocks, both ways, against a server that the tests play: it assembles what comes and
// cuts what goes, and can be told to want smaller blocks, to forget, to change and to be wrong.

#include "gw/tools/coap/transfer.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 200000
#define NEVER     UINT_MAX

static struct {
	// What it is like.
	unsigned up_szx, down_szx; // the largest it takes and sends
	unsigned shrink_at;        // the request at which up_szx and down_szx become 1
	unsigned forget_at;        // the request that is answered 4.08
	unsigned etag_at;          // the request from which on the answer is another
	unsigned etag_every;       // changes it that often after that
	bool no_etag, size2;
	size_t answer_len;
	// What it has.
	uint8_t *got, *answer;
	size_t got_len;
	unsigned requests, executed, generation;
	unsigned told_szx; // by the answer to the block before
	uint8_t tag[8];
	unsigned tags; // that were not those of the start before
	uint8_t plain[2048];
	struct coap_body body;
	uint8_t code;
} s;

static struct option_list options;
static struct transfer t;
static struct error f;
static uint8_t payload[1 << 20];

static void start(void)
{
	memset(&s, 0, sizeof(s));
	s.up_szx = s.down_szx = 6;
	s.shrink_at = s.forget_at = s.etag_at = NEVER;
	s.got = malloc(sizeof(payload));
	s.answer = malloc(sizeof(payload));
	for (size_t i = 0; i < sizeof(payload); i++) {
		payload[i] = (uint8_t)(i * 7 + i / 256);
		s.answer[i] = (uint8_t)(i * 11 + i / 512);
	}
	t = (struct transfer){
		.method = COAP_POST, .options = &options, .szx = 6, .body_max = TRANSFER_BODY_MAX};
	cr_assert_eq(option_add(&options, COAP_OPT_URI_PATH, "a", 1, &f), 0);
}

static void stop(void)
{
	transfer_free(&t);
	option_list_free(&options);
	free(s.got);
	free(s.answer);
}

TestSuite(client_transfer, .init = start, .fini = stop);

static const struct coap_option *option_of(const struct option_list *list, uint16_t number)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->at[i].number == number)
			return &list->at[i];
	}
	return NULL;
}

static bool block_of(const struct option_list *list, uint16_t number, struct coap_block *block)
{
	const struct coap_option *option = option_of(list, number);

	return option && coap_block_read(block, option);
}

static void put(struct coap_writer *w, uint16_t number, bool there, const struct coap_block *block)
{
	if (there)
		coap_write_option_uint(w, number, coap_block_value(block));
}

// The answer is in s.code and s.body.
static void reply(uint8_t code, const struct coap_block *block2, const struct coap_block *block1,
	const uint8_t *bytes, size_t len)
{
	uint8_t etag = (uint8_t)s.generation;
	struct coap_writer w;

	coap_writer_init(&w, s.plain, sizeof(s.plain));
	if (block2 && !s.no_etag)
		coap_write_option(&w, COAP_OPT_ETAG, &etag, 1);
	put(&w, COAP_OPT_BLOCK2, block2, block2);
	put(&w, COAP_OPT_BLOCK1, block1, block1);
	if (s.size2 && block2)
		coap_write_option_uint(&w, COAP_OPT_SIZE2, (uint32_t)s.answer_len);
	coap_write_payload(&w, bytes, len);
	s.code = code;
	cr_assert_eq(coap_body_parse(&s.body, s.plain, (size_t)(w.at - w.start)), COAP_OK);
}

static void send_block(const struct option_list *list, const struct coap_block *block1)
{
	struct coap_block ask = {.szx = 6}, block;

	bool asked = block_of(list, COAP_OPT_BLOCK2, &ask);
	block.szx = ask.szx < s.down_szx ? ask.szx : (uint8_t)s.down_szx;
	uint64_t at = coap_block_offset(&ask), size = coap_block_size(block.szx);
	block.num = (uint32_t)(at / size);
	cr_assert(at <= s.answer_len);
	block.more = at + size < s.answer_len;
	reply(COAP_CHANGED, asked || block.more ? &block : NULL, block1, s.answer + at,
		block.more ? size : s.answer_len - at);
}

// RFC 7959 section 2.5, atomic.
static void serve(const struct transfer_part *part)
{
	struct coap_block block1, block2;
	bool up = block_of(&part->options, COAP_OPT_BLOCK1, &block1);
	const struct coap_option *tag = option_of(&part->options, COAP_OPT_REQUEST_TAG);

	s.requests++;
	if (s.requests == s.shrink_at)
		s.up_szx = s.down_szx = 1;
	if (s.requests >= s.etag_at &&
		(s.requests == s.etag_at || (s.etag_every && s.requests % s.etag_every == 0))) {
		s.generation++;
		s.answer[0] ^= 1;
	}
	if (s.requests == s.forget_at) {
		s.got_len = 0;
		reply(COAP_REQUEST_ENTITY_INCOMPLETE, NULL, NULL, NULL, 0);
		return;
	}
	if (block_of(&part->options, COAP_OPT_BLOCK2, &block2) && block2.num) {
		cr_expect_not(up);
		cr_expect_eq(part->payload_len, 0, "RFC 7959 section 3.3");
		send_block(&part->options, NULL);
		return;
	}
	if (!up) {
		s.got_len = part->payload_len;
		if (s.got_len)
			memcpy(s.got, part->payload, s.got_len);
		s.executed++;
		send_block(&part->options, NULL);
		return;
	}
	cr_assert(tag && tag->len == 8);
	if (!block1.num) {
		s.got_len = 0;
		s.tags += memcmp(s.tag, tag->value, 8) != 0;
		memcpy(s.tag, tag->value, 8);
		cr_expect(option_of(&part->options, COAP_OPT_SIZE1));
	} else {
		cr_expect_not(option_of(&part->options, COAP_OPT_SIZE1));
		cr_expect_leq(block1.szx, s.told_szx);
	}
	cr_expect_arr_eq(s.tag, tag->value, 8);
	cr_assert_eq(coap_block_offset(&block1), s.got_len);
	cr_assert(!block1.more || part->payload_len == coap_block_size(block1.szx));
	memcpy(s.got + s.got_len, part->payload, part->payload_len);
	s.got_len += part->payload_len;
	if (block1.szx > s.up_szx)
		block1.szx = (uint8_t)s.up_szx;
	s.told_szx = block1.szx;
	if (block1.more) {
		cr_expect_not(option_of(&part->options, COAP_OPT_BLOCK2));
		reply(COAP_CONTINUE, NULL, &block1, NULL, 0);
		return;
	}
	s.executed++;
	send_block(&part->options, &block1);
}

static void request(struct transfer_part *part)
{
	cr_assert_eq(transfer_request(&t, part, &f), 0);
}

static enum transfer_step run(void)
{
	enum transfer_step step = TRANSFER_NEXT;
	struct transfer_part part;

	cr_assert_eq(transfer_start(&t, &f), 0);
	for (unsigned i = 0; i < STEPS_MAX; i++) {
		request(&part);
		serve(&part);
		option_list_free(&part.options);
		step = transfer_take(&t, s.code, &s.body, &f);
		if (step != TRANSFER_NEXT && step != TRANSFER_AGAIN)
			break;
	}
	return step;
}

static void expect_all(size_t up, size_t down)
{
	cr_expect_eq(s.got_len, up);
	cr_expect(!memcmp(s.got, payload, up));
	cr_expect_eq(s.executed, 1);
	if (!t.whole) {
		cr_expect_eq(s.body.payload_len, down);
		return;
	}
	cr_assert_eq(t.body_len, down);
	cr_expect(!memcmp(t.body, s.answer, down));
}

Test(client_transfer, bodies_of_all_sizes_in_blocks_of_all_sizes)
{
	static const size_t sizes[] = {0, 1, 15, 16, 17, 1023, 1024, 1025, 1 << 20};

	for (unsigned szx = 0; szx <= 6; szx++) {
		for (unsigned i = 0; i < 81; i++) {
			size_t up = sizes[i / 9], down = sizes[i % 9], size = 16u << szx;

			// One megabyte at a time is enough.
			if (up + down > 1100000 || (i % 2 && up + down > 1000000))
				continue;
			transfer_free(&t);
			s.requests = s.executed = 0;
			s.answer_len = down;
			t = (struct transfer){.method = COAP_POST,
				.options = &options,
				.payload = payload,
				.payload_len = up,
				.szx = (uint8_t)szx,
				.ask = true,
				.body_max = TRANSFER_BODY_MAX};
			cr_assert_eq(run(), TRANSFER_DONE, "%u %zu %zu: %s", szx, up, down, f.text);
			expect_all(up, down);
			size_t ups = (up + size - 1) / size, downs = (down + size - 1) / size;
			cr_expect_eq(t.blocks_sent, ups > 1 ? ups : 0);
			cr_expect_eq(t.blocks_received, downs ? downs : 1);
			cr_expect_eq(s.requests, (ups ? ups : 1) + (downs ? downs : 1) - 1);
		}
	}
}

Test(client_transfer, a_server_wants_smaller_blocks_from_the_first_or_in_the_middle)
{
	for (unsigned at = 1; at < 14; at++) {
		transfer_free(&t);
		s.requests = s.executed = 0;
		s.up_szx = at % 2 ? 4 : 6;
		s.down_szx = at % 2 ? 3 : 6;
		s.shrink_at = at;
		s.answer_len = 5000;
		t = (struct transfer){.method = COAP_POST,
			.options = &options,
			.payload = payload,
			.payload_len = 5001,
			.szx = 6,
			.body_max = TRANSFER_BODY_MAX};
		cr_assert_eq(run(), TRANSFER_DONE, "%u: %s", at, f.text);
		expect_all(5001, 5000);
		cr_expect_eq(t.starts, 1);
	}
}

Test(client_transfer, what_nobody_needs_is_not_sent)
{
	struct transfer_part part;

	t.payload = payload;
	t.payload_len = 1024;
	cr_assert_eq(transfer_start(&t, &f), 0);
	request(&part);
	cr_expect_eq(part.options.count, 1);
	cr_expect_eq(part.payload_len, 1024);
	option_list_free(&part.options);
	t.payload_len = 100000;
	t.one = true;
	cr_assert_eq(transfer_start(&t, &f), 0);
	request(&part);
	cr_expect_eq(part.options.count, 1);
	cr_expect_eq(part.payload_len, 100000);
	option_list_free(&part.options);
}

Test(client_transfer, options_go_with_the_blocks_that_they_are_for)
{
	struct transfer_part part;

	cr_assert_eq(option_add(&options, COAP_OPT_IF_NONE_MATCH, "", 0, &f), 0);
	cr_assert_eq(option_add(&options, COAP_OPT_REQUEST_TAG, "x", 1, &f), 0);
	cr_assert_eq(option_add_uint(&options, COAP_OPT_OBSERVE, 0, &f), 0);
	t.payload = payload;
	t.payload_len = 2000;
	s.answer_len = 3000;
	cr_assert_eq(transfer_start(&t, &f), 0);
	request(&part);
	cr_expect(option_of(&part.options, COAP_OPT_IF_NONE_MATCH));
	cr_expect_eq(option_of(&part.options, COAP_OPT_REQUEST_TAG)->len, 1, "the user's own");
	option_list_free(&part.options);
	reply(COAP_CONTINUE, NULL, &(struct coap_block){.szx = 6, .more = true}, NULL, 0);
	cr_assert_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_NEXT);
	request(&part);
	cr_expect_not(option_of(&part.options, COAP_OPT_IF_NONE_MATCH), "RFC 7959 section 2.10");
	cr_expect(option_of(&part.options, COAP_OPT_OBSERVE));
	option_list_free(&part.options);
	reply(COAP_CHANGED, &(struct coap_block){.szx = 6, .more = true},
		&(struct coap_block){.num = 1, .szx = 6}, s.answer, 1024);
	cr_assert_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_NEXT);
	request(&part);
	cr_expect_not(option_of(&part.options, COAP_OPT_OBSERVE));
	cr_expect_not(option_of(&part.options, COAP_OPT_BLOCK1));
	cr_expect_eq(
		option_of(&part.options, COAP_OPT_REQUEST_TAG)->len, 1, "RFC 9175 section 3.3");
	option_list_free(&part.options);
}

Test(client_transfer, an_answer_that_changes_is_asked_for_again_a_few_times)
{
	t.method = COAP_GET;
	s.answer_len = 9000;
	s.etag_at = 4;
	cr_expect_eq(run(), TRANSFER_DONE, "%s", f.text);
	cr_expect_eq(t.starts, 2);
	cr_expect_eq(t.body_len, 9000);
	cr_expect(!memcmp(t.body, s.answer, 9000), "no byte of the old one");
	s.etag_every = 3;
	s.etag_at = s.requests + 1;
	transfer_free(&t);
	t = (struct transfer){
		.method = COAP_GET, .options = &options, .szx = 6, .body_max = TRANSFER_BODY_MAX};
	cr_expect_eq(run(), TRANSFER_FAILED);
	cr_expect(strstr(f.text, "another ETag"), "%s", f.text);
	cr_expect_eq(t.starts, TRANSFER_STARTS_MAX);
}

Test(client_transfer, nothing_is_done_twice_because_its_answer_changed)
{
	t.payload = payload;
	t.payload_len = 3000;
	s.answer_len = 9000;
	s.etag_at = 6;
	cr_expect_eq(run(), TRANSFER_FAILED);
	cr_expect(strstr(f.text, "changed"), "%s", f.text);
	cr_expect_eq(s.executed, 1);
}

Test(client_transfer, a_body_that_the_server_lost_is_sent_again)
{
	for (unsigned at = 2; at <= 9; at++) {
		transfer_free(&t);
		s.requests = s.executed = s.tags = 0;
		s.forget_at = at;
		t = (struct transfer){.method = COAP_POST,
			.options = &options,
			.payload = payload,
			.payload_len = 9000,
			.szx = 6,
			.body_max = TRANSFER_BODY_MAX};
		cr_assert_eq(run(), TRANSFER_DONE, "%s", f.text);
		expect_all(9000, 0);
		cr_expect_eq(t.starts, 2);
		cr_expect_eq(s.tags, 2, "a Request-Tag for each start");
	}
	s.forget_at = 1; // the first block of all
	s.requests = 0;
	cr_expect_eq(run(), TRANSFER_BROKEN);
}

Test(client_transfer, an_answer_that_is_gone_is_asked_for_again_only_by_get_and_fetch)
{
	s.answer_len = 5000;
	s.forget_at = 3;
	t.method = COAP_FETCH;
	cr_expect_eq(run(), TRANSFER_DONE, "%s", f.text);
	cr_expect_eq(t.body_len, 5000);
	transfer_free(&t);
	s.requests = 0;
	t = (struct transfer){
		.method = COAP_POST, .options = &options, .szx = 6, .body_max = TRANSFER_BODY_MAX};
	cr_expect_eq(run(), TRANSFER_BROKEN);
	cr_expect(strstr(f.text, "breaks off behind 2048 bytes"), "%s", f.text);
	cr_expect_not(t.whole);
}

static enum transfer_step take(
	uint8_t code, const struct coap_block *block2, const struct coap_block *block1, size_t len)
{
	reply(code, block2, block1, s.answer, len);
	return transfer_take(&t, s.code, &s.body, &f);
}

static void take_size1(uint8_t code, const struct coap_block *block1, uint32_t size1)
{
	struct coap_writer w;

	coap_writer_init(&w, s.plain, sizeof(s.plain));
	put(&w, COAP_OPT_BLOCK1, block1, block1);
	if (size1)
		coap_write_option_uint(&w, COAP_OPT_SIZE1, size1);
	s.code = code;
	cr_assert_eq(coap_body_parse(&s.body, s.plain, (size_t)(w.at - w.start)), COAP_OK);
}

// RFC 7959 section 2.9.3.
Test(client_transfer, too_large_says_how_much_or_in_what_blocks)
{
	const struct coap_block small = {.szx = 2}, large = {.szx = 6};

	t.payload = payload;
	t.payload_len = 1000;
	cr_assert_eq(transfer_start(&t, &f), 0);
	take_size1(COAP_REQUEST_ENTITY_TOO_LARGE, &small, 0);
	cr_expect_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_AGAIN);
	cr_expect(t.blocks);
	cr_expect_eq(t.send_szx, 2);
	cr_expect_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_BROKEN, "not for ever");
	take_size1(COAP_REQUEST_ENTITY_TOO_LARGE, &small, 999);
	cr_expect_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_BROKEN);
	cr_expect(strstr(f.text, "999 bytes (Size1), and the payload has 1000"), "%s", f.text);
	take_size1(COAP_REQUEST_ENTITY_TOO_LARGE, &large, 0);
	cr_expect_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_BROKEN);
	take_size1(COAP_REQUEST_ENTITY_TOO_LARGE, &(struct coap_block){.szx = 7}, 0);
	cr_expect_eq(transfer_take(&t, s.code, &s.body, &f), TRANSFER_FAILED);
}

Test(client_transfer, a_block_that_is_not_the_next_is_refused)
{
	static const struct {
		struct coap_block block;
		size_t len;
	} wrong[] = {
		{{.num = 2, .szx = 5}, 1},
		{{.num = 0, .szx = 5, .more = true}, 512},
		{{.num = 1, .szx = 6}, 1},
		{{.num = 1, .szx = 5, .more = true}, 511},
		{{.num = 1, .szx = 5}, 513},
		{{.num = 1, .szx = 7}, 1},
	};

	t.method = COAP_GET;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		t.szx = 5;
		cr_assert_eq(transfer_start(&t, &f), 0);
		cr_assert_eq(
			take(COAP_CONTENT, &(struct coap_block){.szx = 5, .more = true}, NULL, 512),
			TRANSFER_NEXT);
		cr_expect_eq(
			take(COAP_CONTENT, &wrong[i].block, NULL, wrong[i].len), TRANSFER_FAILED);
	}
	cr_assert_eq(transfer_start(&t, &f), 0);
	cr_expect_eq(take(COAP_CONTENT, &(struct coap_block){.szx = 6, .more = true}, NULL, 1024),
		TRANSFER_FAILED, "larger than asked for");
	cr_assert_eq(transfer_start(&t, &f), 0);
	cr_expect_eq(take(COAP_CONTENT, &(struct coap_block){.num = 1, .szx = 2}, NULL, 1),
		TRANSFER_FAILED, "not the first");
}

Test(client_transfer, an_answer_to_a_part_that_is_none_is_refused)
{
	t.payload = payload;
	t.payload_len = 1500;
	cr_assert_eq(transfer_start(&t, &f), 0);
	cr_expect_eq(take(COAP_CHANGED, NULL, NULL, 0), TRANSFER_FAILED, "a part taken for all");
	cr_expect_eq(take(COAP_CONTINUE, NULL, &(struct coap_block){.num = 1, .szx = 6}, 0),
		TRANSFER_FAILED, "another block");
	cr_expect_eq(take(COAP_CONTINUE, NULL, &(struct coap_block){.szx = 6, .more = true}, 0),
		TRANSFER_NEXT);
	cr_expect_eq(take(COAP_CONTINUE, NULL, &(struct coap_block){.num = 1, .szx = 6}, 0),
		TRANSFER_FAILED, "2.31 to the last");
	cr_expect_eq(take(COAP_NOT_FOUND, NULL, NULL, 0), TRANSFER_DONE, "an error is an answer");
}

Test(client_transfer, bodies_are_bounded)
{
	t.method = COAP_GET;
	t.body_max = 5000;
	s.answer_len = 5000;
	cr_expect_eq(run(), TRANSFER_DONE);
	s.answer_len = 5001;
	cr_expect_eq(run(), TRANSFER_FAILED);
	cr_expect_eq(t.body_len, 4096);
	s.size2 = true;
	s.requests = 0;
	cr_expect_eq(run(), TRANSFER_FAILED);
	cr_expect_eq(s.requests, 1, "the first block says how many are to come");
	t.payload = payload;
	t.payload_len = (16u << 20) + 1;
	t.szx = 0;
	cr_expect_eq(transfer_start(&t, &f), -E2BIG);
	t.payload_len--;
	cr_expect_eq(transfer_start(&t, &f), 0);
}

Test(client_transfer, only_what_was_begun_is_sent_again_after_silence)
{
	cr_assert_eq(transfer_start(&t, &f), 0);
	cr_expect_not(transfer_repeat(&t));
	t.payload = payload;
	t.payload_len = 1500;
	cr_assert_eq(transfer_start(&t, &f), 0);
	cr_expect_not(transfer_repeat(&t));
	cr_assert_eq(take(COAP_CONTINUE, NULL, &(struct coap_block){.szx = 6, .more = true}, 0),
		TRANSFER_NEXT);
	for (unsigned i = 0; i < TRANSFER_REPEATS_MAX; i++)
		cr_expect(transfer_repeat(&t));
	cr_expect_not(transfer_repeat(&t));
	// It may have been taken the first time.
	cr_expect_eq(take(COAP_REQUEST_ENTITY_INCOMPLETE, NULL, NULL, 0), TRANSFER_BROKEN);
	cr_expect(strstr(f.text, "may have taken"), "%s", f.text);
	cr_expect_eq(take(COAP_CHANGED, &(struct coap_block){.szx = 6, .more = true}, NULL, 1024),
		TRANSFER_NEXT);
	cr_expect(transfer_repeat(&t), "counted anew for each block");
	cr_expect_eq(t.repeated, TRANSFER_REPEATS_MAX + 1);
}
