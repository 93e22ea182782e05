// SPDX-License-Identifier: BSD-3-Clause
// Damage that a check finds, and copies that never run beside their original.

#include "gw/store/backup.h"
#include "gw/store/check.h"
#include "gw/store/import.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DEVICES 300

static struct bed bed;
static char copy[128];

static void set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
	snprintf(copy, sizeof(copy), "%s/copy.db", bed.top);
}

static void tear_down(void)
{
	bed_remove(&bed);
}

TestSuite(store_check, .init = set_up, .fini = tear_down);

static void add_many(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char id[9];

		snprintf(id, sizeof(id), "%08x", i);
		struct device_spec spec = bed_spec(i, id, "aa");
		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	}
}

static struct store_check run_check(void)
{
	struct store_check check = {0};
	bool done = false;

	while (!done)
		cr_assert_eq(store_check_step(bed.store, &check, &done, &bed.error), 0, "%s",
			bed.error.text);
	return check;
}

Test(store_check, a_store_as_we_wrote_it_has_no_problem)
{
	struct device_spec gone = bed_spec(9999, "bbbb", "aa"),
			   floored = bed_spec(9998, "cc", "aa");

	floored.has_recovery = true;
	floored.recovery = DEVICE_FLOOR;
	add_many(DEVICES);
	cr_assert_eq(bed_add(&bed, &gone), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "bbbb"), 0);
	cr_assert_eq(bed_add(&bed, &floored), DEVICE_ADDED);
	struct store_check check = run_check();
	cr_expect_eq(check.report.problems, 0, "%s", check.report.problem[0].text);
	cr_expect_eq(check.report.devices, DEVICES + 1);
}

Test(store_check, each_kind_of_damage_is_told)
{
	static const struct {
		const char *sql, *words;
	} damages[] = {
		{"UPDATE device SET keys = (SELECT keys FROM device WHERE id = 2) WHERE id = 1",
			"00000000: its keys do not open"},
		{"UPDATE device SET secret = (SELECT secret FROM device WHERE id = 2) WHERE id = 1",
			"00000000: its Master Secret does not open"},
		{"UPDATE device SET sender_hash = zeroblob(16) WHERE id = 1",
			"00000000: its keys are not known"},
		{"DELETE FROM used_key WHERE device = 1", "00000000: its keys are not known"},
		{"UPDATE used_key SET device = 2 WHERE device = 1", "00000000: its keys are not"},
		{"UPDATE used_key SET device = 77 WHERE device = 1", "number 77, which is not"},
		{"UPDATE device SET name = 'a b' WHERE id = 1", "number 1: its row cannot"},
		{"UPDATE device SET recovery = 1 WHERE id = 1", "its keys do not open"},
	};

	add_many(3);
	bed_close(&bed);
	bed_save(&bed);
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		bool told = false;

		bed_sql(&bed, damages[i].sql);
		bed_open(&bed);
		struct store_check check = run_check();
		cr_expect_geq(check.report.problems, 1, "%s", damages[i].sql);
		cr_expect_eq(check.report.devices, 3);
		for (unsigned k = 0; k < check.report.told; k++)
			told |= strstr(check.report.problem[k].text, damages[i].words) != NULL;
		cr_expect(told, "%s: %s", damages[i].sql, check.report.problem[0].text);
		bed_close(&bed);
		bed_restore(&bed);
	}
	bed_open(&bed);
}

// SQLite lets nobody write an index alone; but a disk that rots writes what it likes.
static void rot(const char *from, const char *to)
{
	static uint8_t data[1 << 20];
	char path[160];
	uint8_t *at;

	snprintf(path, sizeof(path), "%s/" STORE_DB, bed.directory);
	int fd = open(path, O_RDWR);
	ssize_t len = read(fd, data, sizeof(data));
	cr_assert(len > 0 && (size_t)len < sizeof(data));
	at = memmem(data, len, from, strlen(from));
	cr_assert_not_null(at);
	memcpy(at, to, strlen(to));
	cr_assert_eq(pwrite(fd, data, len, 0), len);
	close(fd);
}

