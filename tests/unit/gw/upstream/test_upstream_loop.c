// SPDX-License-Identifier: BSD-3-Clause
// The upstream loop between rings as a worker has them and HTTP servers of all kinds.

#include "gw/upstream/call.h"
#include "gw/upstream/random.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Test(upstream_loop, what_the_backend_sees)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");
	const char *answer;

	answer = bed_ask(bed, "POST path=echo query=a=b cf=50 |{}");
	cr_expect(strstr(answer, "|POST /echo?a=b HTTP/1.1\r\n"), "%s", answer);
	cr_expect(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	cr_expect(strstr(answer, "\r\nContent-Length: 2\r\n"));
	cr_expect(strstr(answer, "\r\nDevice-Id: device-7.3\r\n"));
	cr_expect(strstr(answer, "\r\nOscore-Context: 0000000000abcdef\r\n"));
	cr_expect(strstr(answer, "\r\nForwarded: for=\"192.0.2.2:5683\";proto=coap\r\n"));
	cr_expect(strstr(answer, "\r\nIdempotency-Key: \"0000000000abcdef-1\"\r\n"));
	cr_expect(strstr(answer, "\r\nUser-Agent: postern/"));
	cr_expect_not(strstr(answer, "Connection:"));
	cr_expect(strstr(answer, "\r\n\r\n{}"));
	cr_expect_not(strstr(answer, "Expect"));
	cr_expect_not(strstr(answer, "Accept:"));
	char host[64];
	snprintf(host, sizeof(host), "\r\nHost: 127.0.0.1:%u\r\n", server_port(server));
	cr_expect(strstr(answer, host), "%s", answer);
	const char *traceparent = strstr(answer, "\r\ntraceparent: 00-");
	cr_assert_not_null(traceparent, "%s", answer);
	char trace[33];
	cr_assert_eq(sscanf(traceparent, " traceparent: 00-%32s", trace), 1);

	answer = bed_ask(bed, "POST path=echo");
	cr_expect(strstr(answer, "\r\nContent-Length: 0\r\n"), "%s", answer);
	cr_expect_not(strstr(answer, "Content-Type"), "%s", answer);
	cr_expect_not(strstr(answer, trace), "the same trace twice");
	cr_expect(strstr(bed_ask(bed, "PUT path=echo |x"), "|PUT /echo HTTP/1.1\r\n"));
	cr_expect(strstr(bed_ask(bed, "PATCH path=echo |x"), "|PATCH /echo HTTP/1.1\r\n"));
	answer = bed_ask(bed, "GET path=echo accept=0");
	cr_expect(strstr(answer, "|GET /echo HTTP/1.1\r\n"));
	cr_expect(strstr(answer, "\r\nAccept: text/plain; charset=utf-8\r\n"));
	cr_expect_not(strstr(answer, "Content-Length"), "%s", answer);
	answer = bed_ask(bed, "DELETE path=echo");
	cr_expect(strstr(answer, "|DELETE /echo HTTP/1.1\r\n"));
	cr_expect_not(strstr(answer, "Content-Length"), "%s", answer);
	cr_expect(strstr(bed_ask(bed, "FETCH path=echo |q"), "|POST /echo HTTP/1.1\r\n"));
	EXPECT_ANSWER(bed_ask(bed, "DELETE path=status path=404"), "2.02");
	bed_end(bed);
	server_stop(server);
}

// As many connections as requests under way at a time, which serve all later ones.
Test(upstream_loop, connections_are_used_again)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 4; i++)
			bed_push(bed, "GET path=ok");
		for (unsigned i = 0; i < 4; i++)
			EXPECT_ANSWER(bed_pull(bed, NULL), "2.05 cf=0 max-age=0 |one");
	}
	cr_expect_eq(server_requests(server), 80);
	cr_expect_leq(server_connections(server), 4);
	cr_expect_eq(bed_stat(bed, UP_STAT_connections), server_connections(server));
	cr_expect_eq(bed_stat(bed, UP_STAT_http_2xx), 80);
	bed_end(bed);
	server_stop(server);
}

