// SPDX-License-Identifier: BSD-3-Clause
// A body of many blocks on a route with batches is one record among others (bodies.md section 5).

#include "tests/unit/gw/http/ingest.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char routes[512], upstream_text[128];
static struct ingest *ingest;
static struct bed *bed;

static const char *say_ok(struct ingest *of, const struct ingest_request *r, unsigned number)
{
	return INGEST_OK;
}

// With a route of these keys.
static void start_saying(ingest_answer *answer, const char *batch, const char *route)
{
	ingest = ingest_start(answer, NULL);
	snprintf(routes, sizeof(routes),
		"- {path: /b0, to: up, timeout: 10s, batch: {path: /ingest, %s}%s}\n", batch,
		route);
	snprintf(upstream_text, sizeof(upstream_text), "servers: [\"http://127.0.0.1:%u\"]",
		ingest_port(ingest));
	bed_routes = routes;
	bed = bed_make(upstream_text);
}

static void start(const char *batch, const char *route)
{
	start_saying(say_ok, batch, route);
}

static void end(void)
{
	bed_end(bed);
	ingest_stop(ingest);
}

static uint64_t bodies_stat(enum up_stat stat)
{
	return up_loop_stat(bed->loop, bed->conf->upstream_count, stat);
}

static void wait_bytes_below(uint64_t bytes)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	while (bodies_stat(UP_STAT_body_bytes) >= bytes) {
		cr_assert(bed_now_ms() < until, "bytes stay");
		usleep(500);
	}
}

// All blocks of `{"v":"0123456789abcdefghijklmnopqrstuv"}` but the last.
static void begin(void)
{
	EXPECT_ANSWER(bed_ask(bed, "POST path=b0 cf=50 block1=08 |{\"v\":\"0123456789"),
		"2.31 block1=08");
	EXPECT_ANSWER(
		bed_ask(bed, "POST path=b0 cf=50 block1=18 |abcdefghijklmnop"), "2.31 block1=18");
}

#define LAST "POST path=b0 cf=50 block1=20 |qrstuv\"}"
#define DATA "\"data\":{\"v\":\"0123456789abcdefghijklmnopqrstuv\"}"

Test(upstream_body_batch, bodies_5_a_body_is_one_record_of_a_batch)
{
	start("max: 3, wait: 5s", "");
	bed->device = 1;
	bed_push(bed, "POST path=b0 cf=50 |{\"v\":1}");
	bed->device = 2;
	begin();
	bed_push(bed, LAST);
	uint64_t piv = bed->piv;

	bed->device = 3;
	bed_push(bed, "POST path=b0 cf=50 |{\"v\":3}");
	for (unsigned i = 0; i < 3; i++) {
		const char *answer = bed_pull(bed, NULL);

		EXPECT_ANSWER(answer, bed->context == 2 ? "2.04 block1=20" : "2.04");
	}
	cr_expect_eq(ingest_count(ingest), 1);
	const struct ingest_request *r = ingest_get(ingest, 0);
	char part[128];

	cr_expect_eq(r->records, 3);
	cr_expect(strstr(r->body, DATA), "%s", r->body);
	// Its id is that of the last block.
	snprintf(part, sizeof(part), "\"source\":\"/devices/device-2.3\"");
	cr_expect(strstr(r->body, part), "%s", r->body);
	snprintf(part, sizeof(part), "-%lu\"", (unsigned long)piv);
	cr_expect(strstr(r->body, part), "no id %s in %s", part, r->body);
	// The last block again gets the same answer, and the service nothing.
	bed->device = 2;
	EXPECT_ANSWER(bed_ask(bed, LAST), "2.04 block1=20");
	cr_expect_eq(ingest_count(ingest), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_batched), 3);
	end();
}

// Whoever sends Block options with small requests is collected, too.
Test(upstream_body_batch, bodies_5_a_request_in_one_block_is_a_record)
{
	start("max: 4, wait: 5s", "");
	const char *const lines[][2] = {
		{"POST path=b0 cf=50 block1=06 |{\"v\":1}", "2.04 block1=06"},
		{"PUT path=b0 cf=50 block2=04 |{\"v\":2}", "2.04 block2=04"},
		{"POST path=b0 cf=50 block2=02 block1=01 size1=7 |{\"v\":3}",
			"2.04 block2=02 block1=01"},
		{"POST path=b0 cf=50 |{\"v\":4}", "2.04"},
	};

	for (unsigned i = 0; i < 4; i++) {
		bed->device = i + 1;
		bed_push(bed, lines[i][0]);
	}
	for (unsigned i = 0; i < 4; i++) {
		const char *answer = bed_pull(bed, NULL);

		EXPECT_ANSWER(answer, lines[bed->context - 1][1]);
	}
	cr_expect_eq(ingest_count(ingest), 1);
	cr_expect_eq(ingest_get(ingest, 0)->records, 4);
	end();
}

