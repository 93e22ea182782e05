// SPDX-License-Identifier: BSD-3-Clause
// Files of a store that somebody removes while it is open.

#include "gw/store/run_mark.h"
#include "gw/store/run_token.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static struct bed bed;
static char database[128], away[128];

static void set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
	snprintf(database, sizeof(database), "%s/devices.db", bed.directory);
	snprintf(away, sizeof(away), "%s/away", bed.top);
}

static void tear_down(void)
{
	bed_remove(&bed);
}

TestSuite(store_look, .init = set_up, .fini = tear_down);

static const char *of_runtime(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", bed.runtime, name);
	return path;
}

static void runtime_files_expect(void)
{
	cr_expect_eq(access(of_runtime(STORE_MARK), F_OK), 0);
	cr_expect_eq(access(of_runtime(STORE_TOKEN), F_OK), 0);
}

Test(store_look, what_is_there_stays)
{
	cr_expect_eq(store_look(bed.store, &bed.error), 0);
	cr_expect_not(store_broken(bed.store));
	runtime_files_expect();
}

Test(store_look, the_files_of_the_runtime_directory_are_made_again)
{
	unlink(of_runtime(STORE_MARK));
	cr_expect_eq(store_look(bed.store, &bed.error), 0);
	runtime_files_expect();
	unlink(of_runtime(STORE_TOKEN));
	cr_expect_eq(store_look(bed.store, &bed.error), 0);
	runtime_files_expect();
	unlink(of_runtime(STORE_MARK));
	unlink(of_runtime(STORE_TOKEN));
	cr_assert_eq(rmdir(bed.runtime), 0);
	cr_expect_eq(store_look(bed.store, &bed.error), 0);
	runtime_files_expect();
	bed_reopen(&bed); // which finds its mark right
}

Test(store_look, a_runtime_directory_that_cannot_be_made_breaks_the_store_until_it_can)
{
	unlink(of_runtime(STORE_MARK));
	unlink(of_runtime(STORE_TOKEN));
	cr_assert_eq(rmdir(bed.runtime), 0);
	bed_write(bed.runtime, "", 0);
	cr_expect_eq(store_look(bed.store, &bed.error), -EIO);
	cr_expect(store_broken(bed.store));
	unlink(bed.runtime);
	cr_expect_eq(store_recover(bed.store, &bed.error), 0);
	cr_expect_eq(store_look(bed.store, &bed.error), 0);
	runtime_files_expect();
}

Test(store_look, a_database_that_is_gone_breaks_the_store_until_it_is_back)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	cr_assert_eq(rename(database, away), 0);
	cr_expect_eq(store_look(bed.store, &bed.error), -ESTALE);
	cr_expect(store_broken(bed.store));
	cr_expect_neq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_write(database, "another", 7);
	cr_expect_eq(store_recover(bed.store, &bed.error), -ESTALE);
	cr_assert_eq(rename(away, database), 0);
	cr_expect_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(store_look(bed.store, &bed.error), 0);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED);
}

Test(store_look, a_directory_that_is_gone_breaks_the_store)
{
	char path[160];

	for (const char *const *name = (const char *const[]){"devices.db", "run.mark", "lock",
		     "devices.db-journal", NULL};
		*name; name++) {
		snprintf(path, sizeof(path), "%s/%s", bed.directory, *name);
		(void)unlink(path);
	}
	cr_assert_eq(rmdir(bed.directory), 0);
	cr_expect_eq(store_look(bed.store, &bed.error), -EIO);
	cr_expect(store_broken(bed.store));
	cr_expect_neq(store_recover(bed.store, &bed.error), 0);
}
