// SPDX-License-Identifier: BSD-3-Clause
// One device: the checks of a new one for itself and against all others, its row, its end.

#include "dataplane/oscore/own_piv.h"
#include "gw/store/internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#define HEX_MAX (2 * OSC_ID_CONTEXT_LEN_MAX + 1)

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
	int64_t max_message = sqlite3_column_int64(statement, 15);
	int64_t max_in_flight = sqlite3_column_int64(statement, 16);
	bool good =
		column_blob(statement, 2, row->device_id, OSC_KID_LEN_MAX, &row->device_id_len) &&
		column_blob(statement, 3, row->gateway_id, OSC_KID_LEN_MAX, &row->gateway_id_len) &&
		column_blob(statement, 4, row->id_context, OSC_ID_CONTEXT_LEN_MAX,
			&row->id_context_len) &&
		aead_alg_from_cose(sqlite3_column_int(statement, 5), &row->alg) == 0 &&
		column_blob(statement, 6, row->keys, SEAL_KEYS_MAX, &row->keys_len) &&
		column_hash(statement, 7, row->sender_hash) &&
		column_hash(statement, 8, row->recipient_hash) && run_base >= 0 &&
		run_base <= STORE_RUN_MAX && recovery >= DEVICE_ECHO && recovery <= DEVICE_FLOOR &&
		own_piv >= DEVICE_OWN_PIV_AUTO && own_piv <= DEVICE_OWN_PIV_CLOCK &&
		max_message >= 0 && max_message <= DEVICE_MESSAGE_MAX && max_in_flight >= 0 &&
		max_in_flight <= DEVICE_IN_FLIGHT_MAX;
	row->run_base = run_base;
	row->recovery = recovery;
	row->own_piv = own_piv;
	row->mark = sqlite3_column_int64(statement, 13);
	row->resync = sqlite3_column_int64(statement, 14) != 0;
	row->limits.max_message = max_message;
	row->limits.max_in_flight = max_in_flight;
	row->created = sqlite3_column_int64(statement, 10);
	return good ? 0 : -EBADMSG;
}

// Steps a statement that gives one row or none, and resets it. -ENOENT if none.
static int row_find(struct store *store, sqlite3_stmt *statement, struct store_row *row,
	struct store_error *error)
{
	int code;

	if (statement == NULL)
		return store_sql_fail(store, error);
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		code = row_read(row, statement);
		if (code != 0)
			store_fail(error, code, "device number %" PRIu64 " is damaged in the store",
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

int row_find_by_id(
	struct store *store, uint64_t id, struct store_row *row, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_ID);

	sqlite3_bind_int64(statement, 1, id);
	int code = row_find(store, statement, row, error);
	return code == -ENOENT ? store_fail(error, code, "no device has the number %" PRIu64, id)
			       : code;
}

int row_find_by_name(
	struct store *store, const char *name, struct store_row *row, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_NAME);

	sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
	int code = row_find(store, statement, row, error);
	return code == -ENOENT ? store_fail(error, code, "no device has the name %s", name) : code;
}

static int row_find_by_address(struct store *store, const struct store_row *like,
	struct store_row *row, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_BY_ADDRESS);

	sqlite3_bind_blob(statement, 1, like->device_id, like->device_id_len, SQLITE_STATIC);
	if (like->has_id_context)
		sqlite3_bind_blob(
			statement, 2, like->id_context, like->id_context_len, SQLITE_STATIC);
	else
		sqlite3_bind_int(statement, 2, 0);
	return row_find(store, statement, row, error);
}

// "empty" stands for an id of no bytes; it is no hex, so no other id has this name.
static int default_name(struct store_row *row, struct store_error *error)
{
	char name[2 * OSC_KID_LEN_MAX + 1 + HEX_MAX];
	char *to = name;

	if (row->device_id_len == 0)
		to = mempcpy(to, "empty", sizeof("empty") - 1);
	else
		to = sodium_bin2hex(to, HEX_MAX, row->device_id, row->device_id_len) +
			2 * row->device_id_len;
	if (row->has_id_context) {
		*to++ = '.';
		to = sodium_bin2hex(to, HEX_MAX, row->id_context, row->id_context_len) +
			2 * row->id_context_len;
	}
	*to = 0;
	if (strlen(name) > DEVICE_NAME_MAX)
		return store_fail(error, -EINVAL,
			"name: the ID Context is too long to make a name of it, give one");
	memcpy(row->name, name, to - name + 1);
	return 0;
}