Test(upstream_body_batch, bodies_5_a_body_larger_than_a_batch_is_4_13)
{
	start("bytes: 4KB, wait: 30ms", "");
	bed_expect_start(bed_ask(bed, "POST path=b0 cf=42 block1=08 size1=4097 |0123456789abcdef"),
		"4.13 max-age=0 size1=4096");
	// As base64 it is too large.
	char line[1200];

	for (unsigned num = 0; num < 4; num++) {
		int len = snprintf(line, sizeof(line), "POST path=b0 cf=42 block1=%02x |",
			num << 4 | (num < 3 ? 8 : 0) | 6);

		memset(line + len, 'x', 1000 + 24 * (num < 3));
		line[len + 1000 + 24 * (num < 3)] = 0;
		bed_expect_start(bed_ask(bed, line), num < 3 ? "2.31" : "4.13");
	}
	cr_expect_eq(ingest_count(ingest), 0);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_record_too_large), 1);
	end();
}

// The whole body is translated, and then put in a record.
Test(upstream_body_batch, bodies_5_the_whole_body_is_translated)
{
	start("max: 1, wait: 5s", ", translate: cbor-json");
	EXPECT_ANSWER(
		bed_ask(bed, "POST path=b0 cf=60 block1=08 |x00123456789abcd"), "2.31 block1=08");
	EXPECT_ANSWER(
		bed_ask(bed, "POST path=b0 cf=60 block1=18 |efghijklmnopqrst"), "2.31 block1=18");
	EXPECT_ANSWER(
		bed_ask(bed, "POST path=b0 cf=60 block1=28 |uvwxyzABCDEFGHIJ"), "2.31 block1=28");
	EXPECT_ANSWER(bed_ask(bed, "POST path=b0 cf=60 block1=30 |KL"), "2.04 block1=30");
	const char *body = ingest_get(ingest, 0)->body;

	cr_expect(strstr(body, "\"data\":\"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL\""),
		"%s", body);
	// And what is no CBOR is refused as a whole, with the block it came with last.
	EXPECT_ANSWER(
		bed_ask(bed, "POST path=b0 cf=60 block1=08 |x00123456789abcd"), "2.31 block1=08");
	bed_expect_start(bed_ask(bed, "POST path=b0 cf=60 block1=10 |efgh"), "4.00");
	cr_expect_eq(ingest_count(ingest), 1);
	end();
}

static const char *say_refused(struct ingest *of, const struct ingest_request *r, unsigned number)
{
	return ingest_reply(422, "", "no");
}

Test(upstream_body_batch, bodies_5_a_record_that_is_refused_is_the_bodys_answer)
{
	start_saying(say_refused, "max: 1, wait: 5s", "");
	begin();
	bed_expect_start(bed_ask(bed, LAST), "4.22");
	bed_expect_start(bed_ask(bed, LAST), "4.22");
	cr_expect_eq(ingest_count(ingest), 1);
	end();
}

Test(upstream_body_batch, bodies_5_the_last_block_again_waits_for_its_batch)
{
	start("max: 2, wait: 5s", "");
	begin();
	bed_push(bed, LAST);
	bed_push(bed, LAST);
	bed->device = 1;
	EXPECT_ANSWER(bed_ask(bed, "POST path=b0 cf=50 block1=06 |{\"v\":4}"), "2.04 block1=20");
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.04 block1=20");
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.04 block1=06");
	cr_expect_eq(ingest_get(ingest, 0)->records, 2);
	end();
}

static const char *say_created(struct ingest *of, const struct ingest_request *r, unsigned number)
{
	static char where[400], body[951];

	memset(body, 'x', 950);
	snprintf(where, sizeof(where), "Location: /%0250d\r\nContent-Type: text/plain\r\n", 7);
	return ingest_reply(201, where, body);
}

// What is not sent whole beside its options goes in blocks.
Test(upstream_body_batch, bodies_3_a_body_beside_a_long_location_is_sent_in_blocks)
{
	start_saying(say_created, "wait: 5s", "");
	const char *answer = bed_ask(bed, "POST path=x |a");

	bed_expect_start(answer, "2.01 etag=");
	bed_expect_part(answer, " lpath=00000000");
	bed_expect_part(answer, " size2=950 |xxxxxxxxxx");
	bed_expect_start(bed_ask(bed, "POST path=x block2=15"), "2.01 etag=");
	cr_expect_eq(ingest_count(ingest), 1);
	end();
}

