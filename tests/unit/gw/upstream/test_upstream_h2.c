// SPDX-License-Identifier: BSD-3-Clause
// The upstream loop with HTTP/2 servers of all kinds.

#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static struct h2_server *server_of(const char *name)
{
	return h2_server_start(&(struct h2_server_config){.name = name});
}

static struct bed *bed_of(const struct h2_server *server, const char *more)
{
	char upstream[1024];

	snprintf(upstream, sizeof(upstream), "servers: [\"h2c://127.0.0.1:%u\"]%s%s",
		h2_server_port(server), *more ? ", " : "", more);
	return bed_make(upstream);
}

static void end(struct bed *bed, struct h2_server *server)
{
	bed_end(bed);
	h2_server_stop(server);
}

static void expect_start(const char *answer, const char *start)
{
	cr_expect(!strncmp(answer, start, strlen(start)), "%s\nnot\n%s", answer, start);
}

static void expect_field(const char *answer, const char *field)
{
	cr_expect(strstr(answer, field), "no %s in %s", field, answer);
}

Test(upstream_h2, what_the_backend_sees)
{
	static const char *const fields[] = {":method: POST\n", ":scheme: http\n",
		":path: /echo?a=b\n", "\ncontent-type: application/json\n",
		"\naccept-encoding: identity\n", "\ndevice-id: device-7.3\n",
		"\noscore-context: 0000000000abcdef\n",
		"\nforwarded: for=\"192.0.2.2:5683\";proto=coap\n",
		"\nidempotency-key: \"0000000000abcdef-1\"\n", "\nuser-agent: postern/",
		"\ntraceparent: 00-", "\ncontent-length: 2\n{}"};
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "");
	const char *answer = bed_ask(bed, "POST path=echo query=a=b cf=50 |{}");
	char authority[64];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		expect_field(answer, fields[i]);
	snprintf(authority, sizeof(authority), "\n:authority: 127.0.0.1:%u\n",
		h2_server_port(server));
	expect_field(answer, authority);
	cr_expect_not(strstr(answer, "\nhost:"), "%s", answer);
	answer = bed_ask(bed, "POST path=echo");
	expect_field(answer, "\ncontent-length: 0\n");
	cr_expect_not(strstr(answer, "content-type"), "%s", answer);
	answer = bed_ask(bed, "GET path=echo accept=0");
	expect_field(answer, ":method: GET\n");
	expect_field(answer, "\naccept: text/plain; charset=utf-8\n");
	cr_expect_not(strstr(answer, "content-length"), "%s", answer);
	expect_field(bed_ask(bed, "PATCH path=echo |x"), ":method: PATCH\n");
	expect_field(bed_ask(bed, "DELETE path=echo"), ":method: DELETE\n");
	cr_expect_eq(h2_server_connections(server), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_connections), 1);
	end(bed, server);
}

// Requests share a connection, at the same time.
Test(upstream_h2, one_connection)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "");

	for (unsigned i = 0; i < 60; i++)
		bed_push(bed, "GET path=hold");
	h2_server_wait_requests(server, 60);
	cr_expect_eq(h2_server_most(server), 60);
	h2_server_release(server);
	cr_expect_eq(bed_answers_like(bed, 60, "2.05 cf=0 max-age=0 |held"), 60);
	for (unsigned i = 0; i < 200; i++) {
		bed_push(bed, "POST path=echo |x");
		bed_push(bed, "GET path=ok");
		cr_expect_eq(bed_answers_like(bed, 2, "2.0"), 2);
	}
	cr_expect_eq(h2_server_connections(server), 1);
	end(bed, server);
}

// No more streams than the server allows on as many connections as the file allows; what waits for
// longer than `queue` is answered 5.03.
Test(upstream_h2, limit_of_streams)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.limited = true, .streams = 4});
	struct bed *bed = bed_of(server, "max_connections: 2, queue: 100ms, retries: {max: 0}");

	// The second connection may be slow in coming: who did not wait for it comes again.
	uint64_t late = 0, until = bed_now_ms() + LONG_MS;
	while (h2_server_requests(server) < 8) {
		cr_assert(bed_now_ms() < until, "%u requests", h2_server_requests(server));
		while (bed->out < 8)
			bed_push(bed, "GET path=hold");
		for (; bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_queue_timeout) > late; late++)
			expect_start(bed_pull(bed, NULL), "5.03 max-age=");
		usleep(500);
	}
	for (unsigned i = 0; i < 12; i++)
		bed_push(bed, "GET path=hold");
	cr_expect_eq(bed_answers_like(bed, 12, "5.03 max-age="), 12);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_queue_timeout), late + 12);
	cr_expect_eq(h2_server_requests(server), 8);
	cr_expect_eq(h2_server_most(server), 4);
	cr_expect_eq(h2_server_connections(server), 2);
	h2_server_release(server);
	cr_expect_eq(bed_answers_like(bed, 8, "2.05"), 8);
	end(bed, server);
}

