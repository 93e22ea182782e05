// SPDX-License-Identifier: BSD-3-Clause
// Bodies that devices are sent: RFC 7959 sections 2.4, 2.7 and 3.3, RFC 9175 section 3.8.

#include "tests/unit/gw/body/bed.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>

static struct bed bed;
static const struct ask get = {.context = 7, .generation = 1, .code = COAP_GET, .path = "big"};

static void setup(void)
{
	bed_init(&bed, 4 << 20, 4);
}

static void teardown(void)
{
	bed_fini(&bed);
}

TestSuite(body_download, .init = setup, .fini = teardown);

#define BYTES bytes_of_body

static struct ask block2(struct ask ask, uint32_t num, uint8_t szx)
{
	ask.block2 = true;
	ask.num2 = num;
	ask.szx2 = szx;
	return ask;
}

static bool fits(const struct ask *ask, size_t len)
{
	const struct body_answer answer = {
		.code = COAP_CONTENT, .payload = BYTES, .payload_len = len};

	cr_assert(eq(int, bed_ask(&bed, ask), BODY_FORWARD));
	return body_answer_fits(&answer, &bed.request, bed.room, bed.limits.payload_max);
}

Test(body_download, what_fits_goes_whole)
{
	struct ask ask = get;

	cr_assert(fits(&ask, 0));
	cr_assert(fits(&ask, 1024));
	cr_assert(not(fits(&ask, 1025)));
	ask = block2(get, 0, 2);
	cr_assert(fits(&ask, 64));
	cr_assert(not(fits(&ask, 65)));
	ask = block2(get, 0, 6);
	cr_assert(fits(&ask, 1024));
	bed.room = 1024;
	cr_assert(not(fits(&ask, 1024)));
	cr_assert(not(fits(&get, 1024)));
	cr_assert(fits(&get, 1022));
}

// Fetches all blocks from `num` on, and compares them. Returns how many.
static unsigned fetch_all(const struct ask *ask, uint8_t szx, size_t len, struct body *body)
{
	char etag[9] = "";
	struct coap_option option;
	size_t size = coap_block_size(szx), at = 0;
	unsigned blocks = 0;

	for (;; blocks++) {
		struct ask next = block2(*ask, (uint32_t)(at / size), szx);

		if (blocks) {
			cr_assert(eq(int, bed_ask(&bed, &next), BODY_SERVE));
			cr_assert(eq(ptr, bed.body, body));
		}
		bed_serve(&bed, body);
		cr_assert(eq(u8, bed.code, COAP_CONTENT));
		cr_assert(coap_option_find(&bed.answer, COAP_OPT_ETAG, &option));
		cr_assert(eq(u16, option.len, 8));
		if (blocks)
			cr_assert(not(memcmp(etag, option.value, 8)));
		memcpy(etag, option.value, 8);
		struct coap_block block = bed_block_of(&bed, COAP_OPT_BLOCK2);
		size_t wanted = len - at < size ? len - at : size;
		cr_assert(eq(u32, block.num, (uint32_t)(at / size)));
		cr_assert(eq(u8, block.szx, szx));
		cr_assert(eq(int, block.more, at + wanted < len));
		cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_SIZE2), (int64_t)len));
		cr_assert(eq(u16, bed.answer.payload_len, (uint16_t)wanted));
		cr_assert(not(memcmp(bed.answer.payload, BYTES + at, wanted)));
		at += wanted;
		if (!block.more)
			return blocks + 1;
	}
}

Test(body_download, blocks_of_every_size_make_the_body)
{
	for (uint8_t szx = 0; szx <= COAP_SZX_MAX; szx++) {
		size_t size = coap_block_size(szx);
		const size_t lens[] = {
			size + 1, 2 * size - 1, 2 * size, 2 * size + 1, 20 * size + 7};

		for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			struct ask ask = block2(get, 0, szx);

			cr_assert(not(fits(&ask, lens[i])));
			struct body *body = bed_keep(&bed, COAP_CONTENT, BYTES, lens[i]);
			cr_assert(ne(ptr, body, NULL));
			cr_assert(eq(uint, fetch_all(&get, szx, lens[i], body),
				(unsigned)((lens[i] + size - 1) / size)));
		}
	}
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bodies), 1));
}

