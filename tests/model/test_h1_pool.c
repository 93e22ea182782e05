// SPDX-License-Identifier: BSD-3-Clause
// The engine of HTTP/1.1 against servers that answer too early, too late, twice, in part and with
// rubbish, close at every byte in every way, and wait, over TCP, UNIX sockets and TLS: an answer is
// only ever given to the request that it belongs to, nothing that a server read is told as never
// sent, nothing is sent more often than it may be, and every request ends in time.
//
// POSTERN_SEED repeats a run, POSTERN_STEPS makes one longer: a million take about a minute.

#include "tests/model/h1_pool.h"
#include "tests/unit/gw/http/peer.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define STEPS   20000
#define SEGMENT 4000 // steps of an engine
#define EVENTS  16

uint64_t pool_seed, pool_step;

// ---- chance

static uint64_t state;

uint32_t pool_random(void)
{
	uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((z ^ (z >> 31)) >> 16);
}

uint32_t pool_below(uint32_t limit)
{
	return pool_random() % limit;
}

bool pool_one_in(uint32_t n)
{
	return !pool_below(n);
}

// ---- requests

static struct pool_request *requests;
static uint32_t request_count, request_room;

struct pool_request *pool_request(uint32_t id)
{
	return id && id <= request_count ? &requests[id - 1] : NULL;
}

uint32_t pool_request_add(void)
{
	if (request_count == request_room) {
		request_room = request_room ? 2 * request_room : 1024;
		requests = realloc(requests, request_room * sizeof(*requests));
		cr_assert_not_null(requests);
	}
	requests[request_count++] = (struct pool_request){0};
	return request_count;
}

uint32_t pool_request_last(void)
{
	return request_count;
}

// A transfer that may be under way.
struct slot {
	struct http_transfer transfer;
	uint32_t id; // 0: it is not
	char path[32];
	uint8_t *body;
};

static struct slot slots[POOL_RUNNING];

const struct http_transfer *pool_running(uint32_t id)
{
	for (unsigned i = 0; i < POOL_RUNNING; i++)
		if (slots[i].id == id)
			return &slots[i].transfer;
	return NULL;
}

bool pool_window(enum pool_server server)
{
	for (unsigned i = 0; i < POOL_RUNNING; i++) {
		const struct slot *s = &slots[i];

		if (s->id && pool_request(s->id)->server == server && s->transfer.sent &&
			!pool_servers_have(s->id))
			return true;
	}
	return false;
}

// ---- the engine

static struct conf *conf;
static struct http_engine *engine;
static int epoll;
static bool ready_only; // done() is not expected

static void slot_over(struct slot *s)
{
	struct pool_request *r = pool_request(s->id);

	r->over = true;
	r->over_ms = pool_now_ms;
	r->sent = s->transfer.sent;
	s->id = 0;
	free(s->body);
	s->body = NULL;
}

static void slot_cancel(struct slot *s)
{
	if (!s->id)
		return;
	pool_engine_enter();
	engine->ops->cancel(engine, &s->transfer);
	pool_engine_leave();
	slot_over(s);
	pool_counts.cancelled++;
}

// An answer is that of its request, whole, or cut off where that cannot be seen.
static void answer_check(const struct slot *s)
{
	const struct pool_request *r = pool_request(s->id);
	const struct http_reply *reply = &s->transfer.reply;
	size_t len = pool_content_len(s->id), kept = len < POOL_KEEP ? len : POOL_KEEP;
	char etag[16];

	snprintf(etag, sizeof(etag), "\"%08x\"", s->id);
	POOL_CHECK(reply->field[HTTP_FIELD_ETAG] && !strcmp(reply->field[HTTP_FIELD_ETAG], etag),
		"request %u has the answer %s", s->id,
		reply->field[HTTP_FIELD_ETAG] ? reply->field[HTTP_FIELD_ETAG] : "of nobody");
	POOL_CHECK(
		reply->status == pool_status(s->id), "request %u: status %d", s->id, reply->status);
	POOL_CHECK(s->transfer.sent, "request %u has an answer and was never sent", s->id);
	POOL_CHECK(r->whole || r->prefix || (r->large && reply->body_cut),
		"request %u has an answer that was not whole", s->id);
	POOL_CHECK(reply->body_len == kept || (r->prefix && reply->body_len < kept),
		"request %u: %zu bytes of %zu", s->id, reply->body_len, kept);
	POOL_CHECK(r->prefix || reply->body_cut == (len > POOL_KEEP), "request %u: cut", s->id);
	pool_counts.answers++;
	for (size_t i = 0; i < reply->body_len; i++)
		POOL_CHECK(reply->body[i] == pool_content_byte(s->id, i),
			"request %u: byte %zu of its answer", s->id, i);
}

