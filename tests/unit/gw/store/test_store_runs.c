// SPDX-License-Identifier: BSD-3-Clause
// What must not come twice: run numbers, and the windows of a clean stop.

#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

TestSuite(store_runs, .init = set_up, .fini = tear_down);

static uint32_t grant(void)
{
	uint32_t run = UINT32_MAX;

	cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
	return run;
}

static int try_open(void)
{
	int code = store_open(&bed.config, &bed.store, &bed.error);

	store_close(bed.store);
	bed.store = NULL;
	return code;
}

static void expect_stale(const char *why)
{
	cr_expect_eq(try_open(), -ESTALE);
	cr_expect(strstr(bed.error.text, why) != NULL, "%s", bed.error.text);
	cr_expect(strstr(bed.error.text, "posternctl store adopt") != NULL, "%s", bed.error.text);
}

static void remove_in(const char *directory, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	cr_assert_eq(unlink(path), 0, "%s", path);
}

Test(store_runs, the_first_run_is_0_and_each_start_that_asks_gets_the_next)
{
	for (uint32_t i = 0; i < 3; i++) {
		cr_expect_eq(grant(), i);
		cr_expect_eq(grant(), i);
		bed_reopen(&bed);
		bed_reopen(&bed); // a start that sends no own Partial IV uses none
	}
}

static bool in_runtime(const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", bed.runtime, name);
	return access(path, F_OK) == 0;
}

// Whoever cleans /run: no mark could be written until the next start.
Test(store_runs, a_runtime_directory_that_is_removed_is_made_again)
{
	const struct device_spec spec = bed_spec(1, "0a", "01");
	char token[256], before[128] = "", after[128] = "";

	snprintf(token, sizeof(token), "%s/" STORE_TOKEN, bed.runtime);
	cr_assert_gt(file_read(AT_FDCWD, token, before, sizeof(before) - 1), 0);
	remove_in(bed.runtime, STORE_MARK);
	remove_in(bed.runtime, STORE_TOKEN);
	cr_assert_eq(rmdir(bed.runtime), 0);
	cr_expect_eq(bed_add(&bed, &spec), 0, "%s", bed.error.text);
	cr_expect_not(store_broken(bed.store));
	cr_expect(in_runtime(STORE_MARK));
	cr_expect_gt(file_read(AT_FDCWD, token, after, sizeof(after) - 1), 0);
	cr_expect_str_eq(after, before, "else the windows of a clean stop would be lost");
	cr_expect_eq(grant(), 0);
	bed_reopen(&bed);
}

Test(store_runs, a_runtime_directory_that_cannot_be_made_again_is_tried_again)
{
	const struct device_spec spec = bed_spec(1, "0a", "01");

	remove_in(bed.runtime, STORE_MARK);
	remove_in(bed.runtime, STORE_TOKEN);
	cr_assert_eq(rmdir(bed.runtime), 0);
	bed_write(bed.runtime, "", 0);
	cr_expect_eq(bed_add(&bed, &spec), 0, "the device is in the database");
	cr_expect(store_broken(bed.store));
	cr_expect_eq(store_recover(bed.store, &bed.error), -EIO, "%s", bed.error.text);
	cr_assert_eq(unlink(bed.runtime), 0);
	cr_expect_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(grant(), 0);
	cr_expect(in_runtime(STORE_TOKEN));
	bed_reopen(&bed);
}

Test(store_runs, at_most_60_an_hour_also_over_restarts)
{
	uint32_t run;

	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	bed_sql(&bed, "UPDATE meta SET hour_runs = 59");
	bed_open(&bed);
	cr_expect_eq(grant(), 1);
	bed_reopen(&bed);
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EAGAIN);
	bed_close(&bed);
	bed_sql(&bed, "UPDATE meta SET hour = hour - 3600");
	bed_open(&bed);
	cr_expect_eq(grant(), 2);
}

