// SPDX-License-Identifier: BSD-3-Clause
// The tables of the database, and the changes that make a database of an older version one of this.

#include "gw/store/schema.h"

#include "gw/store/hashes.h"
#include "gw/store/row.h"
#include "gw/store/run_mark.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <stdio.h>

static const char schema[] =
	"CREATE TABLE meta ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" store_key BLOB NOT NULL," // sealed under the key-encryption key
	" machine BLOB NOT NULL,"   // keyed hash of the machine id
	" run INTEGER NOT NULL,"    // the next to be granted
	" hour INTEGER NOT NULL,"   // when the count of runs an hour began
	" hour_runs INTEGER NOT NULL,"
	" window_token BLOB,"        // of the clean stop that wrote the windows
	" clock INTEGER NOT NULL,"   // no own Partial IV is of a later second
	" copy INTEGER NOT NULL,"    // 1: of a backup, opens by adoption only
	" commits INTEGER NOT NULL," // transactions that ever were
	" tag BLOB"                  // keyed hash over machine, run, clock, copy and commits
	") STRICT;"
	"CREATE TABLE device ("
	" id INTEGER PRIMARY KEY AUTOINCREMENT," // never used again
	" name TEXT NOT NULL,"
	" device_id BLOB NOT NULL," // of a device with a credential the digest of that
	" gateway_id BLOB NOT NULL,"
	" id_context BLOB,"            // NULL: absent
	" algorithm INTEGER NOT NULL," // COSE number
	" keys BLOB NOT NULL,"         // derived keys, sealed
	" secret BLOB NOT NULL,"       // Master Secret and Master Salt, sealed
	" sender_hash BLOB NOT NULL,"
	" recipient_hash BLOB NOT NULL,"
	" run_base INTEGER NOT NULL,"
	" created INTEGER NOT NULL,"
	" recovery INTEGER NOT NULL,"      // enum device_recovery
	" own_piv INTEGER NOT NULL,"       // enum device_own_piv
	" mark INTEGER NOT NULL,"          // no sequence number from here on was accepted
	" resync INTEGER NOT NULL,"        // 1: the mark is of a copy
	" max_message INTEGER NOT NULL,"   // struct device_settings
	" max_in_flight INTEGER NOT NULL," // the same
	" note TEXT NOT NULL,"             // the same
	" policy TEXT NOT NULL,"           // the same
	" rederive INTEGER NOT NULL,"      // enum device_rederive
	" rederived INTEGER NOT NULL,"     // contexts that were derived in service
	" rederived_at INTEGER NOT NULL,"  // Unix time of the last; 0: never
	" secret_hash BLOB,"               // store_secret_hash(); NULL: rederive is none
	" credential BLOB,"                // CRED_I; NULL: it has keys
	" credential_kid BLOB"             // NULL: it has no credential, or one without kid
	") STRICT;"
	"CREATE UNIQUE INDEX device_name ON device (name);"
	"CREATE UNIQUE INDEX device_address ON device (device_id, ifnull(id_context, 0));"
	"CREATE INDEX device_kid ON device (credential_kid) WHERE credential_kid IS NOT NULL;"
	"CREATE TABLE used_key (" // every derived key that is or was here, in either role
	" hash BLOB PRIMARY KEY," // and that of the secret of a device that derives contexts
	" device INTEGER,"        // that has it; NULL: a tombstone
	" run INTEGER NOT NULL,"  // of a tombstone: the highest that the key was used with
	" mark INTEGER NOT NULL," // of a tombstone: that of its device
	" tag BLOB"               // of a tombstone: keyed hash over it
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE window ("
	" device INTEGER PRIMARY KEY,"
	" next INTEGER NOT NULL,"
	" bits INTEGER NOT NULL,"
	" tag BLOB NOT NULL" // keyed hash over the row and its window_token
	") STRICT;";

// Version 1 had devices with Echo only, and no copies.
static const char from_version_1[] =
	"ALTER TABLE meta ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE meta ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN recovery INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN own_piv INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN resync INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE used_key ADD COLUMN mark INTEGER NOT NULL DEFAULT 0;";

// Version 2 did not count its transactions.
static const char from_version_2[] =
	"ALTER TABLE meta ADD COLUMN commits INTEGER NOT NULL DEFAULT 0;";

// Version 3 had no hashes over tombstones and over its first row, whose one comes with the commit.
static const char from_version_3[] =
	"ALTER TABLE meta ADD COLUMN tag BLOB;"
	"ALTER TABLE used_key ADD COLUMN tag BLOB;"
	"UPDATE used_key SET tag = " STORE_TOMBSTONE_TAG " WHERE device IS NULL;";

// Version 4 had wide runs, see run_of_wide(). What is damaged stays so: its tag is not renewed.
static const char from_version_4[] =
	"UPDATE meta SET run = min(run * 64 + 63, 16777216);"
	"UPDATE used_key SET run = min(run * 64 + 63, 16777216),"
	" tag = state_tag('tombstone', hash, min(run * 64 + 63, 16777216), mark)"
	" WHERE device IS NULL AND tag IS " STORE_TOMBSTONE_TAG ";";

// Version 5 knew no limits of a device.
static const char from_version_5[] =
	"ALTER TABLE device ADD COLUMN max_message INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN max_in_flight INTEGER NOT NULL DEFAULT 0;";

// Version 6 knew no notes.
static const char from_version_6[] = "ALTER TABLE device ADD COLUMN note TEXT NOT NULL DEFAULT '';";

// Version 7 knew no policies.
static const char from_version_7[] =
	"ALTER TABLE device ADD COLUMN policy TEXT NOT NULL DEFAULT '';";

// Version 8 knew no devices that derive contexts.
static const char from_version_8[] =
	"ALTER TABLE device ADD COLUMN rederive INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN rederived INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN rederived_at INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE device ADD COLUMN secret_hash BLOB;";

// Version 9 knew no credentials.
static const char from_version_9[] =
	"ALTER TABLE device ADD COLUMN credential BLOB;"
	"ALTER TABLE device ADD COLUMN credential_kid BLOB;"
	"CREATE INDEX device_kid ON device (credential_kid) WHERE credential_kid IS NOT NULL;";

// The first device behind `after` whose run base is not 0. *found: whether there is one.
static int next_based(struct store *store, uint64_t after, struct store_row *row, bool *found,
	bool *readable, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BASED);
	int code = 0;

	if (statement == NULL)
		return store_sql_fail(store, error);
	sqlite3_bind_int64(statement, 1, after);
	int step = sqlite3_step(statement);
	*found = step == SQLITE_ROW;
	if (*found)
		*readable = row_read(row, statement) == 0;
	else if (step != SQLITE_DONE)
		code = store_sql_fail(store, error);
	sqlite3_reset(statement);
	return code;
}

