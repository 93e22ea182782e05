// SPDX-License-Identifier: BSD-3-Clause
// Imports under whose end the disk fails: what they wrote may be there or not, and whoever has the
// job learns it once the disk is sound.

#include "gw/store/import_job.h"
#include "tests/unit/gw/store/bed.h"
#include "tests/unit/gw/store/faults.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define ROWS      300 // more than are handed out at once
#define SYNCS_MAX 64  // of an import, with what its failure has synced

static struct bed bed;
static struct store_thread *thread;
static struct {
	unsigned devices, replacing, known;
	bool over;
} handed;

// A store with the device of the first row, with another key.
static void begin(uint64_t direct_rows)
{
	struct device_spec spec = bed_spec(9999, "0000", "aa");

	bed_make(&bed);
	bed_open(&bed);
	cr_assert_eq(bed_add(&bed, &spec), DEVICE_ADDED);
	bed.store->direct_rows = direct_rows;
	thread = store_thread_start(bed.store);
	cr_assert_not_null(thread);
	bed.store = NULL; // the thread's
}

static void end(struct store_import_job *import)
{
	store_import_job_free(import);
	if (thread)
		store_thread_stop(thread);
	thread = NULL;
	bed_remove(&bed);
}

static void on_import(struct store_job *job)
{
	struct store_import_job *import = (struct store_import_job *)job;

	for (size_t i = 0; i < import->count; i++) {
		handed.replacing += import->devices[i].replaces != 0;
		handed.known += import->devices[i].window_known;
	}
	handed.devices += import->count;
	if (import->count)
		store_thread_submit(thread, job);
	else
		handed.over = true;
}

static void run(struct store_import_job *import)
{
	handed.over = false;
	store_thread_submit(thread, &import->job);
	while (!handed.over)
		store_thread_wait(thread);
}

static struct store_import_job *import_new(void)
{
	struct store_import_job *import = store_import_job_new();
	FILE *file;

	cr_assert(asprintf(&import->path, "%s/rows.csv", bed.top) > 0);
	file = fopen(import->path, "w");
	fputs("device_id,gateway_id,master_secret,never_used\n", file);
	for (unsigned i = 0; i < ROWS; i++)
		fprintf(file, "%04x,aa,%08x,true\n", i, i + 1);
	fclose(file);
	import->options.replace = true;
	import->job.done = on_import;
	handed = (__typeof__(handed)){0};
	return import;
}

// How many devices of the import the store has, when it is opened again.
static unsigned stored(void)
{
	struct device_info info;

	store_thread_stop(thread);
	thread = NULL;
	bed_open(&bed);
	const unsigned count = store_count(bed.store);

	cr_assert_eq(store_show(bed.store, "0000", &info, &bed.error), 0);
	cr_expect(count == (info.id == 1 ? 1 : ROWS), "all or nothing");
	return info.id == 1 ? 0 : count;
}

// Syncs fail from this one of the import on, for a while. Returns whether it succeeded.
static bool fails_from(unsigned sync, uint64_t direct_rows, unsigned *doubts, unsigned *there)
{
	begin(direct_rows);
	struct store_import_job *import = import_new();

	faults.syncs = 0;
	faults.fail_syncs_from = sync;
	run(import);
	const bool succeeded = !import->job.result, in_doubt = import->in_doubt;

	cr_expect(succeeded ? !in_doubt && handed.devices == ROWS : !handed.devices);
	if (in_doubt) {
		run(import);
		cr_expect(import->job.result == -EIO && import->in_doubt, "as long as it fails");
	}
	faults.fail_syncs_from = 0;
	if (in_doubt) {
		run(import);
		cr_expect(!import->job.result && !import->in_doubt, "%s", import->job.error.text);
		cr_expect(!handed.known, "a window is open after a doubt");
		cr_expect_eq(handed.replacing, handed.devices > 0);
		*there += handed.devices > 0;
		++*doubts;
	}
	cr_expect_eq(stored(), handed.devices, "sync %u: not what was handed out", sync);
	end(import);
	return succeeded;
}

// At each sync; the failure is that of this one and all behind it.
static void at_every_sync(uint64_t direct_rows)
{
	unsigned doubts = 0, there = 0, sync = 1;

	while (!fails_from(sync, direct_rows, &doubts, &there))
		cr_assert_lt(++sync, SYNCS_MAX);
	cr_expect_gt(there, 0, "what is there is never in doubt");
	cr_expect(direct_rows == 0 || doubts > there, "what is not there is never in doubt");
}

Test(import_doubts, what_is_there_after_a_transaction_that_failed_is_handed_out, .timeout = 120)
{
	at_every_sync(ROWS);
}

Test(import_doubts, what_is_there_after_a_swap_that_failed_is_handed_out, .timeout = 120)
{
	at_every_sync(0);
}
