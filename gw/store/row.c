// SPDX-License-Identifier: BSD-3-Clause
// Rows of the table of devices. What is read from the disk is checked before it is used.

#include "gw/store/row.h"

#include "gw/device/credential.h"
#include "gw/store/changed.h"
#include "gw/store/hashes.h"
#include "gw/store/seal.h"
#include "gw/store/settings.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define COLUMN_CREDENTIAL 20 // of STORE_DEVICE_COLUMNS; then the kid, then the settings

// A blob of at most room bytes; false if it is longer.
static bool column_blob(sqlite3_stmt *statement, int column, void *to, size_t room, uint8_t *len)
{
	const void *blob = sqlite3_column_blob(statement, column);
	size_t n = sqlite3_column_bytes(statement, column);

	if (n > room)
		return false;
	if (n > 0)
		memcpy(to, blob, n);
	*len = n;
	return true;
}

static bool column_hash(sqlite3_stmt *statement, int column, uint8_t hash[STORE_HASH_LEN])
{
	uint8_t len;

	return column_blob(statement, column, hash, STORE_HASH_LEN, &len) && len == STORE_HASH_LEN;
}

// What a device that derives contexts has, in columns from 15 on; of others all is 0.
static bool rederive_read(struct store_row *row, sqlite3_stmt *statement)
{
	int64_t rederive = sqlite3_column_int64(statement, 15);
	int64_t rederived = sqlite3_column_int64(statement, 16);

	if (rederive < DEVICE_REDERIVE_NONE || rederive > DEVICE_REDERIVE_B2 || rederived < 0 ||
		rederived > UINT32_MAX)
		return false;
	row->rederive = rederive;
	row->rederived = rederived;
	row->rederived_at = sqlite3_column_int64(statement, 17);
	return rederive == DEVICE_REDERIVE_NONE ||
		(column_hash(statement, 18, row->secret_hash) &&
			column_blob(statement, 19, row->secret, SEAL_SECRET_MAX, &row->secret_len));
}

// The device_id, or what a device with a credential has in its place and in the column
// `credential`.
static bool place_read(struct store_row *row, sqlite3_stmt *statement)
{
	const size_t len = sqlite3_column_bytes(statement, COLUMN_CREDENTIAL);
	uint8_t digest_len;

	if (sqlite3_column_type(statement, COLUMN_CREDENTIAL) == SQLITE_NULL)
		return column_blob(
			statement, 2, row->device_id, OSC_KID_LEN_MAX, &row->device_id_len);
	if (len == 0 || len > DEVICE_CREDENTIAL_MAX ||
		!column_blob(statement, 2, row->digest, DEVICE_DIGEST_LEN, &digest_len) ||
		digest_len != DEVICE_DIGEST_LEN)
		return false;
	row->credential_len = len;
	memcpy(row->credential, sqlite3_column_blob(statement, COLUMN_CREDENTIAL), len);
	return column_blob(
		statement, COLUMN_CREDENTIAL + 1, row->kid, DEVICE_KID_MAX, &row->kid_len);
}

int row_read(struct store_row *row, sqlite3_stmt *statement)
{
	memset(row, 0, sizeof(*row));
	row->id = sqlite3_column_int64(statement, 0);
	const char *name = (const char *)sqlite3_column_text(statement, 1);
	if (name == NULL || !device_name_valid(name))
		return -EBADMSG;
	memcpy(row->name, name, strlen(name) + 1);
	row->has_id_context = sqlite3_column_type(statement, 4) != SQLITE_NULL;
	int64_t run_base = sqlite3_column_int64(statement, 9);
	int64_t recovery = sqlite3_column_int64(statement, 11);
	int64_t own_piv = sqlite3_column_int64(statement, 12);
	bool good = place_read(row, statement) &&
		column_blob(statement, 3, row->gateway_id, OSC_KID_LEN_MAX, &row->gateway_id_len) &&
		column_blob(statement, 4, row->id_context, OSC_ID_CONTEXT_LEN_MAX,
			&row->id_context_len) &&
		aead_alg_from_cose(sqlite3_column_int(statement, 5), &row->alg) == 0 &&
		column_blob(statement, 6, row->keys, SEAL_KEYS_MAX, &row->keys_len) &&
		column_hash(statement, 7, row->sender_hash) &&
		column_hash(statement, 8, row->recipient_hash) && run_base >= 0 &&
		run_base <= STORE_RUN_MAX && recovery >= DEVICE_ECHO && recovery <= DEVICE_B2 &&
		own_piv >= DEVICE_OWN_PIV_AUTO && own_piv <= DEVICE_OWN_PIV_CLOCK &&
		rederive_read(row, statement) &&
		settings_read(statement, COLUMN_CREDENTIAL + 2, &row->settings);
	row->run_base = run_base;
	row->recovery = recovery;
	row->own_piv = own_piv;
	row->mark = sqlite3_column_int64(statement, 13);
	row->resync = sqlite3_column_int64(statement, 14) != 0;
	row->created = sqlite3_column_int64(statement, 10);
	return good ? 0 : -EBADMSG;
}

