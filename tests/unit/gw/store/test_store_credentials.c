// SPDX-License-Identifier: BSD-3-Clause
// Devices with a credential in the place of keys: what is taken, what is stored, and what a change
// in the file does.

#include "gw/device/credential.h"
#include "gw/device/record.h"
#include "gw/store/check.h"
#include "tests/unit/gw/store/bed.h"
#include "tests/unit/gw/store/import_bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

TestSuite(store_credentials, .init = import_set_up, .fini = import_tear_down);

// A certificate of P-256 that may sign, and its fingerprint.
static const char cert_pem[] = "-----BEGIN CERTIFICATE-----\n"
			       "MIIBdzCCAR2gAwIBAgICEjQwCgYIKoZIzj0EAwIwETEPMA0GA1UEAwwGcHVtcC03\n"
			       "MCAXDTI2MTEzMDE5MDIxMVoYDzIxMjYxMTA2MTkwMjExWjARMQ8wDQYDVQQDDAZw\n"
			       "dW1wLTcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAATAUE0tOvNt7K5ZVgX0RVK8\n"
			       "Es7FgCXnl7d2wkwuqb88SFp8zIsh28r+SnglMHwiQ+z4WIsvMocD4Vldmm6w4PxQ\n"
			       "o2MwYTAdBgNVHQ4EFgQUneb2JKwGPc7Hq0lyKXri5/RNNP4wHwYDVR0jBBgwFoAU\n"
			       "neb2JKwGPc7Hq0lyKXri5/RNNP4wDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8E\n"
			       "BAMCB4AwCgYIKoZIzj0EAwIDSAAwRQIgCoHfZQdMbA068lnpLWLOEp8j2+IgDM0+\n"
			       "sIvP3/vJH7UCIQC8r1QilLFiudjXonddJsGTLZjy8H37c5CcLwdbhgdp+Q==\n"
			       "-----END CERTIFICATE-----\n";
#define CERT_SHA256 "4854c079476866ce541cc1fdf0fc8c0eb1884d1d5a7349798be4e86408b768af"

// A CCS of X25519 with a kid of one byte, in hex; the seed makes its key.
static const char *ccs(uint8_t kid, unsigned seed)
{
	static char hex[4][128];
	static unsigned at;
	char *to = hex[at++ % 4];

	snprintf(to, sizeof(hex[0]), "a108a101a401010241%02x2004215820%064x", kid, seed + 1);
	return to;
}

static struct device_spec spec_of(const char *name, const char *credential)
{
	struct device_spec spec = {0};
	struct error error = {0};

	strcpy(spec.name, name);
	cr_assert_eq(
		device_credential_read(credential, spec.credential, &spec.credential_len, &error),
		0, "%s", error.text);
	return spec;
}

static int add(const char *name, const char *credential)
{
	const struct device_spec spec = spec_of(name, credential);

	return bed_add(&bed, &spec);
}

static struct device_info info_of(const char *name)
{
	struct device_info info;

	cr_assert_eq(store_show(bed.store, name, &info, &bed.error), 0, "%s", bed.error.text);
	return info;
}

static uint64_t problems(void)
{
	struct store_check check = {0};
	bool done = false;

	while (!done)
		cr_assert_eq(store_check_step(bed.store, &check, &done, &bed.error), 0);
	return check.report.problems;
}

static int served_count(void *arg, const struct device_keyed *device)
{
	++*(unsigned *)arg;
	return 0;
}

// None of the devices is served, since each row was changed.
static void expect_unserved(void)
{
	struct store_load_result result;
	unsigned served = 0;

	cr_assert_eq(store_load(bed.store, served_count, &served, &result, &bed.error), 0);
	cr_assert_eq(served, 0);
	cr_assert_gt(result.unreadable, 0);
}

static void expect_damaged(const char *sql)
{
	bed_close(&bed);
	bed_sql(&bed, sql);
	bed_open(&bed);
	cr_expect_gt(problems(), 0, "%s", sql);
}

