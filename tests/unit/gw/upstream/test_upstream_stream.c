// SPDX-License-Identifier: BSD-3-Clause
// Streams of events for what is observed: what they publish, when they begin and end, and that what
// becomes of them is none of a server's failures.

#include "gw/upstream/route_stats.h"
#include "tests/unit/gw/http/origin.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EVENTS "text/event-stream"

static struct origin *origin, *second;
static struct bed *bed;
static char upstream[256];

static void setup(void)
{
	origin = origin_start();
	second = origin_start();
	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\"], max_inflight: 64, eject: {errors: 1}",
		origin_port(origin));
	bed_exchanges = 256;
	bed_cache = "cache: {memory: 1MB, entries: 1024}\n";
	bed_routes = "- {path: /b0/*, to: up, strip: 1, max_body: 1000B, cache: shared, observe: "
		     "{stream: {format: 0, max: 2}}}\n"
		     "- {path: /b1/*, to: up, strip: 1, cache: shared, observe: "
		     "{stream: {format: 60, event: set}}}\n";
	bed = bed_make(upstream);
	origin_says(
		origin, 200, "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n", "one");
	origin_says(
		second, 200, "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n", "one");
	origin_streams(origin, 200, EVENTS);
	origin_streams(second, 200, EVENTS);
}

static void teardown(void)
{
	bed_end(bed);
	origin_stop(origin);
	origin_stop(second);
}

TestSuite(upstream_stream, .init = setup, .fini = teardown);

static struct dp_rep_table *table(void)
{
	return &bed->reps->table[0];
}

// A worker has an observation of what was stored last. Returns its slot.
static uint32_t observe(const char *line)
{
	uint32_t slot = 0;

	bed_ask(bed, line);
	while (slot < table()->slots && (!dp_rep_at(table(), slot) || dp_rep_pins(table(), slot)))
		slot++;
	cr_assert_lt(slot, table()->slots);
	cr_assert(dp_rep_pin(table(), slot, dp_rep_at(table(), slot)->hash));
	return slot;
}

static uint64_t stat(enum up_stream_stat which)
{
	return __atomic_load_n(
		&up_loop_route_stats(bed->loop, BED_SLOT)->stream[which], __ATOMIC_RELAXED);
}

static void wait_stat(enum up_stream_stat which, uint64_t value)
{
	for (unsigned i = 0; stat(which) != value && i < 20000; i++)
		usleep(1000);
	cr_assert_eq(stat(which), value, "%u is %u", which, (unsigned)stat(which));
}

static bool is(uint32_t slot, const void *payload, size_t len)
{
	const struct dp_representation *rep = dp_rep_at(table(), slot);

	return rep->payload_len == len && !memcmp(dp_rep_payload(rep), payload, len);
}

// What is published is freed only when there are workers, of which there are none here.
Test(upstream_stream, an_event_is_what_is_there)
{
	uint32_t slot = observe("GET path=b0 path=x query=a");

	origin_wait_streams(origin, 1);
	const char *head = origin_stream_head(origin);

	cr_expect(!strncmp(head, "GET /x?a HTTP/1.1\r\n", 19), "%s", head);
	cr_expect(strstr(head, "\r\nCache-Control: no-cache\r\n"), "%s", head);
	cr_expect(!strstr(head, "Last-Event-ID"), "%s", head);
	cr_expect(!strstr(head, "Device-Id"), "%s", head);
	wait_stat(UP_STREAM_STAT_open, 1);
	origin_wait(origin, 2); // what changed before the stream stood
	origin_stream_says(origin, "data: two\n\n");
	wait_stat(UP_STREAM_STAT_events, 1);
	cr_expect(is(slot, "two", 3));
	cr_expect_eq(dp_rep_at(table(), slot)->content_format, 0);
	cr_expect_eq(dp_rep_at(table(), slot)->observe_ms, UINT64_MAX);
	cr_expect_eq(table()->version, 2);
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x query=a"), "two");
	cr_expect_eq(origin_requests(origin), 2, "it is not asked for");
	origin_stream_says(origin, "event: other\ndata: no\n\ndata: three\n\n");
	wait_stat(UP_STREAM_STAT_events, 2);
	cr_expect(is(slot, "three", 5));
	cr_expect_eq(bed_stat(bed, UP_STAT_inflight), 0);
}