static const char *say_wordy(struct ingest *of, const struct ingest_request *r, unsigned number)
{
	static char words[1200];

	memset(words, 'x', 1199);
	return ingest_reply(400, "Content-Type: text/plain\r\n", words);
}

static size_t payload_of(const char *answer)
{
	const char *payload = strchr(answer, '|');

	return payload ? strlen(payload + 1) : 0;
}

// However it was asked for, of an error there is what one block has.
Test(upstream_body_batch, bodies_3_an_error_is_cut_to_one_datagram)
{
	bed_payload_max = 512;
	start_saying(say_wordy, "wait: 5s", "");
	cr_expect_eq(payload_of(bed_ask(bed, "POST path=x |a")), 512);
	cr_expect_eq(payload_of(bed_ask(bed, "POST path=x block1=06 |a")), 512);
	bed_ask(bed, "POST path=x block1=08 |0123456789abcdef");
	cr_expect_eq(payload_of(bed_ask(bed, "POST path=x block1=10 |a")), 512);
	end();
	bed_payload_max = 1024;
}

// The record is on its way among others when the device stops to wait, and comes again.
static const char *say_held(struct ingest *of, const struct ingest_request *r, unsigned number)
{
	ingest_hold(of);
	return INGEST_OK;
}

static void give_up_in_flight(void)
{
	start_saying(say_held, "max: 2, wait: 5s", "");
	bed->device = 1;
	bed_push(bed, "POST path=b0 cf=50 |{\"v\":1}");
	bed_wait_stat(bed, UP_STAT_batched, 1);
	bed->device = 2;
	begin();
	dp_handle last = bed_push(bed, LAST);

	ingest_wait(ingest, 1);
	bed_abandon(bed, last);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	usleep(300000); // of a look for what was given up
}

Test(upstream_body_batch, bodies_2_the_last_block_after_all_waited_joins_its_batch)
{
	give_up_in_flight();
	bed_push(bed, LAST);
	usleep(300000);
	ingest_release(ingest);
	cr_expect_eq(bed_answers_like(bed, 2, "2.04"), 2);
	cr_expect_eq(ingest_count(ingest), 1);
	end();
}

Test(upstream_body_batch, bodies_2_the_last_block_after_its_batch_gets_what_became_of_it)
{
	give_up_in_flight();
	ingest_release(ingest);
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.04");
	EXPECT_ANSWER(bed_ask(bed, LAST), "2.04 block1=20");
	cr_expect_eq(ingest_count(ingest), 1);
	end();
}

// The batch has a copy: the body's bytes are given back, and without its device it is left out.
Test(upstream_body_batch, bodies_5_a_record_whose_device_is_gone_is_left_out)
{
	start("wait: 200ms", "");
	begin();
	dp_handle last = bed_push(bed, LAST);

	bed_wait_stat(bed, UP_STAT_batched, 1);
	wait_bytes_below(1024);
	bed->no_name = true;
	up_loop_device_gone(bed->loop, 7, 3);
	bed_abandon(bed, last); // as its worker does
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	wait_bytes_below(1);
	cr_expect_eq(bed_stat(bed, UP_STAT_batch_left_out), 1);
	cr_expect_eq(ingest_count(ingest), 0);
	end();
}

Test(upstream_body_batch, bodies_5_what_is_collected_is_answered_at_a_stop)
{
	start("wait: 5s", "");
	begin();
	bed_push(bed, LAST);
	bed_wait_stat(bed, UP_STAT_batched, 1);
	up_loop_stop(bed->loop, 0);
	bed_expect_start(bed_pull(bed, NULL), "5.03");
	end();
}

// A condition is one request's (RFC 7959 section 2.10: If-None-Match stands in the first block).
Test(upstream_body_batch, bodies_5_a_body_with_a_condition_goes_alone)
{
	start("wait: 5s", "");
	EXPECT_ANSWER(
		bed_ask(bed, "PUT path=b0 if-none-match= cf=50 block1=08 |{\"v\":\"0123456789"),
		"2.31 block1=08");
	bed_expect_start(bed_ask(bed, "PUT path=b0 cf=50 block1=10 |abc\"}"), "2.04");
	cr_expect_eq(bed_stat(bed, UP_STAT_batched), 0);
	cr_expect(strstr(ingest_get(ingest, 0)->head, "PUT /b0 "));
	cr_expect(strstr(ingest_get(ingest, 0)->head, "If-None-Match: *"));
	end();
}
