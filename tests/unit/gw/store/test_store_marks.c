// SPDX-License-Identifier: BSD-3-Clause
// Devices that cannot answer an Echo challenge, own Partial IVs from the clock, and keys that are
// replaced by others: what of them must be on the disk.

#include "dataplane/oscore/own_piv.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
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

// The keys were in use here or in another gateway.
static void used(struct device_spec *spec, uint64_t device_seq)
{
	spec->never_used = false;
	spec->has_gateway_seq = true;
	spec->has_device_seq = true;
	spec->device_seq = device_seq;
}

static int raise_mark(uint64_t id, uint64_t mark)
{
	struct store_raise wanted = {.id = id, .value = mark, .result = 1};

	int code = store_marks_raise(bed.store, &wanted, 1, &bed.error);
	return code != 0 ? code : wanted.result;
}

Test(store_marks, a_device_without_echo_that_was_never_used_has_a_mark_of_32_on_the_disk)
{
	struct device_spec spec = bed_floor_spec(1, "01", "aa");
	struct device_keyed device;
	enum device_outcome outcome;

	cr_assert_eq(store_add(bed.store, &spec, false, &device, &outcome, &bed.error), 0);
	cr_expect_eq(device.recovery, DEVICE_FLOOR);
	cr_expect_eq(device.mark, 32);
	cr_expect(device.window_known);
	bed_reopen(&bed);
	device = bed_device(&bed, "01");
	cr_expect_eq(device.recovery, DEVICE_FLOOR);
	cr_expect_eq(device.mark, 32);
	cr_expect_not(device.window_known);
	cr_expect_not(device.resync_needed);
}

Test(store_marks, a_device_without_echo_that_was_used_begins_at_its_device_seq)
{
	struct device_spec spec = bed_floor_spec(1, "01", "aa");

	spec.never_used = false;
	spec.has_gateway_seq = true;
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
	cr_expect(strstr(bed.error.text, "device_seq") != NULL, "%s", bed.error.text);
	used(&spec, DEVICE_SEQ_MAX + 1);
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
	used(&spec, DEVICE_SEQ_MAX);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(bed_device(&bed, "01").mark, DEVICE_SEQ_MAX);
	// Twice the same thing, in two words.
	spec = bed_floor_spec(2, "02", "aa");
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
	struct device_spec spec = bed_floor_spec(1, "01", "aa"), echo = bed_spec(2, "02", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &echo), DEVICE_ADDED);
	uint64_t id = bed_device(&bed, "01").id;
	struct store_raise wanted[] = {
		{id, 64, 1}, {bed_device(&bed, "02").id, 64, 1}, {99, 64, 1}};

	cr_assert_eq(store_marks_raise(bed.store, wanted, 3, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(wanted[0].result, 0);
	cr_expect_eq(wanted[1].result, -EINVAL);
	cr_expect_eq(wanted[2].result, -ENOENT);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "01").mark, 64);
	cr_expect_eq(raise_mark(id, 33), 0); // durable already
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "01").mark, 64);
	bed.store->broken = true;
	cr_expect_eq(raise_mark(id, 96), -EIO);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "01").mark, 64);
}

// Its mark is an old one, too, and requests that were accepted since would be accepted again.
Test(store_marks, an_older_database_is_refused_although_no_run_was_granted)
{
	const char *const directories[] = {bed.directory, bed.runtime};
	struct device_spec spec = bed_floor_spec(1, "01", "aa");
	char path[256];

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	for (int i = 0; i < 2; i++) {
		bed_close(&bed);
		bed_save(&bed);
		bed_open(&bed);
		cr_assert_eq(raise_mark(bed_device(&bed, "01").id, 1000 * (i + 1)), 0);
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
		cr_expect(bed_device(&bed, "01").resync_needed);
		cr_expect_eq(store_resync(bed.store, "01", true, 5000, &(bool){false},
				     &(struct device_keyed){0}, &bed.error),
			0);
	}
}

Test(store_marks, a_tombstone_keeps_the_mark)
{
	struct device_spec spec = bed_floor_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(raise_mark(bed_device(&bed, "01").id, 1000), 0);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	bed_reopen(&bed);
	used(&spec, 5);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(bed_device(&bed, "01").mark, 1000);

	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	used(&spec, 2000);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(bed_device(&bed, "01").mark, 2000);

	// Also over a time in which the device answers Echo challenges.
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	struct device_spec echo = spec;
	echo.has_recovery = echo.has_device_seq = false;
	cr_assert_eq(bed_add(&bed, &echo), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(bed_device(&bed, "01").mark, 0);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	used(&spec, 5);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(bed_device(&bed, "01").mark, 2000);
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
		struct device_spec spec = bed_floor_spec(i, "01", "aa");
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
	struct device_spec spec = bed_floor_spec(1, "01", "aa");
	struct device_keyed device;
	bool waited;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_write(bed.machine, "fedcba9876543210fedcba9876543210\n", 33);
	cr_assert_eq(store_adopt(&bed.config, NULL, &bed.error), 0, "%s", bed.error.text);
	bed_open(&bed);
	device = bed_device(&bed, "01");
	cr_expect(device.resync_needed);
	// A mark that is raised says nothing of what the original accepted.
	cr_expect_eq(raise_mark(device.id, 64), 0);
	cr_expect(bed_device(&bed, "01").resync_needed);

	cr_expect_eq(
		store_resync(bed.store, "01", false, 0, &waited, &device, &bed.error), -EINVAL);
	cr_expect_eq(store_resync(bed.store, "01", true, DEVICE_SEQ_MAX + 1, &waited, &device,
			     &bed.error),
		-EINVAL);
	cr_assert_eq(store_resync(bed.store, "01", true, 500, &waited, &device, &bed.error), 0);
	cr_expect_eq(device.mark, 500);
	cr_expect_not(device.resync_needed);
	cr_expect_not(device.window_known);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "01").mark, 500);
	cr_expect_not(bed_device(&bed, "01").resync_needed);
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
	bed_reopen(&bed);
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
	struct device_spec spec = bed_floor_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(raise_mark(bed_device(&bed, "01").id, 100), 0);
	back_to_version_2();
	bed_open(&bed);
	cr_expect_eq(bed_device(&bed, "01").mark, 100);
	cr_expect_eq(raise_mark(bed_device(&bed, "01").id, 200), 0);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "01").mark, 200);
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
	struct device_keyed device = bed_device(&bed, "01");
	cr_expect_eq(device.recovery, DEVICE_ECHO);
	cr_expect_eq(device.own_piv, DEVICE_OWN_PIV_AUTO);
	cr_assert_eq(osc_derive(&keys, &spec.params), 0);
	cr_expect_arr_eq(device.keys.recipient_key, keys.recipient_key, 16);
	cr_expect_eq(bed_add(&bed, &gone), -EKEYREVOKED);
	gone = bed_floor_spec(3, "03", "aa");
	cr_expect_eq(bed_add(&bed, &gone), DEVICE_ADDED, "%s", bed.error.text);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "03").mark, 32);
}
