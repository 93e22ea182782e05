// SPDX-License-Identifier: BSD-3-Clause
// The store thread: order, progress, back-pressure, the end.

#include "gw/store/import_job.h"
#include "gw/store/jobs.h"
#include "tests/unit/gw/store/bed.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bed bed;
static struct store_thread *thread;

static void set_up(void)
{
	bed_make(&bed);
	bed_open(&bed);
	thread = store_thread_start(bed.store);
	cr_assert_not_null(thread);
	bed.store = NULL; // the thread's
}

static void tear_down(void)
{
	store_thread_stop(thread);
	bed_remove(&bed);
}

TestSuite(store_thread, .init = set_up, .fini = tear_down, .timeout = 120);

// Main's loop, until something that a callback sets.
static void serve_until(const bool *over)
{
	while (!*over) {
		struct pollfd ready = {.fd = store_thread_fd(thread), .events = POLLIN};
		cr_assert_eq(poll(&ready, 1, 60000), 1, "nothing came from the thread");
		store_thread_poll(thread);
	}
}

static bool over;

static void set_over(struct store_job *job)
{
	over = true;
}

static void serve(struct store_job *job)
{
	over = false;
	job->done = set_over;
	store_thread_submit(thread, job);
	serve_until(&over);
}

Test(store_thread, each_job_does_its_verb)
{
	struct store_add_job add = {.spec = bed_spec(1, "01", "aa")};
	struct store_show_job show = {.name = "01"};
	struct device_info page[2];
	struct store_list_job list = {.page = page, .room = 2};
	struct store_raise raise = {.value = 7};
	struct store_raise_job base = {.raise = &raise, .count = 1};
	struct store_grant_job grant = {0};
	struct store_remove_job remove = {.name = "01"};

	store_add_job_init(&add);
	serve(&add.job);
	cr_assert_eq(add.job.result, 0, "%s", add.job.error.text);
	cr_expect(add.outcome == DEVICE_ADDED && add.device.window_known);
	// The secret is gone from the job.
	cr_expect_eq(add.spec.params.secret_len, 0);

	store_show_job_init(&show);
	serve(&show.job);
	cr_expect(show.job.result == 0 && show.info.id == add.device.id);

	store_list_job_init(&list);
	serve(&list.job);
	cr_expect(list.job.result == 0 && list.count == 1);

	store_raise_job_init(&base);
	raise.id = add.device.id;
	serve(&base.job);
	cr_expect(base.job.result == 0 && raise.result == 0);

	store_grant_job_init(&grant);
	serve(&grant.job);
	cr_expect(grant.job.result == 0 && grant.run == 0);

	store_remove_job_init(&remove);
	serve(&remove.job);
	cr_expect(remove.job.result == 0 && remove.info.run_base == 7);
	serve(&remove.job);
	cr_expect_eq(remove.job.result, -ENOENT);
	cr_expect_str_neq(remove.job.error.text, "");
}

static char *write_rows(unsigned rows)
{
	char *path;

	cr_assert(asprintf(&path, "%s/rows.csv", bed.top) > 0);
	FILE *file = fopen(path, "w");
	fputs("device_id,gateway_id,master_secret,never_used\n", file);
	for (unsigned i = 0; i < rows; i++)
		fprintf(file, "%06x,aa,%08x,true\n", i, i + 1);
	fclose(file);
	return path;
}

static size_t handed_out, chunks, notes;
static bool import_ended;

static void on_import(struct store_job *job)
{
	struct store_import_job *import = (struct store_import_job *)job;

	handed_out += import->count;
	chunks += import->count > 0;
	cr_expect(import->count <= STORE_IMPORT_CHUNK);
	if (import->count > 0)
		store_thread_submit(thread, job);
	else
		import_ended = true;
}

static void on_note(struct store_job *job)
{
	notes++;
}

static struct store_import_job *start_import(char *path, int fd)
{
	struct store_import_job *import = store_import_job_new();

	import->path = path;
	import->fd = fd;
	import->job.done = on_import;
	import->job.note = on_note;
	store_thread_submit(thread, &import->job);
	return import;
}

