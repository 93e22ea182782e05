// SPDX-License-Identifier: BSD-3-Clause
// The row of table meta: the store's own key, the machine that last used it, and its counts of runs
// and transactions.

#include "gw/store/meta.h"

#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/run_mark.h"
#include "gw/store/schema.h"
#include "gw/store/seal.h"
#include "gw/store/secrets.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#define MACHINE_LEN 16 // bytes of the keyed hash of the machine id

static int machine_hash(const struct store *store, const struct store_config *config,
	uint8_t hash[MACHINE_LEN], struct error *error)
{
	const char *path = config->machine_file ? config->machine_file : "/etc/machine-id";
	char text[256];

	ssize_t len = file_read(AT_FDCWD, path, text, sizeof(text));
	// Containers often have none, and are all alike then.
	if (len == -ENOENT)
		len = 0;
	if (len < 0)
		return error_set(error, len, "cannot read %s: %s", path, strerror(-len));
	crypto_generichash(hash, MACHINE_LEN, (const uint8_t *)text, len, store->secrets->machine,
		sizeof(store->secrets->machine));
	return 0;
}

int meta_create(
	struct store *store, const struct store_config *config, uint32_t run, struct error *error)
{
	uint8_t sealed[KEK_LEN + SEAL_OVERHEAD], machine[MACHINE_LEN];
	uint8_t *key = sodium_malloc(KEK_LEN);
	sqlite3_stmt *statement = NULL;

	if (key == NULL)
		return error_set(error, -ENOMEM, "no memory");
	randombytes_buf(key, KEK_LEN);
	store_secrets_derive(store->secrets, key);
	kek_seal(config->kek, sealed, key);
	sodium_free(key);
	int code = machine_hash(store, config, machine, error);
	if (code != 0)
		return code;
	sqlite3_prepare_v2(store->db,
		"INSERT INTO meta (one, store_key, machine, run, hour, hour_runs, clock, copy,"
		" commits) VALUES (1, ?1, ?2, ?3, 0, 0, 0, 0, 0)",
		-1, &statement, NULL);
	sqlite3_bind_blob(statement, 1, sealed, sizeof(sealed), SQLITE_STATIC);
	sqlite3_bind_blob(statement, 2, machine, sizeof(machine), SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, run);
	code = store_exec(store, statement, error);
	sqlite3_finalize(statement);
	return code;
}

static int meta_columns(struct store *store, const struct store_config *config, int64_t version,
	sqlite3_stmt *statement, struct meta *meta, struct error *error)
{
	uint32_t run_max = version < STORE_VERSION_NARROW ? STORE_WIDE_RUN_MAX : STORE_RUN_MAX;
	uint8_t machine[MACHINE_LEN];

	if (sqlite3_column_bytes(statement, 0) != KEK_LEN + SEAL_OVERHEAD ||
		sqlite3_column_bytes(statement, 1) != MACHINE_LEN)
		return error_set(error, -EBADMSG, "the store is damaged");
	uint8_t *key = sodium_malloc(KEK_LEN);
	if (key == NULL)
		return error_set(error, -ENOMEM, "no memory");
	int code = kek_open(config->kek, key, sqlite3_column_blob(statement, 0));
	if (code == 0)
		store_secrets_derive(store->secrets, key);
	sodium_free(key);
	if (code != 0)
		return error_set(error, code,
			"this is not the key-encryption key that the store was made with");

	code = machine_hash(store, config, machine, error);
	if (code != 0)
		return code;
	meta->this_machine = memcmp(machine, sqlite3_column_blob(statement, 1), MACHINE_LEN) == 0;
	int64_t run = sqlite3_column_int64(statement, 2);
	if (run < 0 || run > run_max + 1)
		return error_set(error, -EBADMSG, "the store is damaged: its run number");
	store->run_next = version < STORE_VERSION_NARROW ? run_of_wide(run) : run;
	store->hour = sqlite3_column_int64(statement, 3);
	store->hour_runs = sqlite3_column_int64(statement, 4);
	store->clock = store->clock_started = sqlite3_column_int64(statement, 5);
	store->copy = sqlite3_column_int64(statement, 6) != 0;
	store->commits = sqlite3_column_int64(statement, 7);
	return 0;
}

int meta_verify(struct store *store, struct error *error)
{
	int64_t right;

	if (sql_number(store, "SELECT tag IS " STORE_META_TAG " FROM meta", &right) != 0)
		return store_sql_fail(store, error);
	return right ? 0 : error_set(error, -EBADMSG, "the store is damaged: its first row");
}

int meta_read(struct store *store, const struct store_config *config, int64_t version,
	struct meta *meta, struct error *error)
{
	static const char *const select[] = {
		[1] = "SELECT store_key, machine, run, hour, hour_runs, 0, 0, 0 FROM meta",
		[2] = "SELECT store_key, machine, run, hour, hour_runs, clock, copy, 0 FROM meta",
		[3] = "SELECT store_key, machine, run, hour, hour_runs, clock, copy, commits"
		      " FROM meta",
	};
	sqlite3_stmt *statement = NULL;

	sqlite3_prepare_v2(store->db, select[version < 3 ? version : 3], -1, &statement, NULL);
	int step = statement ? sqlite3_step(statement) : SQLITE_ERROR;
	int code;
	if (step == SQLITE_ROW)
		code = meta_columns(store, config, version, statement, meta, error);
	else if (step == SQLITE_DONE)
		code = error_set(error, -EBADMSG, "the store is damaged: it lost its first row");
	else
		code = store_sql_fail(store, error);
	sqlite3_finalize(statement);
	if (code == 0 && store_functions(store, store->db) != 0)
		code = error_set(error, -ENOMEM, "no memory");
	return code != 0 || version < 4 ? code : meta_verify(store, error);
}

int meta_adopt(
	struct store *store, const struct store_config *config, uint32_t run, struct error *error)
{
	uint8_t machine[MACHINE_LEN];
	sqlite3_stmt *statement = NULL;

	int code = machine_hash(store, config, machine, error);
	if (code != 0)
		return code;
	sqlite3_prepare_v2(store->db,
		"UPDATE meta SET run = ?1, machine = ?2, hour = 0, hour_runs = 0,"
		" window_token = NULL, copy = 0",
		-1, &statement, NULL);
	sqlite3_bind_int64(statement, 1, run);
	sqlite3_bind_blob(statement, 2, machine, sizeof(machine), SQLITE_STATIC);
	code = store_exec(store, statement, error);
	sqlite3_finalize(statement);
	return code;
}

int counters_read(struct store *store, struct error *error)
{
	int64_t count, last = 0;

	if (sql_number(store, "SELECT count(*) FROM device", &count) != 0 ||
		sql_number(store,
			"SELECT ifnull((SELECT seq FROM sqlite_sequence WHERE name = 'device'), 0)",
			&last) != 0)
		return store_sql_fail(store, error);
	store->count = count;
	// Not below the ids that an import has given to its rows.
	if (store->next_id <= (uint64_t)last)
		store->next_id = last + 1;
	return 0;
}
