// SPDX-License-Identifier: BSD-3-Clause
// Answers that the loop stores: what a backend that counts is asked, who waits for what, what makes
// an entry stale, who gives way. What may be stored for how long is in tests/unit/gw/cache.

#include "tests/unit/gw/http/origin.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUTES                                                                                \
	"- {path: /b0/*, to: up, strip: 1, cache: shared}\n"                                  \
	"- {path: /b1/*, to: up, strip: 1, cache: private}\n"                                 \
	"- {path: /b2/*, to: up, strip: 1, methods: [GET], cache: "                           \
	"{scope: shared, default: 5s}}\n"                                                     \
	"- {path: /b3/*, to: up, strip: 1}\n"                                                 \
	"- {path: /b4/*, to: up, strip: 1, cache: shared, headers: {Authorization: \"Bearer " \
	"x\"}}\n"

static struct origin *origin;
static struct bed *bed;
static char upstream[256];

static void begin(const char *routes)
{
	origin = origin_start();
	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"], max_inflight: 64",
		origin_port(origin));
	bed_routes = routes;
	bed = bed_make(upstream);
	origin_says(
		origin, 200, "Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n", "first");
}

static void setup(void)
{
	bed_exchanges = 256;
	begin(ROUTES);
}

static void teardown(void)
{
	bed_end(bed);
	origin_stop(origin);
}

TestSuite(upstream_cache, .init = setup, .fini = teardown);

static uint64_t stat(enum up_cache_stat which)
{
	struct up_route_stats stats = {.us = 0};

	up_route_stats_sum(&stats, up_loop_route_stats(bed->loop, BED_SLOT));
	return stats.cache[which];
}

// What is fresh for how long, depends on the clock.
static void expect_fresh(const char *answer, const char *start, const char *part)
{
	bed_expect_start(answer, start);
	bed_expect_part(answer, part);
}

static uint32_t entries(void)
{
	return bed->reps->table[0].count;
}

Test(upstream_cache, the_second_is_answered_from_what_is_stored)
{
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "2.05 cf=0", "|first");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "2.05 cf=0", "|first");
	bed->device = 8;
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "2.05 cf=0", "|first");
	cr_expect_eq(origin_requests(origin), 1);
	cr_expect_eq(entries(), 1);
	cr_expect_eq(stat(UP_CACHE_STAT_misses), 1);
	cr_expect_eq(stat(UP_CACHE_STAT_hits), 2);
	cr_expect_gt(stat(UP_CACHE_STAT_bytes), 0);
	// Another resource, another form, another route are others.
	bed_ask(bed, "GET path=b0 path=y");
	bed_ask(bed, "GET path=b0 path=x query=q");
	bed_ask(bed, "GET path=b0 path=x accept=0");
	bed_ask(bed, "GET path=b2 path=x");
	bed_ask(bed, "FETCH path=b0 path=x |q");
	bed_ask(bed, "FETCH path=b0 path=x |r");
	cr_expect_eq(origin_requests(origin), 7);
	cr_expect_eq(entries(), 7);
}

Test(upstream_cache, a_shared_request_says_nothing_of_its_device)
{
	static const char *const identity[] = {"Device-Id", "Oscore-Context", "Forwarded",
		"traceparent", "Idempotency-Key", "Device-Echo-Age"};

	bed_ask(bed, "GET path=b0 path=x");
	for (unsigned i = 0; i < 6; i++)
		cr_expect(!strcasestr(origin_last(origin), identity[i]), "%s", identity[i]);
	// Nor does one that goes by itself.
	bed_ask(bed, "GET path=b0 path=x if-match=01");
	cr_expect_eq(origin_requests(origin), 2);
	for (unsigned i = 0; i < 6; i++)
		cr_expect(!strcasestr(origin_last(origin), identity[i]), "%s", identity[i]);
	bed_ask(bed, "PUT path=b0 path=x |q");
	cr_expect(strcasestr(origin_last(origin), "Device-Id") != NULL, "what changes something");
	bed_ask(bed, "GET path=b1 path=x");
	cr_expect(strcasestr(origin_last(origin), "Device-Id") != NULL, "private");
	bed_ask(bed, "GET path=b3 path=x");
	cr_expect(strcasestr(origin_last(origin), "Device-Id") != NULL, "no cache");
}

