// SPDX-License-Identifier: BSD-3-Clause
// A store of version 4, whose own Partial IVs were run (18 bits) || counter (22 bits), is taken
// over by one in which they are run (24 bits) || counter (16 bits): no Partial IV comes again.

#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WIDE_COUNTER_BITS 22

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

TestSuite(store_versions, .init = set_up, .fini = tear_down);

static uint32_t grant(void)
{
	uint32_t run = UINT32_MAX;

	cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
	return run;
}

static void take_over(void)
{
	bed_close(&bed);
	bed_make_version_4(&bed);
	bed_open(&bed);
}

// The first own Partial IV that a device can use after the change lies above the last one before
// it.
static void expect_above(uint64_t wide_run, uint32_t run, const char *what)
{
	uint64_t last = (wide_run + 1) << WIDE_COUNTER_BITS,
		 first = (uint64_t)run << STORE_COUNTER_BITS;

	cr_expect_geq(first, last, "%s: from %" PRIx64 " after %" PRIx64, what, first, last - 1);
	cr_expect_leq((first | 0xffff), OSC_PIV_MAX, "%s", what);
}

// Device 01 has no base, 02 one by another gateway, 03 one that was raised; 04 is removed, and 05
// with the highest run.
static void live(void)
{
	static const struct {
		const char *id;
		uint64_t gateway_seq; // 0: never used
	} devices[] = {{"01", 0}, {"02", UINT64_C(900) << STORE_COUNTER_BITS}, {"03", 0}, {"04", 0},
		{"05", UINT64_C(5000) << STORE_COUNTER_BITS}};
	struct device_keyed device;

	for (unsigned i = 0; i < 5; i++) {
		struct device_spec spec = bed_spec(i, devices[i].id, "aa");

		spec.has_gateway_seq = devices[i].gateway_seq != 0;
		spec.never_used = !spec.has_gateway_seq;
		spec.gateway_seq = devices[i].gateway_seq;
		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	}
	bed_load(&bed, "03", &device);
	cr_assert_eq(bed_raise_base(&bed, device.id, 7), 0);
	cr_assert_eq(grant(), 0);
	bed_close(&bed);
	bed_open(&bed);
	cr_assert_eq(grant(), 1);
	cr_assert_eq(bed_remove_device(&bed, "04"), 0);
	cr_assert_eq(bed_remove_device(&bed, "05"), 0);
}

static int add_again(unsigned seed, const char *id)
{
	struct device_spec spec = bed_spec(seed, id, "aa");

	cr_expect_eq(bed_add(&bed, &spec), -EKEYREVOKED);
	spec.never_used = false;
	spec.has_gateway_seq = true;
	return bed_add(&bed, &spec);
}

Test(store_versions, no_own_partial_iv_comes_again_after_the_take_over)
{
	struct device_keyed device;

	live();
	take_over();
	uint32_t run = grant();
	cr_expect_eq(run, 2 * 64 + 63);
	cr_expect_eq(bed_load(&bed, "01", &device), 3);
	cr_expect_eq(device.run_base, 0);
	expect_above(1 + 0, run + device.run_base, "01");
	bed_load(&bed, "02", &device);
	cr_expect_eq(device.run_base, 901 * 64);
	expect_above(1 + 901, run + device.run_base, "02");
	bed_load(&bed, "03", &device);
	cr_expect_eq(device.run_base, 7 * 64);
	expect_above(1 + 7, run + device.run_base, "03");
	cr_expect_eq(add_again(3, "04"), DEVICE_ADDED, "%s", bed.error.text);
	expect_above(1 + 0, run + bed_run_base(&bed, "04"), "04");
	cr_expect_eq(add_again(4, "05"), DEVICE_ADDED, "%s", bed.error.text);
	expect_above(1 + 5001, run + bed_run_base(&bed, "05"), "05");
}

Test(store_versions, a_store_of_version_5_knew_no_limits)
{
	struct device_spec spec = bed_spec(60, "60", "aa"), more = bed_spec(61, "61", "aa");
	struct device_keyed device;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_sql(&bed, BED_NO_LIMITS "PRAGMA user_version = 5");
	for (unsigned i = 0; i < 2; i++) {
		bed_open(&bed);
		cr_assert_eq(bed_load(&bed, "60", &device), 1 + i);
		cr_expect_eq(device.settings.max_message, 0);
		cr_expect_eq(device.settings.max_in_flight, 0);
		more.settings.max_message = 1200;
		cr_expect_eq(bed_add(&bed, &more), i ? DEVICE_UNCHANGED : DEVICE_ADDED);
		bed_close(&bed);
	}
	bed_open(&bed);
}

