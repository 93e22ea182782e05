// SPDX-License-Identifier: BSD-3-Clause
// Prepares, steps and resets statements, and makes -errno of errors of SQLite.

#include "gw/store/sql.h"

#include "gw/store/state.h"

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

int store_sql_fail(struct store *store, struct error *error)
{
	if (store->db == NULL)
		return error_set(error, -EIO, "the store failed to write before");
	int code = errno_of_sql(store);

	return error_set(error, code, "the store's database: %s%s%s", sqlite3_errmsg(store->db),
		code == -EIO || code == -ENOSPC ? ": " : "",
		code == -EIO || code == -ENOSPC ? strerror(-code) : "");
}

int store_exec(struct store *store, sqlite3_stmt *statement, struct error *error)
{
	if (statement == NULL)
		return store_sql_fail(store, error);
	int code = sqlite3_step(statement) == SQLITE_DONE ? 0 : store_sql_fail(store, error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

int sql_run(struct store *store, const char *sql, struct error *error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK
		? 0
		: store_sql_fail(store, error);
}

int sql_number(struct store *store, const char *sql, int64_t *value)
{
	sqlite3_stmt *statement = NULL;

	int code = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		*value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? 0 : -EIO;
}
