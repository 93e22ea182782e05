// SPDX-License-Identifier: BSD-3-Clause
// Raises a number of many devices in one transaction; run bases here, marks in mark.c.

#include "gw/store/raise.h"

#include "gw/store/commit.h"
#include "gw/store/row.h"
#include "gw/store/run.h"
#include "gw/store/state.h"

#include <errno.h>

// What is wrong with one device, and not with the store.
static bool is_of_device(int code)
{
	return code == -ENOENT || code == -EINVAL || code == -EBADMSG || code == -ERANGE;
}

int rows_raise(struct store *store, struct store_raise *raises, size_t count,
	int (*raise)(
		struct store *store, struct store_row *row, uint64_t value, struct error *error),
	struct error *error)
{
	struct store_row row;
	int code;

	if (store->broken)
		return error_set(error, -EIO,
			"the store failed to write before: nothing is raised until it can again");
	code = store_begin(store, error);
	if (code != 0)
		return code;
	for (size_t i = 0; i < count && code == 0; i++) {
		code = row_find_by_id(store, raises[i].id, &row, error);
		if (code == 0)
			code = raise(store, &row, raises[i].value, error);
		raises[i].result = code;
		if (is_of_device(code))
			code = 0;
	}
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}

static int base_raise(
	struct store *store, struct store_row *row, uint64_t run_base, struct error *error)
{
	const struct store_row sealed = *row;

	if (run_base <= row->run_base)
		return 0;
	if (run_base + store_current_run(store) > STORE_RUN_MAX)
		return error_set(error, -ERANGE,
			"device %s has used up its own Partial IVs: it needs new keys", row->name);
	row->run_base = run_base;
	if (row_reseal(store, row, &sealed) != 0)
		return error_set(error, -EBADMSG, "device %s is damaged in the store", row->name);
	return row_write_state(store, row, error);
}

int store_bases_raise(
	struct store *store, struct store_raise *raises, size_t count, struct error *error)
{
	return rows_raise(store, raises, count, base_raise, error);
}