Test(upstream_cache, a_private_answer_is_of_one_device)
{
	origin_says(origin, 200, "Cache-Control: private, max-age=60\r\n", "of 7");
	bed_expect_part(bed_ask(bed, "GET path=b1 path=x"), "|of 7");
	origin_says(origin, 200, "Cache-Control: private, max-age=60\r\n", "of 8");
	bed->device = 8;
	bed_expect_part(bed_ask(bed, "GET path=b1 path=x"), "|of 8");
	bed->device = 7;
	bed_expect_part(bed_ask(bed, "GET path=b1 path=x"), "|of 7");
	cr_expect_eq(origin_requests(origin), 2);
	up_loop_device_gone(bed->loop, 7, 3);
	for (unsigned i = 0; entries() > 1 && i < 10000; i++)
		usleep(200);
	cr_expect_eq(entries(), 1);
	bed_expect_part(bed_ask(bed, "GET path=b1 path=x"), "|of 8");
	cr_expect_eq(origin_requests(origin), 3);
}

Test(upstream_cache, what_a_device_asks_of_the_form_is_not_asked_of_the_backend)
{
	bed_ask(bed, "GET path=b0 path=x etag=0102 block2=06 6=");
	cr_expect(!strstr(origin_last(origin), "If-None-Match"));
	cr_expect_eq(entries(), 1);
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 1);
}

Test(upstream_cache, an_etag_that_the_device_has)
{
	origin_says(origin, 200, "Cache-Control: max-age=60\r\nETag: \"0a0b\"\r\n", "first");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x etag=0a0b"), "2.03 etag=0a0b", "");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x etag=0a0b etag=01"), "2.03 etag=0a0b", "");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x etag=01"), "2.05 etag=0a0b", "|first");
	cr_expect_eq(origin_requests(origin), 1);
}

// What waits for one answer gets it, each of them.
Test(upstream_cache, many_at_once_are_one_request)
{
	origin_hold(origin, true);
	for (unsigned i = 0; i < 100; i++)
		bed_push(bed, i % 2 ? "GET path=b0 path=x" : "GET path=b0 path=x etag=01");
	origin_wait(origin, 1);
	while (stat(UP_CACHE_STAT_collapsed) < 99)
		usleep(200);
	origin_hold(origin, false);
	cr_expect_eq(bed_answers_like(bed, 100, "2.05 cf=0"), 100);
	cr_expect_eq(origin_requests(origin), 1);
}

Test(upstream_cache, each_waits_as_long_as_it_may)
{
	dp_handle first, second, got;

	origin_hold(origin, true);
	first = bed_push_deadline(bed, "GET path=b0 path=x", 300);
	origin_wait(origin, 1);
	second = bed_push_deadline(bed, "GET path=b0 path=x", 5000);
	bed_abandon(bed, first);
	EXPECT_ANSWER(bed_pull(bed, &got), "");
	cr_expect_eq(got, first);
	origin_hold(origin, false);
	bed_expect_part(bed_pull(bed, &got), "|first");
	cr_expect_eq(got, second);
	cr_expect_eq(origin_requests(origin), 1);
}

Test(upstream_cache, what_nobody_waits_for_is_given_up)
{
	origin_hold(origin, true);
	dp_handle first = bed_push_deadline(bed, "GET path=b0 path=x", 300);

	origin_wait(origin, 1);
	bed_abandon(bed, first);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	bed_wait_stat(bed, UP_STAT_inflight, 0);
	origin_hold(origin, false);
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|first");
}

