// SPDX-License-Identifier: BSD-3-Clause
// The upstream loop between rings as a worker has them and HTTP servers of all kinds.

#include "dataplane/exchange_pool.h"
#include "gw/upstream/loop.h"
#include "tests/unit/upstream/server.h"
#include "tests/unit/upstream/text.h"

#include <rte_eal.h>

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define EXCHANGES 64
#define ROOM      1024 // bytes of the largest answer
#define LONG_MS   20000

struct bed {
	struct conf *conf;
	struct dp_upstream *up;
	struct up_loop *loop;
	bool no_name;
	uint64_t piv;
	unsigned out; // requests that did not come back yet
};

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool device_name(void *arg, uint32_t context, uint32_t generation, char *buf, size_t room)
{
	struct bed *bed = arg;

	snprintf(buf, room, "device-%u.%u", context, generation);
	return !bed->no_name;
}

static struct rte_ring *ring(const char *name)
{
	struct rte_ring *r = rte_ring_create_elem(name, sizeof(dp_handle), EXCHANGES, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	cr_assert_not_null(r);
	return r;
}

// upstream: the lines under "up:" in a configuration file.
static struct bed *bed_make(const char *upstream)
{
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"16", "--lcores", "0", "--log-level", "error", NULL};
	struct up_loop_config config = {.name = device_name, .etag_key = {1}};
	struct bed *bed = calloc(1, sizeof(*bed));
	char text[4096], err[256];

	cr_assert(rte_eal_init(11, argv) >= 0);
	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {%s}}\n"
		"routes: [{path: /none, to: builtin:discard}, {path: /*, to: up}]\n",
		upstream);
	cr_assert_eq(conf_parse("test", text, strlen(text), &bed->conf, stderr), 0);

	bed->up = calloc(1, sizeof(*bed->up) + sizeof(bed->up->port[0]));
	cr_assert_eq(dp_doorbell_init(&bed->up->bell), 0);
	bed->up->count = 1;
	bed->up->port[0] = (struct dp_upstream_port){
		.pool = dp_exchange_pool_create(EXCHANGES, 1500),
		.requests = ring("requests"),
		.responses = ring("responses"),
	};
	config.conf = bed->conf;
	config.upstream = bed->up;
	config.name_arg = bed;
	cr_assert_eq(up_loop_create(&config, &bed->loop, err, sizeof(err)), 0, "%s", err);
	cr_assert_eq(up_loop_start(bed->loop), 0);
	return bed;
}

static struct bed *bed_for(const struct server *server, const char *more)
{
	char upstream[1024];

	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"]%s%s",
		server_port(server), *more ? ", " : "", more);
	return bed_make(upstream);
}

static uint64_t stat(const struct bed *bed, enum up_stat which)
{
	return up_loop_stat(bed->loop, 0, which);
}

// Like a worker: fills an exchange, pushes its handle, rings. Returns the handle.
static dp_handle push_deadline(struct bed *bed, const char *line, uint32_t timeout_ms)
{
	struct dp_upstream_port *port = &bed->up->port[0];
	uint32_t index = dp_exchange_take(port->pool);
	uint8_t body[TEXT_BODY_MAX], code;
	size_t len = text_request(line, &code, body);

	cr_assert_neq(index, DP_INDEX_NONE);
	struct dp_shared *shared = dp_shared_at(port->pool, index);
	shared->abandoned = 0;
	shared->response.len = 0;
	shared->request = (struct dp_request){
		.piv = ++bed->piv,
		.fingerprint = 0xabcdef,
		.received_ms = now_ms(),
		.deadline_ms = now_ms() + timeout_ms,
		.context = 7,
		.context_generation = 3,
		.route = strstr(line, "path=none") ? 0 : 1,
		.response_max = ROOM,
		.remote_port = 5683,
		.body_len = (uint16_t)len,
		.code = code,
		.family = 4,
		.remote_addr = {192, 0, 2, 2},
	};
	memcpy(dp_shared_request_buf(port->pool, shared), body, len);
	dp_handle handle = dp_handle_make(index, shared->generation);
	cr_assert_eq(rte_ring_sp_enqueue_elem(port->requests, &handle, sizeof(handle)), 0);
	dp_doorbell_ring(&bed->up->bell);
	bed->out++;
	return handle;
}

