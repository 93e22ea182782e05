// SPDX-License-Identifier: BSD-3-Clause
// The HTTP/2 engine alone, in the test's thread and at times of the test's own.

#include "base/clock.h"
#include "gw/http/engine.h"
#include "tests/unit/gw/http/h2_server.h"
#include "tests/unit/gw/http/peer.h"

#include <criterion/criterion.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define LONG_MS 20000

struct asker {
	struct http_transfer transfer;
	bool done;
	enum http_error error;
};

static void asker_done(struct http_transfer *transfer, enum http_error error)
{
	struct asker *asker = (struct asker *)transfer;

	asker->done = true;
	asker->error = error;
}

struct alone {
	struct conf *conf;
	int epoll;
	struct http_engine *engine;
};

// upstream: the lines under "up:" in a configuration file.
static struct alone alone_make_of(const char *upstream, int32_t first_stream)
{
	struct alone a = {.epoll = epoll_create1(EPOLL_CLOEXEC)};
	char text[1024];

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {%s}}\n"
		"routes: [{path: /*, to: up}]\n",
		upstream);
	cr_assert_eq(conf_parse("test", text, strlen(text), &a.conf, stderr), 0);
	const struct http_engine_config config = {
		.upstream = &a.conf->upstreams[0],
		.epoll = a.epoll,
		.max_connections = a.conf->upstreams[0].max_connections,
		.first_stream = first_stream,
	};
	cr_assert_eq(http_engine_h2_create(&config, &a.engine), 0);
	return a;
}

static struct alone alone_make(const struct h2_server *server, int32_t first_stream)
{
	char upstream[128];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\"], max_connections: 4", h2_server_port(server));
	return alone_make_of(upstream, first_stream);
}

static void alone_end(struct alone *a)
{
	a->engine->ops->free(a->engine);
	close(a->epoll);
	conf_free(a->conf);
}

static void asker_start(struct alone *a, struct asker *asker, const char *path, uint32_t timeout_ms)
{
	*asker = (struct asker){.transfer = {
					.done = asker_done,
					.request = {.method = "GET", .path = path, .query = ""},
					.server = &a->conf->upstreams[0].servers[0],
					.host = "host",
					.timeout_ms = timeout_ms,
					.body_keep = 100,
					.body_max = 1000,
				}};
	cr_assert_eq(a->engine->ops->start(a->engine, &asker->transfer), 0);
}

// Whether there is something to be done at once.
static bool alone_is_busy(const struct alone *a)
{
	return !a->engine->ops->next_ms(a->engine);
}

// A turn of the loop, at a time that is this much later than now. Returns what epoll told in all.
static uint32_t alone_turn(struct alone *a, uint64_t later_ms, int wait_ms)
{
	struct epoll_event events[16];
	uint32_t told = 0;

	a->engine->ops->turn(a->engine, clock_ms() + later_ms);
	a->engine->ops->flush(a->engine);
	int n = epoll_wait(a->epoll, events, 16, alone_is_busy(a) ? 0 : wait_ms);
	for (int i = 0; i < n; i++) {
		told |= events[i].events;
		a->engine->ops->ready(a->engine, events[i].data.u64, events[i].events);
	}
	return told;
}

static enum http_error asker_wait(struct alone *a, const struct asker *asker)
{
	uint64_t until = clock_ms() + LONG_MS;

	while (!asker->done) {
		cr_assert(clock_ms() < until, "no end");
		alone_turn(a, 0, 10);
	}
	return asker->error;
}

static void asker_send(struct alone *a, const struct asker *asker)
{
	uint64_t until = clock_ms() + LONG_MS;

	while (!asker->transfer.sent) {
		cr_assert(clock_ms() < until && !asker->done, "not sent");
		alone_turn(a, 0, 10);
	}
}

// Before the ids of streams run out, a new connection takes over.
Test(http_h2_engine, ids_of_streams_run_out)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){.name = "one"});
	struct alone a = alone_make(server, INT32_MAX - 6);
	struct asker held, asker;

	asker_start(&a, &held, "/hold", LONG_MS);
	for (unsigned i = 0; i < 10; i++) {
		asker_start(&a, &asker, "/ok", LONG_MS);
		cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_none);
		cr_expect_eq(asker.transfer.reply.status, 200);
	}
	cr_expect_geq(h2_server_connections(server), 4);
	h2_server_release(server); // on the first connection of all
	cr_expect_eq(asker_wait(&a, &held), HTTP_ERR_none);
	alone_end(&a);
	h2_server_stop(server);
}