Test(store_thread, an_import_hands_out_all_its_rows_in_chunks_after_the_commit)
{
	struct store_import_job *import = start_import(write_rows(1000), -1);

	serve_until(&import_ended);
	cr_expect_eq(import->job.result, 0, "%s", import->job.error.text);
	cr_expect_eq(handed_out, 1000);
	cr_expect_eq(chunks, 4);
	cr_expect_eq(import->report.added, 1000);
	cr_expect_eq(import->progress.applied, 1000);
	cr_expect(notes > 0);
	store_import_job_free(import);
}

Test(store_thread, an_import_that_fails_reports_its_rows)
{
	char *path = write_rows(10);
	FILE *file = fopen(path, "a");

	fputs("zz,aa,01,true\n", file);
	fclose(file);
	struct store_import_job *import = start_import(path, -1);
	serve_until(&import_ended);
	cr_expect_eq(import->job.result, -EBADMSG);
	cr_expect_eq(import->report.bad, 1);
	cr_expect_eq(import->report.bad_row[0].line, 12);
	cr_expect_eq(handed_out, 0);
	store_import_job_free(import);
	import_ended = false;
	import = start_import(strdup("/nowhere"), -1);
	serve_until(&import_ended);
	cr_expect_eq(import->job.result, -ENOENT);
	store_import_job_free(import);
}

// A writer that is slow, or never comes, keeps nobody from the store.
Test(store_thread, other_jobs_go_on_while_an_import_waits_for_its_input)
{
	static const char text[] = "device_id,gateway_id,master_secret,never_used\n01,aa,01,true\n";
	struct store_grant_job grant = {0};
	struct store_import_job *import[3];
	int fds[3][2];

	store_grant_job_init(&grant);
	for (int i = 0; i < 3; i++) {
		cr_assert_eq(pipe(fds[i]), 0);
		import[i] = start_import(NULL, fds[i][0]);
	}
	cr_assert_eq(write(fds[1][1], text, sizeof(text) - 1), (ssize_t)sizeof(text) - 1);
	serve(&grant.job);
	cr_expect_eq(grant.job.result, 0);
	close(fds[1][1]);
	serve_until(&import_ended);
	cr_expect_eq(import[1]->report.added, 1);
	cr_expect_eq(handed_out, 1);
	// Those that still wait end with the thread.
	store_thread_stop(thread);
	thread = NULL;
	cr_expect_eq(import[0]->job.result, -ECANCELED);
	cr_expect_eq(import[2]->job.result, -ECANCELED);
	for (int i = 0; i < 3; i++)
		store_import_job_free(import[i]);
	close(fds[0][1]);
	close(fds[2][1]);
}

static bool no_window(void *arg, struct store_window *window)
{
	return false;
}

Test(store_thread, after_a_cancel_imports_end_and_the_windows_are_kept)
{
	struct store_stop_job stop = {.next = no_window};
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	struct store_import_job *import = start_import(NULL, fds[0]);
	store_thread_cancel(thread);
	serve_until(&import_ended);
	cr_expect_eq(import->job.result, -ECANCELED);
	store_import_job_free(import);
	store_stop_job_init(&stop);
	serve(&stop.job);
	cr_expect_eq(stop.job.result, 0, "%s", stop.job.error.text);
	close(fds[1]);
}

static int gate[2];

// Holds the thread until somebody writes.
static enum store_turn run_gate(struct store_job *job, struct store *store)
{
	char byte;

	cr_assert_eq(read(gate[0], &byte, 1), 1);
	return STORE_TURN_DONE;
}

static const struct store_job *ended[4];
static unsigned ended_count;

static void note_end(struct store_job *job)
{
	ended[ended_count++] = job;
	over = ended_count == sizeof(ended) / sizeof(ended[0]);
}