// The answer to a request of this device on this path, which /echo repeats.
static void expect_own(struct bed *bed, uint32_t device, const char *method, unsigned round)
{
	char line[64], head[64], who[64];
	bool get = !strcmp(method, "GET");

	bed->device = device;
	snprintf(line, sizeof(line), "%s path=echo query=r%u.%u%s", method, round, device,
		get ? "" : " |x");
	snprintf(head, sizeof(head), "|%s /echo?r%u.%u HTTP/1.1\r\n", method, round, device);
	snprintf(who, sizeof(who), "\r\nDevice-Id: device-%u.3\r\n", device);
	const char *answer = bed_ask(bed, line);
	cr_expect(!strncmp(answer, get ? "2.05 " : "2.04 ", 5) && strstr(answer, head) &&
			strstr(answer, who),
		"%s: %s", line, answer);
}

// A backend answers a device twice, the second time late. What comes too late reaches nobody: the
// devices that ask next get their own answers, and the backend saw each request that was answered.
static void late_answers(const struct server_config *config, const char *scheme)
{
	static const char *const kinds[] = {"204", "empty", "length", "chunk", "408"};
	struct server *server = server_start(config);
	char upstream[512], line[64];
	unsigned asked = 0;

	if (config->unix_path)
		snprintf(upstream, sizeof(upstream), "servers: [\"%s:%s\"]", scheme,
			config->unix_path);
	else
		snprintf(upstream, sizeof(upstream),
			"servers: [\"%s://127.0.0.1:%u\"]%s, max_connections: 1", scheme,
			server_port(server), config->cert ? ", tls: {verify: no}" : "");
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bed->device = 1;
		snprintf(line, sizeof(line), "GET path=late path=%s", kinds[i]);
		const char *answer = bed_ask(bed, line);
		cr_expect(!strncmp(answer, "2.05", 4) && !strstr(answer, "nobody"), "%s", answer);
		server_wait_late(server, i + 1);
		asked++;
		for (uint32_t device = 2; device < 5; device++, asked++)
			expect_own(bed, device, device == 3 ? "POST" : "GET", i);
	}
	cr_expect_eq(server_requests(server), asked, "%s", scheme);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, late_answers_reach_nobody)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[64];
	struct peer_pki pki = peer_pki_make();

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http", dir);
	late_answers(&(struct server_config){.name = "tcp"}, "http");
	late_answers(
		&(struct server_config){.name = "tls", .cert = pki.cert, .key = pki.key}, "https");
	late_answers(&(struct server_config){.name = "unix", .unix_path = path}, "http+unix");
	unlink(path);
	rmdir(dir);
	peer_pki_remove(&pki);
}

Test(upstream_loop, servers_in_turn)
{
	struct server *one = bed_server("one"), *two = bed_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]", server_port(one),
		server_port(two));
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 4; i++) {
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |two");
	}
	bed_end(bed);
	server_stop(one);
	server_stop(two);
}

// A request that no server can have seen goes to another one, a POST too.
Test(upstream_loop, another_server_if_none_was_reached)
{
	struct server *two = bed_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://postern.invalid\", "
		"\"http://127.0.0.1:%u\"]",
		peer_free_port(), server_port(two));
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(bed_stat(bed, UP_STAT_retries), 2);
	cr_expect_eq(bed_stat(bed, UP_STAT_attempts), 3);
	cr_expect_eq(server_requests(two), 1);
	bed_end(bed);
	server_stop(two);
}

Test(upstream_loop, no_server_reached)
{
	char upstream[256];

	snprintf(
		upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"]", peer_free_port());
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not reached");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_connect), 1);
	bed_end(bed);
}

Test(upstream_loop, name_not_resolved)
{
	struct bed *bed = bed_make("servers: [\"http://postern.invalid\"]");

	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not found");
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_dns), 1);
	bed_end(bed);
}

