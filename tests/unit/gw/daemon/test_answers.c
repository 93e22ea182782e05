// SPDX-License-Identifier: BSD-3-Clause
// How long answers are kept at the rate of now, and that the alarm of too short a time does not
// come and go with each look.

#include "gw/daemon/answers.h"

#include <criterion/criterion.h>

#define RING (UINT64_C(64) << 20)

static struct answers_watch watch;
static uint64_t now_ms = 5000;
static uint64_t written[2];

// One look after so long, in which both workers wrote so much.
static bool look(uint64_t ms, uint64_t first, uint64_t second)
{
	now_ms += ms;
	written[0] += first;
	written[1] += second;
	return answers_look(&watch, now_ms, RING, written, 2);
}

// Bytes of a second at which the ring lasts that long.
static uint64_t for_ms(uint64_t kept)
{
	return RING * 1000 / kept;
}

Test(answers, each_worker_is_told_by_its_rate)
{
	written[0] = 1 << 30;
	cr_expect_not(look(0, 0, 0), "what was before the first look has no rate");
	cr_expect_eq(watch.kept_ms[0], ANSWERS_KEPT_MAX_MS);
	cr_expect_not(look(1000, for_ms(20000), for_ms(40000)));
	cr_expect_leq(watch.kept_ms[0] - 20000, 1);
	cr_expect_leq(watch.kept_ms[1] - 40000, 1);
	cr_expect_not(look(2000, 2 * for_ms(30000), 0));
	cr_expect_leq(watch.kept_ms[0] - 30000, 1);
	cr_expect_eq(watch.kept_ms[1], ANSWERS_KEPT_MAX_MS, "nothing is overwritten");
	// 9 000 000 answers of builtins a second.
	cr_expect(look(1000, 32 * 9000000, 0));
	cr_expect_eq(watch.kept_ms[0], 233);
}

Test(answers, looks_between_two_change_nothing)
{
	cr_expect_not(look(0, 0, 0));
	cr_expect_not(look(999, RING, 0));
	cr_expect_eq(watch.kept_ms[0], ANSWERS_KEPT_MAX_MS);
	cr_expect(look(1, 0, 0));
	cr_expect_eq(watch.kept_ms[0], 1000);
}

Test(answers, an_alarm_lasts_until_it_is_over)
{
	look(0, 0, 0);
	cr_expect_not(look(1000, for_ms(10001), 0));
	cr_expect(look(1000, 0, for_ms(9900)));
	for (unsigned i = 0; i < 100; i++)
		cr_expect(look(1000, 0, for_ms(i % 2 ? 9900 : 20000)), "look %u", i);
	for (unsigned i = 0; i < 100; i++)
		cr_expect(look(1000, 0, for_ms(11900)), "look %u: no more than just enough", i);
	for (unsigned i = 1; i < ANSWERS_CALM_MS / 1000; i++)
		cr_expect(look(1000, 0, for_ms(12100)), "look %u", i);
	cr_expect_not(look(1000, 0, for_ms(12100)));
	// Just enough does not bring it again.
	for (unsigned i = 0; i < 100; i++)
		cr_expect_not(look(1000, 0, for_ms(11900)), "look %u", i);
	cr_expect(look(1000, 0, for_ms(9900)));
}