static dp_handle push(struct bed *bed, const char *line)
{
	return push_deadline(bed, line, LONG_MS);
}

// Waits for the next answer. "" for one without an answer. The exchange is free afterwards.
static const char *pull(struct bed *bed, dp_handle *handle)
{
	static char text[TEXT_BODY_MAX];
	struct dp_upstream_port *port = &bed->up->port[0];
	uint64_t until = now_ms() + LONG_MS;
	dp_handle h;

	// As a worker does, this polls: nothing rings for responses.
	while (rte_ring_sc_dequeue_elem(port->responses, &h, sizeof(h))) {
		cr_assert(now_ms() < until, "nothing came back");
		usleep(200);
	}
	struct dp_shared *shared = dp_shared_get(port->pool, h);
	cr_assert_not_null(shared, "handed back twice");
	snprintf(text, sizeof(text), "%s",
		shared->response.len
			? text_answer(dp_shared_response(port->pool, shared), shared->response.len)
			: "");
	dp_exchange_give(port->pool, dp_handle_index(h));
	bed->out--;
	if (handle)
		*handle = h;
	return text;
}

static const char *ask(struct bed *bed, const char *line)
{
	push(bed, line);
	return pull(bed, NULL);
}

static void bed_end(struct bed *bed)
{
	cr_expect_eq(bed->out, 0);
	up_loop_stop(bed->loop, 0);
	cr_expect_eq(stat(bed, UP_STAT_requests), stat(bed, UP_STAT_returned));
	cr_expect_eq(stat(bed, UP_STAT_inflight), 0);
	cr_expect_eq(stat(bed, UP_STAT_waiting), 0);
	cr_expect_eq(rte_ring_count(bed->up->port[0].responses), 0);
	up_loop_free(bed->loop);
	dp_exchange_pool_free(bed->up->port[0].pool);
	rte_ring_free(bed->up->port[0].requests);
	rte_ring_free(bed->up->port[0].responses);
	dp_doorbell_close(&bed->up->bell);
	free(bed->up);
	conf_free(bed->conf);
	free(bed);
	rte_eal_cleanup();
}

static struct server *plain_server(const char *name)
{
	return server_start(&(struct server_config){.name = name});
}

static uint16_t free_port(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	close(fd);
	return ntohs(address.sin_port);
}

#define EXPECT_ANSWER(answer, want)                                      \
	do {                                                             \
		const char *got_ = (answer);                             \
		cr_expect_str_eq(got_, want, "%s\nnot\n%s", got_, want); \
	} while (0)

Test(upstream_loop, what_the_backend_sees)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "");
	const char *answer;

	answer = ask(bed, "POST path=echo query=a=b cf=50 |{}");
	cr_expect(strstr(answer, "|POST /echo?a=b HTTP/1.1\r\n"), "%s", answer);
	cr_expect(strstr(answer, "\r\nContent-Type: application/json\r\n"));
	cr_expect(strstr(answer, "\r\nContent-Length: 2\r\n"));
	cr_expect(strstr(answer, "\r\nDevice-Id: device-7.3\r\n"));
	cr_expect(strstr(answer, "\r\nOscore-Context: 0000000000abcdef\r\n"));
	cr_expect(strstr(answer, "\r\nForwarded: for=\"192.0.2.2:5683\";proto=coap\r\n"));
	cr_expect(strstr(answer, "\r\nIdempotency-Key: \"0000000000abcdef-1\"\r\n"));
	cr_expect(strstr(answer, "\r\nUser-Agent: postern/"));
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

	answer = ask(bed, "POST path=echo");
	cr_expect(strstr(answer, "\r\nContent-Length: 0\r\n"), "%s", answer);
	cr_expect_not(strstr(answer, "Content-Type"), "%s", answer);
	cr_expect_not(strstr(answer, trace), "the same trace twice");
	cr_expect(strstr(ask(bed, "PUT path=echo |x"), "|PUT /echo HTTP/1.1\r\n"));
	cr_expect(strstr(ask(bed, "PATCH path=echo |x"), "|PATCH /echo HTTP/1.1\r\n"));
	answer = ask(bed, "GET path=echo accept=0");
	cr_expect(strstr(answer, "|GET /echo HTTP/1.1\r\n"));
	cr_expect(strstr(answer, "\r\nAccept: text/plain; charset=utf-8\r\n"));
	cr_expect_not(strstr(answer, "Content-Length"), "%s", answer);
	answer = ask(bed, "DELETE path=echo");
	cr_expect(strstr(answer, "|DELETE /echo HTTP/1.1\r\n"));
	cr_expect_not(strstr(answer, "Content-Length"), "%s", answer);
	cr_expect(strstr(ask(bed, "FETCH path=echo |q"), "|POST /echo HTTP/1.1\r\n"));
	EXPECT_ANSWER(ask(bed, "DELETE path=status path=404"), "2.02");
	cr_expect_eq(server_connections(server), 1);
	cr_expect_eq(stat(bed, UP_STAT_connections), 1);
	bed_end(bed);
	server_stop(server);
}

