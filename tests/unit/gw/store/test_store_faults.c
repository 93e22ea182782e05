// SPDX-License-Identifier: BSD-3-Clause
// The store after a kill at every write and sync, with syncs that fail, on disks that are full or
// read-only, and with damage in its file.

#include "gw/store/check.h"
#include "gw/store/import.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

// Writes and syncs of this process, counted; one of them can be the last thing it does, or a sync
// can fail, or all syncs or all writes from one on.
static unsigned calls, kill_at, syncs, fail_sync_at, fail_syncs_from, writes, full_at;
static int fail_range; // errno of sync_file_range()

static void count_call(void)
{
	if (++calls == kill_at)
		kill(getpid(), SIGKILL);
}

static int sync_call(const char *name, int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);

	count_call();
	if (++syncs == fail_sync_at || (fail_syncs_from != 0 && syncs >= fail_syncs_from)) {
		errno = EIO;
		return -1;
	}
	return real(fd);
}

int fsync(int fd)
{
	return sync_call("fsync", fd);
}

int fdatasync(int fd)
{
	return sync_call("fdatasync", fd);
}

// The kernel tells an error of writing once a descriptor: here, and then no sync of it fails.
int sync_file_range(int fd, off64_t at, off64_t len, unsigned int flags)
{
	int (*real)(int, off64_t, off64_t, unsigned int) =
		(int (*)(int, off64_t, off64_t, unsigned int))dlsym(RTLD_NEXT, "sync_file_range");

	if (fail_range != 0) {
		errno = fail_range;
		return -1;
	}
	return real(fd, at, len, flags);
}

static ssize_t pwrite_call(const char *name, int fd, const void *data, size_t len, off64_t at)
{
	ssize_t (*real)(int, const void *, size_t, off64_t) =
		(ssize_t(*)(int, const void *, size_t, off64_t))dlsym(RTLD_NEXT, name);

	count_call();
	if (++writes >= full_at && full_at != 0) {
		errno = ENOSPC;
		return -1;
	}
	return real(fd, data, len, at);
}

// Large files make one name of the two in the headers, but libraries call either.
ssize_t pwrite_plain(int fd, const void *data, size_t len, off64_t at) __asm__("pwrite");
ssize_t pwrite_plain(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite_call("pwrite", fd, data, len, at);
}

ssize_t pwrite_large(int fd, const void *data, size_t len, off64_t at) __asm__("pwrite64");
ssize_t pwrite_large(int fd, const void *data, size_t len, off64_t at)
{
	return pwrite_call("pwrite64", fd, data, len, at);
}

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

#define DEVICES 40

static int import_rows(uint64_t *count)
{
	struct import_options options = {.never_used = true};
	enum import_state state = IMPORT_MORE;
	struct import *import;
	char text[DEVICES * 32];
	int fd = memfd_create("rows", 0);

	char *to = stpcpy(text, "device_id,gateway_id,master_secret\n");
	for (unsigned i = 0; i < DEVICES; i++)
		to += sprintf(to, "%04x,aa,%04x\n", i, i);
	cr_assert_eq(write(fd, text, to - text), to - text);
	lseek(fd, 0, SEEK_SET);
	int code = import_open_fd(bed.store, fd, &options, &import, &bed.error);
	while (code == 0 && state != IMPORT_READ)
		code = import_step(import, &state, &bed.error);
	if (code == 0)
		code = bed_import_write(&bed, import);
	import_free(import);
	*count = store_count(bed.store);
	return code;
}

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
			calls = 0;
			kill_at = n;
			reply = verb();
			kill_at = 0;
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

	return import_rows(&count);
}

static int import_shadow_verb(void)
{
	uint64_t count;

	bed.store->direct_rows = 0;
	return import_rows(&count);
}

static unsigned imports_seen;

