// SPDX-License-Identifier: BSD-3-Clause
// The connection to the database file. All files of the store use it through sql.h.

#include "gw/store/database.h"

#include "gw/store/file.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_KIB (64 * 1024)

int database_open(struct store *store, struct error *error)
{
	struct stat st;
	int code = 0;

	assert(store->db == NULL && store->directory_fd >= 0);
	// The store makes the file itself, so that other users can read it at no moment.
	int fd = openat(
		store->directory_fd, STORE_DB, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0 || fstat(fd, &st) != 0)
		code = -errno;
	else
		code = file_give(fd, store->directory_fd);
	if (fd >= 0)
		close(fd);
	if (code != 0)
		return error_set(error, code, "cannot open %s/" STORE_DB ": %s", store->directory,
			strerror(-code));
	store->db_dev = st.st_dev;
	store->db_ino = st.st_ino;

	char *path;
	if (asprintf(&path, "%s/" STORE_DB, store->directory) < 0)
		return error_set(error, -ENOMEM, "no memory");
	int opened = sqlite3_open_v2(path, &store->db,
		SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, NULL);
	free(path);
	if (store->db == NULL)
		return error_set(error, -ENOMEM, "no memory");
	if (opened != SQLITE_OK)
		return store_sql_fail(store, error);
	// What cannot be opened to write, SQLite opens to read.
	if (sqlite3_db_readonly(store->db, "main") != 0)
		return error_set(
			error, -EROFS, "%s/" STORE_DB " can be read only", store->directory);

	// One file at rest, and a large import writes its new pages once: the journal that is
	// rolled back, not the one ahead. FULL with TRUNCATE syncs the journal's end too.
	code = sql_run(store,
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE;"
		"PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
		"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;",
		error);
	if (code != 0)
		return code;
	char cache[64];
	snprintf(cache, sizeof(cache), "PRAGMA cache_size = -%d", CACHE_KIB);
	return sql_run(store, cache, error);
}

int database_close(struct store *store, struct error *error)
{
	for (size_t i = 0; i < SQL_COUNT; i++) {
		sqlite3_finalize(store->statement[i]);
		store->statement[i] = NULL;
	}
	// With a backup under way it stays open.
	if (sqlite3_close(store->db) != SQLITE_OK)
		return error_set(error, -EBUSY, "the store is being copied");
	store->db = NULL;
	return 0;
}

int journal_forget(struct store *store, struct error *error)
{
	struct stat st;
	int code = 0;

	if (fstatat(store->directory_fd, STORE_DB "-journal", &st, AT_SYMLINK_NOFOLLOW) != 0)
		code = errno == ENOENT ? 0 : -errno;
	else if (st.st_size == 0 && unlinkat(store->directory_fd, STORE_DB "-journal", 0) != 0)
		code = -errno;
	// Also if the name is gone: that may be what failed.
	if (code == 0 && fsync(store->directory_fd) != 0)
		code = -errno;
	return code == 0 ? 0 : error_set(error, code, "the store's journal: %s", strerror(-code));
}