// Run bases are in what the keys are bound to, so these are sealed again. A row that does not open
// stays as it is, and is reported when the devices are loaded.
static int bases_narrow(struct store *store, struct error *error)
{
	struct store_row row = {0};
	bool found = true, readable = false;
	int code = 0;

	while (code == 0) {
		code = next_based(store, row.id, &row, &found, &readable, error);
		if (code != 0 || !found)
			break;
		const struct store_row sealed = row;

		row.run_base *= STORE_WIDE_RUN;
		if (readable && row.run_base <= STORE_RUN_MAX &&
			row_reseal(store, &row, &sealed) == 0)
			code = row_write_state(store, &row, error);
	}
	return code;
}

// One for each version that there was; those from the version of a store on are done in this order,
// the SQL of all first: what reads rows reads all columns of today.
static const struct step {
	const char *sql;
	int (*then)(struct store *store, struct error *error); // NULL: nothing
} steps[STORE_VERSION] = {
	[1] = {from_version_1, NULL},
	[2] = {from_version_2, NULL},
	[3] = {from_version_3, NULL},
	[4] = {from_version_4, bases_narrow},
	[5] = {from_version_5, NULL},
	[6] = {from_version_6, NULL},
	[7] = {from_version_7, NULL},
	[8] = {from_version_8, NULL},
	[9] = {from_version_9, NULL},
};

static int version_write(struct store *store, struct error *error)
{
	char sql[96];

	snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = %d",
		STORE_APP_ID, STORE_VERSION);
	return sql_run(store, sql, error);
}

int schema_create(struct store *store, struct error *error)
{
	int code = sql_run(store, schema, error);

	return code != 0 ? code : version_write(store, error);
}

int schema_upgrade(struct store *store, int64_t version, struct error *error)
{
	int code = 0;

	if (version == STORE_VERSION)
		return 0;
	for (int64_t v = version; code == 0 && v < STORE_VERSION; v++)
		code = sql_run(store, steps[v].sql, error);
	for (int64_t v = version; code == 0 && v < STORE_VERSION; v++)
		if (steps[v].then != NULL)
			code = steps[v].then(store, error);
	return code != 0 ? code : version_write(store, error);
}
