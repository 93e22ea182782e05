// SPDX-License-Identifier: BSD-3-Clause
// Which servers are up and which one is picked, without a network and without waiting.

#include "gw/os/log.h"
#include "gw/upstream/servers.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 4

struct fixture {
	struct conf *conf;
	struct up_slots *slots; // of two loops
	struct up_servers *servers;
};

static unsigned weights[] = {1, 1, 1, 1};

static struct fixture make(unsigned count, const char *more)
{
	struct fixture f;
	char text[1024] = "ports: [{name: wan0, tap: t0, addresses: [192.0.2.1/24]}]\n"
			  "routes: [{path: /*, to: up}]\n"
			  "upstreams: {up: {servers: [";

	log_level_set(CONF_LOG_ERROR);
	for (unsigned i = 0; i < count; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			"%s{url: \"http://h%u\", weight: %u}", i ? ", " : "", i, weights[i]);
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "]%s%s}}\n", *more ? ", " : "",
		more);
	cr_assert_eq(conf_parse("test", text, strlen(text), &f.conf, stderr), 0, "%s", text);
	f.slots = up_slots_create(2);
	cr_assert(f.slots && !up_slots_take(f.slots, f.conf));
	f.servers = up_servers_create(&f.conf->upstreams[0], f.slots->slot[0], 0);
	cr_assert_not_null(f.servers);
	return f;
}

static void end(struct fixture *f)
{
	free(f->servers);
	up_slots_free(f->slots);
	conf_free(f->conf);
}

// `times` failures in a row at one time; whether the last of them ejected the server.
static bool fail(struct fixture *f, size_t index, unsigned times, uint64_t now_ms)
{
	bool ejected = false;

	for (unsigned i = 0; i < times; i++) {
		cr_expect(!ejected, "before the last failure");
		ejected = up_server_failed(f->servers, index, "test", now_ms);
	}
	return ejected;
}

Test(upstream_servers, only_failures_in_a_row_eject)
{
	struct fixture f = make(3, "eject: {errors: 3, for: 1s}");

	for (unsigned i = 0; i < 10; i++) {
		cr_expect_not(fail(&f, 0, 2, 0));
		up_server_succeeded(f.servers, 0);
	}
	cr_expect_eq(f.servers->up, 3);
	cr_expect(fail(&f, 0, 3, 0));
	cr_expect_eq(f.servers->up, 2);
	for (unsigned i = 0; i < 10; i++)
		cr_expect_neq(up_servers_pick(f.servers, 0, i, i * 0x9e3779b9), 0);
	end(&f);
}

// Each time in a row is twice as long, up to 16 times, and starts with the first failure. Who
// served for as long as it had been out starts again from the beginning.
Test(upstream_servers, ejections_back_off)
{
	static const uint64_t times[] = {1, 2, 4, 8, 16, 16};
	struct fixture f = make(3, "eject: {errors: 3, for: 1s}");
	uint64_t now = 1000000;

	for (unsigned i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		cr_expect(fail(&f, 0, i ? 1 : 3, now));
		cr_expect_eq(up_servers_next_ms(f.servers), now + times[i] * 1000);
		up_servers_turn(f.servers, now + times[i] * 1000 - 1);
		cr_expect_eq(f.servers->up, 2);
		now += times[i] * 1000;
		up_servers_turn(f.servers, now);
		cr_expect_eq(f.servers->up, 3);
		cr_expect_eq(up_servers_next_ms(f.servers), UINT64_MAX);
	}
	up_server_succeeded(f.servers, 0);
	now += 16000;
	cr_expect(fail(&f, 0, 3, now));
	cr_expect_eq(up_servers_next_ms(f.servers), now + 1000);
	end(&f);
}

Test(upstream_servers, never_more_than_max_percent_nor_the_last)
{
	static const struct {
		unsigned count;
		const char *percent;
		unsigned left;
	} rows[] = {{1, "100%", 1}, {2, "50%", 1}, {2, "49%", 2}, {3, "50%", 2}, {4, "50%", 2},
		{4, "100%", 1}, {4, "0%", 4}};

	for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
		char more[64];

		snprintf(
			more, sizeof(more), "eject: {errors: 1, max_percent: %s}", rows[r].percent);
		struct fixture f = make(rows[r].count, more);
		for (unsigned i = 0; i < rows[r].count; i++)
			(void)up_server_failed(f.servers, i, "test", 0);
		cr_expect_eq(f.servers->up, rows[r].left, "%u servers, %s", rows[r].count, more);
		cr_expect_geq(up_servers_pick(f.servers, 0, 1, 1), 0);
		end(&f);
	}
}

