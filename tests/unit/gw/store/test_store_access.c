// SPDX-License-Identifier: BSD-3-Clause
// Who may open a store: one process, as a user who may write it, and no copy of it beside it.

#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
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

TestSuite(store_access, .init = set_up, .fini = tear_down, .timeout = 120);

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
Test(store_access, the_database_stays_locked_when_an_import_changed_its_place)
{
	uint64_t count;

	cr_expect(database_locked());
	bed.store->direct_rows = 0;
	cr_assert_eq(bed_import_rows(&bed, &count), 0, "%s", bed.error.text);
	cr_expect(database_locked());
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

Test(store_access, a_directory_that_cannot_be_written_is_told_clearly)
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

Test(store_access, a_store_has_one_process)
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
Test(store_access, lock_on_the_directory_stops_nothing)
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
Test(store_access, files_that_root_makes_are_the_services)
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
	cr_assert_eq(bed_import_rows(&bed, &count), 0, "%s", bed.error.text);
	expect_services(bed.directory, STORE_DB);
	expect_services(bed.directory, STORE_LOCK);
}

// Its directory is another one, and so is its lock; both would use the same nonces.
Test(store_access, a_copy_under_another_path_is_refused_while_the_store_is_open)
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
