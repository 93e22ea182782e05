// SPDX-License-Identifier: BSD-3-Clause
// Devices that derive contexts in service: what is written of a run, what is remembered of their
// secrets, and that nobody else has their device_id. Also with kills and disks that fail.

#include "gw/store/check.h"
#include "gw/store/vault.h"
#include "tests/unit/gw/store/bed.h"
#include "tests/unit/gw/store/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
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

TestSuite(store_rederive, .init = set_up, .fini = tear_down, .timeout = 240);

static struct device_spec b2_spec(unsigned seed, const char *device_id, const char *gateway_id)
{
	struct device_spec spec = bed_spec(seed, device_id, gateway_id);

	spec.has_rederive = true;
	spec.rederive = DEVICE_REDERIVE_B2;
	return spec;
}

static void context_set(struct device_spec *spec, uint8_t byte, uint8_t len)
{
	spec->params.has_id_context = true;
	spec->params.id_context_len = len;
	memset(spec->params.id_context, byte, len);
}

// The n-th run of a device.
static struct store_rederivation run_of(uint64_t id, uint32_t n)
{
	struct store_rederivation run = {.id = id, .rederived = n, .id_context_len = 24};

	memset(run.id_context, 0xa0 + n, run.id_context_len);
	return run;
}

static int rederive(uint64_t id, uint32_t n)
{
	struct store_rederivation run = run_of(id, n);
	int code = store_rederive(bed.store, &run, 1, &bed.error);

	return code != 0 ? code : run.result;
}

static uint64_t added(const struct device_spec *spec, const char *name)
{
	cr_assert_eq(bed_add(&bed, spec), DEVICE_ADDED, "%s", bed.error.text);
	return bed_device(&bed, name).id;
}

static unsigned hashes(void)
{
	int64_t count;

	cr_assert_eq(sql_number(bed.store, "SELECT count(*) FROM used_key", &count), 0);
	return count;
}

static void expect_sound(void)
{
	struct store_check check = {0};
	bool done = false;

	while (!done)
		cr_assert_eq(store_check_step(bed.store, &check, &done, &bed.error), 0);
	cr_expect_eq(check.report.problems, 0, "%s", check.report.problem[0].text);
}

Test(store_rederive, a_run_is_in_the_row_and_only_there)
{
	struct device_spec spec = b2_spec(1, "01", "aa");
	struct osc_params params = spec.params;
	struct store_rederivation run;
	struct osc_keys keys;

	context_set(&spec, 7, 3);
	uint64_t id = added(&spec, "01.070707");
	unsigned before = hashes();

	cr_expect_eq(before, 3, "two keys and a secret");
	for (unsigned n = 0; n < 5; n++) {
		run = run_of(id, n);
		cr_assert_eq(store_rederive(bed.store, &run, 1, &bed.error), 0);
		cr_assert_eq(run.result, 0, "%s", bed.error.text);
		params.has_id_context = true;
		params.id_context_len = run.id_context_len;
		memcpy(params.id_context, run.id_context, run.id_context_len);
		cr_assert_eq(osc_derive(&keys, &params), 0);
		cr_expect_arr_eq(&run.device.keys, &keys, sizeof(keys));
		cr_expect(run.device.window_known);
		cr_expect_eq(run.device.window.next, 0);
		cr_expect_eq(run.device.rederived, n + 1);
		cr_expect_eq(hashes(), before, "the keys of before leave nothing");
		bed_reopen(&bed);
		struct device_keyed device = bed_device(&bed, "01.070707");

		cr_expect_eq(device.id, id);
		cr_expect_eq(device.rederived, n + 1);
		cr_expect_not(device.window_known, "after a crash");
		cr_expect_eq(device.id_context_len, 24);
		cr_expect_arr_eq(device.id_context, run.id_context, 24);
		cr_expect_arr_eq(&device.keys, &keys, sizeof(keys));
	}
	expect_sound();
}

