// SPDX-License-Identifier: BSD-3-Clause
// What a service pushes: who gets it and who does not, what it takes the place of, and for how long
// it is there.

#include "gw/upstream/push.h"
#include "tests/unit/gw/http/origin.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUTES                                                                             \
	"- {path: /b0/*, to: up, strip: 1, cache: shared, observe: {push: true}}\n"        \
	"- {path: /b1/*, to: up, strip: 1, cache: private, observe: {push: true}}\n"       \
	"- {path: /b2/*, to: up, strip: 1, cache: shared}\n"                               \
	"- {path: /b3/*, to: up, strip: 1, cache: shared, translate: cbor-json, observe: " \
	"{push: true}}\n"
#define GENERATION 3 // of all devices of the bed

static struct origin *origin;
static struct bed *bed;
static char upstream[256];

static void begin(const char *cache)
{
	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"], max_inflight: 64",
		origin_port(origin));
	bed_exchanges = 256;
	bed_routes = ROUTES;
	bed_cache = cache;
	bed = bed_make(upstream);
}

static void setup(void)
{
	origin = origin_start();
	begin("push: {listen: /tmp/push.sock}\n");
	origin_says(origin, 200, "Content-Type: text/plain\r\n", "asked");
}

static void teardown(void)
{
	bed_end(bed);
	origin_stop(origin);
}

TestSuite(upstream_push, .init = setup, .fini = teardown);

// One push, and whether the loop is through with it.
struct pushing {
	struct up_push push;
	uint8_t options[64];
	bool done;
};

static void done(struct up_push *push)
{
	__atomic_store_n(&((struct pushing *)push)->done, true, __ATOMIC_RELEASE);
}

// route: b0 and so on. device: 0: for all.
static void push_begin(struct pushing *p, unsigned route, const char *name, unsigned device,
	const char *type, const char *value)
{
	struct coap_writer w;
	char first[8];

	snprintf(first, sizeof(first), "b%u", route);
	coap_writer_init(&w, p->options, sizeof(p->options));
	coap_write_option(&w, COAP_OPT_URI_PATH, first, strlen(first));
	coap_write_option(&w, COAP_OPT_URI_PATH, name, strlen(name));
	p->push = (struct up_push){
		.route = bed->conf->routes[route].cache.id,
		.route_slot = BED_SLOT,
		.gone = !value,
		.private = device,
		.context = device,
		.generation = GENERATION,
		.options = p->options,
		.options_len = coap_writer_len(&w),
		.type = type,
		.format = -1,
		.payload = (const uint8_t *)(value ? value : ""),
		.payload_len = value ? strlen(value) : 0,
		.done = done,
	};
	p->done = false;
}

static enum up_pushed pushed(struct pushing *p)
{
	for (unsigned i = 0; !__atomic_load_n(&p->done, __ATOMIC_ACQUIRE) && i < 100000; i++)
		usleep(50);
	cr_assert(p->done);
	return p->push.result;
}

static enum up_pushed push_as(
	unsigned route, const char *name, unsigned device, const char *type, const char *value)
{
	struct pushing p;

	push_begin(&p, route, name, device, type, value);
	up_loop_push(bed->loop, &p.push);
	return pushed(&p);
}

static enum up_pushed push(unsigned route, const char *name, unsigned device, const char *value)
{
	return push_as(route, name, device, "text/plain", value);
}

// What a device gets.
static const char *get(unsigned route, const char *name, unsigned device)
{
	char line[64];

	snprintf(line, sizeof(line), "GET path=b%u path=%s", route, name);
	bed->device = device;
	return bed_ask(bed, line);
}

Test(upstream_push, it_is_there_without_a_request)
{
	cr_expect_eq(push(0, "x", 0, "pushed"), UP_PUSHED_CREATED);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 |pushed");
	EXPECT_ANSWER(get(0, "x", 8), "2.05 cf=0 |pushed");
	cr_expect_eq(origin_requests(origin), 0);
	cr_expect_eq(push(0, "x", 0, "newer"), UP_PUSHED_REPLACED);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 |newer");
	cr_expect_eq(origin_requests(origin), 0);
	// Others are asked for.
	EXPECT_ANSWER(get(0, "y", 7), "2.05 cf=0 max-age=0 |asked");
	cr_expect_eq(bed->reps->table[0].version, 3);
	cr_expect_eq(push(0, "x", 0, "newer"), UP_PUSHED_REPLACED);
	cr_expect_eq(bed->reps->table[0].version, 3, "the same is no change");
}

