// SPDX-License-Identifier: BSD-3-Clause
// Import: formats as in docs/import.md, all or nothing, bad rows by their line.

#include "gw/device/record.h"
#include "gw/store/backup.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define SECRET "000102030405060708090a0b0c0d0e0f"
#define HEADER "device_id,gateway_id,master_secret,never_used\n"

static struct bed bed;
static struct import *import;
static struct import_report report;

// The same tests are there for imports that are written to a copy of the database.
#ifndef DIRECT_ROWS
#define DIRECT_ROWS STORE_DIRECT_ROWS
#endif

static void set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
	bed.store->direct_rows = DIRECT_ROWS;
}

static void tear_down(void)
{
	import_free(import);
	bed_remove(&bed);
}

TestSuite(import, .init = set_up, .fini = tear_down);

// The text comes through a pipe in pieces of this size; 0: as a file.
static size_t piece;

static int read_pieces(const char *text, size_t len, const struct import_options *options)
{
	enum import_state state;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	int code = import_open_fd(bed.store, fds[0], options, &import, &bed.error);
	for (size_t at = 0; code == 0 && at < len; at += piece) {
		size_t n = len - at < piece ? len - at : piece;
		cr_assert_eq(write(fds[1], text + at, n), (ssize_t)n);
		do {
			code = import_step(import, &state, &bed.error);
			cr_assert(code != 0 || state != IMPORT_READ);
		} while (code == 0 && state == IMPORT_MORE);
	}
	close(fds[1]);
	while (code == 0 && (code = import_step(import, &state, &bed.error)) == 0 &&
		state != IMPORT_READ)
		continue;
	return code;
}

