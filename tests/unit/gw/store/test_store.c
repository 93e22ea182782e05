// SPDX-License-Identifier: BSD-3-Clause
// The rules of the device store, each under its name. docs/store.md tells them.

#include "gw/device/attribute.h"
#include "gw/store/settings.h"
#include "tests/unit/dataplane/oscore/osc_params_hex.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

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

TestSuite(store, .init = set_up, .fini = tear_down);

#define expect_code(call, code)                                                         \
	do {                                                                            \
		int got_ = (call);                                                      \
		cr_expect_eq(got_, code, "%s: %d instead of %d: %s", #call, got_, code, \
			bed.error.text);                                                \
	} while (0)

static struct device_spec with_seq(struct device_spec spec, uint64_t seq)
{
	spec.never_used = false;
	spec.has_gateway_seq = true;
	spec.gateway_seq = seq;
	return spec;
}

static struct device_spec with_context(struct device_spec spec, const char *hex)
{
	spec.params.has_id_context = true;
	spec.params.id_context_len = hex_into(spec.params.id_context, hex);
	return spec;
}

static struct device_spec with_name(struct device_spec spec, const char *name)
{
	strcpy(spec.name, name);
	return spec;
}

Test(store, a_device_loads_with_the_keys_that_osc_derive_gives)
{
	struct device_spec spec = with_context(bed_spec(1, "", "01"), "37cbf3210017a2d3");
	struct device_keyed device;
	struct osc_keys keys;

	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	bed_reopen(&bed);
	cr_assert_eq(bed_load(&bed, "empty.37cbf3210017a2d3", &device), 1);
	cr_assert_eq(osc_derive(&keys, &spec.params), 0);
	cr_expect_arr_eq(device.keys.sender_key, keys.sender_key, 16);
	cr_expect_arr_eq(device.keys.recipient_key, keys.recipient_key, 16);
	cr_expect_arr_eq(device.keys.common_iv, keys.common_iv, 13);
	cr_expect_eq(device.device_id_len, 0);
	cr_expect_eq(device.gateway_id_len, 1);
	cr_expect(device.has_id_context && device.id_context_len == 8);
	cr_expect(device.fingerprint != 0);
}

Test(store, the_fingerprint_tells_id_contexts_and_devices_apart_and_stays)
{
	struct device_spec spec[] = {bed_spec(1, "01", "aa"),
		with_context(bed_spec(1, "01", "aa"), ""),
		with_context(bed_spec(1, "01", "aa"), "00"), bed_spec(2, "02", "aa")};
	struct device_info before[4], after[4];
	size_t count;

	for (int i = 0; i < 4; i++)
		expect_code(bed_add(&bed, &spec[i]), DEVICE_ADDED);
	expect_code(store_list(bed.store, "", before, 4, &count, &bed.error), 0);
	bed_reopen(&bed);
	expect_code(store_list(bed.store, "", after, 4, &count, &bed.error), 0);
	for (int i = 0; i < 4; i++) {
		cr_expect_eq(before[i].fingerprint, after[i].fingerprint);
		for (int j = 0; j < i; j++)
			cr_expect_neq(after[i].fingerprint, after[j].fingerprint);
	}
}

Test(store, the_default_name_is_the_hex_of_the_ids)
{
	struct device_spec spec[] = {bed_spec(1, "0A1b", "01"),
		with_context(bed_spec(2, "0a1b", "01"), ""),
		with_context(bed_spec(3, "0a1b", "01"), "ff00"), bed_spec(4, "", "01")};
	static const char *const name[] = {"0a1b", "0a1b.", "0a1b.ff00", "empty"};
	struct device_info info;

	for (int i = 0; i < 4; i++) {
		expect_code(bed_add(&bed, &spec[i]), DEVICE_ADDED);
		expect_code(store_show(bed.store, name[i], &info, &bed.error), 0);
	}
}

