// SPDX-License-Identifier: BSD-3-Clause
// Statements and errors of SQLite. All take the connection of *store.

#ifndef POSTERN_GW_STORE_SQL_H
#define POSTERN_GW_STORE_SQL_H

#include "base/error.h"
#include "gw/store/statements.h"

#include <sqlite3.h>
#include <stdint.h>

struct store;

// The statement, prepared and reset; NULL if it cannot be prepared, which store_exec() and
// store_sql_fail() report.
sqlite3_stmt *store_statement(struct store *store, enum store_statement which);
// Steps a statement that gives no row, and resets it.
int store_exec(struct store *store, sqlite3_stmt *statement, struct error *error)
	__attribute__((warn_unused_result));
// Runs SQL without results.
int sql_run(struct store *store, const char *sql, struct error *error)
	__attribute__((warn_unused_result));
// The number that a query without parameters gives. -EIO; see store_sql_fail() for the reason.
int sql_number(struct store *store, const char *sql, int64_t *value)
	__attribute__((warn_unused_result));
// The last error of SQLite as -errno, with text. After an error of the disk the store is broken.
int store_sql_fail(struct store *store, struct error *error);

#endif