// Each ends in its own code, and the loop goes on.
Test(upstream_loop, hostile_backend)
{
	static const struct {
		const char *path, *answer;
		enum http_error error;
	} rows[] = {
		{"reset", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"short", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"long", "2.05 max-age=0 |more", HTTP_ERR_none},
		{"endless", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"big", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"chunked", "2.05 max-age=0 |onetwo", HTTP_ERR_none},
		{"both", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"bad-chunk", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"huge-chunk", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"half-chunk", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"long-trailer", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"wide-trailer", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"status-trailer", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"continue-line", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"two-lengths", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"minus-length", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"huge-length", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"folded", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"folded-first", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"half-head", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"long-line", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_head_too_large},
		{"bighead", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_head_too_large},
		{"many-continue", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"bare-continue", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"rubbish", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"http09", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"switch", "5.02 max-age=0 |backend answer not expected", HTTP_ERR_bad_status},
		{"status path=204", "2.05 max-age=0", HTTP_ERR_none},
		{"status path=304", "5.02 max-age=0 |backend answer not expected",
			HTTP_ERR_bad_status},
		{"status path=302", "5.02 max-age=0 |backend redirects", HTTP_ERR_redirect},
		{"status path=404", "4.04 max-age=0 |said", HTTP_ERR_none},
	};
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_body: 64KB");
	char line[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum up_stat counter = UP_STAT_ERROR + rows[i].error;
		uint64_t before = bed_stat(bed, counter);

		snprintf(line, sizeof(line), "GET path=%s", rows[i].path);
		EXPECT_ANSWER(bed_ask(bed, line), rows[i].answer);
		if (rows[i].error)
			cr_expect_eq(bed_stat(bed, counter), before + 1, "%s", line);
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	}
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, max_age_of_the_configuration)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_age: 3s");

	EXPECT_ANSWER(bed_ask(bed, "GET path=status path=503"), "5.03 max-age=3 |said");
	bed_end(bed);
	server_stop(server);
}

// A POST was performed as the status says, however large the rest of the answer is.
Test(upstream_loop, performed_whatever_comes_then)
{
	static const char *const lines[] = {"POST path=big |x", "PUT path=endless |x",
		"DELETE path=huge-length", "POST path=bighead |x", "PATCH path=long-line |x",
		"POST path=long-trailer |x", "POST path=wide-trailer |x", "iPATCH path=big |x"};
	size_t count = sizeof(lines) / sizeof(lines[0]);
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_body: 64KB, eject: {errors: 0}");

	for (size_t i = 0; i < count; i++) {
		EXPECT_ANSWER(bed_ask(bed, lines[i]), *lines[i] == 'D' ? "2.02" : "2.04");
		cr_expect_eq(bed_stat(bed, UP_STAT_bodies_dropped), i + 1, "%s", lines[i]);
	}
	cr_expect_eq(bed_stat(bed, UP_STAT_http_2xx), count);
	cr_expect_eq(server_requests(server), count);
	// Whose outcome is not known is no success.
	EXPECT_ANSWER(bed_ask(bed, "POST path=reset |x"), "5.02 max-age=0 |backend hung up");
	EXPECT_ANSWER(bed_ask(bed, "POST path=many-continue |x"),
		"5.02 max-age=0 |backend answer malformed");
	bed_end(bed);
	server_stop(server);
}

// Who is busy and does not say for how long: devices come back at different times.
Test(upstream_loop, busy_server_without_retry_after)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");
	unsigned seen = 0;

	for (unsigned i = 0; i < 40; i++) {
		const char *answer = bed_ask(
			bed, i % 2 ? "GET path=status path=503" : "GET path=status path=429");
		const char *max_age = strstr(answer, " max-age=");

		cr_assert(max_age, "%s", answer);
		int seconds = atoi(max_age + 9);
		cr_assert(seconds >= UP_RETRY_SECONDS && seconds <= 2 * UP_RETRY_SECONDS, "%s",
			answer);
		seen |= 1u << seconds;
	}
	cr_expect_gt(__builtin_popcount(seen), 1, "%x", seen); // by chance: once in 10^30
	bed_end(bed);
	server_stop(server);
}

// However often they come, answers without end leave nothing behind. (The test's own server keeps
// 64 KB for each connection that it has not seen end yet; what was sent meanwhile are many
// megabytes.)
Test(upstream_loop, hostile_backend_takes_no_memory)
{
	static const char *const paths[] = {"GET path=endless", "GET path=bighead",
		"GET path=long-line", "GET path=long-trailer", "GET path=many-continue"};
	size_t count = sizeof(paths) / sizeof(paths[0]), before = 0;
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_body: 64MB, eject: {errors: 0}");

	for (unsigned round = 0; round < 12; round++) {
		if (round == 4) // all that is kept is there
			before = mallinfo2().uordblks;
		for (size_t i = 0; i < count; i++)
			bed_push_deadline(bed, paths[i], 300);
		for (size_t i = 0; i < count; i++)
			bed_pull(bed, NULL);
	}
	size_t after = mallinfo2().uordblks;
	cr_expect_leq(after, before + 4 * 1024 * 1024, "%zu bytes more", after - before);
	bed_end(bed);
	server_stop(server);
}