static int spec_check(const struct device_spec *spec, struct store_error *error)
{
	const struct osc_params *params = &spec->params;
	unsigned id_max = osc_id_len_max(params->alg);

	if (spec->name[0] != 0 && !device_name_valid(spec->name))
		return store_fail(error, -EINVAL,
			"name: 1 to %d of A-Z a-z 0-9 . _ : - are allowed", DEVICE_NAME_MAX);
	if (params->secret_len == 0)
		return store_fail(error, -EINVAL, "master_secret: is empty");
	if (params->recipient_id_len > id_max)
		return store_fail(error, -EINVAL, "device_id: at most %u bytes with %s", id_max,
			aead_algs[params->alg].name);
	if (params->sender_id_len > id_max)
		return store_fail(error, -EINVAL, "gateway_id: at most %u bytes with %s", id_max,
			aead_algs[params->alg].name);
	if (params->recipient_id_len == params->sender_id_len &&
		memcmp(params->recipient_id, params->sender_id, params->sender_id_len) == 0)
		return store_fail(error, -EINVAL, "device_id and gateway_id are the same");
	if (spec->never_used && spec->has_gateway_seq)
		return store_fail(error, -EINVAL, "never_used and gateway_seq exclude each other");
	if (!spec->never_used && !spec->has_gateway_seq)
		return store_fail(error, -EINVAL,
			"where were the keys before? say never_used, or gateway_seq with the next "
			"sequence number of the gateway that had them");
	if (spec->has_gateway_seq &&
		(spec->gateway_seq >> STORE_COUNTER_BITS) + 1 > STORE_SEQ_BASE_MAX)
		return store_fail(error, -ERANGE,
			"gateway_seq: %" PRIu64
			" leaves too few sequence numbers: new keys are due",
			spec->gateway_seq);
	if (spec->has_device_seq && spec->never_used)
		return store_fail(error, -EINVAL, "never_used and device_seq exclude each other");
	if (spec->has_device_seq && spec->device_seq > DEVICE_SEQ_MAX)
		return store_fail(
			error, -EINVAL, "device_seq: no device has numbers beyond 2^40 - 1");
	if (spec->limits.max_message &&
		(spec->limits.max_message < DEVICE_MESSAGE_MIN ||
			spec->limits.max_message > DEVICE_MESSAGE_MAX))
		return store_fail(error, -EINVAL, "max_message: from %d to %d bytes",
			DEVICE_MESSAGE_MIN, DEVICE_MESSAGE_MAX);
	return 0;
}

// Where the mark of a device without Echo begins must be known; with Echo there is none.
static int floor_check(const struct store_row *row, struct store_error *error)
{
	if (row->recovery == DEVICE_FLOOR && !row->never_used && !row->has_device_seq)
		return store_fail(error, -EINVAL,
			"recovery is floor and the keys were used: device_seq must say the next "
			"sequence number of the device");
	if (row->recovery_said && row->recovery == DEVICE_ECHO && row->has_device_seq)
		return store_fail(error, -EINVAL, "device_seq is for recovery: floor");
	return 0;
}

int row_prepare(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct store_error *error)
{
	const struct osc_params *params = &spec->params;
	struct osc_keys keys;

	int code = spec_check(spec, error);
	if (code != 0)
		return code;
	code = osc_derive(&keys, params);
	if (code != 0)
		return store_fail(error, code, "no keys can be derived of these parameters");

	memset(row, 0, sizeof(*row));
	row->id = store->next_id++;
	row->named = spec->name[0] != 0;
	memcpy(row->name, spec->name, sizeof(row->name));
	row->never_used = spec->never_used;
	row->alg = params->alg;
	row->device_id_len = params->recipient_id_len;
	memcpy(row->device_id, params->recipient_id, params->recipient_id_len);
	row->gateway_id_len = params->sender_id_len;
	memcpy(row->gateway_id, params->sender_id, params->sender_id_len);
	row->has_id_context = params->has_id_context;
	if (row->has_id_context) {
		row->id_context_len = params->id_context_len;
		memcpy(row->id_context, params->id_context, params->id_context_len);
	}
	row->run_base = spec->has_gateway_seq ? (spec->gateway_seq >> STORE_COUNTER_BITS) + 1 : 0;
	row->gateway_seq = spec->has_gateway_seq ? spec->gateway_seq : 0;
	row->created = time(NULL);
	row->recovery_said = spec->has_recovery;
	row->own_piv_said = spec->has_own_piv;
	if (row->recovery_said)
		row->recovery = spec->recovery;
	if (row->own_piv_said)
		row->own_piv = spec->own_piv;
	row->limits = spec->limits;
	row->has_device_seq = spec->has_device_seq;
	row->device_seq = spec->device_seq;
	code = floor_check(row, error);
	if (code != 0) {
		sodium_memzero(&keys, sizeof(keys));
		return code;
	}
	store_key_hash(store, row->sender_hash, keys.sender_key, row->alg);
	store_key_hash(store, row->recipient_hash, keys.recipient_key, row->alg);
	seal_keys(store, row, &keys);
	seal_secret(store, row, params);
	sodium_memzero(&keys, sizeof(keys));
	return row->named ? 0 : default_name(row, error);
}

