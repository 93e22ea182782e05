// SPDX-License-Identifier: BSD-3-Clause
// Import: all or nothing, whatever else happens meanwhile; what was written is handed out.

#include "gw/store/backup.h"
#include "tests/unit/gw/store/import_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

TestSuite(import, .init = import_set_up, .fini = import_tear_down);

static uint64_t id_of(const char *name)
{
	struct device_info info;

	cr_assert_eq(store_show(bed.store, name, &info, &bed.error), 0, "%s", name);
	return info.id;
}

Test(import, limits_change_when_it_replaces)
{
	struct device_keyed devices[4];
	size_t count;

	import_expect_added(
		LIMITS_HEADER "01,aa," SECRET ",1,1038,7\n02,aa,02,1,,\n03,aa,03,1,,9\n", 3);
	uint64_t id = id_of("01");
	cr_assert_eq(bed_raise_base(&bed, id, 5), 0);
	cr_assert_eq(import_run_replacing(LIMITS_HEADER "01,aa," SECRET ",1,,8\n02,aa,02,1,,\n"
							"03,aa,33,1,,\n04,aa,04,1,,\n"),
		0, "%s", bed.error.text);
	cr_expect_eq(report.changed, 1);
	cr_expect_eq(report.unchanged, 1);
	cr_expect_eq(report.replaced, 1);
	cr_expect_eq(report.added, 1);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 3);
	cr_expect(devices[0].changed && devices[0].id == id);
	cr_expect_eq(devices[0].settings.max_message, 1038);
	cr_expect_eq(devices[0].settings.max_in_flight, 8);
	cr_expect_not(devices[0].window_known);
	cr_expect_not(devices[1].changed);
	cr_expect_not(devices[2].changed);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(bed_load(&bed, "01", &devices[0]), 4);
		cr_expect_eq(devices[0].id, id);
		cr_expect_eq(devices[0].settings.max_message, 1038);
		cr_expect_eq(devices[0].settings.max_in_flight, 8);
		cr_expect_eq(devices[0].run_base, 5);
		import_free(import);
		import = NULL;
		bed_close(&bed);
		bed_open(&bed);
	}
}

// Else it would depend on their order what counts.
Test(import, one_that_replaces_has_no_device_twice)
{
	static const char *const rows[] = {"01,aa," SECRET ",1,,8\n01,aa," SECRET ",1,,9\n",
		"01,aa," SECRET ",1,,7\n01,aa," SECRET ",1,,8\n"};
	struct device_keyed device;
	char text[512];

	import_expect_added(LIMITS_HEADER "01,aa," SECRET ",1,,7\n", 1);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), LIMITS_HEADER "%s", rows[i]);
		cr_expect_eq(import_run_replacing(text), -EBADMSG);
		cr_expect_eq(report.bad, 1);
		cr_expect_eq(report.changed, 0);
		cr_expect_eq(report.bad_row[0].line, 3);
		cr_expect(strstr(report.bad_row[0].error.text, "in the file before (line 2)"), "%s",
			report.bad_row[0].error.text);
		cr_assert_eq(bed_load(&bed, "01", &device), 1);
		cr_expect_eq(device.settings.max_in_flight, 7);
	}
}

