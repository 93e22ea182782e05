// SPDX-License-Identifier: BSD-3-Clause
// The verbs of the life of a store, by jobs of its thread.

#include "tests/model/store_verbs.h"

#include "gw/daemon/disk.h"
#include "gw/store/import_job.h"
#include "tests/model/disk.h"
#include "tests/model/store_served.h"
#include "tests/model/store_table.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static bool job_over;

static void set_over(struct store_job *job)
{
	job_over = true;
}

// Main's loop, until a callback says that its job is over.
static void wait_over(void)
{
	while (!job_over) {
		struct pollfd ready = {
			.fd = store_thread_fd(life_gateway.store_thread), .events = POLLIN};

		must(poll(&ready, 1, 60000) == 1, "the store thread answers");
		store_thread_poll(life_gateway.store_thread);
	}
}

int life_run_job(struct store_job *job)
{
	job_over = false;
	job->done = set_over;
	store_thread_submit(life_gateway.store_thread, job);
	wait_over();
	return job->result;
}

// Until the jobs that were submitted are done.
static void wait_jobs(void)
{
	struct store_show_job job = {0};

	store_show_job_init(&job);
	(void)!life_run_job(&job.job);
}

static int probe(void)
{
	struct store_probe_job job = {0};

	store_probe_job_init(&job);
	return life_run_job(&job.job);
}

// What an operator sees of the table.
static void look(void)
{
	struct device_info page[LIFE_DEVICES];
	struct store_list_job list = {.page = page, .room = LIFE_DEVICES};
	struct life_table seen = {0};

	store_list_job_init(&list);
	must(life_run_job(&list.job) == 0, "devices are listed: %s", list.job.error.text);
	for (size_t i = 0; i < list.count; i++) {
		struct life_device *to = &seen.device[seen.count++];

		*to = (struct life_device){.id = page[i].id,
			.base = page[i].run_base,
			.mark = page[i].mark,
			.is_floor = page[i].recovery == DEVICE_FLOOR,
			.resync = page[i].resync_needed};
		strcpy(to->name, page[i].name);
	}
	must(life_table_alike(&life.now, &seen, false), "what was refused was not done");
}

// Does a verb, which has made life.pending of life.now.
static void verb_do(int (*verb)(void *arg), void *arg)
{
	bool failed_before = disk_failed();

	if (disk_is_off())
		return;
	life.pending = life.now;
	int code = verb(arg);
	if (disk_is_off())
		return;
	if (code != 0) {
		must(disk_failed() && !failed_before, "refused by %d, but its disk is sound", code);
		must(probe() == 0, "the store recovers");
		look();
		life.pending = life.now;
		code = verb(arg);
		must(code == 0, "refused by %d, but its disk is sound again", code);
	}
	life.now = life.pending;
	for (size_t i = 0; i < life.now.count; i++)
		life.key[life.now.device[i].key].was_here = true;
}

static int grant(void *arg)
{
	reserve_event(life_gateway.reserve, &(struct dp_event){.type = DP_EVENT_RUN_WANTED});
	reserve_turn(life_gateway.reserve);
	return 0;
}

// Wishes of the workers are kept until they are granted. What follows is as in main's loop, but
// that a second look at a disk that failed comes at once.
static void wishes_granted(void)
{
	wait_jobs();
	while (life_gateway.disk.failing && !disk_is_off()) {
		life_gateway.disk.probe_ms = 0;
		disk_turn(&life_gateway);
		wait_jobs();
		reserve_turn(life_gateway.reserve);
		wait_jobs();
	}
}

void life_grant(void)
{
	if (disk_is_off())
		return;
	grant(NULL);
	wishes_granted();
	must(served_run_granted || disk_is_off(), "a run is granted");
}

static void event(const char *name, enum dp_event_type type, uint64_t arg)
{
	reserve_event(life_gateway.reserve,
		&(struct dp_event){.type = type,
			.context = served_named(name) - served,
			.generation = SERVED_GENERATION,
			.arg = arg});
	reserve_turn(life_gateway.reserve);
	wishes_granted();
}

void life_raise_mark(const char *name, uint64_t mark)
{
	if (disk_is_off())
		return;
	life.pending = life.now;
	life_device_find(&life.pending, name)->mark = mark;
	event(name, DP_EVENT_MARK_WANTED, mark);
	if (disk_is_off())
		return;
	must(served_named(name)->mark == mark, "the mark of %s is raised", name);
	life.now = life.pending;
}

