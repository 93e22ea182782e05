// SPDX-License-Identifier: BSD-3-Clause
// What a loop has published is answered by the worker: fresh, to who may have it, in the form that
// is asked for. All else goes to the home of the path.

#include "dataplane/coap/block.h"
#include "dataplane/shared/representation.h"
#include "tests/unit/dataplane/worker/bed_inside.h"
#include "tests/unit/dataplane/worker/dp_bed.h"

#include <criterion/criterion.h>

#define SHARED_ID  11
#define PRIVATE_ID 12

static struct bed bed;
static struct bed_device device, other;
static struct bed_request request;
static struct bed_answer answer;
static struct coap_body body; // of the answer
static struct dp_route_index *index_of_routes;
static uint64_t piv;
static uint8_t payload[5000];

static const struct dp_segment segments[] = {{"s", 1}, {"p", 1}, {"plain", 5}};
static const struct dp_route routes[] = {
	{.segments = &segments[0],
		.segment_count = 1,
		.rest = true,
		.methods = 0xfe,
		.slot = 1,
		.timeout_ms = BED_TIMEOUT_MS,
		.cache_id = SHARED_ID,
		.cache_shared = true,
		.home = 2},
	{.segments = &segments[1],
		.segment_count = 1,
		.methods = 0xfe,
		.slot = 2,
		.timeout_ms = BED_TIMEOUT_MS,
		.cache_id = PRIVATE_ID,
		.home = 1},
	{.segments = &segments[2],
		.segment_count = 1,
		.methods = 0xfe,
		.slot = 3,
		.timeout_ms = BED_TIMEOUT_MS},
};

static void init(void)
{
	bed_make_loops(&bed, 2);
	bed_stop_clock(&bed);
	index_of_routes = dp_route_index_create(routes, RTE_DIM(routes));
	bed.policy.routes = routes;
	bed.policy.route_count = RTE_DIM(routes);
	bed.policy.index = index_of_routes;
	bed_device_make(&device, 2, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &device, true);
	bed_device_make(&other, 3, AEAD_AES_CCM_16_64_128);
	bed_device_add(&bed, &other, true);
	piv = 0;
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
}

static void fini(void)
{
	dp_route_index_free(index_of_routes);
	bed_free(&bed);
}

TestSuite(dp_cached, .init = init, .fini = fini);

// ---- requests

static uint8_t plaintext[1200];
static struct coap_writer writer;

static void begin(uint8_t code)
{
	coap_writer_init(&writer, plaintext, sizeof(plaintext));
	coap_write_code(&writer, code);
}

static void segment(const char *text)
{
	coap_write_option(&writer, COAP_OPT_URI_PATH, text, strlen(text));
}

// Sends it. Returns the code of the answer, 0 if a loop has the request, of whose number is *loop.
static uint8_t send_as(const struct bed_device *from, enum coap_type type)
{
	dp_handle handle;
	const struct dp_shared *shared;
	static const uint8_t changed = COAP_CHANGED;

	piv++;
	bed_seal(from, &request, type, (uint16_t)piv, piv, plaintext, coap_writer_len(&writer));
	bed_send_request(&bed, &request);
	bed_turn(&bed);
	shared = bed_upstream_take(&bed, &handle);
	if (shared) {
		bed_upstream_answer(&bed, handle, &changed, 1);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		return 0;
	}
	if (!bed_receive(&bed, &answer))
		return 0xff;
	cr_assert(bed_open(from, &request, &answer));
	cr_assert_eq(coap_body_parse(&body, answer.plaintext + 1, answer.plaintext_len - 1), 0);
	return answer.plaintext[0];
}

static uint8_t ask(const struct bed_device *from, uint8_t code, const char *path)
{
	begin(code);
	segment(path);
	return send_as(from, COAP_CON);
}

static bool has(uint16_t number, uint32_t *value)
{
	struct coap_option option;

	return coap_option_find(&body, number, &option) && coap_option_uint(&option, value);
}

// ---- what is published

static struct dp_representation *made;

