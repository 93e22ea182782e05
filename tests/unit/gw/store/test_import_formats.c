// SPDX-License-Identifier: BSD-3-Clause
// The formats of imports as in docs/import.md; bad rows are named by their line.

#include "gw/device/record.h"
#include "tests/unit/gw/store/import_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

TestSuite(import_formats, .init = import_set_up, .fini = import_tear_down);

Test(import_formats, csv_by_rfc_4180)
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

	for (import_piece = 0; import_piece < 2; import_piece++) {
		for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
			import_expect_added(text[i], 1);
			cr_assert_eq(bed_remove_device(&bed, "01"), 0, "%s", text[i]);
			bed_close(&bed);
			bed_remove(&bed);
			import_set_up();
		}
	}
}

Test(import_formats, every_column_has_its_meaning)
{
	struct device_keyed device;
	struct osc_keys keys;
	struct device_spec spec = bed_spec(0, "", "0A");

	import_expect_added(
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

#define NOTE_HEADER "device_id,gateway_id,master_secret,never_used,note\n"
#define EIGHT       "\u00e4\u00f6\u00fc\u00df\u20ac\U0001f600ab" // characters
#define SIXTY_FOUR  EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT EIGHT

Test(import_formats, a_note_is_utf8_of_at_most_64_characters)
{
	static const char *const bad[] = {
		"a\tb", "\x7f", "\xc2\x85", "\xff", "\xc3", "\xed\xa0\x80", SIXTY_FOUR "x"};
	struct device_info info;
	char text[1024];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), NOTE_HEADER "03,aa," SECRET ",1,%s\n", bad[i]);
		import_expect_bad(text, 2, "note: at most 64 characters");
	}
	import_expect_added(NOTE_HEADER "01,aa," SECRET ",1," SIXTY_FOUR "\n", 1);
	cr_assert_eq(store_show(bed.store, "01", &info, &bed.error), 0);
	cr_expect_str_eq(info.settings.note, SIXTY_FOUR);
	// Nothing is said, and then that there is none.
	cr_expect_eq(import_run_replacing(NOTE_HEADER "01,aa," SECRET ",1,\n"), 0);
	cr_expect_eq(report.unchanged, 1);
	cr_expect_eq(import_run(NOTE_HEADER "01,aa," SECRET ",1,\"\"\n"), -EBADMSG);
	cr_expect_eq(import_run_replacing(NOTE_HEADER "01,aa," SECRET ",1,\"\"\n"), 0);
	cr_expect_eq(report.changed, 1);
	cr_assert_eq(store_show(bed.store, "01", &info, &bed.error), 0);
	cr_expect_str_eq(info.settings.note, "");
}

#define POLICY_HEADER "device_id,gateway_id,master_secret,never_used,policy\n"

Test(import_formats, a_policy_is_a_name_and_stays_until_it_is_taken_away)
{
	static const char *const bad[] = {"a b", "a:b", "\u00e4", EIGHT, "a/b",
		"1234567890123456789012345678901234567890123456789012345678901234"};
	struct device_keyed device;
	char text[1024];

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), POLICY_HEADER "03,aa," SECRET ",1,%s\n", bad[i]);
		import_expect_bad(text, 2, "policy: the name of a policy");
	}
	import_expect_added(POLICY_HEADER "01,aa," SECRET ",1,meters_1.A-b\n", 1);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_str_eq(device.settings.policy, "meters_1.A-b");
	cr_expect_eq(import_run_replacing(POLICY_HEADER "01,aa," SECRET ",1,\n"), 0);
	cr_expect_eq(report.unchanged, 1);
	cr_expect_eq(import_run(POLICY_HEADER "01,aa," SECRET ",1,other\n"), -EBADMSG);
	cr_expect_eq(import_run_replacing(POLICY_HEADER "01,aa," SECRET ",1,other\n"), 0);
	cr_expect_eq(report.changed, 1);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_str_eq(device.settings.policy, "other");
	cr_expect_eq(import_run_replacing(POLICY_HEADER "01,aa," SECRET ",1,\"\"\n"), 0);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_str_eq(device.settings.policy, "");
}

