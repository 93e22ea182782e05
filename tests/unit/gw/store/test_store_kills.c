// SPDX-License-Identifier: BSD-3-Clause
// The store after a kill at every write and sync.

#include "tests/unit/gw/store/bed.h"
#include "tests/unit/gw/store/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
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

TestSuite(store_kills, .init = set_up, .fini = tear_down, .timeout = 120);

// Runs verb() in a process of its own that is killed at its n-th write or sync, for each n until it
// gets to its end; after each, check() looks at what is on the disk. reply is what verb() said
// before the kill, or -1.
// The store is opened and started before, unless verb() does that.
static void kill_at_each_call(bool started, int (*verb)(void), void (*check)(int reply))
{
	bool ended = false;

	for (unsigned n = 1; !ended; n++) {
		int fds[2], status, reply = -1;
		cr_assert_eq(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			if (started)
				bed_open(&bed);
			else
				bed_open_unstarted(&bed);
			faults.calls = 0;
			faults.kill_at = n;
			reply = verb();
			faults.kill_at = 0;
			_exit(write(fds[1], &reply, sizeof(reply)) != sizeof(reply));
		}
		close(fds[1]);
		ssize_t got = read(fds[0], &reply, sizeof(reply));
		close(fds[0]);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		ended = WIFEXITED(status);
		cr_assert(ended ? got == sizeof(reply) && WEXITSTATUS(status) == 0
				: WTERMSIG(status) == SIGKILL);
		bed_open_unstarted(&bed);
		check(reply);
		bed_close(&bed);
		cr_assert(n < 1000);
	}
}

static int import_verb(void)
{
	uint64_t count;

	return bed_import_rows(&bed, &count);
}

static int import_shadow_verb(void)
{
	uint64_t count;

	bed.store->direct_rows = 0;
	return bed_import_rows(&bed, &count);
}

static unsigned imports_seen;

static void check_import(int reply)
{
	uint64_t count = bed_load(&bed, NULL, NULL);
	struct device_spec spec = bed_spec(1000, "ffff", "bb");

	cr_expect(count == 0 || count == BED_ROWS, "%lu devices", count);
	cr_expect(reply != 0 || count == BED_ROWS);
	imports_seen |= count == 0 ? 1 : 2;
	// The store is in order, and begins anew for the next kill.
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_restore(&bed);
}

Test(store_kills, an_import_that_is_killed_at_any_write_is_there_whole_or_not_at_all)
{
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(true, import_verb, check_import);
	cr_expect_eq(imports_seen, 3);
}

Test(store_kills, an_import_to_a_copy_that_is_killed_at_any_write_is_there_whole_or_not_at_all)
{
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(true, import_shadow_verb, check_import);
	cr_expect_eq(imports_seen, 3);
}

static int remove_verb(void)
{
	return bed_remove_device(&bed, "01");
}

static void check_remove(int reply)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	uint64_t count = store_count(bed.store);

	cr_expect(count == 1 || bed_add(&bed, &spec) == -EKEYREVOKED, "no tombstone");
	cr_expect(reply != 0 || count == 0);
	bed_close(&bed);
	bed_restore(&bed);
}

Test(store_kills, a_removal_that_is_killed_at_any_write_leaves_the_device_or_its_tombstone)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(true, remove_verb, check_remove);
}

static int grant_verb(void)
{
	uint32_t run;

	return store_run_grant(bed.store, &run, &bed.error) == 0 ? (int)run : -1;
}

static int highest_run;

static void check_grant(int reply)
{
	uint32_t run;

	if (reply > highest_run)
		highest_run = reply;
	cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect((int)run > highest_run, "%u after %d", run, highest_run);
	highest_run = run;
}

Test(store_kills, no_run_is_given_twice_wherever_a_grant_is_killed)
{
	highest_run = -1;
	bed_close(&bed);
	kill_at_each_call(true, grant_verb, check_grant);
	cr_expect(highest_run > 5);
}

static uint64_t device_number;

static int base_verb(void)
{
	return bed_raise_base(&bed, device_number, 5);
}

static void check_base(int reply)
{
	uint32_t base = bed_run_base(&bed, "01");

	cr_expect(base == 5 || (base == 0 && reply != 0), "%u", base);
	bed_close(&bed);
	bed_restore(&bed);
}

Test(store_kills, a_base_that_was_raised_is_raised_wherever_it_is_killed)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	device_number = device.id;
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(true, base_verb, check_base);
}

static bool one_window(void *arg, struct store_window *window)
{
	unsigned *left = arg;

	if (*left == 0)
		return false;
	*window = (struct store_window){device_number, {.next = 100, .bits = 1}};
	--*left;
	return true;
}

static int stop_verb(void)
{
	unsigned left = 1;

	return store_stop(bed.store, 0, one_window, &left, &bed.error);
}

static bool window_known(void)
{
	struct device_keyed device;

	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect(!device.window_known || device.window.next == 100);
	return device.window_known;
}

static void check_stop(int reply)
{
	bool known = window_known();

	cr_expect(known || reply != 0);
	cr_assert_eq(store_start(bed.store, &bed.error), 0);
	bed_close(&bed);
	bed_open_unstarted(&bed);
	cr_expect_not(window_known());
}

// A start that was killed may have used the windows only if it came as far as to serve with them.
static int start_verb(void)
{
	bool known = window_known();

	return store_start(bed.store, &bed.error) == 0 ? known : -1;
}

static unsigned starts_seen;

static char token[128];
static ssize_t token_len;

static void check_start(int reply)
{
	char path[256];

	bool known = window_known();

	cr_expect(!known || reply != 1);
	starts_seen |= reply == 1 ? 1 : known ? 2 : 4;
	bed_close(&bed);
	bed_restore(&bed);
	snprintf(path, sizeof(path), "%s/" STORE_TOKEN, bed.runtime);
	bed_write(path, token, token_len);
}

Test(store_kills, windows_are_used_once_wherever_a_stop_or_a_start_is_killed)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	device_number = device.id;
	bed_close(&bed);
	kill_at_each_call(true, stop_verb, check_stop);

	bed_open(&bed);
	cr_assert_eq(stop_verb(), 0);
	token_len = file_read(bed.store->runtime_fd, STORE_TOKEN, token, sizeof(token));
	cr_assert(token_len > 0);
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(false, start_verb, check_start);
	// One got to its end, one left the windows to the next, and one struck them out.
	cr_expect_eq(starts_seen, 7);
}