// A server that says nothing any more: a request that got no answer in time has a PING sent, and
// without an answer to that the connection is given up.
Test(http_h2_engine, silence)
{
	static const char settings[] = "\0\0\0\4\0\0\0\0\0";
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.raw = settings, .raw_len = 9});
	struct alone a = alone_make(server, 0);
	struct asker first, second;

	asker_start(&a, &first, "/", 10000);
	asker_send(&a, &first);
	alone_turn(&a, 10000, 0);
	cr_expect_eq(asker_wait(&a, &first), HTTP_ERR_timeout);
	asker_start(&a, &second, "/", LONG_MS);
	asker_send(&a, &second);
	cr_expect_eq(h2_server_connections(server), 1);
	alone_turn(&a, 16000, 0);
	alone_turn(&a, 16000, 0);
	cr_expect(second.done);
	cr_expect_eq(second.error, HTTP_ERR_reset);
	asker_start(&a, &first, "/", LONG_MS);
	asker_send(&a, &first);
	cr_expect_eq(h2_server_connections(server), 2);
	a.engine->ops->cancel(a.engine, &first.transfer);
	alone_end(&a);
	h2_server_stop(server);
}

// One that answers PINGs is kept, and one without requests is left after a while.
Test(http_h2_engine, idle)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){.name = "one"});
	struct alone a = alone_make(server, 0);
	struct asker asker;

	asker_start(&a, &asker, "/ok", LONG_MS);
	cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_none);
	uint64_t until = clock_ms() + LONG_MS;
	// A PING, and its answer; without that, the connection would be given up 5 s later.
	for (uint32_t told = alone_turn(&a, 16000, 0); !(told & EPOLLIN);) {
		cr_assert(clock_ms() < until, "no answer");
		told = alone_turn(&a, 0, 100);
	}
	alone_turn(&a, 22000, 0);
	asker_start(&a, &asker, "/ok", LONG_MS);
	cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_none);
	cr_expect_eq(h2_server_connections(server), 1);
	alone_turn(&a, 125000, 0);
	until = clock_ms() + LONG_MS;
	while (!h2_server_left(server) && clock_ms() < until)
		alone_turn(&a, 0, 10);
	cr_expect_eq(h2_server_left(server), 1);
	alone_end(&a);
	h2_server_stop(server);
}

// A place that becomes free because a request was given up is seen at once, not when something
// else wakes the loop: whether it was given up in time() or between turns.
Test(http_h2_engine, place_of_a_given_up_stream)
{
	struct h2_server *server = h2_server_start(
		&(struct h2_server_config){.name = "one", .limited = true, .streams = 1});
	char upstream[128];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\"], max_connections: 1, queue: 1h",
		h2_server_port(server));
	for (unsigned by_time = 0; by_time < 2; by_time++) {
		struct alone a = alone_make_of(upstream, 0);
		struct asker first, second;

		asker_start(&a, &first, "/hang", LONG_MS);
		asker_send(&a, &first);
		h2_server_wait_requests(server, by_time + 1);
		asker_start(&a, &second, "/hang", 10 * LONG_MS);
		alone_turn(&a, 0, 10);
		while (alone_is_busy(&a))
			alone_turn(&a, 0, 0);
		cr_assert(!second.transfer.sent);
		if (by_time)
			a.engine->ops->turn(a.engine, clock_ms() + LONG_MS);
		else
			a.engine->ops->cancel(a.engine, &first.transfer);
		while (alone_is_busy(&a)) { // no event wakes it
			a.engine->ops->turn(a.engine, clock_ms());
			a.engine->ops->flush(a.engine);
		}
		cr_expect(second.transfer.sent);
		a.engine->ops->cancel(a.engine, &second.transfer);
		alone_end(&a);
	}
	h2_server_stop(server);
}

// What the server's GOAWAY leaves without an answer waits for a connection to come, which may take
// longer than `queue`: that is for a place on one that stands.
Test(http_h2_engine, goaway_before_a_slow_connection)
{
	struct h2_server *server =
		h2_server_start(&(struct h2_server_config){.name = "one", .requests = 1});
	struct alone a = alone_make(server, 0);
	struct asker first, second;

	asker_start(&a, &first, "/ok", LONG_MS);
	asker_start(&a, &second, "/ok", LONG_MS);
	uint64_t until = clock_ms() + LONG_MS;
	while (a.engine->ops->connections(a.engine) < 2) { // it is not ready in this turn
		cr_assert(clock_ms() < until, "no second connection");
		alone_turn(&a, 0, 10);
	}
	alone_turn(&a, 5000, 0);
	cr_expect_eq(asker_wait(&a, &first), HTTP_ERR_none);
	cr_expect_eq(asker_wait(&a, &second), HTTP_ERR_none);
	cr_expect_eq(h2_server_requests(server), 2);
	alone_end(&a);
	h2_server_stop(server);
}