static void check_import(int reply)
{
	uint64_t count = bed_load(&bed, NULL, NULL);
	struct device_spec spec = bed_spec(1000, "ffff", "bb");

	cr_expect(count == 0 || count == DEVICES, "%lu devices", count);
	cr_expect(reply != 0 || count == DEVICES);
	imports_seen |= count == 0 ? 1 : 2;
	// The store is in order, and begins anew for the next kill.
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_restore(&bed);
}

Test(store_faults, an_import_that_is_killed_at_any_write_is_there_whole_or_not_at_all)
{
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(true, import_verb, check_import);
	cr_expect_eq(imports_seen, 3);
}

Test(store_faults, an_import_to_a_copy_that_is_killed_at_any_write_is_there_whole_or_not_at_all)
{
	bed_close(&bed);
	bed_save(&bed);
	kill_at_each_call(true, import_shadow_verb, check_import);
	cr_expect_eq(imports_seen, 3);
}

Test(store_faults, an_import_to_a_copy_that_the_disk_did_not_take_is_refused)
{
	uint64_t count;

	bed.store->direct_rows = 0;
	fail_range = EIO;
	cr_expect_eq(import_rows(&count), -EIO, "%s", bed.error.text);
	cr_expect_eq(count, 0);
	// A kernel or file system that does not know the call leaves it all to the sync.
	fail_range = ENOSYS;
	cr_expect_eq(import_rows(&count), 0, "%s", bed.error.text);
	cr_expect_eq(count, DEVICES);
}

// Whether another process finds the database locked, as SQLite does it.
static bool database_locked(void)
{
	char path[128];
	int status;

	snprintf(path, sizeof(path), "%s/" STORE_DB, bed.directory);
	pid_t pid = fork();
	if (pid == 0) {
		struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		int fd = open(path, O_RDWR);
		_exit(fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert(WIFEXITED(status));
	return WEXITSTATUS(status) == 1;
}

// A descriptor that is closed takes the locks of the whole process with it.
Test(store_faults, the_database_stays_locked_when_an_import_changed_its_place)
{
	uint64_t count;

	cr_expect(database_locked());
	bed.store->direct_rows = 0;
	cr_assert_eq(import_rows(&count), 0, "%s", bed.error.text);
	cr_expect(database_locked());
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

Test(store_faults, a_removal_that_is_killed_at_any_write_leaves_the_device_or_its_tombstone)
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

Test(store_faults, no_run_is_given_twice_wherever_a_grant_is_killed)
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

Test(store_faults, a_base_that_was_raised_is_raised_wherever_it_is_killed)
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

Test(store_faults, windows_are_used_once_wherever_a_stop_or_a_start_is_killed)
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
		syncs = 0;
		fail_syncs_from = n;
		if (store_run_grant(bed.store, &run, &bed.error) != 0) {
			refused++;
			cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
			cr_expect_eq(bed_raise_base(&bed, device.id, 9), -EIO);
			cr_expect_eq(store_recover(bed.store, &bed.error), -EIO);
			cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), -EIO);
		}
		fail_syncs_from = 0;
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
		syncs = 0;
		fail_syncs_from = n;
		cr_expect_neq(store_run_grant(bed.store, &run, &bed.error), 0);
		fail_syncs_from = 0;
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
		syncs = 0;
		fail_sync_at = n;
		bool removed = bed_remove_device(&bed, "01") == 0;
		fail_sync_at = 0;
		cr_expect_geq(syncs, n);
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
	cr_expect_eq(import_rows(&count), -ENOSPC, "%s", bed.error.text);
	cr_expect_eq(count, 1);
	cr_expect_eq(bed_load(&bed, NULL, NULL), 1);
	// What needs no room still works.
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_eq(bed_remove_device(&bed, "ffff"), 0);
	bed_close(&bed);
	bed_open(&bed);
	cr_expect_eq(import_rows(&count), 0);
}

