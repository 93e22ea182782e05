// SPDX-License-Identifier: BSD-3-Clause
// Adds a row to the table of devices: looks for devices that are in its way, retires the one that
// it replaces, and raises its base and mark above what its keys were used with.

#include "gw/store/apply.h"

#include "gw/device/attribute.h"
#include "gw/store/key_past.h"
#include "gw/store/row.h"
#include "gw/store/run.h"
#include "gw/store/settings.h"
#include "gw/store/spec.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define KID_CREDENTIALS_MAX 4 // EDHOC_CANDIDATES_MAX

bool row_same_keys(const struct store_row *a, const struct store_row *b)
{
	if (a->credential_len > 0 || b->credential_len > 0)
		return a->credential_len > 0 && b->credential_len > 0 &&
			memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
	if (a->alg != b->alg || a->gateway_id_len != b->gateway_id_len ||
		memcmp(a->gateway_id, b->gateway_id, a->gateway_id_len) != 0)
		return false;
	// Under whatever ID Context it is by now.
	if (b->rederive != DEVICE_REDERIVE_NONE)
		return memcmp(a->secret_hash, b->secret_hash, STORE_HASH_LEN) == 0;
	return memcmp(a->sender_hash, b->sender_hash, STORE_HASH_LEN) == 0 &&
		memcmp(a->recipient_hash, b->recipient_hash, STORE_HASH_LEN) == 0;
}

// What a device is to be, if anything is said, is what it is.
static int policy_check(
	const struct store_row *row, const struct store_row *there, struct error *error)
{
	if (row->recovery_said && row->recovery != there->recovery)
		return error_set(error, -EEXIST,
			"device %s is there with these keys and recovery: %s; remove it first",
			there->name, device_recovery_words[there->recovery]);
	if (row->own_piv_said && row->own_piv != there->own_piv)
		return error_set(error, -EEXIST,
			"device %s is there with these keys and own_piv: %s; remove it first",
			there->name, device_own_piv_words[there->own_piv]);
	if (row->rederive_said && row->rederive != there->rederive)
		return error_set(error, -EEXIST,
			"device %s is there with these keys and rederive: %s; remove it first",
			there->name, device_rederive_words[there->rederive]);
	return 0;
}

// Gives the device that is there the settings that are said of it. They have a statement of their
// own: what is raised while an import writes them to a copy (shadow.c) must not overwrite them
// there.
static int settings_change(struct store *store, struct store_row *row, struct store_row *there,
	bool replace, enum device_outcome *outcome, struct error *error)
{
	const struct device_attribute *changed =
		device_settings_change(&there->settings, &row->settings);

	*outcome = DEVICE_UNCHANGED;
	if (changed == NULL)
		return 0;
	if (!replace)
		return error_set(error, -EEXIST,
			"device %s is there with these keys and other settings (%s); replace "
			"changes them",
			there->name, changed->name);
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_SETTINGS);

	there->line = row->line;
	there->changed = true;
	*row = *there;
	*outcome = DEVICE_CHANGED;
	int id = settings_bind(statement, 1, &row->settings);
	sqlite3_bind_int64(statement, id, row->id);
	return store_exec(store, statement, error);
}

// What is not said of a device is as it was before.
void row_inherit(struct store_row *row, const struct store_row *before)
{
	struct device_settings settings = before->settings;

	device_settings_change(&settings, &row->settings);
	row->settings = settings;
	if (row->credential_len > 0)
		return;
	if (!row->recovery_said)
		row->recovery = before->recovery;
	if (!row->own_piv_said)
		row->own_piv = before->own_piv;
	if (!row->rederive_said)
		row->rederive = before->rederive;
}

// A device that derives contexts has its device_id alone, whatever its ID Context is. -ENOENT
static int rederiving_find(struct store *store, const struct store_row *row,
	struct store_row *there, struct error *error)
{
	int code = row_find_by_kid(store, row, 0, there, error);

	return code == 0 && there->rederive == DEVICE_REDERIVE_NONE ? -ENOENT : code;
}

// (kid, none) and any kid context name a device that derives contexts, so its device_id is no
// other's.
static int kid_check(
	struct store *store, const struct store_row *row, uint64_t *other, struct error *error)
{
	struct store_row there;