void life_raise_base(const char *name, uint32_t base)
{
	if (disk_is_off())
		return;
	life.pending = life.now;
	life_device_find(&life.pending, name)->base = base;
	event(name, DP_EVENT_RUN_BASE_WANTED, base - 1);
	if (disk_is_off())
		return;
	must(served_named(name)->base == base, "the base of %s is raised", name);
	life.now = life.pending;
}

static int clock_raise(void *arg)
{
	const int64_t *to = arg;
	struct store_clock_job job = {.clock = *to};

	store_clock_job_init(&job);
	int code = life_run_job(&job.job);
	if (code == 0 && !disk_is_off())
		life.clock_used = *to;
	return code;
}

void life_clock(int64_t seconds)
{
	int64_t to = (life.clock_used ? life.clock_used : time(NULL)) + seconds;

	verb_do(clock_raise, &to);
}

static void spec_past(struct device_spec *spec, int64_t gateway_seq)
{
	spec->never_used = gateway_seq == LIFE_ANY;
	spec->has_gateway_seq = !spec->never_used;
	spec->gateway_seq = spec->never_used ? 0 : gateway_seq;
}

static int add(void *arg)
{
	const struct life_row *row = arg;
	struct store_add_job job = {.spec = life_spec(row->key)};

	life_device_put(&life.pending, row->key, false);
	spec_past(&job.spec, row->gateway_seq);
	store_add_job_init(&job);
	int code = life_run_job(&job.job);
	if (code != 0 || disk_is_off())
		return code;
	must(job.outcome == DEVICE_ADDED, "outcome %d", job.outcome);
	life_device_told(&life.pending, &job.device);
	served_take(&job.device);
	return 0;
}

void life_add(unsigned key, int64_t gateway_seq)
{
	struct life_row row = {.key = key, .gateway_seq = gateway_seq};

	verb_do(add, &row);
}

static int remove_device(void *arg)
{
	struct store_remove_job job = {0};

	strcpy(job.name, arg);
	life_device_drop(&life.pending, arg);
	store_remove_job_init(&job);
	int code = life_run_job(&job.job);
	if (code == 0 && !disk_is_off())
		served_named(arg)->is_live = false;
	return code;
}

void life_remove(const char *name)
{
	verb_do(remove_device, (void *)(uintptr_t)name);
}

static int rotate(void *arg)
{
	const unsigned *key = arg;
	struct store_rotate_job job = {.spec = life_spec(*key)};

	strcpy(job.name, life_key_device[*key]);
	life_device_put(&life.pending, *key, false);
	store_rotate_job_init(&job);
	int code = life_run_job(&job.job);
	if (code != 0 || disk_is_off())
		return code;
	life_device_told(&life.pending, &job.device);
	served_take(&job.device);
	return 0;
}

void life_rotate(unsigned key)
{
	verb_do(rotate, &key);
}

struct resync {
	const char *name;
	uint64_t from;
};

static int resync(void *arg)
{
	const struct resync *resync = arg;
	struct store_resync_job job = {.has_from = true, .from = resync->from};
	struct life_device *device = life_device_find(&life.pending, resync->name);

	strcpy(job.name, resync->name);
	device->mark = device->mark > (int64_t)job.from ? device->mark : (int64_t)job.from;
	device->resync = false;
	store_resync_job_init(&job);
	int code = life_run_job(&job.job);
	if (code != 0 || disk_is_off())
		return code;
	if (served_named(resync->name) != NULL)
		served_named(resync->name)->is_live = false;
	served_take(&job.device);
	return 0;
}

void life_resync(const char *name, uint64_t from)
{
	struct resync arg = {name, from};

	verb_do(resync, &arg);
}

struct rederive {
	unsigned key;
	uint32_t base;
	bool tried;
};

static int rederive(void *arg)
{
	struct rederive *how = arg;
	const char *name = life_key_device[how->key];
	struct life_device before = *life_device_find(&life.now, name);
	struct store_rederivation run = {
		.id = before.id,
		.rederived = how->key - LIFE_SECRET - 1,
		.run_base = how->base,
		.id_context_len = 1,
		.id_context = {how->key},
	};
	struct store_rederive_job job = {.rederivation = &run, .count = 1};
	struct life_device *device = life_device_put(&life.pending, how->key, false);

	device->id = before.id;
	device->base = before.base > how->base ? before.base : how->base;
	store_rederive_job_init(&job);
	int code = life_run_job(&job.job);
	bool tried = how->tried;

	how->tried = true;
	if (code != 0 || disk_is_off())
		return code;
	// The disk may have what failed.
	must(run.result == 0 || (run.result == -ESTALE && tried), "result %d", run.result);
	must(run.device.window_known == (run.result == 0), "its window");
	must(run.device.run_base >= before.base, "bases only rise");
	life_device_told(&life.pending, &run.device);
	if (served_named(name) != NULL)
		served_named(name)->is_live = false;
	served_take(&run.device);
	return 0;
}