Test(store_faults, a_disk_that_is_full_at_any_write_of_an_import_leaves_nothing_of_it)
{
	uint64_t count;
	int code = -ENOSPC;

	bed_close(&bed);
	bed_save(&bed);
	for (unsigned n = 1; code != 0; n++) {
		bed_open(&bed);
		writes = 0;
		full_at = n;
		code = import_rows(&count);
		full_at = 0;
		cr_expect(code == 0 ? n > 20 && count == DEVICES : code == -ENOSPC && count == 0,
			"write %u: %d, %lu devices: %s", n, code, count, bed.error.text);
		bed_close(&bed);
		bed_open(&bed);
		cr_expect_eq(bed_load(&bed, NULL, NULL), count);
		bed_close(&bed);
		bed_restore(&bed);
	}
}

// As a user who may read but not write; root may always.
static void as_nobody(void)
{
	static const char *const inside[] = {"", "/run", "/store", "/store/" STORE_DB,
		"/store/" STORE_MARK, "/store/" STORE_LOCK, "/run/" STORE_MARK, "/run/" STORE_TOKEN,
		"/machine-id", "/boot-id"};

	for (size_t i = 0; geteuid() == 0 && i < sizeof(inside) / sizeof(inside[0]); i++) {
		char path[256];
		snprintf(path, sizeof(path), "%s%s", bed.top, inside[i]);
		cr_assert_eq(chown(path, 65534, 65534), 0, "%s", path);
	}
	if (geteuid() == 0)
		cr_assert_eq(seteuid(65534), 0);
}

Test(store_faults, a_directory_that_cannot_be_written_is_told_clearly)
{
	uid_t before = geteuid();
	char database[256];

	bed_close(&bed);
	as_nobody();
	snprintf(database, sizeof(database), "%s/" STORE_DB, bed.directory);
	cr_assert_eq(chmod(bed.directory, 0500), 0);
	cr_expect_eq(store_open(&bed.config, &bed.store, &bed.error), -EACCES);
	cr_expect(strstr(bed.error.text, "Permission denied") != NULL, "%s", bed.error.text);
	cr_assert_eq(chmod(database, 0400), 0);
	cr_expect_eq(store_open(&bed.config, &bed.store, &bed.error), -EACCES);
	cr_assert_eq(chmod(database, 0600), 0);
	cr_assert_eq(chmod(bed.directory, 0700), 0);
	cr_expect_eq(store_open(&bed.config, &bed.store, &bed.error), 0, "%s", bed.error.text);
	cr_assert_eq(seteuid(before), 0);
}

Test(store_faults, a_store_has_one_process)
{
	struct store *second;
	int status;

	cr_expect_eq(store_open(&bed.config, &second, &bed.error), -EBUSY);
	cr_expect(strstr(bed.error.text, "another process has it") != NULL);
	pid_t pid = fork();
	if (pid == 0)
		_exit(store_open(&bed.config, &second, &bed.error) == -EBUSY ? 0 : 1);
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	cr_expect_eq(store_adopt(&bed.config, NULL, &bed.error), -EBUSY);
	bed_close(&bed);
	bed_open(&bed);
}

