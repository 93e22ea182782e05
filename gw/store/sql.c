// SPDX-License-Identifier: BSD-3-Clause
// Statements, transactions and errors of SQLite.

#include "gw/store/internal.h"

#include <errno.h>
#include <string.h>

#define STORE_STATEMENT_TEXT(name, sql) [SQL_##name] = sql,
static const char *const statement_text[SQL_COUNT] = {STORE_STATEMENTS(STORE_STATEMENT_TEXT)};

sqlite3_stmt *store_statement(struct store *store, enum store_statement which)
{
	sqlite3_stmt **statement = &store->statement[which];

	if (*statement == NULL && store->db != NULL)
		sqlite3_prepare_v3(store->db, statement_text[which], -1, SQLITE_PREPARE_PERSISTENT,
			statement, NULL);
	return *statement;
}

static int errno_of_sql(struct store *store)
{
	int below = sqlite3_system_errno(store->db);

	switch (sqlite3_extended_errcode(store->db) & 0xff) {
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EBADMSG;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
		return -EBUSY;
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_CANTOPEN:
		// What cannot be made, SQLite tries to read: then this says that it is not there.
		return below != 0 && below != ENOENT ? -below : -EIO;
	case SQLITE_IOERR:
		// After a sync that failed the kernel may have dropped the pages, and a second
		// one succeeds without them.
		store->broken = true;
		return below == ENOSPC || below == EDQUOT || below == EFBIG ? -ENOSPC : -EIO;
	default:
		return -EIO;
	}
}

int store_sql_fail(struct store *store, struct store_error *error)
{
	if (store->db == NULL)
		return store_fail(error, -EIO, "the store failed to write before");
	int code = errno_of_sql(store);

	return store_fail(error, code, "the store's database: %s%s%s", sqlite3_errmsg(store->db),
		code == -EIO || code == -ENOSPC ? ": " : "",
		code == -EIO || code == -ENOSPC ? strerror(-code) : "");
}

int store_exec(struct store *store, sqlite3_stmt *statement, struct store_error *error)
{
	if (statement == NULL)
		return store_sql_fail(store, error);
	int code = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_sql_fail(store, error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

int store_begin(struct store *store, struct store_error *error)
{
	if (store->broken)
		return store_fail(error, -EIO, "the store failed to write before");
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

int store_commit(struct store *store, struct store_error *error)
{
	return store_commit_run(store, store->run_next, error);
}

int store_commit_run(struct store *store, uint32_t run_next, struct store_error *error)
{
	uint64_t after = store->commits + 1;
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
