// SPDX-License-Identifier: BSD-3-Clause
// Devices that cannot answer an Echo challenge, own Partial IVs from the clock, and keys that are
// replaced by others: what of them must be on the disk.

#include "dataplane/oscore/own_piv.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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

TestSuite(store_marks, .init = set_up, .fini = tear_down);

static void reopen(void)
{
	bed_close(&bed);
	bed_open(&bed);
}

static struct device_spec floor_spec(unsigned seed, const char *device_id, const char *gateway_id)
{
	struct device_spec spec = bed_spec(seed, device_id, gateway_id);

	spec.has_recovery = true;
	spec.recovery = DEVICE_FLOOR;
	return spec;
}

// The keys were in use here or in another gateway.
static void used(struct device_spec *spec, uint64_t device_seq)
{
	spec->never_used = false;
	spec->has_gateway_seq = true;
	spec->has_device_seq = true;
	spec->device_seq = device_seq;
}

static struct device_keyed device_of(const char *name)
{
	struct device_keyed device = {0};

	bed_load(&bed, name, &device);
	cr_assert_neq(device.id, 0, "no device %s", name);
	return device;
}

static int raise_mark(uint64_t id, uint64_t mark)
{
	struct store_raise wanted = {.id = id, .value = mark, .result = 1};

	int code = store_marks_raise(bed.store, &wanted, 1, &bed.error);
	return code != 0 ? code : wanted.result;
}

Test(store_marks, a_device_without_echo_that_was_never_used_has_a_mark_of_32_on_the_disk)
{
	struct device_spec spec = floor_spec(1, "01", "aa");
	struct device_keyed device;
	enum device_outcome outcome;

	cr_assert_eq(store_add(bed.store, &spec, false, &device, &outcome, &bed.error), 0);
	cr_expect_eq(device.recovery, DEVICE_FLOOR);
	cr_expect_eq(device.mark, 32);
	cr_expect(device.window_known);
	reopen();
	device = device_of("01");
	cr_expect_eq(device.recovery, DEVICE_FLOOR);
	cr_expect_eq(device.mark, 32);
	cr_expect_not(device.window_known);
	cr_expect_not(device.resync_needed);
}

Test(store_marks, a_device_without_echo_that_was_used_begins_at_its_device_seq)
{
	struct device_spec spec = floor_spec(1, "01", "aa");

	spec.never_used = false;
	spec.has_gateway_seq = true;
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
	cr_expect(strstr(bed.error.text, "device_seq") != NULL, "%s", bed.error.text);
	used(&spec, DEVICE_SEQ_MAX + 1);
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
	used(&spec, DEVICE_SEQ_MAX);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(device_of("01").mark, DEVICE_SEQ_MAX);
	// Twice the same thing, in two words.
	spec = floor_spec(2, "02", "aa");
	spec.has_device_seq = true;
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
}

Test(store_marks, a_device_with_echo_has_no_device_seq)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	used(&spec, 7);
	spec.has_recovery = true;
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
}