Test(upstream_h2, limit_of_streams_moves_on)
{
	struct h2_server *server = h2_server_start(
		&(struct h2_server_config){.name = "one", .limited = true, .streams = 1});
	struct bed *bed = bed_of(server, "max_connections: 1, queue: 10s");

	for (unsigned i = 0; i < 60; i++)
		bed_push(bed, "GET path=ok");
	cr_expect_eq(bed_answers_like(bed, 60, "2.05"), 60);
	cr_expect_eq(h2_server_most(server), 1);
	cr_expect_eq(h2_server_connections(server), 1);
	end(bed, server);
}

// A server that allows none at all is not asked, nor opened connection after connection.
Test(upstream_h2, no_streams_at_all)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.limited = true, .streams = 0});
	struct bed *bed = bed_of(server, "queue: 50ms");

	for (unsigned i = 0; i < 20; i++)
		bed_push(bed, "GET path=ok");
	cr_expect_eq(bed_answers_like(bed, 20, "5.03 max-age="), 20);
	cr_expect_eq(h2_server_connections(server), 1);
	cr_expect_eq(h2_server_requests(server), 0);
	end(bed, server);
}

// What finds no place on one server goes to another.
Test(upstream_h2, no_streams_but_another_server)
{
	struct h2_server *one = h2_server_start(
		&(struct h2_server_config){.name = "one", .limited = true, .streams = 0});
	struct h2_server *two = server_of("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], queue: 20ms",
		h2_server_port(one), h2_server_port(two));
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 6; i++)
		EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(bed_stat(bed, UP_STAT_retries), 6);
	cr_expect_eq(h2_server_requests(two), 6);
	bed_end(bed);
	h2_server_stop(one);
	h2_server_stop(two);
}

// GOAWAY after each ten requests, as nginx does after keepalive_requests: nobody notices.
Test(upstream_h2, goaway)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.name = "one", .requests = 10});
	struct bed *bed = bed_of(server, "");
	unsigned good = 0;

	for (unsigned i = 0; i < 16; i++)
		bed_push(bed, "POST path=ok |x");
	for (unsigned i = 0; i < 1000; i++) {
		good += bed_answers_like(bed, 1, "2.04");
		bed_push(bed, "POST path=ok |x");
	}
	good += bed_answers_like(bed, 16, "2.04");
	cr_expect_eq(good, 1016);
	cr_expect_eq(h2_server_requests(server), 1016, "each was looked at once");
	cr_expect_geq(h2_server_connections(server), 101);
	end(bed, server);
}

// What the server says it did not look at is sent again, a POST too, as often as its time allows;
// ever more seldom, so that one that refuses everything costs little.
Test(upstream_h2, refused)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "eject: {errors: 0}");

	EXPECT_ANSWER(bed_ask(bed, "POST path=refuse-once |x"), "2.04 cf=0 |one");
	cr_expect_eq(h2_server_connections(server), 1);
	bed_push_deadline(bed, "POST path=refuse |x", 1000);
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	unsigned refused = h2_server_requests(server) - 2;
	cr_expect(refused > 3 && refused <= 16, "%u", refused); // 0, 1, 2, 4 .. 128, 128 .. ms
	cr_expect_eq(h2_server_connections(server), 1);
	EXPECT_ANSWER(bed_ask(bed, "POST path=leave |x"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 2 + refused + 4);
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |one");
	cr_expect_eq(h2_server_connections(server), 5);
	end(bed, server);
	server = server_of("one");
	bed = bed_of(server, "eject: {errors: 0}");
	EXPECT_ANSWER(bed_ask(bed, "POST path=refuse-some |x"), "2.04 cf=0 |one");
	cr_expect_eq(h2_server_requests(server), 9);
	end(bed, server);
}

