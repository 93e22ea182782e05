// SPDX-License-Identifier: BSD-3-Clause
// The store with syncs that fail, on disks that are full, and on those that lose what they took.

#include "tests/unit/gw/store/bed.h"
#include "tests/unit/gw/store/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
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

TestSuite(store_faults, .init = set_up, .fini = tear_down, .timeout = 120);

Test(store_faults, an_import_to_a_copy_that_the_disk_did_not_take_is_refused)
{
	uint64_t count;

	bed.store->direct_rows = 0;
	faults.fail_range = EIO;
	cr_expect_eq(bed_import_rows(&bed, &count), -EIO, "%s", bed.error.text);
	cr_expect_eq(count, 0);
	// A kernel or file system that does not know the call leaves it all to the sync.
	faults.fail_range = ENOSYS;
	cr_expect_eq(bed_import_rows(&bed, &count), 0, "%s", bed.error.text);
	cr_expect_eq(count, BED_ROWS);
}

// A grant syncs the journal, its directory (whose failure SQLite passes over: it takes nothing from
// what is committed), the database, the journal's end, and each mark and its directory.
#define GRANT_SYNCS 8

// Nothing is granted while syncs fail. As soon as they do not, all goes on, above what was granted.
Test(store_faults, while_syncs_fail_nothing_is_granted_and_then_all_goes_on)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;
	unsigned refused = 0;
	int highest = -1;
	uint32_t run;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	for (unsigned n = 1; n <= GRANT_SYNCS; n++) {
		faults.syncs = 0;
		faults.fail_syncs_from = n;
		if (store_run_grant(bed.store, &run, &bed.error) != 0) {
			refused++;
			cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
			cr_expect_eq(bed_raise_base(&bed, device.id, 9), -EIO);
			cr_expect_eq(store_recover(bed.store, &bed.error), -EIO);
			cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
		}
		faults.fail_syncs_from = 0;
		cr_assert_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
		cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
		cr_expect_gt((int)run, highest);
		highest = run;
		cr_expect_eq(bed_raise_base(&bed, device.id, n), 0);
		bed_close(&bed);
		bed_open(&bed);
		cr_expect_eq(bed_run_base(&bed, "01"), n);
	}
	cr_expect_eq(refused, GRANT_SYNCS);
}

// Adds a device that had a base, once it was removed: its next runs are above those that it can
// have had before, in this start too.
static void expect_above_tombstone(uint32_t run, uint32_t base)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	spec.never_used = false;
	spec.has_gateway_seq = true;
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_gt(run + bed_run_base(&bed, "01"), run + base);
}

// A tombstone counts on one run of this start. So a grant that is there although it was reported as
// failed is not followed by another.
Test(store_faults, a_grant_that_failed_and_is_there_is_the_one_of_this_start)
{
	const uint32_t base = 3;
	struct device_keyed device;
	uint32_t run;

	for (unsigned n = 1; n <= GRANT_SYNCS; n++) {
		struct device_spec spec = bed_spec(1, "01", "aa");

		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
		cr_assert_eq(bed_load(&bed, "01", &device), 1);
		cr_assert_eq(bed_raise_base(&bed, device.id, base), 0);
		cr_assert_eq(bed_remove_device(&bed, "01"), 0);
		faults.syncs = 0;
		faults.fail_syncs_from = n;
		cr_expect_neq(store_run_grant(bed.store, &run, &bed.error), 0);
		faults.fail_syncs_from = 0;
		cr_assert_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
		cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
		expect_above_tombstone(run, base);
		tear_down();
		set_up();
	}
}

// After one sync that failed it is known what became of the transaction: what was refused is not
// there, and what is there was not refused.
Test(store_faults, after_one_sync_that_failed_the_answer_is_true)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	unsigned refused = 0, done = 0;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_save(&bed);
	for (unsigned n = 1; n <= 4; n++) {
		bed_open(&bed);
		faults.syncs = 0;
		faults.fail_sync_at = n;
		bool removed = bed_remove_device(&bed, "01") == 0;
		faults.fail_sync_at = 0;
		cr_expect_geq(faults.syncs, n);
		removed ? done++ : refused++;
		cr_expect_eq(store_count(bed.store), removed ? 0 : 1);
		cr_expect_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
		bed_close(&bed);
		bed_open(&bed);
		cr_expect_eq(store_count(bed.store), removed ? 0 : 1, "sync %u", n);
		bed_close(&bed);
		bed_restore(&bed);
	}
	// The journal, twice, and the database; the journal's end.
	cr_expect_eq(refused, 3);
	cr_expect_eq(done, 1);
}