Test(store_versions, a_store_of_version_6_knew_no_notes)
{
	struct device_spec spec = bed_spec(60, "60", "aa");
	struct device_info info;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_sql(&bed, BED_NO_NOTE "PRAGMA user_version = 6");
	spec.settings.has_note = true;
	strcpy(spec.settings.note, "roof");
	for (unsigned i = 0; i < 2; i++) {
		bed_open(&bed);
		cr_assert_eq(store_show(bed.store, "60", &info, &bed.error), 0);
		cr_expect(!info.damaged);
		cr_expect_str_eq(info.settings.note, i ? "roof" : "");
		cr_expect_eq(bed_replace(&bed, &spec), i ? DEVICE_UNCHANGED : DEVICE_CHANGED);
		bed_close(&bed);
	}
	bed_open(&bed);
}

Test(store_versions, a_store_of_version_7_knew_no_policies)
{
	struct device_spec spec = bed_spec(60, "60", "aa");
	struct device_info info;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_sql(&bed, BED_NO_POLICY "PRAGMA user_version = 7");
	spec.settings.has_policy = true;
	strcpy(spec.settings.policy, "meters");
	for (unsigned i = 0; i < 2; i++) {
		bed_open(&bed);
		cr_assert_eq(store_show(bed.store, "60", &info, &bed.error), 0);
		cr_expect(!info.damaged);
		cr_expect_str_eq(info.settings.policy, i ? "meters" : "");
		cr_expect_eq(bed_replace(&bed, &spec), i ? DEVICE_UNCHANGED : DEVICE_CHANGED);
		bed_close(&bed);
	}
	bed_open(&bed);
}

Test(store_versions, the_take_over_is_done_once)
{
	live();
	take_over();
	cr_expect_eq(grant(), 191);
	for (int i = 0; i < 2; i++) {
		bed_close(&bed);
		bed_open(&bed);
		cr_expect_eq(grant(), 192 + i);
		cr_expect_eq(bed_run_base(&bed, "03"), 448);
	}
}

static bool one_window(void *arg, struct store_window *window)
{
	uint64_t *id = arg;

	*window = (struct store_window){.id = *id, .window = {.next = 8, .bits = 0xff}};
	*id = 0;
	return window->id != 0;
}

Test(store_versions, marks_of_devices_and_windows_stay_as_they_are)
{
	struct device_spec spec = bed_spec(9, "09", "aa");
	struct device_keyed device;
	struct store_raise raise = {.value = 100};

	spec.has_recovery = true;
	spec.recovery = DEVICE_FLOOR;
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_load(&bed, "09", &device);
	raise.id = device.id;
	cr_assert_eq(store_marks_raise(bed.store, &raise, 1, &bed.error), 0);
	cr_assert_eq(bed_raise_base(&bed, device.id, 3), 0);
	cr_assert_eq(store_stop(bed.store, 0, one_window, &device.id, &bed.error), 0);
	bed_close(&bed);
	bed_make_version_4(&bed);
	bed_open_unstarted(&bed);
	bed_load(&bed, "09", &device);
	cr_expect(device.window_known && device.window.next == 8);
	cr_expect_eq(device.mark, 100);
	cr_expect_eq(device.run_base, 192);
}

static void mark_path(char path[256], const char *directory)
{
	snprintf(path, 256, "%s/" STORE_MARK, directory);
}

static int open_code(void)
{
	int code = store_open(&bed.config, &bed.store, &bed.error);

	bed_close(&bed);
	return code;
}

// As when the power is cut between the transaction and the marks.
Test(store_versions, a_new_database_beside_old_marks_goes_on)
{
	char path[256], mark[64];

	live();
	bed_close(&bed);
	bed_make_version_4(&bed);
	mark_path(path, bed.directory);
	ssize_t len = file_read(AT_FDCWD, path, mark, sizeof(mark));
	cr_assert_gt(len, 0);
	cr_assert_eq(open_code(), 0);
	bed_write(path, mark, len);
	mark_path(path, bed.runtime);
	bed_write(path, mark, len);
	bed_open(&bed);
	cr_expect_eq(grant(), 191);
}