// A representation for the request that stands in `plaintext`, not published yet.
static struct dp_representation *make(uint64_t id, bool shared, uint32_t len)
{
	struct dp_reps *reps = dp_reps(bed.dp);
	const struct dp_rep_asker asker = {.route = id,
		.code = plaintext[0],
		.shared = shared,
		.context = device.context,
		.generation = device.generation};
	struct coap_body asked;
	struct dp_rep_key key;

	cr_assert_eq(coap_body_parse(&asked, plaintext + 1, coap_writer_len(&writer) - 1), 0);
	cr_assert(dp_rep_key_make(&key, &reps->keys, &asker, &asked));
	made = dp_rep_make(&key, len);
	made->epoch_index = dp_rep_epoch_index(dp_rep_path_hash(&reps->paths, &asked));
	made->epoch = dp_rep_epoch(reps, made->epoch_index);
	made->stored_ms = bed.w->now_ms;
	made->fresh_ms = bed.w->now_ms + 60500;
	made->code = COAP_CONTENT;
	made->content_format = 50;
	made->etag_len = 2;
	memcpy(made->etag, "ab", 2);
	memcpy(made->bytes + made->key_len, payload, len);
	return made;
}

static void publish(unsigned loop)
{
	struct dp_rep_table *table = &dp_reps(bed.dp)->table[loop];

	dp_rep_publish(table,
		dp_rep_place(table, made->hash, made->bytes, made->key_len, NULL, NULL), made);
}

static void publish_shared(uint32_t len)
{
	begin(COAP_GET);
	segment("s");
	make(SHARED_ID, true, len);
	publish(1);
}

static void expect_whole(uint32_t len)
{
	uint32_t value;

	cr_expect_eq(body.payload_len, len);
	cr_expect(!len || !memcmp(body.payload, payload, len));
	cr_expect(has(COAP_OPT_CONTENT_FORMAT, &value) && value == 50);
	cr_expect(has(COAP_OPT_ETAG, &value) && value == ('a' << 8 | 'b'));
}

Test(dp_cached, a_fresh_one_is_the_answer)
{
	uint64_t started = bed_count(&bed, DP_STAT_exchanges_started);

	publish_shared(32);
	for (unsigned fast = 0; fast < 2; fast++) {
		bed_fast_paths(&bed, fast);
		cr_assert_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
		cr_expect_eq(answer.msg.type, COAP_ACK);
		cr_expect(!answer.has_piv);
		expect_whole(32);
		cr_assert_eq(ask(&other, COAP_GET, "s"), COAP_CONTENT, "it is everybody's");
		expect_whole(32);
		begin(COAP_GET);
		segment("s");
		cr_assert_eq(send_as(&device, COAP_NON), COAP_CONTENT);
		cr_expect_eq(answer.msg.type, COAP_NON);
		expect_whole(32);
	}
	cr_expect_eq(bed_count(&bed, DP_STAT_exchanges_started), started);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_cached), 6);
	cr_expect_eq(bed.w->route_stats[1].cache_hits, 6);
	cr_expect_eq(bed.w->route_stats[1].requests, 6);
	cr_expect_eq(bed.w->route_stats[1].answers[DP_ANSWER_2XX], 6);
}

Test(dp_cached, other_requests_go_to_the_home_of_the_path)
{
	publish_shared(32);
	cr_expect_eq(ask(&device, COAP_PUT, "s"), 0);
	cr_expect_eq(ask(&device, COAP_POST, "s"), 0);
	cr_expect_eq(ask(&device, COAP_FETCH, "s"), 0, "another method");
	begin(COAP_GET);
	segment("s");
	segment("deeper");
	cr_expect_eq(send_as(&device, COAP_CON), 0);
	begin(COAP_GET);
	coap_write_option(&writer, COAP_OPT_IF_MATCH, "ab", 2);
	segment("s");
	cr_expect_eq(send_as(&device, COAP_CON), 0, "If-Match");
	begin(COAP_GET);
	coap_write_option(&writer, COAP_OPT_IF_NONE_MATCH, "", 0);
	segment("s");
	cr_expect_eq(send_as(&device, COAP_CON), 0, "If-None-Match");
	begin(COAP_GET);
	segment("s");
	coap_write_option_uint(&writer, COAP_OPT_ACCEPT, 50);
	cr_expect_eq(send_as(&device, COAP_CON), 0, "Accept");
	begin(COAP_GET);
	segment("s");
	coap_write_option(&writer, COAP_OPT_URI_QUERY, "q", 1);
	cr_expect_eq(send_as(&device, COAP_CON), 0, "query");
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_cached), 0);
	cr_expect_eq(ask(&device, COAP_GET, "plain"), 0, "a route without a cache");
}

