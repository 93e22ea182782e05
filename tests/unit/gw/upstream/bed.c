// SPDX-License-Identifier: BSD-3-Clause

#include "tests/unit/gw/upstream/bed.h"

#include "dataplane/state/exchange_pool.h"
#include "tests/unit/gw/map/text.h"

#include <rte_cycles.h>
#include <rte_eal.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define ROOM         1024 // bytes of the largest answer
#define FIXED_ROUTES 4

bool bed_pass;
const char *bed_log = "";
const char *bed_honoured = "";
const char *bed_routes = "";
const char *bed_cache = "";
unsigned bed_exchanges = 64;
uint16_t bed_payload_max = ROOM;

static bool eal_started; // which can be once in a process

uint64_t bed_now_ms(void)
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
	struct rte_ring *r = rte_ring_create_elem(name, sizeof(dp_handle), bed_exchanges, 0,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);

	cr_assert_not_null(r);
	return r;
}

static struct conf *conf_make(const char *upstream)
{
	struct conf *conf;
	char text[4096];

	snprintf(text, sizeof(text),
		"ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
		"upstreams: {up: {%s}}\n"
		"%s"
		"routes:\n"
		"%s"
		"- {path: /none, to: builtin:discard}\n"
		"- {path: /honoured/*, to: up, strip: 1, idempotency: honoured, timeout: 3s%s}\n"
		"- {path: /cbor/*, to: up, strip: 1, translate: cbor-json}\n"
		"- {path: /*, to: up}\n"
		"%s",
		upstream, bed_cache, bed_routes, bed_honoured, bed_log);
	cr_assert_eq(conf_parse("test", text, strlen(text), &conf, stderr), 0);
	return conf;
}

struct bed *bed_make_one_of(unsigned loops, const char *upstream)
{
	char *argv[] = {"test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-m",
		"64", "--lcores", "0", "--log-level", "error", NULL};
	struct up_loop_config config = {.loops = loops, .name = device_name, .etag_key = {1}};
	struct bed *bed = calloc(1, sizeof(*bed));
	struct error error;

	if (!eal_started)
		cr_assert(rte_eal_init(11, argv) >= 0);
	eal_started = true;
	bed->first = bed->conf = conf_make(upstream);
	bed->slots = up_slots_create(loops);
	cr_assert_not_null(bed->slots);
	cr_assert_eq(up_slots_take(bed->slots, bed->conf), 0);
	up_slots_current(bed->slots, bed->conf);
	bed->routes = (unsigned)bed->conf->route_count - FIXED_ROUTES;

	bed->exchanges = dp_exchange_pool_create(bed_exchanges, 1500);
	cr_assert_not_null(bed->exchanges);
	bed->up = calloc(1, sizeof(*bed->up) + sizeof(bed->up->port[0]));
	cr_assert_eq(dp_doorbell_init(&bed->up->bell), 0);
	bed->up->count = 1;
	bed->up->port[0] = (struct dp_loop_port){
		.pool = &bed->exchanges->shared,
		.requests = ring("requests"),
		.responses = ring("responses"),
	};
	config.conf = bed->conf;
	config.slots = bed->slots;
	config.upstream = bed->up;
	config.name_arg = bed;
	if (bed->conf->log.access)
		cr_assert_eq(up_access_log_create(&bed->conf->log, loops, &bed->access, &error), 0,
			"%s", error.text);
	config.access = bed->access;
	bed->reps = dp_reps_create(loops, BED_SLOTS, NULL);
	cr_assert_not_null(bed->reps);
	config.reps = bed->reps;
	cr_assert_eq(up_loop_create(&config, &bed->loop, &error), 0, "%s", error.text);
	cr_assert_eq(up_loop_start(bed->loop), 0);
	return bed;
}

struct bed *bed_make(const char *upstream)
{
	return bed_make_one_of(1, upstream);
}

struct bed *bed_for(const struct server *server, const char *more)
{
	char upstream[1024];

	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"]%s%s",
		server_port(server), *more ? ", " : "", more);
	return bed_make(upstream);
}

struct bed *bed_for_all(struct server *const *server, unsigned count, const char *more)
{
	char upstream[1024] = "servers: [";

	for (unsigned i = 0; i < count; i++) {
		size_t len = strlen(upstream);

		snprintf(upstream + len, sizeof(upstream) - len, "%s\"http://127.0.0.1:%u\"",
			i ? ", " : "", server_port(server[i]));
	}
	size_t len = strlen(upstream);
	snprintf(upstream + len, sizeof(upstream) - len, "]%s%s", *more ? ", " : "", more);
	return bed_make(upstream);
}