// Connections are kept: as many as requests at a time, and no more.
Test(upstream_loop, connections_are_reused)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "");

	for (unsigned round = 0; round < 20; round++) {
		for (unsigned i = 0; i < 4; i++)
			push(bed, "GET path=ok");
		for (unsigned i = 0; i < 4; i++)
			EXPECT_ANSWER(pull(bed, NULL), "2.05 cf=0 max-age=0 |one");
	}
	cr_expect_eq(server_requests(server), 80);
	cr_expect_leq(server_connections(server), 4);
	cr_expect_eq(stat(bed, UP_STAT_http_2xx), 80);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, servers_in_turn)
{
	struct server *one = plain_server("one"), *two = plain_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]", server_port(one),
		server_port(two));
	struct bed *bed = bed_make(upstream);
	for (unsigned i = 0; i < 4; i++) {
		EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
		EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |two");
	}
	bed_end(bed);
	server_stop(one);
	server_stop(two);
}

// A request that no server can have seen goes to another one, a POST too.
Test(upstream_loop, another_server_if_none_was_reached)
{
	struct server *two = plain_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://postern.invalid\", "
		"\"http://127.0.0.1:%u\"]",
		free_port(), server_port(two));
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	cr_expect_eq(stat(bed, UP_STAT_retries), 2);
	cr_expect_eq(stat(bed, UP_STAT_attempts), 3);
	cr_expect_eq(server_requests(two), 1);
	bed_end(bed);
	server_stop(two);
}

Test(upstream_loop, no_server_reached)
{
	char upstream[256];

	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"]", free_port());
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not reached");
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_connect), 1);
	bed_end(bed);
}

Test(upstream_loop, name_not_resolved)
{
	struct bed *bed = bed_make("servers: [\"http://postern.invalid\"]");

	EXPECT_ANSWER(ask(bed, "GET path=ok"), "5.02 max-age=0 |backend not found");
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_dns), 1);
	bed_end(bed);
}

// Each ends in its own code, and the loop goes on.
Test(upstream_loop, hostile_backend)
{
	static const struct {
		const char *path, *answer;
		enum up_error error;
	} rows[] = {
		{"reset", "5.02 max-age=0 |backend hung up", UP_ERR_reset},
		{"short", "5.02 max-age=0 |backend hung up", UP_ERR_reset},
		{"long", "2.05 max-age=0 |more", UP_OK},
		{"endless", "5.00 max-age=0 |answer too large", UP_ERR_body_too_large},
		{"big", "5.00 max-age=0 |answer too large", UP_ERR_body_too_large},
		{"chunked", "2.05 max-age=0 |onetwo", UP_OK},
		{"both", "5.02 max-age=0 |backend answer malformed", UP_ERR_bad_reply},
		{"bighead", "5.02 max-age=0 |backend answer malformed", UP_ERR_head_too_large},
		{"many-continue", "5.02 max-age=0 |backend answer malformed",
			UP_ERR_head_too_large},
		{"rubbish", "5.02 max-age=0 |backend answer malformed", UP_ERR_bad_reply},
		{"http09", "5.02 max-age=0 |backend answer malformed", UP_ERR_bad_reply},
		{"switch", "5.02 max-age=0 |backend answer not expected", UP_ERR_bad_status},
		{"status path=204", "2.05 max-age=0", UP_OK},
		{"status path=304", "5.02 max-age=0 |backend answer not expected",
			UP_ERR_bad_status},
		{"status path=302", "5.02 max-age=0 |backend redirects", UP_ERR_redirect},
		{"status path=503", "5.03 max-age=5 |said", UP_OK},
		{"status path=404", "4.04 max-age=0 |said", UP_OK},
	};
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "max_body: 64KB");
	char line[64];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum up_stat counter = UP_STAT_ERROR + rows[i].error;
		uint64_t before = stat(bed, counter);

		snprintf(line, sizeof(line), "GET path=%s", rows[i].path);
		EXPECT_ANSWER(ask(bed, line), rows[i].answer);
		if (rows[i].error)
			cr_expect_eq(stat(bed, counter), before + 1, "%s", line);
		EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	}
	bed_end(bed);
	server_stop(server);
}