Test(store_runs, run_numbers_end)
{
	uint32_t run;

	bed_close(&bed);
	bed_sql_sealed(&bed, "UPDATE meta SET run = 16777215");
	bed_open(&bed);
	cr_expect_eq(grant(), STORE_RUN_MAX);
	bed_reopen(&bed);
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -ERANGE);
}

Test(store_runs, a_base_only_rises_and_stays)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_eq(bed_raise_base(&bed, device.id, 0), 0); // it is that high already
	cr_expect_eq(bed_raise_base(&bed, device.id, 5), 0);
	cr_expect_eq(bed_raise_base(&bed, device.id, 5), 0);
	bed_reopen(&bed);
	cr_expect_eq(bed_run_base(&bed, "01"), 5);
	cr_expect_eq(bed_raise_base(&bed, device.id, 4), 0);
	cr_expect_eq(bed_run_base(&bed, "01"), 5);
	cr_expect_eq(grant(), 0);
	cr_expect_eq(bed_raise_base(&bed, device.id, STORE_RUN_MAX), 0);
	cr_expect_eq(bed_raise_base(&bed, device.id, STORE_RUN_MAX + 1), -ERANGE);
	bed_reopen(&bed);
	cr_expect_eq(grant(), 1);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_eq(device.run_base, STORE_RUN_MAX);
}

// In later starts the run of this start and its base are more than there are runs.
Test(store_runs, keys_that_had_the_last_run_never_come_again)
{
	static const char *const ids[] = {"01", "02", "03", "04", "05"};
	struct device_keyed device;

	for (unsigned i = 0; i < 5; i++) {
		struct device_spec spec = bed_spec(i, ids[i], "aa");

		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
		bed_load(&bed, ids[i], &device);
		cr_assert_eq(bed_raise_base(&bed, device.id, STORE_RUN_MAX), 0);
	}
	for (unsigned i = 0; i < 5; i++) {
		struct device_spec spec = bed_spec(i, ids[i], "aa");

		spec.never_used = false;
		spec.has_gateway_seq = true;
		cr_expect_eq(grant(), i);
		cr_assert_eq(bed_remove_device(&bed, ids[i]), 0);
		cr_expect_eq(bed_add(&bed, &spec), -ERANGE, "start %u: %s", i, bed.error.text);
		bed_reopen(&bed);
	}
}

Test(store_runs, an_older_database_is_refused_by_the_mark_beside_it)
{
	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	bed_save(&bed);
	bed_open(&bed);
	cr_expect_eq(grant(), 1);
	bed_close(&bed);
	bed_restore_database(&bed);
	remove_in(bed.runtime, STORE_MARK); // as after a reboot
	expect_stale("an old copy");
}

// With the base it had before, the device would use the same Partial IVs again in a later run.
Test(store_runs, an_older_database_is_refused_although_only_a_base_was_raised)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	bed_save(&bed);
	bed_open(&bed);
	cr_assert_eq(bed_raise_base(&bed, device.id, 1), 0);
	bed_close(&bed);
	bed_restore_database(&bed);
	expect_stale("an old copy");
	remove_in(bed.runtime, STORE_MARK); // as after a reboot
	expect_stale("an old copy");
}