// Of two runs that began with one count, one is done: so is a copy of its request #2.
Test(store_rederive, a_count_is_good_for_one_run)
{
	struct device_spec spec = b2_spec(1, "01", "aa"), none = bed_spec(2, "02", "aa");
	uint64_t id = added(&spec, "01"), other = added(&none, "02");
	struct store_rederivation runs[] = {
		run_of(id, 0), run_of(id, 0), run_of(id + 100, 0), run_of(other, 0), run_of(id, 1)};

	runs[1].id_context[0] = 1;
	runs[4].id_context_len = STORE_REDERIVED_CONTEXT_MAX + 1;
	cr_assert_eq(store_rederive(bed.store, runs, 5, &bed.error), 0);
	cr_expect_eq(runs[0].result, 0);
	cr_expect_eq(runs[1].result, -ESTALE);
	cr_expect_eq(runs[1].device.rederived, 1, "what it is");
	cr_expect_not(runs[1].device.window_known);
	cr_expect_eq(runs[2].result, -ENOENT);
	cr_expect_eq(runs[3].result, -EINVAL);
	cr_expect_eq(runs[4].result, -EINVAL);
	cr_expect_eq(rederive(id, 1), 0);
	// A context of before does not come again.
	struct store_rederivation again = run_of(id, 1);

	again.rederived = 2;
	cr_assert_eq(store_rederive(bed.store, &again, 1, &bed.error), 0);
	cr_expect_eq(again.result, -EEXIST, "%s", bed.error.text);
}

Test(store_rederive, run_bases_never_fall)
{
	struct device_spec spec = b2_spec(1, "01", "aa");
	uint64_t id = added(&spec, "01");
	struct store_rederivation run = run_of(id, 0);

	cr_assert_eq(bed_raise_base(&bed, id, 7), 0);
	run.run_base = 3;
	cr_assert_eq(store_rederive(bed.store, &run, 1, &bed.error), 0);
	cr_expect_eq(run.device.run_base, 7);
	run = run_of(id, 1);
	run.run_base = 8;
	cr_assert_eq(store_rederive(bed.store, &run, 1, &bed.error), 0);
	cr_expect_eq(run.device.run_base, 8);
	bed_reopen(&bed);
	cr_expect_eq(bed_run_base(&bed, "01"), 8);
	run = run_of(id, 2);
	run.run_base = STORE_RUN_MAX + 1;
	cr_assert_eq(store_rederive(bed.store, &run, 1, &bed.error), 0);
	cr_expect_eq(run.result, -ERANGE);
}