Test(store, names_have_63_characters_of_a_short_list)
{
	char name[DEVICE_NAME_MAX + 2];
	static const char *const bad[] = {"", " ", "a b", "a/b", "\xc3\xa4", "a\n", "a\"", "*"};

	memset(name, 'x', sizeof(name));
	name[DEVICE_NAME_MAX] = 0;
	cr_expect(device_name_valid(name));
	cr_expect(device_name_valid("AZaz09._:-"));
	name[DEVICE_NAME_MAX] = 'x';
	name[DEVICE_NAME_MAX + 1] = 0;
	cr_expect_not(device_name_valid(name));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_expect_not(device_name_valid(bad[i]), "%s", bad[i]);
	// An ID Context too long for a default name needs a name.
	struct device_spec spec = with_context(bed_spec(1, "01", "02"),
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	expect_code(bed_add(&bed, &spec), -EINVAL);
	spec = with_name(spec, "long");
	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
}

Test(store, ids_are_as_long_as_the_algorithm_allows)
{
	struct device_spec spec = bed_spec(1, "01020304050607", "0a");

	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	spec.params.alg = AEAD_AES_128_GCM; // 12-byte nonce: 6
	expect_code(bed_add(&bed, &spec), -EINVAL);
	cr_expect(strstr(bed.error.text, "6 bytes") != NULL, "%s", bed.error.text);
	spec = bed_spec(2, "0a", "01020304050607");
	spec.params.alg = AEAD_CHACHA20_POLY1305;
	expect_code(bed_add(&bed, &spec), -EINVAL);
}

Test(store, device_id_and_gateway_id_must_differ)
{
	struct device_spec spec = bed_spec(1, "01", "01");

	expect_code(bed_add(&bed, &spec), -EINVAL);
	spec = bed_spec(1, "", "");
	expect_code(bed_add(&bed, &spec), -EINVAL);
}

Test(store, a_name_is_one_device_only)
{
	struct device_spec a = with_name(bed_spec(1, "01", "aa"), "pump");
	struct device_spec b = with_name(bed_spec(2, "02", "aa"), "pump");

	expect_code(bed_add(&bed, &a), DEVICE_ADDED);
	expect_code(bed_add(&bed, &b), -EEXIST);
	cr_expect_eq(store_count(bed.store), 1);
}

Test(store, a_device_id_is_one_device_in_each_id_context)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "01", "aa");

	expect_code(bed_add(&bed, &a), DEVICE_ADDED);
	expect_code(bed_add(&bed, &b), -EEXIST);
	b = with_name(b, "other");
	expect_code(bed_add(&bed, &b), -EEXIST);
	b = with_context(b, "");
	expect_code(bed_add(&bed, &b), DEVICE_ADDED);
	b = with_name(with_context(bed_spec(3, "01", "aa"), ""), "third");
	expect_code(bed_add(&bed, &b), -EEXIST);
}

Test(store, neither_never_used_nor_gateway_seq_is_refused)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	spec.never_used = false;
	expect_code(bed_add(&bed, &spec), -EINVAL);
	cr_expect(strstr(bed.error.text, "gateway_seq") != NULL);
	spec = with_seq(spec, 1);
	spec.never_used = true;
	expect_code(bed_add(&bed, &spec), -EINVAL);
}

Test(store, never_used_opens_the_window_at_that_moment_and_is_not_stored)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;
	enum device_outcome outcome;

	expect_code(store_add(bed.store, &spec, false, &device, &outcome, &bed.error), 0);
	cr_expect(device.window_known && device.window.next == 0 && device.window.bits == 0);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_not(device.window_known);
	bed_reopen(&bed);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	cr_expect_not(device.window_known);
}

Test(store, gateway_seq_gives_the_base_beyond_it_and_leaves_the_window_unknown)
{
	static const struct {
		uint64_t seq;
		uint32_t base; // 0: refused
	} cases[] = {{0, 1}, {1, 1}, {(1 << 16) - 1, 1}, {1 << 16, 2}, {UINT64_C(5) << 16, 6},
		{(UINT64_C(1) << 39) - 1, 1 << 23}, {UINT64_C(1) << 39, 0}, {UINT64_MAX, 0}};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char id[3];
		struct device_keyed device;
		enum device_outcome outcome;
		snprintf(id, sizeof(id), "%02x", i);
		struct device_spec spec = with_seq(bed_spec(i, id, "aa"), cases[i].seq);
		int code = store_add(bed.store, &spec, false, &device, &outcome, &bed.error);
		cr_expect_eq(code, cases[i].base ? 0 : -ERANGE);
		cr_expect_eq(device.run_base, cases[i].base);
		cr_expect_not(device.window_known);
	}
}

// Salts that HKDF pads to the same key.
Test(store, salts_that_derive_the_same_keys_are_one_key)
{
	static const char *const salt[] = {"", "00", "0000"};

	for (int i = 0; i < 3; i++) {
		struct device_spec spec = with_name(bed_spec(1, "01", "aa"), (char[]){'a' + i, 0});
		spec.params.salt_len = hex_into(spec.params.salt, salt[i]);
		// The same device_id and ID Context: the same device, under another name.
		expect_code(bed_add(&bed, &spec), i == 0 ? DEVICE_ADDED : -EEXIST);
		expect_code(bed_replace(&bed, &spec), i == 0 ? DEVICE_UNCHANGED : -EEXIST);
	}
	expect_code(bed_remove_device(&bed, "a"), 0);
	for (int i = 1; i < 3; i++) {
		struct device_spec spec = bed_spec(1, "01", "aa");
		spec.params.salt_len = hex_into(spec.params.salt, salt[i]);
		expect_code(bed_add(&bed, &spec), -EKEYREVOKED);
	}
}