// Adoption cannot know of numbers that another gateway used, or that a gateway_seq of a later
// import told of: such devices are removed from the copy and added again, as docs/recovery.md says.
Test(store_runs, a_device_that_came_back_since_the_copy_is_added_again_after_adoption)
{
	const uint32_t elsewhere = 100000; // the run up to which another gateway used its keys
	struct device_spec spec = bed_spec(1, "01", "aa"), back = spec;
	uint32_t original, run;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	bed_save(&bed);

	bed_open(&bed);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	back.never_used = false;
	back.has_gateway_seq = true;
	back.gateway_seq = (uint64_t)elsewhere << STORE_COUNTER_BITS;
	cr_assert_eq(bed_add(&bed, &back), DEVICE_ADDED, "%s", bed.error.text);
	original = grant() + bed_run_base(&bed, "01");
	cr_expect_gt(original, elsewhere);
	bed_close(&bed);

	bed_restore_database(&bed);
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	bed_open(&bed);
	cr_expect_lt(run + bed_run_base(&bed, "01"), elsewhere, "the copy knows nothing of it");
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	// What the device shows as the gateway's last Partial IV, or the run of the other gateway.
	back.gateway_seq = (uint64_t)original << STORE_COUNTER_BITS;
	cr_assert_eq(bed_add(&bed, &back), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_gt(grant() + bed_run_base(&bed, "01"), original);
}

Test(store_runs, an_older_directory_is_refused_by_the_mark_in_the_runtime_directory)
{
	char mark[256];

	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	bed_save(&bed);
	bed_open(&bed);
	cr_expect_eq(grant(), 1);
	bed_close(&bed);
	bed_restore_database(&bed);
	snprintf(mark, sizeof(mark), "%s/" STORE_MARK, bed.directory);
	bed_write(mark, "postern run mark 3: 1 0\n", 24);
	expect_stale("an old copy");
}

Test(store_runs, a_database_without_its_mark_is_refused)
{
	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	remove_in(bed.directory, STORE_MARK);
	expect_stale("without its run.mark");
}

Test(store_runs, a_damaged_mark_is_refused)
{
	static const char *const bad[] = {"", "postern run mark 1: 1", "postern run mark 1: 01\n",
		"postern run mark 1: 1\n\n", "postern run mark 1: -1\n",
		"postern run mark 1: 4294967297\n", "run"};
	char mark[256];

	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	for (int i = 0; i < 2; i++) {
		snprintf(mark, sizeof(mark), "%s/" STORE_MARK, i ? bed.directory : bed.runtime);
		for (size_t j = 0; j < sizeof(bad) / sizeof(bad[0]); j++) {
			bed_write(mark, bad[j], strlen(bad[j]));
			expect_stale("run.mark cannot be read");
		}
		bed_write(mark, "postern run mark 3: 1 0\n", 24);
		cr_expect_eq(try_open(), 0);
	}
}

Test(store_runs, a_mark_without_a_database_is_refused)
{
	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	remove_in(bed.directory, STORE_DB);
	cr_expect_eq(try_open(), -ESTALE);
	// Who has removed that too means it, but gets no run twice before the next boot.
	remove_in(bed.directory, STORE_MARK);
	bed_open(&bed);
	cr_expect_eq(grant(), 1);
}

Test(store_runs, a_store_of_another_machine_is_refused_until_it_is_adopted)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;
	uint32_t run;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	bed_write(bed.machine, "fedcba9876543210fedcba9876543210\n", 33);
	expect_stale("another machine");

	int64_t daily = (time(NULL) - 1767225600) / 86400 * 8;
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_geq(run, daily > 2049 ? daily : 2049);
	daily = (time(NULL) - 1767225600) / 86400 * 8; // the next day may have begun
	cr_expect_leq(run, daily > 2049 ? daily : 2049);
	cr_expect_lt(run, 1 << 15, "own Partial IVs of 31 bits");
	bed_open(&bed);
	cr_expect_eq(grant(), run);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_not(device.window_known);
	// The original is now the stranger.
	bed_close(&bed);
	bed_write(bed.machine, "0123456789abcdef0123456789abcdef\n", 33);
	expect_stale("another machine");
}

Test(store_runs, a_machine_without_an_id_is_not_one_that_has_one)
{
	bed_close(&bed);
	cr_assert_eq(unlink(bed.machine), 0);
	expect_stale("another machine");
	bed_remove(&bed);
	bed_make(&bed);
	cr_assert_eq(unlink(bed.machine), 0);
	bed_open(&bed);
	bed_reopen(&bed);
	bed_close(&bed);
	bed_write(bed.machine, "", 0);
	cr_expect_eq(try_open(), 0);
}