Test(store_thread, runs_and_marks_are_given_while_a_check_is_under_way)
{
	struct store_job hold = {.run = run_gate, .done = note_end};
	struct store_check_job check = {.job.done = note_end};
	struct store_grant_job grant = {.job.done = note_end};
	struct store_raise mark = {.id = 1, .value = 100};
	struct store_raise_job marks = {
		.job.done = note_end, .is_mark = true, .raise = &mark, .count = 1};
	const struct store_job *in_order[] = {&hold, &grant.job, &marks.job, &check.job};

	struct store_import_job *import = start_import(write_rows(1000), -1);
	serve_until(&import_ended);
	store_import_job_free(import);
	cr_assert_eq(pipe(gate), 0);
	store_thread_submit(thread, &hold);
	store_check_job_init(&check);
	store_thread_submit(thread, &check.job);
	store_grant_job_init(&grant);
	store_thread_submit(thread, &grant.job);
	store_raise_job_init(&marks);
	store_thread_submit(thread, &marks.job);
	// All of them are there now, however long this took.
	cr_assert_eq(write(gate[1], "", 1), 1);
	serve_until(&over);
	cr_expect_arr_eq(ended, in_order, sizeof(in_order));
	cr_expect(grant.job.result == 0 && marks.job.result == 0);
	cr_expect_eq(check.check.report.problems, 0, "%s", check.check.report.problem[0].text);
	cr_expect_eq(check.check.report.devices, 1000);
}

static unsigned meanwhile, turns_seen;

static void count_meanwhile(struct store_job *job)
{
	meanwhile++;
	if (!import_ended)
		store_thread_submit(thread, job);
}

// Between any two turns of the import there is one of others, which sees none of its rows before
// all of them are there.
static enum store_turn run_grant_and_show(struct store_job *job, struct store *store)
{
	struct device_info info;
	struct error error;
	uint32_t run;
	struct store_raise base = {.id = 1, .value = ++turns_seen};

	cr_assert_eq(store_run_grant(store, &run, &error), 0);
	cr_assert_eq(store_bases_raise(store, &base, 1, &error), 0);
	cr_assert_eq(base.result, 0);
	int code = store_show(store, "000100", &info, &error);
	cr_expect_eq(code, store_count(store) == 1 ? -ENOENT : 0);
	cr_expect(store_count(store) == 1 || store_count(store) == 3001);
	return STORE_TURN_DONE;
}

Test(store_thread, all_other_work_goes_on_while_an_import_is_written)
{
	struct store_add_job first = {.spec = bed_spec(9, "ee", "aa")};
	struct store_show_job show = {.name = "ee"};
	struct store_job others = {.run = run_grant_and_show, .done = count_meanwhile};

	store_add_job_init(&first);
	serve(&first.job);
	struct store_import_job *import = start_import(write_rows(3000), -1);
	store_thread_submit(thread, &others);
	serve_until(&import_ended);
	cr_assert_eq(import->job.result, 0, "%s", import->job.error.text);
	cr_expect_eq(import->report.added, 3000);
	store_import_job_free(import);
	cr_expect_gt(meanwhile, 10);
	store_show_job_init(&show);
	serve(&show.job);
	cr_expect_eq(show.info.run_base, turns_seen);
}

struct numbered_job {
	struct store_job job;
	unsigned number;
};

static unsigned run_count, done_count;

static enum store_turn run_numbered(struct store_job *job, struct store *store)
{
	cr_expect_eq(((struct numbered_job *)job)->number, run_count++);
	store_job_note(job); // and done at once: the note must not outlive the job
	return STORE_TURN_DONE;
}

static void free_numbered(struct store_job *job)
{
	cr_expect_eq(((struct numbered_job *)job)->number, done_count++);
	free(job);
}

Test(store_thread, jobs_run_in_their_order_and_queued_ones_run_before_the_end)
{
	for (unsigned i = 0; i < 100; i++) {
		struct numbered_job *job = calloc(1, sizeof(*job));
		job->number = i;
		job->job.run = run_numbered;
		job->job.done = free_numbered;
		job->job.note = on_note;
		store_thread_submit(thread, &job->job);
		if (i == 50)
			store_thread_poll(thread);
	}
	store_thread_stop(thread);
	thread = NULL;
	cr_expect_eq(run_count, 100);
	cr_expect_eq(done_count, 100);
}