Test(store_check, an_index_that_does_not_fit_its_table_is_told)
{
	static const struct {
		const char *from, *to;
		const char *words[2];
	} cases[] = {
		// In the table name and device_id follow each other, in an index they do not.
		{"unit-02\x02\x02", "unit-zz\x02\x02",
			{"device unit-zz: it is not found by its name",
				"name of device number 2 is not that of its row"}},
		{"unit-02\x02\x02", "unit-02\x02\x09",
			{"device unit-02: its keys do not open",
				"device_id of device number 2 is not that of its row"}},
	};

	for (unsigned i = 1; i <= 3; i++) {
		char id[5];

		snprintf(id, sizeof(id), "02%02x", i);
		struct device_spec spec = bed_spec(i, id, "aa");
		snprintf(spec.name, sizeof(spec.name), "unit-%02u", i);
		cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	}
	bed_close(&bed);
	bed_save(&bed);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bed_restore(&bed);
		rot(cases[i].from, cases[i].to);
		bed_open(&bed);
		struct store_check check = run_check();
		for (size_t w = 0; w < 2; w++) {
			bool told = false;

			for (unsigned k = 0; k < check.report.told; k++)
				told |= strstr(check.report.problem[k].text, cases[i].words[w]) !=
					NULL;
			cr_expect(told, "%s: %s", cases[i].words[w], check.report.problem[0].text);
		}
		bed_close(&bed);
	}
	bed_restore(&bed);
	bed_open(&bed);
	cr_expect_eq(run_check().report.problems, 0);
}

static void import_many(unsigned count)
{
	struct import_options options = {.never_used = true};
	enum import_state state = IMPORT_MORE;
	struct import *import;
	char path[128];

	snprintf(path, sizeof(path), "%s/rows.csv", bed.top);
	FILE *file = fopen(path, "w");
	fputs("device_id,gateway_id,master_secret,id_context\n", file);
	// Half of them have the same device_id.
	for (unsigned i = 0; i < count; i++)
		fprintf(file, "%06x,aa,%08x,%06x\n", i % 2 ? 1 : i, i + 1, i);
	fclose(file);
	cr_assert_eq(import_open_path(bed.store, path, &options, &import, &bed.error), 0);
	while (state != IMPORT_READ)
		cr_assert_eq(import_step(import, &state, &bed.error), 0);
	cr_assert_eq(bed_import_write(&bed, import), 0, "%s", bed.error.text);
	import_free(import);
}

static uint64_t cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec;
}

// A turn of 5 ms, and the few rows between two looks at the clock.
#ifdef __SANITIZE_ADDRESS__
#define TURN_MAX_NS UINT64_C(200000000) // where a row takes many times as long
#else
#define TURN_MAX_NS UINT64_C(15000000)
#endif

// Whoever wants a run or a mark waits for one turn, however many devices there are.
Test(store_check, a_turn_is_short_and_no_row_is_looked_at_twice, .timeout = 240)
{
	uint64_t longest = UINT64_MAX;

	import_many(30000);
	// Somebody else may slow the processor down in one try, but hardly in all.
	for (unsigned tries = 0; tries < 5 && longest >= TURN_MAX_NS; tries++) {
		struct store_check check = {0};
		bool done = false;

		longest = 0;
		while (!done) {
			uint64_t begun = cpu_ns();

			cr_assert_eq(store_check_step(bed.store, &check, &done, &bed.error), 0);
			uint64_t took = cpu_ns() - begun;
			longest = took > longest ? took : longest;
		}
		cr_expect_eq(check.report.problems, 0, "%s", check.report.problem[0].text);
		cr_expect_eq(check.report.devices, 30000);
	}
	cr_expect_lt(longest, TURN_MAX_NS, "%lu ns", longest);
}

// What comes and goes between two turns is no damage.
Test(store_check, devices_come_and_go_while_a_check_is_under_way, .timeout = 60)
{
	struct store_check check = {0};
	bool done = false, there = false;

	import_many(2000);
	while (!done) {
		struct device_spec spec = bed_spec(77, "77", "aa");

		cr_assert_eq(store_check_step(bed.store, &check, &done, &bed.error), 0);
		spec.never_used = false;
		spec.has_gateway_seq = true;
		if (there)
			cr_assert_eq(bed_remove_device(&bed, "77"), 0);
		else
			cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
		there = !there;
	}
	cr_expect_eq(check.report.problems, 0, "%s", check.report.problem[0].text);
	cr_expect(check.report.devices == 2000 || check.report.devices == 2001);
}