// An answer that is larger than a datagram, but not than max_body, is read to its end, so that its
// connection lives on.
Test(upstream_loop, answer_larger_than_a_datagram)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "max_body: 1MB");

	EXPECT_ANSWER(ask(bed, "GET path=big"), "5.00 max-age=0 |answer too large");
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_no_room), 1);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(server_connections(server), 1);
	bed_end(bed);
	server_stop(server);
}

// A kept connection that dies under a request: what is idempotent is sent again, a POST is not.
Test(upstream_loop, connection_lost_under_a_request)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "");

	EXPECT_ANSWER(ask(bed, "POST path=vanish |x"), "2.04 cf=0 |one");
	EXPECT_ANSWER(ask(bed, "POST path=vanish |x"), "5.02 max-age=0 |backend hung up");
	cr_expect_eq(server_requests(server), 2);
	EXPECT_ANSWER(ask(bed, "POST path=vanish"), "2.04 cf=0 |one");
	EXPECT_ANSWER(ask(bed, "POST path=vanish"), "5.02 max-age=0 |backend hung up");
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(server_requests(server), 5);
	EXPECT_ANSWER(ask(bed, "GET path=vanish"), "2.05 cf=0 max-age=0 |one");
	cr_expect_eq(server_requests(server), 7, "lost, and sent again");
	bed_end(bed);
	server_stop(server);
}

// A server that dies under a POST may have performed it: no other one is asked.
Test(upstream_loop, server_lost_under_a_request)
{
	struct server *one = plain_server("one"), *two = plain_server("two");
	char upstream[256];

	snprintf(upstream, sizeof(upstream),
		"servers: [\"http://127.0.0.1:%u\", \"http://127.0.0.1:%u\"]", server_port(one),
		server_port(two));
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |two");
	cr_expect(!strncmp(ask(bed, "POST path=die |x"), "5.02 ", 5));
	cr_expect_eq(server_requests(one), 2);
	cr_expect_eq(server_requests(two), 1);
	EXPECT_ANSWER(ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	EXPECT_ANSWER(ask(bed, "POST path=ok |x"), "2.04 cf=0 |two");
	bed_end(bed);
	server_stop(one);
	server_stop(two);
}

Test(upstream_loop, timeout)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "");
	uint64_t start = now_ms();

	push_deadline(bed, "GET path=hang", 150);
	EXPECT_ANSWER(pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	cr_expect_geq(now_ms() - start, 120);
	cr_expect_leq(now_ms() - start, LONG_MS / 2);
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_timeout), 1);
	push_deadline(bed, "GET path=hang", 0);
	EXPECT_ANSWER(pull(bed, NULL), "5.04 max-age=0 |backend too slow");
	bed_end(bed);
	server_stop(server);
}

static unsigned answers_like(struct bed *bed, unsigned count, const char *start)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += !strncmp(pull(bed, NULL), start, strlen(start));
	return found;
}