Test(import, duplicates_in_a_file_are_found)
{
	static const struct {
		const char *rows, *why;
	} cases[] = {
		{"01,aa," SECRET ",,n1,1\n", "in the file before (line 2)"},
		{"01,bb," SECRET ",,other,1\n", "device n1 has this device_id"},
		{"03,aa,ffff,,n1,1\n", "the name n1 (line 2)"},
		{"aa,01," SECRET ",,swapped,1\n", "those of device n1"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		snprintf(text, sizeof(text),
			MORE_HEADER "01,aa," SECRET ",,n1,1\n02,bb,ff,,n2,1\n%s", cases[i].rows);
		import_expect_bad(text, 4, cases[i].why);
		cr_expect(strstr(report.bad_row[0].error.text, "(line 2)") != NULL);
		cr_assert_eq(import_run_bytes(
				     text, strlen(text), &(struct import_options){.replace = true}),
			-EBADMSG);
	}
}

Test(import, the_first_twenty_bad_rows_are_named_in_order_and_all_are_counted)
{
	static char text[16384];
	char *to = stpcpy(text, HEADER);

	// Duplicates, which are found late, before rows that are found early.
	for (int i = 0; i < 15; i++)
		to += sprintf(to, "01,aa," SECRET ",true\n");
	for (int i = 0; i < 30; i++)
		to += sprintf(to, "zz,aa," SECRET ",true\n");
	cr_expect_eq(import_run(text), -EBADMSG);
	cr_expect_eq(report.rows, 45);
	cr_expect_eq(report.bad, 44);
	cr_expect_eq(report.named, IMPORT_ERRORS_MAX);
	for (unsigned i = 0; i < report.named; i++)
		cr_expect_eq(report.bad_row[i].line, i + 3);
	cr_expect_eq(report.added, 0);
}

Test(import, never_used_may_be_said_for_the_whole_file)
{
	static const char text[] = "device_id,gateway_id,master_secret,never_used,gateway_seq\n"
				   "01,aa,01,,\n02,aa,02,true,\n03,aa,03,,5\n";
	static const char refused[] = "device_id,gateway_id,master_secret,never_used\n"
				      "04,aa,04,false\n";
	struct import_options options = {.never_used = true};
	struct device_keyed devices[4];
	size_t count;

	cr_assert_eq(import_run_bytes(text, sizeof(text) - 1, &options), 0);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 3);
	cr_expect(devices[0].window_known && devices[1].window_known);
	cr_expect_not(devices[2].window_known);
	cr_expect_eq(devices[2].run_base, 1);
	cr_expect_eq(import_run_bytes(refused, sizeof(refused) - 1, &options), -EBADMSG);
}

Test(import, a_fleet_imported_again_is_left_as_it_is)
{
	static const char text[] = HEADER "01,aa,01,true\n02,aa,02,true\n03,aa,03,true\n";
	static const char grown[] = HEADER "01,aa,01,true\n04,aa,04,true\n03,aa,03,true\n";
	struct device_keyed devices[4], before, after;
	size_t count;

	import_expect_added(text, 3);
	cr_assert_eq(bed_load(&bed, "01", &before), 3);
	import_expect_added(text, 0);
	cr_expect_eq(report.unchanged, 3);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_expect_eq(count, 0);
	import_expect_added(grown, 1);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 1);
	cr_expect_str_eq(devices[0].name, "04");
	cr_assert_eq(bed_load(&bed, "01", &after), 4);
	cr_expect_eq(before.id, after.id);
}

Test(import, replacing_retires_the_keys_in_the_same_transaction)
{
	struct import_options replace = {.replace = true};
	static const char a[] = HEADER "01,aa,01,true\n02,aa,02,true\n";
	static const char b[] = HEADER "01,aa,11,true\n02,aa,02,true\n";
	struct device_keyed device, devices[4];
	size_t count;

	import_expect_added(a, 2);
	cr_assert_eq(bed_load(&bed, "01", &device), 2);
	cr_expect_eq(import_run(b), -EBADMSG);
	cr_assert_eq(import_run_bytes(b, sizeof(b) - 1, &replace), 0);
	cr_expect(report.replaced == 1 && report.unchanged == 1 && report.added == 0);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 1);
	cr_expect_eq(devices[0].replaces, device.id);
	cr_expect(devices[0].window_known);
	// Back to the keys before.
	cr_expect_eq(import_run_bytes(a, sizeof(a) - 1, &replace), -EBADMSG);
	cr_expect(strstr(report.bad_row[0].error.text, "in use here before") != NULL);
}