// Whoever can look into a directory can lock it; nobody else can open the file that is locked.
Test(store_faults, lock_on_the_directory_stops_nothing)
{
	char lock[128];
	struct stat st;
	int fd;

	snprintf(lock, sizeof(lock), "%s/" STORE_LOCK, bed.directory);
	bed_close(&bed);
	fd = open(bed.directory, O_RDONLY | O_DIRECTORY);
	cr_assert(fd >= 0 && flock(fd, LOCK_EX) == 0);
	cr_assert_eq(chmod(lock, 0666), 0);
	bed_open(&bed);
	cr_assert_eq(stat(lock, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	close(fd);
}

#define SERVICE 65534 // a user

static void expect_services(const char *directory, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	cr_assert_eq(stat(path, &st), 0, "%s", path);
	cr_expect_eq(st.st_uid, SERVICE, "%s", path);
	cr_expect_eq(st.st_mode & 07777, 0600, "%s", path);
}

// An adoption by hand, for a service that is not root.
Test(store_faults, files_that_root_makes_are_the_services)
{
	uint64_t count;

	if (geteuid() != 0)
		cr_skip_test("only root gives files away");
	bed_close(&bed);
	cr_assert_eq(chown(bed.directory, SERVICE, SERVICE), 0);
	cr_assert_eq(chown(bed.runtime, SERVICE, SERVICE), 0);
	cr_assert_eq(store_adopt(&bed.config, NULL, &bed.error), 0, "%s", bed.error.text);
	expect_services(bed.directory, STORE_DB);
	expect_services(bed.directory, STORE_MARK);
	expect_services(bed.runtime, STORE_MARK);
	bed_open(&bed);
	expect_services(bed.runtime, STORE_TOKEN);
	bed.store->direct_rows = 0;
	cr_assert_eq(import_rows(&count), 0, "%s", bed.error.text);
	expect_services(bed.directory, STORE_DB);
	expect_services(bed.directory, STORE_LOCK);
}

static int open_code(void)
{
	bed_close(&bed);
	return store_open(&bed.config, &bed.store, &bed.error);
}

// Its directory is another one, and so is its lock; both would use the same nonces.
Test(store_faults, a_copy_under_another_path_is_refused_while_the_store_is_open)
{
	struct store_config config = bed.config;
	char copy[128], runtime[128], command[512];
	struct store *second = NULL;

	snprintf(copy, sizeof(copy), "%s/copy", bed.top);
	snprintf(runtime, sizeof(runtime), "%s/copy_run", bed.top);
	snprintf(command, sizeof(command), "cp -a %s %s", bed.directory, copy);
	bed_close(&bed);
	cr_assert_eq(system(command), 0);
	bed_open(&bed);
	config.directory = copy;
	config.runtime = runtime;
	for (unsigned i = 0; i < 5; i++) { // a service is started again and again
		cr_expect_eq(store_open(&config, &second, &bed.error), -EBUSY);
		cr_expect(strstr(bed.error.text, "another process has a copy") != NULL, "%s",
			bed.error.text);
	}
	cr_expect_eq(store_adopt(&config, NULL, &bed.error), -EBUSY);
	bed_close(&bed);
	cr_expect_eq(store_open(&config, &second, &bed.error), 0, "%s", bed.error.text);
	store_close(second);
	bed_open(&bed);
}

Test(store_faults, another_key_encryption_key_is_told_clearly)
{
	char path[128];
	struct kek *other;

	snprintf(path, sizeof(path), "%s/other", bed.top);
	cr_assert_eq(kek_create(path, &bed.error), 0);
	cr_assert_eq(kek_load(path, &other, &bed.error), 0);
	bed.config.kek = other;
	cr_expect_eq(open_code(), -EKEYREJECTED);
	cr_expect(strstr(bed.error.text, "not the key-encryption key") != NULL);
	cr_expect_eq(store_adopt(&bed.config, NULL, &bed.error), -EKEYREJECTED);
	kek_free(other);
	bed.config.kek = bed.kek;
	cr_expect_eq(open_code(), 0);
}

Test(store_faults, a_newer_store_a_foreign_database_and_rubbish_are_refused)
{
	char path[256];

	bed_close(&bed);
	bed_save(&bed);
	bed_sql(&bed, "PRAGMA user_version = 1000");
	cr_expect_eq(open_code(), -ENOTSUP);
	bed_sql(&bed, "PRAGMA user_version = 1; PRAGMA application_id = 1");
	cr_expect_eq(open_code(), -EBADMSG);
	bed_restore(&bed);
	bed_sql(&bed, "DELETE FROM meta");
	cr_expect_eq(open_code(), -EBADMSG);
	snprintf(path, sizeof(path), "%s/" STORE_DB, bed.directory);
	bed_write(path, "this is not a database, not even one of another maker", 53);
	cr_expect_eq(open_code(), -EBADMSG);
	bed_restore(&bed);
	cr_assert_eq(truncate(path, 8192), 0);
	cr_expect_eq(open_code(), -EBADMSG, "%s", bed.error.text);
	cr_assert_eq(truncate(path, 0), 0);
	cr_expect_eq(open_code(), -ESTALE);
	bed_restore(&bed);
	cr_expect_eq(open_code(), 0);
}

static void add_two(void)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "02", "aa");

	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &b), DEVICE_ADDED);
	bed_close(&bed);
	bed_save(&bed);
}