Test(dp_cached, max_age_is_what_is_left)
{
	uint32_t value;

	publish_shared(4);
	ask(&device, COAP_GET, "s");
	cr_expect(!has(COAP_OPT_MAX_AGE, &value), "60 seconds and a half");
	bed_later(&bed, 500);
	ask(&device, COAP_GET, "s");
	cr_expect(!has(COAP_OPT_MAX_AGE, &value), "60 seconds");
	bed_later(&bed, 1);
	ask(&device, COAP_GET, "s");
	cr_expect(has(COAP_OPT_MAX_AGE, &value) && value == 59);
	bed_later(&bed, 58999);
	ask(&device, COAP_GET, "s");
	cr_expect(has(COAP_OPT_MAX_AGE, &value) && value == 1);
	bed_later(&bed, 999);
	cr_expect_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
	cr_expect(has(COAP_OPT_MAX_AGE, &value) && value == 0);
	bed_later(&bed, 1);
	cr_expect_eq(ask(&device, COAP_GET, "s"), 0, "stale");
}

Test(dp_cached, a_change_of_the_path_makes_it_stale)
{
	publish_shared(4);
	uint32_t at = made->epoch_index;

	cr_expect_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
	dp_rep_epoch_raise(dp_reps(bed.dp), at);
	cr_expect_eq(ask(&device, COAP_GET, "s"), 0);
}

Test(dp_cached, a_private_one_is_of_one_device)
{
	begin(COAP_GET);
	segment("p");
	make(PRIVATE_ID, false, 8);
	publish(0);
	cr_expect_eq(ask(&device, COAP_GET, "p"), COAP_CONTENT);
	cr_expect_eq(ask(&other, COAP_GET, "p"), 0);
	// The same for a shared entry under a private route, and the other way round.
	begin(COAP_GET);
	segment("p");
	make(PRIVATE_ID, true, 8);
	publish(0);
	cr_expect_eq(ask(&other, COAP_GET, "p"), 0);
	begin(COAP_GET);
	segment("s");
	make(SHARED_ID, false, 8);
	publish(1);
	cr_expect_eq(ask(&device, COAP_GET, "s"), 0);
}

Test(dp_cached, who_may_not_ask_is_not_answered)
{
	static const struct dp_segment plain[] = {{"plain", 5}};
	static const struct dp_route allowed[] = {
		{.segments = plain, .segment_count = 1, .methods = 0xfe}};
	struct dp_route_index *may = dp_route_index_create(allowed, 1);
	const struct dp_route_index *permit[2] = {NULL, may};
	const struct dp_context_limits limits = {.permit = 1};

	bed.policy.permit = permit;
	bed.policy.permit_count = 2;
	publish_shared(4);
	cr_assert_eq(
		dp_context_limit(dp_contexts(bed.dp), device.context, device.generation, &limits),
		0);
	for (unsigned fast = 0; fast < 2; fast++) {
		bed_fast_paths(&bed, fast);
		cr_expect_eq(ask(&device, COAP_GET, "s"), COAP_FORBIDDEN);
		cr_expect_eq(ask(&other, COAP_GET, "s"), COAP_CONTENT);
	}
	bed.policy.permit_count = 0;
	dp_route_index_free(may);
}

