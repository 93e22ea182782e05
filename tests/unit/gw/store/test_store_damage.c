// SPDX-License-Identifier: BSD-3-Clause
// A store with damage in its file, or one that is not ours.

#include "gw/store/check.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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

TestSuite(store_damage, .init = set_up, .fini = tear_down, .timeout = 120);

static int open_code(void)
{
	bed_close(&bed);
	return store_open(&bed.config, &bed.store, &bed.error);
}

Test(store_damage, another_key_encryption_key_is_told_clearly)
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

Test(store_damage, a_newer_store_a_foreign_database_and_rubbish_are_refused)
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

Test(store_damage, a_row_that_was_changed_does_not_load_and_the_others_do)
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
Test(store_damage, a_tombstone_or_a_first_row_that_was_changed_is_told)
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

Test(store_damage, every_bit_of_the_sealed_keys_counts)
{
	struct store_row row, changed;
	struct error error;
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

Test(store_damage, a_sealed_secret_does_not_open_as_keys)
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

Test(store_damage, a_damaged_device_is_shown_as_such_and_can_be_removed)
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
Test(store_damage, keys_of_a_damaged_device_never_come_again)
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
Test(store_damage, the_file_has_no_key_in_clear)
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