Test(upstream_servers, errors_0_never_ejects)
{
	struct fixture f = make(3, "eject: {errors: 0}");

	cr_expect_not(fail(&f, 0, 1000, 0));
	end(&f);
}

Test(upstream_servers, checks_rise_and_fall)
{
	struct fixture f = make(2, "check: {path: /, rise: 2, fall: 3}");

	up_server_checked(f.servers, 0, NULL);
	for (unsigned i = 0; i < 5; i++) { // never three in a row
		up_server_checked(f.servers, 0, "test");
		up_server_checked(f.servers, 0, "test");
		cr_expect_eq(f.servers->up, 2);
		up_server_checked(f.servers, 0, NULL);
	}
	for (unsigned i = 0; i < 3; i++)
		up_server_checked(f.servers, 0, "test");
	cr_expect_eq(f.servers->up, 1);
	for (unsigned i = 0; i < 5; i++) {
		up_server_checked(f.servers, 0, NULL);
		cr_expect_eq(f.servers->up, 1);
		up_server_checked(f.servers, 0, "test");
	}
	up_server_checked(f.servers, 0, NULL);
	up_server_checked(f.servers, 0, NULL);
	cr_expect_eq(f.servers->up, 2);
	end(&f);
}

// The very first check needs no others to agree: nothing is known that could speak against it.
Test(upstream_servers, all_down_is_nothing_to_pick)
{
	struct fixture f = make(2, "check: {path: /}");

	up_server_checked(f.servers, 0, "test");
	cr_expect_eq(up_servers_pick(f.servers, 0, 0, 0), 1);
	up_server_checked(f.servers, 1, "test");
	cr_expect_eq(f.servers->up, 0);
	cr_expect_eq(up_servers_pick(f.servers, 0, 0, 0), -1);
	cr_expect_not(up_servers_left(f.servers, 0));
	end(&f);
}

// A server that fails some requests is better than none.
Test(upstream_servers, last_server_down_brings_ejected_ones_back)
{
	struct fixture f = make(2, "check: {path: /}, eject: {errors: 1}");

	cr_expect(up_server_failed(f.servers, 0, "test", 0));
	up_server_checked(f.servers, 1, "test");
	cr_expect_eq(f.servers->up, 1);
	cr_expect_eq(up_servers_pick(f.servers, 0, 0, 0), 0);
	end(&f);
}

// A server that is down is not ejected as well, nor does an ejection outlive that it was down.
Test(upstream_servers, down_and_ejected)
{
	struct fixture f = make(4, "check: {path: /, rise: 1}, eject: {errors: 1}");

	up_server_checked(f.servers, 0, "test");
	cr_expect_not(up_server_failed(f.servers, 0, "late", 0));
	cr_expect_eq(f.servers->up, 3);
	cr_expect(up_server_failed(f.servers, 1, "test", 0));
	cr_expect_eq(f.servers->up, 2);
	up_server_checked(f.servers, 1, "test");
	cr_expect_eq(f.servers->up, 2);
	cr_expect_eq(f.servers->ejected, 0);
	up_server_checked(f.servers, 0, NULL);
	up_server_checked(f.servers, 1, NULL);
	cr_expect_eq(f.servers->up, 4);
	end(&f);
}

static void spread(struct fixture *f, unsigned *picked, unsigned rounds)
{
	memset(picked, 0, COUNT * sizeof(*picked));
	for (unsigned i = 0; i < rounds; i++) {
		int server = up_servers_pick(f->servers, 0, i * UINT64_C(0x9e3779b97f4a7c15),
			(uint32_t)(i * UINT64_C(0x9e3779b97f4a7c15) >> 32));

		cr_assert_geq(server, 0);
		picked[server]++;
	}
}