Test(body_download, unasked_the_blocks_are_the_largest_beside_all_options)
{
	for (uint16_t room = 60; room <= ROOM; room++) {
		cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
		bed.room = room;
		struct body *body = bed_keep(&bed, COAP_CONTENT, BYTES, 4000);

		cr_assert(ne(ptr, body, NULL));
		bed_serve(&bed, body);
		struct coap_block block = bed_block_of(&bed, COAP_OPT_BLOCK2);
		cr_assert(block.more && !block.num);
		// The next size would not fit with what the options may need at most.
		size_t head = 1u + 9 + 5 + 5 + 1;
		cr_assert(block.szx == 6 || head + coap_block_size(block.szx + 1u) > room);
		for (uint32_t num = 1; num < 4000u >> (block.szx + 4); num++) {
			struct ask ask = block2(get, num, block.szx);

			cr_assert(eq(int, bed_ask(&bed, &ask), BODY_SERVE));
			bed_serve(&bed, bed.body);
			cr_assert(eq(u8, bed_block_of(&bed, COAP_OPT_BLOCK2).szx, block.szx));
		}
	}
}

Test(body_download, another_size_later_keeps_the_offset)
{
	struct ask ask = block2(get, 0, 4);

	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	struct body *body = bed_keep(&bed, COAP_CONTENT, BYTES, 4000);
	bed_serve(&bed, body);
	// A larger one is converted: block 1 of 1024 is block 4 of 256.
	ask = block2(get, 1, 6);
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_SERVE));
	bed_serve(&bed, bed.body);
	struct coap_block block = bed_block_of(&bed, COAP_OPT_BLOCK2);
	cr_assert(block.num == 4 && block.szx == 4 && block.more);
	cr_assert(eq(u16, bed.answer.payload_len, 256));
	cr_assert(not(memcmp(bed.answer.payload, BYTES + 1024, 256)));
	// A smaller one is what it asks for, as the server must (section 2.4).
	ask = block2(get, 3, 2);
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_SERVE));
	bed_serve(&bed, bed.body);
	block = bed_block_of(&bed, COAP_OPT_BLOCK2);
	cr_assert(block.num == 3 && block.szx == 2 && block.more);
	cr_assert(not(memcmp(bed.answer.payload, BYTES + 192, 64)));
}

Test(body_download, the_etag_is_the_backends_or_a_hash_of_the_bytes)
{
	const uint8_t options[] = {0xc1, 60}; // Content-Format 60
	struct body_answer answer = {.code = COAP_CONTENT,
		.etag_len = 2,
		.etag = "ab",
		.options = options,
		.options_len = sizeof(options),
		.payload = BYTES,
		.payload_len = 3000};
	uint8_t made[4][8];
	struct coap_option option;
	bool too_large;

	cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
	struct body *body = body_keep(
		bed.table, &bed.request, &answer, bed.room, PAYLOAD, bed.now_ms, &too_large);
	bed_serve(&bed, body);
	cr_assert(coap_option_find(&bed.answer, COAP_OPT_ETAG, &option));
	cr_assert(option.len == 2 && !memcmp(option.value, "ab", 2));
	cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_CONTENT_FORMAT), 60));
	answer.etag_len = 0;
	for (unsigned i = 0; i < 4; i++) {
		answer.payload = i == 1 ? BYTES + 16 : BYTES;
		answer.options_len = i == 2 ? 0 : sizeof(options);
		body = body_keep(bed.table, &bed.request, &answer, bed.room, PAYLOAD, bed.now_ms,
			&too_large);
		bed_serve(&bed, body);
		cr_assert(coap_option_find(&bed.answer, COAP_OPT_ETAG, &option));
		cr_assert(eq(u16, option.len, 8));
		memcpy(made[i], option.value, 8);
	}
	cr_assert(memcmp(made[0], made[1], 8) && memcmp(made[0], made[2], 8));
	cr_assert(not(memcmp(made[0], made[3], 8)));
}