#define ONE_STREAM "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\1"      // SETTINGS_MAX_CONCURRENT_STREAMS
#define LAST_OK    "\0\0\1\1\5\0\0\0\1\x88"              // :status: 200 on stream 1,
#define LEAVING    "\0\0\x8\7\0\0\0\0\0\0\0\0\1\0\0\0\0" // and GOAWAY after it

// The same if its time in the queue is up in the very turn that follows the GOAWAY.
Test(http_h2_engine, goaway_before_a_slow_turn)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){
		.raw = ONE_STREAM,
		.raw_len = sizeof(ONE_STREAM) - 1,
		.late = LAST_OK LEAVING,
		.late_len = sizeof(LAST_OK LEAVING) - 1,
	});
	struct asker first, second;
	char upstream[128];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2c://127.0.0.1:%u\"], max_connections: 1, queue: 2s",
		h2_server_port(server));
	struct alone a = alone_make_of(upstream, 0);
	asker_start(&a, &first, "/", LONG_MS);
	asker_start(&a, &second, "/", LONG_MS); // it waits for the only stream
	cr_expect_eq(asker_wait(&a, &first), HTTP_ERR_none);
	a.engine->ops->turn(a.engine, clock_ms() + 4000);
	cr_expect_eq(asker_wait(&a, &second), HTTP_ERR_none);
	cr_expect_eq(h2_server_connections(server), 2);
	alone_end(&a);
	h2_server_stop(server);
}

// A request that was lost with its connection may have been seen, even if the server refuses it
// when it comes again.
Test(http_h2_engine, lost_and_then_refused)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){.name = "one"});
	struct alone a = alone_make(server, 0);
	struct asker asker;

	asker_start(&a, &asker, "/lose", LONG_MS);
	asker.transfer.request.idempotent = true;
	asker.transfer.connect_ms = LONG_MS; // there is another server
	cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_reset);
	cr_expect(asker.transfer.sent);
	cr_expect_eq(h2_server_requests(server), 1 + 4);
	asker_start(&a, &asker, "/refuse", LONG_MS);
	asker.transfer.connect_ms = LONG_MS;
	cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_reset);
	cr_expect_not(asker.transfer.sent);
	alone_end(&a);
	h2_server_stop(server);
}