// With another server at hand, one that refuses is left after a few times.
Test(upstream_h2, refused_with_another_server)
{
	struct h2_server *one = server_of("one"), *two = server_of("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], eject: {errors: 0}",
		h2_server_port(one), h2_server_port(two));
	struct bed *bed = bed_make(upstream);
	bed_push_deadline(bed, "POST path=refuse |x", 1000);
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	cr_expect_eq(h2_server_requests(one), 4);
	cr_expect_gt(h2_server_requests(two), 3);
	bed_end(bed);
	h2_server_stop(one);
	h2_server_stop(two);
}

// A connection that dies under a request: what is idempotent is sent again once, a POST is not.
Test(upstream_h2, connection_lost)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "eject: {errors: 0}");

	EXPECT_ANSWER(bed_ask(bed, "GET path=close-once"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(bed_ask(bed, "POST path=close |x"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 3);
	EXPECT_ANSWER(bed_ask(bed, "GET path=close"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 5);
	EXPECT_ANSWER(bed_ask(bed, "GET path=reset"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 6, "a stream that is reset had its chance");
	end(bed, server);
}

// A POST was performed as the status says, however large the rest of the answer is.
Test(upstream_h2, performed)
{
	static const char *const lines[] = {"POST path=big |x", "PUT path=endless |x",
		"DELETE path=huge-length", "POST path=bighead |x", "PATCH path=big-trailer |x"};
	size_t count = sizeof(lines) / sizeof(lines[0]);
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "max_body: 64KB, eject: {errors: 0}");

	for (size_t i = 0; i < count; i++) {
		EXPECT_ANSWER(bed_ask(bed, lines[i]), *lines[i] == 'D' ? "2.02" : "2.04");
		cr_expect_eq(bed_stat(bed, UP_STAT_bodies_dropped), i + 1, "%s", lines[i]);
	}
	cr_expect_eq(h2_server_requests(server), count);
	// Whose outcome is not known is no success.
	EXPECT_ANSWER(bed_ask(bed, "POST path=cut |x"), "5.02 max-age=0 |backend hung up");
	EXPECT_ANSWER(bed_ask(bed, "POST path=many-early |x"),
		"5.02 max-age=0 |backend answer malformed");
	end(bed, server);
}

// Each ends in its own code, and the connection goes on.
Test(upstream_h2, hostile_streams)
{
	static const struct {
		const char *line, *answer;
		enum http_error error;
	} rows[] = {
		{"GET path=reset", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"GET path=cut", "5.02 max-age=0 |backend hung up", HTTP_ERR_reset},
		{"GET path=endless", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"GET path=big", "5.00 max-age=0 |answer too large", HTTP_ERR_body_too_large},
		{"GET path=huge-length", "5.00 max-age=0 |answer too large",
			HTTP_ERR_body_too_large},
		{"GET path=short", "5.02 max-age=0 |backend answer malformed", HTTP_ERR_bad_reply},
		{"GET path=bighead", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"GET path=many-early", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"GET path=connection", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=control", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=no-status", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=early", "2.05 cf=0 max-age=0 |one", HTTP_ERR_none},
		{"GET path=trailer", "2.05 cf=0 max-age=0 |one", HTTP_ERR_none},
		{"GET path=big-trailer", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_head_too_large},
		{"GET path=status path=204", "2.05 max-age=0", HTTP_ERR_none},
		{"GET path=status path=101", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=status path=013", "5.02 max-age=0 |backend answer malformed",
			HTTP_ERR_bad_reply},
		{"GET path=status path=302", "5.02 max-age=0 |backend redirects",
			HTTP_ERR_redirect},
		{"GET path=status path=404", "4.04 max-age=0 |said", HTTP_ERR_none},
		{"DELETE path=status path=404", "2.02", HTTP_ERR_none},
		{"POST path=early-answer |x", "2.04 cf=0 |one", HTTP_ERR_none},
	};
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "max_body: 64KB");

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum up_stat counter = UP_STAT_ERROR + rows[i].error;
		uint64_t before = bed_stat(bed, counter);

		EXPECT_ANSWER(bed_ask(bed, rows[i].line), rows[i].answer);
		if (rows[i].error)
			cr_expect_eq(bed_stat(bed, counter), before + 1, "%s", rows[i].line);
		EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	}
	cr_expect_eq(h2_server_connections(server), 1);
	end(bed, server);
}

// A server that takes no bodies: the request ends in time, those without a body do not notice.
Test(upstream_h2, no_window)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.name = "one", .no_window = true});
	struct bed *bed = bed_of(server, "");

	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_push_deadline(bed, "POST path=ok |x", 1000);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	EXPECT_ANSWER(bed_ask(bed, "POST path=early-answer |x"), "2.04 cf=0 |one");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(h2_server_cancelled(server), 2);
	cr_expect_eq(h2_server_connections(server), 1);
	end(bed, server);
}