Test(upstream_push, types_are_those_of_answers)
{
	cr_expect_eq(push_as(0, "x", 0, "application/json", "{}"), UP_PUSHED_CREATED);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=50 |{}");
	cr_expect_eq(push_as(0, "x", 0, NULL, "{}"), UP_PUSHED_REPLACED);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 |{}");
	cr_expect_eq(push_as(0, "x", 0, "application/oscore", "{}"), UP_PUSHED_TYPE);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 |{}");
	// Without Accept a device gets the service's JSON, as ever.
	cr_expect_eq(push_as(3, "x", 0, "application/json", "{}"), UP_PUSHED_CREATED);
	EXPECT_ANSWER(get(3, "x", 7), "2.05 cf=50 |{}");
}

Test(upstream_push, for_as_long_as_it_says)
{
	struct pushing p;

	push_begin(&p, 0, "x", 0, "text/plain", "short");
	p.push.max_age_s = 1;
	up_loop_push(bed->loop, &p.push);
	cr_expect_eq(pushed(&p), UP_PUSHED_CREATED);
	bed_expect_part(get(0, "x", 7), "|short");
	for (unsigned i = 0; !strstr(get(0, "x", 7), "|asked") && i < 3000; i++)
		usleep(1000);
	cr_expect_geq(origin_requests(origin), 1);
	push_begin(&p, 0, "x", 0, "text/plain", "long");
	p.push.max_age_s = 600;
	up_loop_push(bed->loop, &p.push);
	pushed(&p);
	const char *got = get(0, "x", 7);

	bed_expect_start(got, "2.05 cf=0 max-age=");
	cr_expect_geq(atoi(got + strlen("2.05 cf=0 max-age=")), 590);
	bed_expect_part(got, " |long");
}

// What the service was asked before does not take the place of what it pushed since.
Test(upstream_push, an_answer_of_before_is_not_stored)
{
	static const char *const fields =
		"Cache-Control: max-age=60\r\nContent-Type: text/plain\r\n";

	for (unsigned gone = 0; gone < 2; gone++) {
		origin_says(origin, 200, fields, "old");
		push(0, "x", 0, "before");
		bed_ask(bed, "PUT path=b0 path=x |q"); // so that the service is asked
		origin_hold(origin, true);
		unsigned before = origin_requests(origin);

		bed_push(bed, "GET path=b0 path=x");
		origin_wait(origin, before + 1);
		push(0, "x", 0, gone ? NULL : "new");
		origin_hold(origin, false);
		bed_expect_part(bed_pull(bed, NULL), "|old");
		origin_says(origin, 200, fields, "later");
		bed_expect_part(get(0, "x", 7), gone ? "|later" : "|new");
	}
}

Test(upstream_push, what_is_taken_away_is_asked_for)
{
	cr_expect_eq(push(0, "x", 0, NULL), UP_PUSHED_NOTHING);
	push(0, "x", 0, "pushed");
	cr_expect_eq(push(0, "x", 0, NULL), UP_PUSHED_GONE);
	cr_expect_eq(push(0, "x", 0, NULL), UP_PUSHED_NOTHING);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 max-age=0 |asked");
	cr_expect_eq(push(0, "x", 0, "again"), UP_PUSHED_REPLACED);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 |again");
}

// Whoever changes it through the gateway has the service asked.
Test(upstream_push, a_change_makes_it_stale)
{
	push(0, "x", 0, "pushed");
	bed_ask(bed, "PUT path=b0 path=x |q");
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 max-age=0 |asked");
	push(0, "x", 0, "pushed");
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 |pushed");
}