// What may not be stored is the answer of one of those who waited; the others ask for themselves.
Test(upstream_cache, what_may_not_be_shared_is_one_device_s)
{
	origin_says(origin, 200, "Cache-Control: no-store\r\n", "mine");
	origin_hold(origin, true);
	for (unsigned i = 0; i < 10; i++)
		bed_push(bed, "GET path=b0 path=x");
	origin_wait(origin, 1);
	while (stat(UP_CACHE_STAT_collapsed) < 9)
		usleep(200);
	origin_hold(origin, false);
	cr_expect_eq(bed_answers_like(bed, 10, "2.05 max-age=0 |mine"), 10);
	cr_expect_eq(origin_requests(origin), 10);
	cr_expect_eq(entries(), 0);
	// From now on nobody waits for another one's answer.
	origin_hold(origin, true);
	for (unsigned i = 0; i < 10; i++)
		bed_push(bed, "GET path=b0 path=x");
	origin_wait(origin, 20);
	origin_hold(origin, false);
	cr_expect_eq(bed_answers_like(bed, 10, "2.05 max-age=0 |mine"), 10);
}

Test(upstream_cache, fixed_authorization_needs_to_be_allowed)
{
	bed_ask(bed, "GET path=b4 path=x");
	cr_expect(strstr(origin_last(origin), "Authorization: Bearer x") != NULL);
	cr_expect_eq(entries(), 0);
	origin_says(origin, 200, "Cache-Control: public, max-age=60\r\n", "x");
	bed_ask(bed, "GET path=b4 path=y");
	cr_expect_eq(entries(), 1);
}

Test(upstream_cache, a_default_for_what_says_nothing)
{
	origin_says(origin, 200, "", "first");
	bed_expect_part(bed_ask(bed, "GET path=b2 path=x"), "|first");
	cr_expect_eq(entries(), 1);
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(entries(), 1);
}

Test(upstream_cache, no_cache_is_validated_each_time)
{
	origin_says(origin, 200, "Cache-Control: no-cache\r\nETag: \"0a\"\r\n", "first");
	origin_validates(origin, "\"0a\"");
	EXPECT_ANSWER(bed_ask(bed, "GET path=b0 path=x"), "2.05 etag=0a max-age=0 |first");
	for (unsigned i = 1; i < 4; i++) {
		EXPECT_ANSWER(bed_ask(bed, "GET path=b0 path=x"), "2.05 etag=0a max-age=0 |first");
		cr_expect_eq(origin_valid(origin), i);
	}
	cr_expect_eq(stat(UP_CACHE_STAT_validated), 3);
	// And gets what is new.
	origin_validates(origin, "\"0b\"");
	origin_says(origin, 200, "Cache-Control: no-cache\r\nETag: \"0b\"\r\n", "second");
	EXPECT_ANSWER(bed_ask(bed, "GET path=b0 path=x"), "2.05 etag=0b max-age=0 |second");
	cr_expect_eq(origin_valid(origin), 3);
}

Test(upstream_cache, a_date_validates_what_has_no_etag)
{
	origin_says(
		origin, 200, "Cache-Control: no-cache\r\nLast-Modified: yesterday\r\n", "first");
	origin_validates(origin, "yesterday");
	bed_ask(bed, "GET path=b0 path=x");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|first");
	cr_expect_eq(origin_valid(origin), 1);
}

// A 304 makes what is stored fresh again, for as long as it says.
Test(upstream_cache, a_304_refreshes)
{
	origin_says(origin, 200, "Cache-Control: max-age=0\r\nETag: \"0a\"\r\n", "first");
	origin_validates(origin, "\"0a\"");
	bed_ask(bed, "GET path=b0 path=x");
	origin_says(origin, 200, "Cache-Control: max-age=30\r\nETag: \"0a\"\r\n", "first");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "2.05 etag=0a", "|first");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|first");
	cr_expect_eq(origin_requests(origin), 2);
	cr_expect_eq(stat(UP_CACHE_STAT_validated), 1);
}

// A 304 about another ETag than that which was sent is not believed.
Test(upstream_cache, a_304_of_another_one)
{
	origin_says(origin, 200, "Cache-Control: max-age=0\r\nETag: \"0a\"\r\n", "first");
	bed_ask(bed, "GET path=b0 path=x");
	origin_validates(origin, "\"0a\"");
	origin_says(origin, 200, "Cache-Control: max-age=30\r\nETag: \"0b\"\r\n", "second");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "2.05 etag=0b", "|second");
	cr_expect_eq(origin_requests(origin), 3);
}

Test(upstream_cache, a_304_to_what_was_not_asked)
{
	origin_says(origin, 304, "", "");
	bed_expect_start(bed_ask(bed, "GET path=b0 path=x"), "5.02");
	cr_expect_eq(entries(), 0);
}