Test(store_marks, a_mark_only_rises_and_stays)
{
	struct device_spec spec = floor_spec(1, "01", "aa"), echo = bed_spec(2, "02", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &echo), DEVICE_ADDED);
	uint64_t id = device_of("01").id;
	struct store_raise wanted[] = {{id, 64, 1}, {device_of("02").id, 64, 1}, {99, 64, 1}};

	cr_assert_eq(store_marks_raise(bed.store, wanted, 3, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(wanted[0].result, 0);
	cr_expect_eq(wanted[1].result, -EINVAL);
	cr_expect_eq(wanted[2].result, -ENOENT);
	reopen();
	cr_expect_eq(device_of("01").mark, 64);
	cr_expect_eq(raise_mark(id, 33), 0); // durable already
	reopen();
	cr_expect_eq(device_of("01").mark, 64);
	bed.store->broken = true;
	cr_expect_eq(raise_mark(id, 96), -EIO);
	reopen();
	cr_expect_eq(device_of("01").mark, 64);
}

// Its mark is an old one, too, and requests that were accepted since would be accepted again.
Test(store_marks, an_older_database_is_refused_although_no_run_was_granted)
{
	const char *const directories[] = {bed.directory, bed.runtime};
	struct device_spec spec = floor_spec(1, "01", "aa");
	char path[256];

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	for (int i = 0; i < 2; i++) {
		bed_close(&bed);
		bed_save(&bed);
		bed_open(&bed);
		cr_assert_eq(raise_mark(device_of("01").id, 1000 * (i + 1)), 0);
		bed_close(&bed);
		bed_restore_database(&bed);
		// One of the marks is enough.
		snprintf(path, sizeof(path), "%s/" STORE_MARK, directories[i]);
		i == 0 ? (void)unlink(path) : bed_write(path, "postern run mark 3: 0 1\n", 24);
		cr_expect_eq(store_open(&bed.config, &bed.store, &bed.error), -ESTALE);
		cr_expect(strstr(bed.error.text, i == 0 ? "without its run.mark" : "an old copy"),
			"%s", bed.error.text);
		cr_assert_eq(store_adopt(&bed.config, NULL, &bed.error), 0, "%s", bed.error.text);
		bed_open(&bed);
		cr_expect(device_of("01").resync_needed);
		cr_expect_eq(store_resync(bed.store, "01", true, 5000, &(bool){false},
				     &(struct device_keyed){0}, &bed.error),
			0);
	}
}

Test(store_marks, a_tombstone_keeps_the_mark)
{
	struct device_spec spec = floor_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(raise_mark(device_of("01").id, 1000), 0);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	reopen();
	used(&spec, 5);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(device_of("01").mark, 1000);

	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	used(&spec, 2000);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(device_of("01").mark, 2000);

	// Also over a time in which the device answers Echo challenges.
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	struct device_spec echo = spec;
	echo.has_recovery = echo.has_device_seq = false;
	cr_assert_eq(bed_add(&bed, &echo), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(device_of("01").mark, 0);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	used(&spec, 5);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(device_of("01").mark, 2000);
}

static int none(void *arg, const struct device_keyed *device)
{
	cr_expect_fail("%s", device->name);
	return 0;
}

Test(store_marks, what_was_set_back_in_the_file_does_not_load)
{
	static const char *const change[] = {"mark = mark - 1", "recovery = 0", "own_piv = 0",
		"own_piv = 2", "resync = 1", "recovery = 0, own_piv = 0, mark = 0", "recovery = 2"};
	struct store_load_result result;

	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		struct device_spec spec = floor_spec(i, "01", "aa");
		char sql[128];

		spec.has_own_piv = true;
		spec.own_piv = DEVICE_OWN_PIV_ALWAYS;
		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
		bed_close(&bed);
		snprintf(sql, sizeof(sql), "UPDATE device SET %s", change[i]);
		bed_sql(&bed, sql);
		bed_open(&bed);
		cr_assert_eq(store_load(bed.store, none, NULL, &result, &bed.error), 0);
		cr_expect_eq(result.unreadable, 1, "%s", change[i]);
		bed_remove(&bed);
		set_up();
	}
}

Test(store_marks, after_an_adoption_a_device_without_echo_needs_a_resync)
{
	struct device_spec spec = floor_spec(1, "01", "aa");
	struct device_keyed device;
	bool waited;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_write(bed.machine, "fedcba9876543210fedcba9876543210\n", 33);
	cr_assert_eq(store_adopt(&bed.config, NULL, &bed.error), 0, "%s", bed.error.text);
	bed_open(&bed);
	device = device_of("01");
	cr_expect(device.resync_needed);
	// A mark that is raised says nothing of what the original accepted.
	cr_expect_eq(raise_mark(device.id, 64), 0);
	cr_expect(device_of("01").resync_needed);

	cr_expect_eq(
		store_resync(bed.store, "01", false, 0, &waited, &device, &bed.error), -EINVAL);
	cr_expect_eq(store_resync(bed.store, "01", true, DEVICE_SEQ_MAX + 1, &waited, &device,
			     &bed.error),
		-EINVAL);
	cr_assert_eq(store_resync(bed.store, "01", true, 500, &waited, &device, &bed.error), 0);
	cr_expect_eq(device.mark, 500);
	cr_expect_not(device.resync_needed);
	cr_expect_not(device.window_known);
	reopen();
	cr_expect_eq(device_of("01").mark, 500);
	cr_expect_not(device_of("01").resync_needed);
	// Below the mark is where it was.
	cr_assert_eq(store_resync(bed.store, "01", true, 3, &waited, &device, &bed.error), 0);
	cr_expect_eq(device.mark, 500);
}

Test(store_marks, a_device_with_echo_is_resynced_without_a_number)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;
	bool waited;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(store_resync(bed.store, "01", true, 9, &waited, &device, &bed.error), -EINVAL);
	cr_expect_eq(store_resync(bed.store, "01", false, 0, &waited, &device, &bed.error), 0);
	cr_expect_not(device.window_known);
	cr_expect_eq(
		store_resync(bed.store, "02", false, 0, &waited, &device, &bed.error), -ENOENT);
}

