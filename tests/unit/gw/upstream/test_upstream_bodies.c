// SPDX-License-Identifier: BSD-3-Clause
// Bodies of many blocks through a loop: one request of HTTP a body, whatever comes twice, late or
// not at all. What becomes of a block is in tests/unit/gw/body.

#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct server *server;
static struct bed *bed;

static void setup(void)
{
	server = bed_server("one");
	bed = bed_for(server, "max_body: 1MB");
}

static void teardown(void)
{
	bed_end(bed);
	server_stop(server);
}

TestSuite(upstream_bodies, .init = setup, .fini = teardown);

// The first two blocks of three, of 16 bytes.
static void begin(const char *request)
{
	char line[256];

	snprintf(line, sizeof(line), "%s block1=08 |0123456789abcdef", request);
	EXPECT_ANSWER(bed_ask(bed, line), "2.31 block1=08");
	snprintf(line, sizeof(line), "%s block1=18 |ghijklmnopqrstuv", request);
	EXPECT_ANSWER(bed_ask(bed, line), "2.31 block1=18");
}

Test(upstream_bodies, blocks_are_one_request)
{
	begin("PUT path=echo cf=0");
	const char *answer = bed_ask(bed, "PUT path=echo cf=0 block1=20 |wxyz");

	bed_expect_start(answer, "2.04 cf=0 block1=20 |PUT /echo HTTP/1.1");
	bed_expect_part(answer, "0123456789abcdefghijklmnopqrstuvwxyz");
	bed_expect_part(answer, "Content-Length: 36");
	bed_expect_part(answer, "Content-Type: text/plain");
	cr_expect_eq(server_requests(server), 1);
	// The last block again, since its answer was lost.
	answer = bed_ask(bed, "PUT path=echo cf=0 block1=20 |wxyz");
	bed_expect_part(answer, "0123456789abcdefghijklmnopqrstuvwxyz");
	cr_expect_eq(server_requests(server), 1);
	// And a body that is opened again is another operation.
	begin("PUT path=echo cf=0");
	bed_expect_start(bed_ask(bed, "PUT path=echo cf=0 block1=20 |wxyz"), "2.04");
	cr_expect_eq(server_requests(server), 2);
}

Test(upstream_bodies, a_request_in_one_block_is_a_request_each_time)
{
	for (unsigned i = 1; i <= 3; i++) {
		bed_expect_start(
			bed_ask(bed, "POST path=ok block1=06 |x"), "2.04 cf=0 block1=06 |one");
		cr_expect_eq(server_requests(server), i);
	}
}

Test(upstream_bodies, a_fragment_is_never_a_request)
{
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=20 |wxyz"), "4.08");
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=18 |0123456789abcdef"), "4.08");
	begin("PUT path=ok");
	bed_expect_start(bed_ask(bed, "PUT path=ok cf=60 block1=20 |wxyz"), "4.08");
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=20 |wxyz"), "4.08");
	bed_expect_start(bed_ask(bed, "GET path=ok block1=08 |0123456789abcdef"), "4.00");
	bed_expect_start(bed_ask(bed, "POST path=ok block2=16"), "4.08");
	cr_expect_eq(server_requests(server), 0);
}

Test(upstream_bodies, a_body_beyond_max_body_is_refused_at_its_first_block)
{
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=08 size1=1048577 |0123456789abcdef"),
		"4.13 max-age=0 size1=1048576");
}

Test(upstream_bodies, the_last_block_again_joins_the_request_that_is_under_way)
{
	begin("PUT path=hold");
	for (unsigned i = 0; i < 3; i++)
		bed_push(bed, "PUT path=hold block1=20 |wxyz");
	server_wait_requests(server, 1);
	server_release(server);
	cr_expect_eq(bed_answers_like(bed, 3, "2.04"), 3);
	cr_expect_eq(server_requests(server), 1);
}