static int read_file(const char *text, size_t len, const struct import_options *options)
{
	enum import_state state = IMPORT_MORE;
	int fd = memfd_create("import", 0);

	cr_assert_eq(write(fd, text, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	int code = import_open_fd(bed.store, fd, options, &import, &bed.error);
	while (code == 0 && state != IMPORT_READ)
		code = import_step(import, &state, &bed.error);
	return code;
}

static int run_bytes(const char *text, size_t len, const struct import_options *options)
{
	import_free(import);
	import = NULL;
	int code = piece ? read_pieces(text, len, options) : read_file(text, len, options);
	if (code == 0)
		code = bed_import_write(&bed, import);
	import_report(import, &report);
	return code;
}

static int run(const char *text)
{
	return run_bytes(text, strlen(text), &(struct import_options){0});
}

static void expect_added(const char *text, uint64_t count)
{
	uint64_t before = store_count(bed.store);
	int code = run(text);

	cr_expect_eq(code, 0, "%s: %s: line %lu: %s", text, bed.error.text, report.bad_row[0].line,
		report.bad_row[0].error.text);
	cr_expect_eq(report.added, count, "%s", text);
	cr_expect_eq(store_count(bed.store), before + count);
}

// One bad row, on that line, with a text that says so; the good row beside it is not imported.
static void expect_bad(const char *text, uint64_t line, const char *why)
{
	int code = run(text);

	cr_expect_eq(code, -EBADMSG, "%s: %d", text, code);
	cr_expect_eq(report.bad, 1, "%s: %lu bad", text, report.bad);
	cr_expect_eq(report.bad_row[0].line, line, "%s: line %lu", text, report.bad_row[0].line);
	cr_expect(strstr(report.bad_row[0].error.text, why) != NULL, "%s: %s", text,
		report.bad_row[0].error.text);
	cr_expect_eq(store_count(bed.store), 0, "%s", text);
}

static void expect_broken(const char *text, const char *why)
{
	cr_expect_eq(run(text), -EBADMSG, "%s", text);
	cr_expect(strstr(bed.error.text, why) != NULL, "%s: %s", text, bed.error.text);
	cr_expect_eq(store_count(bed.store), 0, "%s", text);
}

Test(import, csv_by_rfc_4180)
{
	static const char *const text[] = {
		// line ends, also none at the end; blank lines; a byte order mark
		HEADER "01,aa," SECRET ",true\n",
		HEADER "01,aa," SECRET ",true",
		"device_id,gateway_id,master_secret,never_used\r\n01,aa," SECRET ",true\r\n",
		"\xef\xbb\xbf" HEADER "01,aa," SECRET ",true\n",
		"\n" HEADER "\r\n01,aa," SECRET ",true\n\n\n",
		// quotes, columns in any order, columns that say nothing
		"\"device_id\",gateway_id,\"master_secret\",never_used\n\"01\",\"aa\"," SECRET
		",\"true\"\n",
		"never_used,master_secret,name,gateway_id,device_id,gateway_seq,id_context,"
		"algorithm,"
		"master_salt\nTRUE," SECRET ",01,aa,01,,,,\n",
		// what spreadsheets leave: columns at the end and lines without a value
		HEADER "01,aa," SECRET ",true,,\n,,,,,\n,,,\n",
		"device_id,gateway_id,master_secret,never_used,,,,,,,,,,,,,,,,,,,\r\n"
		"01,aa," SECRET ",true\r\n,,,,,,\r\n",
		",,,\ndevice_id,gateway_id,master_secret,never_used,\n01,aa," SECRET ",true,\n",
		// a byte order mark, blanks and JSON
		"\xef\xbb\xbf "
		"\t\r\n[{\"device_id\":\"01\",\"gateway_id\":\"aa\",\"master_secret\":\"" SECRET
		"\",\"never_used\":true}]",
	};

	for (piece = 0; piece < 2; piece++) {
		for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
			expect_added(text[i], 1);
			cr_assert_eq(bed_remove_device(&bed, "01"), 0, "%s", text[i]);
			bed_close(&bed);
			bed_remove(&bed);
			set_up();
		}
	}
}

Test(import, every_column_has_its_meaning)
{
	struct device_keyed device;
	struct osc_keys keys;
	struct device_spec spec = bed_spec(0, "", "0A");

	expect_added(
		"device_id,gateway_id,master_secret,master_salt,id_context,algorithm,name,"
		"never_used,gateway_seq\n"
		",0A,00000000000000000000000000000001,\"0102\",\"\",A128GCM,pump,false,65536\n",
		1);
	spec.params.salt_len = 2;
	memcpy(spec.params.salt, "\1\2", 2);
	spec.params.has_id_context = true;
	spec.params.alg = AEAD_AES_128_GCM;
	cr_assert_eq(osc_derive(&keys, &spec.params), 0);
	cr_assert_eq(bed_load(&bed, "pump", &device), 1);
	cr_expect_eq(device.alg, AEAD_AES_128_GCM);
	cr_expect(device.has_id_context && device.id_context_len == 0);
	cr_expect_eq(device.device_id_len, 0);
	cr_expect_eq(device.run_base, 2);
	cr_expect_arr_eq(device.keys.sender_key, keys.sender_key, 16);
	cr_expect_arr_eq(device.keys.common_iv, keys.common_iv, 12);
}

static uint64_t id_of(const char *name)
{
	struct device_info info;

	cr_assert_eq(store_show(bed.store, name, &info, &bed.error), 0, "%s", name);
	return info.id;
}

Test(import, limits_of_a_device_have_a_range)
{
#define LIMITS_HEADER "device_id,gateway_id,master_secret,never_used,max_message,max_in_flight\n"
	static const struct {
		const char *values, *why;
	} bad[] = {{"63,", "max_message: from 64 to 9216"}, {"9217,", "max_message: from"},
		{"0,", "max_message: from"}, {"65600,", "max_message: from"},
		{"-1,", "max_message: not a whole number"}, {",0", "max_in_flight: from 1 to 255"},
		{",256", "max_in_flight: from"}, {",257.5", "max_in_flight: not"}};
	struct device_keyed device;
	char text[512];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(
			text, sizeof(text), LIMITS_HEADER "03,aa," SECRET ",1,%s\n", bad[i].values);
		expect_bad(text, 2, bad[i].why);
	}
	expect_added(LIMITS_HEADER "01,aa," SECRET ",1,1038,7\n", 1);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_eq(device.limits.max_message, 1038);
	cr_expect_eq(device.limits.max_in_flight, 7);
	expect_added("{\"device_id\":\"02\",\"gateway_id\":\"bb\",\"master_secret\":\"" SECRET
		     "\",\"never_used\":true,\"max_message\":9216}",
		1);
	cr_assert_eq(bed_load(&bed, "02", &device), 2);
	cr_expect_eq(device.limits.max_message, 9216);
	cr_expect_eq(device.limits.max_in_flight, 0);
	// The same again is left as it is, and other limits are not taken silently.
	expect_added(LIMITS_HEADER "01,aa," SECRET ",1,,\n", 0);
	cr_expect_eq(run(LIMITS_HEADER "01,aa," SECRET ",1,1039,7\n"), -EBADMSG);
	cr_expect_eq(run(LIMITS_HEADER "01,aa," SECRET ",1,1038,8\n"), -EBADMSG);
}

