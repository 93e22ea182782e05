// SPDX-License-Identifier: BSD-3-Clause

#include "base/whole_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[] = "/tmp/test_whole_file.XXXXXX";

static void path_make(const char *text)
{
	const int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

Test(whole_file, is_all_that_is_there)
{
	struct whole_file file;

	path_make("0123456789");
	cr_assert_eq(whole_file_read(&file, path, 10), 0);
	cr_expect_eq(file.len, 10);
	cr_expect_eq(memcmp(file.bytes, "0123456789", 10), 0);
	whole_file_wipe(&file);
	cr_expect_null(file.bytes);
	cr_expect_eq(whole_file_read(&file, path, 9), -EFBIG);
	whole_file_wipe(&file);
	cr_assert_eq(truncate(path, 0), 0);
	cr_expect_eq(whole_file_read(&file, path, 9), 0);
	cr_expect_eq(file.len, 0);
	whole_file_wipe(&file);
	cr_expect_eq(unlink(path), 0);
	cr_expect_eq(whole_file_read(&file, path, 9), -ENOENT);
}

Test(whole_file, waits_for_no_pipe)
{
	struct whole_file file;

	path_make("");
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(whole_file_read(&file, path, 9), -EINVAL);
	cr_expect_eq(whole_file_read(&file, "/tmp", 1 << 20), -EINVAL);
	cr_expect_eq(unlink(path), 0);
}

// One that has more than it told of, as if it had grown meanwhile.
Test(whole_file, is_no_part_of_one_that_changes)
{
	struct whole_file file;

	cr_expect_eq(whole_file_read(&file, "/proc/self/status", 1 << 20), -EBUSY);
	whole_file_wipe(&file);
}