Test(upstream_h2, timeout)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "");

	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	uint64_t start = bed_now_ms();
	bed_push_deadline(bed, "GET path=hang", 1000);
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	cr_expect_geq(bed_now_ms() - start, 900);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(h2_server_cancelled(server), 1);
	cr_expect_eq(h2_server_connections(server), 1);
	end(bed, server);
}

// What the worker gave up comes back without an answer, and the server hears of it.
Test(upstream_h2, abandoned)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "");
	dp_handle first = bed_push(bed, "GET path=hang"), back;

	h2_server_wait_requests(server, 1);
	__atomic_store_n(
		&dp_shared_get(bed->up->port[0].pool, first)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(bed_pull(bed, &back), "");
	cr_expect_eq(back, first);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(h2_server_cancelled(server), 1);
	end(bed, server);
}

// Stopping lets finish what can, and says goodbye.
Test(upstream_h2, stop)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server, "");

	bed_push(bed, "GET path=hold");
	bed_push(bed, "GET path=hang");
	h2_server_wait_requests(server, 2);
	h2_server_release(server);
	up_loop_stop(bed->loop, 2000);
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.05 cf=0 max-age=0 |held");
	expect_start(bed_pull(bed, NULL), "5.03");
	bed_end(bed);
	while (!h2_server_left(server))
		usleep(500);
	h2_server_stop(server);
}

Test(upstream_h2, not_reached)
{
	char upstream[256];

	snprintf(upstream, sizeof(upstream), "servers: [\"h2c://127.0.0.1:%u\"]", peer_free_port());
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not reached");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not reached");
	bed_end(bed);
}

Test(upstream_h2, names)
{
	struct h2_server *server = server_of("one");
	char upstream[256];
	struct bed *bed;

	bed = bed_make("servers: [\"h2c://postern.invalid\"]");
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not found");
	bed_end(bed);
	// localhost may be ::1 first, where nobody listens.
	snprintf(upstream, sizeof(upstream), "servers: [\"h2c://localhost:%u\"]",
		h2_server_port(server));
	bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	end(bed, server);
}

// A request that no server can have seen goes to another one, a POST too: from one that is not
// there, one that has no name, and one that speaks HTTP/1.1.
Test(upstream_h2, another_server)
{
	static const char http1[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	struct h2_server *one = h2_server_start(&(struct h2_server_config){
		.raw = http1,
		.raw_len = sizeof(http1) - 1,
	});
	struct h2_server *two = server_of("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\", \"h2c://postern.invalid\", "
		"\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], retries: {max: 3}",
		peer_free_port(), h2_server_port(one), h2_server_port(two));
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(bed_stat(bed, UP_STAT_retries), 3);
	cr_expect_eq(h2_server_requests(two), 1);
	bed_end(bed);
	snprintf(upstream, sizeof(upstream), "servers: [\"h2c://127.0.0.1:%u\"]",
		h2_server_port(one));
	bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "5.02 max-age=0 |backend answer malformed");
	bed_end(bed);
	h2_server_stop(one);
	h2_server_stop(two);
}

// A server that loses requests is left out, as with HTTP/1.1.
Test(upstream_h2, ejection)
{
	struct h2_server *server[] = {server_of("one"), server_of("two")};
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], "
		"eject: {errors: 1, for: 1h}",
		h2_server_port(server[0]), h2_server_port(server[1]));
	struct bed *bed = bed_make(upstream);
	expect_start(bed_ask(bed, "POST path=close |x"), "5.02");
	cr_expect_eq(bed_stat(bed, UP_STAT_ejections), 1);
	for (unsigned i = 0; i < 4; i++)
		EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	bed_end(bed);
	h2_server_stop(server[0]);
	h2_server_stop(server[1]);
}