static int run_replacing(const char *text)
{
	return run_bytes(text, strlen(text), &(struct import_options){.replace = true});
}

Test(import, limits_change_when_it_replaces)
{
	struct device_keyed devices[4];
	size_t count;

	expect_added(LIMITS_HEADER "01,aa," SECRET ",1,1038,7\n02,aa,02,1,,\n03,aa,03,1,,9\n", 3);
	uint64_t id = id_of("01");
	cr_assert_eq(bed_raise_base(&bed, id, 5), 0);
	cr_assert_eq(run_replacing(LIMITS_HEADER "01,aa," SECRET ",1,,8\n02,aa,02,1,,\n"
						 "03,aa,33,1,,\n04,aa,04,1,,\n"),
		0, "%s", bed.error.text);
	cr_expect_eq(report.changed, 1);
	cr_expect_eq(report.unchanged, 1);
	cr_expect_eq(report.replaced, 1);
	cr_expect_eq(report.added, 1);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 3);
	cr_expect(devices[0].changed && devices[0].id == id);
	cr_expect_eq(devices[0].limits.max_message, 1038);
	cr_expect_eq(devices[0].limits.max_in_flight, 8);
	cr_expect_not(devices[0].window_known);
	cr_expect_not(devices[1].changed);
	cr_expect_not(devices[2].changed);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(bed_load(&bed, "01", &devices[0]), 4);
		cr_expect_eq(devices[0].id, id);
		cr_expect_eq(devices[0].limits.max_message, 1038);
		cr_expect_eq(devices[0].limits.max_in_flight, 8);
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

	expect_added(LIMITS_HEADER "01,aa," SECRET ",1,,7\n", 1);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), LIMITS_HEADER "%s", rows[i]);
		cr_expect_eq(run_replacing(text), -EBADMSG);
		cr_expect_eq(report.bad, 1);
		cr_expect_eq(report.changed, 0);
		cr_expect_eq(report.bad_row[0].line, 3);
		cr_expect(strstr(report.bad_row[0].error.text, "in the file before (line 2)"), "%s",
			report.bad_row[0].error.text);
		cr_assert_eq(bed_load(&bed, "01", &device), 1);
		cr_expect_eq(device.limits.max_in_flight, 7);
	}
}

Test(import, json_says_the_same)
{
	static const char *const object =
		"{\"device_id\":\"01\",\"gateway_id\":\"aa\",\"master_secret\":\"" SECRET
		"\",\"master_salt\":\"\",\"id_context\":null,\"algorithm\":10,\"name\":\"01\","
		"\"never_used\":true,\"gateway_seq\":null}";
	static const char *const form[] = {
		"%s", "%s\n", "[%s]", " [ %s\r\n] \n", "\xef\xbb\xbf[%s]", "\n\n%s"};

	for (piece = 0; piece < 2; piece++) {
		for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
			char text[512];
			snprintf(text, sizeof(text), form[i], object);
			expect_added(text, 1);
			bed_remove(&bed);
			set_up();
		}
	}
	piece = 0;
	expect_added("[]", 0);
	expect_added("[{ \"\\u0064evice_id\" : \"0\\u0031\" ,\n\t\"gateway_id\":\"\\u0061a\", "
		     "\"master_secret\":\"" SECRET "\",\"algorithm\":\"aes-ccm-16-64-128\",\n"
		     "\"gateway_seq\":0},\n{\"device_id\":\"02\",\"gateway_id\":\"bb\","
		     "\"master_secret\":\"" SECRET "\",\"never_used\":true}]",
		2);
	cr_expect_eq(bed_run_base(&bed, "01"), 1);
}