Test(store, ids_swapped_between_two_devices_are_refused)
{
	struct device_spec a = bed_spec(1, "01", "02"), b = bed_spec(1, "02", "01");

	expect_code(bed_add(&bed, &a), DEVICE_ADDED);
	expect_code(bed_add(&bed, &b), -ENOTUNIQ);
	b = with_seq(b, 100);
	expect_code(bed_add(&bed, &b), -ENOTUNIQ);
	cr_expect(strstr(bed.error.text, "device 01") != NULL, "%s", bed.error.text);
}

Test(store, a_sender_key_that_is_anothers_recipient_key_is_refused)
{
	struct device_spec a = bed_spec(1, "01", "02"), b = bed_spec(1, "03", "01");

	expect_code(bed_add(&bed, &a), DEVICE_ADDED);
	expect_code(bed_add(&bed, &b), -ENOTUNIQ);
	// And one Sender Key for two devices.
	b = bed_spec(1, "03", "02");
	expect_code(bed_add(&bed, &b), -ENOTUNIQ);
	cr_expect_eq(store_count(bed.store), 1);
}

Test(store, adding_a_device_again_changes_nothing)
{
	struct device_spec spec = with_seq(bed_spec(1, "01", "aa"), 1);
	uint32_t run;

	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	expect_code(store_run_grant(bed.store, &run, &bed.error), 0);
	spec = bed_spec(1, "01", "aa");
	expect_code(bed_add(&bed, &spec), DEVICE_UNCHANGED);
	spec = with_seq(spec, UINT64_C(9) << 16);
	expect_code(bed_replace(&bed, &spec), DEVICE_UNCHANGED);
	cr_expect_eq(bed_run_base(&bed, "01"), 1);
}

Test(store, a_removed_key_is_never_never_used_again)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	expect_code(bed_remove_device(&bed, "01"), 0);
	bed_reopen(&bed);
	expect_code(bed_add(&bed, &spec), -EKEYREVOKED);
	// Nor under other parameters that have one of its keys.
	struct device_spec same_recipient_key = bed_spec(1, "01", "bb");
	expect_code(bed_add(&bed, &same_recipient_key), -EKEYREVOKED);
	struct device_spec other_role = bed_spec(1, "aa", "cc");
	expect_code(bed_add(&bed, &other_role), -EKEYREVOKED);
}

// Every way of a key through the store gives it runs that it never had.
Test(store, a_key_that_returns_starts_beyond_the_highest_run_of_its_tombstone)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device;
	uint32_t run, highest;

	for (int i = 0; i < 3; i++) {
		bed_reopen(&bed);
		expect_code(store_run_grant(bed.store, &run, &bed.error), 0);
	}
	cr_assert_eq(run, 2);
	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	highest = run;
	spec = with_seq(spec, 0);
	for (int i = 0; i < 4; i++) {
		// Twice within a start, then over a restart without a run of its own.
		if (i == 2)
			bed_reopen(&bed);
		expect_code(bed_remove_device(&bed, "01"), 0);
		expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
		cr_assert_eq(bed_load(&bed, "01", &device), 1);
		cr_expect_not(device.window_known);
		expect_code(store_run_grant(bed.store, &run, &bed.error), 0);
		cr_expect(run + device.run_base > highest, "%u + %u after %u", run, device.run_base,
			highest);
		highest = run + device.run_base;
	}
}

// The data plane has a device until it hears of the removal, and a run may be granted until then.
Test(store, a_tombstone_counts_the_run_that_is_granted_after_the_removal)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	uint32_t run;

	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	expect_code(bed_remove_device(&bed, "01"), 0);
	expect_code(store_run_grant(bed.store, &run, &bed.error), 0);
	spec = with_seq(spec, 0);
	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect(bed_run_base(&bed, "01") > 0);
}

Test(store, rotation_from_a_to_b_to_a_is_refused)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "01", "aa");
	struct device_keyed device;
	enum device_outcome outcome;

	expect_code(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	uint64_t first = device.id;
	expect_code(bed_add(&bed, &b), -EEXIST);
	expect_code(store_add(bed.store, &b, true, &device, &outcome, &bed.error), 0);
	cr_expect_eq(outcome, DEVICE_REPLACED);
	cr_expect_eq(device.replaces, first);
	cr_expect(device.id > first);
	cr_expect_eq(store_count(bed.store), 1);

	expect_code(bed_replace(&bed, &a), -EKEYREVOKED);
	// The refusal left device B as it was.
	cr_assert_eq(bed_load(&bed, "01", &device), 1);
	expect_code(bed_add(&bed, &b), DEVICE_UNCHANGED);
	a = with_seq(a, 5);
	expect_code(bed_replace(&bed, &a), DEVICE_REPLACED);
	cr_expect(bed_run_base(&bed, "01") >= 1);
}