// Under whatever ID Context it was, its secret is never `never_used` again.
Test(store_rederive, one_tombstone_a_secret)
{
	struct device_spec spec = b2_spec(1, "01", "aa"), other;
	uint32_t run;

	context_set(&spec, 7, 3);
	uint64_t id = added(&spec, "01.070707");

	cr_assert_eq(rederive(id, 0), 0);
	cr_assert_eq(rederive(id, 1), 0);
	cr_assert_eq(store_run_grant(bed.store, &run, &bed.error), 0);
	cr_assert_eq(bed_raise_base(&bed, id, 5), 0);
	cr_assert_eq(bed_remove_device(&bed, "01.070707"), 0);
	cr_expect_eq(hashes(), 3, "two keys and a secret");
	bed_reopen(&bed);
	for (unsigned n = 0; n < 8; n++) {
		other = n & 1 ? spec : bed_spec(1, "01", "aa");
		if (n < 2)
			context_set(&other, 7, 3); // the first
		else if (n < 4)
			context_set(&other, 0xa0, 24); // of the first run
		else if (n < 6)
			context_set(&other, 0xa1, 24); // of the last run
		else
			context_set(&other, 0x55, 9); // of none
		cr_expect_eq(bed_add(&bed, &other), -EKEYREVOKED, "%u: %s", n, bed.error.text);
		other.params.salt[other.params.salt_len++] = 0; // derives the same
		cr_expect_eq(bed_add(&bed, &other), -EKEYREVOKED, "%u: %s", n, bed.error.text);
	}
	// In the other role, too.
	other = bed_spec(1, "aa", "01");
	cr_expect_eq(bed_add(&bed, &other), -EKEYREVOKED, "%s", bed.error.text);
	// With gateway_seq it comes back, above all that it was used with.
	other = spec;
	other.never_used = false;
	other.has_gateway_seq = true;
	strcpy(other.name, "back");
	context_set(&other, 0xa0, 24);
	cr_assert_eq(bed_add(&bed, &other), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_geq(bed_run_base(&bed, "back") + store_current_run(bed.store), 6u);
	// Another gateway_id is another secret.
	other = bed_spec(1, "03", "ab");
	cr_expect_eq(bed_add(&bed, &other), DEVICE_ADDED, "%s", bed.error.text);
}

Test(store_rederive, a_live_secret_is_of_one_device)
{
	struct device_spec spec = b2_spec(1, "01", "aa"), other = bed_spec(1, "aa", "01");

	added(&spec, "01");
	context_set(&other, 9, 4);
	cr_expect_eq(bed_add(&bed, &other), -ENOTUNIQ, "%s", bed.error.text);
}

Test(store_rederive, nobody_else_has_its_device_id)
{
	struct device_spec spec = b2_spec(1, "01", "aa"), other = bed_spec(2, "01", "aa");

	context_set(&spec, 7, 3);
	strcpy(spec.name, "lwm2m");
	added(&spec, "lwm2m");
	strcpy(other.name, "other");
	for (unsigned n = 0; n < 4; n++) {
		other.has_rederive = n & 1;
		other.rederive = DEVICE_REDERIVE_B2;
		if (n & 2)
			context_set(&other, 8, 3);
		cr_expect_eq(bed_add(&bed, &other), -EEXIST);
		cr_expect(strstr(bed.error.text, "lwm2m has this device_id"), "%s", bed.error.text);
	}
	// The other way.
	struct device_spec one = bed_spec(3, "02", "aa"), two = bed_spec(4, "02", "aa");

	context_set(&one, 1, 1);
	context_set(&two, 2, 1);
	added(&one, "02.01");
	added(&two, "02.02");
	struct device_spec b2 = b2_spec(5, "02", "aa");

	cr_expect_eq(bed_add(&bed, &b2), -EEXIST);
	cr_expect(strstr(bed.error.text, "with rederive: b2 no other may have it"), "%s",
		bed.error.text);
	cr_expect_eq(bed_remove_device(&bed, "02.01"), 0);
	cr_expect_eq(bed_add(&bed, &b2), -EEXIST, "one is there still");
	cr_expect_eq(bed_remove_device(&bed, "02.02"), 0);
	cr_expect_eq(bed_add(&bed, &b2), DEVICE_ADDED, "%s", bed.error.text);
	cr_expect_eq(store_count(bed.store), 2);
}

// An import can be made again, whatever became of the ID Context meanwhile.
Test(store_rederive, it_is_the_same_device_under_any_id_context)
{
	struct device_spec spec = b2_spec(1, "01", "aa"), other;
	struct device_keyed device;
	enum device_outcome outcome;

	context_set(&spec, 7, 3);
	strcpy(spec.name, "lwm2m");
	uint64_t id = added(&spec, "lwm2m");

	cr_assert_eq(rederive(id, 0), 0);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_UNCHANGED, "%s", bed.error.text);
	spec.settings.max_in_flight = 3;
	cr_expect_eq(bed_replace(&bed, &spec), DEVICE_CHANGED, "%s", bed.error.text);
	cr_expect_eq(bed_device(&bed, "lwm2m").rederived, 1);
	spec.rederive = DEVICE_REDERIVE_NONE;
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
	cr_expect(strstr(bed.error.text, "rederive: b2; remove it"), "%s", bed.error.text);
	// With another secret it replaces it, and keeps what is not said.
	other = bed_spec(2, "01", "aa");
	cr_assert_eq(store_add(bed.store, &other, true, &device, &outcome, &bed.error), 0, "%s",
		bed.error.text);
	cr_expect_eq(outcome, DEVICE_REPLACED);
	cr_expect_str_eq(device.name, "lwm2m");
	cr_expect_eq(device.rederive, DEVICE_REDERIVE_B2);
	cr_expect_eq(device.rederived, 0);
	cr_expect_eq(rederive(device.id, 0), 0, "%s", bed.error.text);
	cr_expect_eq(rederive(id, 1), -ENOENT);
	cr_expect_eq(store_count(bed.store), 1);
	// And it is rotated, but not to the secret that it has.
	struct device_info before;

	cr_expect_eq(
		store_rotate(bed.store, "lwm2m", &other, &before, &device, &bed.error), -EEXIST);
	other = bed_spec(3, "02", "aa");
	cr_expect_eq(store_rotate(bed.store, "lwm2m", &other, &before, &device, &bed.error), 0,
		"%s", bed.error.text);
	cr_expect_eq(device.rederive, DEVICE_REDERIVE_B2);
	cr_expect_eq(before.rederived, 1);
	cr_expect_neq(before.rederived_at, 0);
	other = bed_spec(2, "05", "aa");
	memcpy(other.params.recipient_id, "\x01", 1);
	cr_expect_eq(bed_add(&bed, &other), -EKEYREVOKED);
}