Test(store_check, twenty_problems_are_told_and_all_are_counted)
{
	add_many(30);
	bed_close(&bed);
	bed_sql(&bed, "UPDATE device SET keys = zeroblob(85)");
	bed_open(&bed);
	struct store_check check = run_check();
	cr_expect_eq(check.report.problems, 30);
	cr_expect_eq(check.report.told, CHECK_PROBLEMS_MAX);
}

// Copies.

static int back_up(void)
{
	struct store_backup *backup;
	bool done = false;

	int code = store_backup_open(bed.store, copy, &backup, &bed.error);
	while (code == 0 && !done)
		code = store_backup_step(backup, &done, &bed.error);
	if (backup != NULL)
		store_backup_free(backup);
	return code;
}

// Puts the copy in the place of a store that was lost with its machine's runtime directory.
static void restore_copy(void)
{
	char path[256];

	bed_close(&bed);
	snprintf(path, sizeof(path), "%s/" STORE_DB, bed.directory);
	cr_assert_eq(rename(copy, path), 0);
	snprintf(path, sizeof(path), "%s/" STORE_MARK, bed.directory);
	cr_assert_eq(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/" STORE_MARK, bed.runtime);
	cr_assert_eq(unlink(path), 0);
}

static bool there(const char *path)
{
	return access(path, F_OK) == 0;
}

Test(store_check, a_backup_opens_only_by_adoption)
{
	struct device_keyed device;
	struct stat st;
	uint32_t run;

	add_many(2);
	cr_assert_eq(back_up(), 0, "%s", bed.error.text);
	cr_assert_eq(stat(copy, &st), 0);
	cr_expect_eq(st.st_mode & 07777, 0600);
	// The original goes on.
	cr_expect_eq(store_run_grant(bed.store, &run, &bed.error), 0);
	restore_copy();
	cr_expect_eq(store_open(&bed.config, &bed.store, &bed.error), -ESTALE);
	cr_expect(strstr(bed.error.text, "is a backup") != NULL, "%s", bed.error.text);
	cr_expect(strstr(bed.error.text, "posternctl store adopt") != NULL, "%s", bed.error.text);
	cr_assert_eq(store_adopt(&bed.config, &run, &bed.error), 0, "%s", bed.error.text);
	cr_expect_geq(run, 2048);
	bed_open(&bed);
	cr_expect_eq(bed_load(&bed, "00000001", &device), 2);
	cr_expect_not(device.window_known);
	cr_expect_eq(run_check().report.problems, 0);
}

Test(store_check, what_is_stored_while_a_backup_is_made_is_in_it)
{
	struct store_backup *backup;
	bool done = false;
	unsigned added = 0;

	add_many(DEVICES);
	cr_assert_eq(store_backup_open(bed.store, copy, &backup, &bed.error), 0);
	for (unsigned turns = 0; !done; turns++) {
		char id[9];

		cr_assert_eq(store_backup_step(backup, &done, &bed.error), 0, "%s", bed.error.text);
		cr_expect_eq(there(copy), done);
		snprintf(id, sizeof(id), "ff%06x", turns);
		struct device_spec spec = bed_spec(70000 + turns, id, "aa");
		if (!done)
			cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
		added += !done;
	}
	store_backup_free(backup);
	restore_copy();
	cr_assert_eq(store_adopt(&bed.config, NULL, &bed.error), 0);
	bed_open(&bed);
	cr_expect_eq(bed_load(&bed, NULL, NULL), DEVICES + added);
}

Test(store_check, a_backup_overwrites_nothing_and_leaves_nothing)
{
	struct store_backup *backup;
	char part[256];

	add_many(2);
	snprintf(part, sizeof(part), "%s.part", copy);
	bed_write(copy, "mine", 4);
	cr_expect_eq(back_up(), -EEXIST);
	unlink(copy);
	bed_write(part, "mine", 4);
	cr_expect_eq(back_up(), -EEXIST);
	cr_expect(there(part));
	unlink(part);
	// One that is given up.
	cr_assert_eq(store_backup_open(bed.store, copy, &backup, &bed.error), 0);
	cr_expect(there(part));
	store_backup_free(backup);
	cr_expect_not(there(part));
	cr_expect_not(there(copy));
	// One whose name was taken meanwhile.
	bool done = false;
	cr_assert_eq(store_backup_open(bed.store, copy, &backup, &bed.error), 0);
	bed_write(copy, "mine", 4);
	int code = 0;
	while (code == 0 && !done)
		code = store_backup_step(backup, &done, &bed.error);
	cr_expect_eq(code, -EEXIST);
	store_backup_free(backup);
	cr_expect_not(there(part));
	struct stat st;
	cr_assert_eq(stat(copy, &st), 0);
	cr_expect_eq(st.st_size, 4);
	unlink(copy);
	// And one in a folder that is not there.
	snprintf(copy, sizeof(copy), "%s/no/copy.db", bed.top);
	cr_expect_eq(back_up(), -ENOENT);
}

// Damage of the file as a whole.

static uint8_t file[1 << 20];
static size_t file_len;

static void file_get(char path[256])
{
	bed_close(&bed);
	snprintf(path, 256, "%s/" STORE_DB, bed.directory);
	int fd = open(path, O_RDONLY);
	ssize_t len = read(fd, file, sizeof(file));
	close(fd);
	cr_assert(len > 0 && (size_t)len < sizeof(file));
	file_len = len;
}

struct expected {
	struct osc_keys keys;
	uint64_t mark;
	unsigned seen;
};

// What loads is what was written: never other keys, never a lower mark.
static int expect_written(void *arg, const struct device_keyed *device)
{
	const struct expected *expected = arg;

	cr_expect_arr_eq(&device->keys, &expected->keys, sizeof(device->keys));
	cr_expect_eq(device->mark, expected->mark);
	cr_expect_eq(device->recovery, DEVICE_FLOOR);
	cr_expect_eq(device->run_base, 5);
	return 0;
}

// Refused, or safe: whatever loads is as it was written, and no run is granted twice.
static void expect_refused_or_safe(const struct expected *expected, const char *what, size_t at)
{
	struct store_load_result result;
	uint32_t run = 0;

	int code = store_open(&bed.config, &bed.store, &bed.error);
	if (code == 0)
		code = store_load(bed.store, expect_written, (void *)expected, &result, &bed.error);
	if (code == 0)
		code = store_start(bed.store, &bed.error);
	if (code == 0)
		code = store_run_grant(bed.store, &run, &bed.error);
	if (code == 0)
		cr_expect_geq(run, 1, "%s %zu: run %u", what, at, run);
	else
		cr_expect(bed.error.text[0] != 0, "%s %zu: %d without a word", what, at, code);
	bed_close(&bed);
	unlink(bed.boot);
	bed_write(bed.boot, "01234567-89ab-cdef-0123-456789abcdef\n", 37);
}

static void mark_put(const char *directory)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/" STORE_MARK, directory);
	bed_write(path, "postern run mark 3: 1 0\n", 24);
}

