// SPDX-License-Identifier: BSD-3-Clause
// Contexts that devices derive while they are in service. The ID Context of a run is random, so its
// keys are new, and what was used under those of before is under other keys.

#include "gw/store/rederive.h"

#include "gw/store/changed.h"
#include "gw/store/commit.h"
#include "gw/store/key_past.h"
#include "gw/store/run.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

int row_write_rederived(struct store *store, const struct store_row *before,
	const struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_REDERIVE);

	assert(row->id == before->id && row->rederive != DEVICE_REDERIVE_NONE);
	assert(row->run_base >= before->run_base && row->run_base <= STORE_RUN_MAX);
	sqlite3_bind_int64(statement, 1, row->id);
	sqlite3_bind_blob(statement, 2, row->id_context, row->id_context_len, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 3, row->keys, row->keys_len, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 4, row->sender_hash, STORE_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 5, row->recipient_hash, STORE_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 6, row->run_base);
	sqlite3_bind_int64(statement, 7, row->rederived);
	sqlite3_bind_int64(statement, 8, row->rederived_at);
	if (store->changed != NULL)
		changed_add(store->changed, row->id);
	int code = store_exec(store, statement, error);
	return code != 0 ? code : keys_move(store, before, row, error);
}

// Whether the run may end in this row.
static int run_check(const struct store *store, const struct store_row *row,
	struct store_rederivation *run, struct error *error)
{
	if (row->rederive == DEVICE_REDERIVE_NONE)
		return error_set(error, -EINVAL, "device %s has rederive: none", row->name);
	if (run->id_context_len == 0 || run->id_context_len > STORE_REDERIVED_CONTEXT_MAX)
		return error_set(error, -EINVAL, "an ID Context of a run has up to %d bytes",
			STORE_REDERIVED_CONTEXT_MAX);
	if (row->rederived != run->rederived) {
		if (row_to_device(store, row, &run->device) != 0)
			return error_set(
				error, -EBADMSG, "device %s is damaged in the store", row->name);
		return error_set(
			error, -ESTALE, "device %s has derived another context since", row->name);
	}
	uint64_t base = run->run_base > row->run_base ? run->run_base : row->run_base;

	if (row->rederived == UINT32_MAX || base + store_current_run(store) > STORE_RUN_MAX)
		return error_set(error, -ERANGE,
			"device %s has used up its own Partial IVs: it needs new keys", row->name);
	return 0;
}

// Fills the row with the keys of the new context. It was opened: its own keys are as they were
// sealed, and so are its count and base.
static int row_rederive(struct store *store, struct store_row *row,
	const struct store_rederivation *run, struct error *error)
{
	struct osc_params params = {0};
	struct osc_keys keys;

	int code = seal_open_keys(store, row, &keys);
	if (code == 0)
		code = seal_open_secret(store, row, &params);
	row->has_id_context = true;
	row->id_context_len = run->id_context_len;
	memcpy(row->id_context, run->id_context, run->id_context_len);
	if (code == 0) {
		params.has_id_context = true;
		params.id_context_len = row->id_context_len;
		memcpy(params.id_context, row->id_context, row->id_context_len);
		code = osc_derive(&keys, &params) == 0 ? 0 : -EBADMSG;
	}
	if (code == 0) {
		row->rederived++;
		row->rederived_at = time(NULL);
		if (row->run_base < run->run_base)
			row->run_base = run->run_base;
		store_key_hash(store, row->sender_hash, keys.sender_key, row->alg);
		store_key_hash(store, row->recipient_hash, keys.recipient_key, row->alg);
		seal_keys(store, row, &keys);
	}
	sodium_memzero(&params, sizeof(params));
	sodium_memzero(&keys, sizeof(keys));
	return code == 0 ? 0
			 : error_set(error, code, "device %s is damaged in the store", row->name);
}

static int rederive_one(struct store *store, struct store_rederivation *run, struct error *error)
{
	struct store_row row, before;

	int code = row_find_by_id(store, run->id, &before, error);
	if (code == 0)
		code = run_check(store, &before, run, error);
	if (code != 0)
		return code;
	row = before;
	code = row_rederive(store, &row, run, error);
	if (code == 0)
		code = key_is_new(store, row.sender_hash, error);
	if (code == 0)
		code = key_is_new(store, row.recipient_hash, error);
	if (code == 0)
		code = row_write_rederived(store, &before, &row, error);
	row.never_used = true; // nothing was accepted under these keys
	return code != 0 ? code : row_to_device(store, &row, &run->device);
}

// What is wrong with one device, and not with the store.
static bool is_of_device(int code)
{
	return code == -ENOENT || code == -EINVAL || code == -EBADMSG || code == -ERANGE ||
		code == -ESTALE || code == -EEXIST;
}

static int rederive_all(
	struct store *store, struct store_rederivation *runs, size_t count, struct error *error)
{
	int code = store_begin(store, error);
	if (code != 0)
		return code;
	for (size_t i = 0; i < count && code == 0; i++) {
		code = rederive_one(store, &runs[i], error);
		runs[i].result = code;
		if (is_of_device(code))
			code = 0;
	}
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}

int store_rederive(struct store *store, struct store_rederivation *rederivations, size_t count,
	struct error *error)
{
	for (size_t i = 0; i < count; i++) {
		memset(&rederivations[i].device, 0, sizeof(rederivations[i].device));
		rederivations[i].result = 0;
	}
	int code = rederive_all(store, rederivations, count, error);
	// What may not be on the disk is for nobody.
	for (size_t i = 0; code != 0 && i < count; i++) {
		rederivations[i].result = code;
		sodium_memzero(&rederivations[i].device, sizeof(rederivations[i].device));
	}
	return code;
}