// Whoever has put another database in the place of ours meanwhile gets nothing written to it.
Test(store_faults, a_database_that_was_replaced_is_not_taken_up)
{
	char path[256], aside[256];
	uint32_t run;

	snprintf(path, sizeof(path), "%s/" STORE_DB, bed.directory);
	snprintf(aside, sizeof(aside), "%s/aside", bed.directory);
	bed.store->broken = true;
	cr_assert_eq(rename(path, aside), 0);
	cr_expect_eq(store_recover(bed.store, &bed.error), -ESTALE);
	cr_expect_eq(access(path, F_OK), -1);
	bed_write(path, "", 0);
	cr_expect_eq(store_recover(bed.store, &bed.error), -ESTALE);
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
	cr_assert_eq(rename(aside, path), 0);
	cr_expect_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
}

// A disk that comes back without what it took is not written to again.
Test(store_faults, a_disk_that_lost_what_it_took_is_not_sound)
{
	uint32_t run;

	bed.store->commits++;
	bed.store->broken = true;
	cr_expect_eq(store_recover(bed.store, &bed.error), -ESTALE);
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
	bed.store->commits--;
	bed.store->run_next++;
	cr_expect_eq(store_recover(bed.store, &bed.error), -ESTALE);
	bed.store->run_next--;
	cr_expect_eq(store_recover(bed.store, &bed.error), 0);
}

// What comes back is what we wrote, else it says nothing of where the store was.
Test(store_faults, a_disk_that_comes_back_with_another_first_row_is_not_sound)
{
	uint32_t run;

	cr_assert_eq(sqlite3_exec(bed.store->db, "UPDATE meta SET run = run + 1", NULL, NULL, NULL),
		SQLITE_OK);
	bed.store->broken = true;
	cr_expect_eq(store_recover(bed.store, &bed.error), -EBADMSG);
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
	cr_assert_eq(sqlite3_exec(bed.store->db, "UPDATE meta SET run = run - 1", NULL, NULL, NULL),
		SQLITE_OK);
	cr_expect_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
}

Test(store_faults, a_full_disk_refuses_what_is_new_and_keeps_what_is_there)
{
	struct device_spec spec = bed_spec(1000, "ffff", "bb");
	uint64_t count;
	uint32_t run;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	// Less than it has is as much as it has.
	cr_assert_eq(sqlite3_exec(bed.store->db, "PRAGMA max_page_count = 1", NULL, NULL, NULL),
		SQLITE_OK);
	cr_expect_eq(bed_import_rows(&bed, &count), -ENOSPC, "%s", bed.error.text);
	cr_expect_eq(count, 1);
	cr_expect_eq(bed_load(&bed, NULL, NULL), 1);
	// What needs no room still works.
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(bed_remove_device(&bed, "ffff"), 0);
	bed_close(&bed);
	bed_open(&bed);
	cr_expect_eq(bed_import_rows(&bed, &count), 0);
}

Test(store_faults, a_disk_that_is_full_at_any_write_of_an_import_leaves_nothing_of_it)
{
	uint64_t count;
	int code = -ENOSPC;

	bed_close(&bed);
	bed_save(&bed);
	for (unsigned n = 1; code != 0; n++) {
		bed_open(&bed);
		faults.writes = 0;
		faults.full_at = n;
		code = bed_import_rows(&bed, &count);
		faults.full_at = 0;
		cr_expect(code == 0 ? n > 20 && count == BED_ROWS : code == -ENOSPC && count == 0,
			"write %u: %d, %lu devices: %s", n, code, count, bed.error.text);
		bed_close(&bed);
		bed_open(&bed);
		cr_expect_eq(bed_load(&bed, NULL, NULL), count);
		bed_close(&bed);
		bed_restore(&bed);
	}
}