// The columns and the text that a bad row is told with.
Test(import, malformed_rows_of_each_kind_are_named_by_line)
{
	static const struct {
		const char *row, *why;
	} cases[] = {
		{"02,aa," SECRET, "fewer fields"},
		{"02,aa," SECRET ",true,x", "more fields"},
		{"02,aa," SECRET ",true,,,x,", "more fields"},
		{"02,aa," SECRET ",true,\" \"", "more fields"},
		{"02,aa," SECRET ",,true", "more fields"},
		{"0,aa," SECRET ",true", "device_id: not hex"},
		{"zz,aa," SECRET ",true", "device_id: not hex"},
		{"02 ,aa," SECRET ",true", "device_id: not hex"},
		{"0102030405060708,aa," SECRET ",true", "device_id: more than 7 bytes"},
		{"02,0g," SECRET ",true", "gateway_id: not hex"},
		{"02,02," SECRET ",true", "are the same"},
		{"02,aa,,true", "master_secret: missing"},
		{"02,aa,\"\",true", "master_secret: is empty"},
		{"02,aa,xyz,true", "master_secret: not hex"},
		{"02,aa," SECRET ",", "never_used, or gateway_seq"},
		{"02,aa," SECRET ",false", "never_used, or gateway_seq"},
		{"02,aa," SECRET ",yes", "never_used: neither"},
		{"02,aa,\"" SECRET "\"x,true", "behind the quote"},
		{"02,a\"a\"," SECRET ",true", "a quote inside"},
		{"02,aa," SECRET ",true\r", NULL}, // lone CR at the end of the input is no fault
		{"02,aa\r," SECRET ",true", "carriage return"},
		{"\"02\n\",aa," SECRET ",true", "device_id: not hex"},
	};

	for (piece = 0; piece < 2; piece++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			char text[512];
			if (cases[i].why == NULL)
				continue;
			snprintf(text, sizeof(text), HEADER "%s\n01,aa," SECRET ",true\n",
				cases[i].row);
			expect_bad(text, 2, cases[i].why);
			snprintf(text, sizeof(text), HEADER "01,aa," SECRET ",true\r\n\r\n%s",
				cases[i].row);
			expect_bad(text, 4, cases[i].why);
		}
	}
}

#define MORE_HEADER "device_id,gateway_id,master_secret,algorithm,name,gateway_seq\n"

Test(import, values_that_are_not_allowed_are_named_by_line)
{
	static const struct {
		const char *row, *why;
	} cases[] = {
		{"02,aa," SECRET ",AES-CCM-16-64-256,,1", "algorithm: no AEAD"},
		{"02,aa," SECRET ",9999999999,,1", "algorithm: no AEAD"},
		{"02,aa," SECRET ",-1,,1", "algorithm: no AEAD"},
		{"01020304050607,aa," SECRET ",1,,1", "device_id: at most 6 bytes"},
		{"02,aa," SECRET ",,a b,1", "name:"},
		{"02,aa," SECRET ",,,1.5", "gateway_seq: not"},
		{"02,aa," SECRET ",,,-1", "gateway_seq: not"},
		{"02,aa," SECRET ",,,+1", "gateway_seq: not"},
		{"02,aa," SECRET ",,,18446744073709551616", "gateway_seq: not"},
		{"02,aa," SECRET ",,,549755813888", "gateway_seq: 549755813888"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[512];
		snprintf(
			text, sizeof(text), MORE_HEADER "01,aa," SECRET ",,,1\n%s\n", cases[i].row);
		expect_bad(text, 3, cases[i].why);
	}
}

Test(import, malformed_objects_of_each_kind_are_named_by_line)
{
	static const struct {
		const char *object, *why;
	} cases[] = {
		{"{}", "device_id: missing"},
		{"{\"device_id\":\"02\",\"device_id\":\"03\"}", "device_id: is there twice"},
		{"{\"deviceid\":\"02\"}", "no value is named \"deviceid\""},
		{"{\"device_id\":2}", "missing"},
		{"{\"device_id\":{\"a\":[1,2,{}]}}", "a list or an object"},
		{"{\"device_id\":[[[[]]]]}", "a list or an object"},
		{"{\"device_id\":\"\\x\"}", "unknown escape"},
		{"{\"device_id\":\"\\ud800\"}", "surrogate"},
		{"{\"device_id\":\"\\udc00\"}", "surrogate"},
		{"{\"device_id\":\"\\u12\"}", "four hex digits"},
		{"{\"device_id\":\"a\tb\"}", "control character"},
		{"{\"device_id\" \"02\"}", "colon"},
		{"{\"device_id\":01}", "not a value"},
		{"{\"device_id\":+1}", "not a value"},
		{"{\"device_id\":.5}", "not a value"},
		{"{\"device_id\":}", "not a value"},
		{"{device_id:1}", "name of a value is missing"},
		{"{\"device_id\":\"02\",}", "name of a value is missing"},
		{"{\"device_id\":\"02\"]", "comma or the end"},
		{"{\"device_id\":\"02\" \"gateway_id\":\"03\"}", "comma or the end"},
		{"{\"device_id\":\"02\",\"gateway_id\":\"bb\",\"master_secret\":\"" SECRET
		 "\",\"never_used\":\"true\"}",
			"never_used: not the right kind"},
		{"{\"device_id\":\"02\",\"gateway_id\":\"bb\",\"master_secret\":\"" SECRET
		 "\",\"gateway_seq\":\"1\"}",
			"gateway_seq: not the right kind"},
		{"{\"device_id\":\"02\",\"gateway_id\":\"bb\",\"master_secret\":\"" SECRET
		 "\",\"gateway_seq\":1e3}",
			"gateway_seq: not a whole number"},
		{"{\"device_id\":\"02\\u0000\",\"gateway_id\":\"bb\",\"master_secret\":\"" SECRET
		 "\",\"gateway_seq\":1}",
			"device_id: has a NUL"},
	};
	static const char *const good = "{\"device_id\":\"01\",\"gateway_id\":\"aa\","
					"\"master_secret\":\"" SECRET "\",\"never_used\":true}";

	for (piece = 0; piece < 2; piece++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			char text[512];
			snprintf(text, sizeof(text), "[\n%s,\n%s]", good, cases[i].object);
			expect_bad(text, 3, cases[i].why);
			snprintf(text, sizeof(text), "%s\n%s", cases[i].object, good);
			expect_bad(text, 1, cases[i].why);
		}
	}
}