Test(dp_cached, an_etag_that_the_device_has_is_valid)
{
	uint32_t value;

	publish_shared(32);
	begin(COAP_GET);
	coap_write_option(&writer, COAP_OPT_ETAG, "xy", 2);
	coap_write_option(&writer, COAP_OPT_ETAG, "ab", 2);
	segment("s");
	cr_assert_eq(send_as(&device, COAP_CON), COAP_VALID);
	cr_expect(has(COAP_OPT_ETAG, &value) && value == ('a' << 8 | 'b'));
	cr_expect(!has(COAP_OPT_CONTENT_FORMAT, &value));
	cr_expect(!body.payload);
	begin(COAP_GET);
	coap_write_option(&writer, COAP_OPT_ETAG, "a", 1);
	segment("s");
	cr_assert_eq(send_as(&device, COAP_CON), COAP_CONTENT);
	expect_whole(32);
}

Test(dp_cached, an_error_is_never_valid)
{
	begin(COAP_GET);
	segment("s");
	make(SHARED_ID, true, 3)->code = COAP_NOT_FOUND;
	publish(1);
	begin(COAP_GET);
	coap_write_option(&writer, COAP_OPT_ETAG, "ab", 2);
	segment("s");
	cr_expect_eq(send_as(&device, COAP_CON), COAP_NOT_FOUND);
	cr_expect_eq(ask(&device, COAP_GET, "s"), COAP_NOT_FOUND);
}

// All blocks of it, of this size at most; whether they are the whole.
static void expect_blocks(uint32_t len, unsigned szx, unsigned most)
{
	uint32_t got = 0, value;
	struct coap_block block = {.szx = (uint8_t)szx, .more = true};

	for (unsigned num = 0; block.more; num++) {
		begin(COAP_GET);
		segment("s");
		block = (struct coap_block){.num = num, .szx = (uint8_t)szx};
		if (num || szx < 7)
			coap_write_option_uint(&writer, COAP_OPT_BLOCK2, coap_block_value(&block));
		cr_assert_eq(send_as(&device, COAP_CON), COAP_CONTENT);
		struct coap_option option;

		cr_assert(coap_option_find(&body, COAP_OPT_BLOCK2, &option));
		cr_assert(coap_block_read(&block, &option));
		szx = block.szx;
		cr_assert_leq(szx, most);
		cr_expect_eq(block.num, num);
		cr_expect(has(COAP_OPT_SIZE2, &value) && value == len);
		cr_expect(has(COAP_OPT_ETAG, &value) && value == ('a' << 8 | 'b'));
		cr_assert(!memcmp(body.payload, payload + got, body.payload_len));
		got += body.payload_len;
		cr_assert(!block.more || body.payload_len == coap_block_size(szx));
	}
	cr_expect_eq(got, len);
}

Test(dp_cached, blocks)
{
	publish_shared(5000);
	expect_blocks(5000, 7, 6);
	expect_blocks(5000, 6, 6);
	expect_blocks(5000, 2, 2);
	expect_blocks(5000, 0, 0);
	begin(COAP_GET);
	segment("s");
	coap_write_option_uint(&writer, COAP_OPT_BLOCK2, 5 << 4 | 6);
	cr_expect_eq(send_as(&device, COAP_CON), COAP_BAD_REQUEST, "beyond the end");
	publish_shared(1024);
	expect_blocks(1024, 6, 6);
	expect_blocks(1024, 5, 5);
	publish_shared(20);
	expect_blocks(20, 6, 6);
	expect_blocks(20, 0, 0);
}

// A device that takes small messages gets small blocks.
Test(dp_cached, no_more_than_the_device_takes)
{
	const struct dp_context_limits limits = {.max_message = 128};

	cr_assert_eq(
		dp_context_limit(dp_contexts(bed.dp), device.context, device.generation, &limits),
		0);
	publish_shared(200);
	expect_blocks(200, 7, 2);
	cr_expect_leq(answer.len, 128);
	cr_expect_eq(ask(&other, COAP_GET, "s"), COAP_CONTENT);
	expect_whole(200);
}

// Later blocks of a FETCH may come without its payload: who keeps them is a loop.
Test(dp_cached, a_fetch_in_blocks_is_for_a_loop)
{
	for (unsigned len = 20; len <= 2000; len += 1980) {
		begin(COAP_FETCH);
		segment("s");
		coap_write_payload(&writer, "q", 1);
		make(SHARED_ID, true, len);
		publish(1);
		begin(COAP_FETCH);
		segment("s");
		coap_write_payload(&writer, "q", 1);
		cr_expect_eq(send_as(&device, COAP_CON), len == 20 ? COAP_CONTENT : 0);
		begin(COAP_FETCH);
		segment("s");
		coap_write_option_uint(&writer, COAP_OPT_BLOCK2, 6);
		coap_write_payload(&writer, "q", 1);
		cr_expect_eq(send_as(&device, COAP_CON), 0);
	}
}

