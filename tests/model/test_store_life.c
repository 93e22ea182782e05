// SPDX-License-Identifier: BSD-3-Clause
// No own Partial IV leaves that the disk does not know, whichever write, sync, truncation, rename
// or open to write of the store fails, and wherever the power is cut: each of them once, in a life
// in which all verbs come.

#include "tests/model/disk.h"
#include "tests/model/store_life.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

// A life goes from start to start, so that a fault needs no more of it than from the start before.

static void born(void)
{
	static const struct life_row rows[] = {
		{0, false, LIFE_ANY}, {1, true, LIFE_ANY}, {2, false, 5 << 16}};

	life_wake();
	life_import(rows, 3);
	life_grant();
	life_add(3, LIFE_ANY);
	life_traffic();
	life_raise_mark("02", 64);
	life_sleep(true);
}

static void served(void)
{
	life_wake();
	life_traffic();
	life_raise_mark("02", 96);
	life_grant();
	life_traffic();
	life_clock(1000);
	life_raise_base("01", 1);
	life_raise_base("03", 9);
	life_raise_mark("02", 128);
	life_resync("02", 200);
	life_add(4, LIFE_ANY);
	life_traffic();
	life_sleep(true);
}

static void changed(void)
{
	static const struct life_row rows[] = {{7, false, LIFE_ANY}, {5, true, 0}};

	life_wake();
	life_remove("05");
	life_tombstones();
	life_add(4, 0);
	life_grant();
	life_traffic();
	life_remove("05");
	life_add(4, 0);
	life_rotate(6);
	life_clock(5000);
	life_import(rows, 1);
	life_traffic();
	life_tombstones();
	life_sleep(false);
}

// The first start of a version that has other runs.
static void taken_over(void)
{
	life_wake();
	life_tombstones();
	life_grant();
	life_traffic();
	life_raise_base("01", 100);
	life_remove("05");
	life_add(4, 0);
	life_traffic();
	life_sleep(true);
}

static void copied(void)
{
	life_wake();
	life_check();
	life_grant();
	life_backup();
	life_clock(70);
	life_remove("04");
	life_add(5, LIFE_ANY);
	life_traffic();
	life_sleep(true);
}

static void adopted(void)
{
	life_adopt();
	if (!life_wake())
		return;
	life_resync("02", 1000);
	life_grant();
	life_add(LIFE_SECRET, LIFE_ANY);
	life_traffic();
	life_rederive(LIFE_SECRET + 1, 5);
	life_traffic();
	life_sleep(true);
}

static void last(void)
{
	life_wake();
	life_traffic();
	life_rederive(LIFE_SECRET + 2, 0);
	life_grant();
	life_traffic();
	life_remove("07");
	life_tombstones();
	life_sleep(true);
}

static const struct episode {
	const char *name;
	void (*live)(void);
	bool restored; // a backup is put in the place of the store before it
	bool aged;     // and the store is made one of an older version
} episodes[] = {{"born", born, false, false}, {"served", served, false, false},
	{"changed", changed, false, false}, {"taken over", taken_over, false, true},
	{"copied", copied, false, false}, {"adopted", adopted, true, true},
	{"last", last, false, false}};

#define CALLS_MAX 512
#define EPISODES  (sizeof(episodes) / sizeof(episodes[0]))

static struct {
	struct disk_image disk;
	struct life life;
	unsigned calls;
	// Calls that can fail for want of room, and those of which half can be done.
	bool takes_room[CALLS_MAX], writes[CALLS_MAX];
} before[EPISODES + 1];

static void put(const struct disk_image *disk, const struct life *model)
{
	disk_image_put(disk, life_bed.top);
	life = *model;
}

static void set_up(void)
{
	bed_make(&life_bed);
}