Test(import, what_is_no_csv_or_json_is_refused_as_a_whole)
{
	expect_broken("", "empty");
	expect_broken(" \n \n", "no column is named");
	expect_broken("device_id,colour\n", "no column is named \"colour\"");
	expect_broken("device_id,gateway_id,device_id\n", "twice");
	expect_broken("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o\n", "too many columns");
	expect_broken("device_id;gateway_id\n01;02\n", "separated by semicolons");
	expect_broken("\"device_id\";\"gateway_id\"\n01;02\n", "separated by semicolons");
	expect_broken("sep=;\ndevice_id;gateway_id\n", "separated by semicolons");
	expect_broken("device_id\tgateway_id\tname\n01\taa\tx\n", "separated by tabs");
	expect_broken("device_id|gateway_id\n", "separated by vertical bars");
	expect_broken("device_id,,gateway_id\n", "without a name");
	expect_broken("\xff\xfe"
		      "d\0e\0v\0",
		"UTF-16");
	expect_broken("\xfe\xff\0d", "UTF-16");
	expect_broken("[", "no end");
	expect_broken("[{}", "no end");
	expect_broken("[{},]", "line 1: not JSON");
	expect_broken("[{}\n{}]", "line 2: not JSON");
	expect_broken("[{}],", "not JSON");
	expect_broken("{}\n,{}", "line 2: not JSON");
	expect_broken("{}\n1", "line 2: not JSON");
	expect_broken("[[]]", "not JSON");
	expect_broken("{\"a\":\"}", "no end");
}

Test(import, the_other_format_is_said)
{
	static const char csv[] = HEADER "01,aa," SECRET ",true\n", json[] = "[{}]";

	cr_expect_eq(run_bytes(csv, strlen(csv), &(struct import_options){.format = IMPORT_JSON}),
		-EBADMSG);
	cr_expect(strstr(bed.error.text, "must begin with [ or {") != NULL, "%s", bed.error.text);
	cr_expect_eq(run_bytes(json, strlen(json), &(struct import_options){.format = IMPORT_CSV}),
		-EBADMSG);
	cr_expect(strstr(bed.error.text, "looks like JSON") != NULL, "%s", bed.error.text);
}

