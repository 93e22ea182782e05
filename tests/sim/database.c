// SPDX-License-Identifier: BSD-3-Clause

#include "tests/sim/database.h"

#include "tests/sim/disk_inside.h"
#include "tests/sim/sim.h"

#include <sqlite3.h>
#include <string.h>

void database_check(void)
{
	static uint8_t copy[DISK_FILE_MAX];
	const struct disk_file *file = &disk.file[disk_find(DISK_STORE "/devices.db")];
	sqlite3_stmt *statement;
	sqlite3 *db;

	memcpy(copy, file->now, file->len);
	must(sqlite3_open(":memory:", &db) == SQLITE_OK &&
			sqlite3_deserialize(db, "main", copy, file->len, file->len,
				SQLITE_DESERIALIZE_READONLY) == SQLITE_OK &&
			sqlite3_prepare_v2(db, "PRAGMA quick_check", -1, &statement, NULL) ==
				SQLITE_OK &&
			sqlite3_step(statement) == SQLITE_ROW,
		"the database cannot be read");
	must(!strcmp((const char *)sqlite3_column_text(statement, 0), "ok"), "the database: %s",
		sqlite3_column_text(statement, 0));
	sqlite3_finalize(statement);
	sqlite3_close(db);
}
