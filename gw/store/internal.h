// SPDX-License-Identifier: BSD-3-Clause
// What the files of the store share. Not for others.

#ifndef POSTERN_GW_STORE_INTERNAL_H
#define POSTERN_GW_STORE_INTERNAL_H

#include "gw/store/store.h"

#include <sodium.h>
#include <sqlite3.h>
#include <sys/types.h>

#define STORE_DB      "devices.db"
#define STORE_SHADOW  "devices.new"
#define STORE_MARK    "run.mark"
#define STORE_LOCK    "lock"
#define STORE_TOKEN   "run.token"
#define STORE_VERSION 6          // of the schema: PRAGMA user_version
#define STORE_APP_ID  0x5053544e // "PSTN": PRAGMA application_id

// Own Partial IVs of versions before this one were run (18 bits) || counter (22 bits).
#define STORE_VERSION_NARROW 5
#define STORE_WIDE_RUN       64 // runs of now in one of those
#define STORE_WIDE_RUN_MAX   ((UINT32_C(1) << 18) - 1)

// Rows of an import that are written to the database itself, in one transaction: with more it is
// written to a copy, see shadow.c.
#define STORE_DIRECT_ROWS 256

// Run of a tombstone whose device had its own Partial IVs from the clock.
#define STORE_RUN_CLOCK (STORE_RUN_MAX + 2)

#define STORE_HASH_LEN    16 // bytes of the keyed hash of a derived key
#define STORE_TOKEN_LEN   16
#define STORE_BOOT_ID_LEN 36
#define STORE_TAG_LEN     8 // bytes of the keyed hash over a kept window, tombstone or meta

#define SEAL_OVERHEAD \
	(crypto_aead_xchacha20poly1305_ietf_NPUBBYTES + crypto_aead_xchacha20poly1305_ietf_ABYTES)
#define SEAL_SECRET_MAX (SEAL_OVERHEAD + 2 + 2 * OSC_SECRET_LEN_MAX)
#define SEAL_KEYS_MAX   (SEAL_OVERHEAD + 2 * AEAD_KEY_MAX + AEAD_NONCE_MAX)

// Derived from the store's own key, which is sealed under the key-encryption key: so the hashes of
// retired keys outlive a change of the key-encryption key.
struct store_secrets {
	uint8_t seal[crypto_aead_xchacha20poly1305_ietf_KEYBYTES];
	uint8_t hash[crypto_generichash_KEYBYTES];
	uint8_t fingerprint[crypto_generichash_KEYBYTES];
	uint8_t window[crypto_generichash_KEYBYTES];
	uint8_t machine[crypto_generichash_KEYBYTES];
	uint8_t state[crypto_generichash_KEYBYTES];
};

// Keyed hashes over what is in clear, so that rot on the disk is told from what we wrote; see
// store_functions().
#define STORE_TOMBSTONE_TAG "state_tag('tombstone', hash, run, mark)"
#define STORE_META_TAG      "state_tag('meta', machine, run, clock, copy, commits)"