Test(body_download, num_0_always_asks_the_backend)
{
	struct ask ask = block2(get, 0, 6);

	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	bed_serve(&bed, bed_keep(&bed, COAP_CONTENT, BYTES, 4000));
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
}

Test(body_download, an_answer_of_a_get_that_is_gone_is_asked_for_again)
{
	struct ask ask = block2(get, 2, 6);

	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_REFETCH));
	const struct body_answer small = {
		.code = COAP_CONTENT, .payload = BYTES, .payload_len = 100};
	cr_assert(not(body_answer_fits(&small, &bed.request, bed.room, PAYLOAD)));
	bed_serve(&bed, bed_keep(&bed, COAP_CONTENT, BYTES, 4000));
	struct coap_block block = bed_block_of(&bed, COAP_OPT_BLOCK2);
	cr_assert(block.num == 2 && block.szx == 6 && block.more);
	cr_assert(not(memcmp(bed.answer.payload, BYTES + 2048, 1024)));
	// The new one may be shorter.
	bed_serve(&bed, bed_keep(&bed, COAP_CONTENT, BYTES, 2048));
	cr_assert(eq(u8, bed.code, COAP_BAD_REQUEST));
}

Test(body_download, an_answer_that_is_gone_of_what_changes_things_is_4_08)
{
	for (uint8_t code = COAP_POST; code <= COAP_IPATCH; code++) {
		struct ask ask = block2(get, 1, 6);
		bool repeats;

		ask.code = code;
		cr_assert(eq(int, bed_ask(&bed, &ask), BODY_REFUSE));
		cr_assert(eq(u8, bed.reply.code, COAP_REQUEST_ENTITY_INCOMPLETE));
		ask.payload = BYTES;
		ask.len = 10;
		repeats = code == COAP_FETCH;
		cr_assert(eq(int, bed_ask(&bed, &ask), repeats ? BODY_REFETCH : BODY_REFUSE));
	}
}

Test(body_download, the_newest_answer_of_a_fetch_serves_one_without_payload)
{
	struct ask a = get, b;

	a.code = COAP_FETCH;
	a.payload = BYTES;
	a.len = 10;
	b = a;
	b.payload = BYTES + 100;
	cr_assert(eq(int, bed_ask(&bed, &a), BODY_FORWARD));
	struct body *of_a = bed_keep(&bed, COAP_CONTENT, BYTES, 3000);
	cr_assert(eq(int, bed_ask(&bed, &b), BODY_FORWARD));
	struct body *of_b = bed_keep(&bed, COAP_CONTENT, BYTES + 5000, 3000);
	struct ask later = block2(a, 1, 6);
	cr_assert(eq(int, bed_ask(&bed, &later), BODY_SERVE));
	cr_assert(eq(ptr, bed.body, of_a));
	later = block2(b, 1, 6);
	cr_assert(eq(int, bed_ask(&bed, &later), BODY_SERVE));
	cr_assert(eq(ptr, bed.body, of_b));
	later.payload = NULL;
	later.len = 0;
	cr_assert(eq(int, bed_ask(&bed, &later), BODY_SERVE));
	cr_assert(eq(ptr, bed.body, of_b));
	// The same payload in another format is another query.
	later = block2(a, 1, 6);
	later.format = 61;
	cr_assert(eq(int, bed_ask(&bed, &later), BODY_REFETCH));
}