// What others in the thread left in OpenSSL's queue of errors is no error of an HTTP/2
// connection: not when it reads, not when it writes.
Test(http_h2_engine, errors_of_others)
{
	struct peer_pki pki = peer_pki_make();
	struct h2_server *server = h2_server_start(
		&(struct h2_server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
	char upstream[512];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"h2://127.0.0.1:%u\"], tls: {ca: %s, server_name: postern.test}",
		h2_server_port(server), pki.cert);
	struct alone a = alone_make_of(upstream, 0);
	for (unsigned i = 0; i < 4; i++) {
		struct asker asker;

		asker_start(&a, &asker, "/ok", LONG_MS);
		while (!asker.done) {
			ERR_raise(ERR_LIB_USER, ERR_R_INTERNAL_ERROR);
			alone_turn(&a, 0, 10);
		}
		cr_expect_eq(asker.error, HTTP_ERR_none);
	}
	cr_expect_eq(h2_server_connections(server), 1);
	ERR_clear_error();
	alone_end(&a);
	h2_server_stop(server);
	peer_pki_remove(&pki);
}

// SETTINGS_INITIAL_WINDOW_SIZE, and WINDOW_UPDATE of the connection: all there can be.
#define WIDE "\0\0\6\4\0\0\0\0\0\0\4\x7f\xff\xff\xff\0\0\4\x8\0\0\0\0\0\x7f\xff\0\0"

// Epoll is asked for EPOLLOUT only while something waits to be sent: neither a server that does not
// read nor a connection on which all is said wakes the loop.
static void quiet_unless_it_writes(const char *scheme, const struct peer_pki *pki)
{
	static const size_t size = 8 * 1024 * 1024; // more than the sockets hold
	struct h2_server *server = h2_server_start(&(struct h2_server_config){
		.raw = WIDE,
		.raw_len = sizeof(WIDE) - 1,
		.unread = true,
		.cert = pki ? pki->cert : NULL,
		.key = pki ? pki->key : NULL,
	});
	uint8_t *body = calloc(1, size);
	struct asker asker;
	unsigned quiet = 0, woken = 0;
	char upstream[512];

	snprintf(upstream, sizeof(upstream), "servers: [\"%s://127.0.0.1:%u\"]%s", scheme,
		h2_server_port(server), pki ? ", tls: {verify: no}" : "");
	struct alone a = alone_make_of(upstream, 0);
	asker_start(&a, &asker, "/", LONG_MS);
	asker.transfer.request.has_body = true;
	asker.transfer.request.body = body;
	asker.transfer.request.body_len = size;
	asker_send(&a, &asker);
	// Blocked.
	for (unsigned i = 0; quiet < 5; i++) {
		cr_assert(i < 10000, "%s: it never waits", scheme);
		quiet = alone_turn(&a, 0, 10) || alone_is_busy(&a) ? 0 : quiet + 1;
	}
	cr_assert_eq(h2_server_received(server), 0);
	h2_server_release(server);
	while (h2_server_received(server) < size) {
		cr_assert(!asker.done, "%s: %s", scheme, http_error_name(asker.error));
		woken += alone_turn(&a, 0, 10) & EPOLLOUT ? 1 : 0;
	}
	cr_expect_gt(woken, 0, "%s: was not blocked", scheme);
	// All is sent.
	woken = 0;
	for (unsigned i = 0; i < 10; i++)
		woken += alone_turn(&a, 0, 10) || alone_is_busy(&a);
	cr_expect_leq(woken, 2, "%s", scheme);
	a.engine->ops->cancel(a.engine, &asker.transfer);
	alone_end(&a);
	h2_server_stop(server);
	free(body);
}

Test(http_h2_engine, quiet_unless_it_writes)
{
	struct peer_pki pki = peer_pki_make();

	quiet_unless_it_writes("h2c", NULL);
	quiet_unless_it_writes("h2", &pki);
	peer_pki_remove(&pki);
}

// ---- answers without an end

#define ENOUGH (UINT64_C(8) << 20) // more than any window

static uint64_t taken;

static enum http_error head_seen(struct http_transfer *transfer)
{
	return transfer->reply.status == 200 ? HTTP_ERR_none : HTTP_ERR_bad_status;
}

static enum http_error part_taken(struct http_transfer *transfer, const void *data, size_t len)
{
	(void)transfer;
	(void)data;
	taken += len;
	return taken < ENOUGH ? HTTP_ERR_none : HTTP_ERR_bad_type;
}

static void ask_without_end(struct alone *a, struct asker *asker, const char *path)
{
	*asker = (struct asker){.transfer = {
					.done = asker_done,
					.request = {.method = "GET", .path = path, .query = ""},
					.server = &a->conf->upstreams[0].servers[0],
					.host = "host",
					.timeout_ms = LONG_MS,
					.body_max = 10,
					.fresh = true,
					.head = head_seen,
					.take = part_taken,
					.quiet_ms = 10000,
				}};
	taken = 0;
	cr_assert_eq(a->engine->ops->start(a->engine, &asker->transfer), 0);
}

// It goes on for as long as something comes of it, on a connection of its own; whoever had enough
// ends it.
Test(http_h2_engine, an_answer_without_end)
{
	struct h2_server *server = h2_server_start(&(struct h2_server_config){.name = "one"});
	struct alone a = alone_make(server, 0);
	struct asker asker, other;
	bool later = false;

	ask_without_end(&a, &asker, "/endless");
	while (!asker.done) {
		alone_turn(&a, 0, 10);
		if (taken < ENOUGH / 2 || later)
			continue;
		later = true;
		alone_turn(&a, LONG_MS + 1000, 0); // until its head is there
		cr_assert(!asker.done);
		asker_start(&a, &other, "/ok", LONG_MS);
		cr_expect_eq(asker_wait(&a, &other), HTTP_ERR_none);
		cr_expect_eq(h2_server_connections(server), 2);
	}
	cr_expect(later);
	cr_expect_eq(asker.error, HTTP_ERR_bad_type);
	cr_expect_eq(asker.transfer.reply.body_len, 0);
	ask_without_end(&a, &asker, "/status/404");
	cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_bad_status);
	cr_expect_eq(asker.transfer.reply.status, 404);
	ask_without_end(&a, &asker, "/hang");
	asker_send(&a, &asker);
	alone_turn(&a, LONG_MS + 1000, 0);
	cr_expect_eq(asker_wait(&a, &asker), HTTP_ERR_timeout);
	alone_end(&a);
	h2_server_stop(server);
}
