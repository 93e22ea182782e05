// SPDX-License-Identifier: BSD-3-Clause

#include "gw/store/tombstones.h"

#include "gw/store/hashes.h"
#include "gw/store/key_past.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <string.h>

// Keys of a step, most of which are those of devices: a million of these have two each.
#define STEP_KEYS 2048

_Static_assert(STORE_TOMBSTONE_KEY_LEN == STORE_HASH_LEN, "a key is named by its hash");

static void tombstone_read(sqlite3_stmt *statement, struct store_tombstone *tombstone)
{
	const uint32_t run = (uint32_t)sqlite3_column_int64(statement, 2);

	memcpy(tombstone->key, sqlite3_column_blob(statement, 0), STORE_HASH_LEN);
	tombstone->mark = (uint64_t)sqlite3_column_int64(statement, 3);
	tombstone->damaged = !sqlite3_column_int(statement, 4);
	tombstone->used = run == STORE_TOMBSTONE_CLOCK ? STORE_USED_CLOCK
		: run >= STORE_TOMBSTONE_NONE_LEFT     ? STORE_USED_ALL
						       : STORE_USED_RUNS;
	tombstone->run = tombstone->used == STORE_USED_RUNS ? run : 0;
}

int store_tombstones_step(
	struct store *store, struct store_tombstones *walk, bool *done, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_KEYS_BEHIND);
	unsigned looked = 0;
	int step = SQLITE_ROW, code = 0;

	*done = false;
	if (statement == NULL)
		return store_sql_fail(store, error);
	sqlite3_bind_blob(
		statement, 1, walk->after, walk->has_after ? STORE_HASH_LEN : 0, SQLITE_TRANSIENT);
	while (walk->count < walk->room && looked++ < STEP_KEYS &&
		(step = sqlite3_step(statement)) == SQLITE_ROW) {
		if (sqlite3_column_bytes(statement, 0) != STORE_HASH_LEN) {
			code = error_set(error, -EBADMSG, "the table of keys is damaged");
			break;
		}
		walk->has_after = true;
		memcpy(walk->after, sqlite3_column_blob(statement, 0), STORE_HASH_LEN);
		if (sqlite3_column_type(statement, 1) == SQLITE_NULL)
			tombstone_read(statement, &walk->page[walk->count++]);
	}
	if (step != SQLITE_ROW && step != SQLITE_DONE)
		code = store_sql_fail(store, error);
	*done = walk->count == walk->room || step == SQLITE_DONE;
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}