Test(store_marks, a_store_of_version_3_is_taken_up_as_it_is)
{
	struct device_spec gone = bed_spec(2, "02", "aa");

	cr_assert_eq(bed_add(&bed, &gone), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "02"), 0);
	bed_close(&bed);
	bed_sql(&bed,
		"ALTER TABLE meta DROP COLUMN tag; ALTER TABLE used_key DROP COLUMN "
		"tag;" BED_NO_LIMITS "PRAGMA user_version = 3;");
	bed_open(&bed);
	cr_expect_eq(bed_add(&bed, &gone), -EKEYREVOKED, "%s", bed.error.text);
	reopen();
	cr_expect_eq(bed_add(&bed, &gone), -EKEYREVOKED, "%s", bed.error.text);
}

// A store of version 2, from one of version 3 that granted no run.
static void back_to_version_2(void)
{
	const char *const directories[] = {bed.directory, bed.runtime};
	char path[256];

	bed_close(&bed);
	bed_sql(&bed,
		"ALTER TABLE meta DROP COLUMN commits; ALTER TABLE meta DROP COLUMN tag;"
		"ALTER TABLE used_key DROP COLUMN tag;" BED_NO_LIMITS "PRAGMA user_version = 2;");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/" STORE_MARK, directories[i]);
		bed_write(path, "postern run mark 1: 0\n", 22);
	}
}

Test(store_marks, a_store_of_version_2_is_taken_up_as_it_is)
{
	struct device_spec spec = floor_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(raise_mark(device_of("01").id, 100), 0);
	back_to_version_2();
	bed_open(&bed);
	cr_expect_eq(device_of("01").mark, 100);
	cr_expect_eq(raise_mark(device_of("01").id, 200), 0);
	reopen();
	cr_expect_eq(device_of("01").mark, 200);
}

Test(store_marks, a_store_of_version_1_is_taken_up_as_it_is)
{
	struct device_spec spec = bed_spec(1, "01", "aa"), gone = bed_spec(2, "02", "aa");
	struct osc_keys keys;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &gone), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "02"), 0);
	back_to_version_2();
	bed_sql(&bed,
		"ALTER TABLE meta DROP COLUMN clock; ALTER TABLE meta DROP COLUMN copy;"
		"ALTER TABLE device DROP COLUMN recovery; ALTER TABLE device DROP COLUMN own_piv;"
		"ALTER TABLE device DROP COLUMN mark; ALTER TABLE device DROP COLUMN resync;"
		"ALTER TABLE used_key DROP COLUMN mark; PRAGMA user_version = 1");
	bed_open(&bed);
	struct device_keyed device = device_of("01");
	cr_expect_eq(device.recovery, DEVICE_ECHO);
	cr_expect_eq(device.own_piv, DEVICE_OWN_PIV_AUTO);
	cr_assert_eq(osc_derive(&keys, &spec.params), 0);
	cr_expect_arr_eq(device.keys.recipient_key, keys.recipient_key, 16);
	cr_expect_eq(bed_add(&bed, &gone), -EKEYREVOKED);
	gone = floor_spec(3, "03", "aa");
	cr_expect_eq(bed_add(&bed, &gone), DEVICE_ADDED, "%s", bed.error.text);
	reopen();
	cr_expect_eq(device_of("03").mark, 32);
}

