// SPDX-License-Identifier: BSD-3-Clause
// A copy of the database, to which a large import is written in turns and which then takes the
// place of the database. So the import is one change, and other writes of the store do not wait for
// it.
//
// Meanwhile the store grants runs and raises bases, marks and seconds in the database. Devices
// whose rows change by that are noted (changed.h) and copied again before the rename; the row of
// table meta is copied last. After a power cut either the old database is there or the new one,
// both complete.

#include "gw/store/shadow.h"

#include "gw/store/changed.h"
#include "gw/store/database.h"
#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/key_past.h"
#include "gw/store/recover.h"
#include "gw/store/rederive.h"
#include "gw/store/row.h"
#include "gw/store/run_mark.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_KIB  (32 * 1024) // bounds what a commit writes at once, too
#define COPY_PAGES 512         // of 4 KB in a turn
#define SYNC_BYTES (1 << 20)   // in a turn
#define CATCH_UP   128         // devices in a turn, beside as many as changed since the last

struct shadow {
	struct store store; // the copy, as the functions for rows take it
	struct store *of;
	sqlite3_backup *copy; // while pages are copied
	int fd;               // of the file, for its sync
	bool made;            // the file is ours to remove
	off_t synced;
	struct changed changed; // devices whose state was written since the copy began
};

static int shadow_fail(struct shadow *shadow, int code, const char *what, struct error *error)
{
	return error_set(
		error, code, "%s: " STORE_SHADOW " beside the database: %s", what, strerror(-code));
}

