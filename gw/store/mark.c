// SPDX-License-Identifier: BSD-3-Clause
// Marks of devices that cannot answer an Echo challenge. A mark is on the disk before a sequence
// number below it is accepted, so after a crash all numbers from the mark on are new.

#include "gw/store/mark.h"

#include "gw/store/commit.h"
#include "gw/store/raise.h"
#include "gw/store/row.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <string.h>

static int store_usable(const struct store *store, struct error *error)
{
	return store->broken
		? error_set(error, -EIO,
			  "the store failed to write before: no marks until it can again")
		: 0;
}

// Within a transaction.
static int mark_write(
	struct store *store, struct store_row *row, uint64_t mark, bool resync, struct error *error)
{
	const struct store_row sealed = *row;

	row->mark = mark;
	row->resync = resync;
	if (row_reseal(store, row, &sealed) != 0)
		return error_set(error, -EBADMSG, "device %s is damaged in the store", row->name);
	return row_write_state(store, row, error);
}

static int mark_raise(
	struct store *store, struct store_row *row, uint64_t mark, struct error *error)
{
	if (row->recovery != DEVICE_FLOOR)
		return -EINVAL;
	return mark <= row->mark ? 0 : mark_write(store, row, mark, row->resync, error);
}

int store_marks_raise(
	struct store *store, struct store_raise *raises, size_t count, struct error *error)
{
	return rows_raise(store, raises, count, mark_raise, error);
}

static int resync_floor(struct store *store, struct store_row *row, bool has_from, uint64_t from,
	struct error *error)
{
	if (!has_from)
		return error_set(error, -EINVAL,
			"device %s recovers by a floor: say its next sequence number (from)",
			row->name);
	if (from > DEVICE_SEQ_MAX)
		return error_set(error, -EINVAL, "no device has numbers beyond 2^40 - 1");
	int code = store_usable(store, error);
	if (code == 0)
		code = store_begin(store, error);
	if (code != 0)
		return code;
	code = mark_write(store, row, from > row->mark ? from : row->mark, false, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}

int store_resync(struct store *store, const char *name, bool has_from, uint64_t from, bool *waited,
	struct device_keyed *device, struct error *error)
{
	struct store_row row;

	memset(device, 0, sizeof(*device));
	int code = row_find_by_name(store, name, &row, error);
	if (code != 0)
		return code;
	*waited = row.resync;
	if (row.recovery == DEVICE_FLOOR)
		code = resync_floor(store, &row, has_from, from, error);
	else if (has_from)
		code = error_set(error, -EINVAL,
			"device %s recovers by Echo: its next request tells where it is", name);
	if (code == 0 && row_to_device(store, &row, device) != 0)
		code = error_set(error, -EBADMSG, "device %s is damaged in the store", name);
	return code;
}

static int next_floor(struct store *store, uint64_t after, struct store_row *row, bool *found,
	struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_FLOORS);
	int code = 0;

	if (statement == NULL)
		return store_sql_fail(store, error);
	sqlite3_bind_int64(statement, 1, after);
	int step = sqlite3_step(statement);
	*found = step == SQLITE_ROW;
	if (!*found && step != SQLITE_DONE)
		code = store_sql_fail(store, error);
	// store_load() reports a row that the store cannot have written.
	else if (*found && row_read(row, statement) != 0)
		row->resync = true;
	sqlite3_reset(statement);
	return code;
}

int marks_distrust(struct store *store, struct error *error)
{
	struct store_row row = {0};
	bool found = true;
	int code = 0;

	while (code == 0) {
		code = next_floor(store, row.id, &row, &found, error);
		if (code != 0 || !found)
			break;
		if (!row.resync) {
			code = mark_write(store, &row, row.mark, true, error);
			if (code == -EBADMSG) // it is left out when the devices are loaded
				code = 0;
		}
	}
	return code;
}
