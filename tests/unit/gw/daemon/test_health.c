// SPDX-License-Identifier: BSD-3-Clause
// When a thread is stuck: it has work, and made no progress for 10 s.

#include "gw/daemon/health.h"

#include <criterion/criterion.h>

#define THREADS  3
#define START_MS 1000000

static struct health health;
static struct health_sign signs[THREADS];
static uint64_t now_ms = START_MS;

// Each second for so long, all but one thread make progress.
static void pass(unsigned seconds, int still)
{
	for (unsigned i = 0; i < seconds; i++) {
		now_ms += 1000;
		for (int t = 0; t < THREADS; t++)
			signs[t].progress += t != still;
		health_look(&health, signs, THREADS, now_ms);
	}
}

Test(health, progress_is_health)
{
	pass(100, -1);
	cr_expect_eq(health.stuck, 0);
}

Test(health, ten_seconds_without_progress_are_too_many)
{
	pass(1, -1);
	pass(9, 1);
	cr_expect_eq(health.stuck, 0);
	pass(1, 1);
	cr_expect_eq(health.stuck, 1);
	cr_expect(health.thread[1].stuck && !health.thread[0].stuck && !health.thread[2].stuck);
	pass(1, -1);
	cr_expect_eq(health.stuck, 0);
}

Test(health, who_sleeps_without_work_is_not_stuck)
{
	pass(1, -1);
	signs[2].idle = true;
	pass(60, 2);
	cr_expect_eq(health.stuck, 0);
	// Work has come, and the sleep does not end.
	signs[2].idle = false;
	pass(9, 2);
	cr_expect_eq(health.stuck, 0);
	pass(1, 2);
	cr_expect(health.thread[2].stuck);
}

// As after SIGSTOP, or a suspended machine: nobody's fault.
Test(health, a_process_that_stood_still_begins_again)
{
	pass(5, -1);
	now_ms += 3600 * 1000;
	health_look(&health, signs, THREADS, now_ms);
	cr_expect_eq(health.stuck, 0);
	pass(9, 0);
	cr_expect_eq(health.stuck, 0);
	pass(1, 0);
	cr_expect(health.thread[0].stuck);
}
