// SPDX-License-Identifier: BSD-3-Clause
// Rows of the table of devices.

#ifndef POSTERN_GW_STORE_ROW_H
#define POSTERN_GW_STORE_ROW_H

#include "gw/store/hashes.h"
#include "gw/store/seal.h"
#include "gw/store/store.h"

// A row of the table of devices, and what an import stages: nothing in it is secret.
struct store_row {
	uint64_t id, replaces;
	uint64_t line; // of an import
	char name[DEVICE_NAME_MAX + 1];
	bool named; // by the operator, not by us
	bool never_used;
	bool has_id_context;
	enum aead_alg alg;
	uint8_t device_id_len, gateway_id_len, id_context_len, keys_len, secret_len;
	uint8_t device_id[OSC_KID_LEN_MAX];
	uint8_t gateway_id[OSC_KID_LEN_MAX];
	uint8_t id_context[OSC_ID_CONTEXT_LEN_MAX];
	uint8_t sender_hash[STORE_HASH_LEN];
	uint8_t recipient_hash[STORE_HASH_LEN];
	uint8_t secret_hash[STORE_HASH_LEN];
	uint8_t keys[SEAL_KEYS_MAX]; // sealed, bound to all above and to run_base .. rederived
	// Sealed, bound to ids and algorithm, and of DEVICE_REDERIVE_NONE to the ID Context; of
	// those it is not read back with a row.
	uint8_t secret[SEAL_SECRET_MAX];
	uint32_t run_base;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	uint64_t mark; // also of a device with Echo, if its keys had one before
	bool resync;
	enum device_rederive rederive;
	uint32_t rederived;
	int64_t rederived_at;
	struct device_settings settings;
	int64_t created;
	// Of a row that is to be applied, see struct device_spec:
	bool recovery_said, own_piv_said, rederive_said, has_device_seq;
	uint64_t device_seq, gateway_seq;
	bool changed; // it was applied, and is one that was there: with other settings
	// Of a device with a credential, which has no keys: what is sealed in their place is 0, and
	// bound to the digest. 0: it has keys.
	uint16_t credential_len;
	uint8_t kid_len; // struct device_credential
	uint8_t kid[DEVICE_KID_MAX];
	uint8_t digest[DEVICE_DIGEST_LEN];
	uint8_t credential[DEVICE_CREDENTIAL_MAX];
};

// What the table has in the column device_id, *len bytes: of a device with a credential its digest,
// which is longer than any kid.
static inline const uint8_t *row_place(const struct store_row *row, int *len)
{
	*len = row->credential_len > 0 ? DEVICE_DIGEST_LEN : row->device_id_len;
	return row->credential_len > 0 ? row->digest : row->device_id;
}

// Reads a row of STORE_DEVICE_SELECT. -EBADMSG if it cannot have been written by us.
int row_read(struct store_row *row, sqlite3_stmt *statement) __attribute__((warn_unused_result));
// -ENOENT
int row_find_by_id(struct store *store, uint64_t id, struct store_row *row, struct error *error)
	__attribute__((warn_unused_result));
int row_find_by_name(struct store *store, const char *name, struct store_row *row,
	struct error *error) __attribute__((warn_unused_result));
// The row with the device_id and ID Context of `like`. -ENOENT, without text.
int row_find_by_address(struct store *store, const struct store_row *like, struct store_row *row,
	struct error *error) __attribute__((warn_unused_result));
// The row with this device_id that is not `but`: the only one, if it is DEVICE_REDERIVE_B2.
// -ENOENT, without text.
int row_find_by_kid(struct store *store, const struct store_row *like, uint64_t but,
	struct store_row *row, struct error *error) __attribute__((warn_unused_result));
// -EBADMSG if the keys cannot be opened.
int row_to_device(const struct store *store, const struct store_row *row,
	struct device_keyed *device) __attribute__((warn_unused_result));
void row_to_info(const struct store *store, const struct store_row *row, struct device_info *info);
// Seals the keys of a row again after its base, mark, policies or resync changed, and its secret if
// `rederive` did. `sealed` is the row before the change. -EBADMSG if its keys do not open.
int row_reseal(struct store *store, struct store_row *row, const struct store_row *sealed)
	__attribute__((warn_unused_result));
// Within a transaction: writes run_base, mark, resync and keys of a row that was sealed again.
int row_write_state(struct store *store, const struct store_row *row, struct error *error)
	__attribute__((warn_unused_result));
// -EAGAIN while a copy of the database is made (shadow.c): then no device may be added or removed.
int rows_free(const struct store *store, struct error *error) __attribute__((warn_unused_result));

#endif