static int file_make(struct shadow *shadow, struct error *error)
{
	// The store's lock is held, so a file of this name is a leftover.
	unlinkat(shadow->of->directory_fd, STORE_SHADOW, 0);
	shadow->fd = openat(shadow->of->directory_fd, STORE_SHADOW,
		O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (shadow->fd < 0)
		return shadow_fail(shadow, -errno, "cannot be made", error);
	shadow->made = true;
	int code = file_give(shadow->fd, shadow->of->directory_fd);
	return code == 0 ? 0 : shadow_fail(shadow, code, "cannot be given away", error);
}

static int database_make(struct shadow *shadow, struct error *error)
{
	char *path, sql[160];

	if (asprintf(&path, "%s/" STORE_SHADOW, shadow->of->directory) < 0)
		return error_set(error, -ENOMEM, "no memory");
	int below = sqlite3_open_v2(path, &shadow->store.db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	free(path);
	// It is synced as a whole, or thrown away as a whole.
	snprintf(sql, sizeof(sql),
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF;"
		"PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -%d",
		CACHE_KIB);
	if (below == SQLITE_OK)
		below = sqlite3_exec(shadow->store.db, sql, NULL, NULL, NULL);
	if (below == SQLITE_OK)
		shadow->copy =
			sqlite3_backup_init(shadow->store.db, "main", shadow->of->db, "main");
	return shadow->copy != NULL ? 0 : store_sql_fail(&shadow->store, error);
}

int shadow_open(struct store *store, struct shadow **shadow, struct error *error)
{
	assert(store->changed == NULL); // one copy at a time
	struct shadow *new = calloc(1, sizeof(*new));

	*shadow = NULL;
	if (new == NULL)
		return error_set(error, -ENOMEM, "no memory for an import");
	new->of = store;
	new->fd = -1;
	// Its rows are sealed and counted as those of the store.
	new->store = *store;
	new->store.db = NULL;
	new->store.changed = NULL;
	memset(new->store.statement, 0, sizeof(new->store.statement));
	int code = file_make(new, error);
	if (code == 0)
		code = database_make(new, error);
	if (code != 0) {
		shadow_free(new);
		return code;
	}
	*shadow = new;
	store->changed = &new->changed;
	return 0;
}

struct store *shadow_store(struct shadow *shadow)
{
	return &shadow->store;
}

// What the store shows may not be on its disk, and a copy under way holds up store_recover().
static int store_sound(const struct shadow *shadow, struct error *error)
{
	return shadow->of->broken ? error_set(error, -EIO, "the store failed to write before") : 0;
}

int shadow_copy_step(struct shadow *shadow, bool *done, struct error *error)
{
	*done = false;
	int code = store_sound(shadow, error);
	if (code != 0)
		return code;
	int below = sqlite3_backup_step(shadow->copy, COPY_PAGES);
	if (below == SQLITE_OK)
		return 0;
	if (below == SQLITE_DONE) {
		below = sqlite3_backup_finish(shadow->copy);
		shadow->copy = NULL;
	}
	if (below != SQLITE_OK)
		return store_sql_fail(&shadow->store, error);
	*done = true;
	return store_functions(&shadow->store, shadow->store.db) == 0
		? 0
		: error_set(error, -ENOMEM, "no memory for an import");
}

static int transaction(struct shadow *shadow, const char *sql, struct error *error)
{
	return sqlite3_exec(shadow->store.db, sql, NULL, NULL, NULL) == SQLITE_OK
		? 0
		: store_sql_fail(&shadow->store, error);
}

// Its state as it is in the store now; in the copy it may have been replaced.
static int device_copy(struct shadow *shadow, uint64_t id, struct error *error)
{
	struct store_row row, there;

	int code = row_find_by_id(shadow->of, id, &row, error);
	if (code != 0)
		return code == -ENOENT ? 0 : code;
	code = row_find_by_id(&shadow->store, id, &there, NULL);
	if (code == 0 && there.rederived != row.rederived)
		return row_write_rederived(&shadow->store, &there, &row, error);
	if (code == 0)
		return row_write_state(&shadow->store, &row, error);
	return code == -ENOENT ? row_retire_again(&shadow->store, &row, error) : code;
}

static int catch_up(struct shadow *shadow, size_t most, struct error *error)
{
	int code = transaction(shadow, "BEGIN", error);

	for (size_t i = 0; code == 0 && i < most && shadow->changed.count > 0; i++)
		code = device_copy(shadow, shadow->changed.id[--shadow->changed.count], error);
	return code == 0 ? transaction(shadow, "COMMIT", error) : code;
}

// The first row as it is in the store now, with one more transaction.
static int meta_copy(struct shadow *shadow, struct error *error)
{
	sqlite3_stmt *from = NULL, *to = NULL;
	char sql[256];
	size_t len = snprintf(sql, sizeof(sql), "REPLACE INTO meta VALUES (?");
	int code = 0;

	sqlite3_prepare_v2(shadow->of->db, "SELECT * FROM meta", -1, &from, NULL);
	if (from == NULL || sqlite3_step(from) != SQLITE_ROW)
		code = store_sql_fail(shadow->of, error);
	int columns = code == 0 ? sqlite3_column_count(from) : 0;
	for (int i = 1; i < columns && len < sizeof(sql); i++)
		len += snprintf(sql + len, sizeof(sql) - len, ",?");
	if (len < sizeof(sql))
		snprintf(sql + len, sizeof(sql) - len, ")");
	if (code == 0)
		sqlite3_prepare_v2(shadow->store.db, sql, -1, &to, NULL);
	for (int i = 0; to != NULL && i < columns; i++)
		sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
	if (code == 0)
		code = store_exec(&shadow->store, to, error);
	sqlite3_finalize(to);
	sqlite3_finalize(from);
	if (code != 0)
		return code;
	to = store_statement(&shadow->store, SQL_META_COMMIT);
	sqlite3_bind_int64(to, 1, shadow->of->commits + 1);
	return store_exec(&shadow->store, to, error);
}

static void connection_close(struct shadow *shadow)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(shadow->store.statement[i]);
		shadow->store.statement[i] = NULL;
	}
	sqlite3_close(shadow->store.db);
	shadow->store.db = NULL;
}

