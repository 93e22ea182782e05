// SPDX-License-Identifier: BSD-3-Clause
// The rotation of the key-encryption key: wherever it is killed, the file opens the store, and it
// goes on to its end when it is called again.

#include "tests/unit/gw/store/bed.h"
#include "tests/unit/gw/store/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct bed bed;
static char old_file[512];
static size_t old_len;

static size_t read_file(char text[512])
{
	int fd = open(bed.kek_path, O_RDONLY);
	ssize_t len = read(fd, text, 512);

	close(fd);
	cr_assert(len > 0);
	return len;
}

// Lines of the file behind its header.
static unsigned keys_of_file(void)
{
	char text[512];
	size_t len = read_file(text);
	unsigned lines = 0;

	for (size_t i = 0; i < len; i++)
		lines += text[i] == '\n';
	return lines - 1;
}

// Takes the key anew from the file.
static void reload(void)
{
	kek_free(bed.kek);
	cr_assert_eq(kek_load(bed.kek_path, &bed.kek, &bed.error), 0, "%s", bed.error.text);
	bed.config.kek = bed.kek;
}

static void set_up(void)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	bed_make(&bed);
	bed_open(&bed);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	old_len = read_file(old_file);
}

static void tear_down(void)
{
	bed_remove(&bed);
}

TestSuite(kek_rotate, .init = set_up, .fini = tear_down, .timeout = 120);

// As posternctl does without a daemon. Returns 0 or -errno.
static int rotate(void)
{
	int code = kek_add_new(bed.kek_path, &bed.error);

	if (code != 0)
		return code;
	reload();
	code = store_open(&bed.config, &bed.store, &bed.error);
	if (code == 0)
		code = store_rekey(bed.store, bed.kek, &bed.error);
	store_close(bed.store);
	bed.store = NULL;
	return code != 0 ? code : kek_drop_old(bed.kek_path, &bed.error);
}

// The device is there under the key of the file.
static void opens(void)
{
	reload();
	bed_open(&bed);
	cr_assert_eq(bed_load(&bed, NULL, NULL), 1);
	bed_close(&bed);
}

static void old_key_is_refused(void)
{
	char now[512];
	size_t len = read_file(now);
	struct store *store;

	bed_write(bed.kek_path, old_file, old_len);
	reload();
	cr_expect_eq(store_open(&bed.config, &store, &bed.error), -EKEYREJECTED);
	bed_write(bed.kek_path, now, len);
	reload();
}

