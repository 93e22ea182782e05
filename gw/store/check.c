// SPDX-License-Identifier: BSD-3-Clause
// Checks that the database has what the store wrote, row by row, in turns.

#include "gw/store/check.h"

#include "base/clock.h"
#include "gw/device/credential.h"
#include "gw/store/hashes.h"
#include "gw/store/meta.h"
#include "gw/store/row.h"
#include "gw/store/seal.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TURN_NS   5000000 // a turn is over with the first row behind this
#define LOOK_ROWS 16      // between two looks at the clock

static void problem(struct store_check *check, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void problem(struct store_check *check, const char *format, ...)
{
	va_list args;

	check->report.problems++;
	if (check->report.told == CHECK_PROBLEMS_MAX)
		return;
	struct error *to = &check->report.problem[check->report.told++];
	va_start(args, format);
	vsnprintf(to->text, sizeof(to->text), format, args);
	va_end(args);
}

// What SQLite itself finds in a table and its indexes; all at once, so only for a small one.
static int check_meta(struct store *store, struct store_check *check, struct error *error)
{
	sqlite3_stmt *statement = NULL;
	int step =
		sqlite3_prepare_v2(store->db, "PRAGMA integrity_check(meta)", -1, &statement, NULL);

	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(statement);
		const char *text =
			step == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : "ok";
		if (text != NULL && strcmp(text, "ok") != 0)
			problem(check, "the database: %s", text);
	}
	int code = step == SQLITE_DONE ? 0 : store_sql_fail(store, error);
	sqlite3_finalize(statement);
	return code == 0 ? meta_verify(store, error) : code;
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

static bool hash_is_known(
	struct store *store, const struct store_row *row, const uint8_t hash[STORE_HASH_LEN])
{
	sqlite3_stmt *statement = store_statement(store, SQL_KEY_FIND);

	sqlite3_bind_blob(statement, 1, hash, STORE_HASH_LEN, SQLITE_STATIC);
	bool good = sqlite3_step(statement) == SQLITE_ROW &&
		(uint64_t)sqlite3_column_int64(statement, 0) == row->id;
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return good;
}

static bool hash_is_of(struct store *store, const struct store_row *row, const uint8_t *key,
	const uint8_t stored[STORE_HASH_LEN])
{
	uint8_t hash[STORE_HASH_LEN];

	store_key_hash(store, hash, key, row->alg);
	return memcmp(hash, stored, sizeof(hash)) == 0 && hash_is_known(store, row, hash);
}

static bool secret_is_known(
	struct store *store, const struct store_row *row, const struct osc_params *params)
{
	uint8_t hash[STORE_HASH_LEN];

	store_secret_hash(store, hash, params);
	return memcmp(hash, row->secret_hash, sizeof(hash)) == 0 && hash_is_known(store, row, hash);
}

// A row with a credential has nothing sealed but what binds them together.
static void check_credential(
	struct store *store, struct store_check *check, const struct store_row *row)
{
	struct device_credential credential;
	struct osc_keys keys;
	const char *what = NULL;

	if (seal_open_keys(store, row, &keys) != 0)
		what = "its credential or name was changed";
	else if (device_credential_check(row->credential, row->credential_len, &credential, NULL) !=
		0)
		what = "its credential cannot be read";
	else if (memcmp(credential.digest, row->digest, sizeof(row->digest)) != 0 ||
		credential.kid_len != row->kid_len ||
		memcmp(credential.kid, row->kid, row->kid_len) != 0)
		what = "its credential is not that of its row";
	if (what != NULL)
		problem(check, "device %s: %s", row->name, what);
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
	else if (row->rederive != DEVICE_REDERIVE_NONE && !secret_is_known(store, row, &params))
		what = "its Master Secret is not known as its own";
	if (what != NULL)
		problem(check, "device %s: %s", row->name, what);
	sodium_memzero(&keys, sizeof(keys));
	sodium_memzero(&derived, sizeof(derived));
	sodium_memzero(&params, sizeof(params));
}

// Whether the index has the device at its place, and there no other.
static bool is_indexed(sqlite3_stmt *statement, uint64_t id)
{
	bool good = sqlite3_step(statement) == SQLITE_ROW &&
		(uint64_t)sqlite3_column_int64(statement, 0) == id;

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return good;
}

static void check_indexes(
	struct store *store, struct store_check *check, const struct store_row *row)
{
	sqlite3_stmt *name = store_statement(store, SQL_CHECK_NAME);
	sqlite3_stmt *address = store_statement(store, SQL_CHECK_ADDRESS);
	int place_len;
	const uint8_t *place = row_place(row, &place_len);

	sqlite3_bind_text(name, 1, row->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(address, 1, place, place_len, SQLITE_STATIC);
	if (row->has_id_context)
		sqlite3_bind_blob(address, 2, row->id_context, row->id_context_len, SQLITE_STATIC);
	else
		sqlite3_bind_int(address, 2, 0);
	if (!is_indexed(name, row->id))
		problem(check, "device %s: it is not found by its name", row->name);
	if (!is_indexed(address, row->id))
		problem(check, "device %s: it is not found by its device_id", row->name);
}

static bool device_row(struct store *store, struct store_check *check, sqlite3_stmt *statement)
{
	struct store_row row;
	bool read = row_read(&row, statement) == 0;

	if (row.id <= check->id)
		return false;
	check->id = row.id;
	check->report.devices++;
	if (read) {
		check_indexes(store, check, &row);
		if (row.credential_len > 0)
			check_credential(store, check, &row);
		else
			check_device(store, check, &row);
	} else {
		problem(check, "device number %" PRIu64 ": its row cannot be read", row.id);
	}
	return true;
}

// A statement with name and address of the device, if it is there: reset it.
static sqlite3_stmt *device_find(struct store *store, uint64_t id, bool *there)
{
	sqlite3_stmt *statement = store_statement(store, SQL_CHECK_DEVICE);

	sqlite3_bind_int64(statement, 1, id);
	*there = sqlite3_step(statement) == SQLITE_ROW;
	return statement;
}

static bool name_row(struct store *store, struct store_check *check, sqlite3_stmt *statement)
{
	const char *name = (const char *)sqlite3_column_text(statement, 0);
	uint64_t id = sqlite3_column_int64(statement, 1);
	bool there;

	if (name == NULL || strlen(name) >= sizeof(check->name) || strcmp(name, check->name) <= 0)
		return false;
	memcpy(check->name, name, strlen(name) + 1);
	sqlite3_stmt *device = device_find(store, id, &there);
	const char *its = there ? (const char *)sqlite3_column_text(device, 0) : NULL;
	if (its == NULL || strcmp(its, name) != 0)
		problem(check, "the name of device number %" PRIu64 " is not that of its row", id);
	sqlite3_reset(device);
	return true;
}

static bool column_place(sqlite3_stmt *statement, int column, uint8_t *to, size_t room, int *len)
{
	const void *blob = sqlite3_column_blob(statement, column);
	int n = sqlite3_column_bytes(statement, column);

	if (sqlite3_column_type(statement, column) != SQLITE_BLOB || (size_t)n > room)
		return false;
	if (n > 0)
		memcpy(to, blob, n);
	*len = n;
	return true;
}

// The device_id and ID Context in two columns. False if we cannot have written them.
static bool address_read(sqlite3_stmt *statement, int column, struct check_address *address)
{
	memset(address, 0, sizeof(*address));
	if (!column_place(statement, column, address->device_id, sizeof(address->device_id),
		    &address->device_id_len))
		return false;
	// 0 stands for none, and comes before all.
	address->id_context_len = CHECK_NO_CONTEXT;
	return sqlite3_column_type(statement, column + 1) == SQLITE_INTEGER ||
		column_place(statement, column + 1, address->id_context,
			sizeof(address->id_context), &address->id_context_len);
}

// The order of SQLite: zeros behind the end make the longer of two alike the greater one.
static int address_compare(const struct check_address *a, const struct check_address *b)
{
	int order = memcmp(a->device_id, b->device_id, sizeof(a->device_id));

	if (order == 0)
		order = a->device_id_len - b->device_id_len;
	if (order == 0 && (a->id_context_len < 0 || b->id_context_len < 0))
		return a->id_context_len - b->id_context_len;
	if (order == 0)
		order = memcmp(a->id_context, b->id_context, sizeof(a->id_context));
	return order != 0 ? order : a->id_context_len - b->id_context_len;
}

// The device_id comes from the index, and the ID Context that belongs to it from the table.
static bool address_row(struct store *store, struct store_check *check, sqlite3_stmt *statement)
{
	struct check_address address, its;
	uint64_t id = sqlite3_column_int64(statement, 1);
	bool there;

	sqlite3_stmt *device = device_find(store, id, &there);
	bool read = there && address_read(device, 1, &its);
	sqlite3_reset(device);
	if (!read) {
		problem(check, "a device_id is of device number %" PRIu64 ", which is not there",
			id);
		return false;
	}
	address = its;
	if (!column_place(statement, 0, address.device_id, sizeof(address.device_id),
		    &address.device_id_len) ||
		(check->rows > 0 && address_compare(&address, &check->address) <= 0))
		return false;
	if (address_compare(&address, &its) != 0)
		problem(check, "the device_id of device number %" PRIu64 " is not that of its row",
			id);
	check->address = address;
	return true;
}

static void address_bind(const struct store_check *check, sqlite3_stmt *statement)
{
	const struct check_address *address = &check->address;

	// A number is below all device_ids.
	if (check->rows == 0)
		sqlite3_bind_int(statement, 1, 0);
	else
		sqlite3_bind_blob(
			statement, 1, address->device_id, address->device_id_len, SQLITE_STATIC);
}

static void neighbour_bind(const struct store_check *check, sqlite3_stmt *statement)
{
	const struct check_address *address = &check->address;

	address_bind(check, statement);
	if (address->id_context_len == CHECK_NO_CONTEXT)
		sqlite3_bind_int(statement, 2, 0);
	else
		sqlite3_bind_blob(
			statement, 2, address->id_context, address->id_context_len, SQLITE_STATIC);
}

static bool key_row(struct store *store, struct store_check *check, sqlite3_stmt *statement)
{
	uint64_t id = sqlite3_column_int64(statement, 1);
	uint8_t hash[STORE_HASH_LEN];
	bool there = true;
	int len;

	if (!column_place(statement, 0, hash, sizeof(hash), &len) || len != sizeof(hash) ||
		(check->rows > 0 && memcmp(hash, check->hash, sizeof(hash)) <= 0))
		return false;
	memcpy(check->hash, hash, sizeof(hash));
	if (sqlite3_column_type(statement, 1) != SQLITE_NULL)
		sqlite3_reset(device_find(store, id, &there));
	if (!there)
		problem(check, "a key is of device number %" PRIu64 ", which is not there", id);
	if (!sqlite3_column_int(statement, 2))
		problem(check, "what is known of a key that was retired was changed");
	return true;
}

static bool window_row(struct store *store, struct store_check *check, sqlite3_stmt *statement)
{
	uint64_t id = sqlite3_column_int64(statement, 0);

	if (id <= check->id)
		return false;
	check->id = id;
	if (sqlite3_column_bytes(statement, 1) != STORE_TAG_LEN)
		problem(check, "the window of device number %" PRIu64 " was changed", id);
	return true;
}

static void id_bind(const struct store_check *check, sqlite3_stmt *statement)
{
	sqlite3_bind_int64(statement, 1, check->id);
	sqlite3_bind_int64(statement, 2, -1); // no limit
}

static void name_bind(const struct store_check *check, sqlite3_stmt *statement)
{
	sqlite3_bind_text(statement, 1, check->name, -1, SQLITE_STATIC);
}

static void hash_bind(const struct store_check *check, sqlite3_stmt *statement)
{
	sqlite3_bind_blob(
		statement, 1, check->hash, check->rows > 0 ? STORE_HASH_LEN : 0, SQLITE_STATIC);
}

// A table or an index, row for row in its order: from the row looked at last, for a turn goes on
// where the one before ended, with other work in between.
static const struct walk {
	const char *what;
	enum store_statement statement;
	void (*bind)(const struct store_check *check, sqlite3_stmt *statement);
	// False if the row cannot be at this place.
	bool (*row)(struct store *store, struct store_check *check, sqlite3_stmt *statement);
} walks[] = {
	{"the table of devices", SQL_DEVICE_FROM, id_bind, device_row},
	{"the index of names", SQL_CHECK_NAMES, name_bind, name_row},
	{"the index of device_ids", SQL_CHECK_ADDRESSES, address_bind, address_row},
	{"the table of keys", SQL_CHECK_KEYS, hash_bind, key_row},
	{"the table of windows", SQL_CHECK_WINDOWS, id_bind, window_row},
};

// *more: there is no time for the rows behind.
static int walk_rows(struct store *store, struct store_check *check, const struct walk *walk,
	sqlite3_stmt *statement, bool *more, struct error *error)
{
	int step = SQLITE_ERROR;

	if (statement == NULL)
		return store_sql_fail(store, error);
	while (!*more && (step = sqlite3_step(statement)) == SQLITE_ROW) {
		if (!walk->row(store, check, statement)) {
			error_set(error, -EBADMSG, "it is not in order");
			break;
		}
		*more = ++check->rows % LOOK_ROWS == 0 && clock_ns() > check->until_ns;
	}
	int code = step == SQLITE_DONE || *more ? 0
		: step == SQLITE_ROW            ? -EBADMSG
						: store_sql_fail(store, error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

static int walk_turn(struct store *store, struct store_check *check, const struct walk *walk,
	bool *more, struct error *error)
{
	int code = 0;

	check->until_ns = clock_ns() + TURN_NS;
	// Devices with the device_id of the last one may be many, too.
	if (walk->statement == SQL_CHECK_ADDRESSES && check->rows > 0) {
		sqlite3_stmt *statement = store_statement(store, SQL_CHECK_NEIGHBOURS);

		neighbour_bind(check, statement);
		code = walk_rows(store, check, walk, statement, more, error);
	}
	if (code == 0 && !*more) {
		sqlite3_stmt *statement = store_statement(store, walk->statement);

		walk->bind(check, statement);
		code = walk_rows(store, check, walk, statement, more, error);
	}
	// Damage that ends the look at a table is what was looked for.
	if (code == -EBADMSG) {
		problem(check, "%s: %s", walk->what, error->text);
		*more = false;
		code = 0;
	}
	return code;
}

int store_check_step(
	struct store *store, struct store_check *check, bool *done, struct error *error)
{
	const unsigned count = sizeof(walks) / sizeof(walks[0]);
	struct error unheard;
	bool more = false;
	int code;

	if (error == NULL)
		error = &unheard;
	if (check->part == 0) {
		code = check_meta(store, check, error);
		if (code == -EBADMSG) {
			problem(check, "%s", error->text);
			code = 0;
		}
	} else {
		code = walk_turn(store, check, &walks[check->part - 1], &more, error);
	}
	if (!more) {
		check->part++;
		check->rows = check->id = 0;
	}
	*done = code == 0 && check->part > count;
	return code;
}
