// SPDX-License-Identifier: BSD-3-Clause
// Replay windows over a restart of the service. A clean stop writes them with its token; the next
// start uses them if it finds that token in the runtime directory, and deletes it, so that they are
// used once.

#include "gw/store/commit.h"
#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/row.h"
#include "gw/store/run_token.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <string.h>
#include <time.h>

// What the last clean stop left. False if there was none, or its windows were used.
static int stored_token(
	struct store *store, uint8_t token[STORE_TOKEN_LEN], bool *stored, struct error *error)
{
	sqlite3_stmt *statement;

	if (sqlite3_prepare_v2(store->db, "SELECT window_token FROM meta", -1, &statement, NULL) !=
			SQLITE_OK ||
		sqlite3_step(statement) != SQLITE_ROW) {
		int code = store_sql_fail(store, error);
		sqlite3_finalize(statement);
		return code;
	}
	*stored = sqlite3_column_bytes(statement, 0) == STORE_TOKEN_LEN;
	if (*stored)
		memcpy(token, sqlite3_column_blob(statement, 0), STORE_TOKEN_LEN);
	sqlite3_finalize(statement);
	return 0;
}

static int token_put(struct store *store, const uint8_t *token, int64_t clock, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_META_TOKEN);

	if (token != NULL)
		sqlite3_bind_blob(statement, 1, token, STORE_TOKEN_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, clock);
	return store_exec(store, statement, error);
}