Test(store_marks, seconds_before_a_start_or_a_stop_are_no_partial_ivs_from_the_clock)
{
	int64_t start = time(NULL);

	reopen();
	cr_expect_geq(store_clock_least(bed.store), start);
	cr_expect_leq(store_clock_least(bed.store), time(NULL) + 1);
	bed_close(&bed);
	// The clock was set back by decades.
	bed_sql_sealed(&bed, "UPDATE meta SET clock = 4000000000");
	bed_open(&bed);
	cr_expect_eq(store_clock_least(bed.store), 4000000001);
	reopen();
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
Test(store_marks, keys_change_between_clock_and_runs_above_all_that_they_were_used_with)
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

Test(store_marks, seconds_of_the_clock_are_durable_before_they_are_used)
{
	// Far from the present, which goes on.
	int64_t first = 4000000001;

	bed_close(&bed);
	bed_sql_sealed(&bed, "UPDATE meta SET clock = 4000000000");
	bed_open(&bed);
	cr_assert_eq(store_clock_raise(bed.store, first + 1000, &bed.error), 0);
	cr_assert_eq(store_clock_raise(bed.store, first + 500, &bed.error), 0, "is durable");
	cr_expect_eq(store_clock_least(bed.store), first, "this start goes on");
	reopen();
	cr_expect_eq(store_clock_least(bed.store), first + 1001);
	cr_assert_eq(store_clock_raise(bed.store, first + 2000, &bed.error), 0);
	cr_assert_eq(store_stop(bed.store, first + 1500, no_window, NULL, &bed.error), 0);
	reopen();
	cr_expect_eq(store_clock_least(bed.store), first + 1501);
	// Nothing was used since.
	cr_assert_eq(store_clock_raise(bed.store, first + 3000, &bed.error), 0);
	cr_assert_eq(store_stop(bed.store, 0, no_window, NULL, &bed.error), 0);
	reopen();
	cr_expect_eq(store_clock_least(bed.store), first + 1501);
}

static bool one_window(void *arg, struct store_window *window)
{
	uint64_t *id = arg;

	*window = (struct store_window){.id = *id, .window = {.next = 8, .bits = 0xff}};
	*id = 0;
	return window->id != 0;
}

Test(store_marks, the_window_of_a_device_by_the_clock_is_never_kept)
{
	for (int clock = 0; clock < 2; clock++) {
		struct device_spec spec = bed_spec(clock, clock ? "01" : "00", "aa");

		spec.has_own_piv = true;
		spec.own_piv = clock ? DEVICE_OWN_PIV_CLOCK : DEVICE_OWN_PIV_ALWAYS;
		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
		uint64_t id = device_of(clock ? "01" : "00").id;
		cr_assert_eq(store_stop(bed.store, 0, one_window, &id, &bed.error), 0);
		bed_close(&bed);
		bed_open_unstarted(&bed);
		struct device_keyed device = device_of(clock ? "01" : "00");
		cr_expect_eq(device.own_piv, spec.own_piv);
		cr_expect_eq(device.window_known, !clock);
		cr_assert_eq(store_start(bed.store, &bed.error), 0);
	}
}

// Rotation: other keys under the same name.

static int rotate(const char *name, const struct device_spec *spec)
{
	struct device_info before;
	struct device_keyed device;

	return store_rotate(bed.store, name, spec, &before, &device, &bed.error);
}

Test(store_marks, rotation_keeps_the_name_and_what_is_not_said)
{
	struct device_spec a = floor_spec(1, "01", "aa"), b = bed_spec(2, "02", "bb");
	struct device_info before;
	struct device_keyed device;

	strcpy(a.name, "pump");
	a.has_own_piv = true;
	a.own_piv = DEVICE_OWN_PIV_CLOCK;
	a.limits = (struct device_limits){.max_message = 1038, .max_in_flight = 3};
	b.limits.max_in_flight = 4;
	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(raise_mark(device_of("pump").id, 100), 0);
	uint64_t id = device_of("pump").id;
	cr_assert_eq(store_rotate(bed.store, "pump", &b, &before, &device, &bed.error), 0, "%s",
		bed.error.text);
	cr_expect_eq(before.id, id);
	cr_expect_eq(before.device_id[0], 1);
	cr_expect_eq(device.replaces, id);
	cr_expect_str_eq(device.name, "pump");
	cr_expect_eq(device.device_id[0], 2);
	cr_expect_eq(device.recovery, DEVICE_FLOOR);
	cr_expect_eq(device.own_piv, DEVICE_OWN_PIV_CLOCK);
	cr_expect_eq(device.mark, 32); // of the new keys
	cr_expect_eq(device.limits.max_message, 1038);
	cr_expect_eq(device.limits.max_in_flight, 4);
	cr_expect_eq(store_count(bed.store), 1);
	reopen();
	cr_expect_eq(device_of("pump").device_id[0], 2);
}

static int replace(
	const struct device_spec *spec, struct device_keyed *device, enum device_outcome *outcome)
{
	return store_add(bed.store, spec, true, device, outcome, &bed.error);
}

static void expect_limits(uint64_t id, uint16_t max_message, uint8_t max_in_flight)
{
	struct device_keyed device = device_of("pump");

	cr_expect_eq(device.id, id);
	cr_expect_eq(device.limits.max_message, max_message);
	cr_expect_eq(device.limits.max_in_flight, max_in_flight);
	cr_expect_eq(device.mark, 100);
	cr_expect_eq(device.run_base, 7);
	cr_expect_eq(device.own_piv, DEVICE_OWN_PIV_ALWAYS);
}

Test(store_marks, limits_change_in_place_and_nothing_else)
{
	struct device_spec a = floor_spec(1, "01", "aa");
	enum device_outcome outcome;
	struct device_keyed device;

	strcpy(a.name, "pump");
	a.has_own_piv = true;
	a.own_piv = DEVICE_OWN_PIV_ALWAYS;
	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	uint64_t id = device_of("pump").id;
	cr_assert_eq(raise_mark(id, 100), 0);
	cr_assert_eq(bed_raise_base(&bed, id, 7), 0);
	a.limits.max_message = 1038;
	cr_expect_eq(bed_add(&bed, &a), -EEXIST);
	cr_expect(strstr(bed.error.text, "replace changes them"), "%s", bed.error.text);
	expect_limits(id, 0, 0);
	cr_assert_eq(replace(&a, &device, &outcome), 0, "%s", bed.error.text);
	cr_expect_eq(outcome, DEVICE_CHANGED);
	cr_expect(device.changed && device.id == id && device.replaces == 0);
	cr_expect_eq(device.limits.max_message, 1038);
	expect_limits(id, 1038, 0);
	// What is not said stays, and the same again is no change.
	a.limits = (struct device_limits){.max_in_flight = 3};
	cr_assert_eq(replace(&a, &device, &outcome), 0);
	cr_expect_eq(outcome, DEVICE_CHANGED);
	cr_assert_eq(replace(&a, &device, &outcome), 0);
	cr_expect_eq(outcome, DEVICE_UNCHANGED);
	// Other attributes do not change, nor do limits beside them.
	a.limits.max_in_flight = 4;
	a.own_piv = DEVICE_OWN_PIV_CLOCK;
	cr_expect_eq(replace(&a, &device, &outcome), -EEXIST);
	cr_expect(strstr(bed.error.text, "remove it first"), "%s", bed.error.text);
	expect_limits(id, 1038, 3);
	cr_expect_eq(store_count(bed.store), 1);
	reopen();
	expect_limits(id, 1038, 3);
	cr_expect_eq(store_count(bed.store), 1);
}

Test(store_marks, rotation_from_a_to_b_to_a_by_the_verb_is_refused)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "01", "aa");

	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_expect_eq(rotate("01", &a), -EEXIST);
	cr_assert_eq(rotate("01", &b), 0, "%s", bed.error.text);
	cr_expect_eq(rotate("01", &a), -EKEYREVOKED);
	// The keys of the device stay what they were.
	cr_expect_eq(bed_add(&bed, &b), DEVICE_UNCHANGED);
	// Who says where they have been may, and starts beyond that.
	a.never_used = false;
	a.has_gateway_seq = true;
	cr_expect_eq(rotate("01", &a), 0, "%s", bed.error.text);
	cr_expect_geq(bed_run_base(&bed, "01"), 1);
}

Test(store_marks, rotation_takes_nothing_from_another_device)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "02", "aa");
	struct device_spec new = bed_spec(3, "02", "aa"), swapped = bed_spec(2, "aa", "02");

	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &b), DEVICE_ADDED);
	cr_expect_eq(rotate("01", &new), -EEXIST);       // ids
	cr_expect_eq(rotate("01", &swapped), -ENOTUNIQ); // derived keys
	cr_expect_eq(rotate("03", &new), -ENOENT);
	cr_expect_eq(store_count(bed.store), 2);
	cr_expect_eq(bed_add(&bed, &a), DEVICE_UNCHANGED);
}

Test(store_marks, a_device_that_is_there_is_left_as_it_is_or_refused)
{
	struct device_spec spec = floor_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_UNCHANGED);
	spec.has_recovery = false;
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_UNCHANGED);
	spec.has_recovery = true;
	spec.recovery = DEVICE_ECHO;
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
	spec.recovery = DEVICE_FLOOR;
	spec.has_own_piv = true;
	spec.own_piv = DEVICE_OWN_PIV_CLOCK;
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
}
