// SPDX-License-Identifier: BSD-3-Clause
// What is stored and observed: how the loop asks for it again, and that it stays.

#include "tests/unit/gw/http/origin.h"
#include "tests/unit/gw/upstream/bed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static struct origin *origin;
static struct bed *bed;

static void setup(void)
{
	static char upstream[256];

	origin = origin_start();
	snprintf(upstream, sizeof(upstream), "servers: [\"http://127.0.0.1:%u\"], max_inflight: 64",
		origin_port(origin));
	bed_exchanges = 256;
	bed_cache = "cache: {memory: 1MB, entries: 1024}\n";
	bed_routes = "- {path: /b0/*, to: up, strip: 1, cache: shared, observe: {}}\n"
		     "- {path: /b1/*, to: up, strip: 1, cache: private, observe: {}}\n";
	bed = bed_make(upstream);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "first");
}

static void teardown(void)
{
	bed_end(bed);
	origin_stop(origin);
}

TestSuite(upstream_observed, .init = setup, .fini = teardown);

// A worker has an observation of the only thing that is stored. Returns its slot.
static uint32_t observe(void)
{
	struct dp_rep_table *table = &bed->reps->table[0];
	uint32_t slot = 0;

	while (slot < table->slots && !dp_rep_at(table, slot))
		slot++;
	cr_assert_lt(slot, table->slots);
	cr_assert(dp_rep_pin(table, slot, dp_rep_at(table, slot)->hash));
	return slot;
}

// Max-Age is in whole seconds: of a second that has begun none would be left to tell observers.
Test(upstream_observed, one_second_is_long_enough_to_observe)
{
	const struct dp_rep_table *table = &bed->reps->table[0];

	origin_says(origin, 200, "Cache-Control: max-age=1\r\nETag: \"1\"\r\n", "first");
	bed_ask(bed, "GET path=b0 path=x");
	const struct dp_representation *rep = dp_rep_at(table, observe());

	cr_expect_geq(rep->observe_ms, rep->fresh_ms + 1000);
	cr_expect_leq(rep->observe_ms, rep->stored_ms + 2000);
}

// The device is not there to be seen, but it is the one that is asked for.
Test(upstream_observed, a_private_one_is_asked_for_as_its_device)
{
	bed_ask(bed, "GET path=b1 path=x");
	observe();
	bed_ask(bed, "PUT path=b1 path=x |q");
	origin_wait(origin, 3);
	const char *head = origin_last(origin);

	cr_expect(!strncmp(head, "GET ", 4), "%s", head);
	cr_expect(strcasestr(head, "\r\nDevice-Id: "), "%s", head);
	cr_expect(strcasestr(head, "\r\nOscore-Context: 0000000000abcdef\r\n"), "%s", head);
	// Nobody sent a request.
	cr_expect(!strcasestr(head, "\r\nForwarded: "), "%s", head);
	cr_expect(!strcasestr(head, "\r\nIdempotency-Key: "), "%s", head);
}

// It does not give way to others where all is taken, and not to itself when it grows.
Test(upstream_observed, it_stays_when_it_grows_and_all_is_taken)
{
	static char body[2001];
	struct dp_rep_table *table = &bed->reps->table[0];
	char line[64];
	unsigned before;

	bed_ask(bed, "GET path=b0 path=x");
	uint32_t slot = observe();

	memset(body, 'x', sizeof(body) - 1);
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", body);
	for (unsigned i = 0; i < 1000; i++) {
		bed->device = 10 + i % 100;
		snprintf(line, sizeof(line), "GET path=b0 path=others query=%u", i);
		bed_ask(bed, line);
	}
	before = origin_requests(origin);
	bed_ask(bed, "PUT path=b0 path=x |q");
	origin_wait(origin, before + 2);
	bed_ask(bed, "GET path=b0 path=x");
	cr_assert_not_null(dp_rep_at(table, slot));
	cr_expect_eq(dp_rep_at(table, slot)->payload_len, sizeof(body) - 1);
	cr_expect_eq(origin_requests(origin), before + 2);
}

