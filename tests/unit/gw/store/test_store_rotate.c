// SPDX-License-Identifier: BSD-3-Clause
// A device that gets other keys, or other limits, in its place.

#include "dataplane/oscore/own_piv.h"
#include "gw/store/tombstones.h"
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

TestSuite(store_rotate, .init = set_up, .fini = tear_down);

static int raise_mark(uint64_t id, uint64_t mark)
{
	struct store_raise wanted = {.id = id, .value = mark, .result = 1};

	int code = store_marks_raise(bed.store, &wanted, 1, &bed.error);
	return code != 0 ? code : wanted.result;
}

static int rotate(const char *name, const struct device_spec *spec)
{
	struct device_info before;
	struct device_keyed device;

	return store_rotate(bed.store, name, spec, &before, &device, &bed.error);
}

Test(store_rotate, rotation_keeps_the_name_and_what_is_not_said)
{
	struct device_spec a = bed_floor_spec(1, "01", "aa"), b = bed_spec(2, "02", "bb");
	struct device_info before;
	struct device_keyed device;

	strcpy(a.name, "pump");
	a.has_own_piv = true;
	a.own_piv = DEVICE_OWN_PIV_CLOCK;
	a.settings = (struct device_settings){.max_message = 1038, .max_in_flight = 3};
	b.settings.max_in_flight = 4;
	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(raise_mark(bed_device(&bed, "pump").id, 100), 0);
	uint64_t id = bed_device(&bed, "pump").id;
	cr_assert_eq(store_rotate(bed.store, "pump", &b, &before, &device, &bed.error), 0, "%s",
		bed.error.text);
	cr_expect_eq(before.id, id);
	cr_expect_eq(before.device_id[0], 1);
	cr_expect_eq(device.replaces, id);
	cr_expect_str_eq(device.name, "pump");
	cr_expect_eq(device.device_id[0], 2);
	cr_expect_eq(device.recovery, DEVICE_FLOOR);
	cr_expect_eq(device.own_piv, DEVICE_OWN_PIV_CLOCK);
	cr_expect_eq(device.mark, 32); // of the new keys
	cr_expect_eq(device.settings.max_message, 1038);
	cr_expect_eq(device.settings.max_in_flight, 4);
	cr_expect_eq(store_count(bed.store), 1);
	bed_reopen(&bed);
	cr_expect_eq(bed_device(&bed, "pump").device_id[0], 2);
}

static int replace(
	const struct device_spec *spec, struct device_keyed *device, enum device_outcome *outcome)
{
	return store_add(bed.store, spec, true, device, outcome, &bed.error);
}

static void expect_limits(uint64_t id, uint16_t max_message, uint8_t max_in_flight)
{
	struct device_keyed device = bed_device(&bed, "pump");

	cr_expect_eq(device.id, id);
	cr_expect_eq(device.settings.max_message, max_message);
	cr_expect_eq(device.settings.max_in_flight, max_in_flight);
	cr_expect_eq(device.mark, 100);
	cr_expect_eq(device.run_base, 7);
	cr_expect_eq(device.own_piv, DEVICE_OWN_PIV_ALWAYS);
}

Test(store_rotate, limits_change_in_place_and_nothing_else)
{
	struct device_spec a = bed_floor_spec(1, "01", "aa");
	enum device_outcome outcome;
	struct device_keyed device;

	strcpy(a.name, "pump");
	a.has_own_piv = true;
	a.own_piv = DEVICE_OWN_PIV_ALWAYS;
	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	uint64_t id = bed_device(&bed, "pump").id;
	cr_assert_eq(raise_mark(id, 100), 0);
	cr_assert_eq(bed_raise_base(&bed, id, 7), 0);
	a.settings.max_message = 1038;
	cr_expect_eq(bed_add(&bed, &a), -EEXIST);
	cr_expect(strstr(bed.error.text, "replace changes them"), "%s", bed.error.text);
	expect_limits(id, 0, 0);
	cr_assert_eq(replace(&a, &device, &outcome), 0, "%s", bed.error.text);
	cr_expect_eq(outcome, DEVICE_CHANGED);
	cr_expect(device.changed && device.id == id && device.replaces == 0);
	cr_expect_eq(device.settings.max_message, 1038);
	expect_limits(id, 1038, 0);
	// What is not said stays, and the same again is no change.
	a.settings = (struct device_settings){.max_in_flight = 3};
	cr_assert_eq(replace(&a, &device, &outcome), 0);
	cr_expect_eq(outcome, DEVICE_CHANGED);
	cr_assert_eq(replace(&a, &device, &outcome), 0);
	cr_expect_eq(outcome, DEVICE_UNCHANGED);
	// Other attributes do not change, nor do limits beside them.
	a.settings.max_in_flight = 4;
	a.own_piv = DEVICE_OWN_PIV_CLOCK;
	cr_expect_eq(replace(&a, &device, &outcome), -EEXIST);
	cr_expect(strstr(bed.error.text, "remove it first"), "%s", bed.error.text);
	expect_limits(id, 1038, 3);
	cr_expect_eq(store_count(bed.store), 1);
	bed_reopen(&bed);
	expect_limits(id, 1038, 3);
	cr_expect_eq(store_count(bed.store), 1);
}