// Checks have connections of their own, and find out.
Test(upstream_h2, health_checks)
{
	struct h2_server *server = server_of("one");
	struct bed *bed = bed_of(server,
		"max_connections: 1, check: {path: /healthz, interval: 20ms, timeout: 20s}");

	bed_push(bed, "GET path=hold");
	bed_wait_stat(bed, UP_STAT_checks, 10);
	cr_expect_eq(bed_stat(bed, UP_STAT_checks_failed), 0);
	cr_expect_geq(h2_server_connections(server), 9);
	h2_server_release(server);
	expect_start(bed_pull(bed, NULL), "2.05");
	bed_end(bed);
	bed = bed_of(server, "check: {path: /hang, interval: 50ms, timeout: 30ms}");
	bed_wait_up(bed, 0);
	bed_end(bed);
	bed = bed_of(server, "check: {path: /refuse, interval: 50ms}");
	bed_wait_up(bed, 0);
	end(bed, server);
}

#define SETTINGS  "\0\0\0\4\0\0\0\0\0"
#define ACK       "\0\0\0\4\1\0\0\0\0"
#define HEADERS   "\0\0\1\1\0\0\0\0\1\x88"       // :status: 200 on stream 1, to be continued
#define MORE      "\0\0\4\x9\0\0\0\0\1\x00\1a\0" // CONTINUATION: a field `a`
#define PING      "\0\0\x8\6\0\0\0\0\0pingping"
#define PUSH      "\0\0\5\5\4\0\0\0\1\0\0\0\2\x82"      // PUSH_PROMISE on stream 1
#define RST       "\0\0\4\3\0\0\0\0\1\0\0\0\2"          // of stream 1
#define RST_IDLE  "\0\0\4\3\0\0\0\0\x5\0\0\0\2"         // of a stream that nobody opened
#define EMPTY     "\0\0\0\0\0\0\0\0\1"                  // DATA without data
#define WINDOW    "\0\0\4\x8\0\0\0\0\0\x7f\xff\xff\xff" // WINDOW_UPDATE of all there can be
#define HUGE      "\xff\xff\xff\0\0\0\0\0\1"            // DATA of 16 MB
#define GOAWAY    "\0\0\x8\7\0\0\0\0\0\0\0\0\0\0\0\0\0" // nothing was looked at
#define BAD_HPACK "\0\0\1\1\4\0\0\0\1\xff"              // an index that goes on behind the frame
#define OK        "\0\0\1\1\4\0\0\0\1\x88"              // :status: 200 on stream 1
#define EARLY                      \
	"\0\0\5\1\4\0\0\0\1\x08\3" \
	"103"                                   // :status: 103 on stream 1
#define REFUSED    "\0\0\4\3\0\0\0\0\1\0\0\0\7" // REFUSED_STREAM of stream 1
#define RAW(bytes) bytes, sizeof(bytes) - 1
#define NONE       NULL, 0