Test(upstream_bodies, a_request_lives_while_anybody_waits_for_it)
{
	begin("PUT path=hold");
	dp_handle first = bed_push_deadline(bed, "PUT path=hold block1=20 |wxyz", 300);

	server_wait_requests(server, 1);
	bed_push_deadline(bed, "PUT path=hold block1=20 |wxyz", 5000);
	bed_abandon(bed, first);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	server_release(server);
	bed_expect_start(bed_pull(bed, NULL), "2.04");
	cr_expect_eq(server_requests(server), 1);
}

Test(upstream_bodies, a_body_that_nobody_waited_for_is_not_sent_again)
{
	begin("POST path=hang");
	dp_handle first = bed_push_deadline(bed, "POST path=hang block1=20 |wxyz", 300);

	server_wait_requests(server, 1);
	bed_abandon(bed, first);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	bed_expect_start(bed_ask(bed, "POST path=hang block1=20 |wxyz"), "5.04");
	cr_expect_eq(server_requests(server), 1);
}

Test(upstream_bodies, a_large_answer_is_asked_for_once_and_sent_in_blocks)
{
	char line[64], etag[32] = "";
	unsigned size = 0, szx = 0;
	size_t got = 0;

	for (unsigned num = 0; !num || got < 100000; num++) {
		unsigned value = num << 4 | szx;

		snprintf(line, sizeof(line), "GET path=big block2=%0*x", value > 0xff ? 4 : 2,
			value);
		const char *answer = bed_ask(bed, num ? line : "GET path=big");
		const char *payload = strchr(answer, '|');

		bed_expect_start(answer, "2.05 etag=");
		bed_expect_part(answer, " size2=100000 |");
		cr_assert_not_null(payload);
		size_t len = strlen(payload + 1);
		if (num) {
			cr_expect_eq(strncmp(answer + 10, etag, 16), 0, "%s", line);
		} else {
			size = (unsigned)len;
			szx = (unsigned)__builtin_ctz(size) - 4;
		}
		snprintf(etag, sizeof(etag), "%.16s", answer + 10);
		cr_expect_eq(len, 100000 - got < size ? 100000 - got : size);
		cr_assert_gt(len, 0);
		got += len;
	}
	cr_expect_eq(got, 100000);
	cr_expect_eq(server_requests(server), 1);
	bed_expect_start(bed_ask(bed, "GET path=big block2=fff6"), "4.00"); // beyond the end
	bed_expect_start(bed_ask(bed, "GET path=big"), "2.05 etag=");
	cr_expect_eq(server_requests(server), 2, "its first block asks the server");
}

// A later block of what is there moves nothing; to get what is gone the server would be asked.
Test(upstream_bodies, a_stale_request_gets_blocks_of_what_is_kept_only)
{
	bed->stale = true;
	EXPECT_ANSWER(bed_ask(bed, "GET path=big block2=12"), "4.01 echo=");
	EXPECT_ANSWER(bed_ask(bed, "FETCH path=big block2=12 |q"), "4.01 echo=");
	cr_expect_eq(server_requests(server), 0);
	bed->stale = false;
	bed_expect_start(bed_ask(bed, "GET path=big block2=02"), "2.05 etag=");
	bed->stale = true;
	bed_expect_start(bed_ask(bed, "GET path=big block2=12"), "2.05 etag=");
	cr_expect_eq(server_requests(server), 1);
}

static void setup_cached(void)
{
	bed_routes = "- {path: /b0/*, to: up, strip: 1, cache: {scope: shared, default: 1m}}\n";
	setup();
}

TestSuite(upstream_bodies_cached, .init = setup_cached, .fini = teardown);

Test(upstream_bodies_cached, a_stale_request_gets_blocks_of_what_is_cached_only)
{
	bed->stale = true;
	EXPECT_ANSWER(bed_ask(bed, "GET path=b0 path=big block2=12"), "4.01 echo=");
	cr_expect_eq(server_requests(server), 0);
	bed->stale = false;
	bed_expect_start(bed_ask(bed, "GET path=b0 path=big block2=02"), "2.05 etag=");
	bed->stale = true;
	bed_expect_start(bed_ask(bed, "GET path=b0 path=big block2=12"), "2.05 etag=");
	cr_expect_eq(server_requests(server), 1);
}