Test(store, a_device_that_is_replaced_keeps_its_name)
{
	struct device_spec a = with_name(bed_spec(1, "01", "aa"), "pump");
	struct device_spec b = bed_spec(2, "01", "aa");
	struct device_info info;

	expect_code(bed_add(&bed, &a), DEVICE_ADDED);
	expect_code(bed_replace(&bed, &b), DEVICE_REPLACED);
	expect_code(store_show(bed.store, "pump", &info, &bed.error), 0);
}

Test(store, there_are_no_more_devices_than_max_devices)
{
	struct device_spec spec = bed_spec(1, "01", "aa");

	bed_close(&bed);
	bed.config.max_devices = 1;
	bed_open(&bed);
	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	struct device_spec second = bed_spec(2, "02", "aa");
	expect_code(bed_add(&bed, &second), -EDQUOT);
	second = bed_spec(3, "01", "aa");
	expect_code(bed_replace(&bed, &second), DEVICE_REPLACED);
	expect_code(bed_remove_device(&bed, "01"), 0);
	second = bed_spec(2, "02", "aa");
	expect_code(bed_add(&bed, &second), DEVICE_ADDED);
}

Test(store, a_list_goes_by_name_in_pages)
{
	struct device_info page[3];
	char after[DEVICE_NAME_MAX + 1] = "", seen[64] = "";
	size_t count;

	for (unsigned i = 0; i < 7; i++) {
		char id[3], name[2] = {'g' - i, 0};
		snprintf(id, sizeof(id), "%02x", i);
		struct device_spec spec = with_name(bed_spec(i, id, "aa"), name);
		expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	}
	do {
		expect_code(store_list(bed.store, after, page, 3, &count, &bed.error), 0);
		for (size_t i = 0; i < count; i++)
			strcat(seen, page[i].name);
		if (count)
			strcpy(after, page[count - 1].name);
	} while (count == 3);
	cr_expect_str_eq(seen, "abcdefg");
}

Test(store, what_is_not_there_cannot_be_shown_or_removed)
{
	struct device_info info;

	expect_code(store_show(bed.store, "01", &info, &bed.error), -ENOENT);
	expect_code(bed_remove_device(&bed, "01"), -ENOENT);
	expect_code(bed_raise_base(&bed, 1, 1), -ENOENT);
}

// Columns are read and written by their place.
Test(store, a_device_is_given_by_its_name_with_its_window_unknown)
{
	struct device_spec spec = bed_spec(1, "01", "aa");
	struct device_keyed device, loaded;

	expect_code(store_get(bed.store, "01", &device, &bed.error), -ENOENT);
	expect_code(bed_add(&bed, &spec), DEVICE_ADDED);
	expect_code(store_get(bed.store, "01", &device, &bed.error), 0);
	loaded = bed_device(&bed, "01");
	cr_expect_eq(device.id, loaded.id);
	cr_expect_not(device.window_known);
	cr_expect_arr_eq(&device.keys, &loaded.keys, sizeof(device.keys));
}

Test(store, settings_are_columns_in_the_order_of_the_attributes)
{
#define COLUMN_NAME(name) #name,
	static const char *const columns[] = {STORE_SETTINGS(COLUMN_NAME)};
	const unsigned count = sizeof(columns) / sizeof(columns[0]);
	unsigned at = 0;

	for (unsigned i = 0; i < device_attribute_count; i++) {
		if (!device_attributes[i].in_place)
			continue;
		cr_assert_lt(at, count, "%s has no column", device_attributes[i].name);
		cr_expect_str_eq(columns[at++], device_attributes[i].name);
	}
	cr_expect_eq(at, count);
}

Test(store, the_key_of_connection_identifiers_is_one_for_each_store_and_stays)
{
	uint8_t key[STORE_SHARD_KEY_LEN], then[STORE_SHARD_KEY_LEN];
	struct bed other;

	store_shard_key(bed.store, key);
	bed_reopen(&bed);
	store_shard_key(bed.store, then);
	cr_expect_arr_eq(key, then, sizeof(key));
	bed_make(&other);
	bed_open(&other);
	store_shard_key(other.store, then);
	cr_expect_arr_neq(key, then, sizeof(key));
	bed_close(&other);
	bed_remove(&other);
}