Test(upstream_servers, every_way_spreads_the_load)
{
	static const char *const ways[] = {"balance: rr", "balance: least", "balance: hash"};

	for (unsigned w = 0; w < 3; w++) {
		struct fixture f = make(COUNT, ways[w]);
		unsigned picked[COUNT];

		spread(&f, picked, 10000);
		for (unsigned i = 0; i < COUNT; i++)
			cr_expect(picked[i] > 1800 && picked[i] < 3200, "%s: %u of 10000", ways[w],
				picked[i]);
		end(&f);
	}
}

Test(upstream_servers, least_avoids_the_busy)
{
	struct fixture f = make(COUNT, "balance: least");
	unsigned picked[COUNT];

	f.servers->server[2].seen->in_flight = 10;
	spread(&f, picked, 1000);
	cr_expect_eq(picked[2], 0);
	end(&f);
}

// When a server goes, only its devices move, and they come back with it.
Test(upstream_servers, hash_keeps_devices)
{
	struct fixture f = make(COUNT, "balance: hash, check: {path: /, rise: 1}");
	unsigned moved[COUNT] = {0};
	int before[1000];

	for (unsigned i = 0; i < 1000; i++)
		before[i] = up_servers_pick(f.servers, 0, i, 0);
	up_server_checked(f.servers, 1, "test");
	for (unsigned i = 0; i < 1000; i++) {
		int now = up_servers_pick(f.servers, 0, i, 0);

		cr_expect_neq(now, 1);
		if (before[i] != 1)
			cr_expect_eq(now, before[i]);
		else
			moved[now]++;
	}
	cr_expect(moved[0] && moved[2] && moved[3], "to all others");
	up_server_checked(f.servers, 1, NULL);
	for (unsigned i = 0; i < 1000; i++)
		cr_expect_eq(up_servers_pick(f.servers, 0, i, 0), before[i]);
	end(&f);
}

Test(upstream_servers, what_was_tried_is_passed_over)
{
	static const char *const ways[] = {"balance: rr", "balance: least", "balance: hash"};

	for (unsigned w = 0; w < 3; w++) {
		struct fixture f = make(COUNT, ways[w]);
		uint64_t tried = 0;

		for (unsigned i = 0; i < COUNT; i++) {
			int server = up_servers_pick(f.servers, tried, 77, 123456789);

			cr_assert(server >= 0 && !(tried >> server & 1), "%s", ways[w]);
			tried |= UINT64_C(1) << server;
		}
		cr_expect_eq(up_servers_pick(f.servers, tried, 77, 123456789), -1);
		end(&f);
	}
}

// One loop checks, another takes over what it found, and nothing of its own ejections.
Test(upstream_servers, another_loop_follows)
{
	struct fixture f =
		make(3, "eject: {errors: 1, for: 1h}, check: {path: /x, rise: 1, fall: 1}");
	struct up_servers *other = up_servers_create(&f.conf->upstreams[0], f.slots->slot[0], 1);

	up_servers_follow(other, false);
	cr_expect_eq(other->up, 3);
	up_server_checked(f.servers, 1, "test");
	cr_expect_eq(f.servers->up, 2);
	cr_expect(up_server_failed(f.servers, 0, "test", 0));
	cr_expect_eq(other->up, 3, "it did not look yet");
	up_servers_follow(other, false);
	cr_expect_eq(other->up, 2);
	for (unsigned i = 0; i < 10; i++)
		cr_expect_neq(up_servers_pick(other, 0, 0, 0), 1);
	up_server_checked(f.servers, 1, NULL);
	up_servers_follow(other, false);
	cr_expect_eq(other->up, 3);
	free(other);
	end(&f);
}

// ---- weights

static struct fixture make_weighted(
	const char *more, unsigned a, unsigned b, unsigned c, unsigned d)
{
	weights[0] = a;
	weights[1] = b;
	weights[2] = c;
	weights[3] = d;
	return make(COUNT, more);
}

Test(upstream_servers, turns_are_spread_by_weights)
{
	static const int wanted[] = {0, 0, 1, 0, 2, 0, 0};
	struct fixture f = make_weighted("balance: rr", 5, 1, 1, 0);

	for (unsigned i = 0; i < 21; i++)
		cr_expect_eq(up_servers_pick(f.servers, 0, 0, 0), wanted[i % 7], "%u", i);
	end(&f);
	f = make_weighted("balance: rr", 1, 1, 1, 1);
	for (int i = 0; i < 12; i++)
		cr_expect_eq(up_servers_pick(f.servers, 0, 0, 0), i % COUNT);
	end(&f);
}