// For the disk before each episode.
static void live_without_fault(void)
{
	for (size_t i = 0; i < EPISODES; i++) {
		snprintf(life_where, sizeof(life_where), "%s, no fault", episodes[i].name);
		if (episodes[i].restored)
			life_restore();
		if (episodes[i].aged)
			life_age();
		disk_image_take(&before[i].disk, life_bed.top);
		before[i].life = life;
		disk_begin(life_bed.top, 0, DISK_EIO);
		episodes[i].live();
		disk_end();
		before[i].calls = disk_calls();
		cr_assert_lt(before[i].calls, CALLS_MAX);
		for (unsigned n = 1; n <= before[i].calls; n++) {
			before[i].takes_room[n] = disk_call_takes_room(n);
			before[i].writes[n] = disk_call_writes(n);
		}
	}
}

static void tear_down(void)
{
	for (size_t i = 0; i < EPISODES; i++)
		disk_image_free(&before[i].disk);
	bed_remove(&life_bed);
}

TestSuite(store_life, .init = set_up, .fini = tear_down, .timeout = 600);

// A reboot empties the runtime directory.
static void reboot(void)
{
	static unsigned boots;
	char text[64], command[160];

	snprintf(text, sizeof(text), "%08x-89ab-cdef-0123-456789abcdef\n", ++boots);
	bed_write(life_bed.boot, text, 37);
	snprintf(command, sizeof(command), "%s/" STORE_MARK, life_bed.runtime);
	remove(command);
	snprintf(command, sizeof(command), "%s/" STORE_TOKEN, life_bed.runtime);
	remove(command);
}

// What the next start finds.
static void audit(const struct episode *episode, const struct disk_image *disk,
	const struct life *model, bool rebooted)
{
	put(disk, model);
	if (rebooted)
		reboot();
	if (episode->restored)
		life_adopt();
	life_wake();
	life_tombstones();
	life_grant();
	life_sleep(false);
}

// The next start comes after the end of the process alone, or with what a power cut leaves.
static void fail_one(size_t i, unsigned n, enum disk_fault fault)
{
	const struct episode *episode = &episodes[i];
	struct disk_image left, synced;

	put(&before[i].disk, &before[i].life);
	disk_begin(life_bed.top, n, fault);
	episode->live();
	cr_assert(disk_failed() || n > before[i].calls, "%s: was not reached", life_where);
	disk_end();
	struct life after = life;
	if (fault == DISK_CUT || fault == DISK_EIO) {
		disk_image_take(&left, life_bed.top);
		audit(episode, &left, &after, false);
		disk_image_free(&left);
	}
	for (unsigned some = 0; some <= (fault == DISK_CUT); some++) {
		disk_after_cut(&synced, some, n);
		audit(episode, &synced, &after, true);
		disk_image_free(&synced);
	}
}

static bool can_fail(size_t i, unsigned n, enum disk_fault fault)
{
	switch (fault) {
	case DISK_ENOSPC:
		return before[i].takes_room[n];
	case DISK_HALF:
		return before[i].writes[n];
	default:
		return true;
	}
}

static void fail_each(const char *how, enum disk_fault fault)
{
	unsigned points = 0;

	live_without_fault();
	for (size_t i = 0; i < EPISODES; i++) {
		// The power is also cut after the last one.
		for (unsigned n = 1; n <= before[i].calls + (fault == DISK_CUT); n++) {
			snprintf(life_where, sizeof(life_where), "%s, call %u of %u, %s",
				episodes[i].name, n, before[i].calls, how);
			if (!can_fail(i, n, fault))
				continue;
			fail_one(i, n, fault);
			points++;
		}
	}
	fprintf(stderr, "# %s: at %u calls\n", how, points);
}

Test(store_life, the_power_may_be_cut_at_every_call)
{
	fail_each("the power is cut", DISK_CUT);
}

Test(store_life, every_call_may_fail_by_an_io_error)
{
	fail_each("EIO", DISK_EIO);
}

Test(store_life, every_call_may_fail_for_want_of_room)
{
	fail_each("ENOSPC", DISK_ENOSPC);
}

Test(store_life, every_write_may_be_short)
{
	fail_each("half of it is written", DISK_HALF);
}
