// SPDX-License-Identifier: BSD-3-Clause
// The table of all derived keys that are or were in the store, in either role. A key has a device,
// or a tombstone that has the highest run and the mark of the device that had it.

#include "gw/store/key_past.h"

#include "dataplane/oscore/own_piv.h"
#include "gw/store/row.h"
#include "gw/store/run.h"
#include "gw/store/seal.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <time.h>

int key_put(struct store *store, const uint8_t hash[STORE_HASH_LEN], uint64_t device, uint32_t run,
	uint64_t mark, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_KEY_PUT);

	assert(device == 0 ? run <= STORE_TOMBSTONE_CLOCK : run == 0 && mark == 0);
	sqlite3_bind_blob(statement, 1, hash, STORE_HASH_LEN, SQLITE_STATIC);
	if (device != 0)
		sqlite3_bind_int64(statement, 2, device);
	sqlite3_bind_int64(statement, 3, run);
	sqlite3_bind_int64(statement, 4, mark);
	return store_exec(store, statement, error);
}

static bool row_opens(const struct store *store, const struct store_row *row)
{
	struct osc_keys keys;
	bool opens = seal_open_keys(store, row, &keys) == 0;

	sodium_memzero(&keys, sizeof(keys));
	return opens;
}

// The highest run that a device can have been used with. The data plane has the device for a while
// after it was retired, and the run of this start may be granted in that while.
static uint32_t last_run(const struct store *store, const struct store_row *row)
{
	uint64_t run = (uint64_t)store_current_run(store) + row->run_base;

	return run <= STORE_RUN_MAX ? run : STORE_TOMBSTONE_NONE_LEFT;
}

int row_retire(struct store *store, const struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_DELETE);

	sqlite3_bind_int64(statement, 1, row->id);
	int code = store_exec(store, statement, error);
	// A credential may come back: it had no keys.
	if (code != 0 || row->credential_len > 0)
		return code;
	uint32_t run = last_run(store, row);
	if (row->own_piv == DEVICE_OWN_PIV_CLOCK)
		run = STORE_TOMBSTONE_CLOCK;
	// If the row was changed on the disk, its base may be too low.
	if (!row_opens(store, row))
		run = STORE_TOMBSTONE_NONE_LEFT;
	code = key_put(store, row->sender_hash, 0, run, row->mark, error);
	if (code == 0)
		code = key_put(store, row->recipient_hash, 0, run, row->mark, error);
	// Of all contexts that were derived from it, this one and those before.
	if (code == 0 && row->rederive != DEVICE_REDERIVE_NONE)
		code = key_put(store, row->secret_hash, 0, run, row->mark, error);
	return code;
}

// What is known of a key.
struct key_past {
	bool known;
	uint64_t device; // that has it; 0: a tombstone
	uint32_t run;    // of a tombstone: the highest that it was used with
	uint64_t mark;   // of a tombstone: no number from here on was accepted under it
};

static int key_find(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct key_past *past,
	struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_KEY_FIND);

	if (statement == NULL)
		return store_sql_fail(store, error);
	memset(past, 0, sizeof(*past));
	sqlite3_bind_blob(statement, 1, hash, STORE_HASH_LEN, SQLITE_STATIC);
	int code = 0;
	int step = sqlite3_step(statement);
	if (step == SQLITE_ROW) {
		past->known = true;
		past->device = sqlite3_column_int64(statement, 0);
		past->run = sqlite3_column_int64(statement, 1);
		past->mark = sqlite3_column_int64(statement, 2);
		if (!sqlite3_column_int(statement, 3))
			code = error_set(error, -EBADMSG,
				"what the store knew of these keys is damaged: it needs new keys");
	} else if (step != SQLITE_DONE) {
		code = store_sql_fail(store, error);
	}
	sqlite3_reset(statement);
	return code;
}

static int tombstone_raise(struct store *store, const uint8_t hash[STORE_HASH_LEN], uint32_t run,
	uint64_t mark, struct error *error)
{
	struct key_past past;

	int code = key_find(store, hash, &past, error);
	if (code != 0)
		return code;
	if (!past.known || past.device != 0)
		return error_set(error, -EBADMSG, "keys that were retired are not known as such");
	return key_put(store, hash, 0, run > past.run ? run : past.run,
		mark > past.mark ? mark : past.mark, error);
}