Test(upstream_servers, every_way_heeds_weights)
{
	static const char *const ways[] = {"balance: rr", "balance: least", "balance: hash"};
	static const unsigned want[COUNT] = {1000, 2000, 0, 7000};

	for (unsigned w = 0; w < 3; w++) {
		struct fixture f = make_weighted(ways[w], 1, 2, 0, 7);
		unsigned picked[COUNT];

		cr_expect_eq(f.servers->up, 3);
		spread(&f, picked, 10000);
		for (unsigned i = 0; i < COUNT; i++)
			cr_expect(picked[i] * 10 >= want[i] * 9 && picked[i] * 10 <= want[i] * 11,
				"%s: %u of 10000, not %u", ways[w], picked[i], want[i]);
		end(&f);
	}
}

// Requests under way count by the weight: one more on a large server is less than on a small one.
Test(upstream_servers, least_divides_by_weights)
{
	struct fixture f = make_weighted("balance: least", 1, 100, 0, 0);
	unsigned picked[COUNT] = {0};

	// Each request stays under way.
	for (unsigned i = 0; i < 5050; i++) {
		uint64_t random = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);
		int server = up_servers_pick(f.servers, 0, 0, (uint32_t)(random >> 32));

		cr_assert_geq(server, 0);
		f.servers->server[server].seen->in_flight++;
		picked[server]++;
	}
	cr_expect(picked[0] >= 45 && picked[0] <= 51, "%u", picked[0]);
	end(&f);
}

// A weight that changes moves only devices to it, or from it.
Test(upstream_servers, another_weight_moves_only_what_it_must)
{
	struct fixture before = make_weighted("balance: hash", 1, 1, 1, 2);
	struct fixture after = make_weighted("balance: hash", 1, 3, 1, 2);
	unsigned moved = 0;

	for (uint64_t i = 0; i < 10000; i++) {
		uint64_t device = i * UINT64_C(0x9e3779b97f4a7c15);
		int was = up_servers_pick(before.servers, 0, device, 0);
		int is = up_servers_pick(after.servers, 0, device, 0);

		cr_expect(was == is || is == 1, "from %d to %d", was, is);
		moved += was != is;
	}
	// From 1 of 5 to 3 of 7.
	cr_expect(moved > 2100 && moved < 2500, "%u", moved);
	end(&before);
	end(&after);
}

// Equal weights are as none: devices stay where they were before there were weights.
Test(upstream_servers, equal_weights_move_nobody)
{
	struct fixture one = make_weighted("balance: hash", 1, 1, 1, 1);
	struct fixture many = make_weighted("balance: hash", 256, 256, 256, 256);

	many.servers->weighted = true; // by logarithms
	for (uint64_t i = 0; i < 10000; i++)
		cr_expect_eq(up_servers_pick(one.servers, 0, i << 20, 0),
			up_servers_pick(many.servers, 0, i << 20, 0));
	end(&one);
	end(&many);
}

// ---- what an operator orders

static void order(struct fixture *f, uint64_t drain, uint64_t maint)
{
	for (size_t i = 0; i < f->servers->count; i++) {
		f->servers->server[i].slot->drain = drain >> i & 1;
		f->servers->server[i].slot->maint = maint >> i & 1;
	}
	up_slot_touch(f->slots->slot[0]);
	up_servers_follow(f->servers, true);
}

Test(upstream_servers, who_drains_gets_nothing_new)
{
	static const char *const ways[] = {"balance: rr", "balance: least", "balance: hash"};

	for (unsigned w = 0; w < 3; w++) {
		struct fixture f = make_weighted(ways[w], 1, 1, 1, 1);
		unsigned picked[COUNT];

		order(&f, 1 << 1, 1 << 2);
		cr_expect_eq(f.servers->up, 2);
		cr_expect_not(up_servers_left(f.servers, 1 << 0 | 1 << 3));
		spread(&f, picked, 1000);
		cr_expect(picked[0] && !picked[1] && !picked[2] && picked[3], "%s", ways[w]);
		order(&f, 0, 0);
		cr_expect_eq(f.servers->up, 4);
		spread(&f, picked, 1000);
		for (unsigned i = 0; i < COUNT; i++)
			cr_expect(picked[i] > 150 && picked[i] < 350, "%s: %u", ways[w], picked[i]);
		order(&f, 0xf, 0);
		cr_expect_eq(f.servers->up, 0);
		cr_expect_eq(up_servers_pick(f.servers, 0, 1, 1), -1);
		order(&f, 0xe, 0);
		cr_expect_eq(f.servers->up, 1);
		end(&f);
	}
}