Test(store_rederive, recovery_by_b2_needs_room_in_the_id_context)
{
	struct device_spec spec = b2_spec(1, "01", "aa");

	spec.has_recovery = true;
	spec.recovery = DEVICE_B2;
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL, "no ID Context");
	cr_expect(strstr(bed.error.text, "at most 48 bytes"), "%s", bed.error.text);
	context_set(&spec, 7, DEVICE_B2_CONTEXT_MAX + 1);
	strcpy(spec.name, "a");
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL, "too long");
	spec.rederive = DEVICE_REDERIVE_NONE;
	context_set(&spec, 7, DEVICE_B2_CONTEXT_MAX);
	cr_expect_eq(bed_add(&bed, &spec), -EINVAL);
	cr_expect(strstr(bed.error.text, "rederive: b2"), "%s", bed.error.text);
	spec.rederive = DEVICE_REDERIVE_B2;
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_ADDED, "%s", bed.error.text);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "a").recovery, DEVICE_B2);
	struct device_spec floor = bed_floor_spec(2, "02", "aa");

	floor.has_rederive = true;
	floor.rederive = DEVICE_REDERIVE_B2;
	cr_expect_eq(bed_add(&bed, &floor), -EINVAL);
}

static uint64_t imported(const char *rows, bool direct)
{
	const struct import_options options = {0};
	enum import_state state = IMPORT_MORE;
	struct import_report report;
	struct import *import;
	char path[128];
	bool done = false;
	int code = 0;

	bed.store->direct_rows = direct ? STORE_DIRECT_ROWS : 0;
	snprintf(path, sizeof(path), "%s/rows.csv", bed.top);
	bed_write(path, rows, strlen(rows));
	cr_assert_eq(import_open_path(bed.store, path, &options, &import, &bed.error), 0);
	while (state != IMPORT_READ)
		cr_assert_eq(import_step(import, &state, &bed.error), 0, "%s", bed.error.text);
	while (code == 0 && !done)
		code = import_write(import, &done, &bed.error);
	import_report(import, &report);
	import_free(import);
	if (report.bad)
		bed.error = report.bad_row[0].error;
	return code == 0 ? report.added : 0;
}

#define IMPORT_HEAD "device_id,gateway_id,master_secret,never_used,rederive,recovery,id_context\n"
#define IMPORT_ROW  "01,aa,000102030405060708090a0b0c0d0e0f,true,b2,b2,0507\n"

Test(store_rederive, imports_follow_the_same_rules)
{
	struct device_keyed device;

	for (unsigned direct = 0; direct < 2; direct++) {
		cr_expect_eq(imported(IMPORT_HEAD IMPORT_ROW
				     "01,aa,00010203040506070809ff,true,none,echo,\n",
				     direct),
			0);
		cr_expect(strstr(bed.error.text, "has this device_id and"), "%s", bed.error.text);
		cr_expect_eq(imported(IMPORT_HEAD "02,aa,0001,true,none,b2,0507\n", direct), 0);
		cr_expect(strstr(bed.error.text, "recovery: b2 is for"), "%s", bed.error.text);
		cr_assert_eq(imported(IMPORT_HEAD IMPORT_ROW, direct), 1, "%s", bed.error.text);
		device = bed_device(&bed, "01.0507");
		cr_expect_eq(device.rederive, DEVICE_REDERIVE_B2);
		cr_expect_eq(device.recovery, DEVICE_B2);
		cr_expect_eq(rederive(device.id, 0), 0, "%s", bed.error.text);
		expect_sound();
		cr_expect_eq(imported(IMPORT_HEAD IMPORT_ROW, direct), 0, "it is there");
		cr_expect_eq(store_count(bed.store), 1);
		cr_assert_eq(bed_remove_device(&bed, "01.0507"), 0);
		cr_expect_eq(imported(IMPORT_HEAD IMPORT_ROW, direct), 0);
		cr_expect(strstr(bed.error.text, "in use here before"), "%s", bed.error.text);
		cr_expect_eq(imported(IMPORT_HEAD
				     "01,aa,000102030405060708090a0b0c0d0e0f,true,none,echo,99\n",
				     direct),
			0, "nor without");
		bed_remove(&bed);
		bed_make(&bed);
		bed_open(&bed);
	}
}