Test(body_download, beyond_the_end_is_4_00_with_a_diagnostic)
{
	cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
	bed_serve(&bed, bed_keep(&bed, COAP_CONTENT, BYTES, 4096));
	struct ask ask = block2(get, 3, 6);
	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_SERVE));
	bed_serve(&bed, bed.body);
	cr_assert(eq(u8, bed.code, COAP_CONTENT));
	const uint32_t beyond[] = {4, 5, COAP_BLOCK_NUM_MAX};
	for (unsigned i = 0; i < 3; i++) {
		ask.num2 = beyond[i];
		cr_assert(eq(int, bed_ask(&bed, &ask), BODY_SERVE));
		bed_serve(&bed, bed.body);
		cr_assert(eq(u8, bed.code, COAP_BAD_REQUEST));
		cr_assert(bed.answer.payload_len > 0);
	}
}

Test(body_download, what_needs_too_many_blocks_is_not_kept)
{
	const struct body_answer answer = {
		.code = COAP_CONTENT, .payload = BYTES, .payload_len = (16 << 20) + 1};
	struct ask ask = block2(get, 0, 0);
	bool too_large;

	cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
	cr_assert(eq(ptr,
		body_keep(bed.table, &bed.request, &answer, bed.room, PAYLOAD, bed.now_ms,
			&too_large),
		NULL));
	cr_assert(too_large);
}

// The size of the blocks of an upload's answer is known only when it is sent.
Test(body_download, an_answer_of_too_many_blocks_to_an_upload_is_its_code_or_5_02)
{
	static uint8_t big[(16 << 20) + 1];
	struct ask ask = {.context = 7, .generation = 1, .path = "big"};
	const uint8_t codes[][3] = {{COAP_POST, COAP_CHANGED, COAP_CHANGED},
		{COAP_FETCH, COAP_CONTENT, COAP_BAD_GATEWAY}};

	bed_fini(&bed);
	bed_init(&bed, 128 << 20, 4);
	for (unsigned i = 0; i < 2; i++) {
		ask.code = codes[i][0];
		ask.block2 = true; // of 16 bytes
		cr_assert(eq(int, bed_upload(&bed, ask, BYTES, 100, 4), BODY_FORWARD));
		cr_assert(eq(int, bed_upload(&bed, ask, BYTES, 1000, 4), BODY_ASK));
		bed_answered(&bed, bed.body, codes[i][1], big, sizeof(big));
		bed_serve(&bed, bed.body);
		cr_assert(eq(u8, bed.code, codes[i][2]));
		cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_BLOCK2), NONE));
		cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_too_large), i + 1));
	}
}

Test(body_download, max_age_runs_on)
{
	struct body_answer answer = {.code = COAP_CONTENT,
		.has_max_age = true,
		.max_age = 20,
		.payload = BYTES,
		.payload_len = 4000};
	bool too_large;

	cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
	struct body *body = body_keep(
		bed.table, &bed.request, &answer, bed.room, PAYLOAD, bed.now_ms, &too_large);
	const unsigned left[] = {20, 14, 8, 2, 0};
	for (unsigned i = 0; i < 5; i++) {
		bed_serve(&bed, body);
		cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_MAX_AGE), left[i]));
		bed.now_ms += 6000;
	}
}

// Of 60 seconds Max-Age is not sent, of 59 it is: there is room for it in all blocks.
Test(body_download, the_size_of_blocks_stays_when_max_age_runs_on)
{
	struct body_answer answer = {.code = COAP_CONTENT,
		.has_max_age = true,
		.max_age = 60,
		.payload = BYTES,
		.payload_len = 4000};
	bool too_large;

	for (bed.room = 270; bed.room < 290; bed.room++) {
		struct ask ask = block2(get, 0, 6);

		cr_assert(eq(int, bed_ask(&bed, &ask), BODY_FORWARD));
		struct body *body = body_keep(bed.table, &bed.request, &answer, bed.room, PAYLOAD,
			bed.now_ms, &too_large);
		bed_serve(&bed, body);
		uint8_t szx = bed_block_of(&bed, COAP_OPT_BLOCK2).szx;

		bed.now_ms += 2000;
		ask = block2(get, 1, szx);
		cr_assert(eq(int, bed_ask(&bed, &ask), BODY_SERVE));
		bed_serve(&bed, body);
		cr_assert(eq(u8, bed.code, COAP_CONTENT));
		cr_assert(eq(u8, bed_block_of(&bed, COAP_OPT_BLOCK2).szx, szx), "with %u bytes",
			bed.room);
	}
}