// The ETag that only tells blocks apart is not in an answer without blocks.
Test(dp_cached, an_etag_of_blocks)
{
	uint32_t value;

	begin(COAP_GET);
	segment("s");
	make(SHARED_ID, true, 100)->flags = DP_REP_ETAG_OF_BLOCKS;
	publish(1);
	for (unsigned fast = 0; fast < 2; fast++) {
		bed_fast_paths(&bed, fast);
		cr_assert_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
		cr_expect(!has(COAP_OPT_ETAG, &value));
		expect_blocks(100, 1, 1);
	}
}

// A copy of the request gets the bytes that the first got, whatever is stored meanwhile.
Test(dp_cached, a_copy_gets_the_same_bytes)
{
	for (unsigned fast = 0; fast < 2; fast++) {
		uint8_t first[BED_MESSAGE_MAX];
		uint16_t len;

		bed_fast_paths(&bed, fast);
		publish_shared(32);
		cr_assert_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
		len = answer.len;
		memcpy(first, answer.coap, len);
		bed_later(&bed, 5000);
		publish_shared(40);
		bed_send_request(&bed, &request);
		bed_turn(&bed);
		cr_assert(bed_receive(&bed, &answer));
		cr_expect_eq(answer.len, len);
		cr_expect(!memcmp(answer.coap, first, len));
		cr_expect_eq(bed_count(&bed, DP_STAT_answers_cached), fast + 1);
	}
}

Test(dp_cached, no_response)
{
	publish_shared(4);
	begin(COAP_GET);
	segment("s");
	coap_write_option_uint(&writer, COAP_OPT_NO_RESPONSE, 2);
	cr_expect_eq(send_as(&device, COAP_NON), 0xff);
	cr_expect_eq(bed_count(&bed, DP_STAT_answers_cached), 1);
}

// With nothing stored, and with an empty payload.
Test(dp_cached, nothing)
{
	uint32_t value;

	cr_expect_eq(ask(&device, COAP_GET, "s"), 0);
	publish_shared(0);
	cr_expect_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
	cr_expect(!body.payload);
	cr_expect(has(COAP_OPT_ETAG, &value));
}

Test(dp_cached, every_form_of_the_head)
{
	static const uint16_t formats[] = {DP_REP_NO_FORMAT, 0, 60, 11050};
	static const uint64_t left[] = {1, 59, 60, 61, 255, 256, 65536, 1 << 24};
	struct coap_option option;
	uint32_t value;

	for (unsigned f = 0; f < RTE_DIM(formats); f++)
		for (unsigned etag = 0; etag <= 8; etag += 4)
			for (unsigned l = 0; l < RTE_DIM(left); l++) {
				begin(COAP_GET);
				segment("s");
				make(SHARED_ID, true, 10);
				made->etag_len = (uint8_t)etag;
				made->content_format = formats[f];
				made->fresh_ms = bed.w->now_ms + left[l] * 1000;
				publish(1);
				cr_assert_eq(ask(&device, COAP_GET, "s"), COAP_CONTENT);
				cr_expect_eq(has(COAP_OPT_MAX_AGE, &value), left[l] != 60);
				cr_expect(left[l] == 60 || value == left[l]);
				cr_expect_eq(has(COAP_OPT_CONTENT_FORMAT, &value),
					formats[f] != DP_REP_NO_FORMAT);
				cr_expect(formats[f] == DP_REP_NO_FORMAT || value == formats[f]);
				cr_expect_eq(
					coap_option_find(&body, COAP_OPT_ETAG, &option), etag > 0);
				cr_expect(!etag || option.len == etag);
				cr_expect_eq(body.payload_len, 10);
				cr_expect(!memcmp(body.payload, payload, 10));
			}
}