void bed_wait_stat(const struct bed *bed, enum up_stat which, uint64_t value)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	while (bed_stat(bed, which) < value) {
		cr_assert(bed_now_ms() < until, "%s never was %u", up_stat_name(which),
			(unsigned)value);
		usleep(500);
	}
}

void bed_wait_up(const struct bed *bed, size_t up)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	while (up_loop_servers_up(bed->loop, 0) != up) {
		cr_assert(bed_now_ms() < until, "there never were %zu servers up", up);
		usleep(500);
	}
}

uint64_t bed_stats(const struct bed *bed, enum up_stat first, unsigned count)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < count; i++)
		sum += bed_stat(bed, first + i);
	return sum;
}

void bed_expect_answers(const struct bed *bed, uint64_t of_2xx, uint64_t of_4xx, uint64_t of_5xx)
{
	struct up_route_stats stats = {.us = 0};
	uint64_t took = 0;

	up_route_stats_sum(&stats, up_loop_route_stats(bed->loop, BED_SLOT));
	for (unsigned i = 0; i < UP_LATENCY_BUCKETS; i++)
		took += stats.took[i];
	cr_expect_eq(stats.answers[DP_ANSWER_2XX], of_2xx);
	cr_expect_eq(stats.answers[DP_ANSWER_4XX], of_4xx);
	cr_expect_eq(stats.answers[DP_ANSWER_5XX], of_5xx);
	cr_expect_eq(took, of_2xx + of_4xx + of_5xx);
	cr_expect_gt(stats.us, 0);
}

uint64_t bed_stat(const struct bed *bed, enum up_stat which)
{
	return up_loop_stat(bed->loop, 0, which);
}

// "path=bN" is the route N of bed_routes.
static uint16_t bed_route(const struct bed *bed, const char *line)
{
	const char *own = bed->routes ? strstr(line, "path=b") : NULL;

	if (own)
		return (uint16_t)atoi(own + strlen("path=b"));
	return (uint16_t)(bed->routes +
		(strstr(line, "path=none")                      ? 0
				: strstr(line, "path=honoured") ? 1
				: strstr(line, "path=cbor")     ? 2
								: 3));
}

dp_handle bed_push_quietly(struct bed *bed, const char *line, uint32_t timeout_ms)
{
	struct dp_loop_port *port = &bed->up->port[0];
	uint32_t index = dp_exchange_take(bed->exchanges);
	uint8_t body[TEXT_BODY_MAX], code;
	size_t len = text_request(line, &code, body);

	cr_assert_neq(index, DP_INDEX_NONE);
	struct dp_shared *shared = dp_shared_at(port->pool, index);
	shared->abandoned = 0;
	shared->response.len = 0;
	shared->request = (struct dp_request){
		.piv = ++bed->piv,
		.fingerprint = 0xabcdef,
		.received_ms = bed_now_ms(),
		.received_tsc = rte_rdtsc(),
		.deadline_ms = bed_now_ms() + timeout_ms,
		.context = bed->device ? bed->device : 7,
		.context_generation = 3,
		.snapshot = bed->snapshot,
		.route = bed_pass ? 0 : bed_route(bed, line),
		.stale = bed->stale,
		.pass = bed_pass,
		.route_slot = BED_SLOT,
		.response_max = ROOM,
		.payload_max = bed_payload_max,
		.remote_port = 5683,
		.body_len = (uint16_t)len,
		.code = code,
		.family = 4,
		.remote_addr = {192, 0, 2, 2},
	};
	memcpy(dp_shared_request_buf(shared), body, len);
	dp_handle handle = dp_handle_make(index, shared->generation);
	cr_assert_eq(rte_ring_sp_enqueue_elem(port->requests, &handle, sizeof(handle)), 0);
	bed->out++;
	return handle;
}

dp_handle bed_push_deadline(struct bed *bed, const char *line, uint32_t timeout_ms)
{
	dp_handle handle = bed_push_quietly(bed, line, timeout_ms);

	dp_doorbell_ring(&bed->up->bell);
	return handle;
}

dp_handle bed_push(struct bed *bed, const char *line)
{
	return bed_push_deadline(bed, line, LONG_MS);
}