static void expect_stale_after(const char *line, const char *start)
{
	bed_ask(bed, "GET path=b0 path=x");
	bed_ask(bed, "GET path=b0 path=x query=q");
	bed_ask(bed, "GET path=b0 path=other");
	unsigned before = origin_requests(origin);

	bed_expect_start(bed_ask(bed, line), start);
	cr_expect_eq(origin_requests(origin), before + 1);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "second");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|second");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x query=q"), "|second");
	cr_expect_eq(origin_requests(origin), before + 3);
	bed_expect_part(bed_ask(bed, "GET path=b0 path=other"), "|first");
	cr_expect_eq(origin_requests(origin), before + 3);
}

Test(upstream_cache, a_put_makes_the_path_stale)
{
	expect_stale_after("PUT path=b0 path=x |q", "2.04");
}

Test(upstream_cache, a_post_does)
{
	expect_stale_after("POST path=b0 path=x query=other |q", "2.04");
}

Test(upstream_cache, a_delete_does)
{
	expect_stale_after("DELETE path=b0 path=x", "2.02");
}

Test(upstream_cache, a_patch_does)
{
	expect_stale_after("iPATCH path=b0 path=x |q", "2.04");
}

Test(upstream_cache, what_was_refused_changed_nothing)
{
	bed_ask(bed, "GET path=b0 path=x");
	origin_says(origin, 403, "", "");
	bed_expect_start(bed_ask(bed, "PUT path=b0 path=x |q"), "4.03");
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "second");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|first");
}

Test(upstream_cache, what_is_not_known_may_have_changed_all)
{
	bed_ask(bed, "GET path=b0 path=x");
	origin_vanish(origin, true);
	bed_expect_start(bed_ask(bed, "POST path=b0 path=x |q"), "5.02");
	origin_vanish(origin, false);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "second");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|second");
	origin_says(origin, 500, "", "");
	bed_expect_start(bed_ask(bed, "PUT path=b0 path=x |q"), "5.00");
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "third");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|third");
}

Test(upstream_cache, who_gives_up_a_change_leaves_it_unknown)
{
	bed_ask(bed, "GET path=b0 path=x");
	origin_hold(origin, true);
	dp_handle put = bed_push_deadline(bed, "PUT path=b0 path=x |q", 300);

	origin_wait(origin, 2);
	bed_abandon(bed, put);
	EXPECT_ANSWER(bed_pull(bed, NULL), "");
	origin_hold(origin, false);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "second");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|second");
}

// An answer that was asked for before a change is not stored behind it.
Test(upstream_cache, an_answer_from_before_a_change_is_not_stored)
{
	origin_hold(origin, true);
	bed_push(bed, "GET path=b0 path=x");
	origin_wait(origin, 1);
	bed_push(bed, "PUT path=b0 path=x |q");
	origin_wait(origin, 2);
	origin_hold(origin, false);
	cr_expect_eq(bed_answers_like(bed, 2, "2.0"), 2);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "second");
	bed_expect_part(bed_ask(bed, "GET path=b0 path=x"), "|second");
}

Test(upstream_cache, who_asks_after_a_change_does_not_get_what_was_before)
{
	origin_hold(origin, true);
	bed_push(bed, "GET path=b0 path=x");
	origin_wait(origin, 1);
	for (unsigned i = 0; i < DP_REP_EPOCHS; i++) // of whatever path it is
		dp_rep_epoch_raise(bed->reps, i);
	bed_push(bed, "GET path=b0 path=x");
	origin_wait(origin, 2);
	origin_hold(origin, false);
	cr_expect_eq(bed_answers_like(bed, 2, "2.05"), 2);
	cr_expect_eq(stat(UP_CACHE_STAT_collapsed), 0);
	cr_expect_eq(entries(), 1);
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 2, "the younger one is stored");
}

