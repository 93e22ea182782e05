// SPDX-License-Identifier: BSD-3-Clause
// Run numbers: what own Partial IVs begin with. A number is on the disk, in the database and in the
// marks beside it and in the runtime directory, before it is used. The marks also have the count of
// transactions: an older database does not know what was accepted or removed since, even if no run
// was granted.

#include "gw/store/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define MARK_HEAD     "postern run mark 2: "
#define MARK_FORMAT   MARK_HEAD "%" PRIu32 " %" PRIu64 "\n"
#define MARK_FORMAT_1 "postern run mark 1: %" PRIu32 "\n" // without transactions
#define HOUR          3600                                // seconds

uint32_t store_current_run(const struct store *store)
{
	return store->granted ? store->run : store->run_next;
}

int run_mark_read(int directory_fd, struct run_mark *mark)
{
	char text[64], again[64];

	*mark = (struct run_mark){0};

	ssize_t len = file_read(directory_fd, STORE_MARK, text, sizeof(text) - 1);
	if (len < 0)
		return len == -EFBIG ? -EBADMSG : len;
	text[len] = 0;
	// What is read must be what we would write, to the last byte.
	again[0] = 0;
	if (sscanf(text, MARK_HEAD "%" SCNu32 " %" SCNu64, &mark->run, &mark->commits) == 2)
		snprintf(again, sizeof(again), MARK_FORMAT, mark->run, mark->commits);
	else if (sscanf(text, MARK_FORMAT_1, &mark->run) == 1)
		snprintf(again, sizeof(again), MARK_FORMAT_1, mark->run);
	if (again[0] != 0 && strcmp(text, again) == 0)
		return 0;
	*mark = (struct run_mark){0};
	return -EBADMSG;
}

int run_marks_write(struct store *store, struct store_error *error)
{
	char text[64];

	int len = snprintf(text, sizeof(text), MARK_FORMAT, store->run_next, store->commits);
	int code = file_replace(store->directory_fd, STORE_MARK, text, len);
	if (code == 0)
		code = file_replace(store->runtime_fd, STORE_MARK, text, len);
	if (code != 0) {
		store->broken = true;
		store->broken_by = code;
		return store_fail(error, code, "cannot write " STORE_MARK ": %s", strerror(-code));
	}
	return 0;
}

static int run_raise(struct store *store, uint32_t run_next, int64_t hour, uint32_t hour_runs,
	struct store_error *error)
{
	int code = store_begin(store, error);
	if (code != 0)
		return code;
	sqlite3_stmt *statement = store_statement(store, SQL_META_RUN);
	sqlite3_bind_int64(statement, 1, run_next);
	sqlite3_bind_int64(statement, 2, hour);
	sqlite3_bind_int64(statement, 3, hour_runs);
	code = store_exec(store, statement, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	code = store_commit_run(store, run_next, error);
	if (code != 0)
		return code;
	store->hour = hour;
	store->hour_runs = hour_runs;
	// In the database, but not in the marks.
	if (store->broken)
		return store_fail(error, store->broken_by, "cannot write " STORE_MARK ": %s",
			strerror(-store->broken_by));
	return 0;
}

int store_run_grant(struct store *store, uint32_t *run, struct store_error *error)
{
	if (store->broken)
		return store_fail(error, -EIO,
			"the store failed to write before: no own Partial IVs until it can again");
	if (store->granted) {
		*run = store->run;
		return 0;
	}
	if (store->run_next > STORE_RUN_MAX)
		return store_fail(error, -ERANGE,
			"all %u run numbers are used: the devices need new keys in a new store",
			STORE_RUN_MAX + 1);

	int64_t now = time(NULL);
	int64_t hour = store->hour;
	uint32_t hour_runs = store->hour_runs;
	if (now < hour || now >= hour + HOUR) {
		hour = now;
		hour_runs = 0;
	}
	if (hour_runs >= STORE_RUNS_HOUR)
		return store_fail(error, -EAGAIN,
			"%d starts used run numbers in this hour: none for %lld more seconds",
			STORE_RUNS_HOUR, (long long)(hour + HOUR - now));

	uint32_t granted = store->run_next;
	int code = run_raise(store, granted + 1, hour, hour_runs + 1, error);
	if (code != 0)
		return code;
	store->granted = true;
	store->run = granted;
	*run = granted;
	return 0;
}

static int base_write(
	struct store *store, struct store_row *row, uint32_t run_base, struct store_error *error)
{
	const struct store_row sealed = *row;

	row->run_base = run_base;
	int code = row_reseal(store, row, &sealed);
	if (code != 0)
		return store_fail(error, code, "device %s is damaged in the store", row->name);
	code = store_begin(store, error);
	if (code != 0)
		return code;
	code = row_write_state(store, row, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}

int store_base_raise(struct store *store, uint64_t id, uint32_t run_base, struct store_error *error)
{
	struct store_row row;

	if (store->broken)
		return store_fail(error, -EIO,
			"the store failed to write before: no own Partial IVs until it can again");
	int code = row_find_by_id(store, id, &row, error);
	if (code != 0)
		return code;
	if (run_base <= row.run_base)
		return store_fail(error, -EINVAL, "device %s has run base %" PRIu32 " already",
			row.name, row.run_base);
	if (run_base > STORE_RUN_MAX || run_base + store_current_run(store) > STORE_RUN_MAX)
		return store_fail(error, -ERANGE,
			"device %s has used up its own Partial IVs: it needs new keys", row.name);
	return base_write(store, &row, run_base, error);
}