#define STORE_STATEMENTS(X)                                                                        \
	X(BEGIN, "BEGIN IMMEDIATE")                                                                \
	X(COMMIT, "COMMIT")                                                                        \
	X(ROLLBACK, "ROLLBACK")                                                                    \
	X(DEVICE_INSERT,                                                                           \
		"INSERT INTO device (id, name, device_id, gateway_id, id_context,"                 \
		" algorithm, keys, secret, sender_hash, recipient_hash, run_base, created,"        \
		" recovery, own_piv, mark, resync, max_message, max_in_flight)"                    \
		" VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17,?18)")        \
	X(DEVICE_DELETE, "DELETE FROM device WHERE id = ?1")                                       \
	X(DEVICE_BY_ID, STORE_DEVICE_SELECT "WHERE id = ?1")                                       \
	X(DEVICE_BY_NAME, STORE_DEVICE_SELECT "WHERE name = ?1")                                   \
	X(DEVICE_BY_ADDRESS,                                                                       \
		STORE_DEVICE_SELECT "WHERE device_id = ?1 AND ifnull(id_context, 0) = ?2")         \
	X(DEVICE_PAGE, STORE_DEVICE_SELECT "WHERE name > ?1 ORDER BY name LIMIT ?2")               \
	X(DEVICE_LOAD,                                                                             \
		"SELECT d.id, name, device_id, gateway_id, id_context, algorithm, keys,"           \
		" sender_hash, recipient_hash, run_base, created, recovery, own_piv, mark,"        \
		" resync, max_message, max_in_flight, w.next, w.bits, w.tag"                       \
		" FROM device d LEFT JOIN window w ON w.device = d.id ORDER BY d.id")              \
	X(DEVICE_SECRET, "SELECT secret FROM device WHERE id = ?1")                                \
	X(DEVICE_STATE,                                                                            \
		"UPDATE device SET run_base = ?2, mark = ?3, resync = ?4, keys = ?5"               \
		" WHERE id = ?1")                                                                  \
	X(DEVICE_LIMITS, "UPDATE device SET max_message = ?2, max_in_flight = ?3 WHERE id = ?1")   \
	X(DEVICE_FROM, STORE_DEVICE_SELECT "WHERE id > ?1 ORDER BY id LIMIT ?2")                   \
	X(DEVICE_BASED, STORE_DEVICE_SELECT "WHERE id > ?1 AND run_base > 0 ORDER BY id LIMIT 1")  \
	X(DEVICE_FLOORS, STORE_DEVICE_SELECT "WHERE id > ?1 AND recovery = 1 ORDER BY id LIMIT 1") \
	X(CHECK_NAME, "SELECT id FROM device INDEXED BY device_name WHERE name = ?1")              \
	X(CHECK_ADDRESS,                                                                           \
		"SELECT id FROM device INDEXED BY device_address"                                  \
		" WHERE device_id = ?1 AND ifnull(id_context, 0) = ?2")                            \
	X(CHECK_DEVICE, "SELECT name, device_id, ifnull(id_context, 0) FROM device WHERE id = ?1") \
	X(CHECK_NAMES,                                                                             \
		"SELECT name, id FROM device INDEXED BY device_name WHERE name > ?1"               \
		" ORDER BY name")                                                                  \
	X(CHECK_NEIGHBOURS,                                                                        \
		"SELECT device_id, id FROM device INDEXED BY device_address"                       \
		" WHERE device_id = ?1 AND ifnull(id_context, 0) > ?2"                             \
		" ORDER BY ifnull(id_context, 0)")                                                 \
	X(CHECK_ADDRESSES,                                                                         \
		"SELECT device_id, id FROM device INDEXED BY device_address"                       \
		" WHERE device_id > ?1 ORDER BY device_id, ifnull(id_context, 0)")                 \
	X(CHECK_KEYS,                                                                              \
		"SELECT hash, device, device IS NOT NULL OR tag IS " STORE_TOMBSTONE_TAG           \
		" FROM used_key WHERE hash > ?1 ORDER BY hash")                                    \
	X(CHECK_WINDOWS, "SELECT device, tag FROM window WHERE device > ?1 ORDER BY device")       \
	X(KEY_FIND,                                                                                \
		"SELECT device, run, mark, device IS NOT NULL OR tag IS " STORE_TOMBSTONE_TAG      \
		" FROM used_key WHERE hash = ?1")                                                  \
	X(KEY_PUT,                                                                                 \
		"INSERT OR REPLACE INTO used_key (hash, device, run, mark, tag) VALUES (?1, ?2,"   \
		" ?3, ?4, CASE WHEN ?2 IS NULL THEN state_tag('tombstone', ?1, ?3, ?4) END)")      \
	X(META_AGAIN, "SELECT commits, run, hour, hour_runs FROM meta")                            \
	X(META_COMMIT,                                                                             \
		"UPDATE meta SET commits = ?1,"                                                    \
		" tag = state_tag('meta', machine, run, clock, copy, ?1)")                         \
	X(META_RUN, "UPDATE meta SET run = ?1, hour = ?2, hour_runs = ?3")                         \
	X(META_TOKEN, "UPDATE meta SET window_token = ?1, clock = ?2")                             \
	X(META_CLOCK, "UPDATE meta SET clock = ?1")                                                \
	X(WINDOW_CLEAR, "DELETE FROM window")                                                      \
	X(WINDOW_PUT,                                                                              \
		"INSERT OR REPLACE INTO window (device, next, bits, tag)"                          \
		" VALUES (?1, ?2, ?3, ?4)")