// Steps a statement that gives one row or none, and resets it. -ENOENT if none.
static int row_find(
	struct store *store, sqlite3_stmt *statement, struct store_row *row, struct error *error)
{
	int code;

	if (statement == NULL)
		return store_sql_fail(store, error);
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		code = row_read(row, statement);
		if (code != 0)
			error_set(error, code, "device number %" PRIu64 " is damaged in the store",
				row->id);
		break;
	case SQLITE_DONE:
		code = -ENOENT;
		break;
	default:
		code = store_sql_fail(store, error);
		break;
	}
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return code;
}

int row_find_by_id(struct store *store, uint64_t id, struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_ID);

	sqlite3_bind_int64(statement, 1, id);
	int code = row_find(store, statement, row, error);
	return code == -ENOENT ? error_set(error, code, "no device has the number %" PRIu64, id)
			       : code;
}

int row_find_by_name(
	struct store *store, const char *name, struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_NAME);

	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	int code = row_find(store, statement, row, error);
	return code == -ENOENT ? error_set(error, code, "no device has the name %s", name) : code;
}

int row_find_by_address(struct store *store, const struct store_row *like, struct store_row *row,
	struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_ADDRESS);
	int len;
	const uint8_t *place = row_place(like, &len);

	sqlite3_bind_blob(statement, 1, place, len, SQLITE_STATIC);
	if (like->has_id_context)
		sqlite3_bind_blob(
			statement, 2, like->id_context, like->id_context_len, SQLITE_STATIC);
	else
		sqlite3_bind_int(statement, 2, 0);
	return row_find(store, statement, row, error);
}

int row_find_by_kid(struct store *store, const struct store_row *like, uint64_t but,
	struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_KID);

	sqlite3_bind_blob(statement, 1, like->device_id, like->device_id_len, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, but);
	return row_find(store, statement, row, error);
}

static int secret_reseal(struct store *store, struct store_row *row, const struct store_row *sealed)
{
	struct osc_params params = {0};
	int code = seal_open_secret(store, sealed, &params);

	if (code == 0)
		seal_secret(store, row, &params);
	sodium_memzero(&params, sizeof(params));
	return code;
}

int row_reseal(struct store *store, struct store_row *row, const struct store_row *sealed)
{
	struct osc_keys keys;

	int code = seal_open_keys(store, sealed, &keys);
	if (code != 0)
		return code;
	seal_keys(store, row, &keys);
	sodium_memzero(&keys, sizeof(keys));
	return row->rederive == sealed->rederive ? 0 : secret_reseal(store, row, sealed);
}

int row_write_state(struct store *store, const struct store_row *row, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_STATE);

	assert(row->id != 0 && row->run_base <= STORE_RUN_MAX);
	assert(row->keys_len > SEAL_OVERHEAD);
	sqlite3_bind_int64(statement, 1, row->id);
	sqlite3_bind_int64(statement, 2, row->run_base);
	sqlite3_bind_int64(statement, 3, row->mark);
	sqlite3_bind_int64(statement, 4, row->resync);
	sqlite3_bind_blob(statement, 5, row->keys, row->keys_len, SQLITE_TRANSIENT);
	if (store->changed != NULL)
		changed_add(store->changed, row->id);
	return store_exec(store, statement, error);
}

int rows_free(const struct store *store, struct error *error)
{
	return store->changed == NULL
		? 0
		: error_set(error, -EAGAIN, "an import is being written: try again after it");
}

_Static_assert(DEVICE_SEALED_MAX == SEAL_SECRET_MAX, "the same bytes");