static int ignore(void *arg, const struct device_keyed *device)
{
	return 0;
}

// Loads after a change in the file: all devices but `damaged` are there.
static void expect_damaged(const char *change, uint64_t damaged)
{
	struct store_load_result result;

	bed_close(&bed);
	bed_restore(&bed);
	bed_sql(&bed, change);
	bed_open(&bed);
	cr_assert_eq(store_load(bed.store, ignore, NULL, &result, &bed.error), 0);
	cr_expect_eq(result.unreadable, damaged, "%s", change);
	cr_expect_eq(result.loaded, 2 - damaged, "%s", change);
	cr_expect_str_eq(result.first_unreadable, damaged ? "01" : "");
}

Test(store_faults, a_row_that_was_changed_does_not_load_and_the_others_do)
{
	add_two();
	expect_damaged("UPDATE device SET keys = (SELECT keys FROM device WHERE name = '02')"
		       " WHERE name = '01'",
		1);
	expect_damaged("UPDATE device SET keys = secret WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET keys = x'' WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET keys = zeroblob(85) WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET keys = zeroblob(1000) WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET device_id = x'03' WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET device_id = zeroblob(8) WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET gateway_id = x'03' WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET id_context = x'' WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET algorithm = 30 WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET algorithm = 999 WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET run_base = 1 WHERE name = '01'", 1);
	expect_damaged("UPDATE device SET id = 77 WHERE name = '02'; "
		       "UPDATE device SET id = 2 WHERE name = '01'",
		2);
	expect_damaged("SELECT 1", 0);
}

// What is in clear and could be set back: where a key that was retired has been, and the store's
// own place in time.
Test(store_faults, a_tombstone_or_a_first_row_that_was_changed_is_told)
{
	static const char *const tombstones[] = {"UPDATE used_key SET run = run - 1",
		"UPDATE used_key SET mark = mark + 1", "UPDATE used_key SET tag = NULL",
		"UPDATE used_key SET tag = x'0102030405060708'"};
	static const char *const rows[] = {"UPDATE meta SET clock = clock - 1",
		"UPDATE meta SET run = run + 1", "UPDATE meta SET copy = 1 - copy",
		"UPDATE meta SET commits = commits + 1", "UPDATE meta SET machine = zeroblob(16)",
		"UPDATE meta SET tag = NULL"};
	struct device_spec spec = bed_spec(1, "01", "aa");
	bool done = false;

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	bed_close(&bed);
	bed_save(&bed);
	spec.never_used = false;
	spec.has_gateway_seq = true;
	for (size_t i = 0; i < sizeof(tombstones) / sizeof(tombstones[0]); i++) {
		struct store_check check = {0};

		bed_sql(&bed, tombstones[i]);
		bed_open(&bed);
		cr_expect_eq(bed_add(&bed, &spec), -EBADMSG, "%s", tombstones[i]);
		for (done = false; !done;)
			cr_assert_eq(store_check_step(bed.store, &check, &done, &bed.error), 0);
		cr_expect_eq(check.report.problems, 2);
		bed_close(&bed);
		bed_restore(&bed);
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bed_sql(&bed, rows[i]);
		cr_expect_eq(open_code(), -EBADMSG, "%s", rows[i]);
		cr_expect_eq(store_adopt(&bed.config, NULL, &bed.error), -EBADMSG);
		bed_restore(&bed);
	}
	bed_open(&bed);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
}