static int token_consume(struct store *store, struct error *error)
{
	int64_t now = time(NULL);
	int64_t clock = now > store->clock ? now : store->clock;
	int code = store_begin(store, error);
	if (code != 0)
		return code;
	code = token_put(store, NULL, clock, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	code = store_commit(store, error);
	if (code == 0)
		store->clock = store->clock_started = clock;
	return code;
}

int store_start(struct store *store, struct error *error)
{
	if (store->started)
		return error_set(error, -EINVAL, "the store was started before");
	randombytes_buf(store->token, sizeof(store->token));
	int code = run_token_write(store);
	if (code != 0)
		return error_set(
			error, code, "cannot replace " STORE_TOKEN ": %s", strerror(-code));
	store->started = true;
	// Windows are struck out on the disk before the first packet: a second use would accept
	// requests again. The time of the start is written with it.
	return token_consume(store, error);
}

int64_t store_clock_least(const struct store *store)
{
	int64_t now = time(NULL);

	return (now > store->clock_started ? now : store->clock_started) + 1;
}

int store_clock_raise(struct store *store, int64_t clock, struct error *error)
{
	if (store->broken)
		return error_set(error, -EIO,
			"the store failed to write before: no own Partial IVs until it can again");
	if (clock <= store->clock)
		return 0;
	int code = store_begin(store, error);
	if (code != 0)
		return code;
	sqlite3_stmt *statement = store_statement(store, SQL_META_CLOCK);
	sqlite3_bind_int64(statement, 1, clock);
	code = store_exec(store, statement, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	code = store_commit(store, error);
	if (code == 0)
		store->clock = clock;
	return code;
}

// With the seconds that were used, and not all that might have been: the next start need not wait
// for those.
static int windows_put(struct store *store, int64_t clock_used,
	bool (*next)(void *arg, struct store_window *window), void *arg, struct error *error)
{
	int64_t clock = clock_used > store->clock_started ? clock_used : store->clock_started;
	struct store_window window;
	uint8_t tag[STORE_TAG_LEN];

	int code = store_exec(store, store_statement(store, SQL_WINDOW_CLEAR), error);
	while (code == 0 && next(arg, &window)) {
		sqlite3_stmt *statement = store_statement(store, SQL_WINDOW_PUT);
		store_window_tag(store, tag, store->token, &window);
		sqlite3_bind_int64(statement, 1, window.id);
		sqlite3_bind_int64(statement, 2, window.window.next);
		sqlite3_bind_int64(statement, 3, window.window.bits);
		sqlite3_bind_blob(statement, 4, tag, sizeof(tag), SQLITE_STATIC);
		code = store_exec(store, statement, error);
	}
	return code != 0 ? code : token_put(store, store->token, clock, error);
}

int store_stop(struct store *store, int64_t clock_used,
	bool (*next)(void *arg, struct store_window *window), void *arg, struct error *error)
{
	if (!store->started)
		return error_set(error, -EINVAL, "the store was not started");
	if (store->broken)
		return error_set(error, -EIO, "the store failed to write before: windows not kept");
	int code = store_begin(store, error);
	if (code != 0)
		return code;
	code = windows_put(store, clock_used, next, arg, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}

// Whether the stored windows are of the clean stop just before this start, in this boot, and what
// their token is. The store's own start ends that.
static int windows_kept(
	struct store *store, uint8_t token[STORE_TOKEN_LEN], bool *kept, struct error *error)
{
	uint8_t found[STORE_TOKEN_LEN];

	*kept = false;
	if (store->started || !run_token_read(store, found))
		return 0;
	int code = stored_token(store, token, kept, error);
	*kept = *kept && code == 0 && memcmp(found, token, STORE_TOKEN_LEN) == 0;
	return code;
}

// The kept window of a row of SQL_DEVICE_LOAD, in its last columns. One whose tag is not of the
// token is as none.
static void window_read(const struct store *store, sqlite3_stmt *statement, const uint8_t *token,
	struct device_keyed *device)
{
	int first = sqlite3_column_count(statement) - 3;
	struct store_window window = {
		.id = device->id,
		.window.next = sqlite3_column_int64(statement, first),
		.window.bits = sqlite3_column_int64(statement, first + 1),
	};
	uint8_t tag[STORE_TAG_LEN];

	// Own Partial IVs from the clock are for copies that nothing else distinguishes; their
	// windows would be copies too.
	if (device->own_piv == DEVICE_OWN_PIV_CLOCK ||
		sqlite3_column_bytes(statement, first + 2) != STORE_TAG_LEN)
		return;
	store_window_tag(store, tag, token, &window);
	if (sodium_memcmp(tag, sqlite3_column_blob(statement, first + 2), STORE_TAG_LEN) != 0)
		return;
	device->window_known = true;
	device->window = window.window;
}

// token: of the kept windows; NULL if there are none.
static int load_row(struct store *store, sqlite3_stmt *statement, const uint8_t *token,
	int (*each)(void *arg, const struct device_keyed *device), void *arg,
	struct store_load_result *result)
{
	struct store_row row;
	struct device_keyed device;

	if (row_read(&row, statement) != 0 || row_to_device(store, &row, &device) != 0) {
		if (result->unreadable++ == 0)
			memcpy(result->first_unreadable, row.name, sizeof(row.name));
		return 0;
	}
	if (token != NULL)
		window_read(store, statement, token, &device);
	int code = each(arg, &device);
	sodium_memzero(&device, sizeof(device));
	result->loaded++;
	return code;
}

int store_load(struct store *store, int (*each)(void *arg, const struct device_keyed *device),
	void *arg, struct store_load_result *result, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_LOAD);
	uint8_t token[STORE_TOKEN_LEN];
	bool kept;
	int step = SQLITE_ROW;

	memset(result, 0, sizeof(*result));
	if (statement == NULL)
		return store_sql_fail(store, error);
	int code = windows_kept(store, token, &kept, error);
	if (code != 0)
		return code;
	while (code == 0 && (step = sqlite3_step(statement)) == SQLITE_ROW)
		code = load_row(store, statement, kept ? token : NULL, each, arg, result);
	if (code == 0 && step != SQLITE_DONE)
		code = store_sql_fail(store, error);
	sqlite3_reset(statement);
	sqlite3_db_release_memory(store->db);
	return code;
}