// A server that drains and one of weight 0 are down or up all the same, and come back as they are.
Test(upstream_servers, health_goes_on_while_it_drains)
{
	struct fixture f =
		make_weighted("check: {path: /, rise: 1, fall: 1}, eject: {errors: 1}", 1, 1, 0, 0);

	order(&f, 1 << 0, 0);
	cr_expect_eq(f.servers->up, 1);
	up_server_checked(f.servers, 0, "test");
	cr_expect(f.servers->server[0].slot->down);
	cr_expect_eq(f.servers->up, 1);
	up_server_checked(f.servers, 2, "test");
	cr_expect_eq(f.servers->up, 1);
	up_server_checked(f.servers, 2, NULL);
	cr_expect_eq(f.servers->up, 1, "of weight 0");
	order(&f, 0, 0);
	cr_expect_eq(f.servers->up, 1, "ready, but down");
	up_server_checked(f.servers, 0, NULL);
	cr_expect_eq(f.servers->up, 2);
	// One that drains is not ejected for what is still under way.
	order(&f, 1 << 1, 0);
	cr_expect_not(up_server_failed(f.servers, 1, "test", 0));
	end(&f);
}

// The last one that was left by an operator is an ejected one: it serves.
Test(upstream_servers, ejected_ones_come_back_if_all_others_drain)
{
	struct fixture f = make_weighted("eject: {errors: 1}", 1, 1, 1, 0);

	cr_expect(up_server_failed(f.servers, 0, "test", 0));
	cr_expect(f.servers->server[0].seen->ejected);
	order(&f, 1 << 1 | 1 << 2, 0);
	cr_expect_eq(f.servers->up, 1);
	cr_expect_not(f.servers->server[0].seen->ejected);
	cr_expect_eq(up_servers_pick(f.servers, 0, 0, 0), 0);
	end(&f);
}

// ---- statistics

Test(upstream_servers, latencies_have_buckets)
{
	static const struct {
		uint64_t us;
		unsigned bucket;
	} rows[] = {{0, 0}, {1, 0}, {64, 0}, {65, 1}, {128, 1}, {129, 2}, {1000, 4}, {1024, 4},
		{1025, 5}, {33554432, 19}, {33554433, 20}, {UINT64_MAX, 20}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned bucket = up_latency_bucket(rows[i].us);

		cr_expect_eq(bucket, rows[i].bucket, "%lu: %u", rows[i].us, bucket);
		cr_expect(rows[i].us <= up_latency_bound(bucket));
		cr_expect(!bucket || rows[i].us > up_latency_bound(bucket - 1));
	}
}

Test(upstream_servers, quantiles_are_bounds)
{
	struct up_server_stats stats = {.stat = {0}}, sum = {.stat = {0}};

	cr_expect_eq(up_latency_quantile(&stats, 500), 0);
	for (unsigned i = 0; i < 98; i++)
		up_server_stats_answer(&stats, 1000);
	up_server_stats_answer(&stats, 50000);
	up_server_stats_answer(&stats, UINT32_MAX);
	cr_expect_eq(up_latency_quantile(&stats, 500), 1024);
	cr_expect_eq(up_latency_quantile(&stats, 980), 1024);
	cr_expect_eq(up_latency_quantile(&stats, 990), 65536);
	cr_expect_eq(up_latency_quantile(&stats, 999), UINT64_MAX);
	up_server_stats_sum(&sum, &stats);
	up_server_stats_sum(&sum, &stats);
	cr_expect_eq(sum.stat[UP_SERVER_STAT_answers], 200);
	cr_expect_eq(
		sum.stat[UP_SERVER_STAT_latency_us], 2 * (98000 + 50000 + (uint64_t)UINT32_MAX));
	cr_expect_eq(sum.latency[4], 196);
}
