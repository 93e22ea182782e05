// SPDX-License-Identifier: BSD-3-Clause
// The store's own key under another key-encryption key, in one transaction.

#include "gw/store/commit.h"
#include "gw/store/seal.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>

// Opens what is in the row, and seals it again.
static int reseal(const struct store *store, const struct kek *kek,
	uint8_t sealed[KEK_LEN + SEAL_OVERHEAD], struct error *error)
{
	sqlite3_stmt *statement = NULL;
	uint8_t *key = sodium_malloc(KEK_LEN);
	int code = 0;

	if (key == NULL)
		return error_set(error, -ENOMEM, "no memory");
	sqlite3_prepare_v2(store->db, "SELECT store_key FROM meta", -1, &statement, NULL);
	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW ||
		sqlite3_column_bytes(statement, 0) != KEK_LEN + SEAL_OVERHEAD)
		code = error_set(error, -EBADMSG, "the store is damaged: its own key");
	else if (kek_open(kek, key, sqlite3_column_blob(statement, 0)) != 0)
		code = error_set(error, -EKEYREJECTED,
			"neither of the keys is the key-encryption key of this store");
	else
		kek_seal(kek, sealed, key);
	sqlite3_finalize(statement);
	sodium_free(key);
	return code;
}

int store_rekey(struct store *store, const struct kek *kek, struct error *error)
{
	uint8_t sealed[KEK_LEN + SEAL_OVERHEAD];
	sqlite3_stmt *statement = NULL;

	int code = store_begin(store, error);
	if (code != 0)
		return code;
	code = reseal(store, kek, sealed, error);
	if (code == 0) {
		sqlite3_prepare_v2(
			store->db, "UPDATE meta SET store_key = ?1", -1, &statement, NULL);
		sqlite3_bind_blob(statement, 1, sealed, sizeof(sealed), SQLITE_STATIC);
		code = store_exec(store, statement, error);
		sqlite3_finalize(statement);
	}
	if (code != 0) {
		store_rollback(store);
		return code;
	}
	return store_commit(store, error);
}