Test(import, what_was_committed_is_handed_out_once_in_chunks)
{
	static char text[65536];
	struct device_keyed devices[7];
	size_t count, total = 0;
	char *to = stpcpy(text, HEADER);

	for (int i = 0; i < 600; i++)
		to += sprintf(to, "%04x,aa,%04x,true\n", i, i);
	import_expect_added(text, 600);
	do {
		cr_assert_eq(import_next(import, devices, 7, &count, &bed.error), 0);
		for (size_t i = 0; i < count; i++)
			cr_expect(devices[i].device_id[0] << 8 == (int)((total + i) & 0xff00) &&
				devices[i].device_id[1] == ((total + i) & 0xff));
		total += count;
	} while (count > 0);
	cr_expect_eq(total, 600);
}

// A removal between two chunks is told to the data plane before the device would be.
Test(import, what_was_removed_or_replaced_since_is_not_handed_out)
{
	static const char text[] = HEADER "01,aa,01,true\n02,aa,02,true\n03,aa,03,true\n"
					  "04,aa,04,true\n";
	struct device_spec other = bed_spec(77, "03", "aa");
	struct device_keyed devices[4];
	size_t count;

	import_expect_added(text, 4);
	cr_assert_eq(import_next(import, devices, 1, &count, &bed.error), 0);
	cr_assert_eq(count, 1);
	cr_assert_eq(bed_remove_device(&bed, "02"), 0);
	cr_assert_eq(bed_replace(&bed, &other), DEVICE_REPLACED);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 1);
	cr_expect_str_eq(devices[0].name, "04");
	cr_expect(devices[0].window_known);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_expect_eq(count, 0);
}

Test(import, a_file_of_more_devices_than_allowed_is_read_no_further)
{
	static const char text[] = HEADER "01,aa,01,true\n02,aa,02,true\n03,aa,03,true\nzz,\n";
	static const char one[] = HEADER "03,aa,03,true\n";

	bed_close(&bed);
	bed.config.max_devices = 2;
	bed_open(&bed);
	cr_expect_eq(import_run(text), -EDQUOT);
	cr_expect(strstr(bed.error.text, "more than 2 devices") != NULL, "%s", bed.error.text);
	cr_expect_eq(report.bad, 0);
	import_expect_added(HEADER "01,aa,01,true\n02,aa,02,true\n", 2);
	cr_expect_eq(import_run(one), -EDQUOT);
	cr_expect_eq(store_count(bed.store), 2);
}

static bool shadow_there(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/" STORE_SHADOW, bed.directory);
	return access(path, F_OK) == 0;
}

// Reads `rows` rows, from device_id `first` on.
static void read_rows(unsigned first, unsigned rows, const struct import_options *options)
{
	static char text[131072];
	enum import_state state = IMPORT_MORE;
	char *to = stpcpy(text, "device_id,gateway_id,master_secret,never_used,max_in_flight\n");

	for (unsigned i = first; i < first + rows; i++)
		to += sprintf(to, "%04x,aa,%04x,true,%s\n", i, i, i == 2 ? "9" : "");
	cr_assert_eq(import_read_file(text, to - text, options), 0);
	cr_assert_eq(import_step(import, &state, &bed.error), 0);
	cr_assert_eq(state, IMPORT_READ);
}

// Wherever it is.
// A step ends when there are no rows in what it reads, too: between steps it can be cancelled.
Test(import, a_file_without_end_is_read_in_steps)
{
	const struct import_options options = {.format = IMPORT_CSV};
	enum import_state state = IMPORT_WAIT;
	struct import_progress progress;

	cr_assert_eq(import_open_path(bed.store, "/dev/zero", &options, &import, &bed.error), 0);
	cr_assert_eq(import_step(import, &state, &bed.error), 0);
	cr_expect_eq(state, IMPORT_MORE);
	import_progress(import, &progress);
	cr_expect_leq(progress.bytes, 1 << 20);
	import_free(import);
	import = NULL;
}

