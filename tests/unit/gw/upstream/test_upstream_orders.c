// SPDX-License-Identifier: BSD-3-Clause
// Servers that an operator takes out, and what is counted of each.

#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void order(struct bed *bed, uint64_t drain, uint64_t maint)
{
	const struct conf_upstream *upstream = &bed->conf->upstreams[0];
	struct up_slot *slot = up_loop_slot(bed->loop, 0);

	for (size_t i = 0; i < upstream->server_count; i++) {
		struct up_server_slot *server =
			up_server_slot_find(slot, upstream->servers[i].text);

		__atomic_store_n(&server->drain, drain >> i & 1, __ATOMIC_RELAXED);
		__atomic_store_n(&server->maint, maint >> i & 1, __ATOMIC_RELAXED);
	}
	up_slot_touch(slot);
	up_loop_wake(bed->loop);
}

static struct up_server_view view(const struct bed *bed, size_t server)
{
	struct up_server_view view = {.down = false};

	up_loop_server(bed->loop, 0, server, &view);
	return view;
}

// What is under way at a server that drains finishes there, and nothing new comes to it.
Test(upstream_orders, drain)
{
	struct server *servers[] = {bed_server("one"), bed_server("two")};
	struct bed *bed = bed_for_all(servers, 2, "");
	unsigned held[2];

	for (unsigned i = 0; i < 4; i++)
		bed_push(bed, "GET path=hold");
	server_wait_requests(servers[0], 2);
	server_wait_requests(servers[1], 2);
	cr_expect_eq(view(bed, 0).in_flight, 2);
	order(bed, 1 << 0, 0);
	bed_wait_up(bed, 1);
	for (unsigned i = 0; i < 8; i++)
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |two");
	cr_expect_eq(server_requests(servers[0]), 2);
	for (unsigned i = 0; i < 2; i++) {
		held[i] = server_requests(servers[i]);
		server_release(servers[i]);
	}
	cr_expect_eq(bed_answers_like(bed, 4, "2.05"), 4);
	cr_expect(held[0] == 2 && held[1] == 10);
	cr_expect_eq(view(bed, 0).in_flight, 0);
	// All out: nobody waits for them.
	order(bed, 1 << 0 | 1 << 1, 0);
	bed_wait_up(bed, 0);
	bed_expect_start(bed_ask(bed, "GET path=ok"), "5.03 ");
	order(bed, 1 << 1, 0);
	bed_wait_up(bed, 1);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_end(bed);
	server_stop(servers[0]);
	server_stop(servers[1]);
}

static void wait_checks(struct server *server, unsigned more)
{
	unsigned until = server_checks(server) + more;

	for (uint64_t late = bed_now_ms() + LONG_MS; server_checks(server) < until;) {
		cr_assert_lt(bed_now_ms(), late);
		usleep(1000);
	}
}

// Health checks go on while a server drains, and end in maintenance; behind that the first decides.
Test(upstream_orders, maintenance)
{
	struct server *servers[] = {bed_server("one"), bed_server("two")};
	struct bed *bed = bed_for_all(
		servers, 2, "check: {path: /healthz, interval: 10ms, rise: 1000, fall: 1000}");

	wait_checks(servers[0], 1);
	wait_checks(servers[1], 1);
	order(bed, 1 << 0, 0);
	bed_wait_up(bed, 1);
	wait_checks(servers[0], 3);
	order(bed, 0, 1 << 0);
	wait_checks(servers[1], 2); // the loop took a turn, and what was under way is over
	unsigned before = server_checks(servers[0]);
	server_healthy(servers[0], false);
	wait_checks(servers[1], 10);
	cr_expect_leq(server_checks(servers[0]), before + 1);
	cr_expect_not(view(bed, 0).down);
	order(bed, 0, 0);
	for (uint64_t late = bed_now_ms() + LONG_MS; !view(bed, 0).down; usleep(1000))
		cr_assert_lt(bed_now_ms(), late, "the first check decides");
	cr_expect_gt(view(bed, 0).stats.stat[UP_SERVER_STAT_checks_failed], 0);
	order(bed, 0, 1 << 0);
	wait_checks(servers[1], 2);
	server_healthy(servers[0], true);
	order(bed, 0, 0);
	bed_wait_up(bed, 2);
	bed_end(bed);
	server_stop(servers[0]);
	server_stop(servers[1]);
}