Test(body_download, a_body_up_and_a_body_down_in_one_exchange)
{
	struct ask post = get;

	post.code = COAP_POST;
	cr_assert(eq(int, bed_upload(&bed, post, BYTES, 300, 3), BODY_ASK));
	struct body *body = bed.body;
	bed_answered(&bed, body, COAP_CHANGED, BYTES + 1000, 2500);
	bed_serve(&bed, body);
	// RFC 7959 figure 10.
	struct coap_block block1 = bed_block_of(&bed, COAP_OPT_BLOCK1);
	struct coap_block block = bed_block_of(&bed, COAP_OPT_BLOCK2);
	cr_assert(block1.num == 2 && block1.szx == 3 && !block1.more);
	cr_assert(block.num == 0 && block.szx == 6 && block.more);
	cr_assert(eq(u8, bed.code, COAP_CHANGED));
	for (uint32_t num = 1; num < 3; num++) {
		struct ask later = block2(post, num, 6);

		cr_assert(eq(int, bed_ask(&bed, &later), BODY_SERVE));
		bed_serve(&bed, bed.body);
		cr_assert(eq(u8, bed.code, COAP_CHANGED));
		cr_assert(eq(int, 0,
			memcmp(bed.answer.payload, BYTES + 1000 + num * 1024,
				bed.answer.payload_len)));
		cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_BLOCK1), NONE));
	}
	// The last block of the upload once more gets the first of the answer once more.
	cr_assert(eq(int, bed_block(&bed, post, BYTES, 300, 2, 3), BODY_SERVE));
	bed_serve(&bed, bed.body);
	cr_assert(eq(u32, bed_block_of(&bed, COAP_OPT_BLOCK2).num, 0));
}

Test(body_download, early_negotiation_of_the_answers_size)
{
	struct ask post = get;

	post.code = COAP_POST;
	post.block2 = true;
	post.szx2 = 2;
	cr_assert(eq(int, bed_upload(&bed, post, BYTES, 300, 3), BODY_ASK));
	bed_answered(&bed, bed.body, COAP_CHANGED, BYTES, 100);
	bed_serve(&bed, bed.body);
	// RFC 7959 figure 11.
	struct coap_block block = bed_block_of(&bed, COAP_OPT_BLOCK2);
	cr_assert(block.num == 0 && block.szx == 2 && block.more);
	cr_assert(eq(u32, bed_block_of(&bed, COAP_OPT_BLOCK1).num, 2));
}

Test(body_download, an_error_has_no_blocks)
{
	struct ask post = get;

	post.code = COAP_POST;
	post.block2 = true;
	cr_assert(eq(int, bed_upload(&bed, post, BYTES, 300, 3), BODY_ASK));
	bed_answered(&bed, bed.body, COAP_CONFLICT, BYTES, 100);
	bed_serve(&bed, bed.body);
	cr_assert(eq(u8, bed.code, COAP_CONFLICT));
	cr_assert(eq(i64, bed_uint(&bed, COAP_OPT_BLOCK2), NONE));
	cr_assert(eq(u16, bed.answer.payload_len, 100));
	// It is cut to one datagram: behind code, Max-Age, Block1 and the marker.
	bed.room = 60;
	bed_serve(&bed, bed.body);
	cr_assert(eq(u8, bed.code, COAP_CONFLICT));
	cr_assert(gt(u16, bed.answer.payload_len, 50));
	cr_assert(eq(int, 0, memcmp(bed.answer.payload, BYTES, bed.answer.payload_len)));
	cr_assert(le(u16, bed.out_len, 60));
}

