// SPDX-License-Identifier: BSD-3-Clause
// Is what lies in the database what we wrote?

#include "gw/store/check.h"

#include "gw/store/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define CHECK_ROWS 256 // a turn

static void problem(struct store_check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void problem(struct store_check *check, const char *format, ...)
{
	va_list args;

	check->problems++;
	if (check->told == CHECK_PROBLEMS_MAX)
		return;
	struct store_error *to = &check->problem[check->told++];
	va_start(args, format);
	vsnprintf(to->text, sizeof(to->text), format, args);
	va_end(args);
}

static int check_table(
	struct store *store, struct store_check *check, const char *sql, struct store_error *error)
{
	sqlite3_stmt *statement = NULL;
	int step = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);

	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(statement);
		const char *text =
			step == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "ok";
		if (text != NULL && strcmp(text, "ok") != 0)
			problem(check, "the database: %s", text);
	}
	int code = step == SQLITE_DONE ? 0 : store_sql_fail(store, error);
	sqlite3_finalize(statement);
	// Damage that ends the look at a table is what was looked for.
	if (code == -EBADMSG) {
		problem(check, "the database: %s", sqlite3_errmsg(store->db));
		code = 0;
	}
	return code;
}

static bool secret_opens(struct store *store, struct store_row *row, struct osc_params *params)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_SECRET);
	bool good = false;

	sqlite3_bind_int64(statement, 1, row->id);
	if (sqlite3_step(statement) == SQLITE_ROW &&
		(size_t)sqlite3_column_bytes(statement, 0) <= SEAL_SECRET_MAX) {
		row->secret_len = sqlite3_column_bytes(statement, 0);
		memcpy(row->secret, sqlite3_column_blob(statement, 0), row->secret_len);
		memset(params, 0, sizeof(*params));
		good = seal_open_secret(store, row, params) == 0;
	}
	sqlite3_reset(statement);
	return good;
}

static bool hash_is_of(struct store *store, const struct store_row *row, const uint8_t *key,
	const uint8_t stored[STORE_HASH_LEN])
{
	sqlite3_stmt *statement = store_statement(store, SQL_KEY_FIND);
	uint8_t hash[STORE_HASH_LEN];

	store_key_hash(store, hash, key, row->alg);
	sqlite3_bind_blob(statement, 1, hash, sizeof(hash), SQLITE_STATIC);
	bool good = memcmp(hash, stored, sizeof(hash)) == 0 &&
		sqlite3_step(statement) == SQLITE_ROW &&
		(uint64_t)sqlite3_column_int64(statement, 0) == row->id;
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return good;
}

static void check_device(struct store *store, struct store_check *check, struct store_row *row)
{
	struct osc_keys keys = {0}, derived = {0};
	struct osc_params params;
	const char *what = NULL;

	if (seal_open_keys(store, row, &keys) != 0)
		what = "its keys do not open";
	else if (!secret_opens(store, row, &params))
		what = "its Master Secret does not open";
	else if (osc_derive(&derived, &params) != 0 || memcmp(&keys, &derived, sizeof(keys)) != 0)
		what = "its keys are not those of its Master Secret";
	else if (!hash_is_of(store, row, keys.sender_key, row->sender_hash) ||
		!hash_is_of(store, row, keys.recipient_key, row->recipient_hash))
		what = "its keys are not known as its own";
	if (what != NULL)
		problem(check, "device %s: %s", row->name, what);
	sodium_memzero(&keys, sizeof(keys));
	sodium_memzero(&derived, sizeof(derived));
	sodium_memzero(&params, sizeof(params));
}

// *more: the next turn goes on with the rows behind.
static int check_devices(
	struct store *store, struct store_check *check, bool *more, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_FROM);
	struct store_row row;
	unsigned rows = 0;
	int step;

	if (statement == NULL)
		return store_sql_fail(store, error);
	sqlite3_bind_int64(statement, 1, check->after);
	sqlite3_bind_int64(statement, 2, CHECK_ROWS);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		bool read = row_read(&row, statement) == 0;
		check->after = row.id;
		check->devices++;
		rows++;
		if (read)
			check_device(store, check, &row);
		else
			problem(check, "device number %" PRIu64 ": its row cannot be read", row.id);
	}
	int code = step == SQLITE_DONE ? 0 : store_sql_fail(store, error);
	sqlite3_reset(statement);
	*more = rows == CHECK_ROWS;
	return code;
}

int store_check_step(
	struct store *store, struct store_check *check, bool *done, struct store_error *error)
{
	static const char *const tables[] = {
		"PRAGMA integrity_check(meta)",
		"PRAGMA integrity_check(device)",
		"PRAGMA integrity_check(used_key)",
		"PRAGMA integrity_check(window)",
		// Keys that stand for a device which is not there.
		"SELECT 'a key is of device number ' || device || ', which is not there'"
		" FROM used_key WHERE device IS NOT NULL AND device NOT IN"
		" (SELECT id FROM device)",
		"SELECT 'what is known of a key that was retired was changed' FROM used_key"
		" WHERE device IS NULL AND tag IS NOT " STORE_TOMBSTONE_TAG,
	};
	const unsigned count = sizeof(tables) / sizeof(tables[0]);
	bool more = true;
	int code;

	*done = false;
	if (check->part < count) {
		code = check_table(store, check, tables[check->part++], error);
	} else {
		code = check_devices(store, check, &more, error);
		*done = !more;
	}
	return code;
}
