// SPDX-License-Identifier: BSD-3-Clause
// Recovers a store whose disk failed. After a write or a sync that failed, the store does not know
// what is on the disk: the kernel drops the pages that it could not write, still shows them to
// readers, and the next sync succeeds without them. So the store writes nothing more through that
// connection, and opens the database again as after a crash:
//
// - If changes of a transaction may be in the database, its journal was synced before and still has
// its
//   length. SQLite rolls it back when the database is opened, which writes and syncs each page
//   again.
// - If the journal was truncated, all pages of its transaction were synced, but the truncation
// itself
//   may not be on the disk. So the journal is removed and its directory synced.
// - Marks are written to new files.
//
// The count of commits shows whether the transaction that failed is there, and that none before it
// was lost.

#include "gw/store/recover.h"

#include "gw/store/database.h"
#include "gw/store/file.h"
#include "gw/store/hashes.h"
#include "gw/store/meta.h"
#include "gw/store/run_mark.h"
#include "gw/store/run_token.h"
#include "gw/store/sql.h"
#include "gw/store/state.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBE_NAME "probe"
#define PROBE_LEN  65536 // bytes that the disk must take before it is called sound

int store_probe(const struct store *store, struct error *error)
{
	static const uint8_t zeros[PROBE_LEN];

	int code = file_replace(store->directory_fd, PROBE_NAME, zeros, sizeof(zeros));
	if (unlinkat(store->directory_fd, PROBE_NAME, 0) != 0 && code == 0)
		code = -errno;
	return code == 0
		? 0
		: error_set(error, code,
			  "the store failed to write before, and its disk is not sound: %s",
			  strerror(-code));
}

static int meta_again(struct store *store, struct error *error)
{
	sqlite3_stmt *statement = store_statement(store, SQL_META_AGAIN);

	if (statement == NULL || sqlite3_step(statement) != SQLITE_ROW)
		return store_sql_fail(store, error);
	uint64_t commits = sqlite3_column_int64(statement, 0);
	int64_t run = sqlite3_column_int64(statement, 1);
	int64_t hour = sqlite3_column_int64(statement, 2);
	uint32_t hour_runs = sqlite3_column_int64(statement, 3);
	sqlite3_reset(statement);
	if (commits < store->commits || run < store->run_next)
		return error_set(error, -ESTALE,
			"the disk lost what it had taken: restore a backup of the store");
	// A grant that was reported as failed is there after all: its run is the one of this start,
	// for tombstones that were written since it began count on no other.
	if (run > store->run_next && !store->granted) {
		store->granted = true;
		store->run = run - 1;
	}
	store->commits = commits;
	store->run_next = run;
	store->hour = hour;
	store->hour_runs = hour_runs;
	return 0;
}

// Checks that the file of this name is still the one that was opened.
static int same_file(const struct store *store, struct error *error)
{
	struct stat st;

	if (fstatat(store->directory_fd, STORE_DB, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		st.st_dev == store->db_dev && st.st_ino == store->db_ino)
		return 0;
	return error_set(error, -ESTALE, STORE_DB " is not the file any more that was opened");
}

int database_resume(struct store *store, struct error *error)
{
	int code = same_file(store, error);
	if (code == 0)
		code = database_open(store, error);
	if (code == 0 && store_functions(store, store->db) != 0)
		code = error_set(error, -ENOMEM, "no memory");
	if (code == 0)
		code = meta_verify(store, error);
	return code == 0 ? meta_again(store, error) : code;
}

static int database_again(struct store *store, struct error *error)
{
	int code = store->db == NULL ? 0 : database_close(store, error);
	if (code == 0)
		code = journal_forget(store, error);
	if (code == 0)
		code = database_resume(store, error);
	return code == 0 ? counters_read(store, error) : code;
}

int store_recover(struct store *store, struct error *error)
{
	if (!store->broken)
		return 0;
	if (!store->opened)
		return error_set(error, -EIO, "the store was never opened");
	int code = store_probe(store, error);
	if (code == 0)
		code = database_again(store, error);
	if (code == 0)
		code = run_marks_write(store, error);
	store->broken = code != 0;
	return code;
}

static bool is_missing(int directory_fd, const char *name)
{
	struct stat st;

	return fstatat(directory_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
}

int store_look(struct store *store, struct error *error)
{
	struct stat st;
	int code = 0;

	if (store->broken)
		return error_set(error, -EIO, "the store failed to write before");
	if (fstat(store->directory_fd, &st) != 0 || st.st_nlink == 0)
		code = error_set(error, -EIO, "%s was removed", store->directory);
	else
		code = same_file(store, error);
	if (code != 0) {
		store->broken = true;
		store->broken_by = code;
		return code;
	}
	if (is_missing(store->runtime_fd, STORE_MARK))
		code = run_marks_write(store, error);
	// Without the token the next start takes all windows for unknown, which is no damage.
	if (code == 0 && store->started && is_missing(store->runtime_fd, STORE_TOKEN))
		(void)!run_token_write(store);
	return code;
}

bool store_broken(const struct store *store)
{
	return store->broken;
}
