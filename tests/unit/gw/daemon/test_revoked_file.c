// SPDX-License-Identifier: BSD-3-Clause
// The file of what was revoked is read in slices; it counts as a whole, or says what is wrong.

#include "gw/daemon/revoked_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES 100000

static char path[] = "/tmp/postern-revoked-XXXXXX";
static struct error error;

static void file_begin(void)
{
	const int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
}

static void file_end(void)
{
	unlink(path);
}

TestSuite(revoked_file, .init = file_begin, .fini = file_end);

static void append(const char *text)
{
	FILE *file = fopen(path, "a");

	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static void lines_write(void)
{
	FILE *file = fopen(path, "w");

	cr_assert_not_null(file);
	for (unsigned i = 0; i < LINES; i++)
		fprintf(file, "serial %08x\n", 0x01000000 + i);
	fclose(file);
}

static bool has(const struct revoked *revoked, uint32_t serial)
{
	const struct credential_mark mark = {.serial_len = 4,
		.serial = {(uint8_t)(serial >> 24), (uint8_t)(serial >> 16), (uint8_t)(serial >> 8),
			(uint8_t)serial}};

	return revoked_has(revoked, &mark);
}

// One step of a file that was opened.
static int step(struct revoked_file *file)
{
	return revoked_file_read(file, 0, &error);
}

static void fails(int code, const char *text)
{
	struct revoked *revoked;

	cr_assert_eq(revoked_file_whole(path, &revoked, &error), code, "%s", error.text);
	cr_assert_eq(error.code, code);
	cr_assert_not_null(strstr(error.text, path), "%s", error.text);
	cr_assert_not_null(strstr(error.text, text), "%s", error.text);
}

Test(revoked_file, a_list_is_made_in_steps)
{
	struct revoked_file *file;
	struct revoked *revoked;
	unsigned steps = 0;
	int rc;

	lines_write();
	file = revoked_file_open(path, &error);
	cr_assert_not_null(file);
	while ((rc = step(file)) == 1)
		steps++;
	cr_assert_eq(rc, 0);
	cr_assert_geq(steps, LINES * 16 / 65536 + LINES / 4096);
	revoked = revoked_file_take(file);
	revoked_file_free(file);
	cr_assert_eq(revoked_count(revoked), LINES);
	cr_assert(has(revoked, 0x01000000) && has(revoked, 0x01000000 + LINES - 1));
	cr_assert_not(has(revoked, 0x01000000 + LINES));
	revoked_free(revoked);
}

Test(revoked_file, what_cannot_be_read_says_why)
{
	struct rlimit before, none;

	lines_write();
	append("# fine\nserial\n");
	fails(-EINVAL, "line 100002: ");
	cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	const int fd = open(path, O_RDONLY);

	cr_assert_geq(fd, 0);
	none = (struct rlimit){.rlim_cur = (rlim_t)fd, .rlim_max = before.rlim_max};
	close(fd);
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	fails(-EMFILE, strerror(EMFILE));
	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	cr_assert_eq(truncate(path, REVOKED_FILE_MAX + 1), 0);
	fails(-EFBIG, "larger than 64 MB");
	unlink(path);
	fails(-ENOENT, strerror(ENOENT));
	cr_assert_eq(mkfifo(path, 0600), 0);
	fails(-EINVAL, "no file");
}

Test(revoked_file, a_file_that_changes_while_it_is_read_is_refused)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};

	for (unsigned i = 0; i < 3; i++) {
		struct revoked_file *file;
		int rc;

		lines_write();
		file = revoked_file_open(path, &error);
		cr_assert_not_null(file);
		cr_assert_eq(step(file), 1);
		if (i == 0)
			append("serial 01\n");
		else if (i == 1)
			cr_assert_eq(truncate(path, 16 * 6000), 0);
		else // other bytes, and as many
			cr_assert_eq(utimensat(AT_FDCWD, path, times, 0), 0);
		while ((rc = step(file)) == 1)
			;
		cr_assert_eq(rc, -EBUSY, "%u", i);
		cr_assert_not_null(strstr(error.text, "changes while it is read"));
		revoked_file_free(file);
	}
}

// As who writes lists should do it.
Test(revoked_file, one_that_another_takes_the_place_of_is_read_to_its_end)
{
	char other[sizeof(path) + 4];
	struct revoked_file *file;
	int rc;

	lines_write();
	file = revoked_file_open(path, &error);
	cr_assert_not_null(file);
	cr_assert_eq(step(file), 1);
	sprintf(other, "%s.new", path);
	cr_assert_eq(rename(path, other), 0);
	append("serial 01\n");
	cr_assert_eq(rename(other, path), 0);
	while ((rc = step(file)) == 1)
		;
	cr_assert_eq(rc, 0);
	revoked_file_free(file);
}