Test(store_credentials, a_device_with_a_credential_is_there_after_a_start)
{
	struct device_keyed device;

	cr_assert_eq(add("a", ccs(7, 1)), DEVICE_ADDED, "%s", bed.error.text);
	cr_assert_eq(add("b", cert_pem), DEVICE_ADDED, "%s", bed.error.text);
	bed_reopen(&bed);
	cr_assert_eq(store_count(bed.store), 2);
	device = bed_device(&bed, "a");
	cr_assert_eq(device.credential_len, strlen(ccs(7, 1)) / 2);
	cr_assert(device.kid_len == 1 && device.kid[0] == 7);
	cr_assert(sodium_is_zero((uint8_t *)&device.keys, sizeof(device.keys)));
	const struct device_spec spec = spec_of("a", ccs(7, 1));

	cr_assert_eq(memcmp(device.credential, spec.credential, spec.credential_len), 0);
	device = bed_device(&bed, "b");
	cr_assert(device_credential_is_x509(device.credential));
	cr_assert_eq(device.kid_len, 0);
	cr_assert_eq(problems(), 0);
}

Test(store_credentials, what_is_shown_of_one)
{
	char digest[2 * DEVICE_DIGEST_LEN + 1];
	struct device_info info;

	cr_assert_eq(add("a", ccs(7, 1)), DEVICE_ADDED);
	cr_assert_eq(add("b", cert_pem), DEVICE_ADDED);
	info = info_of("a");
	cr_assert_str_eq(info.credential, "ccs");
	cr_assert(info.kid_len == 1 && info.kid[0] == 7 && !info.expires && !info.damaged);
	info = info_of("b");
	cr_assert_str_eq(info.credential, "x509");
	cr_assert_str_eq(sodium_bin2hex(digest, sizeof(digest), info.digest, sizeof(info.digest)),
		CERT_SHA256);
	cr_assert_gt(info.expires, 4000000000);
	const struct device_attribute *attribute = device_attribute("device_id", 9);
	struct device_value value;

	cr_assert_not(device_shown(attribute, &info, &value), "it has none");
	attribute = device_attribute("credential", 10);
	cr_assert(device_shown(attribute, &info, &value) && value.kind == DEVICE_TEXT);
	cr_assert_str_eq(value.text, "x509");
}

Test(store_credentials, a_credential_is_one_devices_and_so_is_a_name)
{
	struct device_spec spec;

	cr_assert_eq(add("a", ccs(1, 1)), DEVICE_ADDED);
	cr_assert_eq(add("a", ccs(1, 1)), DEVICE_UNCHANGED);
	cr_assert_eq(add("b", ccs(1, 1)), -EEXIST);
	cr_assert_eq(add("a", ccs(1, 2)), -EEXIST);
	spec = bed_spec(1, "01", "02");
	strcpy(spec.name, "a");
	cr_assert_eq(bed_add(&bed, &spec), -EEXIST);
	cr_assert_eq(add("", ccs(1, 3)), -EINVAL, "without a name");
	spec = spec_of("a", ccs(1, 1));
	strcpy(spec.settings.policy, "p");
	spec.settings.has_policy = true;
	cr_assert_eq(bed_add(&bed, &spec), -EEXIST);
	cr_assert_eq(bed_replace(&bed, &spec), DEVICE_CHANGED);
	cr_assert_str_eq(info_of("a").settings.policy, "p");
	cr_assert_eq(store_count(bed.store), 1);
	cr_assert_eq(problems(), 0);
}

Test(store_credentials, four_devices_may_have_a_kid)
{
	char name[2] = "a";

	for (unsigned i = 0; i < 4; i++, name[0]++)
		cr_assert_eq(add(name, ccs(5, i)), DEVICE_ADDED, "%s", bed.error.text);
	cr_assert_eq(add("e", ccs(5, 4)), -EEXIST);
	cr_assert_eq(add("e", ccs(6, 4)), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "a"), 0);
	cr_assert_eq(add("f", ccs(5, 5)), DEVICE_ADDED);
}

// It leaves nothing: no key of it was used here.
Test(store_credentials, a_device_that_was_removed_may_come_back)
{
	int64_t hashes;

	cr_assert_eq(add("a", ccs(1, 1)), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "a"), 0);
	cr_assert_eq(sql_number(bed.store, "SELECT count(*) FROM used_key", &hashes), 0);
	cr_assert_eq(hashes, 0);
	cr_assert_eq(add("b", ccs(1, 1)), DEVICE_ADDED, "%s", bed.error.text);
	cr_assert_eq(problems(), 0);
}