Test(import, a_cancelled_import_leaves_nothing)
{
	bool done = false;
	int turns = 0;

	for (int cancel = 0; !done; cancel++) {
		read_rows(0, 2000, &(struct import_options){0});
		for (turns = 0; turns < cancel && !done; turns++)
			cr_assert_eq(import_write(import, &done, &bed.error), 0);
		import_free(import);
		import = NULL;
		cr_expect_not(shadow_there());
		cr_assert_eq(store_count(bed.store), done ? 2000 : 0);
		cr_expect_eq(bed_load(&bed, NULL, NULL), done ? 2000 : 0);
	}
	cr_expect_gt(turns, 3);
}

Test(import, a_copy_that_a_crash_left_is_removed)
{
	char path[256];

	bed_close(&bed);
	snprintf(path, sizeof(path), "%s/" STORE_SHADOW, bed.directory);
	bed_write(path, "half a database", 15);
	bed_open(&bed);
	cr_expect_not(shadow_there());
}

// What the workers need on the disk while a large import is being written.
static void raise_all(uint32_t value)
{
	static const char *const names[] = {"0001", "0002", "0003", "floor"};
	struct store_raise mark = {.id = id_of("floor"), .value = 100 * value};

	for (unsigned i = 0; i < 4; i++)
		cr_assert_eq(bed_raise_base(&bed, id_of(names[i]), value + i), 0);
	cr_assert_eq(store_marks_raise(bed.store, &mark, 1, &bed.error), 0);
	cr_assert_eq(mark.result, 0);
}

// 0001 is replaced by the import, 0002 gets another limit, 0004 is unchanged.
static void import_over_others(uint32_t *value)
{
	struct device_spec spec = bed_spec(99, "ffff", "aa");
	struct device_info info;
	bool done = false;
	uint32_t run;

	bed.store->direct_rows = 0;
	read_rows(0, 1500, &(struct import_options){.replace = true});
	while (!done) {
		raise_all(++*value);
		cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0);
		cr_assert_eq(store_show(bed.store, "0001", &info, &bed.error), 0);
		cr_expect_eq(info.run_base, *value, "the state of now");
		cr_assert_eq(import_write(import, &done, &bed.error), 0, "%s", bed.error.text);
		if (store_importing(bed.store)) {
			cr_expect_eq(bed_add(&bed, &spec), -EAGAIN);
			cr_expect_eq(bed_remove_device(&bed, "0001"), -EAGAIN);
		}
		cr_assert_lt(*value, 10000);
	}
}

Test(import, what_is_raised_and_granted_meanwhile_stays)
{
	static const char rows[] = "device_id,gateway_id,master_secret,never_used,name,recovery\n"
				   "0001,aa,aaaa,true,,\n0002,aa,0002,true,,\n"
				   "0003,aa,bbbb,true,,\n0004,aa,0004,true,,\n"
				   "f0,aa,f0,true,floor,floor\n";
	struct device_spec old = bed_spec(0, "0001", "aa");
	struct device_keyed device;
	uint32_t value = 0;

	import_expect_added(rows, 5);
	import_free(import);
	import = NULL;
	import_over_others(&value);
	import_report(import, &report);
	cr_expect_eq(report.replaced, 2);
	cr_expect_eq(report.changed, 1);
	cr_expect_eq(report.unchanged, 1);
	cr_expect_eq(report.added, 1496);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(store_count(bed.store), 1501);
		cr_expect_eq(bed_load(&bed, "floor", &device), 1501);
		cr_expect_eq(device.mark, 100 * value);
		cr_expect_eq(device.run_base, value + 3);
		cr_expect_eq(bed_run_base(&bed, "0002"), value + 1);
		cr_expect_eq(bed_run_base(&bed, "0001"), 0);
		cr_expect_eq(bed_load(&bed, "0002", &device), 1501);
		cr_expect_eq(device.settings.max_in_flight, 9);
		import_free(import);
		import = NULL;
		bed_close(&bed);
		bed_open(&bed);
	}
	// The keys that were replaced come back only above what they were used with.
	memset(old.params.secret, 0xaa, 2);
	old.params.secret_len = 2;
	old.never_used = false;
	old.has_gateway_seq = true;
	cr_expect_eq(bed_replace(&bed, &old), DEVICE_REPLACED, "%s", bed.error.text);
	cr_expect_gt(bed_run_base(&bed, "0001") + store_current_run(bed.store), value);
}