Test(store_runs, adoption_goes_far_beyond_the_marks_and_the_database)
{
	uint32_t run;
	char mark[256];

	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	snprintf(mark, sizeof(mark), "%s/" STORE_MARK, bed.runtime);
	bed_write(mark, "postern run mark 3: 200000 9\n", 29);
	expect_stale("an old copy");
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0);
	cr_expect_eq(run, 202048);
	bed_write(mark, "postern run mark 3: 16777000 9\n", 31);
	cr_expect_eq(store_adopt(&bed.config, &run, &bed.error), -ERANGE);
	// Also where the days alone would be beyond the mark, but by less than 2048.
	bed_remove(&bed);
	set_up();
	bed_close(&bed);
	char text[64];
	long daily = (time(NULL) - 1767225600) / 86400 * 8;
	snprintf(mark, sizeof(mark), "%s/" STORE_MARK, bed.runtime);
	snprintf(text, sizeof(text), "postern run mark 3: %ld 9\n", daily - 10);
	bed_write(mark, text, strlen(text));
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(run, daily - 10 + 2048);
}

// Its first digits are of no number that we wrote.
Test(store_runs, adoption_takes_nothing_from_a_damaged_mark)
{
	static const char *const bad[] = {"postern run mark 3: 262000 9 \n",
		"postern run mark 2: 262000 9 \n", "postern run mark 2: 262000 999999x\n",
		"postern run mark 1: 262000\r\n"};
	char mark[256];

	cr_expect_eq(grant(), 0);
	bed_close(&bed);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct run_mark read = {1, 1};
		uint32_t run;

		snprintf(mark, sizeof(mark), "%s/" STORE_MARK, bed.directory);
		bed_write(mark, bad[i], strlen(bad[i]));
		int fd = open(bed.directory, O_RDONLY | O_DIRECTORY);
		cr_expect_eq(run_mark_read(fd, &read), -EBADMSG);
		cr_expect(read.run == 0 && read.commits == 0, "%s", bad[i]);
		close(fd);
		cr_expect_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	}
}

// Windows over a restart.

static const struct osc_window kept = {.next = UINT64_C(1) << 39, .bits = UINT64_MAX << 1 | 1};

struct stop {
	uint64_t id[3];
	unsigned at;
};

static bool next_window(void *arg, struct store_window *window)
{
	struct stop *stop = arg;

	if (stop->at == 3)
		return false;
	window->id = stop->id[stop->at];
	window->window = kept;
	window->window.next += stop->at++;
	return true;
}

// Two devices, 01 and 02, and a third, 03, whose window is unknown; then a clean stop, which also
// has the window of a device that is not there.
static void stop_cleanly(void)
{
	struct stop stop = {{0, 0, 12345}, 0};
	struct device_keyed device;

	for (unsigned i = 1; i <= 3; i++) {
		char id[3];
		snprintf(id, sizeof(id), "%02x", i);
		struct device_spec spec = bed_spec(i, id, "aa");
		cr_assert(bed_add(&bed, &spec) >= 0);
		cr_assert_eq(bed_load(&bed, id, &device), store_count(bed.store));
		if (i < 3)
			stop.id[i - 1] = device.id;
	}
	cr_assert_eq(
		store_stop(bed.store, 0, next_window, &stop, &bed.error), 0, "%s", bed.error.text);
	bed_close(&bed);
}

static void load_expecting(bool known)
{
	struct device_keyed device;

	bed_load(&bed, "02", &device);
	cr_expect_eq(device.window_known, known);
	if (known) {
		cr_expect_eq(device.window.next, kept.next + 1);
		cr_expect_eq(device.window.bits, kept.bits);
	}
}

Test(store_runs, windows_of_a_clean_stop_are_used_by_the_next_start_and_by_no_other)
{
	struct device_keyed device;

	stop_cleanly();
	bed_open_unstarted(&bed);
	load_expecting(true);
	cr_assert_eq(store_start(bed.store, &bed.error), 0);
	load_expecting(false); // packets may have come
	bed_close(&bed);
	bed_open_unstarted(&bed);
	load_expecting(false);
	bed_load(&bed, "03", &device);
	cr_expect_not(device.window_known);
}