Test(store_rotate, rotation_from_a_to_b_to_a_by_the_verb_is_refused)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "01", "aa");

	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_expect_eq(rotate("01", &a), -EEXIST);
	cr_assert_eq(rotate("01", &b), 0, "%s", bed.error.text);
	cr_expect_eq(rotate("01", &a), -EKEYREVOKED);
	// The keys of the device stay what they were.
	cr_expect_eq(bed_add(&bed, &b), DEVICE_UNCHANGED);
	// Who says where they have been may, and starts beyond that.
	a.never_used = false;
	a.has_gateway_seq = true;
	cr_expect_eq(rotate("01", &a), 0, "%s", bed.error.text);
	cr_expect_geq(bed_run_base(&bed, "01"), 1);
}

Test(store_rotate, rotation_takes_nothing_from_another_device)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_spec(2, "02", "aa");
	struct device_spec new = bed_spec(3, "02", "aa"), swapped = bed_spec(2, "aa", "02");

	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &b), DEVICE_ADDED);
	cr_expect_eq(rotate("01", &new), -EEXIST);       // ids
	cr_expect_eq(rotate("01", &swapped), -ENOTUNIQ); // derived keys
	cr_expect_eq(rotate("03", &new), -ENOENT);
	cr_expect_eq(store_count(bed.store), 2);
	cr_expect_eq(bed_add(&bed, &a), DEVICE_UNCHANGED);
}

Test(store_rotate, a_device_that_is_there_is_left_as_it_is_or_refused)
{
	struct device_spec spec = bed_floor_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_UNCHANGED);
	spec.has_recovery = false;
	cr_expect_eq(bed_add(&bed, &spec), DEVICE_UNCHANGED);
	spec.has_recovery = true;
	spec.recovery = DEVICE_ECHO;
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
	spec.recovery = DEVICE_FLOOR;
	spec.has_own_piv = true;
	spec.own_piv = DEVICE_OWN_PIV_CLOCK;
	cr_expect_eq(bed_add(&bed, &spec), -EEXIST);
}

// ---- what is listed of keys that are gone

static struct store_tombstone page[8];

// A page of tombstones behind a key; NULL: the first.
static unsigned tombstones(const uint8_t *after, size_t room)
{
	struct store_tombstones walk = {.page = page, .room = room, .has_after = after != NULL};
	bool done = false;

	if (after)
		memcpy(walk.after, after, sizeof(walk.after));
	while (!done)
		cr_assert_eq(store_tombstones_step(bed.store, &walk, &done, &bed.error), 0, "%s",
			bed.error.text);
	cr_expect_leq(walk.count, room);
	return (unsigned)walk.count;
}

Test(store_rotate, tombstones_are_listed_in_pages)
{
	struct device_spec a = bed_spec(1, "01", "aa"), b = bed_floor_spec(2, "02", "bb"),
			   c = bed_spec(3, "03", "cc");
	uint8_t last[STORE_TOMBSTONE_KEY_LEN];
	unsigned marks = 0, clocks = 0, runs = 0;

	c.has_own_piv = true;
	c.own_piv = DEVICE_OWN_PIV_CLOCK;
	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &b), DEVICE_ADDED);
	cr_assert_eq(bed_add(&bed, &c), DEVICE_ADDED);
	cr_expect_eq(tombstones(NULL, 8), 0, "keys of devices are none");
	cr_assert_eq(raise_mark(bed_device(&bed, "02").id, 100), 0);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	cr_assert_eq(bed_remove_device(&bed, "02"), 0);
	cr_assert_eq(bed_remove_device(&bed, "03"), 0);
	cr_assert_eq(tombstones(NULL, 8), 6);
	for (unsigned i = 0; i < 6; i++) {
		if (i)
			cr_expect_gt(memcmp(page[i].key, page[i - 1].key, sizeof(last)), 0);
		cr_expect_not(page[i].damaged);
		marks += page[i].mark == 100;
		clocks += page[i].used == STORE_USED_CLOCK;
		runs += page[i].used == STORE_USED_RUNS;
	}
	cr_expect_eq(marks, 2, "both keys of the device that had one");
	cr_expect_eq(clocks, 2);
	cr_expect_eq(runs, 4);
	memcpy(last, page[3].key, sizeof(last));
	cr_assert_eq(tombstones(last, 8), 2);
	cr_expect_gt(memcmp(page[0].key, last, sizeof(last)), 0);
	cr_expect_eq(tombstones(NULL, 4), 4, "no more than asked for");
	cr_expect_arr_eq(page[3].key, last, sizeof(last));
}

Test(store_rotate, tombstones_that_changed_on_the_disk_are_damaged)
{
	struct device_spec a = bed_spec(1, "01", "aa");

	cr_assert_eq(bed_add(&bed, &a), DEVICE_ADDED);
	cr_assert_eq(bed_remove_device(&bed, "01"), 0);
	bed_close(&bed);
	bed_sql(&bed, "UPDATE used_key SET run = run + 1");
	bed_open(&bed);
	cr_assert_eq(tombstones(NULL, 8), 2);
	cr_expect(page[0].damaged && page[1].damaged);
}