// Those that row_read() reads.
#define STORE_DEVICE_COLUMNS                                                         \
	"id, name, device_id, gateway_id, id_context, algorithm, keys, sender_hash," \
	" recipient_hash, run_base, created, recovery, own_piv, mark, resync,"       \
	" max_message, max_in_flight"
#define STORE_DEVICE_SELECT "SELECT " STORE_DEVICE_COLUMNS " FROM device "

#define STORE_STATEMENT_NAME(name, sql) SQL_##name,
enum store_statement { STORE_STATEMENTS(STORE_STATEMENT_NAME) SQL_COUNT };

struct store {
	sqlite3 *db;
	sqlite3_stmt *statement[SQL_COUNT]; // prepared at first use
	struct store_secrets *secrets;      // sodium_malloc()
	char *directory;
	int directory_fd, runtime_fd;
	int lock_fd;  // of STORE_LOCK, with an flock
	int claim_fd; // see store_claim()
	dev_t db_dev; // of the file that is open
	ino_t db_ino;
	bool opened;      // as a whole, by store_open()
	uint64_t next_id; // of a device
	uint64_t count, max_devices;
	uint64_t count_begun;  // count when the transaction began, for its rollback
	uint64_t direct_rows;  // STORE_DIRECT_ROWS
	struct shadow *shadow; // a copy that is to take the place of the database; NULL: none
	unsigned backups;      // under way

	uint32_t run_next; // as committed: all runs below may have been used
	uint32_t run;      // of this start, if granted
	bool granted;
	// A write, commit or sync failed: what is on the disk is not known before store_recover().
	// Then db may be NULL.
	bool broken;
	int broken_by;    // -errno, if it was a mark
	uint64_t commits; // transactions that ever were
	int64_t hour;     // Unix time at which the count of runs an hour began
	uint32_t hour_runs;

	int64_t clock;         // Unix time above which no own Partial IV is of, as committed
	int64_t clock_started; // the same, as this start found it
	bool copy;             // made by a backup: opens by adoption only

	bool started;
	char boot_id[STORE_BOOT_ID_LEN + 1];
	uint8_t token[STORE_TOKEN_LEN]; // of this start
};

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
	uint8_t keys[SEAL_KEYS_MAX];     // sealed, bound to all above and to run_base .. resync
	uint8_t secret[SEAL_SECRET_MAX]; // sealed, bound to all above; not read back with a row
	uint32_t run_base;
	enum device_recovery recovery;
	enum device_own_piv own_piv;
	uint64_t mark; // also of a device with Echo, if its keys had one before
	bool resync;
	struct device_limits limits;
	int64_t created;
	// Of a row that is to be applied, see struct device_spec:
	bool recovery_said, own_piv_said, has_device_seq;
	uint64_t device_seq, gateway_seq;
	bool changed; // it was applied, and is one that was there: with other limits
};

// sql.c
sqlite3_stmt *store_statement(struct store *store, enum store_statement which);
// Steps a statement that gives no row, and resets it.
int store_exec(struct store *store, sqlite3_stmt *statement, struct store_error *error)
	__attribute__((warn_unused_result));