Test(import, rows_that_are_too_long_are_named_and_not_kept)
{
	static char text[RECORD_LEN_MAX + 4096];
	char *to = stpcpy(text, HEADER "01,aa," SECRET ",true\n02,aa,");

	memset(to, 'a', RECORD_LEN_MAX);
	strcpy(to + RECORD_LEN_MAX, ",true\n03,bb," SECRET ",true\n");
	expect_bad(text, 3, "too long");
	to = stpcpy(text, "{\"device_id\":\"");
	memset(to, '1', RECORD_LEN_MAX);
	strcpy(to + RECORD_LEN_MAX,
		"\"}{\"device_id\":\"01\",\"gateway_id\":\"aa\","
		"\"master_secret\":\"" SECRET "\",\"never_used\":true}");
	expect_bad(text, 1, "too long");
}

// A depth is counted, not followed.
Test(import, deep_json_costs_nothing)
{
	size_t len = 2 << 20;
	char *text = malloc(len);

	memset(text, '[', len);
	memcpy(text, "{\"a\":", 5);
	cr_expect_eq(run_bytes(text, len, &(struct import_options){0}), -EBADMSG);
	memset(text + len / 2, ']', len / 2);
	cr_expect_eq(run_bytes(text, len, &(struct import_options){0}), -EBADMSG);
	free(text);
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
		expect_bad(text, 4, cases[i].why);
		cr_expect(strstr(report.bad_row[0].error.text, "(line 2)") != NULL);
		cr_assert_eq(
			run_bytes(text, strlen(text), &(struct import_options){.replace = true}),
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
	cr_expect_eq(run(text), -EBADMSG);
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

	cr_assert_eq(run_bytes(text, sizeof(text) - 1, &options), 0);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 3);
	cr_expect(devices[0].window_known && devices[1].window_known);
	cr_expect_not(devices[2].window_known);
	cr_expect_eq(devices[2].run_base, 1);
	cr_expect_eq(run_bytes(refused, sizeof(refused) - 1, &options), -EBADMSG);
}

Test(import, a_fleet_imported_again_is_left_as_it_is)
{
	static const char text[] = HEADER "01,aa,01,true\n02,aa,02,true\n03,aa,03,true\n";
	static const char grown[] = HEADER "01,aa,01,true\n04,aa,04,true\n03,aa,03,true\n";
	struct device_keyed devices[4], before, after;
	size_t count;

	expect_added(text, 3);
	cr_assert_eq(bed_load(&bed, "01", &before), 3);
	expect_added(text, 0);
	cr_expect_eq(report.unchanged, 3);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_expect_eq(count, 0);
	expect_added(grown, 1);
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

	expect_added(a, 2);
	cr_assert_eq(bed_load(&bed, "01", &device), 2);
	cr_expect_eq(run(b), -EBADMSG);
	cr_assert_eq(run_bytes(b, sizeof(b) - 1, &replace), 0);
	cr_expect(report.replaced == 1 && report.unchanged == 1 && report.added == 0);
	cr_assert_eq(import_next(import, devices, 4, &count, &bed.error), 0);
	cr_assert_eq(count, 1);
	cr_expect_eq(devices[0].replaces, device.id);
	cr_expect(devices[0].window_known);
	// Back to the keys before.
	cr_expect_eq(run_bytes(a, sizeof(a) - 1, &replace), -EBADMSG);
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
	expect_added(text, 600);
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

	expect_added(text, 4);
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
	cr_expect_eq(run(text), -EDQUOT);
	cr_expect(strstr(bed.error.text, "more than 2 devices") != NULL, "%s", bed.error.text);
	cr_expect_eq(report.bad, 0);
	expect_added(HEADER "01,aa,01,true\n02,aa,02,true\n", 2);
	cr_expect_eq(run(one), -EDQUOT);
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
	cr_assert_eq(read_file(text, to - text, options), 0);
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

	expect_added(rows, 5);
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
		cr_expect_eq(device.limits.max_in_flight, 9);
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
	run(HEADER "01,aa,secretsecretsecret,true\n");
	cr_expect(strstr(report.bad_row[0].error.text, "secretsecret") == NULL);
	run(HEADER "01,deadbeefdeadbeefdeadbeef,aa,true\n");
	cr_expect(strstr(report.bad_row[0].error.text, "deadbeef") == NULL);
}