// Text is cut between characters, and no more of it is sent than the device takes at a time.
Test(body_download, a_diagnostic_is_cut_between_characters)
{
	static uint8_t text[1400];
	struct ask post = get;

	post.code = COAP_POST;
	for (size_t i = 0; i < sizeof(text); i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	text[0] = text[1] = 'x';
	cr_assert(eq(int, bed_upload(&bed, post, BYTES, 300, 3), BODY_ASK));
	bed_answered(&bed, bed.body, COAP_BAD_REQUEST, text, sizeof(text));
	bed.room = ROOM;
	bed_serve(&bed, bed.body);
	cr_assert(eq(u8, bed.code, COAP_BAD_REQUEST));
	cr_assert(eq(u16, bed.answer.payload_len, PAYLOAD));
	for (bed.room = 100; bed.room < 104; bed.room++) {
		bed_serve(&bed, bed.body);
		cr_assert(eq(u16, bed.answer.payload_len % 2, 0));
		cr_assert(ge(u16, bed.out_len, bed.room - 1));
	}
}

// What was performed is never denied, however little room there is beside its options.
Test(body_download, an_answer_to_an_upload_whose_options_leave_no_room_is_its_code)
{
	uint8_t options[80], path[60] = {'p'};
	struct ask post = get;
	struct coap_writer w;

	post.code = COAP_POST;
	coap_writer_init(&w, options, sizeof(options));
	coap_write_option(&w, COAP_OPT_LOCATION_PATH, path, sizeof(path));
	const struct body_answer answer = {.code = COAP_CREATED,
		.options = options,
		.options_len = (uint16_t)coap_writer_len(&w),
		.payload = BYTES,
		.payload_len = 100};

	cr_assert(eq(int, bed_upload(&bed, post, BYTES, 300, 3), BODY_ASK));
	cr_assert(body_answered(bed.table, bed.body, &answer, bed.now_ms));
	bed.room = 70; // for the options, not for a block
	bed_serve(&bed, bed.body);
	cr_assert(eq(u8, bed.code, COAP_CREATED));
	cr_assert(eq(u16, bed.answer.payload_len, 0));
	struct coap_option option;
	cr_assert(coap_option_find(&bed.answer, COAP_OPT_LOCATION_PATH, &option));
	cr_assert(eq(u32, bed_block_of(&bed, COAP_OPT_BLOCK1).num, 2));
	bed.room = 32; // for no options
	bed_serve(&bed, bed.body);
	cr_assert(eq(u8, bed.code, COAP_CREATED));
}

Test(body_download, what_was_sent_is_gone_after_keep_and_what_was_not_after_idle)
{
	struct ask last = block2(get, 3, 6), before = block2(get, 2, 6);

	cr_assert(eq(int, bed_ask(&bed, &get), BODY_FORWARD));
	bed_serve(&bed, bed_keep(&bed, COAP_CONTENT, BYTES, 4000));
	bed.now_ms += IDLE_MS - 1;
	body_table_turn(bed.table, bed.now_ms);
	for (unsigned i = 0; i < 3; i++) {
		cr_assert(eq(int, bed_ask(&bed, &last), BODY_SERVE));
		bed_serve(&bed, bed.body);
		bed.now_ms += KEEP_MS - 1;
		body_table_turn(bed.table, bed.now_ms);
	}
	cr_assert(eq(int, bed_ask(&bed, &before), BODY_SERVE));
	bed_serve(&bed, bed.body);
	bed.now_ms += KEEP_MS;
	body_table_turn(bed.table, bed.now_ms);
	cr_assert(eq(int, bed_ask(&bed, &last), BODY_REFETCH));
	cr_assert(eq(u64, body_stat(bed.table, BODY_STAT_bytes), 0));
}
