// SPDX-License-Identifier: BSD-3-Clause
// The verbs on one device: add, remove, show, list. Each that writes is one transaction.

#include "gw/store/apply.h"
#include "gw/store/commit.h"
#include "gw/store/key_past.h"
#include "gw/store/row.h"
#include "gw/store/secrets.h"
#include "gw/store/spec.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"
#include "gw/store/store.h"

#include <errno.h>
#include <string.h>

static int add_row(struct store *store, struct store_row *row, bool replace,
	struct device_keyed *device, enum device_outcome *outcome, struct error *error)
{
	uint64_t other;

	int code = rows_free(store, error);
	if (code == 0)
		code = store_begin(store, error);
	if (code != 0)
		return code;
	code = row_apply(store, row, replace, outcome, &other, error);
	if (code == 0 && row_to_device(store, row, device) != 0)
		code = error_set(error, -EBADMSG, "the keys of the new device do not open");
	if (code != 0 || *outcome == DEVICE_UNCHANGED) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}

int store_add(struct store *store, const struct device_spec *spec, bool replace,
	struct device_keyed *device, enum device_outcome *outcome, struct error *error)
{
	struct store_row row;

	memset(device, 0, sizeof(*device));
	int code = row_prepare_new(store, spec, &row, error);
	if (code == 0)
		code = add_row(store, &row, replace, device, outcome, error);
	if (code != 0) {
		sodium_memzero(device, sizeof(*device));
		memcpy(device->name, row.name, sizeof(device->name));
	}
	return code;
}

// A row of other keys for `before`, under the same name.
static int rotate_row(struct store *store, struct store_row *row, const struct store_row *before,
	struct error *error)
{
	const struct store_row sealed = *row;
	enum device_outcome outcome;
	uint64_t other;

	if (row_same_keys(row, before))
		return error_set(error, -EEXIST, "device %s has %s already", before->name,
			row->credential_len > 0 ? "this credential" : "these keys");
	memcpy(row->name, before->name, sizeof(row->name));
	row->named = true;
	row->replaces = before->id;
	row_inherit(row, before);
	if (row_reseal(store, row, &sealed) != 0)
		return error_set(error, -EBADMSG, "the keys cannot be sealed again");
	int code = row_retire(store, before, error);
	if (code != 0)
		return code;
	store->count--;
	return row_apply(store, row, false, &outcome, &other, error);
}

int store_rotate(struct store *store, const char *name, const struct device_spec *spec,
	struct device_info *before, struct device_keyed *device, struct error *error)
{
	struct store_row row, there;

	memset(device, 0, sizeof(*device));
	int code = row_prepare(store, spec, &row, error);
	if (code != 0)
		return code;
	code = rows_free(store, error);
	if (code == 0)
		code = store_begin(store, error);
	if (code != 0)
		return code;
	code = row_find_by_name(store, name, &there, error);
	if (code == 0 && before != NULL)
		row_to_info(store, &there, before);
	if (code == 0)
		code = rotate_row(store, &row, &there, error);
	if (code == 0 && row_to_device(store, &row, device) != 0)
		code = error_set(error, -EBADMSG, "the keys of the new device do not open");
	if (code != 0)
		store_rollback(store);
	else
		code = store_commit(store, error);
	if (code != 0)
		sodium_memzero(device, sizeof(*device));
	return code;
}

int store_remove(
	struct store *store, const char *name, struct device_info *info, struct error *error)
{
	struct store_row row;

	int code = rows_free(store, error);
	if (code == 0)
		code = store_begin(store, error);
	if (code != 0)
		return code;
	code = row_find_by_name(store, name, &row, error);
	if (code == 0)
		code = row_retire(store, &row, error);
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	store->count--;
	if (info != NULL)
		row_to_info(store, &row, info);
	return store_commit(store, error);
}

int store_show(struct store *store, const char *name, struct device_info *info, struct error *error)
{
	struct store_row row;

	int code = row_find_by_name(store, name, &row, error);
	if (code == 0)
		row_to_info(store, &row, info);
	return code;
}

int store_get(
	struct store *store, const char *name, struct device_keyed *device, struct error *error)
{
	struct store_row row;

	memset(device, 0, sizeof(*device));
	int code = row_find_by_name(store, name, &row, error);
	if (code == 0 && row_to_device(store, &row, device) != 0)
		code = error_set(error, -EBADMSG, "the keys of device %s do not open", name);
	return code;
}

int store_list(struct store *store, const char *after, struct device_info *page, size_t room,
	size_t *count, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_PAGE);
	struct store_row row;
	int step;

	*count = 0;
	if (statement == NULL)
		return store_sql_fail(store, error);
	sqlite3_bind_text(statement, 1, after, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, room);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW && *count < room) {
		bool read = row_read(&row, statement) == 0;
		row_to_info(store, &row, &page[*count]);
		page[*count].damaged |= !read;
		++*count;
	}
	int code = step == SQLITE_DONE || step == SQLITE_ROW ? 0 : store_sql_fail(store, error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

void store_shard_key(const struct store *store, uint8_t key[STORE_SHARD_KEY_LEN])
{
	memcpy(key, store->secrets->shard, STORE_SHARD_KEY_LEN);
}

uint64_t store_count(const struct store *store)
{
	return store->count;
}