Test(import_formats, limits_of_a_device_have_a_range)
{
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
		import_expect_bad(text, 2, bad[i].why);
	}
	import_expect_added(LIMITS_HEADER "01,aa," SECRET ",1,1038,7\n", 1);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_eq(device.settings.max_message, 1038);
	cr_expect_eq(device.settings.max_in_flight, 7);
	import_expect_added(
		"{\"device_id\":\"02\",\"gateway_id\":\"bb\",\"master_secret\":\"" SECRET
		"\",\"never_used\":true,\"max_message\":9216}",
		1);
	cr_assert_eq(bed_load(&bed, "02", &device), 2);
	cr_expect_eq(device.settings.max_message, 9216);
	cr_expect_eq(device.settings.max_in_flight, 0);
	// The same again is left as it is, and other limits are not taken silently.
	import_expect_added(LIMITS_HEADER "01,aa," SECRET ",1,,\n", 0);
	cr_expect_eq(import_run(LIMITS_HEADER "01,aa," SECRET ",1,1039,7\n"), -EBADMSG);
	cr_expect_eq(import_run(LIMITS_HEADER "01,aa," SECRET ",1,1038,8\n"), -EBADMSG);
}

Test(import_formats, json_says_the_same)
{
	static const char *const object =
		"{\"device_id\":\"01\",\"gateway_id\":\"aa\",\"master_secret\":\"" SECRET
		"\",\"master_salt\":\"\",\"id_context\":null,\"algorithm\":10,\"name\":\"01\","
		"\"never_used\":true,\"gateway_seq\":null}";
	static const char *const form[] = {
		"%s", "%s\n", "[%s]", " [ %s\r\n] \n", "\xef\xbb\xbf[%s]", "\n\n%s"};

	for (import_piece = 0; import_piece < 2; import_piece++) {
		for (size_t i = 0; i < sizeof(form) / sizeof(form[0]); i++) {
			char text[512];
			snprintf(text, sizeof(text), form[i], object);
			import_expect_added(text, 1);
			bed_remove(&bed);
			import_set_up();
		}
	}
	import_piece = 0;
	import_expect_added("[]", 0);
	import_expect_added(
		"[{ \"\\u0064evice_id\" : \"0\\u0031\" ,\n\t\"gateway_id\":\"\\u0061a\", "
		"\"master_secret\":\"" SECRET "\",\"algorithm\":\"aes-ccm-16-64-128\",\n"
		"\"gateway_seq\":0},\n{\"device_id\":\"02\",\"gateway_id\":\"bb\","
		"\"master_secret\":\"" SECRET "\",\"never_used\":true}]",
		2);
	cr_expect_eq(bed_run_base(&bed, "01"), 1);
}

// The columns and the text that a bad row is told with.
Test(import_formats, malformed_rows_of_each_kind_are_named_by_line)
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

	for (import_piece = 0; import_piece < 2; import_piece++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			char text[512];
			if (cases[i].why == NULL)
				continue;
			snprintf(text, sizeof(text), HEADER "%s\n01,aa," SECRET ",true\n",
				cases[i].row);
			import_expect_bad(text, 2, cases[i].why);
			snprintf(text, sizeof(text), HEADER "01,aa," SECRET ",true\r\n\r\n%s",
				cases[i].row);
			import_expect_bad(text, 4, cases[i].why);
		}
	}
}

Test(import_formats, values_that_are_not_allowed_are_named_by_line)
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
		import_expect_bad(text, 3, cases[i].why);
	}
}

Test(import_formats, malformed_objects_of_each_kind_are_named_by_line)
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

	for (import_piece = 0; import_piece < 2; import_piece++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			char text[512];
			snprintf(text, sizeof(text), "[\n%s,\n%s]", good, cases[i].object);
			import_expect_bad(text, 3, cases[i].why);
			snprintf(text, sizeof(text), "%s\n%s", cases[i].object, good);
			import_expect_bad(text, 1, cases[i].why);
		}
	}
}

