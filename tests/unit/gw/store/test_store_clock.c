// SPDX-License-Identifier: BSD-3-Clause
// Own Partial IVs from the clock: which seconds the store gives.

#include "dataplane/oscore/own_piv.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <time.h>

static struct bed bed;

static void set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
}

static void tear_down(void)
{
	bed_remove(&bed);
}

TestSuite(store_clock, .init = set_up, .fini = tear_down);

Test(store_clock, seconds_before_a_start_or_a_stop_are_no_partial_ivs_from_the_clock)
{
	int64_t start = time(NULL);

	bed_reopen(&bed);
	cr_expect_geq(store_clock_least(bed.store), start);
	cr_expect_leq(store_clock_least(bed.store), time(NULL) + 1);
	bed_close(&bed);
	// The clock was set back by decades.
	bed_sql_sealed(&bed, "UPDATE meta SET clock = 4000000000");
	bed_open(&bed);
	cr_expect_eq(store_clock_least(bed.store), 4000000001);
	bed_reopen(&bed);
	cr_expect_eq(store_clock_least(bed.store), 4000000001);
}

static bool no_window(void *arg, struct store_window *window)
{
	return false;
}

// A crash loses what was reserved, a clean stop only what was used.
// The first Partial IV of a run, and that of the present second.
static uint64_t first_of_run(uint64_t run)
{
	return run << STORE_COUNTER_BITS;
}

static uint64_t first_of_now(void)
{
	return (uint64_t)(time(NULL) - OSC_CLOCK_EPOCH_S) << OSC_CLOCK_BITS;
}

static int add_used(enum device_own_piv own_piv, uint64_t gateway_seq)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	spec.never_used = false;
	spec.has_gateway_seq = true;
	spec.gateway_seq = gateway_seq;
	spec.has_own_piv = true;
	spec.own_piv = own_piv;
	return bed_add(&bed, &spec);
}

// Partial IVs of the clock and of runs are numbers of one kind.
Test(store_clock, keys_change_between_clock_and_runs_above_all_that_they_were_used_with)
{
	uint64_t later = first_of_now() + (UINT64_C(1) << 20);

	cr_expect_eq(add_used(DEVICE_OWN_PIV_CLOCK, later), -ERANGE);
	cr_assert_eq(
		add_used(DEVICE_OWN_PIV_CLOCK, first_of_now()), DEVICE_ADDED, "%s", bed.error.text);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	cr_assert_eq(add_used(DEVICE_OWN_PIV_CLOCK, 0), DEVICE_ADDED, "the clock goes on");
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	cr_assert_eq(add_used(DEVICE_OWN_PIV_ALWAYS, 0), DEVICE_ADDED);
	uint64_t first = first_of_run(store_current_run(bed.store) + bed_run_base(&bed, "01"));
	cr_expect_gt(first, first_of_now());
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	cr_expect_eq(add_used(DEVICE_OWN_PIV_CLOCK, 0), -ERANGE, "above what the clock gives");
	cr_expect_eq(add_used(DEVICE_OWN_PIV_AUTO, 0), DEVICE_ADDED);
}

Test(store_clock, seconds_of_the_clock_are_durable_before_they_are_used)
{
	// Far from the present, which goes on.
	int64_t first = 4000000001;

	bed_close(&bed);
	bed_sql_sealed(&bed, "UPDATE meta SET clock = 4000000000");
	bed_open(&bed);
	cr_assert_eq(store_clock_raise(bed.store, first + 1000, &bed.error), 0);
	cr_assert_eq(store_clock_raise(bed.store, first + 500, &bed.error), 0, "is durable");
	cr_expect_eq(store_clock_least(bed.store), first, "this start goes on");
	bed_reopen(&bed);
	cr_expect_eq(store_clock_least(bed.store), first + 1001);
	cr_assert_eq(store_clock_raise(bed.store, first + 2000, &bed.error), 0);
	cr_assert_eq(store_stop(bed.store, first + 1500, no_window, NULL, &bed.error), 0);
	bed_reopen(&bed);
	cr_expect_eq(store_clock_least(bed.store), first + 1501);
	// Nothing was used since.
	cr_assert_eq(store_clock_raise(bed.store, first + 3000, &bed.error), 0);
	cr_assert_eq(store_stop(bed.store, 0, no_window, NULL, &bed.error), 0);
	bed_reopen(&bed);
	cr_expect_eq(store_clock_least(bed.store), first + 1501);
}

static bool one_window(void *arg, struct store_window *window)
{
	uint64_t *id = arg;

	*window = (struct store_window){.id = *id, .window = {.next = 8, .bits = 0xff}};
	*id = 0;
	return window->id != 0;
}

Test(store_clock, the_window_of_a_device_by_the_clock_is_never_kept)
{
	for (int clock = 0; clock < 2; clock++) {
		struct device_spec spec = bed_spec(clock, clock ? "01" : "00", "aa");

		spec.has_own_piv = true;
		spec.own_piv = clock ? DEVICE_OWN_PIV_CLOCK : DEVICE_OWN_PIV_ALWAYS;
		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
		uint64_t id = bed_device(&bed, clock ? "01" : "00").id;
		cr_assert_eq(store_stop(bed.store, 0, one_window, &id, &bed.error), 0);
		bed_close(&bed);
		bed_open_unstarted(&bed);
		struct device_keyed device = bed_device(&bed, clock ? "01" : "00");
		cr_expect_eq(device.own_piv, spec.own_piv);
		cr_expect_eq(device.window_known, !clock);
		cr_assert_eq(store_start(bed.store, &bed.error), 0);
	}
}