// Floods and broken frames: each ends in its code, in time, with bounded memory.
Test(upstream_h2, hostile_connections)
{
	static const struct {
		const char *raw;
		size_t raw_len;
		const char *late;
		size_t late_len;
		const char *repeat;
		size_t repeat_len;
		const char *answer;
	} rows[] = {
		{RAW(SETTINGS), NONE, RAW(SETTINGS), "5.0"},
		{RAW(SETTINGS), NONE, RAW(PING), "5.0"},
		{RAW(SETTINGS), RAW(HEADERS), RAW(MORE),
			"5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), NONE, RAW(RST_IDLE), "5.02"},
		{RAW(SETTINGS), RAW(RST), RAW(RST), "5.0"},
		{RAW(SETTINGS), RAW(RST_IDLE), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), NONE, RAW(EMPTY), "5.02"},
		{RAW(SETTINGS), RAW(OK), RAW(EMPTY), "5.04"},
		{RAW(SETTINGS), NONE, RAW(WINDOW), "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS ACK), RAW(PUSH), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), RAW(HUGE), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW(SETTINGS), RAW(GOAWAY), NONE, "5.02 max-age=0 |backend hung up"},
		{RAW(SETTINGS GOAWAY), NONE, NONE, "5.02 max-age=0 |backend hung up"},
		{RAW(SETTINGS), RAW(BAD_HPACK), NONE, "5.02 max-age=0 |backend answer malformed"},
		{RAW("\0\0\0"), NONE, NONE, "5.04"},
		{RAW(SETTINGS), NONE, NONE, "5.04"},
		{RAW("rubbish that is no frame"), NONE, NONE,
			"5.02 max-age=0 |backend answer malformed"},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2_server *server = h2_server_start(&(struct h2_server_config){
			.raw = rows[i].raw,
			.raw_len = rows[i].raw_len,
			.late = rows[i].late,
			.late_len = rows[i].late_len,
			.repeat = rows[i].repeat,
			.repeat_len = rows[i].repeat_len,
		});
		struct bed *bed = bed_of(server, "eject: {errors: 0}");
		bool slow = strncmp(rows[i].answer, "5.02", 4); // what ends in time only
		size_t before = 0;

		for (unsigned round = 0; round < 4; round++) {
			if (round == 2)
				before = mallinfo2().uordblks;
			bed_push_deadline(bed, "POST path=ok |x", slow ? 100 : LONG_MS);
			const char *answer = bed_pull(bed, NULL);
			cr_expect(!strncmp(answer, rows[i].answer, strlen(rows[i].answer)),
				"row %zu: %s", i, answer);
		}
		size_t after = mallinfo2().uordblks;
		cr_expect_leq(
			after, before + 1024 * 1024, "row %zu: %zu bytes more", i, after - before);
		cr_expect_leq(h2_server_connections(server), 4 * 4);
		end(bed, server);
	}
}

// Who refuses a request after the beginning of an answer has seen it: it is not sent again.
Test(upstream_h2, refused_too_late)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){
		.raw = SETTINGS, .raw_len = 9, .late = EARLY REFUSED, .late_len = 14 + 13});
	struct bed *bed = bed_of(server, "");

	EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_connections(server), 1);
	end(bed, server);
}

// The same keys as for https, and a server that does not speak HTTP/2 inside TLS is refused.
Test(upstream_h2, tls)
{
	static const struct {
		const char *settings, *alpn;
		bool good;
	} rows[] = {
		{"{ca: %s, server_name: postern.test}", NULL, true},
		{"{ca: %s, server_name: 127.0.0.2}", NULL, true},
		{"{verify: no}", NULL, true},
		{"{server_name: postern.test}", NULL, false},
		{"{ca: %s, server_name: other.test}", NULL, false},
		{"{ca: %s, server_name: 127.0.0.3}", NULL, false},
		{"{ca: %s}", NULL, false},
		{"{verify: no}", "http/1.1", false},
	};
	struct peer_pki pki = peer_pki_make();

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2_server *server = h2_server_start(&(struct h2_server_config){
			.name = "tls",
			.cert = pki.cert,
			.key = pki.key,
			.alpn = rows[i].alpn,
		});
		const char *want =
			rows[i].good ? "2.04 cf=0 |tls" : "5.02 max-age=0 |backend not trusted";
		char upstream[512], settings[256];

		snprintf(settings, sizeof(settings), rows[i].settings, pki.cert);
		snprintf(upstream, sizeof(upstream), "servers: [\"h2://127.0.0.1:%u\"], tls: %s",
			h2_server_port(server), settings);
		struct bed *bed = bed_make(upstream);
		for (unsigned n = 0; n < 3; n++)
			EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), want);
		cr_expect_eq(h2_server_requests(server), rows[i].good ? 3 : 0, "row %zu", i);
		if (!rows[i].good)
			cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_tls), 3, "row %zu", i);
		else
			cr_expect_eq(h2_server_connections(server), 1);
		end(bed, server);
	}
	peer_pki_remove(&pki);
}

// A file with the server's own certificate, which another authority signed, is trusted, over both
// versions of HTTP.
Test(upstream_h2, tls_without_the_root)
{
	static const char *const schemes[] = {"https", "h2"};
	struct peer_pki root = peer_pki_make();
	char cert[96], key[96], command[768], upstream[512];

	snprintf(cert, sizeof(cert), "%s/leaf.pem", root.dir);
	snprintf(key, sizeof(key), "%s/leaf.key", root.dir);
	snprintf(command, sizeof(command),
		"openssl req -x509 -CA %s -CAkey %s -newkey ec -pkeyopt "
		"ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=leaf"
		" -addext subjectAltName=DNS:leaf.test -addext basicConstraints=CA:FALSE"
		" -keyout %s -out %s 2>/dev/null",
		root.cert, root.key, key, cert);
	cr_assert_eq(system(command), 0);
	for (size_t i = 0; i < 2; i++) {
		struct server *one = server_start(
			&(struct server_config){.name = "tls", .cert = cert, .key = key});
		struct h2_server *two = h2_server_start(
			&(struct h2_server_config){.name = "tls", .cert = cert, .key = key});

		snprintf(upstream, sizeof(upstream),
			"servers: [\"%s://127.0.0.1:%u\"], tls: {ca: %s, server_name: leaf.test}",
			schemes[i], i ? h2_server_port(two) : server_port(one), cert);
		struct bed *bed = bed_make(upstream);
		EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |tls");
		bed_end(bed);
		server_stop(one);
		h2_server_stop(two);
	}
	unlink(cert);
	unlink(key);
	peer_pki_remove(&root);
}

