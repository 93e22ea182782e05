// SPDX-License-Identifier: BSD-3-Clause
// Run numbers, which own Partial IVs begin with. A run is noted as used in the database, in the
// mark beside it and in the mark in the runtime directory, all synced, before it is granted.

#include "gw/store/run.h"

#include "gw/store/commit.h"
#include "gw/store/run_mark.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#define HOUR 3600 // seconds

uint32_t store_current_run(const struct store *store)
{
	return store->granted ? store->run : store->run_next;
}

static int run_raise(struct store *store, uint32_t run_next, int64_t hour, uint32_t hour_runs,
	struct error *error)
{
	assert(!store->granted && run_next == store->run_next + 1);
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
		return error_set(error, store->broken_by, "cannot write " STORE_MARK ": %s",
			strerror(-store->broken_by));
	return 0;
}

int store_run_grant(struct store *store, uint32_t *run, struct error *error)
{
	if (store->broken)
		return error_set(error, -EIO,
			"the store failed to write before: no own Partial IVs until it can again");
	if (store->granted) {
		*run = store->run;
		return 0;
	}
	if (store->run_next > STORE_RUN_MAX)
		return error_set(error, -ERANGE,
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
		return error_set(error, -EAGAIN,
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
