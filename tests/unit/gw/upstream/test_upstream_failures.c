// SPDX-License-Identifier: BSD-3-Clause
// What the upstream loop does when servers fail: other servers, health checks, retries.

#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void servers_start(struct server **server, unsigned count)
{
	static const char *const names[] = {"one", "two", "three"};

	for (unsigned i = 0; i < count; i++)
		server[i] = bed_server(names[i]);
}

static void servers_stop(struct server **server, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		server_stop(server[i]);
}

static void expect_start(const char *answer, const char *start)
{
	cr_expect(!strncmp(answer, start, strlen(start)), "%s\nnot\n%s", answer, start);
}

// A server that fails is left out, so that not even a POST meets it.
Test(upstream_failures, ejected_server_gets_no_requests)
{
	struct server *server[2];

	servers_start(server, 2);
	struct bed *bed = bed_for_all(server, 2, "eject: {errors: 2, for: 1h}");
	for (unsigned i = 0; i < 2; i++) { // in turn: the first gets all that fail
		expect_start(bed_ask(bed, "POST path=reset |x"), "5.02");
		expect_start(bed_ask(bed, "POST path=ok |x"), "2.04");
	}
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 1);
	cr_expect_eq(up_loop_servers_up(bed->loop, 0), 1);
	unsigned before = server_requests(server[0]);
	for (unsigned i = 0; i < 10; i++)
		expect_start(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(server_requests(server[0]), before);
	bed_end(bed);
	servers_stop(server, 2);
}

// 502, 503 and 504 are the server's failures; other errors say something of one request.
Test(upstream_failures, statuses_that_eject)
{
	static const struct {
		const char *line;
		bool ejects;
	} rows[] = {{"GET path=status path=500", false}, {"GET path=status path=404", false},
		{"GET path=big", false}, {"GET path=status path=502", true},
		{"GET path=status path=503", true}, {"GET path=status path=504", true},
		{"GET path=rubbish", true}, {"GET path=bighead", true}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct server *server[2];

		servers_start(server, 2);
		struct bed *bed = bed_for_all(server, 2, "eject: {errors: 1}, max_body: 1KB");
		bed_ask(bed, rows[r].line);
		cr_expect_eq(bed_stat(bed, UP_STAT_ejections), rows[r].ejects, "%s", rows[r].line);
		bed_end(bed);
		servers_stop(server, 2);
	}
}

Test(upstream_failures, ejected_server_comes_back)
{
	struct server *server[2];

	servers_start(server, 2);
	struct bed *bed = bed_for_all(server, 2, "eject: {errors: 1, for: 50ms}");
	expect_start(bed_ask(bed, "POST path=reset |x"), "5.02");
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 1);
	bed_wait_up(bed, 2);
	bed_ask(bed, "POST path=ok |x");
	bed_ask(bed, "POST path=ok |x");
	cr_expect_eq(server_requests(server[0]), 2);
	bed_end(bed);
	servers_stop(server, 2);
}

#define QUICK_CHECK "check: {path: /healthz, interval: 20ms, timeout: 20s, rise: 2, fall: 2}"

Test(upstream_failures, server_that_fails_its_checks_gets_no_requests)
{
	struct server *server[2];

	servers_start(server, 2);
	struct bed *bed = bed_for_all(server, 2, QUICK_CHECK);
	bed_wait_stat(bed, UP_STAT_checks, 6);
	cr_expect_eq(bed_stat(bed, UP_STAT_checks_failed), 0);
	cr_expect_eq(up_loop_servers_up(bed->loop, 0), 2);
	server_healthy(server[0], false);
	bed_wait_up(bed, 1);
	for (unsigned i = 0; i < 10; i++)
		expect_start(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(server_requests(server[0]), 0);
	server_healthy(server[0], true);
	bed_wait_up(bed, 2);
	bed_ask(bed, "POST path=ok |x");
	bed_ask(bed, "POST path=ok |x");
	cr_expect_eq(server_requests(server[0]), 1);
	cr_expect_gt(server_checks(server[0]), 4);
	bed_end(bed);
	servers_stop(server, 2);
}

// With all servers down nobody waits: 5.03 at once, also for those in the queue.
Test(upstream_failures, all_servers_down)
{
	struct server *server[1];

	servers_start(server, 1);
	struct bed *bed = bed_for_all(
		server, 1, "max_inflight: 1, queue: 10s, max_connections: 1, " QUICK_CHECK);
	bed_push(bed, "GET path=hold");
	server_wait_requests(server[0], 1);
	bed_push(bed, "GET path=ok");
	server_healthy(server[0], false);
	uint64_t start = bed_now_ms();
	expect_start(bed_pull(bed, NULL), "5.03 max-age=");
	const char *answer = bed_ask(bed, "GET path=ok");
	cr_expect(strstr(answer, "|no backend up"), "%s", answer);
	int max_age = atoi(strstr(answer, "max-age=") + 8);
	cr_expect(max_age >= 5 && max_age <= 10, "%s", answer);
	cr_expect_leq(bed_now_ms() - start, LONG_MS / 4);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_no_server), 2);
	server_release(server[0]);
	expect_start(bed_pull(bed, NULL), "2.05"); // what is under way may finish
	bed_end(bed);
	servers_stop(server, 1);
}

