// SPDX-License-Identifier: BSD-3-Clause
// The upstream loop with HTTP/2 servers of all kinds.

#include "tests/unit/gw/upstream/h2_bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

Test(upstream_h2, what_the_backend_sees)
{
	static const char *const fields[] = {":method: POST\n", ":scheme: http\n",
		":path: /echo?a=b\n", "\ncontent-type: application/json\n",
		"\naccept-encoding: identity\n", "\ndevice-id: device-7.3\n",
		"\noscore-context: 0000000000abcdef\n",
		"\nforwarded: for=\"192.0.2.2:5683\";proto=coap\n",
		"\nidempotency-key: \"0000000000abcdef-1\"\n", "\nuser-agent: postern/",
		"\ntraceparent: 00-", "\ncontent-length: 2\n{}"};
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "");
	const char *answer = bed_ask(bed, "POST path=echo query=a=b cf=50 |{}");
	char authority[64];

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		bed_expect_part(answer, fields[i]);
	snprintf(authority, sizeof(authority), "\n:authority: 127.0.0.1:%u\n",
		h2_server_port(server));
	bed_expect_part(answer, authority);
	cr_expect_not(strstr(answer, "\nhost:"), "%s", answer);
	answer = bed_ask(bed, "POST path=echo");
	bed_expect_part(answer, "\ncontent-length: 0\n");
	cr_expect_not(strstr(answer, "content-type"), "%s", answer);
	answer = bed_ask(bed, "GET path=echo accept=0");
	bed_expect_part(answer, ":method: GET\n");
	bed_expect_part(answer, "\naccept: text/plain; charset=utf-8\n");
	cr_expect_not(strstr(answer, "content-length"), "%s", answer);
	bed_expect_part(bed_ask(bed, "PATCH path=echo |x"), ":method: PATCH\n");
	bed_expect_part(bed_ask(bed, "DELETE path=echo"), ":method: DELETE\n");
	cr_expect_eq(h2_server_connections(server), 1);
	cr_expect_eq(bed_stat(bed, UP_STAT_connections), 1);
	h2_bed_end(bed, server);
}

// Requests share a connection, at the same time.
Test(upstream_h2, one_connection)
{
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "");

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
	h2_bed_end(bed, server);
}

// No more streams than the server allows on as many connections as the file allows; what waits for
// longer than `queue` is answered 5.03.
Test(upstream_h2, limit_of_streams)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.limited = true, .streams = 4});
	struct bed *bed = h2_bed_for(server, "max_connections: 2, queue: 100ms, retries: {max: 0}");

	// The second connection may be slow in coming: who did not wait for it comes again.
	uint64_t late = 0, until = bed_now_ms() + LONG_MS;
	while (h2_server_requests(server) < 8) {
		cr_assert(bed_now_ms() < until, "%u requests", h2_server_requests(server));
		while (bed->out < 8)
			bed_push(bed, "GET path=hold");
		for (; bed_stat(bed, UP_STAT_ERROR + HTTP_ERR_queue_timeout) > late; late++)
			bed_expect_start(bed_pull(bed, NULL), "5.03 max-age=");
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
	h2_bed_end(bed, server);
}

Test(upstream_h2, limit_of_streams_moves_on)
{
	struct h2_server *server = h2_server_start(
		&(struct h2_server_config){.name = "one", .limited = true, .streams = 1});
	struct bed *bed = h2_bed_for(server, "max_connections: 1, queue: 10s");

	for (unsigned i = 0; i < 60; i++)
		bed_push(bed, "GET path=ok");
	cr_expect_eq(bed_answers_like(bed, 60, "2.05"), 60);
	cr_expect_eq(h2_server_most(server), 1);
	cr_expect_eq(h2_server_connections(server), 1);
	h2_bed_end(bed, server);
}

// A server that allows none at all is not asked, nor opened connection after connection.
Test(upstream_h2, no_streams_at_all)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.limited = true, .streams = 0});
	struct bed *bed = h2_bed_for(server, "queue: 50ms");

	for (unsigned i = 0; i < 20; i++)
		bed_push(bed, "GET path=ok");
	cr_expect_eq(bed_answers_like(bed, 20, "5.03 max-age="), 20);
	cr_expect_eq(h2_server_connections(server), 1);
	cr_expect_eq(h2_server_requests(server), 0);
	h2_bed_end(bed, server);
}

// What finds no place on one server goes to another.
Test(upstream_h2, no_streams_but_another_server)
{
	struct h2_server *one = h2_server_start(
		&(struct h2_server_config){.name = "one", .limited = true, .streams = 0});
	struct h2_server *two = h2_bed_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], queue: 20ms",
		h2_server_port(one), h2_server_port(two));
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 6; i++)
		EXPECT_ANSWER(bed_ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(bed_stat(bed, UP_STAT_retries), 3, "each has its turn");
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
	struct bed *bed = h2_bed_for(server, "");
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
	h2_bed_end(bed, server);
}