Test(upstream_cache, errors_with_freshness_are_stored)
{
	origin_says(origin, 404, "Cache-Control: max-age=9\r\n", "no such thing");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "4.04", "|no such thing");
	expect_fresh(bed_ask(bed, "GET path=b0 path=x"), "4.04", "|no such thing");
	cr_expect_eq(origin_requests(origin), 1);
	origin_says(origin, 404, "", "no such thing");
	bed_ask(bed, "GET path=b0 path=y");
	bed_ask(bed, "GET path=b0 path=y");
	cr_expect_eq(origin_requests(origin), 3);
}

Test(upstream_cache, stale_if_error)
{
	origin_says(origin, 200, "Cache-Control: max-age=0, stale-if-error=60\r\n", "first");
	bed_ask(bed, "GET path=b0 path=x");
	origin_says(origin, 503, "", "");
	EXPECT_ANSWER(bed_ask(bed, "GET path=b0 path=x"), "2.05 max-age=0 |first");
	origin_vanish(origin, true);
	EXPECT_ANSWER(bed_ask(bed, "GET path=b0 path=x"), "2.05 max-age=0 |first");
	cr_expect_eq(stat(UP_CACHE_STAT_stale), 2);
	// But not what was changed since.
	origin_vanish(origin, false);
	bed_ask(bed, "PUT path=b0 path=x |q");
	bed_expect_start(bed_ask(bed, "GET path=b0 path=x"), "5.03");
	origin_says(origin, 404, "", "");
	bed_expect_start(bed_ask(bed, "GET path=b0 path=x"), "4.04");
	cr_expect_eq(entries(), 0, "it says that there is nothing");
}

Test(upstream_cache, a_backend_that_fails_is_asked_once)
{
	origin_says(origin, 503, "", "");
	origin_hold(origin, true);
	for (unsigned i = 0; i < 50; i++)
		bed_push(bed, "GET path=b0 path=x");
	origin_wait(origin, 1);
	while (stat(UP_CACHE_STAT_collapsed) < 49)
		usleep(200);
	origin_hold(origin, false);
	cr_expect_eq(bed_answers_like(bed, 50, "5.03"), 50);
	cr_expect_eq(origin_requests(origin), 1);
}

Test(upstream_cache, large_answers_are_stored_whole)
{
	static char body[5001];
	char line[64], got[8192] = "";
	unsigned szx = 6;

	memset(body, 'x', sizeof(body) - 1);
	for (unsigned i = 0; i < 5000; i += 100)
		body[i] = (char)('a' + i / 100 % 26);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", body);
	for (unsigned num = 0; strlen(got) < 5000; num++) {
		unsigned value = num << 4 | szx;

		snprintf(line, sizeof(line), "GET path=b0 path=x block2=%0*x", value > 0xff ? 4 : 2,
			value);
		const char *answer = bed_ask(bed, num ? line : "GET path=b0 path=x");
		const char *payload = strchr(answer, '|');

		bed_expect_start(answer, "2.05 etag=");
		cr_assert_not_null(payload);
		if (!num)
			szx = strlen(payload + 1) == 512 ? 5 : 6;
		strcat(got, payload + 1);
		cr_assert_lt(num, 20);
	}
	cr_expect_str_eq(got, body);
	cr_expect_eq(origin_requests(origin), 1);
}

// A device asks for later blocks of a FETCH without its payload: what it gets is of that FETCH.
Test(upstream_cache, a_large_fetch_is_each_device_s)
{
	static char body[3001];
	unsigned before;

	memset(body, 'x', sizeof(body) - 1);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", body);
	bed_expect_part(bed_ask(bed, "FETCH path=b0 path=x |q"), "block2=0");
	bed->device = 8;
	bed_expect_part(bed_ask(bed, "FETCH path=b0 path=x |q"), "block2=0");
	before = origin_requests(origin);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "another");
	bed_expect_part(bed_ask(bed, "FETCH path=b0 path=x block2=15"), "|xxx");
	bed->device = 7;
	bed_expect_part(bed_ask(bed, "FETCH path=b0 path=x block2=15"), "|xxx");
	cr_expect_eq(origin_requests(origin), before);
	// A small one is everybody's.
	bed_expect_part(bed_ask(bed, "FETCH path=b0 path=x |r"), "|another");
	bed->device = 8;
	bed_expect_part(bed_ask(bed, "FETCH path=b0 path=x |r"), "|another");
	cr_expect_eq(origin_requests(origin), before + 1);
}