// Bodies of many records, and connections that come and go, over TLS.
Test(upstream_h2, tls_goes_on)
{
	struct peer_pki pki = peer_pki_make();
	struct h2_server *server = h2_server_start(&(struct h2_server_config){
		.name = "tls", .cert = pki.cert, .key = pki.key, .requests = 10});
	char upstream[512];
	unsigned good = 0;

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2://127.0.0.1:%u\"], max_body: 1MB, "
		"tls: {ca: %s, server_name: postern.test}",
		h2_server_port(server), pki.cert);
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 16; i++)
		bed_push(bed, "GET path=ok");
	for (unsigned i = 0; i < 200; i++) {
		bed_push(bed, i % 8 ? "POST path=ok |x" : "GET path=big");
		good += bed_answers_like(bed, 1, "2.0");
	}
	good += bed_answers_like(bed, 16, "2.0");
	cr_expect_eq(good, 216 - 25);
	cr_expect_eq(bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_no_room), 25);
	end(bed, server);
	peer_pki_remove(&pki);
}

Test(upstream_h2, unix_socket)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[64], upstream[128];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http", dir);
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.name = "unix", .unix_path = path});
	snprintf(upstream, sizeof(upstream), "servers: [\"h2c+unix:%s\"]", path);
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |unix");
	expect_field(bed_ask(bed, "GET path=echo"), ":authority: localhost\n");
	end(bed, server);
	unlink(path);
	rmdir(dir);
}

static unsigned turns; // of all loops in this process

// Instead of the C library's.
int epoll_wait(int epoll, struct epoll_event *events, int room, int timeout)
{
	__atomic_add_fetch(&turns, 1, __ATOMIC_RELAXED);
	return epoll_pwait(epoll, events, room, timeout, NULL);
}

static unsigned turns_in(unsigned ms)
{
	unsigned before = __atomic_load_n(&turns, __ATOMIC_RELAXED);

	usleep(ms * 1000);
	return __atomic_load_n(&turns, __ATOMIC_RELAXED) - before;
}

// A loop that has nothing to do sleeps, whatever its connections are.
Test(upstream_h2, idle_loop_sleeps)
{
	static const char *const schemes[] = {"http", "https", "h2c", "h2"};
	struct peer_pki pki = peer_pki_make();

	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
		bool http2 = schemes[i][1] == '2', tls = i % 2;
		const char *cert = tls ? pki.cert : NULL, *key = tls ? pki.key : NULL;
		struct h2_server *two = h2_server_start(
			&(struct h2_server_config){.name = "x", .cert = cert, .key = key});
		struct server *one = server_start(
			&(struct server_config){.name = "x", .cert = cert, .key = key});
		char upstream[256];

		snprintf(upstream, sizeof(upstream), "servers: [\"%s://127.0.0.1:%u\"]%s",
			schemes[i], http2 ? h2_server_port(two) : server_port(one),
			tls ? ", tls: {verify: no}" : "");
		struct bed *bed = bed_make(upstream);
		for (unsigned n = 0; n < 8; n++)
			bed_push(bed, n % 2 ? "POST path=ok |x" : "GET path=ok");
		cr_expect_eq(bed_answers_like(bed, 8, "2.0"), 8);
		uint64_t until = bed_now_ms() + LONG_MS;
		while (turns_in(50) > 2) // what the last answers left to be said
			cr_assert(bed_now_ms() < until, "%s: never sleeps", schemes[i]);
		bed_end(bed);
		h2_server_stop(two);
		server_stop(one);
	}
	peer_pki_remove(&pki);
}