// An answer that is larger than a datagram, but not than max_body.
Test(upstream_loop, answer_larger_than_a_datagram)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_body: 1MB");

	bed_expect_start(bed_ask(bed, "GET path=big"), "2.05 etag="); // its first block
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_end(bed);
	server_stop(server);
}

// A connection that dies under a request: a new one would be no better, and with no other server
// nothing is sent again, whatever its method.
Test(upstream_loop, connection_lost_under_a_request)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	EXPECT_ANSWER(bed_ask(bed, "POST path=vanish |x"), "5.02 max-age=0 |backend hung up");
	EXPECT_ANSWER(bed_ask(bed, "GET path=vanish"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(server_requests(server), 2);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_end(bed);
	server_stop(server);
}

// A server that dies under a POST may have performed it: no other one is asked.
Test(upstream_loop, server_lost_under_a_request)
{
	struct server *one = bed_server("one"), *two = bed_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]", server_port(one),
		server_port(two));
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |two");
	cr_expect(!strncmp(bed_ask(bed, "POST path=die |x"), "5.02 ", 5));
	cr_expect_eq(server_requests(one), 2);
	cr_expect_eq(server_requests(two), 1);
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	bed_end(bed);
	server_stop(one);
	server_stop(two);
}

Test(upstream_loop, timeout)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");
	uint64_t start = bed_now_ms();

	bed_push_deadline(bed, "GET path=hang", 150);
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	cr_expect_geq(bed_now_ms() - start, 120);
	cr_expect_leq(bed_now_ms() - start, LONG_MS / 2);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_timeout), 1);
	bed_push_deadline(bed, "GET path=hang", 0);
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	bed_end(bed);
	server_stop(server);
}

// max_inflight requests are under way, as many wait for at most `queue`, all others are refused.
Test(upstream_loop, queue)
{
	static const struct {
		const char *more;
		unsigned asked, full;
	} rows[] = {
		{"max_inflight: 2, queue: 100ms", 2, 0},
		{"max_inflight: 2, queue: 20s", 5, 3}, // nobody waits for too long meanwhile
	};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		struct server *server = bed_server("one");
		struct bed *bed = bed_for(server, rows[r].more);
		unsigned late = rows[r].full ? 0 : 2;

		bed_push(bed, "GET path=hold");
		bed_push(bed, "GET path=hold");
		server_wait_requests(server, 2);
		for (unsigned i = 0; i < rows[r].asked; i++)
			bed_push(bed, "GET path=ok");
		unsigned refused = rows[r].full + late;
		cr_expect_eq(bed_answers_like(bed, refused, "5.03 max-age="), refused);
		cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_queue_full), rows[r].full);
		cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_queue_timeout), late);
		cr_expect_eq(bed_stat(bed, UP_STAT_queued), 2);
		if (late)
			cr_expect_geq(bed_stat(bed, UP_STAT_queued_ms), 200);
		cr_expect_eq(bed_stat(bed, UP_STAT_QUEUE), 2); // up to 1 ms
		cr_expect_eq(server_requests(server), 2);
		server_release(server);
		cr_expect_eq(bed_answers_like(bed, 4 - late, "2.05"), 4 - late);
		if (!late) // those that waited went, too
			cr_expect_eq(bed_stats(bed, UP_STAT_QUEUE, UP_STAT_BUCKETS), 4);
		bed_end(bed);
		server_stop(server);
	}
}