// However often it is changed, the backend has few requests for it at a time: they are no device's.
Test(upstream_observed, a_storm_of_changes_is_few_requests)
{
	uint64_t *version = &bed->reps->table[0].version;
	dp_handle handle;

	bed_ask(bed, "GET path=b0 path=x");
	observe();
	origin_hold(origin, true);
	for (unsigned i = 0; i < 40; i++) {
		uint64_t before = bed_stat(bed, UP_STAT_attempts);

		handle = bed_push(bed, "PUT path=b0 path=x |q");
		bed_wait_stat(bed, UP_STAT_attempts, before + 1);
		bed_abandon(bed, handle);
		EXPECT_ANSWER(bed_pull(bed, NULL), "");
		usleep(30000);
	}
	cr_expect_leq(bed_stat(bed, UP_STAT_inflight), 2, "%u",
		(unsigned)bed_stat(bed, UP_STAT_inflight));
	// The last of them is not lost.
	origin_says(origin, 200, "Cache-Control: max-age=60\r\n", "last");
	origin_hold(origin, false);
	for (unsigned i = 0; __atomic_load_n(version, __ATOMIC_RELAXED) == 1 && i < 10000; i++)
		usleep(1000);
	cr_expect_eq(*version, 2);
}

// These say nothing of what is there: who observes it hears nothing.
Test(upstream_observed, it_stays_when_the_backend_says_nothing_of_it)
{
	static const int status[] = {503, 408, 425, 429, 505, 522, 503, 500, 404};
	struct dp_rep_table *table = &bed->reps->table[0];
	unsigned count = sizeof(status) / sizeof(status[0]);

	bed_ask(bed, "GET path=b0 path=x");
	uint32_t epoch_index = dp_rep_at(table, observe())->epoch_index;

	// What is dropped is asked for no more, and what is told has another version.
	for (unsigned i = 0; i < count; i++) {
		cr_expect_eq(__atomic_load_n(&table->version, __ATOMIC_RELAXED), 1, "%u", i);
		// Some say for how long they are good.
		origin_says(origin, status[i], i < 6 ? "" : "Cache-Control: max-age=1\r\n", "");
		dp_rep_epoch_raise(bed->reps, epoch_index);
		origin_wait(origin, i + 2);
		while (bed_stat(bed, UP_STAT_inflight))
			usleep(200);
	}
	for (unsigned i = 0; __atomic_load_n(&table->version, __ATOMIC_RELAXED) == 1 && i < 10000;
		i++)
		usleep(1000);
	cr_expect_eq(table->version, 2, "404 is told");
}

// What has less than a second left could not be told for how long it is good.
Test(upstream_observed, who_registers_too_late_has_it_validated)
{
	origin_says(origin, 200, "Cache-Control: max-age=2\r\nETag: \"a\"\r\n", "first");
	origin_validates(origin, "\"a\"");
	bed_ask(bed, "GET observe=0 path=b0 path=x");
	bed_ask(bed, "GET observe=0 path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 1);
	uint32_t slot = 0;

	while (!dp_rep_at(&bed->reps->table[0], slot))
		slot++;
	while (dp_rep_at(&bed->reps->table[0], slot)->fresh_ms >= bed_now_ms() + 900)
		usleep(1000);
	bed_ask(bed, "GET path=b0 path=x");
	bed_ask(bed, "GET observe=1 path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 1);
	bed_ask(bed, "GET observe=0 path=b0 path=x");
	cr_expect_eq(origin_requests(origin), 2);
	cr_expect_eq(origin_valid(origin), 1);
	cr_expect_geq(dp_rep_at(&bed->reps->table[0], slot)->fresh_ms, bed_now_ms() + 1000);
}