static int key_put(struct store *store, const uint8_t hash[STORE_HASH_LEN], uint64_t device,
	uint32_t run, uint64_t mark, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_KEY_PUT);

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

int row_retire(struct store *store, const struct store_row *row, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_DELETE);

	sqlite3_bind_int64(statement, 1, row->id);
	int code = store_exec(store, statement, error);
	if (code != 0)
		return code;
	// The data plane has the device for a while longer, and the run of this start may be
	// granted in that while.
	uint32_t run = store_current_run(store) + row->run_base;
	if (row->own_piv == DEVICE_OWN_PIV_CLOCK)
		run = STORE_RUN_CLOCK;
	// What may have been set back does not tell what the keys were used with.
	if (!row_opens(store, row))
		run = STORE_RUN_MAX + 1;
	code = key_put(store, row->sender_hash, 0, run, row->mark, error);
	return code != 0 ? code : key_put(store, row->recipient_hash, 0, run, row->mark, error);
}

// What is known of a key.
struct key_past {
	bool known;
	uint64_t device; // that has it; 0: a tombstone
	uint32_t run;    // of a tombstone: the highest that it was used with
	uint64_t mark;   // of a tombstone: no number from here on was accepted under it
};

static int key_find(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct key_past *past,
	struct store_error *error)
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
			code = store_fail(error, -EBADMSG,
				"what the store knew of these keys is damaged: it needs new keys");
	} else if (step != SQLITE_DONE) {
		code = store_sql_fail(store, error);
	}
	sqlite3_reset(statement);
	return code;
}

static int tombstone_raise(struct store *store, const uint8_t hash[STORE_HASH_LEN], uint32_t run,
	uint64_t mark, struct store_error *error)
{
	struct key_past past;

	int code = key_find(store, hash, &past, error);
	if (code != 0)
		return code;
	if (!past.known || past.device != 0)
		return store_fail(error, -EBADMSG, "keys that were retired are not known as such");
	return key_put(store, hash, 0, run > past.run ? run : past.run,
		mark > past.mark ? mark : past.mark, error);
}

int row_retire_again(struct store *store, const struct store_row *row, struct store_error *error)
{
	uint32_t run = store_current_run(store) + row->run_base;

	int code = tombstone_raise(store, row->sender_hash, run, row->mark, error);
	return code != 0 ? code
			 : tombstone_raise(store, row->recipient_hash, run, row->mark, error);
}

// The Partial IV from which the clock goes on with keys that were used before.
static uint64_t clock_first(void)
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
static int base_begin(const struct store *store, struct store_row *row, uint32_t past_run,
	struct store_error *error)
{
	uint32_t current = store_current_run(store);

	if (row->own_piv == DEVICE_OWN_PIV_CLOCK) {
		if (past_run != STORE_RUN_CLOCK &&
			((uint64_t)past_run + 1) << STORE_COUNTER_BITS > clock_first())
			return store_fail(error, -ERANGE,
				"its keys were used with Partial IVs that the clock has yet to "
				"come to: own_piv: always, or new keys");
		return 0;
	}
	if (past_run == STORE_RUN_CLOCK)
		past_run = clock_run(store);
	if (past_run >= current && row->run_base < past_run - current + 1)
		row->run_base = past_run - current + 1;
	return 0;
}

// Checks one derived key against all that are or were here, and raises row->run_base beyond what it
// was used with, and row->mark to what it had.
static int key_check(struct store *store, const uint8_t hash[STORE_HASH_LEN], struct store_row *row,
	uint64_t *other, struct store_error *error)
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
				 : store_fail(error, -ENOTUNIQ,
					   "its keys are those of device %s (ids, secret, salt and "
					   "ID Context give the same derived key)",
					   holder.name);
	}
	if (row->never_used)
		return store_fail(error, -EKEYREVOKED,
			"never_used, but its keys were in use here before: give gateway_seq or new "
			"keys");
	if (row->mark < past.mark)
		row->mark = past.mark;
	return base_begin(store, row, past.run, error);
}