// ---- room

static void expect_all_there(unsigned count)
{
	char line[64];
	unsigned before = origin_requests(origin);

	for (unsigned i = 0; i < count; i++) {
		snprintf(line, sizeof(line), "GET path=b0 path=others query=%u", i);
		bed_expect_start(bed_ask(bed, line), "2.05");
	}
	cr_expect_eq(origin_requests(origin), before);
}

Test(upstream_cache, a_device_takes_a_tenth)
{
	const char *keys = getenv("CACHE_KEYS"); // by hand: 1000000, in minutes
	char line[64];

	bed_end(bed);
	bed_cache = "cache: {memory: 1MB, entries: 1024}\n";
	bed = bed_make(upstream);
	origin_says(origin, 200, "Cache-Control: max-age=86400\r\n", "x");
	bed->device = 8;
	for (unsigned i = 0; i < 50; i++) {
		snprintf(line, sizeof(line), "GET path=b0 path=others query=%u", i);
		bed_ask(bed, line);
	}
	bed->device = 9;
	for (unsigned i = 0; i < (keys ? (unsigned)atoi(keys) : 3000); i++) {
		snprintf(line, sizeof(line), "GET path=b0 path=mine query=%u", i);
		bed_ask(bed, line);
	}
	cr_expect_leq(entries(), 50 + 1024 / 10);
	cr_expect_geq(entries(), 50 + 1024 / 10 - 5);
	cr_expect_gt(stat(UP_CACHE_STAT_evicted), 2000);
	expect_all_there(50);
	bed_cache = "";
}

Test(upstream_cache, many_devices_share_the_room)
{
	char line[64];

	bed_end(bed);
	bed_cache = "cache: {memory: 1MB, entries: 1024}\n";
	bed = bed_make(upstream);
	for (unsigned i = 0; i < 4000; i++) {
		bed->device = 1 + i % 100;
		snprintf(line, sizeof(line), "GET path=b0 path=x query=%u", i);
		bed_ask(bed, line);
		cr_assert_leq(entries(), 1024);
	}
	cr_expect_gt(entries(), 900);
	cr_expect_leq(bed->reps->table[0].bytes, 1 << 20);
	bed_cache = "";
}

// ---- another configuration

Test(upstream_cache, routes_that_stay_keep_what_is_stored)
{
	bed_ask(bed, "GET path=b0 path=x");
	bed_ask(bed, "GET path=b2 path=x");
	cr_expect_eq(entries(), 2);
	bed_routes = "- {path: /b0/*, to: up, strip: 1, cache: shared}\n"
		     "- {path: /b1/*, to: up, strip: 1}\n"
		     "- {path: /b2/*, to: up, strip: 1, cache: {scope: shared, default: 6s}}\n"
		     "- {path: /b3/*, to: up, strip: 1}\n"
		     "- {path: /b4/*, to: up, strip: 1}\n";
	bed_reload(bed, upstream);
	bed_settle(bed);
	cr_expect_eq(entries(), 1, "what another default was for goes");
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 2);
	bed_ask(bed, "GET path=b2 path=x");
	cr_expect_eq(origin_requests(origin), 3);
	bed_routes = "- {path: /b0/*, to: up, strip: 1}\n";
	bed_reload(bed, upstream);
	bed_settle(bed);
	cr_expect_eq(entries(), 0);
	bed_ask(bed, "GET path=b0 path=x");
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 5);
	// What comes back is another.
	bed_routes = "- {path: /b0/*, to: up, strip: 1, cache: shared}\n";
	bed_reload(bed, upstream);
	bed_settle(bed);
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 6);
}

Test(upstream_cache, a_purge_drops_all)
{
	bed_ask(bed, "GET path=b0 path=x");
	bed_ask(bed, "GET path=b1 path=x");
	up_loop_purge(bed->loop);
	for (unsigned i = 0; entries() && i < 10000; i++)
		usleep(200);
	cr_expect_eq(entries(), 0);
	cr_expect_eq(stat(UP_CACHE_STAT_bytes), 0);
	bed_ask(bed, "GET path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 3);
}