Test(kek_rotate, the_new_key_opens_the_store_and_the_former_one_does_not)
{
	struct stat st;

	cr_assert_eq(rotate(), 0, "%s", bed.error.text);
	cr_expect_eq(keys_of_file(), 1);
	cr_assert_eq(stat(bed.kek_path, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	opens();
	old_key_is_refused();
	cr_assert_eq(rotate(), 0, "%s", bed.error.text);
	opens();
}

// Where configuration lives elsewhere, and /etc has links to it.
Test(kek_rotate, a_symbolic_link_stays_and_its_file_is_replaced)
{
	char folder[128], target[160], text[512];
	struct stat before, after;

	snprintf(folder, sizeof(folder), "%s/elsewhere", bed.top);
	snprintf(target, sizeof(target), "%s/key", folder);
	cr_assert_eq(mkdir(folder, 0700), 0);
	cr_assert_eq(rename(bed.kek_path, target), 0);
	cr_assert_eq(symlink("elsewhere/key", bed.kek_path), 0);
	cr_assert_eq(stat(target, &before), 0);
	cr_assert_eq(rotate(), 0, "%s", bed.error.text);
	cr_assert_eq(lstat(bed.kek_path, &after), 0);
	cr_expect(S_ISLNK(after.st_mode));
	cr_assert_eq(lstat(target, &after), 0);
	cr_expect(S_ISREG(after.st_mode));
	cr_expect_eq(after.st_mode & 07777, 0600);
	cr_expect_eq(keys_of_file(), 1);
	cr_expect(read_file(text) == old_len && memcmp(text, old_file, old_len) != 0);
	snprintf(target, sizeof(target), "%s.new", bed.kek_path);
	cr_expect_eq(access(target, F_OK), -1);
	opens();
	old_key_is_refused();
}

Test(kek_rotate, a_link_that_leads_nowhere_is_refused)
{
	cr_assert_eq(unlink(bed.kek_path), 0);
	cr_assert_eq(symlink("nowhere", bed.kek_path), 0);
	cr_expect_eq(kek_add_new(bed.kek_path, &bed.error), -ENOENT);
	cr_expect(strstr(bed.error.text, bed.kek_path), "%s", bed.error.text);
}

Test(kek_rotate, a_store_that_is_used_is_sealed_anew_and_goes_on)
{
	struct device_spec spec = bed_spec(2, "02", "aa");
	uint8_t shard[STORE_SHARD_KEY_LEN], shard_then[STORE_SHARD_KEY_LEN];

	bed_open(&bed);
	store_shard_key(bed.store, shard);
	cr_assert_eq(kek_add_new(bed.kek_path, &bed.error), 0);
	int fd = open(bed.kek_path, O_RDONLY);
	struct kek *both;
	cr_assert_eq(kek_load_fd(fd, &both, &bed.error), 0, "%s", bed.error.text);
	close(fd);
	cr_assert_eq(store_rekey(bed.store, both, &bed.error), 0, "%s", bed.error.text);
	kek_free(both);
	cr_assert_eq(kek_drop_old(bed.kek_path, &bed.error), 0);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	reload();
	bed_open(&bed);
	cr_expect_eq(bed_load(&bed, NULL, NULL), 2);
	store_shard_key(bed.store, shard_then);
	cr_expect_arr_eq(shard, shard_then, sizeof(shard));
	bed_close(&bed);
	old_key_is_refused();
}

Test(kek_rotate, keys_that_do_not_open_the_store_change_nothing)
{
	char other[128];
	struct kek *kek;

	snprintf(other, sizeof(other), "%s.other", bed.kek_path);
	cr_assert_eq(kek_create(other, &bed.error), 0);
	cr_assert_eq(kek_load(other, &kek, &bed.error), 0);
	unlink(other);
	bed_open(&bed);
	cr_expect_eq(store_rekey(bed.store, kek, &bed.error), -EKEYREJECTED);
	kek_free(kek);
	bed_close(&bed);
	opens();
}

Test(kek_rotate, a_file_with_two_keys_gets_no_third)
{
	char before[512], after[512];

	cr_assert_eq(kek_add_new(bed.kek_path, &bed.error), 0);
	size_t len = read_file(before);
	cr_expect_eq(keys_of_file(), 2);
	cr_assert_eq(kek_add_new(bed.kek_path, &bed.error), 0);
	cr_expect_eq(read_file(after), len);
	cr_expect_arr_eq(before, after, len);
	opens();
}

Test(kek_rotate, a_bit_that_changes_in_either_line_is_seen)
{
	char text[512];

	cr_assert_eq(kek_add_new(bed.kek_path, &bed.error), 0);
	size_t len = read_file(text);
	for (size_t i = 0; i < len; i++) {
		struct kek *kek;

		text[i] ^= 1;
		bed_write(bed.kek_path, text, len);
		cr_expect_eq(kek_load(bed.kek_path, &kek, &bed.error), -EBADMSG, "byte %zu", i);
		text[i] ^= 1;
	}
	for (size_t cut = 1; cut < len; cut++) {
		struct kek *kek;

		bed_write(bed.kek_path, text, cut);
		int code = kek_load(bed.kek_path, &kek, &bed.error);
		cr_expect_eq(code, cut == old_len ? 0 : -EBADMSG, "%zu bytes", cut);
		kek_free(kek);
	}
	bed_write(bed.kek_path, text, len);
}

Test(kek_rotate, wherever_it_is_killed_the_file_opens_the_store_and_it_goes_on)
{
	unsigned seen = 0;
	bool ended = false;

	bed_save(&bed);
	for (unsigned n = 1; !ended; n++) {
		int status;

		cr_assert(n < 1000);
		bed_restore(&bed);
		bed_write(bed.kek_path, old_file, old_len);
		pid_t pid = fork();
		if (pid == 0) {
			faults.calls = 0;
			faults.kill_at = n;
			_exit(rotate() != 0);
		}
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		ended = WIFEXITED(status);
		cr_assert(ended ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
		seen |= keys_of_file();
		opens();
		cr_assert_eq(rotate(), 0, "%u: %s", n, bed.error.text);
		cr_expect_eq(keys_of_file(), 1);
		opens();
		old_key_is_refused();
	}
	cr_expect_eq(seen, 3);
}