// max_inflight requests are under way, as many wait for at most `queue`, all others are refused.
Test(upstream_loop, queue)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 2, queue: 100ms");

	push(bed, "GET path=hold");
	push(bed, "GET path=hold");
	server_wait_requests(server, 2);
	for (unsigned i = 0; i < 5; i++)
		push(bed, "GET path=ok");
	cr_expect_eq(answers_like(bed, 5, "5.03 max-age="), 5);
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_queue_full), 3);
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_queue_timeout), 2);
	cr_expect_eq(stat(bed, UP_STAT_queued), 2);
	cr_expect_geq(stat(bed, UP_STAT_queued_ms), 200);
	cr_expect_eq(server_requests(server), 2);
	server_release(server);
	cr_expect_eq(answers_like(bed, 2, "2.05"), 2);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, queue_moves_on)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 8, max_connections: 1, queue: 10s");

	push(bed, "GET path=hold");
	server_wait_requests(server, 1);
	for (unsigned i = 0; i < 8; i++)
		push(bed, "GET path=ok");
	server_release(server);
	cr_expect_eq(answers_like(bed, 9, "2.05"), 9);
	cr_expect_eq(stat(bed, UP_STAT_queued), 8);
	cr_expect_eq(server_connections(server), 1);
	bed_end(bed);
	server_stop(server);
}

// What the worker gave up comes back without an answer, in the air and in the queue.
Test(upstream_loop, abandoned)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 1, queue: 10s");
	dp_handle first = push(bed, "GET path=hang"), second, back;

	server_wait_requests(server, 1);
	second = push(bed, "GET path=ok");
	struct dp_exchange_pool *pool = bed->up->port[0].pool;
	__atomic_store_n(&dp_shared_get(pool, second)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(pull(bed, &back), "");
	cr_expect_eq(back, second);
	__atomic_store_n(&dp_shared_get(pool, first)->abandoned, 1, __ATOMIC_RELAXED);
	EXPECT_ANSWER(pull(bed, &back), "");
	cr_expect_eq(back, first);
	cr_expect_eq(stat(bed, UP_STAT_abandoned), 2);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |one");
	bed_end(bed);
	server_stop(server);
}

// Nothing of what does not pass the mapping reaches a backend.
Test(upstream_loop, refused_requests)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "");

	EXPECT_ANSWER(ask(bed, "GET path=.."), "4.00 max-age=0 |Uri-Path not allowed");
	EXPECT_ANSWER(ask(bed, "GET accept=4711"), "4.06 max-age=0 |Accept not known");
	EXPECT_ANSWER(ask(bed, "GET proxy-uri=http://x/"), "5.05 max-age=0 |no forward proxy");
	EXPECT_ANSWER(ask(bed, "GET path=none"), "4.04 max-age=0 |no such route");
	cr_expect_eq(up_loop_stat(bed->loop, 1, UP_STAT_ERROR + UP_ERR_no_route), 1);
	bed->no_name = true;
	const char *answer = ask(bed, "GET path=ok");
	cr_expect(!strncmp(answer, "5.03 ", 5) && strstr(answer, "|device removed"), "%s", answer);
	cr_expect_eq(server_requests(server), 0);
	bed_end(bed);
	server_stop(server);
}

// Stopping answers all that came in: what can finish in time does, the rest is 5.03.
Test(upstream_loop, stop)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "max_inflight: 2, queue: 10s");

	push(bed, "GET path=hang");
	push(bed, "GET path=hang");
	server_wait_requests(server, 2);
	push(bed, "GET path=ok");
	up_loop_stop(bed->loop, 50);
	cr_expect_eq(answers_like(bed, 3, "5.03"), 3);
	cr_expect_eq(stat(bed, UP_STAT_ERROR + UP_ERR_stopping), 3);
	bed_end(bed);
	server_stop(server);
}

Test(upstream_loop, stop_lets_finish)
{
	struct server *server = plain_server("one");
	struct bed *bed = bed_for(server, "");

	push(bed, "GET path=hold");
	server_wait_requests(server, 1);
	server_release(server);
	up_loop_stop(bed->loop, LONG_MS);
	EXPECT_ANSWER(pull(bed, NULL), "2.05 cf=0 max-age=0 |held");
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
	struct server *server = plain_server("one");
	struct sigaction action = {.sa_handler = ignore_signal};

	sigaction(SIGRTMIN, &action, NULL);
	struct bed *bed = bed_for(server, "");
	for (unsigned i = 0; i < 50; i++) {
		push(bed, "GET path=ok");
		kill(getpid(), SIGRTMIN);
		EXPECT_ANSWER(pull(bed, NULL), "2.05 cf=0 max-age=0 |one");
	}
	bed_end(bed);
	server_stop(server);
}