Test(store_credentials, a_device_gets_another_credential_or_keys_in_its_place)
{
	struct device_spec spec = spec_of("", ccs(1, 2)); // as the control socket gives it
	struct device_info before;
	struct device_keyed device;

	cr_assert_eq(add("a", ccs(1, 1)), DEVICE_ADDED);
	cr_assert_eq(store_rotate(bed.store, "a", &spec, &before, &device, &bed.error), 0, "%s",
		bed.error.text);
	cr_assert_str_eq(before.credential, "ccs");
	cr_assert_eq(device.replaces, before.id);
	cr_assert_eq(store_rotate(bed.store, "a", &spec, &before, &device, &bed.error), -EEXIST);
	spec = bed_spec(1, "01", "02");
	cr_assert_eq(store_rotate(bed.store, "a", &spec, &before, &device, &bed.error), 0);
	cr_assert_eq(device.credential_len, 0);
	cr_assert_eq(problems(), 0);
	spec = spec_of("a", cert_pem);
	cr_assert_eq(store_rotate(bed.store, "a", &spec, &before, &device, &bed.error), 0, "%s",
		bed.error.text);
	bed_reopen(&bed);
	device = bed_device(&bed, "a");
	cr_assert(device_credential_is_x509(device.credential));
	cr_assert_eq(store_count(bed.store), 1);
	cr_assert_eq(problems(), 0);
}

// --- Changes in the file

Test(store_credentials, a_name_or_credential_that_is_changed_in_the_file_is_seen)
{
	cr_assert_eq(add("a", ccs(1, 1)), DEVICE_ADDED);
	expect_damaged("UPDATE device SET name = 'b'");
	expect_unserved();
	expect_damaged("UPDATE device SET name = 'a', credential_kid = x'09'");
	expect_damaged(
		"UPDATE device SET credential_kid = x'01', credential ="
		" CAST(substr(credential, 1, 40) || x'ff' || substr(credential, 42) AS BLOB)");
	expect_unserved();
	expect_damaged("UPDATE device SET credential = x''");
	expect_damaged("UPDATE device SET credential = zeroblob(5000)");
	expect_damaged("UPDATE device SET credential = NULL");
}

// One that was put into the place of another one must be sealed with the store's key.
Test(store_credentials, a_credential_of_another_device_is_not_served)
{
	cr_assert_eq(add("a", ccs(1, 1)), DEVICE_ADDED);
	cr_assert_eq(add("b", ccs(2, 2)), DEVICE_ADDED);
	bed_close(&bed);
	bed_sql(&bed,
		"CREATE TABLE t AS SELECT * FROM device WHERE name = 'b';"
		"DELETE FROM device WHERE name = 'b';"
		"UPDATE device SET (device_id, credential, credential_kid) ="
		" (SELECT device_id, credential, credential_kid FROM t); DROP TABLE t;");
	bed_open(&bed);
	expect_unserved();
	cr_assert_gt(problems(), 0);
}

Test(store_credentials, a_store_of_version_9_is_taken_over)
{
	struct device_spec spec = bed_spec(1, "01", "02");

	strcpy(spec.name, "old");
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_close(&bed);
	bed_sql(&bed, BED_NO_CREDENTIAL "PRAGMA user_version = 9");
	bed_open(&bed);
	cr_assert_eq(bed_device(&bed, "old").credential_len, 0);
	cr_assert_eq(add("new", ccs(1, 1)), DEVICE_ADDED, "%s", bed.error.text);
	bed_reopen(&bed);
	cr_assert_eq(store_count(bed.store), 2);
	cr_assert_eq(problems(), 0);
}

// --- What operators write