// What a run changed in the store while an import was written to a copy is in the copy, too.
Test(store_rederive, a_run_beside_an_import_stays)
{
	struct device_spec spec = b2_spec(1000, "ffff01", "bb");
	char path[128];
	FILE *file;
	struct import_options options = {.never_used = true};
	struct import *import;
	enum import_state state = IMPORT_MORE;
	bool done = false;
	unsigned turns = 0;
	uint64_t id = added(&spec, "ffff01");

	bed.store->direct_rows = 0;
	snprintf(path, sizeof(path), "%s/rows.csv", bed.top);
	file = fopen(path, "w");
	fprintf(file, "device_id,gateway_id,master_secret\n");
	for (unsigned i = 0; i < 100; i++)
		fprintf(file, "%06x,aa,00112233445566778899aabb%08x\n", i + 1, i + 1);
	fclose(file);
	cr_assert_eq(import_open_path(bed.store, path, &options, &import, &bed.error), 0);
	while (state != IMPORT_READ)
		cr_assert_eq(import_step(import, &state, &bed.error), 0);
	while (!done) {
		cr_assert_eq(import_write(import, &done, &bed.error), 0, "%s", bed.error.text);
		if (store_importing(bed.store) && turns < 20)
			cr_assert_eq(rederive(id, turns++), 0, "%s", bed.error.text);
	}
	import_free(import);
	cr_expect_gt(turns, 1u);
	cr_expect_eq(store_count(bed.store), 101);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "ffff01").rederived, turns);
	cr_expect_eq(hashes(), 203);
	cr_expect_eq(rederive(id, turns), 0, "%s", bed.error.text);
	cr_expect_eq(bed_remove_device(&bed, "ffff01"), 0);
	cr_expect_eq(bed_add(&bed, &spec), -EKEYREVOKED);
}

// --- the secrets in memory -------------------------------------------------------------------

Test(store_rederive, secrets_are_found_by_device_id_and_opened)
{
	struct device_spec spec = b2_spec(1, "01", "aa");
	struct store_rederivation run;
	struct vault_device found;
	struct vault *vault = vault_create(bed.store);
	uint64_t id = added(&spec, "01");
	struct device_keyed device = bed_device(&bed, "01"), many;

	cr_assert_not_null(vault);
	cr_expect_not(vault_open(vault, (const uint8_t *)"\x01", 1, &found));
	cr_assert_eq(vault_put(vault, &device), 0);
	cr_assert(vault_open(vault, (const uint8_t *)"\x01", 1, &found));
	cr_expect_eq(found.id, id);
	cr_expect_eq(found.rederived, 0);
	cr_expect_eq(found.fingerprint, device.fingerprint);
	cr_expect_eq(found.params.secret_len, spec.params.secret_len);
	cr_expect_arr_eq(found.params.secret, spec.params.secret, spec.params.secret_len);
	cr_expect_arr_eq(found.params.salt, spec.params.salt, spec.params.salt_len);
	cr_expect_not(memmem(&device, sizeof(device), spec.params.secret, spec.params.secret_len),
		"what main has is sealed");
	cr_expect_not(vault_open(vault, (const uint8_t *)"\x01\x00", 2, &found));
	run = run_of(id, 0);
	cr_assert_eq(store_rederive(bed.store, &run, 1, &bed.error), 0);
	cr_assert_eq(vault_put(vault, &run.device), 0);
	cr_assert(vault_open(vault, (const uint8_t *)"\x01", 1, &found));
	cr_expect_eq(found.rederived, 1);
	cr_expect_eq(found.fingerprint, run.device.fingerprint);
	cr_expect_neq(found.fingerprint, device.fingerprint);
	cr_expect_eq(found.params.id_context_len, 24);
	cr_expect_eq(vault_count(vault), 1);
	// Under another id it is bound to, it does not open.
	many = run.device;
	many.id++;
	cr_assert_eq(vault_put(vault, &many), 0);
	cr_expect_not(vault_open(vault, (const uint8_t *)"\x01", 1, &found));
	cr_expect_eq(found.params.secret_len, 0);
	for (unsigned i = 0; i < 1000; i++) {
		many.device_id_len = 3;
		memcpy(many.device_id, &i, 3);
		cr_assert_eq(vault_put(vault, &many), 0);
	}
	cr_expect_eq(vault_count(vault), 1001);
	for (unsigned i = 0; i < 1000; i++)
		vault_take(vault, (const uint8_t *)&i, 3, many.id);
	vault_take(vault, (const uint8_t *)"\x01", 1, id);
	cr_expect_eq(vault_count(vault), 1, "that is another one");
	vault_free(vault);
}