static void slot_start(struct slot *s);

static void slot_done(struct http_transfer *t, enum http_error error)
{
	struct slot *s = (struct slot *)t;

	pool_engine_leave();
	POOL_CHECK(!ready_only, "done() outside of turn()");
	POOL_CHECK(s->id, "done() of what is over");
	if (error)
		pool_counts.errors[error]++;
	else
		answer_check(s);
	slot_over(s);
	if (pool_one_in(8))
		slot_start(s);
	if (pool_one_in(20))
		slot_cancel(&slots[pool_below(POOL_RUNNING)]);
	pool_engine_enter();
}

static uint32_t body_len(void)
{
	static const uint32_t edges[] = {1, 16384, 65536, 200000, 16000, 17000};

	if (pool_one_in(3))
		return 0;
	return pool_below(8) ? 1 + pool_below(300) : edges[pool_below(6)];
}

static void slot_start(struct slot *s)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH"};
	uint32_t id = pool_request_add(), len = body_len();
	struct pool_request *r = pool_request(id);
	bool fresh = s - slots >= POOL_LIMIT;

	*r = (struct pool_request){.idempotent = pool_one_in(2),
		.fresh = fresh,
		.server = (uint8_t)(pool_one_in(40) ? POOL_DEAD : pool_below(POOL_DEAD)),
		.body_len = len,
		.started_ms = pool_now_ms};
	s->body = malloc(len ? len : 1);
	for (uint32_t i = 0; i < len; i++)
		s->body[i] = pool_body_byte(id, i);
	snprintf(s->path, sizeof(s->path), "/%08x", id);
	s->transfer = (struct http_transfer){.done = slot_done,
		.request = {.method = methods[pool_below(5)],
			.idempotent = r->idempotent,
			.has_body = len > 0,
			.body = s->body,
			.body_len = len,
			.path = s->path,
			.query = ""},
		.server = &conf->upstreams[0].servers[r->server],
		.host = "host",
		.timeout_ms = pool_one_in(10) ? 1 + pool_below(50) : 1000 + pool_below(20000),
		.connect_ms = pool_one_in(2) ? 1 + pool_below(500) : 0,
		.body_keep = POOL_KEEP,
		.body_max = POOL_BODY_MAX,
		.fresh = fresh};
	s->id = id;
	uint64_t met = pool_faults_met();
	pool_engine_enter();
	int rc = engine->ops->start(engine, &s->transfer);
	pool_engine_leave();
	POOL_CHECK(!rc || pool_faults_met() > met, "start: %d", rc);
	if (rc)
		slot_over(s);
}

// How many connections there may be: those of checks are closed within a second.
static unsigned connections_allowed(void)
{
	unsigned allowed = POOL_LIMIT;

	for (uint32_t id = request_count; id && request_count - id < 2000; id--) {
		const struct pool_request *r = pool_request(id);

		allowed += r->fresh && (!r->over || pool_now_ms < r->over_ms + 1000);
	}
	return allowed;
}

static void engine_check(void)
{
	uint64_t next = engine->ops->next_ms(engine);

	POOL_CHECK(pool_sockets_open() <= connections_allowed(), "%u connections",
		pool_sockets_open());
	POOL_CHECK(next > pool_now_ms, "turns without end");
	for (unsigned i = 0; i < POOL_RUNNING; i++) {
		const struct slot *s = &slots[i];

		if (!s->id)
			continue;
		uint64_t until = pool_request(s->id)->started_ms + s->transfer.timeout_ms;
		POOL_CHECK(pool_now_ms < until && next <= until, "request %u has no end", s->id);
	}
}

static struct epoll_event events[EVENTS];
static int event_count;

static void engine_tell(void)
{
	ready_only = true;
	pool_engine_enter();
	for (int i = 0; i < event_count; i++)
		engine->ops->ready(engine, events[i].data.u64, events[i].events);
	pool_engine_leave();
	ready_only = false;
	event_count = 0;
}

static void engine_turn(void)
{
	pool_engine_enter();
	engine->ops->turn(engine, pool_now_ms);
	// The time to connect of what had to wait for a connection may be over as soon as it has
	// one.
	if (engine->ops->next_ms(engine) <= pool_now_ms)
		engine->ops->turn(engine, pool_now_ms);
	pool_engine_leave();
	engine_check();
}

// What epoll says is told now, or, when other things happened meanwhile, late.
static void engine_step(void)
{
	engine_tell();
	engine_turn();
	event_count = epoll_wait(epoll, events, EVENTS, 0);
	if (pool_below(3)) {
		engine_tell();
		engine_turn();
	}
}

