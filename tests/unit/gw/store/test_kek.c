// SPDX-License-Identifier: BSD-3-Clause
// The file of the key-encryption key.

#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

static struct bed bed;

static void set_up(void)
{
	bed_make(&bed);
}

static void tear_down(void)
{
	bed_remove(&bed);
}

TestSuite(kek, .init = set_up, .fini = tear_down);

static int load(void)
{
	struct kek *kek;

	int code = kek_load(bed.kek_path, &kek, &bed.error);
	kek_free(kek);
	return code;
}

static size_t read_key_file(char text[512])
{
	int fd = open(bed.kek_path, O_RDONLY);
	ssize_t len = read(fd, text, 512);

	close(fd);
	cr_assert(len > 0);
	return len;
}

Test(kek, a_new_key_is_for_its_owner_only_and_random)
{
	char first[512], second[512];
	struct stat st;

	cr_assert_eq(stat(bed.kek_path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	size_t len = read_key_file(first);
	cr_assert_eq(unlink(bed.kek_path), 0);
	umask(0);
	cr_assert_eq(kek_create(bed.kek_path, &bed.error), 0);
	cr_assert_eq(stat(bed.kek_path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	cr_assert_eq(read_key_file(second), len);
	cr_expect_arr_neq(first, second, len);
}

Test(kek, a_key_is_never_overwritten)
{
	char before[512], after[512];

	size_t len = read_key_file(before);
	cr_expect_eq(kek_create(bed.kek_path, &bed.error), -EEXIST);
	read_key_file(after);
	cr_expect_arr_eq(before, after, len);
	// Nor what a link points to.
	cr_assert_eq(unlink(bed.kek_path), 0);
	cr_assert_eq(symlink("elsewhere", bed.kek_path), 0);
	cr_expect_eq(kek_create(bed.kek_path, &bed.error), -EEXIST);
}

Test(kek, a_key_that_others_may_use_is_refused)
{
	static const mode_t bad[] = {0640, 0620, 0604, 0602, 0601, 0666, 0610};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		cr_assert_eq(chmod(bed.kek_path, bad[i]), 0);
		cr_expect_eq(load(), -EACCES, "%o", bad[i]);
	}
	cr_assert_eq(chmod(bed.kek_path, 0400), 0);
	cr_expect_eq(load(), 0);
}

// What systemd makes for a service user: read for that user by an access control list, whose mask
// looks like group rights.
Test(kek, an_access_control_list_for_one_user_is_no_group_right)
{
	struct entry {
		uint16_t tag, perm;
		uint32_t id;
	};
	struct {
		uint32_t version;
		struct entry entry[5];
	} acl = {2,
		{{0x01, 4, UINT32_MAX}, {0x02, 4, 1234}, {0x04, 0, UINT32_MAX},
			{0x10, 4, UINT32_MAX}, {0x20, 0, UINT32_MAX}}};
	struct stat st;

	cr_assert_eq(setxattr(bed.kek_path, "system.posix_acl_access", &acl, sizeof(acl), 0), 0);
	cr_assert_eq(stat(bed.kek_path, &st), 0);
	cr_assert_eq(st.st_mode & 0777, 0440);
	cr_expect_eq(load(), 0, "%s", bed.error.text);
	acl.entry[2].perm = 4; // the owning group
	cr_assert_eq(setxattr(bed.kek_path, "system.posix_acl_access", &acl, sizeof(acl), 0), 0);
	cr_expect_eq(load(), -EACCES);
}

Test(kek, a_key_file_is_as_it_was_written_to_the_last_byte)
{
	char text[512];
	size_t len = read_key_file(text);

	for (size_t i = 0; i < len; i++) {
		text[i] ^= 1;
		bed_write(bed.kek_path, text, len);
		cr_expect_eq(load(), -EBADMSG, "byte %zu", i);
		text[i] ^= 1;
		bed_write(bed.kek_path, text, i);
		cr_expect_eq(load(), -EBADMSG, "length %zu", i);
	}
	text[len] = '\n';
	bed_write(bed.kek_path, text, len + 1);
	cr_expect_eq(load(), -EBADMSG);
	bed_write(bed.kek_path, text, len);
	cr_expect_eq(load(), 0);
	cr_assert_eq(unlink(bed.kek_path), 0);
	cr_expect_eq(load(), -ENOENT);
	cr_assert_eq(mkdir(bed.kek_path, 0700), 0);
	cr_expect_eq(load(), -EBADMSG);
}

Test(kek, without_a_path_it_is_the_credential_of_systemd)
{
	char from[256];
	struct kek *kek;

	unsetenv("CREDENTIALS_DIRECTORY");
	cr_expect_eq(kek_load(NULL, &kek, &bed.error), -ENOENT);
	setenv("CREDENTIALS_DIRECTORY", bed.top, 1);
	cr_expect_eq(kek_load(NULL, &kek, &bed.error), -ENOENT);
	snprintf(from, sizeof(from), "%s/" KEK_CREDENTIAL, bed.top);
	cr_assert_eq(link(bed.kek_path, from), 0);
	cr_expect_eq(kek_load(NULL, &kek, &bed.error), 0, "%s", bed.error.text);
	kek_free(kek);
}