Test(upstream_bodies, an_answer_of_one_block_is_as_before)
{
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok block2=06"), "2.05 cf=0 max-age=0 block2=06 |one");
	EXPECT_ANSWER(bed_ask(bed, "GET path=status/404 block2=06"),
		bed_ask(bed, "GET path=status/404 block2=06"));
}

// Of all bodies, whatever their upstream.
static uint64_t bodies_stat(enum up_stat stat)
{
	return up_loop_stat(bed->loop, bed->conf->upstream_count, stat);
}

static void wait_bodies(uint64_t count)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	while (bodies_stat(UP_STAT_body_bodies) != count) {
		cr_assert(bed_now_ms() < until, "there never were %u bodies", (unsigned)count);
		usleep(500);
	}
}

static void wait_no_bodies(void)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	wait_bodies(0);
	while (bodies_stat(UP_STAT_body_bytes)) {
		cr_assert(bed_now_ms() < until, "bytes stay");
		usleep(500);
	}
}

// bodies.md section 1: they die with the context's generation, at once and not at the next block.
Test(upstream_bodies, bodies_1_a_device_that_is_gone_takes_its_bodies_along)
{
	begin("PUT path=ok");
	bed->device = 8;
	begin("PUT path=ok");
	bed->device = 0;
	bed_expect_start(bed_ask(bed, "GET path=big"), "2.05 etag=");
	wait_bodies(3);
	up_loop_device_gone(bed->loop, 7, 2); // an earlier one
	up_loop_device_gone(bed->loop, 8, 3);
	wait_bodies(2);
	up_loop_device_gone(bed->loop, 7, 3);
	wait_no_bodies();
	cr_expect_eq(bodies_stat(UP_STAT_body_lost), 3);
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=20 |wxyz"), "4.08");
}

Test(upstream_bodies, bodies_1_a_request_under_way_ends_with_its_device)
{
	begin("PUT path=hang");
	bed_push(bed, "PUT path=hang block1=20 |wxyz");
	server_wait_requests(server, 1);
	bed->no_name = true;
	up_loop_device_gone(bed->loop, 7, 3);
	bed_expect_start(bed_pull(bed, NULL), "5.03");
	wait_no_bodies();
	cr_expect_eq(bed_stat(bed, UP_STAT_inflight), 0);
}

// The worker had it on the way when main said that the device is gone.
Test(upstream_bodies, bodies_1_a_device_that_is_gone_opens_no_body)
{
	bed->no_name = true;
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=08 |0123456789abcdef"), "5.03");
	bed->no_name = false;
	bed_expect_start(bed_ask(bed, "PUT path=ok block1=18 |ghijklmnopqrstuv"), "4.08");
	wait_no_bodies();
}

// More devices go at once than there is room to say.
Test(upstream_bodies, bodies_1_devices_that_go_by_the_thousand_take_their_bodies_along)
{
	for (bed->device = 1; bed->device <= 200; bed->device++)
		EXPECT_ANSWER(
			bed_ask(bed, "PUT path=ok block1=08 |0123456789abcdef"), "2.31 block1=08");
	bed->no_name = true;
	for (uint32_t device = 100000; device > 0; device--)
		up_loop_device_gone(bed->loop, device, 3);
	wait_no_bodies();
}

Test(upstream_bodies, what_waits_is_answered_at_a_stop)
{
	begin("PUT path=hold");
	bed_push(bed, "PUT path=hold block1=20 |wxyz");
	begin("PUT path=ok");
	server_wait_requests(server, 1);
	up_loop_stop(bed->loop, 0);
	bed_expect_start(bed_pull(bed, NULL), "5.03");
}