Test(upstream_orders, what_is_counted_of_each)
{
	struct server *servers[] = {bed_server("one"), bed_server("two")};
	struct bed *bed = bed_for_all(servers, 2, "");
	struct up_server_view one, two;
	uint64_t answers = 0;

	for (unsigned i = 0; i < 6; i++)
		bed_ask(bed, "GET path=ok");
	bed_expect_start(bed_ask(bed, "GET path=status path=503"), "5.03 ");
	EXPECT_ANSWER(bed_ask(bed, "POST path=reset |x"), "5.02 max-age=0 |backend hung up");
	one = view(bed, 0);
	two = view(bed, 1);
	cr_expect_eq(one.stats.stat[UP_SERVER_STAT_attempts], 4);
	cr_expect_eq(two.stats.stat[UP_SERVER_STAT_attempts], 4);
	cr_expect_eq(one.stats.stat[UP_SERVER_STAT_answers], 4);
	cr_expect_eq(two.stats.stat[UP_SERVER_STAT_answers], 3);
	cr_expect_eq(one.stats.stat[UP_SERVER_STAT_failures], 1); // the 503
	cr_expect_eq(two.stats.stat[UP_SERVER_STAT_failures], 1);
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		answers += one.stats.latency[i];
	cr_expect_eq(answers, 4);
	uint64_t sum = one.stats.stat[UP_SERVER_STAT_latency_us];
	cr_expect(sum && sum <= 4 * up_latency_quantile(&one.stats, 1000));
	bed_end(bed);
	server_stop(servers[0]);
	server_stop(servers[1]);
}

// ---- orders at any time

struct orders {
	struct bed *bed;
	bool over; // atomic
};

static void *orders_give(void *arg)
{
	struct orders *orders = arg;

	for (uint32_t random = 1; !__atomic_load_n(&orders->over, __ATOMIC_RELAXED);) {
		random = random * 1664525 + 1013904223;
		order(orders->bed, random >> 20 & 7, random >> 26 & 7);
		usleep(random >> 24);
	}
	return NULL;
}

// However orders change, each request gets one answer: a server's, or that there is none.
Test(upstream_orders, at_random)
{
	static const char *const balances[] = {"rr", "least", "hash"};

	for (unsigned b = 0; b < 3; b++) {
		struct server *servers[] = {
			bed_server("one"), bed_server("two"), bed_server("three")};
		char more[160];
		unsigned good = 0, none = 0;

		snprintf(more, sizeof(more),
			"balance: %s, max_inflight: 4, check: {path: /healthz, interval: 10ms}",
			balances[b]);
		bed_routes = "- {path: /b0, to: up, batch: {path: /ok, max: 4, wait: 1ms}}\n";
		struct orders orders = {.bed = bed_for_all(servers, 3, more)};
		struct bed *bed = orders.bed;
		pthread_t thread;
		cr_assert(!pthread_create(&thread, NULL, orders_give, &orders));
		for (unsigned i = 0; i < 500; i++) {
			for (unsigned k = 0; k < 8; k++) {
				bed->device = k + 1;
				bed_push(bed, k % 2 ? "GET path=ok" : "POST path=b0 |x");
			}
			for (unsigned k = 0; k < 8; k++) {
				const char *answer = bed_pull(bed, NULL);

				good += *answer == '2';
				none += !strncmp(answer, "5.03", 4);
			}
		}
		__atomic_store_n(&orders.over, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
		cr_expect(good && none && good + none == 4000, "%u and %u", good, none);
		order(bed, 0, 0);
		bed_wait_up(bed, 3);
		for (size_t i = 0; i < 3; i++)
			cr_expect_eq(view(bed, i).in_flight, 0);
		bed_expect_start(bed_ask(bed, "GET path=ok"), "2.05");
		bed_end(bed);
		for (unsigned i = 0; i < 3; i++)
			server_stop(servers[i]);
	}
}