Test(store_faults, every_bit_of_the_sealed_keys_counts)
{
	struct store_row row, changed;
	struct store_error error;
	struct osc_params params;
	struct osc_keys keys;

	struct device_spec spec = bed_spec(1, "01", "aa");
	cr_assert_eq(row_prepare(bed.store, &spec, &row, &error), 0);
	for (unsigned bit = 0; bit < 8u * row.keys_len; bit++) {
		changed = row;
		changed.keys[bit / 8] ^= 1 << bit % 8;
		cr_expect_eq(seal_open_keys(bed.store, &changed, &keys), -EBADMSG);
	}
	for (unsigned bit = 0; bit < 8u * row.secret_len; bit++) {
		changed = row;
		changed.secret[bit / 8] ^= 1 << bit % 8;
		cr_expect_eq(seal_open_secret(bed.store, &changed, &params), -EBADMSG);
	}
	cr_expect_eq(seal_open_keys(bed.store, &row, &keys), 0);
	cr_expect_eq(seal_open_secret(bed.store, &row, &params), 0);
	cr_expect_eq(params.secret_len, spec.params.secret_len);
	cr_expect_arr_eq(params.secret, spec.params.secret, params.secret_len);
}

Test(store_faults, a_sealed_secret_does_not_open_as_keys)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct store_row row;
	struct osc_keys keys;

	// As long as the keys: two of 16 bytes, and a nonce of 13.
	spec.params.secret_len = 2 * 16 + 13 - 2;
	cr_assert_eq(row_prepare(bed.store, &spec, &row, &bed.error), 0);
	cr_assert_eq(row.secret_len, row.keys_len);
	memcpy(row.keys, row.secret, row.keys_len);
	cr_expect_eq(seal_open_keys(bed.store, &row, &keys), -EBADMSG);
}

Test(store_faults, a_damaged_device_is_shown_as_such_and_can_be_removed)
{
	struct device_info info;
	struct device_spec spec = bed_spec(1, "01", "aa");

	add_two();
	bed_sql(&bed, "UPDATE device SET keys = zeroblob(85) WHERE name = '01'");
	bed_open(&bed);
	cr_expect_eq(store_show(bed.store, "01", &info, &bed.error), 0);
	cr_expect(info.damaged);
	cr_expect_eq(bed_raise_base(&bed, info.id, 1), -EBADMSG);
	cr_expect_eq(bed_remove_device(&bed, "01"), 0);
	cr_expect_eq(bed_add(&bed, &spec), -EKEYREVOKED);
}

// What was bound to its keys does not tell any more how far they were used.
Test(store_faults, keys_of_a_damaged_device_never_come_again)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;

	add_two();
	bed_open(&bed);
	cr_assert_eq(bed_load(&bed, "01", &device), 2);
	cr_assert_eq(bed_raise_base(&bed, device.id, 9), 0);
	bed_close(&bed);
	bed_sql(&bed,
		"UPDATE device SET run_base = 1 WHERE name = '01';"
		"UPDATE device SET keys = zeroblob(85) WHERE name = '02'");
	bed_open(&bed);
	struct device_spec fresh = bed_spec(7, "02", "aa");
	cr_expect_eq(store_rotate(bed.store, "02", &fresh, NULL, &device, &bed.error), 0, "%s",
		bed.error.text);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	spec.never_used = false;
	spec.has_gateway_seq = true;
	cr_expect_eq(bed_add(&bed, &spec), -ERANGE, "%s", bed.error.text);
}

// Neither the database nor what a removal leaves in it has a secret or a derived key in clear.
Test(store_faults, the_file_has_no_key_in_clear)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	static char data[1 << 20];
	struct osc_keys keys;
	char path[256];

	randombytes_buf(spec.params.secret, spec.params.secret_len);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_assert_eq(osc_derive(&keys, &spec.params), 0);
	bed_close(&bed);
	snprintf(path, sizeof(path), "%s/" STORE_DB, bed.directory);
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, data, sizeof(data));
	close(fd);
	cr_assert(len > 0 && (size_t)len < sizeof(data));
	cr_expect_null(memmem(data, len, spec.params.secret, 8));
	cr_expect_null(memmem(data, len, keys.sender_key, 8));
	cr_expect_null(memmem(data, len, keys.recipient_key, 8));
	struct stat st;
	cr_assert_eq(stat(path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
}