// Checks are not held up by requests that fill all connections, nor do they take one from them.
Test(upstream_failures, checks_have_connections_of_their_own)
{
	struct server *server[1];

	servers_start(server, 1);
	struct bed *bed = bed_for_all(server, 1,
		"max_connections: 2, check: {path: /healthz, interval: 20ms, timeout: 20s}");
	bed_push(bed, "GET path=hold");
	bed_push(bed, "GET path=hold");
	server_wait_requests(server[0], 2);
	bed_wait_stat(bed, UP_STAT_checks, bed_stat(bed, UP_STAT_checks) + 10);
	cr_expect_eq(bed_stat(bed, UP_STAT_checks_failed), 0);
	server_release(server[0]);
	cr_expect_eq(bed_answers_like(bed, 2, "2.05"), 2);
	bed_end(bed);
	servers_stop(server, 1);
}

Test(upstream_failures, slow_check_fails)
{
	struct server *server[1];

	servers_start(server, 1);
	struct bed *bed =
		bed_for_all(server, 1, "check: {path: /hang, interval: 50ms, timeout: 30ms}");
	bed_wait_up(bed, 0);
	bed_end(bed); // with a check under way, or not
	servers_stop(server, 1);
}

// A lost connection: what is idempotent goes to another server, a POST only where the route says
// that its service heeds Idempotency-Key.
Test(upstream_failures, lost_request_goes_to_another_server)
{
	static const struct {
		const char *line, *answer;
	} rows[] = {{"GET path=die", "2.05 cf=0 max-age=0 |two"}, {"PUT path=die |x", "2.04"},
		{"DELETE path=die", "2.02"}, {"POST path=die |x", "5.02"},
		{"PATCH path=die |x", "5.02"}, {"FETCH path=die |x", "5.02"},
		{"POST path=honoured path=die |x", "2.04"},
		{"PATCH path=honoured path=die |x", "2.04"}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct server *server[2];

		servers_start(server, 2);
		server_immortal(server[1]);
		struct bed *bed = bed_for_all(server, 2, "");
		expect_start(bed_ask(bed, rows[r].line), rows[r].answer);
		bool again = rows[r].answer[0] == '2';
		cr_expect_eq(bed_stat(bed, UP_STAT_retries), again, "%s", rows[r].line);
		cr_expect_eq(server_requests(server[1]), again, "%s", rows[r].line);
		bed_end(bed);
		servers_stop(server, 2);
	}
}

// One server had the request when it went away, and another is not reached: nobody is told that no
// server saw it.
Test(upstream_failures, lost_and_then_not_reached)
{
	static const char *const lines[] = {
		"PUT path=vanish |x", "POST path=honoured path=vanish |x"};

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct server *server = bed_server("one");
		char upstream[256];

		snprintf(upstream, sizeof(upstream),
			"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"], eject: "
			"{errors: 0}",
			server_port(server), peer_free_port());
		struct bed *bed = bed_make(upstream);
		EXPECT_ANSWER(bed_ask(bed, lines[i]), "5.02 max-age=0 |backend hung up");
		cr_expect_eq(bed_stat(bed, UP_STAT_retries), 1);
		cr_expect_eq(server_requests(server), 1);
		bed_end(bed);
		server_stop(server);
	}
}

Test(upstream_failures, retries_max)
{
	static const struct {
		const char *more;
		unsigned asked;
	} rows[] = {{"retries: {max: 0}", 1}, {"retries: {max: 1}", 2}, {"", 3}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct server *server[3];

		servers_start(server, 3);
		struct bed *bed = bed_for_all(server, 3, rows[r].more);
		expect_start(bed_ask(bed, "GET path=reset"), "5.02 max-age=0 |backend hung up");
		unsigned asked = 0;
		for (unsigned i = 0; i < 3; i++)
			asked += server_requests(server[i]);
		cr_expect_eq(asked, rows[r].asked, "%s", rows[r].more);
		bed_end(bed);
		servers_stop(server, 3);
	}
}

