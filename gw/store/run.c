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

#define MARK_HEAD(format) "postern run mark " format ": "
#define MARK_FORMAT       MARK_HEAD("3") "%" PRIu32 " %" PRIu64 "\n"
#define MARK_FORMAT_2     MARK_HEAD("2") "%" PRIu32 " %" PRIu64 "\n" // of a wide run
#define MARK_FORMAT_1     MARK_HEAD("1") "%" PRIu32 "\n" // the same, without transactions
#define HOUR              3600                           // seconds

uint32_t store_current_run(const struct store *store)
{
	return store->granted ? store->run : store->run_next;
}

uint32_t run_of_wide(uint32_t run)
{
	uint64_t narrow = (uint64_t)run * STORE_WIDE_RUN + STORE_WIDE_RUN - 1;

	return narrow < STORE_RUN_MAX + 1 ? narrow : STORE_RUN_MAX + 1;
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
	bool wide = true;
	if (sscanf(text, MARK_FORMAT, &mark->run, &mark->commits) == 2) {
		snprintf(again, sizeof(again), MARK_FORMAT, mark->run, mark->commits);
		wide = false;
	} else if (sscanf(text, MARK_FORMAT_2, &mark->run, &mark->commits) == 2) {
		snprintf(again, sizeof(again), MARK_FORMAT_2, mark->run, mark->commits);
	} else if (sscanf(text, MARK_FORMAT_1, &mark->run) == 1) {
		snprintf(again, sizeof(again), MARK_FORMAT_1, mark->run);
	}
	if (again[0] != 0 && strcmp(text, again) == 0) {
		mark->run = wide ? run_of_wide(mark->run) : mark->run;
		return 0;
	}
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
	// In the database it is the run of this start, though it is given only when it is in the
	// marks: see meta_again().
	if (store->run_next == granted + 1) {
		store->granted = true;
		store->run = granted;
	}
	*run = granted;
	return code;
}