// --- kills and disks that fail -----------------------------------------------------------------

// What must hold of the device whose run began with count n and context `old`: it is there with the
// old context or the new one, whole; and there was no run of the new one if it has the old one.
static void old_or_new(uint64_t id, uint32_t n, bool must_be_new)
{
	struct device_keyed device = bed_device(&bed, "01");
	struct store_rederivation run = run_of(id, n);
	bool is_new = device.rederived == n + 1;

	cr_assert(is_new || device.rederived == n, "%u", device.rederived);
	cr_expect(is_new || !must_be_new);
	if (is_new)
		cr_expect_arr_eq(device.id_context, run.id_context, run.id_context_len);
	cr_expect_not(device.window_known);
	cr_expect_eq(device.run_base, 2 + n);
	expect_sound();
}

Test(store_rederive, a_kill_at_any_write_leaves_the_old_or_the_new_context)
{
	struct device_spec spec = b2_spec(1, "01", "aa");
	uint64_t id = added(&spec, "01");
	unsigned was_old = 0, was_new = 0;
	bool ended = false;

	cr_assert_eq(bed_raise_base(&bed, id, 2), 0);
	bed_close(&bed);
	bed_save(&bed);
	for (unsigned n = 1; !ended; n++) {
		int fds[2], status, reply = -1;

		cr_assert_eq(pipe(fds), 0);
		pid_t pid = fork();
		if (pid == 0) {
			bed_open(&bed);
			faults.calls = 0;
			faults.kill_at = n;
			reply = rederive(id, 0);
			faults.kill_at = 0;
			_exit(write(fds[1], &reply, sizeof(reply)) != sizeof(reply));
		}
		close(fds[1]);
		(void)!read(fds[0], &reply, sizeof(reply));
		close(fds[0]);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		ended = WIFEXITED(status);
		bed_open(&bed);
		old_or_new(id, 0, reply == 0);
		bool is_new = bed_device(&bed, "01").rederived == 1;

		was_old += !is_new;
		was_new += is_new;
		// It goes on, whichever it is, and none of its contexts comes again.
		cr_expect_eq(rederive(id, is_new), 0, "%s", bed.error.text);
		cr_expect_eq(bed_remove_device(&bed, "01"), 0);
		cr_expect_eq(bed_add(&bed, &spec), -EKEYREVOKED);
		bed_close(&bed);
		bed_restore(&bed);
		cr_assert(n < 1000);
	}
	cr_expect_gt(was_old, 3u);
	cr_expect_gt(was_new, 1u);
}

// Whatever sync fails: nothing is to be published, or the run is durable.
Test(store_rederive, a_sync_that_fails_publishes_nothing)
{
	struct device_spec spec = b2_spec(1, "01", "aa");
	uint64_t id = added(&spec, "01");
	unsigned refused = 0;
	uint32_t count = 0;

	cr_assert_eq(bed_raise_base(&bed, id, 2), 0);
	for (unsigned n = 1; n <= 8; n++) {
		struct store_rederivation run = run_of(id, count);

		run.run_base = 2 + count;
		faults.syncs = 0;
		faults.fail_syncs_from = n;
		int code = store_rederive(bed.store, &run, 1, &bed.error);
		faults.fail_syncs_from = 0;
		if (code != 0) {
			refused++;
			cr_expect_eq(run.result, code);
			cr_expect(sodium_is_zero((const uint8_t *)&run.device, sizeof(run.device)));
		}
		cr_assert_eq(store_recover(bed.store, &bed.error), 0, "%s", bed.error.text);
		bed_reopen(&bed);
		uint32_t now = bed_device(&bed, "01").rederived;

		cr_expect(now == count + 1 || (now == count && code != 0));
		// Who does not know what became of it is told.
		if (now != count && code != 0) {
			run = run_of(id, count);
			run.id_context[1] = 1;
			cr_assert_eq(store_rederive(bed.store, &run, 1, &bed.error), 0);
			cr_expect_eq(run.result, -ESTALE);
			cr_expect_eq(run.device.rederived, now);
		}
		count = now;
	}
	cr_expect_gt(refused, 2u);
}