Test(store_versions, an_old_database_beside_new_marks_is_an_old_copy)
{
	char path[256];
	uint32_t run;

	live();
	bed_close(&bed);
	bed_make_version_4(&bed);
	bed_save(&bed);
	cr_assert_eq(open_code(), 0);
	bed_restore_database(&bed);
	cr_expect_eq(open_code(), -ESTALE);
	cr_expect(strstr(bed.error.text, "an old copy") != NULL, "%s", bed.error.text);
	mark_path(path, bed.runtime);
	cr_assert_eq(unlink(path), 0); // a reboot
	cr_expect_eq(open_code(), -ESTALE);
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_geq(run, 191 + 2048);
	bed_open(&bed);
	cr_expect_eq(grant(), run);
	cr_expect_eq(bed_run_base(&bed, "03"), 448);
}

// Also if the marks are of the old version and ahead of the database, as its last start left them.
Test(store_versions, an_old_backup_is_adopted_above_old_marks)
{
	char path[256], mark[64];
	uint32_t run;

	// So far that the days since 2026 make no difference.
	int64_t wide = time(NULL) / 86400;
	live();
	bed_close(&bed);
	bed_make_version_4(&bed);
	mark_path(path, bed.directory);
	bed_write(path, mark,
		snprintf(mark, sizeof(mark), "postern run mark 2: %" PRId64 " 900\n", wide));
	cr_expect_eq(open_code(), -ESTALE);
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_geq(run, wide * 64 + 63 + 2048);
	expect_above(wide, run, "the run");
}

// What the original used since the copy were wide runs, as long as it was of the old version.
Test(store_versions, an_old_backup_is_adopted_above_what_an_old_original_used_since)
{
	uint32_t run;
	char sql[64];

	// So far that the days since 2026 make no difference.
	int64_t wide = time(NULL) / 86400;
	bed_close(&bed);
	snprintf(sql, sizeof(sql), "UPDATE meta SET run = %" PRId64 ", copy = 1", wide);
	bed_sql_sealed(&bed, sql);
	bed_make_version_4(&bed);
	cr_expect_eq(open_code(), -ESTALE);
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	expect_above(wide + 2047, run, "the run");
}

Test(store_versions, the_last_runs_are_not_used_again)
{
	static const struct {
		const char *wide;
		int64_t run; // -1: there is none left
	} cases[] = {{"262144", -1}, {"262143", STORE_RUN_MAX}, {"262142", STORE_RUN_MAX - 64}};
	char sql[128];
	uint32_t run;

	for (unsigned i = 0; i < 3; i++) {
		bed_close(&bed);
		snprintf(sql, sizeof(sql), "UPDATE meta SET run = %s", cases[i].wide);
		bed_sql_sealed(&bed, sql);
		bed_make_version_4(&bed);
		char path[256];
		mark_path(path, bed.directory);
		bed_write(path, "postern run mark 2: 0 0\n", 24);
		mark_path(path, bed.runtime);
		bed_write(path, "postern run mark 2: 0 0\n", 24);
		bed_open(&bed);
		int code = store_run_grant(bed.store, &run, &bed.error);
		cr_expect_eq(code, cases[i].run < 0 ? -ERANGE : 0);
		cr_expect(code != 0 || run == cases[i].run);
		bed_remove(&bed);
		set_up();
	}
}

Test(store_versions, what_was_damaged_stays_damaged)
{
	struct device_info info;

	live();
	bed_close(&bed);
	bed_make_version_4(&bed);
	bed_sql(&bed,
		"UPDATE device SET run_base = 6 WHERE name = '03';"
		"UPDATE used_key SET run = run - 1 WHERE device IS NULL AND run > 1000");
	bed_open(&bed);
	cr_assert_eq(store_show(bed.store, "03", &info, &bed.error), 0);
	cr_expect(info.damaged);
	cr_expect_eq(bed_run_base(&bed, "02"), 901 * 64);
	cr_expect_eq(add_again(3, "04"), DEVICE_ADDED);
	struct device_spec spec = bed_spec(4, "05", "aa");
	cr_expect_eq(bed_add(&bed, &spec), -EBADMSG, "a tombstone that was set back");
}