struct pki {
	char dir[64], cert[96], key[96];
};

// A certificate for the name postern.test, signed by itself.
static struct pki pki_make(void)
{
	struct pki pki = {.dir = "/tmp/postern-test-XXXXXX"};
	char command[512];

	cr_assert_not_null(mkdtemp(pki.dir));
	snprintf(pki.cert, sizeof(pki.cert), "%s/cert.pem", pki.dir);
	snprintf(pki.key, sizeof(pki.key), "%s/key.pem", pki.dir);
	snprintf(command, sizeof(command),
		"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
		" -subj /CN=postern.test -addext subjectAltName=DNS:postern.test"
		" -keyout %s -out %s 2>/dev/null",
		pki.key, pki.cert);
	cr_assert_eq(system(command), 0);
	return pki;
}

static void pki_remove(const struct pki *pki)
{
	unlink(pki->cert);
	unlink(pki->key);
	rmdir(pki->dir);
}

// Sends two requests to an HTTPS server with these TLS settings.
static void https(const char *settings, const char *want, enum up_error error)
{
	struct pki pki = pki_make();
	struct server *server = server_start(
		&(struct server_config){.name = "tls", .cert = pki.cert, .key = pki.key});
	char upstream[512], with_ca[256];

	snprintf(with_ca, sizeof(with_ca), settings, pki.cert);
	snprintf(upstream, sizeof(upstream), "servers: [\"https://127.0.0.1:%u\"]%s%s",
		server_port(server), *with_ca ? ", tls: " : "", with_ca);
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), want);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), want);
	if (error)
		cr_expect_eq(stat(bed, UP_STAT_ERROR + error), 2);
	else
		cr_expect_eq(server_connections(server), 1);
	cr_expect_eq(server_requests(server), error ? 0 : 2);
	bed_end(bed);
	server_stop(server);
	pki_remove(&pki);
}

Test(upstream_loop, https_with_ca_and_name)
{
	https("{ca: %s, server_name: postern.test}", "2.05 cf=0 max-age=0 |tls", UP_OK);
}

Test(upstream_loop, https_without_verification)
{
	https("{verify: no}", "2.05 cf=0 max-age=0 |tls", UP_OK);
}

Test(upstream_loop, https_with_unknown_authority)
{
	https("{server_name: postern.test}", "5.02 max-age=0 |backend not trusted", UP_ERR_tls);
}

Test(upstream_loop, https_with_another_name)
{
	https("{ca: %s}", "5.02 max-age=0 |backend not trusted", UP_ERR_tls);
}

Test(upstream_loop, tls_file_missing)
{
	char text[] = "ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		      "upstreams: {up: {servers: [\"https://h\"], tls: {ca: /does/not/exist}}}\n"
		      "routes: [{path: /*, to: up}]\n";
	struct dp_upstream *up = calloc(1, sizeof(*up));
	struct up_loop_config config = {.upstream = up, .name = device_name};
	struct conf *conf;
	struct up_loop *loop;
	char err[256];

	cr_assert_eq(conf_parse("test", text, strlen(text), &conf, stderr), 0);
	cr_assert_eq(dp_doorbell_init(&up->bell), 0);
	config.conf = conf;
	cr_expect_eq(up_loop_create(&config, &loop, err, sizeof(err)), -ENOENT);
	cr_expect_str_eq(err, "upstream up: /does/not/exist: No such file or directory");
	dp_doorbell_close(&up->bell);
	free(up);
	conf_free(conf);
}

Test(upstream_loop, unix_socket)
{
	char dir[] = "/tmp/postern-test-XXXXXX", path[64], upstream[128];

	cr_assert_not_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/http", dir);
	struct server *server =
		server_start(&(struct server_config){.name = "unix", .unix_path = path});
	snprintf(upstream, sizeof(upstream), "servers: [\"http+unix:%s\"]", path);
	struct bed *bed = bed_make(upstream);
	EXPECT_ANSWER(ask(bed, "GET path=ok"), "2.05 cf=0 max-age=0 |unix");
	cr_expect(strstr(ask(bed, "GET path=echo"), "\r\nHost: localhost\r\n"));
	bed_end(bed);
	server_stop(server);
	unlink(path);
	rmdir(dir);
}