const char *bed_pull(struct bed *bed, dp_handle *handle)
{
	static char text[TEXT_BODY_MAX];
	struct dp_loop_port *port = &bed->up->port[0];
	uint64_t until = bed_now_ms() + LONG_MS;
	dp_handle h;

	// As a worker does, this polls: nothing rings for responses.
	while (rte_ring_sc_dequeue_elem(port->responses, &h, sizeof(h))) {
		cr_assert(bed_now_ms() < until, "nothing came back");
		usleep(200);
	}
	struct dp_shared *shared = dp_shared_get(port->pool, h);
	cr_assert_not_null(shared, "handed back twice");
	snprintf(text, sizeof(text), "%s",
		shared->response.len ? text_answer(dp_shared_response(shared), shared->response.len)
				     : "");
	bed->context = shared->request.context;
	bed->pulled_piv = shared->request.piv;
	dp_exchange_give(bed->exchanges, dp_handle_index(h));
	bed->out--;
	if (handle)
		*handle = h;
	return text;
}

void bed_abandon(struct bed *bed, dp_handle handle)
{
	struct dp_shared *shared = dp_shared_at(bed->up->port[0].pool, dp_handle_index(handle));

	__atomic_store_n(&shared->abandoned, 1, __ATOMIC_RELAXED);
}

const char *bed_ask(struct bed *bed, const char *line)
{
	bed_push(bed, line);
	return bed_pull(bed, NULL);
}

void bed_end(struct bed *bed)
{
	cr_expect_eq(bed->out, 0);
	up_loop_stop(bed->loop, 0);
	cr_expect_eq(bed_stat(bed, UP_STAT_requests), bed_stat(bed, UP_STAT_returned));
	cr_expect_eq(bed_stat(bed, UP_STAT_inflight), 0);
	cr_expect_eq(bed_stat(bed, UP_STAT_waiting), 0);
	cr_expect_eq(rte_ring_count(bed->up->port[0].responses), 0);
	up_loop_free(bed->loop);
	dp_reps_free(bed->reps);
	up_slots_free(bed->slots);
	up_access_log_free(bed->access);
	dp_exchange_pool_free(bed->exchanges);
	rte_ring_free(bed->up->port[0].requests);
	rte_ring_free(bed->up->port[0].responses);
	dp_doorbell_close(&bed->up->bell);
	free(bed->up);
	if (bed->before != bed->first)
		conf_free(bed->before);
	if (bed->conf != bed->first)
		conf_free(bed->conf);
	conf_free(bed->first);
	free(bed);
}

// ---- another configuration

static void wait_until(bool (*is)(const struct bed *bed), const struct bed *bed, const char *what)
{
	uint64_t until = bed_now_ms() + LONG_MS;

	while (!is(bed)) {
		cr_assert(bed_now_ms() < until, "%s never came", what);
		usleep(200);
	}
}

static bool has_it(const struct bed *bed)
{
	return up_loop_has(bed->loop, bed->snapshot);
}

void bed_switch(struct bed *bed, const char *upstream)
{
	struct conf *conf = conf_make(upstream);
	struct up_next *next;
	struct error error;

	cr_assert_null(bed->before, "one at a time");
	cr_assert_eq(up_slots_take(bed->slots, conf), 0);
	cr_assert_eq(up_loop_prepare(bed->loop, conf, ++bed->snapshot, &next, &error), 0, "%s",
		error.text);
	up_loop_switch(bed->loop, next);
	wait_until(has_it, bed, "the configuration");
	bed->before = bed->conf;
	bed->conf = conf;
	bed->routes = (unsigned)conf->route_count - FIXED_ROUTES;
	up_slots_current(bed->slots, conf);
}

void bed_last_pushed(struct bed *bed)
{
	up_loop_last_pushed(bed->loop);
}

void bed_reload(struct bed *bed, const char *upstream)
{
	bed_switch(bed, upstream);
	bed_last_pushed(bed);
}

bool bed_is_settled(const struct bed *bed)
{
	return up_loop_is_settled(bed->loop);
}

void bed_settle(struct bed *bed)
{
	wait_until(bed_is_settled, bed, "the end of a configuration");
	if (bed->before != bed->first) // which has the keys of the start
		conf_free(bed->before);
	bed->before = NULL;
}

struct server *bed_server(const char *name)
{
	return server_start(&(struct server_config){.name = name});
}

unsigned bed_answers_like(struct bed *bed, unsigned count, const char *start)
{
	unsigned found = 0;

	for (unsigned i = 0; i < count; i++)
		found += !strncmp(bed_pull(bed, NULL), start, strlen(start));
	return found;
}

void bed_expect_start(const char *answer, const char *start)
{
	cr_expect(!strncmp(answer, start, strlen(start)), "%s\nnot\n%s", answer, start);
}

void bed_expect_part(const char *answer, const char *part)
{
	cr_expect(strstr(answer, part), "no %s in %s", part, answer);
}