static void damage_begin(struct expected *expected, char path[256])
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;
	uint32_t run;

	spec.has_recovery = true;
	spec.recovery = DEVICE_FLOOR;
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_load(&bed, "01", &device);
	cr_assert_eq(bed_raise_base(&bed, device.id, 5), 0);
	cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0);
	*expected = (struct expected){.keys = device.keys, .mark = 32};
	file_get(path);
}

Test(store_check, a_truncated_store_is_refused_or_safe)
{
	struct expected expected;
	char path[256];

	damage_begin(&expected, path);
	for (size_t len = 0; len < file_len; len += len < 512 ? 37 : 1024) {
		bed_write(path, file, len);
		mark_put(bed.directory);
		mark_put(bed.runtime);
		if (len == 0) { // an empty file is a new store, were it not for the mark
			cr_expect_eq(store_open(&bed.config, &bed.store, &bed.error), -ESTALE);
			continue;
		}
		expect_refused_or_safe(&expected, "length", len);
	}
}

Test(store_check, a_bit_flipped_anywhere_is_refused_or_safe)
{
	struct expected expected;
	char path[256];

	damage_begin(&expected, path);
	// Pages are mostly empty: only bytes that are something, and a few that are nothing.
	for (size_t at = 0, n = 0; at < file_len; at++) {
		if (file[at] == 0 && at % 97 != 0)
			continue;
		uint8_t bit = 1 << n++ % 8;
		file[at] ^= bit;
		bed_write(path, file, file_len);
		file[at] ^= bit;
		mark_put(bed.directory);
		mark_put(bed.runtime);
		expect_refused_or_safe(&expected, "byte", at);
	}
}