// Nothing happens for ever if no server does anything.
static void engine_settle(void)
{
	unsigned rounds = 0;

	do {
		POOL_CHECK(rounds++ < 200000, "epoll says the same for ever");
		engine_tell();
		engine_turn();
		event_count = epoll_wait(epoll, events, EVENTS, 0);
	} while (event_count);
}

static void engine_open(void)
{
	char file[2048];

	snprintf(file, sizeof(file),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {%s}}\n"
		"routes: [{path: /*, to: up}]\n",
		pool_servers_text());
	cr_assert_eq(conf_parse("test", file, strlen(file), &conf, stderr), 0);
	epoll = epoll_create1(EPOLL_CLOEXEC);
	const struct http_engine_config config = {
		.upstream = &conf->upstreams[0],
		.epoll = epoll,
		.id = 7,
		.max_connections = POOL_LIMIT,
		.checks = POOL_CHECKS,
	};
	cr_assert_eq(http_engine_h1_create(&config, &engine), 0);
}

static void engine_close(void)
{
	for (unsigned i = 0; i < POOL_RUNNING; i++)
		if (pool_one_in(2))
			slot_cancel(&slots[i]);
	for (bool any = true; any; engine_step()) {
		any = false;
		for (unsigned i = 0; i < POOL_RUNNING; i++)
			any |= slots[i].id != 0;
		pool_now_ms += 100;
	}
	event_count = 0;
	pool_engine_enter();
	engine->ops->free(engine);
	pool_engine_leave();
	POOL_CHECK(!pool_sockets_open(), "%u sockets are left", pool_sockets_open());
	close(epoll);
	conf_free(conf);
}

static void step(bool honest)
{
	unsigned n = pool_below(1000);
	struct slot *s = &slots[pool_below(POOL_RUNNING)];

	if (n < 350) {
		engine_step();
	} else if (n < 450) {
		if (!s->id)
			slot_start(s);
	} else if (n < 460) {
		slot_cancel(s);
	} else if (n < 500) {
		pool_now_ms += pool_one_in(20) ? pool_below(6000) : pool_below(20);
	} else if (n < 505) {
		engine_settle();
	} else {
		pool_servers_step(honest);
	}
}

static uint64_t number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : otherwise;
}

static void counts_say(uint64_t steps)
{
	const struct pool_counts *c = &pool_counts;

	fprintf(stderr,
		"%" PRIu64 " steps: %u requests, %" PRIu64 " answers, %" PRIu64
		" cancelled; %" PRIu64 " connections, used again %" PRIu64
		" times; sent again %" PRIu64 ", early %" PRIu64 ", surplus %" PRIu64
		", rubbish %" PRIu64 ", TLS %" PRIu64 ", faults %" PRIu64 "\n",
		steps, request_count, c->answers, c->cancelled, c->accepted, c->used_again,
		c->sent_again, c->early, c->surplus, c->rubbish, c->tickets, pool_faults_met());
	for (int i = 0; i < HTTP_ERROR_COUNT; i++)
		if (c->errors[i])
			fprintf(stderr, "  %s %" PRIu64 "\n", http_error_name((enum http_error)i),
				c->errors[i]);
}

Test(h1_pool, answers_belong_to_their_requests)
{
	uint64_t random, steps = number_of("POSTERN_STEPS", STEPS);
	struct peer_pki pki = peer_pki_make();

	cr_assert_eq(getrandom(&random, sizeof(random), 0), sizeof(random));
	pool_seed = number_of("POSTERN_SEED", random);
	state = pool_seed;
	fprintf(stderr, "POSTERN_SEED=%" PRIu64 "\n", pool_seed);
	signal(SIGPIPE, SIG_IGN);
	pool_now_ms = 1000000;
	for (pool_step = 0; pool_step < steps;) {
		bool honest = pool_one_in(6);

		pool_servers_open(pki.dir, pki.cert, pki.key, pool_one_in(2) ? 1 : 64);
		pool_faults(false);
		engine_open();
		pool_faults(pool_below(3));
		for (unsigned i = 0; i < SEGMENT && pool_step < steps; i++, pool_step++)
			step(honest);
		engine_close();
		pool_servers_close();
	}
	counts_say(steps);
	cr_expect(pool_counts.answers > request_count / 5);
	cr_expect(pool_counts.used_again && pool_counts.sent_again && pool_counts.early &&
		pool_counts.surplus && pool_counts.rubbish && pool_counts.tickets);
	free(requests);
	peer_pki_remove(&pki);
}