// Two loops share the limits: each has half of the connections and of the places to wait.
Test(upstream_loop, limits_are_divided)
{
	struct server *server = bed_server("one");
	char upstream[128];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\"], max_connections: 3, max_inflight: 6, queue: "
		"10s",
		server_port(server));
	struct bed *bed = bed_make_one_of(2, upstream);
	for (unsigned i = 0; i < 6; i++)
		bed_push(bed, "GET path=hold");
	bed_wait_stat(bed, UP_STAT_requests, 6);
	cr_expect_eq(bed_stat(bed, UP_STAT_inflight), 2);
	cr_expect_eq(bed_stat(bed, UP_STAT_waiting), 3);
	cr_expect_eq(bed_answers_like(bed, 1, "5.03"), 1);
	server_release(server);
	cr_expect_eq(bed_answers_like(bed, 5, "2.05"), 5);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, queue_moves_on)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 8, max_connections: 1, queue: 10s");

	bed_push(bed, "GET path=hold");
	server_wait_requests(server, 1);
	for (unsigned i = 0; i < 8; i++)
		bed_push(bed, "GET path=ok");
	server_release(server);
	cr_expect_eq(bed_answers_like(bed, 9, "2.05"), 9);
	cr_expect_eq(bed_stat(bed, UP_STAT_queued), 8);
	bed_end(bed);
	server_stop(server);
}

// What the worker gave up comes back without an answer, in the air and in the queue.
Test(upstream_loop, abandoned)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 1, queue: 10s");
	dp_handle first = bed_push(bed, "GET path=hang"), second, back;

	server_wait_requests(server, 1);
	second = bed_push(bed, "GET path=ok");
	const struct dp_shared_pool *pool = bed->up->port[0].pool;
	__atomic_store_n(&dp_shared_get(pool, second)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(bed_pull(bed, &back), "");
	cr_expect_eq(back, second);
	__atomic_store_n(&dp_shared_get(pool, first)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(bed_pull(bed, &back), "");
	cr_expect_eq(back, first);
	cr_expect_eq(bed_stat(bed, UP_STAT_abandoned), 2);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_expect_answers(bed, 1, 0, 0);
	bed_end(bed);
	server_stop(server);
}

// Nothing of what does not pass the mapping reaches a backend.
Test(upstream_loop, refused_requests)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	EXPECT_ANSWER(bed_ask(bed, "GET path=.."), "4.00 max-age=0 |Uri-Path not allowed");
	EXPECT_ANSWER(bed_ask(bed, "GET accept=4711"), "4.06 max-age=0 |Accept not known");
	EXPECT_ANSWER(bed_ask(bed, "GET proxy-uri=http://x/"), "5.05 max-age=0 |no forward proxy");
	EXPECT_ANSWER(bed_ask(bed, "GET path=none"), "4.04 max-age=0 |no such route");
	cr_expect_eq(up_loop_stat(bed->loop, 1, UP_STAT_ERROR + HTTP_ERR_no_route), 1);
	bed->no_name = true;
	const char *answer = bed_ask(bed, "GET path=ok");
	cr_expect(!strncmp(answer, "5.03 ", 5) && strstr(answer, "|device removed"), "%s", answer);
	bed_expect_answers(bed, 0, 3, 2);
	cr_expect_eq(server_requests(server), 0);
	bed_end(bed);
	server_stop(server);
}

// Stopping answers all that came in: what can finish in time does, the rest is 5.03.
Test(upstream_loop, stop)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 2, queue: 10s");

	bed_push(bed, "GET path=hang");
	bed_push(bed, "GET path=hang");
	server_wait_requests(server, 2);
	bed_push(bed, "GET path=ok");
	up_loop_stop(bed->loop, 50);
	cr_expect_eq(bed_answers_like(bed, 3, "5.03"), 3);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_stopping), 3);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, stop_lets_finish)
{
	struct server *server = bed_server("one");
	struct bed *bed = bed_for(server, "");

	bed_push(bed, "GET path=hold");
	server_wait_requests(server, 1);
	server_release(server);
	up_loop_stop(bed->loop, LONG_MS);
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.05 cf=0 max-age=0 |held");
	bed_end(bed);
	server_stop(server);
}

static void ignore_signal(int signo)
{
	(void)signo;
}

// Real-time signals, by which net_tap is driven, may end any system call of the thread.
Test(upstream_loop, signals)
{
	struct server *server = bed_server("one");
	struct sigaction action = {.sa_handler = ignore_signal};

	sigaction(SIGRTMIN, &action, NULL);
	struct bed *bed = bed_for(server, "");
	for (unsigned i = 0; i < 50; i++) {
		bed_push(bed, "GET path=ok");
		kill(getpid(), SIGRTMIN);
		EXPECT_ANSWER(bed_pull(bed, NULL), "2.05 cf=0 max-age=0 |one");
	}
	bed_end(bed);
	server_stop(server);
}