// Whether a row has the credential that its seal is bound to.
static bool credential_is_own(const struct store_row *row)
{
	uint8_t digest[DEVICE_DIGEST_LEN];

	return row->credential_len == 0 ||
		(device_credential_digest(row->credential, row->credential_len, digest) &&
			memcmp(digest, row->digest, sizeof(digest)) == 0);
}

static void rederive_to_device(const struct store_row *row, struct device_keyed *device)
{
	device->rederive = row->rederive;
	device->rederived = row->rederived;
	if (row->rederive == DEVICE_REDERIVE_NONE)
		return;
	device->sealed_len = row->secret_len;
	memcpy(device->sealed, row->secret, row->secret_len);
}

int row_to_device(
	const struct store *store, const struct store_row *row, struct device_keyed *device)
{
	memset(device, 0, sizeof(*device));
	int code = credential_is_own(row) ? seal_open_keys(store, row, &device->keys) : -EBADMSG;
	if (code != 0)
		return code;
	device->id = row->id;
	device->replaces = row->replaces;
	device->changed = row->changed;
	memcpy(device->name, row->name, sizeof(device->name));
	device->alg = row->alg;
	device->has_id_context = row->has_id_context;
	// An open window in which nothing was seen.
	device->window_known = row->never_used;
	device->device_id_len = row->device_id_len;
	device->gateway_id_len = row->gateway_id_len;
	device->id_context_len = row->id_context_len;
	memcpy(device->device_id, row->device_id, row->device_id_len);
	memcpy(device->gateway_id, row->gateway_id, row->gateway_id_len);
	memcpy(device->id_context, row->id_context, row->id_context_len);
	device->run_base = row->run_base;
	device->recovery = row->recovery;
	device->own_piv = row->own_piv;
	rederive_to_device(row, device);
	device->credential_len = row->credential_len;
	device->kid_len = row->kid_len;
	memcpy(device->kid, row->kid, row->kid_len);
	memcpy(device->credential, row->credential, row->credential_len);
	device->settings = row->settings;
	device->mark = row->recovery == DEVICE_FLOOR ? row->mark : 0;
	device->resync_needed = row->resync;
	device->fingerprint = store_fingerprint(store, row, &device->keys);
	return 0;
}

// A credential that does not read any more has no time.
static void credential_to_info(const struct store_row *row, struct device_info *info)
{
	struct device_credential credential;

	if (row->credential_len == 0)
		return;
	const bool x509 = device_credential_is_x509(row->credential);

	memcpy(info->credential, x509 ? "x509" : "ccs", x509 ? 5 : 4);
	info->kid_len = row->kid_len;
	memcpy(info->kid, row->kid, row->kid_len);
	memcpy(info->digest, row->digest, sizeof(info->digest));
	if (device_credential_check(row->credential, row->credential_len, &credential, NULL) == 0)
		info->expires = credential.expires;
}

void row_to_info(const struct store *store, const struct store_row *row, struct device_info *info)
{
	struct osc_keys keys;

	memset(info, 0, sizeof(*info));
	info->id = row->id;
	memcpy(info->name, row->name, sizeof(info->name));
	info->alg = row->alg;
	info->has_id_context = row->has_id_context;
	info->device_id_len = row->device_id_len;
	info->gateway_id_len = row->gateway_id_len;
	info->id_context_len = row->id_context_len;
	memcpy(info->device_id, row->device_id, row->device_id_len);
	memcpy(info->gateway_id, row->gateway_id, row->gateway_id_len);
	memcpy(info->id_context, row->id_context, row->id_context_len);
	info->run_base = row->run_base;
	info->recovery = row->recovery;
	info->own_piv = row->own_piv;
	info->rederive = row->rederive;
	info->rederived = row->rederived;
	info->rederived_at = row->rederived_at;
	info->settings = row->settings;
	credential_to_info(row, info);
	info->mark = row->recovery == DEVICE_FLOOR ? row->mark : 0;
	info->resync_needed = row->resync;
	info->created = row->created;
	info->damaged = !credential_is_own(row) || seal_open_keys(store, row, &keys) != 0;
	if (!info->damaged)
		info->fingerprint = store_fingerprint(store, row, &keys);
	sodium_memzero(&keys, sizeof(keys));
}