// Retries of what a server saw are a share of all requests, but for a reserve: servers that fail
// under load do not get twice the load.
Test(upstream_failures, retry_budget)
{
	struct server *server[2];

	servers_start(server, 2);
	struct bed *bed = bed_for_all(
		server, 2, "retries: {budget: 10%}, eject: {errors: 0}, max_inflight: 10");
	for (unsigned i = 0; i < 200; i++)
		expect_start(bed_ask(bed, "GET path=reset"), "5.02");
	cr_expect_eq(bed_stat(bed, UP_STAT_retries), 10 + 20 - 1, "the first filled a full budget");
	cr_expect_eq(bed_stat(bed, UP_STAT_retries_refused), 200 - 29);
	server_kill(server[0]);
	for (unsigned i = 0; i < 10; i++) // nobody saw these
		expect_start(bed_ask(bed, "POST path=ok |x"), "2.04");
	bed_end(bed);
	servers_stop(server, 2);
}

// One of three servers is killed under load. Requests that can be sent again are, and once the
// check has found it, which is within two periods, no request meets the dead server, whatever its
// method.
Test(upstream_failures, one_of_three_killed_under_load)
{
	struct server *server[3];
	unsigned sent = 0, settled = 0;

	servers_start(server, 3);
	struct bed *bed = bed_for_all(
		server, 3, "check: {path: /healthz, interval: 100ms, timeout: 20s, fall: 1}");
	for (unsigned i = 0; i < 32; i++)
		bed_push(bed, "GET path=ok");
	while (settled < 1000) {
		expect_start(bed_pull(bed, NULL), "2.0"); // no failure, not even at once
		bed_push(bed, settled && sent % 2 ? "POST path=ok |x" : "GET path=ok");
		if (++sent == 500)
			server_kill(server[1]);
		settled += sent > 500 && up_loop_servers_up(bed->loop, 0) == 2;
	}
	cr_expect_eq(bed_answers_like(bed, 32, "2.0"), 32);
	cr_expect_eq(up_loop_servers_up(bed->loop, 0), 2);
	bed_end(bed);
	servers_stop(server, 3);
}

// The same device goes to the same server, and others to others.
Test(upstream_failures, hash_is_by_device)
{
	struct server *server[3];

	servers_start(server, 3);
	struct bed *bed = bed_for_all(server, 3, "balance: hash");
	// One of three gets none of so many once in 10^10, as their ports are others each time.
	for (bed->device = 1; bed->device <= 60; bed->device++) {
		char first[64];

		snprintf(first, sizeof(first), "%s", bed_ask(bed, "GET path=ok"));
		for (unsigned i = 0; i < 3; i++)
			cr_expect_str_eq(bed_ask(bed, "GET path=ok"), first);
	}
	for (unsigned i = 0; i < 3; i++)
		cr_expect_gt(server_requests(server[i]), 0);
	bed_end(bed);
	servers_stop(server, 3);
}

// The one that holds requests gets fewer of them.
Test(upstream_failures, least_outstanding)
{
	struct server *server[2];

	servers_start(server, 2);
	struct bed *bed = bed_for_all(server, 2, "balance: least");
	bed_push(bed, "GET path=hold");
	while (!server_requests(server[0]) && !server_requests(server[1]))
		;
	unsigned holds = server_requests(server[0]) ? 0 : 1;
	for (unsigned i = 0; i < 10; i++)
		expect_start(bed_ask(bed, "GET path=ok"), "2.05");
	cr_expect_eq(server_requests(server[holds]), 1);
	server_release(server[holds]);
	expect_start(bed_pull(bed, NULL), "2.05");
	bed_end(bed);
	servers_stop(server, 2);
}

// A server that sends a byte now and then ends in 5.04, and nobody else waits for it.
Test(upstream_failures, dripping_server)
{
	struct server *server[1];

	servers_start(server, 1);
	struct bed *bed = bed_for_all(server, 1, "");
	bed_push_deadline(bed, "GET path=drip", 3000);
	bed_push_deadline(bed, "GET path=drip-head", 3000);
	server_wait_requests(server[0], 2);
	for (unsigned i = 0; i < 20; i++)
		expect_start(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	for (unsigned i = 0; i < 2; i++)
		expect_start(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	bed_end(bed);
	servers_stop(server, 1);
}