// However they are pushed and asked for, no device sees what is another one's, and no route what is
// another one's.
Test(upstream_push, private_ones_are_of_their_device)
{
	enum { DEVICES = 20, NAMES = 5, STEPS = 6000 };
	static unsigned mine[DEVICES][NAMES], all[NAMES]; // number of the last push; 0: none
	char value[64], want[96], name[8];

	srand(17);
	for (unsigned i = 1; i <= STEPS; i++) {
		unsigned device = 1 + (unsigned)rand() % DEVICES, n = (unsigned)rand() % NAMES;
		bool shared = rand() % 4 == 0;
		unsigned *last = shared ? &all[n] : &mine[device - 1][n];

		snprintf(name, sizeof(name), "n%u", n);
		switch (rand() % 5) {
		case 0:
			snprintf(value, sizeof(value), "%s %u %u", shared ? "all" : "own", device,
				i);
			push(!shared, name, shared ? 0 : device, value);
			*last = shared ? i | device << 16 : i;
			break;
		case 1:
			if (rand() % 4)
				break;
			if (*last) // else there may be what the service was asked for
				cr_assert_eq(push(!shared, name, shared ? 0 : device, NULL),
					UP_PUSHED_GONE);
			*last = 0;
			break;
		default:
			if (!*last)
				snprintf(want, sizeof(want), "2.05 cf=0 max-age=0 |asked");
			else if (shared)
				snprintf(want, sizeof(want), "2.05 cf=0 |all %u %u", *last >> 16,
					*last & 0xffff);
			else
				snprintf(want, sizeof(want), "2.05 cf=0 |own %u %u", device, *last);
			EXPECT_ANSWER(get(!shared, name, device), want);
			// A route with the same paths has nothing of it.
			if (i % 16 == 0)
				EXPECT_ANSWER(get(2, name, device), "2.05 cf=0 max-age=0 |asked");
		}
	}
}

Test(upstream_push, what_cannot_be_pushed)
{
	struct pushing p;

	cr_expect_eq(push(2, "x", 0, "no push"), UP_PUSHED_NO_ROUTE);
	cr_expect_eq(push(0, "x", 7, "for one"), UP_PUSHED_NO_ROUTE);
	cr_expect_eq(push(1, "x", 0, "for all"), UP_PUSHED_NO_ROUTE);
	cr_expect_eq(push(0, "..", 0, "up"), UP_PUSHED_BAD_PATH);
	cr_expect_eq(push(0, "a/b", 0, "slash"), UP_PUSHED_BAD_PATH);
	bed->no_name = true;
	cr_expect_eq(push(1, "x", 7, "gone"), UP_PUSHED_NO_DEVICE);
	bed->no_name = false;
	EXPECT_ANSWER(get(1, "x", 7), "2.05 cf=0 max-age=0 |asked");
	push_begin(&p, 0, "x", 0, "text/plain", "coded");
	p.push.coding = "br";
	up_loop_push(bed->loop, &p.push);
	cr_expect_eq(pushed(&p), UP_PUSHED_TYPE);
}

Test(upstream_push, a_device_that_is_gone_takes_its_own_along)
{
	push(1, "x", 7, "of 7");
	push(1, "x", 8, "of 8");
	push(0, "x", 0, "of all");
	up_loop_device_gone(bed->loop, 7, GENERATION);
	for (unsigned i = 0; bed->reps->table[0].count > 2 && i < 10000; i++)
		usleep(200);
	cr_expect_eq(bed->reps->table[0].count, 2);
	EXPECT_ANSWER(get(1, "x", 8), "2.05 cf=0 |of 8");
	EXPECT_ANSWER(get(0, "x", 8), "2.05 cf=0 |of all");
}

// However much is pushed, at most half is taken, and its own gives way.
Test(upstream_push, half_of_the_room_is_left)
{
	char name[16];

	bed_end(bed);
	begin("push: {listen: /tmp/push.sock}\ncache: {memory: 1MB, entries: 1024}\n");
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		push(1, name, 7, "mine");
	}
	for (unsigned i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		cr_expect_eq(push(0, name, 0, "pushed"), UP_PUSHED_CREATED, "%u", i);
	}
	cr_expect_leq(bed->reps->table[0].count, 50 + 512);
	unsigned before = origin_requests(origin), there = 0;

	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		there += !strcmp(get(1, name, 7), "2.05 cf=0 |mine");
	}
	cr_expect_geq(there, 48);
	cr_expect_leq(origin_requests(origin), before + 2);
	EXPECT_ANSWER(get(0, "n2999", 7), "2.05 cf=0 |pushed");
}