Test(upstream_stream, it_ends_with_its_last_observer)
{
	uint32_t slot = observe("GET path=b0 path=x");

	origin_wait_streams(origin, 1);
	wait_stat(UP_STREAM_STAT_open, 1);
	dp_rep_unpin(table(), slot);
	origin_wait_streams_ended(origin, 1);
	wait_stat(UP_STREAM_STAT_open, 0);
	cr_expect_eq(stat(UP_STREAM_STAT_wanted), 0);
	usleep(600000);
	cr_expect_eq(origin_stream_count(origin), 1);
}

// What it did not tell is asked for, and it goes on from its last event.
Test(upstream_stream, it_comes_back)
{
	uint32_t slot = observe("GET path=b0 path=x");

	origin_wait_streams(origin, 1);
	origin_stream_says(origin, "retry: 1\nid: 7\ndata: two\n\nid: 8\n");
	wait_stat(UP_STREAM_STAT_events, 1);
	origin_says(
		origin, 200, "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n", "four");
	origin_stream_end(origin);
	uint64_t start = bed_now_ms();

	origin_wait_streams(origin, 2);
	cr_expect_geq(bed_now_ms() - start, 300, "not at once");
	cr_expect(strstr(origin_stream_head(origin), "\r\nLast-Event-ID: 7\r\n"));
	for (unsigned i = 0; !is(slot, "four", 4) && i < 10000; i++)
		usleep(1000);
	cr_expect(is(slot, "four", 4));
	cr_expect_eq(dp_rep_at(table(), slot)->observe_ms, UINT64_MAX, "while it stands");
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 0);
	cr_expect_eq(stat(UP_STREAM_STAT_failed), 0);
}

// Then it is good for as long as anything is of which nothing is said, and asked for.
Test(upstream_stream, without_it_what_is_stored_ends)
{
	uint32_t slot = observe("GET path=b0 path=x");

	origin_wait_streams(origin, 1);
	origin_stream_says(origin, "retry: 1\ndata: two\n\n");
	wait_stat(UP_STREAM_STAT_events, 1);
	origin_streams(origin, 404, EVENTS);
	uint64_t start = bed_now_ms();

	origin_stream_end(origin);
	wait_stat(UP_STREAM_STAT_failed, 1);
	cr_expect_eq(stat(UP_STREAM_STAT_open), 0);
	cr_expect(is(slot, "two", 3));
	uint64_t until = dp_rep_at(table(), slot)->observe_ms;

	cr_expect(until > bed_now_ms() && until <= bed_now_ms() + 60000);
	cr_expect_eq(table()->version, 2, "that is no change");
	origin_streams(origin, 200, "text/plain");
	wait_stat(UP_STREAM_STAT_failed, 3);
	// 500 ms, twice that, and twice that again, each a quarter less at most.
	cr_expect_geq(bed_now_ms() - start, 2600);
	origin_streams(origin, 200, EVENTS);
	wait_stat(UP_STREAM_STAT_open, 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 0, "the server is not blamed");
}

Test(upstream_stream, what_cannot_be_taken_is_left_out)
{
	static char large[3100] = "data: ";
	uint32_t slot = observe("GET path=b0 path=x");

	origin_wait_streams(origin, 1);
	wait_stat(UP_STREAM_STAT_open, 1);
	origin_stream_says(origin, "data: \xff\xfe\n\n");
	wait_stat(UP_STREAM_STAT_left_out, 1);
	memset(large + 6, 'x', 1001);
	strcpy(large + 6 + 1001, "\n\n");
	origin_stream_says(origin, large);
	wait_stat(UP_STREAM_STAT_left_out, 2);
	strcpy(large + 6 + 1000, "\n\n");
	origin_stream_says(origin, large);
	wait_stat(UP_STREAM_STAT_events, 1);
	cr_expect_eq(dp_rep_at(table(), slot)->payload_len, 1000);
}