	int code = row_find_by_kid(store, row, row->id, &there, error);
	if (code != 0)
		return code == -ENOENT ? 0 : code;
	if (row->rederive == DEVICE_REDERIVE_NONE && there.rederive == DEVICE_REDERIVE_NONE)
		return 0;
	*other = there.id;
	return error_set(error, -EEXIST,
		row->rederive != DEVICE_REDERIVE_NONE
			? "device %s has this device_id: with rederive: b2 no other may have it"
			: "device %s has this device_id and rederive: b2: no other may have it",
		there.name);
}

// Looks up who has the device_id and ID Context of the row: the same device, one that is to be
// replaced, or one that is in the way.
static int address_check(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct error *error)
{
	struct store_row there;

	*outcome = DEVICE_ADDED;
	int code = row_find_by_address(store, row, &there, error);
	if (code == -ENOENT && row->credential_len == 0)
		code = rederiving_find(store, row, &there, error);
	if (code != 0)
		return code == -ENOENT ? 0 : code;
	*other = there.id;
	if (row_same_keys(row, &there)) {
		if (row->named && strcmp(row->name, there.name) != 0)
			return error_set(error, -EEXIST, "this device is there with the name %s",
				there.name);
		code = policy_check(row, &there, error);
		return code != 0 ? code
				 : settings_change(store, row, &there, replace, outcome, error);
	}
	if (!replace)
		return error_set(error, -EEXIST, "device %s has this device_id%s, with other keys",
			there.name,
			there.rederive == DEVICE_REDERIVE_NONE ? " and ID Context"
							       : " and rederive: b2");
	*outcome = DEVICE_REPLACED;
	row->replaces = there.id;
	if (!row->named)
		memcpy(row->name, there.name, sizeof(row->name));
	row_inherit(row, &there);
	code = row_retire(store, &there, error);
	store->count -= code == 0;
	return code;
}

static int name_check(
	struct store *store, const struct store_row *row, uint64_t *other, struct error *error)
{
	struct store_row there;

	int code = row_find_by_name(store, row->name, &there, NULL);
	if (code == -ENOENT)
		return 0;
	if (code != 0)
		return error_set(error, code, "device %s is damaged in the store", row->name);
	*other = there.id;
	return error_set(error, -EEXIST, "another device has the name %s", row->name);
}

static bool sealed_alike(const struct store_row *a, const struct store_row *b)
{
	return a->run_base == b->run_base && a->recovery == b->recovery &&
		a->own_piv == b->own_piv && a->mark == b->mark && a->resync == b->resync &&
		a->rederive == b->rederive;
}

// Where the mark begins, once it is known what the device recovers by. A device with Echo has none,
// but one that its keys had stays with them.
static int mark_begin(struct store_row *row, struct error *error)
{
	int code = spec_floor_check(row, error);

	if (code != 0 || row->recovery != DEVICE_FLOOR)
		return code;
	uint64_t begin = row->never_used ? STORE_MARK_AHEAD : row->device_seq;

	if (row->mark < begin)
		row->mark = begin;
	return 0;
}

// A device with a credential has no keys.
static int keys_put(struct store *store, const struct store_row *row, struct error *error)
{
	int code = 0;

	if (row->credential_len > 0)
		return 0;
	if (row->rederive != DEVICE_REDERIVE_NONE)
		code = key_put(store, row->secret_hash, row->id, 0, 0, error);
	if (code == 0)
		code = key_put(store, row->sender_hash, row->id, 0, 0, error);
	return code != 0 ? code : key_put(store, row->recipient_hash, row->id, 0, 0, error);
}

static void credential_bind(sqlite3_stmt *statement, const struct store_row *row)
{
	if (row->credential_len > 0)
		sqlite3_bind_blob(
			statement, 19, row->credential, row->credential_len, SQLITE_STATIC);
	if (row->kid_len > 0)
		sqlite3_bind_blob(statement, 20, row->kid, row->kid_len, SQLITE_STATIC);
}