int row_retire_again(struct store *store, const struct store_row *row, struct error *error)
{
	uint32_t run = last_run(store, row);

	if (row->credential_len > 0)
		return 0;
	// The copy may know the keys of an earlier context of it only.
	if (row->rederive != DEVICE_REDERIVE_NONE)
		return tombstone_raise(store, row->secret_hash, run, row->mark, error);
	int code = tombstone_raise(store, row->sender_hash, run, row->mark, error);
	return code != 0 ? code
			 : tombstone_raise(store, row->recipient_hash, run, row->mark, error);
}

int keys_move(struct store *store, const struct store_row *before, const struct store_row *row,
	struct error *error)
{
	const uint8_t *const gone[] = {before->sender_hash, before->recipient_hash};
	int code = 0;

	for (unsigned i = 0; code == 0 && i < 2; i++) {
		sqlite3_stmt *statement = store_statement(store, SQL_KEY_FORGET);

		sqlite3_bind_blob(statement, 1, gone[i], STORE_HASH_LEN, SQLITE_STATIC);
		sqlite3_bind_int64(statement, 2, row->id);
		code = store_exec(store, statement, error);
	}
	if (code == 0)
		code = key_put(store, row->sender_hash, row->id, 0, 0, error);
	return code != 0 ? code : key_put(store, row->recipient_hash, row->id, 0, 0, error);
}

int key_is_new(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct error *error)
{
	struct key_past past;
	int code = key_find(store, hash, &past, error);

	if (code == 0 && past.known)
		code = error_set(error, -EEXIST, "the keys of this context are or were here");
	return code;
}

// The Partial IV from which the clock goes on with keys that were used before.
uint64_t key_clock_first(void)
{
	int64_t second = (int64_t)time(NULL) - OSC_CLOCK_EPOCH_S + 1;

	return second < 0 ? 0 : (uint64_t)second << OSC_CLOCK_BITS;
}

// The highest run that the clock has come to, as if its Partial IVs had one.
static uint32_t clock_run(const struct store *store)
{
	int64_t now = time(NULL);
	int64_t second = (now > store->clock ? now : store->clock) - OSC_CLOCK_EPOCH_S;

	return second < 0 ? 0 : second << OSC_CLOCK_BITS >> STORE_COUNTER_BITS;
}

// Raises row->run_base beyond what the keys were used with. The clock cannot be raised.
static int base_begin(
	const struct store *store, struct store_row *row, uint32_t past_run, struct error *error)
{
	uint32_t current = store_current_run(store);

	if (row->own_piv == DEVICE_OWN_PIV_CLOCK) {
		if (past_run != STORE_TOMBSTONE_CLOCK &&
			((uint64_t)past_run + 1) << STORE_COUNTER_BITS > key_clock_first())
			return error_set(error, -ERANGE,
				"its keys were used with Partial IVs that the clock has yet to "
				"come to: own_piv: always, or new keys");
		return 0;
	}
	if (past_run == STORE_TOMBSTONE_CLOCK)
		past_run = clock_run(store);
	if (past_run >= current && row->run_base < past_run - current + 1)
		row->run_base = past_run - current + 1;
	return 0;
}

// Checks one derived key against all that are or were here, and raises row->run_base beyond what it
// was used with, and row->mark to what it had.
int key_check(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct store_row *row,
	uint64_t *other, struct error *error)
{
	struct key_past past;
	struct store_row holder;

	int code = key_find(store, hash, &past, error);
	if (code != 0 || !past.known)
		return code;
	if (past.device != 0) {
		*other = past.device;
		code = row_find_by_id(store, past.device, &holder, error);
		return code != 0 ? code
				 : error_set(error, -ENOTUNIQ,
					   "its keys are those of device %s (ids, secret, salt and "
					   "ID Context give the same derived key)",
					   holder.name);
	}
	if (row->never_used)
		return error_set(error, -EKEYREVOKED,
			"never_used, but its keys were in use here before: give gateway_seq or new "
			"keys");
	if (row->mark < past.mark)
		row->mark = past.mark;
	return base_begin(store, row, past.run, error);
}