bool row_same_keys(const struct store_row *a, const struct store_row *b)
{
	return a->alg == b->alg && a->gateway_id_len == b->gateway_id_len &&
		memcmp(a->gateway_id, b->gateway_id, a->gateway_id_len) == 0 &&
		memcmp(a->sender_hash, b->sender_hash, STORE_HASH_LEN) == 0 &&
		memcmp(a->recipient_hash, b->recipient_hash, STORE_HASH_LEN) == 0;
}

// What a device is to be, if anything is said, is what it is.
static int policy_check(
	const struct store_row *row, const struct store_row *there, struct store_error *error)
{
	if (row->recovery_said && row->recovery != there->recovery)
		return store_fail(error, -EEXIST,
			"device %s is there with these keys and recovery: %s; remove it first",
			there->name, device_recovery_name(there->recovery));
	if (row->own_piv_said && row->own_piv != there->own_piv)
		return store_fail(error, -EEXIST,
			"device %s is there with these keys and own_piv: %s; remove it first",
			there->name, device_own_piv_name(there->own_piv));
	return 0;
}

// Gives the device that is there the limits that are said of it. They have a statement of their
// own: what is raised while an import writes them to a copy (shadow.c) must not overwrite them
// there.
static int limits_change(struct store *store, struct store_row *row, struct store_row *there,
	bool replace, enum device_outcome *outcome, struct store_error *error)
{
	const struct device_limits said = row->limits;
	struct device_limits *limits = &there->limits;

	*outcome = DEVICE_UNCHANGED;
	if ((!said.max_message || said.max_message == limits->max_message) &&
		(!said.max_in_flight || said.max_in_flight == limits->max_in_flight))
		return 0;
	if (!replace)
		return store_fail(error, -EEXIST,
			"device %s is there with these keys and another max_message or "
			"max_in_flight; replace changes them",
			there->name);
	if (said.max_message)
		limits->max_message = said.max_message;
	if (said.max_in_flight)
		limits->max_in_flight = said.max_in_flight;
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_LIMITS);

	sqlite3_bind_int64(statement, 1, there->id);
	sqlite3_bind_int(statement, 2, limits->max_message);
	sqlite3_bind_int(statement, 3, limits->max_in_flight);
	there->line = row->line;
	there->changed = true;
	*row = *there;
	*outcome = DEVICE_CHANGED;
	return store_exec(store, statement, error);
}

// What is not said of a device is as it was before.
void row_inherit(struct store_row *row, const struct store_row *before)
{
	if (!row->recovery_said)
		row->recovery = before->recovery;
	if (!row->own_piv_said)
		row->own_piv = before->own_piv;
	if (!row->limits.max_message)
		row->limits.max_message = before->limits.max_message;
	if (!row->limits.max_in_flight)
		row->limits.max_in_flight = before->limits.max_in_flight;
}

// Whoever has the device_id and ID Context of the row: the same device, one that is to be replaced,
// or one that is in the way.
static int address_check(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct store_error *error)
{
	struct store_row there;

	*outcome = DEVICE_ADDED;
	int code = row_find_by_address(store, row, &there, error);
	if (code != 0)
		return code == -ENOENT ? 0 : code;
	*other = there.id;
	if (row_same_keys(row, &there)) {
		if (row->named && strcmp(row->name, there.name) != 0)
			return store_fail(error, -EEXIST, "this device is there with the name %s",
				there.name);
		code = policy_check(row, &there, error);
		return code != 0 ? code
				 : limits_change(store, row, &there, replace, outcome, error);
	}
	if (!replace)
		return store_fail(error, -EEXIST,
			"device %s has this device_id and ID Context, with other keys", there.name);
	*outcome = DEVICE_REPLACED;
	row->replaces = there.id;
	if (!row->named)
		memcpy(row->name, there.name, sizeof(row->name));
	row_inherit(row, &there);
	code = row_retire(store, &there, error);
	store->count -= code == 0;
	return code;
}

static int name_check(struct store *store, const struct store_row *row, uint64_t *other,
	struct store_error *error)
{
	struct store_row there;

	int code = row_find_by_name(store, row->name, &there, NULL);
	if (code == -ENOENT)
		return 0;
	if (code != 0)
		return store_fail(error, code, "device %s is damaged in the store", row->name);
	*other = there.id;
	return store_fail(error, -EEXIST, "another device has the name %s", row->name);
}

int row_reseal(struct store *store, struct store_row *row, const struct store_row *sealed)
{
	struct osc_keys keys;

	int code = seal_open_keys(store, sealed, &keys);
	if (code != 0)
		return code;
	seal_keys(store, row, &keys);
	sodium_memzero(&keys, sizeof(keys));
	return 0;
}