// What the server says it did not look at is sent again, a POST too, as often as its time allows;
// ever more seldom, so that one that refuses everything costs little.
Test(upstream_h2, refused)
{
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "eject: {errors: 0}");

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
	h2_bed_end(bed, server);
	server = h2_bed_server("one");
	bed = h2_bed_for(server, "eject: {errors: 0}");
	EXPECT_ANSWER(bed_ask(bed, "POST path=refuse-some |x"), "2.04 cf=0 |one");
	cr_expect_eq(h2_server_requests(server), 9);
	h2_bed_end(bed, server);
}

// With another server at hand, one that refuses is left after a few times.
Test(upstream_h2, refused_with_another_server)
{
	struct h2_server *one = h2_bed_server("one"), *two = h2_bed_server("two");
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
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "eject: {errors: 0}");

	EXPECT_ANSWER(bed_ask(bed, "GET path=close-once"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(bed_ask(bed, "POST path=close |x"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 3);
	EXPECT_ANSWER(bed_ask(bed, "GET path=close"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 5);
	EXPECT_ANSWER(bed_ask(bed, "GET path=reset"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(h2_server_requests(server), 6, "a stream that is reset had its chance");
	h2_bed_end(bed, server);
}

// A POST was performed as the status says, however large the rest of the answer is.
Test(upstream_h2, performed)
{
	static const char *const lines[] = {"POST path=big |x", "PUT path=endless |x",
		"DELETE path=huge-length", "POST path=bighead |x", "PATCH path=big-trailer |x"};
	size_t count = sizeof(lines) / sizeof(lines[0]);
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "max_body: 64KB, eject: {errors: 0}");

	for (size_t i = 0; i < count; i++) {
		EXPECT_ANSWER(bed_ask(bed, lines[i]), *lines[i] == 'D' ? "2.02" : "2.04");
		cr_expect_eq(bed_stat(bed, UP_STAT_bodies_dropped), i + 1, "%s", lines[i]);
	}
	cr_expect_eq(h2_server_requests(server), count);
	// Whose outcome is not known is no success.
	EXPECT_ANSWER(bed_ask(bed, "POST path=cut |x"), "5.02 max-age=0 |backend hung up");
	EXPECT_ANSWER(bed_ask(bed, "POST path=many-early |x"),
		"5.02 max-age=0 |backend answer malformed");
	h2_bed_end(bed, server);
}

Test(upstream_h2, timeout)
{
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "");

	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	uint64_t start = bed_now_ms();
	bed_push_deadline(bed, "GET path=hang", 1000);
	EXPECT_ANSWER(bed_pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	cr_expect_geq(bed_now_ms() - start, 900);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(h2_server_cancelled(server), 1);
	cr_expect_eq(h2_server_connections(server), 1);
	h2_bed_end(bed, server);
}

// What the worker gave up comes back without an answer, and the server hears of it.
Test(upstream_h2, abandoned)
{
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "");
	dp_handle first = bed_push(bed, "GET path=hang"), back;

	h2_server_wait_requests(server, 1);
	__atomic_store_n(
		&dp_shared_get(bed->up->port[0].pool, first)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(bed_pull(bed, &back), "");
	cr_expect_eq(back, first);
	EXPECT_ANSWER(bed_ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(h2_server_cancelled(server), 1);
	h2_bed_end(bed, server);
}

// Stopping lets finish what can, and says goodbye.
Test(upstream_h2, stop)
{
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server, "");

	bed_push(bed, "GET path=hold");
	bed_push(bed, "GET path=hang");
	h2_server_wait_requests(server, 2);
	h2_server_release(server);
	up_loop_stop(bed->loop, 2000);
	EXPECT_ANSWER(bed_pull(bed, NULL), "2.05 cf=0 max-age=0 |held");
	bed_expect_start(bed_pull(bed, NULL), "5.03");
	bed_end(bed);
	h2_server_wait_left(server, 1);
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
	struct h2_server *server = h2_bed_server("one");
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
	h2_bed_end(bed, server);
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
	struct h2_server *two = h2_bed_server("two");
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
	struct h2_server *server[] = {h2_bed_server("one"), h2_bed_server("two")};
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\", \"h2c://127.0.0.1:%u\"], "
		"eject: {errors: 1, for: 1h}",
		h2_server_port(server[0]), h2_server_port(server[1]));
	struct bed *bed = bed_make(upstream);
	bed_expect_start(bed_ask(bed, "POST path=close |x"), "5.02");
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
	struct h2_server *server = h2_bed_server("one");
	struct bed *bed = h2_bed_for(server,
		"max_connections: 1, check: {path: /healthz, interval: 20ms, timeout: 20s}");

	bed_push(bed, "GET path=hold");
	bed_wait_stat(bed, UP_STAT_checks, 10);
	cr_expect_eq(bed_stat(bed, UP_STAT_checks_failed), 0);
	cr_expect_geq(h2_server_connections(server), 9);
	h2_server_release(server);
	bed_expect_start(bed_pull(bed, NULL), "2.05");
	bed_end(bed);
	bed = h2_bed_for(server, "check: {path: /hang, interval: 50ms, timeout: 30ms}");
	bed_wait_up(bed, 0);
	bed_end(bed);
	bed = h2_bed_for(server, "check: {path: /refuse, interval: 50ms}");
	bed_wait_up(bed, 0);
	h2_bed_end(bed, server);
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
