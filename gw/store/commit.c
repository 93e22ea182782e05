// SPDX-License-Identifier: BSD-3-Clause
// Transactions. A commit writes both marks, and recovers the database at once if it failed, so that
// the caller learns whether its transaction is there.

#include "gw/store/commit.h"

#include "gw/store/run_mark.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>

int store_begin(struct store *store, struct error *error)
{
	if (store->broken)
		return error_set(error, -EIO, "the store failed to write before");
	assert(sqlite3_get_autocommit(store->db) != 0); // one transaction at a time
	store->count_begun = store->count;
	return store_exec(store, store_statement(store, SQL_BEGIN), error);
}

void store_rollback(struct store *store)
{
	store->count = store->count_begun;
	// Some errors roll back by themselves.
	if (store->db == NULL || sqlite3_get_autocommit(store->db))
		return;
	if (store_exec(store, store_statement(store, SQL_ROLLBACK), NULL) != 0)
		store->broken = true;
}

int store_commit(struct store *store, struct error *error)
{
	return store_commit_run(store, store->run_next, error);
}

int store_commit_run(struct store *store, uint32_t run_next, struct error *error)
{
	uint64_t after = store->commits + 1;

	// Runs only rise, else one would be granted twice.
	assert(run_next >= store->run_next && run_next <= STORE_RUN_MAX + 1);
	assert(sqlite3_get_autocommit(store->db) == 0);
	sqlite3_stmt *statement = store_statement(store, SQL_META_COMMIT);

	sqlite3_bind_int64(statement, 1, after);
	int code = store_exec(store, statement, error);

	if (code != 0) {
		store_rollback(store);
		return code;
	}
	code = store_exec(store, store_statement(store, SQL_COMMIT), error);
	if (code != 0) {
		store->broken = true;
		store_rollback(store);
		// At once, so that in most cases it is known what became of it.
		if (store_recover(store, NULL) == 0 && store->commits == after)
			code = 0;
		return code;
	}
	store->commits = after;
	store->run_next = run_next;
	// The transaction is there whatever becomes of the marks.
	(void)!run_marks_write(store, NULL);
	return 0;
}