// The file is complete and synced: it takes the place of the database.
static int change_place(struct shadow *shadow, struct error *error)
{
	struct store *store = shadow->of;
	uint64_t after = store->commits + 1;
	struct stat st;
	int code = 0;

	assert(shadow->changed.count == 0 && !shadow->changed.lost && store->backups == 0);
	int old = openat(store->directory_fd, STORE_DB, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (old < 0 || fstat(shadow->fd, &st) != 0) {
		code = -errno;
		if (old >= 0)
			close(old);
		return shadow_fail(shadow, code, "cannot be looked at", error);
	}
	connection_close(shadow);
	code = database_close(store, error);
	if (code == 0)
		code = journal_forget(store, error);
	if (code == 0 &&
		renameat(store->directory_fd, STORE_SHADOW, store->directory_fd, STORE_DB) != 0)
		code = shadow_fail(shadow, -errno, "cannot be renamed", error);
	if (code == 0) {
		shadow->made = false;
		store->db_dev = st.st_dev;
		store->db_ino = st.st_ino;
		if (fsync(store->directory_fd) != 0)
			code = shadow_fail(shadow, -errno, "cannot be synced", error);
	}
	// A process that closes a file gives up all locks that it has on it, those of SQLite
	// too: so before the database is opened again, whichever of the two it is.
	close(shadow->fd);
	shadow->fd = -1;
	if (shadow->made)
		close(old);
	else
		file_close_later(old);
	if (code == 0)
		code = database_resume(store, error);
	if (code == 0) {
		store->count = shadow->store.count;
		// It is there whatever becomes of the marks.
		(void)!run_marks_write(store, NULL);
		return 0;
	}
	store->broken = true;
	// As after a commit that failed.
	return store_recover(store, NULL) == 0 && store->commits == after ? 0 : code;
}

static int sync_some(struct shadow *shadow, bool *done, struct error *error)
{
	struct stat st;

	if (fstat(shadow->fd, &st) != 0)
		return shadow_fail(shadow, -errno, "cannot be looked at", error);
	// The kernel reports an error once: what is reported here, the sync at the end does not
	// report again. Where there is no such call, the sync writes it all.
	if (shadow->synced < st.st_size &&
		sync_file_range(shadow->fd, shadow->synced, SYNC_BYTES,
			SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
				SYNC_FILE_RANGE_WAIT_AFTER) != 0 &&
		errno != ENOSYS)
		return shadow_fail(shadow, -errno, "cannot be written", error);
	shadow->synced += SYNC_BYTES;
	*done = shadow->synced >= st.st_size;
	return 0;
}

int shadow_swap_step(struct shadow *shadow, bool *done, struct error *error)
{
	// To copy a device is less work than it was to change it.
	size_t most = CATCH_UP + shadow->changed.fresh;
	bool synced = false;

	*done = false;
	shadow->changed.fresh = 0;
	int code = store_sound(shadow, error);
	if (code == 0)
		code = sync_some(shadow, &synced, error);
	if (code == 0 && synced && shadow->changed.lost)
		code = error_set(error, -ENOMEM, "no memory for an import");
	if (code == 0 && synced && shadow->changed.count > 0)
		code = catch_up(shadow, most, error);
	// A backup has the database open.
	if (code != 0 || !synced || shadow->changed.count > 0 || shadow->of->backups > 0)
		return code;
	code = meta_copy(shadow, error);
	if (code == 0 && fsync(shadow->fd) != 0)
		code = shadow_fail(shadow, -errno, "cannot be synced", error);
	if (code == 0)
		code = change_place(shadow, error);
	*done = code == 0;
	return code;
}

void shadow_free(struct shadow *shadow)
{
	if (shadow == NULL)
		return;
	if (shadow->of->changed == &shadow->changed)
		shadow->of->changed = NULL;
	if (shadow->copy != NULL)
		sqlite3_backup_finish(shadow->copy);
	connection_close(shadow);
	if (shadow->fd >= 0)
		close(shadow->fd);
	if (shadow->made)
		unlinkat(shadow->of->directory_fd, STORE_SHADOW, 0);
	free(shadow->changed.id);
	free(shadow);
}