Test(upstream_stream, other_formats_are_base64)
{
	uint32_t slot = observe("GET path=b1 path=x");

	origin_wait_streams(origin, 1);
	wait_stat(UP_STREAM_STAT_open, 1);
	origin_stream_says(origin, "event: set\ndata: gw\ndata: EC\ndata: Aw==\n\n");
	wait_stat(UP_STREAM_STAT_events, 1);
	cr_expect(is(slot, "\x83\x01\x02\x03", 4));
	cr_expect_eq(dp_rep_at(table(), slot)->content_format, 60);
	origin_stream_says(origin,
		"event: set\ndata: gwEC-w==\n\n"
		"event: set\ndata: gwECA\n\n"
		"data: gwEC\n\n");
	wait_stat(UP_STREAM_STAT_left_out, 2);
	cr_expect(is(slot, "\x83\x01\x02\x03", 4));
}

Test(upstream_stream, a_route_has_so_many)
{
	observe("GET path=b0 path=x");
	observe("GET path=b0 path=y");
	observe("GET path=b0 path=z");
	origin_wait_streams(origin, 2);
	wait_stat(UP_STREAM_STAT_open, 2);
	usleep(600000);
	cr_expect_eq(origin_stream_count(origin), 2);
	cr_expect_eq(stat(UP_STREAM_STAT_wanted), 2);
}

// What is asked for in another format, or with FETCH, has none.
Test(upstream_stream, others_are_polled)
{
	origin_says(origin, 200, "Cache-Control: max-age=60\r\nContent-Type: application/json\r\n",
		"1");
	observe("GET path=b0 path=x accept=50");
	origin_says(origin, 200, "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n", "1");
	observe("FETCH path=b0 path=x |q");
	observe("GET path=b0 path=x accept=0");
	origin_wait_streams(origin, 1);
	wait_stat(UP_STREAM_STAT_open, 1);
	usleep(600000);
	cr_expect_eq(origin_stream_count(origin), 1);
	cr_expect_eq(stat(UP_STREAM_STAT_wanted), 1);
}

// A reload begins it again; a stop waits for none.
Test(upstream_stream, a_reload_begins_it_again)
{
	uint32_t slot = observe("GET path=b0 path=x");

	for (unsigned i = 1; i <= 5; i++) {
		origin_wait_streams(origin, i);
		wait_stat(UP_STREAM_STAT_open, 1);
		bed_reload(bed, upstream);
		bed_settle(bed);
	}
	origin_wait_streams(origin, 6);
	wait_stat(UP_STREAM_STAT_open, 1);
	origin_stream_says(origin, "data: five\n\n");
	wait_stat(UP_STREAM_STAT_events, 1);
	cr_expect(is(slot, "five", 4));
	// The route has none any more.
	bed_routes =
		"- {path: /b0/*, to: up, strip: 1, max_body: 1000B, cache: shared, observe: {}}\n"
		"- {path: /b1/*, to: up, strip: 1, cache: shared, observe: {}}\n";
	bed_reload(bed, upstream);
	bed_settle(bed);
	origin_wait_streams_ended(origin, 6);
	wait_stat(UP_STREAM_STAT_wanted, 0);
	cr_expect(is(slot, "five", 4), "what is stored stays");
}

// An operator takes a server out: what it streams goes to another one.
Test(upstream_stream, a_drained_server_has_no_stream)
{
	struct up_server_slot *server;
	char both[256];

	snprintf(both, sizeof(both),
		"servers: [\"http://127.0.0.1:%u\", {url: \"http://127.0.0.1:%u\", weight: 0}]",
		origin_port(origin), origin_port(second));
	bed_reload(bed, both);
	bed_settle(bed);
	observe("GET path=b0 path=x");
	origin_wait_streams(origin, 1);
	snprintf(both, sizeof(both), "servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]",
		origin_port(origin), origin_port(second));
	bed_reload(bed, both);
	bed_settle(bed);
	wait_stat(UP_STREAM_STAT_open, 1);
	unsigned before[2] = {origin_stream_count(origin), origin_stream_count(second)};
	struct origin *other = before[1] ? origin : second;

	server = bed->loop ? up_loop_slot(bed->loop, 0)->servers : NULL;
	char url[64];

	snprintf(url, sizeof(url), ":%u", origin_port(before[1] ? second : origin));
	while (server && !strstr(server->url, url))
		server = server->next;
	cr_assert(server);
	__atomic_store_n(&server->drain, true, __ATOMIC_RELAXED);
	up_slot_touch(up_loop_slot(bed->loop, 0));
	up_loop_wake(bed->loop);
	origin_wait_streams(other, before[!before[1]] + 1);
	wait_stat(UP_STREAM_STAT_open, 1);
}