void life_rederive(unsigned key, uint32_t base)
{
	struct rederive arg = {.key = key, .base = base};

	must(disk_is_off() || life_device_find(&life.now, life_key_device[key])->key == key - 1,
		"the context before that of key %u", key);
	verb_do(rederive, &arg);
}

struct rows {
	const struct life_row *row;
	size_t count;
};

static void on_import(struct store_job *job)
{
	struct store_import_job *import = (struct store_import_job *)job;

	for (size_t i = 0; i < import->count && !disk_is_off(); i++) {
		life_device_told(&life.pending, &import->devices[i]);
		served_take(&import->devices[i]);
	}
	if (import->count > 0)
		store_thread_submit(life_gateway.store_thread, job);
	else
		job_over = true;
}

// Rows that an import puts aside go through stdio.
int __real_spool_write(struct spool *spool, const struct store_row *row);
int __wrap_spool_write(struct spool *spool, const struct store_row *row);
int __wrap_spool_write(struct spool *spool, const struct store_row *row)
{
	int code = disk_call();

	return code != 0 ? code : __real_spool_write(spool, row);
}

static int import_rows(void *arg)
{
	static const char head[] =
		"device_id,gateway_id,master_secret,never_used,gateway_seq,recovery\n";
	const struct rows *rows = arg;
	struct store_import_job *import = store_import_job_new();

	cr_assert_not_null(import);
	import->fd = memfd_create("rows", MFD_CLOEXEC);
	import->options.replace = true;
	import->job.done = on_import;
	cr_assert_eq(write(import->fd, head, strlen(head)), (ssize_t)strlen(head));
	for (size_t i = 0; i < rows->count; i++) {
		const struct life_row *row = &rows->row[i];

		life_device_put(&life.pending, row->key, row->is_floor);
		dprintf(import->fd, "%s,aa,%032x,%s,", life_key_device[row->key], row->key + 1,
			row->gateway_seq == LIFE_ANY ? "true" : "");
		if (row->gateway_seq != LIFE_ANY)
			dprintf(import->fd, "%ld", row->gateway_seq);
		dprintf(import->fd, ",%s\n", row->is_floor ? "floor" : "echo");
	}
	lseek(import->fd, 0, SEEK_SET);
	job_over = false;
	store_thread_submit(life_gateway.store_thread, &import->job);
	wait_over();
	int code = import->job.result;
	store_import_job_free(import);
	return code;
}

void life_import(const struct life_row *rows, size_t count)
{
	struct rows arg = {rows, count};

	verb_do(import_rows, &arg);
}

static int check(void *arg)
{
	struct store_check_job job = {0};

	store_check_job_init(&job);
	int code = life_run_job(&job.job);
	must(code != 0 || disk_is_off() || job.check.report.problems == 0, "%s",
		job.check.report.problem[0].text);
	return code;
}

void life_check(void)
{
	verb_do(check, NULL);
}

static int backup(void *arg)
{
	struct store_backup_job job = {.path = arg};

	store_backup_job_init(&job);
	return life_run_job(&job.job);
}

void life_backup(void)
{
	char path[128];

	if (disk_is_off())
		return;
	snprintf(path, sizeof(path), "%s/backup.db", life_bed.top);
	// Its name may come to the disk before its maker knows.
	life.backup = life.now;
	life.has_backup = true;
	life.clock_used_backup = life.clock_used;
	for (size_t i = 0; i < life.backup.count; i++)
		life.backup.device[i].resync = life.backup.device[i].is_floor;
	for (unsigned key = 0; key < LIFE_KEYS; key++)
		life.key[key].in_backup = life.key[key].was_here;
	verb_do(backup, path);
}

static int refused(unsigned key)
{
	struct store_add_job job = {.spec = life_spec(key)};

	store_add_job_init(&job);
	return life_run_job(&job.job);
}

void life_tombstones(void)
{
	for (unsigned key = 0; key < LIFE_KEYS && !disk_is_off(); key++) {
		const struct life_device *device =
			life_device_find(&life.now, life_key_device[key]);

		if (!life.key[key].was_here || device != NULL)
			continue;
		int code = refused(key);
		must(code == -EKEYREVOKED, "key %u: %d", key, code);
	}
}