static int row_insert(struct store *store, const struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_INSERT);
	int place_len;
	const uint8_t *place = row_place(row, &place_len);

	assert(row->id != 0 && row->id < store->next_id && row->run_base <= STORE_RUN_MAX);
	assert(row->keys_len > SEAL_OVERHEAD && row->secret_len > SEAL_OVERHEAD);
	sqlite3_bind_int64(statement, 1, row->id);
	sqlite3_bind_text(statement, 2, row->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 3, place, place_len, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 4, row->gateway_id, row->gateway_id_len, SQLITE_STATIC);
	if (row->has_id_context)
		sqlite3_bind_blob(
			statement, 5, row->id_context, row->id_context_len, SQLITE_STATIC);
	sqlite3_bind_int(statement, 6, aead_algs[row->alg].cose);
	sqlite3_bind_blob(statement, 7, row->keys, row->keys_len, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 8, row->secret, row->secret_len, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 9, row->sender_hash, STORE_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 10, row->recipient_hash, STORE_HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 11, row->run_base);
	sqlite3_bind_int64(statement, 12, row->created);
	sqlite3_bind_int(statement, 13, row->recovery);
	sqlite3_bind_int(statement, 14, row->own_piv);
	sqlite3_bind_int64(statement, 15, row->mark);
	sqlite3_bind_int(statement, 16, row->resync);
	sqlite3_bind_int(statement, 17, row->rederive);
	if (row->rederive != DEVICE_REDERIVE_NONE)
		sqlite3_bind_blob(statement, 18, row->secret_hash, STORE_HASH_LEN, SQLITE_STATIC);
	credential_bind(statement, row);
	settings_bind(statement, 21, &row->settings);
	int code = store_exec(store, statement, error);
	return code != 0 ? code : keys_put(store, row, error);
}

// What the keys of a new device must not be or have been, and where its mark begins.
static int keys_check(
	struct store *store, struct store_row *row, uint64_t *other, struct error *error)
{
	int code = kid_check(store, row, other, error);

	if (code == 0)
		code = spec_rederive_check(row, error);
	if (code == 0)
		code = key_check(store, row->secret_hash, row, other, error);
	if (code == 0)
		code = key_check(store, row->sender_hash, row, other, error);
	if (code == 0)
		code = key_check(store, row->recipient_hash, row, other, error);
	return code != 0 ? code : mark_begin(row, error);
}

// A kid in a message names all credentials that have it, of which so many are tried.
static int credential_check(struct store *store, const struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_KIDS_COUNT);
	int code = 0;

	if (statement == NULL)
		return store_sql_fail(store, error);
	if (row->kid_len == 0)
		return 0;
	sqlite3_bind_blob(statement, 1, row->kid, row->kid_len, SQLITE_STATIC);
	if (sqlite3_step(statement) != SQLITE_ROW)
		code = store_sql_fail(store, error);
	else if (sqlite3_column_int64(statement, 0) >= KID_CREDENTIALS_MAX)
		code = error_set(error, -EEXIST,
			"%d devices have credentials with this kid, the most that are tried: it "
			"needs another kid",
			KID_CREDENTIALS_MAX);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

int row_apply(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct error *error)
{
	const struct store_row sealed = *row;

	*other = 0;
	int code = address_check(store, row, replace, outcome, other, error);
	if (code != 0 || *outcome == DEVICE_UNCHANGED || *outcome == DEVICE_CHANGED)
		return code;
	*other = 0;
	code = name_check(store, row, other, error);
	if (code == 0)
		code = row->credential_len > 0 ? credential_check(store, row, error)
					       : keys_check(store, row, other, error);
	if (code != 0)
		return code;
	if (row->own_piv == DEVICE_OWN_PIV_CLOCK && row->gateway_seq > key_clock_first())
		return error_set(error, -ERANGE,
			"gateway_seq: the clock has yet to come to it: own_piv: always, or new "
			"keys");
	if (row->run_base + store_current_run(store) > STORE_RUN_MAX)
		return error_set(error, -ERANGE,
			"its keys have used up their own Partial IVs: new keys are due");
	if (store->max_devices != 0 && store->count >= store->max_devices)
		return error_set(error, -EDQUOT, "there are %" PRIu64 " devices, the most allowed",
			store->count);
	if (!sealed_alike(row, &sealed) && row_reseal(store, row, &sealed) != 0)
		return error_set(error, -EBADMSG, "the keys cannot be sealed again");
	code = row_insert(store, row, error);
	store->count += code == 0;
	return code;
}