Test(store_runs, a_start_that_loads_nothing_uses_the_windows_up)
{
	stop_cleanly();
	bed_open(&bed);
	bed_close(&bed);
	bed_open_unstarted(&bed);
	load_expecting(false);
}

// Its ports could not be opened, say.
Test(store_runs, a_start_that_fails_before_it_takes_packets_leaves_the_windows)
{
	stop_cleanly();
	for (int i = 0; i < 3; i++) {
		bed_open_unstarted(&bed);
		load_expecting(true);
		bed_close(&bed);
	}
}

Test(store_runs, windows_end_with_the_boot)
{
	stop_cleanly();
	bed_write(bed.boot, "fedcba98-89ab-cdef-0123-456789abcdef\n", 37);
	bed_open_unstarted(&bed);
	load_expecting(false);
}

Test(store_runs, windows_end_with_the_runtime_directory)
{
	stop_cleanly();
	remove_in(bed.runtime, STORE_TOKEN);
	bed_open_unstarted(&bed);
	load_expecting(false);
}

Test(store_runs, a_restored_database_has_no_window)
{
	stop_cleanly();
	bed_save(&bed);
	bed_open_unstarted(&bed);
	load_expecting(true);
	cr_assert_eq(store_start(bed.store, &bed.error), 0);
	bed_close(&bed);
	bed_restore(&bed);
	bed_open_unstarted(&bed);
	load_expecting(false);
}

Test(store_runs, a_token_that_was_put_back_opens_no_window)
{
	char path[256], token[128];

	stop_cleanly();
	bed_open_unstarted(&bed);
	ssize_t len = file_read(bed.store->runtime_fd, STORE_TOKEN, token, sizeof(token));
	cr_assert_gt(len, 0);
	load_expecting(true);
	cr_assert_eq(store_start(bed.store, &bed.error), 0);
	bed_close(&bed);
	snprintf(path, sizeof(path), "%s/" STORE_TOKEN, bed.runtime);
	bed_write(path, token, len);
	bed_open_unstarted(&bed);
	load_expecting(false);
}

Test(store_runs, a_damaged_token_file_opens_no_window)
{
	char path[256];

	stop_cleanly();
	snprintf(path, sizeof(path), "%s/" STORE_TOKEN, bed.runtime);
	bed_write(path, "01234567-89ab-cdef-0123-456789abcdef\n00\n", 40);
	bed_open_unstarted(&bed);
	load_expecting(false);
}

Test(store_runs, a_window_that_was_changed_in_the_file_is_unknown)
{
	static const char *const change[] = {"UPDATE window SET next = next - 1",
		"UPDATE window SET bits = bits & ~1",
		"DELETE FROM window WHERE device = 2; UPDATE window SET device = 2 WHERE device = "
		"1",
		"UPDATE window SET tag = x''"};

	for (size_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		stop_cleanly();
		bed_sql(&bed, change[i]);
		bed_open_unstarted(&bed);
		load_expecting(false);
		bed_close(&bed);
		bed_open(&bed);
	}
}

Test(store_runs, a_stop_without_a_start_is_refused)
{
	struct stop stop = {.at = 3};

	bed_close(&bed);
	bed_open_unstarted(&bed);
	cr_expect_eq(store_stop(bed.store, 0, next_window, &stop, &bed.error), -EINVAL);
	cr_assert_eq(store_start(bed.store, &bed.error), 0);
	cr_expect_eq(store_start(bed.store, &bed.error), -EINVAL);
}

Test(store_runs, a_token_that_cannot_be_replaced_is_no_start)
{
	char path[256];

	stop_cleanly();
	bed_open_unstarted(&bed);
	// In the way of the file that replaces it.
	snprintf(path, sizeof(path), "%s/" STORE_TOKEN ".new", bed.runtime);
	cr_assert_eq(symlink("/nowhere/else", path), 0);
	cr_expect_neq(store_start(bed.store, &bed.error), 0);
	load_expecting(true); // for the next start
}