Test(upstream_push, larger_than_its_part)
{
	static char large[600000];

	bed_end(bed);
	begin("push: {listen: /tmp/push.sock}\ncache: {memory: 1MB, entries: 1024}\n");
	memset(large, 'x', sizeof(large) - 1);
	cr_expect_eq(push(0, "x", 0, large), UP_PUSHED_TOO_LARGE);
	large[300000] = 0;
	cr_expect_eq(push(0, "x", 0, large), UP_PUSHED_CREATED);
	cr_expect_eq(push(1, "x", 7, large), UP_PUSHED_TOO_LARGE);
	large[50000] = 0;
	cr_expect_eq(push(1, "x", 7, large), UP_PUSHED_CREATED);
	// What a device had stored is the service's from the first push on.
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "small");
	get(0, "y", 7);
	memset(large, 'y', 200000);
	large[200000] = 0;
	cr_expect_eq(push(0, "y", 0, large), UP_PUSHED_REPLACED);
}

// ---- at the same time

struct pusher {
	pthread_t thread;
	char who;
};

static void *push_many(void *arg)
{
	const struct pusher *pusher = arg;
	struct pushing p[20];
	char value[20][16];

	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 20; i++) {
			snprintf(
				value[i], sizeof(value[i]), "%c %05u", pusher->who, round * 20 + i);
			push_begin(&p[i], 0, "x", 0, "text/plain", value[i]);
			up_loop_push(bed->loop, &p[i].push);
		}
		for (unsigned i = 0; i < 20; i++)
			pushed(&p[i]);
	}
	return NULL;
}

// Those of each come in their order; the last one of all stays.
Test(upstream_push, two_at_once)
{
	struct pusher pushers[2] = {{.who = 'a'}, {.who = 'b'}};
	unsigned last[2] = {0};

	for (unsigned i = 0; i < 2; i++)
		pthread_create(&pushers[i].thread, NULL, push_many, &pushers[i]);
	for (unsigned i = 0; i < 2000; i++) {
		const char *at = strchr(get(0, "x", 7), '|');

		if (!at || strchr("ab", at[1]) == NULL || !at[1] || at[2] != ' ')
			continue; // nothing was pushed yet
		unsigned *of = &last[at[1] - 'a'], number = (unsigned)atoi(at + 3);

		cr_expect_geq(number, *of);
		*of = number;
	}
	for (unsigned i = 0; i < 2; i++)
		pthread_join(pushers[i].thread, NULL);
	bed_expect_part(get(0, "x", 7), " 03999");
}

Test(upstream_push, while_the_configuration_changes)
{
	push(0, "x", 0, "before");
	bed_reload(bed, upstream);
	bed_settle(bed);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 |before");
	cr_expect_eq(push(0, "x", 0, "after"), UP_PUSHED_REPLACED);
	struct pushing p;

	push_begin(&p, 0, "x", 0, "text/plain", "of the route of before");
	bed_routes = "- {path: /b0/*, to: up, strip: 1, prefix: /other, cache: shared, observe: "
		     "{push: true}}\n";
	bed_reload(bed, upstream);
	bed_settle(bed);
	up_loop_push(bed->loop, &p.push);
	cr_expect_eq(pushed(&p), UP_PUSHED_NO_ROUTE);
	EXPECT_ANSWER(get(0, "x", 7), "2.05 cf=0 max-age=0 |asked");
}

Test(upstream_push, a_loop_that_stops_answers_all)
{
	struct pushing p[50];

	for (unsigned i = 0; i < 50; i++) {
		push_begin(&p[i], 0, "x", 0, "text/plain", "x");
		if (i == 25)
			up_loop_stop(bed->loop, 0);
		up_loop_push(bed->loop, &p[i].push);
	}
	bed_end(bed);
	for (unsigned i = 0; i < 50; i++)
		cr_expect(i >= 25 ? p[i].push.result == UP_PUSHED_STOPPING : p[i].done, "%u", i);
	begin("push: {listen: /tmp/push.sock}\n");
}