Test(import_formats, what_is_no_csv_or_json_is_refused_as_a_whole)
{
	import_expect_broken("", "empty");
	import_expect_broken(" \n \n", "no column is named");
	import_expect_broken("device_id,colour\n", "no column is named \"colour\"");
	import_expect_broken("device_id,gateway_id,device_id\n", "twice");
	import_expect_broken("a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t,u,v,w,x,y,z,A,B,C,D,E,F,G\n",
		"too many columns");
	import_expect_broken("device_id;gateway_id\n01;02\n", "separated by semicolons");
	import_expect_broken("\"device_id\";\"gateway_id\"\n01;02\n", "separated by semicolons");
	import_expect_broken("sep=;\ndevice_id;gateway_id\n", "separated by semicolons");
	import_expect_broken("device_id\tgateway_id\tname\n01\taa\tx\n", "separated by tabs");
	import_expect_broken("device_id|gateway_id\n", "separated by vertical bars");
	import_expect_broken("device_id,,gateway_id\n", "without a name");
	import_expect_broken("\xff\xfe"
			     "d\0e\0v\0",
		"UTF-16");
	import_expect_broken("\xfe\xff\0d", "UTF-16");
	import_expect_broken("[", "no end");
	import_expect_broken("[{}", "no end");
	import_expect_broken("[{},]", "line 1: not JSON");
	import_expect_broken("[{}\n{}]", "line 2: not JSON");
	import_expect_broken("[{}],", "not JSON");
	import_expect_broken("{}\n,{}", "line 2: not JSON");
	import_expect_broken("{}\n1", "line 2: not JSON");
	import_expect_broken("[[]]", "not JSON");
	import_expect_broken("{\"a\":\"}", "no end");
}

Test(import_formats, the_other_format_is_said)
{
	static const char csv[] = HEADER "01,aa," SECRET ",true\n", json[] = "[{}]";

	cr_expect_eq(
		import_run_bytes(csv, strlen(csv), &(struct import_options){.format = IMPORT_JSON}),
		-EBADMSG);
	cr_expect(strstr(bed.error.text, "must begin with [ or {") != NULL, "%s", bed.error.text);
	cr_expect_eq(import_run_bytes(
			     json, strlen(json), &(struct import_options){.format = IMPORT_CSV}),
		-EBADMSG);
	cr_expect(strstr(bed.error.text, "looks like JSON") != NULL, "%s", bed.error.text);
}

Test(import_formats, rows_that_are_too_long_are_named_and_not_kept)
{
	static char text[RECORD_LEN_MAX + 4096];
	char *to = stpcpy(text, HEADER "01,aa," SECRET ",true\n02,aa,");

	memset(to, 'a', RECORD_LEN_MAX);
	strcpy(to + RECORD_LEN_MAX, ",true\n03,bb," SECRET ",true\n");
	import_expect_bad(text, 3, "too long");
	to = stpcpy(text, "{\"device_id\":\"");
	memset(to, '1', RECORD_LEN_MAX);
	strcpy(to + RECORD_LEN_MAX,
		"\"}{\"device_id\":\"01\",\"gateway_id\":\"aa\","
		"\"master_secret\":\"" SECRET "\",\"never_used\":true}");
	import_expect_bad(text, 1, "too long");
}

// A depth is counted, not followed.
Test(import_formats, deep_json_costs_nothing)
{
	size_t len = 2 << 20;
	char *text = malloc(len);

	memset(text, '[', len);
	memcpy(text, "{\"a\":", 5);
	cr_expect_eq(import_run_bytes(text, len, &(struct import_options){0}), -EBADMSG);
	memset(text + len / 2, ']', len / 2);
	cr_expect_eq(import_run_bytes(text, len, &(struct import_options){0}), -EBADMSG);
	free(text);
}
