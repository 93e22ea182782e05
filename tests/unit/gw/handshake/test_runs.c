// SPDX-License-Identifier: BSD-3-Clause
// The handshakes that a thread has under way: bounded, shared between networks, forgotten in time.

#include "gw/handshake/runs.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <string.h>

static struct runs runs;
static uint64_t now_ms = 1000000;
static uint32_t number;    // of messages
static uint32_t came_back; // C_R

static void back(void *arg, const struct edhoc_connection *c_r)
{
	came_back++;
}

static void begin(void)
{
	cr_assert_geq(sodium_init(), 0);
	memset(&runs, 0, sizeof(runs));
	runs.unused_c_r = back;
	cr_assert_eq(runs_init(&runs), 0);
	number = came_back = 0;
}

static void end(void)
{
	runs_fini(&runs);
}

TestSuite(runs, .init = begin, .fini = end, .timeout = 60);

static void name_of(uint32_t of, uint8_t name[RUNS_NAME_LEN])
{
	runs_name(&runs, "x", 1, (struct edhoc_bytes){(const uint8_t *)&of, sizeof(of)}, name);
}

static struct edhoc_connection c_r_of(uint32_t of)
{
	struct edhoc_connection c_r = {.len = 4};

	memcpy(c_r.bytes, &of, sizeof(of));
	return c_r;
}

// A run that waits for its message_3; its message is number - 1 then.
static uint32_t wait(uint64_t network)
{
	const struct edhoc_connection c_r = c_r_of(number);
	uint8_t name[RUNS_NAME_LEN];

	name_of(number++, name);
	const uint32_t index = runs_begin(&runs, now_ms, network, name, &c_r);

	if (index != RUNS_NONE)
		runs_wait(&runs, index);
	return index;
}

static bool is_there(uint32_t of)
{
	const struct edhoc_connection c_r = c_r_of(of);
	uint8_t name[RUNS_NAME_LEN];

	name_of(of, name);
	const uint32_t by_name = runs_find_message_1(&runs, name);

	cr_expect_eq(by_name, runs_find_c_r(&runs, &c_r));
	return by_name != RUNS_NONE;
}

Test(runs, a_network_has_a_share)
{
	const uint32_t mine = wait(1);

	cr_assert_neq(mine, RUNS_NONE);
	for (uint32_t i = 0; i < RUNS_SHARE; i++)
		cr_assert_neq(wait(2), RUNS_NONE);
	cr_expect(is_there(0));
	cr_expect(is_there(1));
	cr_assert_neq(wait(2), RUNS_NONE);
	cr_expect_not(is_there(1), "its own oldest one goes");
	cr_expect(is_there(0), "and nobody else's");
	cr_expect_eq(came_back, 1);
	cr_expect_eq(runs.waiting.count, RUNS_SHARE + 1);
}

Test(runs, who_has_most_gives_way_when_all_are_taken)
{
	wait(1);
	for (uint64_t network = 100; runs.waiting.count < RUNS_MAX; network++)
		for (unsigned i = 0; i < RUNS_SHARE / 2 && runs.waiting.count < RUNS_MAX; i++)
			cr_assert_neq(wait(network), RUNS_NONE);
	cr_expect_eq(came_back, 0);
	for (unsigned i = 0; i < 1000; i++)
		cr_assert_neq(wait(5000 + i), RUNS_NONE);
	cr_expect(is_there(0));
	cr_expect_eq(runs.waiting.count, RUNS_MAX);
	cr_expect_eq(came_back, 1000);
}

Test(runs, they_are_forgotten_in_time)
{
	const uint32_t index = wait(1);
	uint8_t name[RUNS_NAME_LEN] = {3};

	runs_get(&runs, index)->session.prk[0] = 7;
	now_ms += RUNS_WAIT_MS - 1;
	const uint32_t late = wait(1);

	runs_turn(&runs, now_ms);
	cr_expect_eq(runs_get(&runs, index)->state, RUN_WAITS);
	now_ms++;
	runs_turn(&runs, now_ms);
	cr_expect_eq(runs_get(&runs, index)->state, RUN_OVER);
	cr_expect_eq(runs_get(&runs, index)->session.prk[0], 0, "its secrets are wiped");
	cr_expect(is_there(0), "a copy of its message_1 may come");
	cr_expect_eq(came_back, 1);
	runs_verified(&runs, late, name, (struct edhoc_bytes){0});
	runs_settle(&runs, late, true);
	now_ms += RUNS_KEEP_MS - RUNS_WAIT_MS;
	runs_turn(&runs, now_ms);
	cr_expect_not(is_there(0));
	cr_expect(is_there(1));
	now_ms += RUNS_KEEP_MS;
	runs_turn(&runs, now_ms);
	cr_expect_not(is_there(1));
	cr_expect_eq(came_back, 1, "the other one is a session's");
}

Test(runs, those_that_are_over_have_half_at_most)
{
	uint8_t name[RUNS_NAME_LEN] = {3};

	for (uint32_t i = 0; i < RUNS_MAX; i++) {
		const uint32_t index = wait(i);

		cr_assert_neq(index, RUNS_NONE);
		runs_verified(&runs, index, name, (struct edhoc_bytes){0});
		runs_settle(&runs, index, true);
	}
	for (uint32_t i = 0; i < RUNS_MAX / 2 + 10; i++)
		cr_assert_neq(wait(i), RUNS_NONE);
	cr_expect_leq(runs.over.count, RUNS_MAX / 2);
	cr_expect_eq(runs.over.count + runs.waiting.count, RUNS_MAX);
}

Test(runs, one_that_is_worked_on_stays)
{
	const uint32_t first = wait(1);

	runs_get(&runs, first)->busy = true;
	for (uint32_t i = 1; i < RUNS_SHARE; i++)
		wait(1);
	wait(1);
	cr_expect(is_there(0));
	cr_expect_not(is_there(1));
}