Test(store_credentials, a_credential_in_each_of_its_spellings)
{
	const struct device_spec spec = spec_of("a", ccs(1, 1));
	const struct device_spec cert = spec_of("a", cert_pem);
	uint8_t item[DEVICE_CREDENTIAL_MAX];
	char text[2048];
	uint16_t len;

	static const int variants[] = {sodium_base64_VARIANT_ORIGINAL,
		sodium_base64_VARIANT_ORIGINAL_NO_PADDING, sodium_base64_VARIANT_URLSAFE,
		sodium_base64_VARIANT_URLSAFE_NO_PADDING};

	for (unsigned i = 0; i < 4; i++) {
		sodium_bin2base64(
			text, sizeof(text), spec.credential, spec.credential_len, variants[i]);
		cr_assert_eq(device_credential_read(text, item, &len, NULL), 0, "%s", text);
		cr_assert(len == spec.credential_len && !memcmp(item, spec.credential, len));
	}
	// A certificate with and without the head of a byte string.
	sodium_bin2hex(text, sizeof(text), cert.credential, cert.credential_len);
	cr_assert_eq(device_credential_read(text, item, &len, NULL), 0);
	cr_assert(len == cert.credential_len && !memcmp(item, cert.credential, len));
	cr_assert_eq(device_credential_read(text + 6, item, &len, NULL), 0);
	cr_assert(len == cert.credential_len && !memcmp(item, cert.credential, len));
}

Test(store_credentials, what_is_no_credential)
{
	static const char *const bad[] = {"", "zz", "a1", "00", "-----BEGIN CERTIFICATE-----",
		"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
		"-----BEGIN CERTIFICATE---------END CERTIFICATE-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "o===", "-",
		"a108a101a4010102410120042158200", "3000", "a10", "!"};
	struct device_credential credential;
	uint8_t item[DEVICE_CREDENTIAL_MAX];
	char text[4096];
	uint16_t len;

	for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct error error = {0};
		int code = device_credential_read(bad[i], item, &len, &error);

		if (code == 0)
			code = device_credential_check(item, len, &credential, &error);
		cr_assert_eq(code, -EINVAL, "%s", bad[i]);
		cr_assert_neq(error.text[0], 0);
	}
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	cr_assert_eq(device_credential_read(text, item, &len, NULL), -EINVAL);
	// The private part of a CCS (-4) has no business here.
	snprintf(text, sizeof(text), "a108a101a401012004215820%064x235820%064x", 1, 2);
	cr_assert_eq(device_credential_read(text, item, &len, NULL), 0);
	cr_assert_eq(device_credential_check(item, len, &credential, NULL), -EINVAL);
}

Test(store_credentials, rows_of_an_import_have_keys_or_a_credential)
{
	char text[4096];

	snprintf(text, sizeof(text),
		"name,credential,policy,device_id,gateway_id,master_secret,never_used\n"
		"a,%s,p,,,,\nb,%s,,,,,\nc,,,01,02," SECRET ",true\n",
		ccs(1, 1), ccs(2, 2));
	import_expect_added(text, 3);
	cr_assert_str_eq(info_of("a").credential, "ccs");
	cr_assert_str_eq(info_of("a").settings.policy, "p");
	cr_assert_str_eq(info_of("c").credential, "");
	bed_reopen(&bed);
	cr_assert_eq(problems(), 0);
}

Test(store_credentials, an_import_in_json_with_a_certificate)
{
	char text[4096], *to = text;

	to += sprintf(to, "[{\"name\": \"a\", \"credential\": \"");
	for (const char *from = cert_pem; *from; from++)
		to += sprintf(to, *from == '\n' ? "\\n" : "%c", *from);
	sprintf(to, "\", \"note\": \"x\"}]");
	import_expect_added(text, 1);
	cr_assert_str_eq(info_of("a").credential, "x509");
}

Test(store_credentials, rows_with_both_or_without_a_name_are_bad)
{
	char text[1024];
	static const char *const header =
		"name,credential,device_id,gateway_id,master_secret,never_used\n";

	snprintf(text, sizeof(text), "%sa,%s,01,,,\n", header, ccs(1, 1));
	import_expect_bad(text, 2, "device_id: a device has keys or a credential");
	snprintf(text, sizeof(text), "%sa,%s,,,,true\n", header, ccs(1, 1));
	import_expect_bad(text, 2, "never_used: a device has keys or a credential");
	snprintf(text, sizeof(text), "%s,%s,,,,\n", header, ccs(1, 1));
	import_expect_bad(text, 2, "name");
	snprintf(text, sizeof(text), "%sa,a0,,,,\n", header);
	import_expect_bad(text, 2, "credential: no CWT Claims Set");
	snprintf(text, sizeof(text), "%sa,%s,,,,\nb,%s,,,,\n", header, ccs(1, 1), ccs(1, 1));
	import_expect_bad(text, 3, "this device is there with the name a");
}