// However many bases and marks rise between two of its turns.
Test(import, an_import_ends_while_all_devices_change)
{
	static struct store_raise bases[1000];
	struct import_options options = {.never_used = true};
	bool done = false;
	int turns = 0;

	read_rows(0, 1000, &options);
	cr_assert_eq(bed_import_write(&bed, import), 0);
	import_free(import);
	read_rows(1000, 1000, &options);
	while (!done) {
		cr_assert_lt(++turns, 200);
		for (unsigned i = 0; i < 1000; i++)
			bases[i] = (struct store_raise){.id = i + 1, .value = turns};
		cr_assert_eq(store_bases_raise(bed.store, bases, 1000, &bed.error), 0);
		cr_assert_eq(import_write(import, &done, &bed.error), 0, "%s", bed.error.text);
	}
	cr_expect_eq(bed_run_base(&bed, "0000"), turns);
	cr_expect_eq(bed_run_base(&bed, "03e7"), turns);
}

Test(import, a_backup_under_way_is_waited_for)
{
	struct store_backup *backup;
	char path[256];
	bool done = false, copied = false;

	bed.store->direct_rows = 0;
	read_rows(0, 1500, &(struct import_options){0});
	snprintf(path, sizeof(path), "%s/backup.db", bed.top);
	cr_assert_eq(store_backup_open(bed.store, path, &backup, &bed.error), 0);
	for (int i = 0; i < 100; i++)
		cr_assert(import_write(import, &done, &bed.error) == 0 && !done);
	while (!copied)
		cr_assert_eq(store_backup_step(backup, &copied, &bed.error), 0);
	store_backup_free(backup);
	cr_assert_eq(bed_import_write(&bed, import), 0);
	cr_expect_eq(store_count(bed.store), 1500);
}

Test(import, a_device_added_between_two_turns_is_in_the_way)
{
	enum import_state state = IMPORT_MORE;
	static const char text[] = HEADER "01,aa,01,true\n";
	struct device_spec spec = bed_spec(1, "01", "aa");
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	cr_assert_eq(
		import_open_fd(bed.store, fds[0], &(struct import_options){0}, &import, &bed.error),
		0);
	cr_assert_eq(write(fds[1], text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	while (state != IMPORT_WAIT)
		cr_assert_eq(import_step(import, &state, &bed.error), 0);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	close(fds[1]);
	while (state != IMPORT_READ)
		cr_assert_eq(import_step(import, &state, &bed.error), 0);
	cr_expect_eq(bed_import_write(&bed, import), -EBADMSG);
	import_report(import, &report);
	cr_expect(strstr(report.bad_row[0].error.text, "with other keys") != NULL);
	cr_expect(strstr(report.bad_row[0].error.text, "(line") == NULL);
	cr_expect_eq(store_count(bed.store), 1);
}

Test(import, errors_never_quote_a_secret)
{
	import_run(HEADER "01,aa,secretsecretsecret,true\n");
	cr_expect(strstr(report.bad_row[0].error.text, "secretsecret") == NULL);
	import_run(HEADER "01,deadbeefdeadbeefdeadbeef,aa,true\n");
	cr_expect(strstr(report.bad_row[0].error.text, "deadbeef") == NULL);
}