int store_begin(struct store *store, struct store_error *error) __attribute__((warn_unused_result));
// If it fails, the transaction is not there, or, with the store broken, that is not known.
int store_commit(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// The same for a transaction that makes this the next run to be granted. With 0 and the store
// broken the transaction is there, but the marks are not.
int store_commit_run(struct store *store, uint32_t run_next, struct store_error *error)
	__attribute__((warn_unused_result));
void store_rollback(struct store *store);
// The last error of SQLite as -errno, with text.
int store_sql_fail(struct store *store, struct store_error *error);

// claim.c
// That nobody else in this network namespace has this store or a copy of it open. -EBUSY
int store_claim(struct store *store, struct store_error *error) __attribute__((warn_unused_result));

// open.c
// Opens the database of store->directory; db, db_dev and db_ino.
int database_open(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// That what meta says of where the store was used is what we wrote. -EBADMSG
int meta_verify(struct store *store, struct store_error *error) __attribute__((warn_unused_result));
// count and next_id.
int counters_read(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

// schema.c
// Within a transaction: makes the tables of a new database.
int schema_create(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// Within a transaction: makes the tables of an older version those of this one. Writes meta.run,
// but not store->run_next.
int schema_upgrade(struct store *store, int64_t version, struct store_error *error)
	__attribute__((warn_unused_result));

// file.c: small files, replaced as a whole and durably.
int file_replace(int directory_fd, const char *name, const void *data, size_t len)
	__attribute__((warn_unused_result));
// As root, by hand: gives a file to the owner of its directory, so that the service can have it
// afterwards. Nobody else gives anything away.
int file_give(int fd, int directory_fd) __attribute__((warn_unused_result));
// Returns the length, at most room, or -errno; -EFBIG if there is more.
ssize_t file_read(int directory_fd, const char *name, void *data, size_t room)
	__attribute__((warn_unused_result));
// Closes a file that has no name any more. The blocks of a large one are freed meanwhile by a
// thread of its own: that takes longer than others may have to wait.
void file_close_later(int fd);
// Makes the name of a file durable in its directory.
int file_name_sync(const char *path) __attribute__((warn_unused_result));

// kek.c: the store's own key. sealed[] is KEK_LEN + SEAL_OVERHEAD bytes.
void kek_seal(const struct kek *kek, uint8_t *sealed, const uint8_t key[KEK_LEN]);
// -EKEYREJECTED if it was sealed under another key.
int kek_open(const struct kek *kek, uint8_t key[KEK_LEN], const uint8_t *sealed)
	__attribute__((warn_unused_result));

// seal.c
// Seals len bytes into len + SEAL_OVERHEAD: nonce, ciphertext, tag.
void seal(uint8_t *sealed, const uint8_t *data, size_t len, const uint8_t *aad, size_t aad_len,
	const uint8_t *key);
// Opens sealed_len bytes into sealed_len - SEAL_OVERHEAD. -EBADMSG.
int seal_open(uint8_t *data, const uint8_t *sealed, size_t sealed_len, const uint8_t *aad,
	size_t aad_len, const uint8_t *key) __attribute__((warn_unused_result));
void store_secrets_derive(struct store_secrets *secrets, const uint8_t key[KEK_LEN]);
void seal_keys(const struct store *store, struct store_row *row, const struct osc_keys *keys);
// -EBADMSG if the row was changed by others than us.
int seal_open_keys(const struct store *store, const struct store_row *row, struct osc_keys *keys)
	__attribute__((warn_unused_result));
void seal_secret(const struct store *store, struct store_row *row, const struct osc_params *params);
int seal_open_secret(const struct store *store, const struct store_row *row,
	struct osc_params *params) __attribute__((warn_unused_result));
void store_key_hash(const struct store *store, uint8_t hash[STORE_HASH_LEN], const uint8_t *key,
	enum aead_alg alg);
uint64_t store_fingerprint(
	const struct store *store, const struct store_row *row, const struct osc_keys *keys);
// Gives a connection the function state_tag() of SQL: a keyed hash of all its arguments.
int store_functions(struct store *store, sqlite3 *db) __attribute__((warn_unused_result));
void store_window_tag(const struct store *store, uint8_t tag[STORE_TAG_LEN],
	const uint8_t token[STORE_TOKEN_LEN], const struct store_window *window);

// row.c
// Reads a row of STORE_DEVICE_SELECT. -EBADMSG if it cannot have been written by us.
int row_read(struct store_row *row, sqlite3_stmt *statement) __attribute__((warn_unused_result));
// -ENOENT
int row_find_by_id(struct store *store, uint64_t id, struct store_row *row,
	struct store_error *error) __attribute__((warn_unused_result));
int row_find_by_name(struct store *store, const char *name, struct store_row *row,
	struct store_error *error) __attribute__((warn_unused_result));
// -EBADMSG if the keys cannot be opened.
int row_to_device(const struct store *store, const struct store_row *row,
	struct device_keyed *device) __attribute__((warn_unused_result));
void row_to_info(const struct store *store, const struct store_row *row, struct device_info *info);
// Checks a spec for itself, and makes the sealed row of it.
int row_prepare(struct store *store, const struct device_spec *spec, struct store_row *row,
	struct store_error *error) __attribute__((warn_unused_result));
// Within a transaction, which must be rolled back if this fails: checks the row against all others
// and writes it. *other is the id of the device in the way, if there is one. With DEVICE_CHANGED
// the row becomes the one that was there, with its new limits.
int row_apply(struct store *store, struct store_row *row, bool replace,
	enum device_outcome *outcome, uint64_t *other, struct store_error *error)
	__attribute__((warn_unused_result));
// Seals the keys of a row again, which are sealed as those of `sealed`, for what has changed in it.
int row_reseal(struct store *store, struct store_row *row, const struct store_row *sealed)
	__attribute__((warn_unused_result));
// Within a transaction: writes run_base, mark and resync of a row that was sealed again.
int row_write_state(struct store *store, const struct store_row *row, struct store_error *error)
	__attribute__((warn_unused_result));
// What is not said of a row is as it was before.
void row_inherit(struct store_row *row, const struct store_row *before);
bool row_same_keys(const struct store_row *a, const struct store_row *b);
// Within a transaction: deletes the row, leaves tombstones.
int row_retire(struct store *store, const struct store_row *row, struct store_error *error)
	__attribute__((warn_unused_result));
// Within a transaction: the tombstones of a row that was retired as it was, and had its base or
// mark raised since.
int row_retire_again(struct store *store, const struct store_row *row, struct store_error *error)
	__attribute__((warn_unused_result));
// That no row of a device has to wait for a shadow. -EAGAIN
int rows_free(const struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

// spool.c: rows in a file without a name, first all written, then all read in the same order.
struct spool;
// NULL and errno.
struct spool *spool_open(const struct store *store);
void spool_free(struct spool *spool);
int spool_write(struct spool *spool, const struct store_row *row)
	__attribute__((warn_unused_result));
// To before the first row.
int spool_rewind(struct spool *spool) __attribute__((warn_unused_result));
// 1: *row was read; 0: there are no more; -errno.
int spool_read(struct spool *spool, struct store_row *row) __attribute__((warn_unused_result));

// raise.c
// Raises something in many rows, in one transaction: see store_bases_raise(). raise() changes,
// seals and writes one row.
int rows_raise(struct store *store, struct store_raise *raises, size_t count,
	int (*raise)(struct store *store, struct store_row *row, uint64_t value,
		struct store_error *error),
	struct store_error *error) __attribute__((warn_unused_result));

// shadow.c
// Begins a copy of the store. One at a time: while it is there, no row of a device may come or go.
int shadow_open(struct store *store, struct shadow **shadow, struct store_error *error)
	__attribute__((warn_unused_result));
// A turn of copying; *done after the last.
int shadow_copy_step(struct shadow *shadow, bool *done, struct store_error *error)
	__attribute__((warn_unused_result));
// The copy, for functions that take rows: in transactions without store_commit().
struct store *shadow_store(struct shadow *shadow);
// The state of a device was written to the store.
void shadow_changed(struct shadow *shadow, uint64_t id);
// A turn of what is left to do when all rows are in the copy, and committed there: *done when it is
// in the place of the database, durably. If it fails the database is as it was, or the store is
// broken.
int shadow_swap_step(struct shadow *shadow, bool *done, struct store_error *error)
	__attribute__((warn_unused_result));
// NULL is allowed. A copy that did not take the place of the database is removed.
void shadow_free(struct shadow *shadow);

// recover.c
int database_close(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// Takes away, durably, the name of a journal that is empty.
int journal_forget(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// Opens the database again, which must have all transactions that were ever reported.
int database_resume(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

// mark.c
// Within a transaction: no device without Echo is served before a resync.
int marks_distrust(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));

// run.c
// The run that this start has, or will have when it asks.
uint32_t store_current_run(const struct store *store);
// A next or highest run of versions before STORE_VERSION_NARROW in runs of now, above all that it
// may have used: min(run * 64 + 63, 2^24).
uint32_t run_of_wide(uint32_t run);
struct run_mark {
	uint32_t run; // the next to be granted
	uint64_t commits;
};
// Writes both marks; every commit does. If that fails, the store is broken.
int run_marks_write(struct store *store, struct store_error *error)
	__attribute__((warn_unused_result));
// -ENOENT if there is none, -EBADMSG if it is damaged; *mark is 0 then.
int run_mark_read(int directory_fd, struct run_mark *mark) __attribute__((warn_unused_result));

#endif