static bool sealed_alike(const struct store_row *a, const struct store_row *b)
{
	return a->run_base == b->run_base && a->recovery == b->recovery &&
		a->own_piv == b->own_piv && a->mark == b->mark && a->resync == b->resync;
}

// Where the mark begins, once it is known what the device recovers by. A device with Echo has none,
// but one that its keys had stays with them.
static int mark_begin(struct store_row *row, struct store_error *error)
{
	int code = floor_check(row, error);

	if (code != 0 || row->recovery != DEVICE_FLOOR)
		return code;
	uint64_t begin = row->never_used ? STORE_MARK_AHEAD : row->device_seq;

	if (row->mark < begin)
		row->mark = begin;
	return 0;
}

int row_write_state(struct store *store, const struct store_row *row, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_STATE);

	sqlite3_bind_int64(statement, 1, row->id);
	sqlite3_bind_int64(statement, 2, row->run_base);
	sqlite3_bind_int64(statement, 3, row->mark);
	sqlite3_bind_int64(statement, 4, row->resync);
	sqlite3_bind_blob(statement, 5, row->keys, row->keys_len, SQLITE_TRANSIENT);
	if (store->shadow != NULL)
		shadow_changed(store->shadow, row->id);
	return store_exec(store, statement, error);
}

int rows_free(const struct store *store, struct store_error *error)
{
	return store->shadow == NULL
		? 0
		: store_fail(error, -EAGAIN, "an import is being written: try again after it");
}

static int row_insert(struct store *store, const struct store_row *row, struct store_error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_DEVICE_INSERT);

	sqlite3_bind_int64(statement, 1, row->id);
	sqlite3_bind_text(statement, 2, row->name, -1, SQLITE_STATIC);
	sqlite3_bind_blob(statement, 3, row->device_id, row->device_id_len, SQLITE_STATIC);
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
	sqlite3_bind_int(statement, 17, row->limits.max_message);
	sqlite3_bind_int(statement, 18, row->limits.max_in_flight);
	int code = store_exec(store, statement, error);
	if (code == 0)
		code = key_put(store, row->sender_hash, row->id, 0, 0, error);
	return code != 0 ? code : key_put(store, row->recipient_hash, row->id, 0, 0, error);
}

int row_apply(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct store_error *error)
{
	const struct store_row sealed = *row;

	*other = 0;
	int code = address_check(store, row, replace, outcome, other, error);
	if (code != 0 || *outcome == DEVICE_UNCHANGED || *outcome == DEVICE_CHANGED)
		return code;
	*other = 0;
	code = name_check(store, row, other, error);
	if (code == 0)
		code = key_check(store, row->sender_hash, row, other, error);
	if (code == 0)
		code = key_check(store, row->recipient_hash, row, other, error);
	if (code == 0)
		code = mark_begin(row, error);
	if (code != 0)
		return code;
	if (row->own_piv == DEVICE_OWN_PIV_CLOCK && row->gateway_seq > clock_first())
		return store_fail(error, -ERANGE,
			"gateway_seq: the clock has yet to come to it: own_piv: always, or new "
			"keys");
	if (row->run_base + store_current_run(store) > STORE_RUN_MAX)
		return store_fail(error, -ERANGE,
			"its keys have used up their own Partial IVs: new keys are due");
	if (store->max_devices != 0 && store->count >= store->max_devices)
		return store_fail(error, -EDQUOT, "there are %" PRIu64 " devices, the most allowed",
			store->count);
	if (!sealed_alike(row, &sealed) && row_reseal(store, row, &sealed) != 0)
		return store_fail(error, -EBADMSG, "the keys cannot be sealed again");
	code = row_insert(store, row, error);
	store->count += code == 0;
	return code;
}

int row_to_device(
	const struct store *store, const struct store_row *row, struct device_keyed *device)
{
	memset(device, 0, sizeof(*device));
	int code = seal_open_keys(store, row, &device->keys);
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
	device->limits = row->limits;
	device->mark = row->recovery == DEVICE_FLOOR ? row->mark : 0;
	device->resync_needed = row->resync;
	device->fingerprint = store_fingerprint(store, row, &device->keys);
	return 0;
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
	info->limits = row->limits;
	info->mark = row->recovery == DEVICE_FLOOR ? row->mark : 0;
	info->resync_needed = row->resync;
	info->created = row->created;
	info->damaged = seal_open_keys(store, row, &keys) != 0;
	if (!info->damaged)
		info->fingerprint = store_fingerprint(store, row, &keys);
	sodium_memzero(&keys, sizeof(keys));
}
